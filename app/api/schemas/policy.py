"""The policy document, for those who read openapi.yaml; the rule module itself checks it, every fault at once."""

from typing import Any, ClassVar

from pydantic import ConfigDict, Field

from app.api.schemas.validation import Body

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
    "reason": "Thresholds agreed with the registered managers.",
}


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
    governance_cadence: str = Field("P1M", description="ISO 8601 duration.")
    reason: str | None = Field(None, description="Why the policy was changed.")
