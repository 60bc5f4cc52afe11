"""An escalation and the manager's review that was opened with it."""

from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from app.api.schemas.answers.actions import Action
from app.api.schemas.answers.common import (
    Answered,
    Duration,
    Instant,
    Key,
    NextCursor,
    Words,
    showing,
)

ESCALATION_EXAMPLE: dict[str, Any] = {
    "id": "esc_92ca7a9327bd5cf08b1423b00efd9378",
    "sequence": 7,
    "rule_id": "similar",
    "policy_version": 2,
    "key": {"service_id": "willow-house", "incident_type": "medication", "deviation": "omitted"},
    "service_id": "willow-house",
    "threshold": 3,
    "window": "P14D",
    "status": "awaiting_ack",
    "level": 0,
    "epoch": 0,
    "raised_at": "2026-03-02T20:52:11.402713Z",
    "crossed_at": "2026-03-02T20:40:00.000000Z",
    "detected_late": False,
    "detection_delay": "PT731.402713S",
    "members": [
        {"near_miss_id": "nm_01a2067704597e289fff45e86fddf0a3", "kind": "member"},
        {"near_miss_id": "nm_01a20677046f7bbe8284774b7b922b8d", "kind": "member"},
        {"near_miss_id": "nm_01a20677048172ec81013c2fbfc79392", "kind": "member"},
    ],
    "flags": [],
    "review_id": "rev_92ca7a9327bd5cf08b1423b00efd9378",
    "contacts": ["manager"],
    "next_deadlines": [
        {"kind": "ack_due", "due_at": "2026-03-03T20:52:11.402713Z", "level": 0},
        {"kind": "review_due", "due_at": "2026-03-16T20:52:11.402713Z"},
    ],
    "version": 1,
}
REVIEW_EXAMPLE: dict[str, Any] = {
    "id": "rev_92ca7a9327bd5cf08b1423b00efd9378",
    "sequence": 8,
    "escalation_id": "esc_92ca7a9327bd5cf08b1423b00efd9378",
    "status": "under_review",
    "opened_at": "2026-03-02T20:52:11.402713Z",
    "causes": [{"code": "rota_pressure", "kind": "system", "note": "One senior for two floors after 20:00."}],
    "system_risk": {"determination": "system_risk", "rationale": "The same handover was involved each time."},
    "actions": [],
    "prompts": [
        {
            "code": "safeguarding",
            "detail": "Consider whether these concerns, each of them low, together meet the safeguarding threshold; "
            "record it.",
        }
    ],
    "suggested_causes": [
        {
            "code": "rota_pressure",
            "count": 2,
            "near_miss_ids": ["nm_01a2067704597e289fff45e86fddf0a3", "nm_01a20677046f7bbe8284774b7b922b8d"],
        }
    ],
    "version": 4,
}


class Member(Answered):
    """A near miss that an escalation holds."""

    near_miss_id: str
    kind: Literal["member", "related", "withdrawn"]


class Deadline(Answered):
    """What is due when; `level` where somebody's answer is waited for."""

    kind: str
    due_at: Instant
    level: int | None = None


class Escalation(Answered):
    """A crossing of a rule's threshold, and where it stands."""

    model_config: ClassVar[ConfigDict] = showing(ESCALATION_EXAMPLE)

    id: str
    sequence: int
    rule_id: str
    policy_version: int
    key: Key
    service_id: str | None = None
    threshold: int
    window: Duration
    status: Literal[
        "awaiting_ack",
        "acknowledged",
        "under_review",
        "action_agreed",
        "snoozed",
        "monitoring_outcome",
        "closed",
        "merged",
        "historical",
    ]
    level: int = Field(description="The step of the ladder that is asked, from 0.")
    epoch: int = Field(description="How often somebody has been asked anew; `if_epoch` names it.")
    owner: str | None = Field(None, description="Who took it on: the first to acknowledge since somebody was asked.")
    contacts: list[str] = Field(description="Who is asked: roles, or persons by their reference.")
    raised_at: Instant
    crossed_at: Instant = Field(description="Event time of the near miss that filled the window.")
    detected_late: bool
    detection_delay: Duration
    members: list[Member] = Field(description="In event-time order.")
    flags: list[str] = Field(description="Out of support_below_threshold, chain_exhausted, nobody_reachable, overdue.")
    review_id: str | None = None
    previous_episode_id: str | None = None
    closed_as: str | None = None
    snoozed_until: Instant | None = None
    merged_into: str | None = None
    next_deadlines: list[Deadline]
    version: int


class EscalationList(Answered):
    """A page of escalations, newest first."""

    items: list[Escalation]
    next_cursor: NextCursor


class CauseFound(Answered):
    """An underlying cause, coded."""

    code: str
    kind: Literal["system", "individual"]
    note: Words | None = None


class RiskDetermined(Answered):
    """Whether the pattern is a risk of the system, and why."""

    determination: Literal["system_risk", "not_system_risk"]
    rationale: Words


class SafeguardingConcern(Answered):
    """A concern that was raised, with whom, and under which reference of theirs."""

    to: Words
    reference: Words
    at: Instant


class SafeguardingConsidered(Answered):
    """Whether safeguarding was considered, and whether a concern was raised."""

    considered: bool
    concern_raised: SafeguardingConcern | None = None
    note: Words | None = None


class Countersigned(Answered):
    """Leadership stands for closing without a system cause."""

    by: str
    rationale: Words


class ReviewClosed(Answered):
    """How it was concluded, and which near misses it consumed."""

    code: str
    summary: Words
    members: list[str] | None = None


class Prompt(Answered):
    """What is still to be considered before the review can be closed."""

    code: str
    detail: str


class SuggestedCause(Answered):
    """A cause that contributing factors of members speak for; only a person identifies one."""

    code: str
    count: int = Field(description="How many members name a factor of it.")
    near_miss_ids: list[str]


class ReviewReopened(Answered):
    """How often it was reopened, and why the last time."""

    times: int
    reason: Words
    by: str
    at: Instant


class Review(Answered):
    """A manager review about underlying causes."""

    model_config: ClassVar[ConfigDict] = showing(REVIEW_EXAMPLE)

    id: str
    sequence: int
    escalation_id: str
    status: Literal["open", "under_review", "closed", "merged"]
    opened_at: Instant
    causes: list[CauseFound]
    system_risk: RiskDetermined | None = None
    safeguarding: SafeguardingConsidered | None = None
    actions: list[Action]
    countersignature: Countersigned | None = None
    closure: ReviewClosed | None = None
    prompts: list[Prompt] | None = Field(None, description="There while the review is open.")
    suggested_causes: list[SuggestedCause] = Field(description="Rolled up from its members' contributing factors.")
    reopened: ReviewReopened | None = None
    merged_into: str | None = Field(None, description="The review that it goes on in.")
    version: int


class ReviewList(Answered):
    """A page of reviews, newest first."""

    items: list[Review]
    next_cursor: NextCursor
