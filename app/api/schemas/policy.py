"""The policy document, for those who read openapi.yaml; the rule module itself checks it, every fault at once."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from app.api.schemas.fields import Day, Identifier
from app.api.schemas.validation import Body

ClockTime = Annotated[str, Field(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$", description="HH:MM.")]

POLICY_EXAMPLE: dict[str, Any] = {
    "rules": [
        {
            "id": "similar",
            "name": "Similar near misses in one service",
            "group_by": ["service_id", "incident_type", "deviation"],
            "threshold": 3,
            "window": "P14D",
            "missing_key": "group",
        }
    ],
    "time_zone": "Europe/London",
    "working_time": {
        "hours": [
            {"weekday": "mon", "from": "08:00", "to": "18:00"},
            {"weekday": "sat", "from": "09:00", "to": "12:00"},
        ],
        "country": "GB",
        "subdivision": "ENG",
        "closed_on": ["2026-12-24"],
    },
    "reason": "Thresholds agreed with the registered managers.",
}


class OpeningHours(Body):
    """From opening until closing, by the policy's clock; a closing not after its opening is the next day's."""

    weekday: Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    since: ClockTime = Field(alias="from")
    until: ClockTime = Field(alias="to")


class WorkingTimeDocument(Body):
    """When the organisation is at work: what a step of a ladder waits in whose `time_basis` is `working`."""

    hours: list[OpeningHours] | None = Field(
        None, min_length=1, max_length=50, description="Left out: Monday to Friday, 09:00 to 17:00."
    )
    country: str | None = Field(
        None,
        pattern="^[A-Z]{2}$",
        description="ISO 3166-1, two letters: its public holidays are not worked. Left out, none is observed.",
    )
    subdivision: Identifier | None = Field(None, description="ISO 3166-2 without the country, such as ENG.")
    closed_on: list[Day] | None = Field(None, max_length=366, description="Further dates that are not worked.")


class PolicyDocument(Body):
    """A whole policy; what is left out takes its default."""

    model_config: ClassVar[ConfigDict] = ConfigDict(json_schema_extra={"examples": [POLICY_EXAMPLE]})

    rules: list[dict[str, Any]] = Field(
        description="Each: id, name?, match?, match_any?, group_by, threshold, window, op?, distinct?, weight?, "
        "missing_key?, cooldown?, window_basis?, count_classifications?, mode?, aliases?, require_types?, "
        "require_sequence?, review_due?, ladder?"
    )
    time_zone: str = Field("UTC", description="An IANA name; dates and calendar windows are read in it.")
    shifts: dict[str, list[dict[str, str]]] = Field(
        default_factory=dict[str, list[dict[str, str]]],
        description='Service id or "*" → [{bracket, from: "07:00", to: "08:00"}].',
    )
    expected_chance_firings: list[dict[str, Any]] | None = Field(
        None, description="Worked out by the service: what `GET` showed may be put back with it, and is not looked at."
    )
    less_sensitive: dict[str, Any] | None = Field(
        None, description="Said by the service of a policy with a reason; put back, it is not looked at."
    )
    governance_cadence: str = Field("P1M", description="ISO 8601 duration.")
    details_due: str = Field("P3D", description="How long a record may await its details; ISO 8601 duration.")
    workflow_link_due: str = Field("P7D", description="How long a record may await its link; ISO 8601 duration.")
    working_time: WorkingTimeDocument | None = Field(
        None, description="Left out: Monday to Friday, 09:00 to 17:00, but for the bank holidays of England."
    )
    reason: str | None = Field(
        None, description="Why the policy was changed: needed, and new, when it would have opened fewer reviews."
    )
