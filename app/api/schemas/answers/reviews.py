"""An escalation and the manager's review that was opened with it."""

from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from app.api.schemas.answers.common import (
    Answered,
    Duration,
    Instant,
    InstantOrDay,
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
    "next_deadlines": [],
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
    "version": 4,
}


class Member(Answered):
    """A near miss that an escalation holds."""

    near_miss_id: str
    kind: Literal["member", "related", "withdrawn"]


class Deadline(Answered):
    """What is due when."""

    kind: str
    due_at: Instant


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
        "monitoring_outcome",
        "closed",
        "historical",
    ]
    level: int
    epoch: int
    owner: str | None = Field(None, description="Who acknowledged it last.")
    raised_at: Instant
    crossed_at: Instant = Field(description="Event time of the near miss that filled the window.")
    detected_late: bool
    detection_delay: Duration
    members: list[Member] = Field(description="In event-time order.")
    flags: list[str]
    review_id: str | None = None
    previous_episode_id: str | None = None
    closed_as: str | None = None
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


class Action(Answered):
    """What is to change, who owns it, and by when."""

    id: str
    review_id: str
    description: Words
    owner: Words
    due: InstantOrDay
    due_at: Instant
    version: int


class Countersigned(Answered):
    """Leadership stands for closing without a system cause."""

    by: str
    rationale: Words


class ReviewClosed(Answered):
    """How it was concluded, and which near misses it consumed."""

    code: str
    summary: Words
    members: list[str] | None = None


class Review(Answered):
    """A manager review about underlying causes."""

    model_config: ClassVar[ConfigDict] = showing(REVIEW_EXAMPLE)

    id: str
    sequence: int
    escalation_id: str
    status: Literal["open", "under_review", "closed"]
    opened_at: Instant
    causes: list[CauseFound]
    system_risk: RiskDetermined | None = None
    safeguarding: SafeguardingConsidered | None = None
    actions: list[Action]
    countersignature: Countersigned | None = None
    closure: ReviewClosed | None = None
    version: int


class ReviewList(Answered):
    """A page of reviews, newest first."""

    items: list[Review]
    next_cursor: NextCursor
