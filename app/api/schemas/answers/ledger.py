"""The ledger as CloudEvents 1.0."""

from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from app.api.schemas.answers.common import Answered, Instant, showing

CLOUD_EVENT_EXAMPLE: dict[str, Any] = {
    "specversion": "1.0",
    "id": "0e1f8a52-6c0e-5d2c-9a9d-4f5a3c1f7b20",
    "source": "/organisations/default",
    "type": "forewarn.near_miss.withdrawn.v1",
    "subject": "near_miss/nm_01a20677048172ec81013c2fbfc79392",
    "time": "2026-03-02T10:20:00.000000Z",
    "sequence": 41,
    "streamversion": 2,
    "occurredat": "2026-03-02T10:20:00.000000Z",
    "actor": "key/5d1c0a9be2f4",
    "correlationid": "3f5b6c1a-0f0d-4f0e-8d55-0a7e6a2b9c11",
    "data": {"reason": {"key": "k_5f0c7fb1", "sealed": "kJx0v3m1"}},
    "leafhash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
}


class CloudEvent(Answered):
    """One event of the ledger, as it was first stored. Personal fields stand sealed in `data`."""

    model_config: ClassVar[ConfigDict] = showing(CLOUD_EVENT_EXAMPLE)

    specversion: Literal["1.0"]
    id: str
    source: str = Field(description="`/organisations/ID`.")
    type: str = Field(description="`forewarn.STREAM.EVENT.vN`, with the version of its schema.")
    subject: str = Field(description="`STREAM/ID`.")
    time: Instant = Field(description="When it was recorded; never earlier than the event before.")
    sequence: int = Field(description="Its place in the organisation's ledger: 1, 2, 3 … without a gap.")
    streamversion: int = Field(description="Its place among the events of its subject.")
    occurredat: Instant
    actor: str = Field(description="A key (`key/…`), a person's token (`staff/…`), or the service itself.")
    correlationid: str = Field(description="The command that it came of; all its events have the same.")
    causationid: str | None = Field(None, description="The command's first event; not on that one.")
    data: dict[str, Any] = Field(description="What happened, in the schema version that `type` names.")
    leafhash: str = Field(description="SHA-256(0x00 ‖ RFC 8785 JSON of the event without this field), hex.")


class LedgerPage(Answered):
    """A page of the ledger, oldest first."""

    items: list[CloudEvent]
    next_after: int = Field(description="How far this page has looked: the `after` of the next one.")
