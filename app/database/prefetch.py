"""What a batch asks of the database, what it is told, and what it changes: a round trip for each of the two ways."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Table


class CommandKey(NamedTuple):
    """Where an Idempotency-Key holds: organisation, API key, method and path, and the key itself."""

    organisation: str
    key_id: str
    route: str
    idempotency_key: str


class SourceKey(NamedTuple):
    """A source system's own name for an occurrence."""

    organisation: str
    source: str
    source_event_id: str


class Range(NamedTuple):
    """One rule's key and the instants (low, high], in microseconds, in which a record may matter to another."""

    organisation: str
    rule_id: str
    key_text: str
    low: int
    high: int


class EntryRow(NamedTuple):
    """A counted record in a rule's window, and how it belongs to the open episode of the key, if it does."""

    organisation: str
    rule_id: str
    key_text: str
    at: int
    near_miss_id: str
    sequence: int
    day: int
    date_only: bool
    weight: float
    distinct_value: str | None
    incident_type: str
    gravity: int
    kind: str | None


class EpisodeRow(NamedTuple):
    """The open escalation of a rule's key, else the latest closed one."""

    organisation: str
    rule_id: str
    key_text: str
    escalation_id: str
    is_open: bool
    supported: bool
    closed_at: int | None
    closed_sequence: int | None
    version: int


class TimerRow(NamedTuple):
    """A timer that is due."""

    organisation: str
    kind: str
    subject: str
    due_at: int


class HeadRow(NamedTuple):
    """The locked head of an organisation's ledger."""

    organisation: str
    position: int
    recorded_at: int
    configured_at: int
    frontier: bytes


@dataclass(slots=True)
class Ask:
    """Everything that the submissions of one batch need to know."""

    commands: list[CommandKey] = field(default_factory=list[CommandKey])
    sources: list[SourceKey] = field(default_factory=list[SourceKey])
    tokens: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    ranges: list[Range] = field(default_factory=list[Range])


@dataclass(slots=True)
class Told:
    """The answers; what is not in them does not exist."""

    commands: dict[CommandKey, tuple[str, int, str, int, int]]
    """fingerprint, status, subject, first and last sequence"""
    sources: dict[SourceKey, tuple[str, str]]
    """near miss id and fingerprint"""
    subjects: dict[tuple[str, str], tuple[str, bytes | None]]
    """key id and wrapped key (None once erased) of the person that a token stands for"""
    entries: Sequence[EntryRow]
    episodes: Sequence[EpisodeRow]


@dataclass(slots=True)
class Changes:
    """Rows to add, their values in the column order of their table; and rows to end: at which sequence, and the key."""

    inserts: dict[Table, list[tuple[Any, ...]]] = field(default_factory=dict[Table, list[tuple[Any, ...]]])
    endings: dict[Table, list[tuple[Any, ...]]] = field(default_factory=dict[Table, list[tuple[Any, ...]]])

    def __bool__(self) -> bool:
        """Whether there is anything to write."""
        return bool(self.inserts or self.endings)


def naming(table: Table) -> list[str]:
    """The columns that name a table's current row: its primary key without `valid_to`, which comes last."""
    *key, valid_to = [column.name for column in table.primary_key]
    assert valid_to == "valid_to"
    return key


NOTHING = Ask()
