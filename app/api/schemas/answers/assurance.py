"""The assurance of a period: three validations, each with whom it is about and what is missing."""

from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from app.api.schemas.answers.common import Answered, Duration, Instant, Key, showing

_CROSSING: dict[str, Any] = {
    "rule_id": "similar",
    "key": {"service_id": "willow-house", "incident_type": "medication", "deviation": "omitted"},
    "crossed_at": "2026-03-02T09:00:00.000000Z",
    "escalation_id": "esc_0b6a2c9e7d1f5a3c8e4b9d2f6a1c7e30",
    "review_id": "rev_0b6a2c9e7d1f5a3c8e4b9d2f6a1c7e30",
    "detected_at": "2026-03-02T10:00:00.000000Z",
    "detected_late": False,
    "recomputed": True,
    "due": "2026-03-16T10:00:00.000000Z",
    "late": False,
    "latency": {"detected": "PT1H"},
}
_VALIDATIONS: list[dict[str, Any]] = [
    {
        "id": "repeated_near_misses_escalated",
        "confirmed": False,
        "population": 1,
        "pending": [
            {
                "ids": ["esc_0b6a2c9e7d1f5a3c8e4b9d2f6a1c7e30", "rev_0b6a2c9e7d1f5a3c8e4b9d2f6a1c7e30"],
                "due": "2026-03-16T10:00:00.000000Z",
            }
        ],
        "pending_total": 1,
        "exceptions": [],
        "exceptions_total": 0,
        "crossings": [_CROSSING],
        "crossings_total": 1,
        "deferred": 0,
        "historical_crossings": 0,
    },
    {
        "id": "linked_to_workflow",
        "confirmed": True,
        "population": 3,
        "pending": [],
        "pending_total": 0,
        "exceptions": [],
        "exceptions_total": 0,
        "linked": 3,
        "owe_no_link": {},
    },
    {
        "id": "used_in_governance",
        "confirmed": False,
        "population": 1,
        "pending": [
            {
                "ids": ["esc_0b6a2c9e7d1f5a3c8e4b9d2f6a1c7e30", "rev_0b6a2c9e7d1f5a3c8e4b9d2f6a1c7e30"],
                "due": "2026-04-02T10:00:00.000000Z",
            }
        ],
        "pending_total": 1,
        "exceptions": [],
        "exceptions_total": 0,
        "reviews_held": 0,
        "cadences_missed": 0,
        "escalations": 1,
        "escalations_considered": 0,
    },
]


class AssurancePending(Answered):
    ids: list[str]
    due: Instant = Field(description="Until then it may still be done.")


class AssuranceException(Answered):
    ids: list[str]
    reason: str = Field(description="See docs/assurance.md.")
    detail: dict[str, Any] | None = None


class AssuranceLatency(Answered):
    """How long after the window was full."""

    detected: Duration | None = None
    acknowledged: Duration | None = None
    concluded: Duration | None = None


class AssuredCrossing(Answered):
    """A crossing of a threshold, and the review that it led to."""

    rule_id: str
    key: Key
    crossed_at: Instant
    escalation_id: str | None = None
    near_miss_ids: list[str] | None = Field(default=None, description="Of a crossing that nothing was raised for.")
    review_id: str | None = None
    merged_into: str | None = None
    detected_at: Instant | None = None
    detected_late: bool
    acknowledged_at: Instant | None = None
    concluded_at: Instant | None = None
    determination: str | None = None
    due: Instant | None = Field(default=None, description="By when its review was, or is, to be closed.")
    late: bool | None = Field(default=None, description="Whether its review was closed after that.")
    recomputed: bool = Field(description="Whether the events show the crossing, not only that it was raised.")
    latency: AssuranceLatency


class AssuranceValidation(Answered):
    """`confirmed`: true with nothing pending or missing, null of an empty population, else false. Lists hold at most
    1,000; the totals say how many there are.
    """

    id: Literal["repeated_near_misses_escalated", "linked_to_workflow", "used_in_governance"]
    confirmed: bool | None
    population: int
    pending: list[AssurancePending]
    pending_total: int
    exceptions: list[AssuranceException]
    exceptions_total: int
    crossings: list[AssuredCrossing] | None = None
    crossings_total: int | None = None
    deferred: int | None = Field(default=None, description="Crossings that wait for the end of a cool-down.")
    historical_crossings: int | None = Field(default=None, description="Of imported history: they have no review.")
    linked: int | None = None
    owe_no_link: dict[str, int] | None = Field(default=None, description="`history` and `reference`, by number.")
    reviews_held: int | None = None
    cadences_missed: int | None = None
    escalations: int | None = None
    escalations_considered: int | None = None


class AssuredLedger(Answered):
    """Whether the ledger is as it was written; what is reported rests on what comes before its first bad event."""

    intact: bool
    first_bad_sequence: int | None = None
    detail: str | None = None


class AssuranceThen(Answered):
    """As of the last event that was recorded before the period ended."""

    as_of_sequence: int
    at: Instant = Field(description="When the period ended, or now while it runs.")
    validations: list[AssuranceValidation]


class Assurance(Answered):
    """The three auditable validations, recomputed from the ledger alone."""

    model_config: ClassVar[ConfigDict] = showing(
        {
            "rules": 1,
            "as_of_sequence": 12,
            "ledger": {"intact": True},
            "from": "2026-03-01T00:00:00.000000Z",
            "to": "2026-04-01T00:00:00.000000Z",
            "at": "2026-03-05T12:00:00.000000Z",
            "validations": _VALIDATIONS,
            "as_known_then": {"as_of_sequence": 12, "at": "2026-03-05T12:00:00.000000Z", "validations": _VALIDATIONS},
        }
    )

    rules: int = Field(description="By which rules the report is made: packs are kept longer than a release lives.")
    as_of_sequence: int
    ledger: AssuredLedger
    since: Instant | None = Field(default=None, alias="from")
    until: Instant | None = Field(default=None, alias="to")
    at: Instant = Field(description="The instant at which deadlines are judged.")
    validations: list[AssuranceValidation]
    as_known_then: AssuranceThen
