"""A notice: what one command told one addressee about one thing."""

from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from app.api.schemas.answers.common import Answered, Instant, NextCursor, showing
from app.domain.ladder import Why

NOTICE_EXAMPLE: dict[str, Any] = {
    "id": "ntc_1c5f0a3e9b7d5e2f8a6b4c3d2e1f0a9b",
    "sequence": 23,
    "to": "leadership",
    "why": "chain_exhausted",
    "whys": ["chain_exhausted"],
    "subject": {"kind": "escalation", "id": "esc_92ca7a9327bd5cf08b1423b00efd9378"},
    "escalation_id": "esc_92ca7a9327bd5cf08b1423b00efd9378",
    "review_id": "rev_92ca7a9327bd5cf08b1423b00efd9378",
    "service_id": "willow-house",
    "coalesced": 3,
    "first_scheduled_at": "2026-03-06T20:52:11.402713Z",
    "scheduled_at": "2026-03-08T20:52:11.402713Z",
    "respond_by": "2026-03-09T20:52:11.402713Z",
    "recorded_at": "2026-03-09T08:00:02.118402Z",
    "links": {"self": "/v1/escalations/esc_92ca7a9327bd5cf08b1423b00efd9378"},
}


class NoticeSubject(Answered):
    """What somebody is told about."""

    kind: Literal["escalation", "action", "near_miss", "source", "signal", "governance_cadence"]
    id: str


class NoticeLinks(Answered):
    """Where to read on."""

    self: str = Field(description="Where the subject stands as it is now.")


class Notice(Answered):
    """All that one command told one addressee about one subject; `why`, `level` and `respond_by` of the last of it."""

    model_config: ClassVar[ConfigDict] = showing(NOTICE_EXAMPLE)

    id: str
    sequence: int = Field(description="Of the first event that it tells of.")
    to: str = Field(description="A role, a person by their reference, or a key.")
    why: Why
    whys: list[Why] = Field(description="All its reasons, each once, in order.")
    subject: NoticeSubject
    escalation_id: str | None = None
    action_id: str | None = None
    near_miss_id: str | None = None
    signal_id: str | None = None
    source_id: str | None = Field(None, description="The name of a source.")
    governance_cadence_id: str | None = Field(None, description="`current`: there is one.")
    review_id: str | None = None
    service_id: str | None = None
    level: int | None = Field(None, description="The step of the ladder that was told, from 0.")
    coalesced: int = Field(description="How many events it tells of.")
    first_scheduled_at: Instant | None = Field(None, description="When the first of what a timer told was due.")
    scheduled_at: Instant | None = Field(None, description="When the last of it was due.")
    respond_by: Instant | None = Field(None, description="Until when an answer is waited for.")
    recorded_at: Instant
    links: NoticeLinks


class NoticeList(Answered):
    """A page of notices, newest first."""

    items: list[Notice]
    next_cursor: NextCursor
