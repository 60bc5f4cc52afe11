"""An action, as it stands: what was agreed, how it went, how it ended, and whether it works."""

from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from app.api.schemas.answers.common import Answered, Instant, InstantOrDay, NextCursor, Words, showing

ACTION_EXAMPLE: dict[str, Any] = {
    "id": "act_6d4f1a0c2b3e5f708192a3b4c5d6e7f8",
    "sequence": 14,
    "review_id": "rev_92ca7a9327bd5cf08b1423b00efd9378",
    "escalation_id": "esc_92ca7a9327bd5cf08b1423b00efd9378",
    "status": "overdue",
    "description": "Name time-critical doses at every handover.",
    "owner": "manager-2",
    "due": "2026-04-01",
    "due_at": "2026-03-31T23:00:00.000000Z",
    "progress": [
        {
            "note": "The new sheet is in use on the ground floor.",
            "by": "key/6f1d2c3b",
            "at": "2026-03-20T09:12:44.018243Z",
        }
    ],
    "effectiveness_checks": [],
    "flags": ["overdue"],
    "overdue_since": "2026-03-31T23:00:00.000000Z",
    "next_deadlines": [{"kind": "action_due", "due_at": "2026-04-01T23:00:00.000000Z"}],
    "version": 3,
}


class ProgressNote(Answered):
    """How it went, as somebody told."""

    note: Words
    by: str
    at: Instant


class ActionCompleted(Answered):
    """It was done, and worked from then on."""

    effective_from: InstantOrDay
    effective_at: Instant
    evidence: Words
    by: str
    at: Instant


class ActionCancelled(Answered):
    """It was not going to be done."""

    reason: Words
    by: str
    at: Instant


class EffectivenessFound(Answered):
    """Whether it works, as somebody found."""

    method: Literal["audit", "observation", "supervision"]
    result: Words
    by: Words
    at: Instant


class ActionDeadline(Answered):
    """When it is asked for next."""

    kind: Literal["action_due"]
    due_at: Instant


class ActionFollowedUp(Answered):
    """What came of it, in short; the verdict as soon as it is no longer provisional."""

    status: Literal["follow_up", "assessed"]
    verdict: Literal["fell", "rose", "not_shown", "too_little_data", "reporting_fell"] | None = None
    follow_up_ends: Instant
    links: dict[str, str]


class Action(Answered):
    """What is to change, who owns it, and by when; and what came of it."""

    model_config: ClassVar[ConfigDict] = showing(ACTION_EXAMPLE)

    id: str
    sequence: int
    review_id: str | None = Field(None, description="The review that agreed on it.")
    escalation_id: str | None = None
    governance_review_id: str | None = Field(None, description="The governance review that agreed on it instead.")
    status: Literal["open", "overdue", "completed", "cancelled"]
    description: Words
    owner: Words
    due: InstantOrDay
    due_at: Instant
    progress: list[ProgressNote] = Field(description="The oldest first.")
    completion: ActionCompleted | None = None
    cancellation: ActionCancelled | None = None
    effectiveness_checks: list[EffectivenessFound] = Field(description="The oldest first.")
    outcome: ActionFollowedUp | None = None
    flags: list[Literal["overdue", "nobody_reachable"]]
    overdue_since: Instant | None = None
    next_deadlines: list[ActionDeadline]
    version: int


class ActionList(Answered):
    """A page of actions, newest first."""

    items: list[Action]
    next_cursor: NextCursor
