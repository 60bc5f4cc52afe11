"""What came of an action: the verdict, the counts that it rests on, and every verdict that was told before."""

from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from app.api.schemas.answers.common import Answered, Instant, Key, Number, showing

_BEFORE = {
    "events": 7,
    "exposure": 180.0,
    "from": "2025-09-01T09:00:00.000000Z",
    "to": "2026-02-28T09:00:00.000000Z",
}
_DURING = {
    "events": 3,
    "exposure": 17.625,
    "from": "2026-02-28T09:00:00.000000Z",
    "to": "2026-03-18T00:00:00.000000Z",
}
_AFTER = {
    "events": 1,
    "exposure": 90.0,
    "from": "2026-03-18T00:00:00.000000Z",
    "to": "2026-06-16T00:00:00.000000Z",
}
_SAYS = (
    "7 (180 days) before and 1 (90 days) after: no change is shown (0.29 times as many, 95 % limits 0.0063 to 2.2); "
    "chance alone may explain the difference. Counted by calendar days, for no denominator is stated for every day."
)
OUTCOME_EXAMPLE: dict[str, Any] = {
    "action_id": "act_6d4f1a0c2b3e5f708192a3b4c5d6e7f8",
    "review_id": "rev_92ca7a9327bd5cf08b1423b00efd9378",
    "escalation_id": "esc_92ca7a9327bd5cf08b1423b00efd9378",
    "service_id": "willow-house",
    "key": {"service_id": "willow-house", "incident_type": "medication", "deviation": "omitted"},
    "actions": ["act_6d4f1a0c2b3e5f708192a3b4c5d6e7f8"],
    "status": "assessed",
    "verdict": "not_shown",
    "rate_ratio": 0.285714,
    "ci": [0.00634, 2.22],
    "p": 0.406,
    "before": _BEFORE,
    "during": _DURING,
    "after": _AFTER,
    "exposure": "calendar_days",
    "reporting": {"before": 41, "after": 22, "p": 0.9, "silent_sources": [], "nothing_reported": False},
    "harm": {"before": 1, "after": 0},
    "as_of_sequence": 412,
    "says": _SAYS,
    "assessed_at": "2026-06-16T00:00:00.000000Z",
    "follow_up_ends": "2026-06-16T00:00:00.000000Z",
    "looks_again_at": "2027-03-18T00:00:00.000000Z",
    "provisional": False,
    "method": "Exact conditional Poisson rate ratio, Clopper–Pearson limits, central p.",
    "parameters": {"baseline_days": 180, "follow_up_days": 90, "confidence": 0.95, "alpha": 0.05},
    "history": [],
}
Verdict = Literal["fell", "rose", "not_shown", "too_little_data", "reporting_fell"]
Exposure = Literal["calendar_days", "doses_due", "visits_scheduled", "resident_days"]


class OutcomeArm(Answered):
    """Near misses of the key in a span, and how much there was to do meanwhile; null where not all its days say."""

    events: int
    exposure: Number | None
    from_: Instant = Field(alias="from")
    to: Instant


class OutcomeReporting(Answered):
    """All else that was reported of the service. A verdict is withheld when it fell too, or a source was silent."""

    before: int
    after: int
    p: Number | None
    silent_sources: list[str]
    nothing_reported: bool


class OutcomeHarm(Answered):
    """Incidents of the same service and type that did harm."""

    before: int
    after: int


class OutcomeAssessment(Answered):
    """A verdict that was told, and what it rested on."""

    verdict: Verdict
    rate_ratio: Number | None = Field(description="The rate after over the rate before; null without an event before.")
    ci: list[Number | None] | None = Field(description="Its 95 % limits; the upper one is null where there is none.")
    p: Number | None
    before: OutcomeArm
    during: OutcomeArm
    after: OutcomeArm
    exposure: Exposure
    reporting: OutcomeReporting
    harm: OutcomeHarm
    as_of_sequence: int
    says: str
    assessed_at: Instant


class ActionOutcome(Answered):
    """Whether it worked. One verdict for all actions of a review, for they work on the same events."""

    model_config: ClassVar[ConfigDict] = showing(OUTCOME_EXAMPLE)

    action_id: str
    review_id: str | None = Field(description="Null where leadership agreed on it: no single pattern led to it.")
    escalation_id: str | None = None
    service_id: str | None = Field(default=None, description="Null where the key names no service.")
    key: Key | None = None
    actions: list[str] = Field(description="Those that share the verdict.")
    status: Literal["not_completed", "follow_up", "assessed"]
    verdict: Verdict | None = Field(description="Null until something can be said.")
    provisional: bool = Field(description="Whether the follow-up goes on, so that it may still change.")
    rate_ratio: Number | None
    ci: list[Number | None] | None
    p: Number | None
    before: OutcomeArm | None = Field(description="180 days before the first near miss of the pattern.")
    during: OutcomeArm | None = Field(description="The trigger window; it has no verdict.")
    after: OutcomeArm | None = Field(description="90 days, or a year, from when the latest action took effect.")
    exposure: Exposure | None
    reporting: OutcomeReporting | None
    harm: OutcomeHarm | None
    follow_up_ends: Instant | None
    looks_again_at: Instant | None = Field(
        description="What showed nothing after 90 days is looked at once more, a year after the action took effect."
    )
    assessed_at: Instant | None
    method: str
    parameters: dict[str, Number]
    as_of_sequence: int | None = None
    says: str
    history: list[OutcomeAssessment] = Field(description="Former assessments, the oldest first.")
