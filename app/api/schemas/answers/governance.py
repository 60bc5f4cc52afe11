"""A governance review: what it saw when it was opened, and what leadership made of that."""

from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from app.api.schemas.answers.common import Answered, Instant, InstantOrDay, NextCursor, Words, showing

_ESCALATION = "esc_92ca7a9327bd5cf08b1423b00efd9378"
_REVIEW = "rev_92ca7a9327bd5cf08b1423b00efd9378"
_SAID = {"by": "key/6f1d2c3b", "at": "2026-03-02T10:30:00.000000Z"}

GOVERNANCE_EXAMPLE: dict[str, Any] = {
    "id": "gov_1f2e3d4c5b6a79880716253443526170",
    "sequence": 31,
    "title": "Near misses of February",
    "from": "2026-02-01",
    "to": "2026-03-01",
    "from_at": "2026-02-01T00:00:00.000000Z",
    "to_at": "2026-03-01T00:00:00.000000Z",
    "services": ["willow-house"],
    "localities": [],
    "chair": "nominated-1",
    "status": "open",
    "opened_at": "2026-03-02T10:00:00.000000Z",
    "snapshot": {
        "as_of_sequence": 30,
        "computed_at": "2026-03-02T10:00:00.000000Z",
        "services_affected": [
            {
                "service_id": "willow-house",
                "name": "Willow House",
                "count": 3,
                "by_classification": {"near_miss": 3},
                "escalations": 1,
            }
        ],
        "contributing_factors": [
            {"code": "workload", "count": 3, "services": [{"service_id": "willow-house", "count": 3}]}
        ],
        "escalations": [
            {
                "id": _ESCALATION,
                "rule_id": "similar",
                "key": {"service_id": "willow-house", "incident_type": "medication", "deviation": "omitted"},
                "service_id": "willow-house",
                "raised_at": "2026-02-20T20:52:11.402713Z",
                "crossed_at": "2026-02-20T20:40:00.000000Z",
                "status": "under_review",
                "review_id": _REVIEW,
                "review_status": "under_review",
                "determination": "system_risk",
                "members": 3,
            }
        ],
        "open_actions": [],
        "signals": [],
        "outcomes": [],
        "system_risk_reviews": [
            {
                "review_id": _REVIEW,
                "escalation_id": _ESCALATION,
                "service_id": "willow-house",
                "determined_sequence": 28,
            }
        ],
        "less_sensitive_policies": [],
    },
    "recommended_actions": [
        {
            "description": "A second senior at the evening handover.",
            "owner": "manager-2",
            "due": "2026-05-01",
            "due_at": "2026-05-01T00:00:00.000000Z",
            "action_id": "act_6d4f1a0c2b3e5f708192a3b4c5d6e7f8",
            "status": "open",
            **_SAID,
        }
    ],
    "decisions": [
        {"text": "The evening round gets a second senior until May.", "cites": [_ESCALATION, "snapshot"], **_SAID}
    ],
    "assessment": {
        "determination": "emerging_risk",
        "intervention_required": True,
        "rationale": "Omitted doses at the evening handover have doubled since December.",
        **_SAID,
    },
    "version": 4,
}


class Said(Answered):
    """Who said it, and when."""

    by: str
    at: Instant


class ServiceAffected(Answered):
    """What was reported of a service in the period."""

    service_id: str | None = Field(None, description="Absent for reports that name no service.")
    name: str | None = None
    count: int = Field(description="Of the classifications that any active rule counts.")
    by_classification: dict[str, int]
    escalations: int


class FactorCount(Answered):
    """A contributing factor in one service."""

    service_id: str | None = None
    count: int


class FactorNamed(Answered):
    """How many near misses of the period name a contributing factor."""

    code: str
    count: int
    services: list[FactorCount] = Field(description="Those with the most.")
    other_services: int | None = Field(None, description="How many services more name it.")


class EscalationSeen(Answered):
    """An escalation of the period, or one that is carried into it, as it stood."""

    id: str
    rule_id: str
    key: dict[str, Any]
    service_id: str | None = None
    raised_at: Instant
    crossed_at: Instant
    status: str
    review_id: str | None = None
    review_status: str | None = None
    determination: Literal["system_risk", "not_system_risk"] | None = None
    members: int
    carried: bool | None = Field(
        None, description="True: raised in the period of an earlier review, after that was closed."
    )


class ActionSeen(Answered):
    """An action that was open."""

    id: str
    review_id: str | None = None
    governance_review_id: str | None = None
    service_id: str | None = None
    status: Literal["open", "overdue"]
    due: InstantOrDay
    due_at: Instant


class SystemRiskSeen(Answered):
    """A review that was determined a system risk, and that no closed governance review had cited."""

    review_id: str
    escalation_id: str
    service_id: str | None = None
    determined_sequence: int


class GovernanceSnapshot(Answered):
    """What the service knew at `as_of_sequence`; it never changes, and the ledger up to there gives it again."""

    as_of_sequence: int
    computed_at: Instant
    trends: list[dict[str, Any]] | None = Field(None, description="As GET /v1/trends answers; left out of lists.")
    services_affected: list[ServiceAffected]
    contributing_factors: list[FactorNamed]
    escalations: list[EscalationSeen]
    open_actions: list[ActionSeen]
    signals: list[dict[str, Any]] = Field(description="Signals that nobody had answered.")
    outcomes: list[dict[str, Any]] = Field(description="What was assessed in the period of earlier actions.")
    system_risk_reviews: list[SystemRiskSeen] = Field(description="Carried until a decision cites them.")
    less_sensitive_policies: list[dict[str, Any]]
    left_out: dict[str, int] | None = Field(
        None, description="How many of what a snapshot of bounded size had no room for, by part; see the documentation."
    )


class RecommendedAction(Said):
    """What is to change; followed up as an action when it has an owner and a due date."""

    description: Words
    owner: Words | None = None
    due: InstantOrDay | None = None
    due_at: Instant | None = None
    action_id: str | None = None
    status: Literal["open", "overdue", "completed", "cancelled"] | None = None


class NoActionRecommended(Said):
    """Nothing is to change, and why."""

    reason: Words


class DecisionTaken(Said):
    """What was decided, and what it rests on."""

    text: Words
    cites: list[str]


class RiskAssessed(Said):
    """Whether the patterns indicate an emerging risk that requires intervention."""

    determination: Literal["emerging_risk", "no_emerging_risk"]
    intervention_required: bool
    rationale: Words


class MinutesTaken(Said):
    """The minutes as they were last recorded."""

    text: Words
    present: list[Words]


class GovernanceClosed(Said):
    """How it was concluded."""

    summary: Words


class GovernanceReview(Answered):
    """A period and its services, what the service saw there, and what leadership made of it."""

    model_config: ClassVar[ConfigDict] = showing(GOVERNANCE_EXAMPLE)

    id: str
    sequence: int
    title: str
    since: InstantOrDay = Field(alias="from")
    until: InstantOrDay = Field(alias="to")
    from_at: Instant
    to_at: Instant
    services: list[str] = Field(description="Together with the localities empty: all.")
    localities: list[str]
    chair: Words
    status: Literal["open", "overdue", "closed"]
    overdue_since: Instant | None = Field(None, description="When the cadence was missed, while it is open.")
    opened_at: Instant
    snapshot: GovernanceSnapshot
    recommended_actions: list[RecommendedAction]
    no_action_recommended: NoActionRecommended | None = None
    decisions: list[DecisionTaken]
    assessment: RiskAssessed | None = None
    minutes: MinutesTaken | None = None
    closure: GovernanceClosed | None = None
    version: int


class GovernanceReviewList(Answered):
    """A page of governance reviews, newest first, without their trends."""

    items: list[GovernanceReview]
    next_cursor: NextCursor
