"""What became of what came in: each event's answer, and the records that are kept of them."""

from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from app.api.schemas.answers.common import Answered, Erased, Instant, NextCursor, Problem, showing

Outcome = Literal[
    "recognised",
    "harm_incident",
    "joined",
    "revised",
    "withdrawn",
    "unchanged",
    "superseded",
    "denominator",
    "not_a_near_miss",
    "unmapped",
    "not_understood",
]

TAKEN_EXAMPLE: dict[str, Any] = {
    "event_id": "dose-88121/2",
    "status": "accepted",
    "intake_record_id": "int_019cae5b2b8875f1bb6b0d2c6ba5ac47",
    "outcome": "recognised",
    "reason": "late_inside_tolerance",
    "near_miss_id": "nm_019cae5b2b8875f1bb6b0d2c6ba5ac47",
}
RECORD_EXAMPLE: dict[str, Any] = {
    "id": "int_019cae5b2b8875f1bb6b0d2c6ba5ac47",
    "sequence": 8,
    "version": 1,
    "status": "not_a_near_miss",
    "reason": "inside_tolerance",
    "says": "Given inside its tolerance of 60 minutes.",
    "rule": "tolerance",
    "recognition_version": 0,
    "source": "urn:provider:acme:emar",
    "event_id": "dose-88122/1",
    "event_type": "care.emar.administration.v1",
    "time": "2026-03-02T08:02:00Z",
    "via": "events",
    "received_at": "2026-03-02T08:02:01.000000Z",
    "ignored_fields": ["batch_number"],
    "unmapped": [],
}


PAYLOAD_EXAMPLE: dict[str, Any] = {
    "specversion": "1.0",
    "id": "dose-88122/1",
    "source": "urn:provider:acme:emar",
    "type": "care.emar.administration.v1",
    "time": "2026-03-02T08:02:00Z",
    "data": {"scheduled_at": "2026-03-02T08:00:00Z", "status": "given", "batch_number": "B-17"},
}


class EventTaken(Answered):
    """What became of an event; of one that was known, what became of it then."""

    model_config: ClassVar[ConfigDict] = showing(TAKEN_EXAMPLE)

    event_id: str
    status: Literal["accepted", "duplicate"]
    outcome: Outcome
    reason: str | None = Field(None, description="Why, as a code; the record says it in a sentence.")
    intake_record_id: str | None = Field(None, description="What is kept of it.")
    near_miss_id: str | None = Field(None, description="The near miss that it made, joined, revised or took back.")


class EventBatchItem(Answered):
    """One event's answer, or its problem."""

    status: int
    event_id: str | None = None
    result: Literal["accepted", "duplicate"] | None = None
    outcome: Outcome | None = None
    reason: str | None = None
    intake_record_id: str | None = None
    near_miss_id: str | None = None
    problem: Problem | None = None


class EventBatchAnswer(Answered):
    """The answers of a batch, in order."""

    items: list[EventBatchItem]


class UnmappedCode(Answered):
    """A field whose code nobody here knows."""

    field: str
    code: str


class IntakeRecord(Answered):
    """What a source sent, what it was taken for, and why."""

    model_config: ClassVar[ConfigDict] = showing(RECORD_EXAMPLE)

    id: str
    sequence: int = Field(description="Its place in the organisation's ledger.")
    version: int = Field(description="How many events it has had; the ETag.")
    status: Outcome
    reason: str
    says: str | None = Field(None, description="The reason as a sentence.")
    rule: str | None = Field(None, description="What of the rules of recognition decided.")
    recognition_version: int = Field(description="Of the rules by which it was taken for what it is.")
    source: str
    event_id: str
    event_type: str
    time: Instant | None = Field(None, description="When the source says it.")
    via: str = Field(description="events, adapter/NAME or fhir.")
    mapping: str | None = Field(None, description="NAME@VERSION of what read it.")
    received_at: Instant
    replayed_at: Instant | None = Field(None, description="When reading it again last changed what it is taken for.")
    near_miss_id: str | None = None
    ignored_fields: list[str] = Field(description="Paths in what was sent that nobody here reads.")
    unmapped: list[UnmappedCode]


class IntakeRecordList(Answered):
    """A page of intake records, newest first."""

    items: list[IntakeRecord]
    next_cursor: NextCursor


class IntakeRecordRead(IntakeRecord):
    """An intake record with what was sent."""

    model_config: ClassVar[ConfigDict] = showing({**RECORD_EXAMPLE, "payload": PAYLOAD_EXAMPLE})

    payload: dict[str, Any] | list[Any] | str | Erased = Field(description="As it was sent.")


class ReplayDone(Answered):
    """Whether reading it again changed anything."""

    changed: bool
    says: str


class IntakeRecordReplayed(IntakeRecordRead):
    """An intake record after it was read again."""

    model_config: ClassVar[ConfigDict] = showing(
        {**RECORD_EXAMPLE, "payload": PAYLOAD_EXAMPLE, "replay": {"changed": False, "says": "Nothing has changed."}}
    )

    replay: ReplayDone
