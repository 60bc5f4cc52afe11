"""The ledger: one gapless sequence of events for each organisation, written under the lock of its head row.

`append` gives sequence, version, id and leaf to what a command made; the rows go into the database with
everything else of the same transaction. Readers can skip nothing: what has a lower sequence was committed
earlier.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha1
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, func, select

from app.database.prefetch import HeadRow
from app.database.tables import events, ledgers
from app.events.codec import encode, name_of
from app.events.envelope import Envelope, Told, sealed_with_leaf
from app.events.merkle import Frontier


@dataclass(frozen=True, slots=True)
class Cause:
    """Who asks, by which command; its id makes every event's id, so that a retry doubles nothing."""

    command_id: str
    actor: str


@dataclass(frozen=True, slots=True)
class Draft:
    """Events for one stream, decided against `version` (0: the stream is new)."""

    stream: str
    version: int
    events: Sequence[Any]
    occurred_at: int | None = None


class Head:
    """The locked head of one ledger; remembers what was appended until it is written."""

    def __init__(self, row: HeadRow) -> None:
        self.organisation = row.organisation
        self.position = row.position
        self.recorded_at = row.recorded_at
        self.configured_at = row.configured_at
        self._frontier = Frontier.from_bytes(bytes(row.frontier), row.position)
        self._leaves: list[bytes] = []

    def append(self, cause: Cause, drafts: Sequence[Draft], now: int, first_index: int = 0) -> list[Told[Any]]:
        """Give the drafted events their place. `now` is microseconds; recorded time never runs backwards.

        `first_index` continues a command that appends more than once.
        """
        self.recorded_at = max(now, self.recorded_at)
        namespace = UUID(cause.command_id).bytes
        appended: list[Told[Any]] = []
        causation = _event_id(namespace, 0) if first_index else None
        for draft in drafts:
            for offset, event in enumerate(draft.events, start=1):
                name, schema_version = name_of(event)
                self.position += 1
                event_id = _event_id(namespace, first_index + len(appended))
                envelope = sealed_with_leaf(
                    Envelope(
                        self.organisation,
                        self.position,
                        event_id,
                        draft.stream,
                        draft.version + offset,
                        name,
                        schema_version,
                        self.recorded_at if draft.occurred_at is None else draft.occurred_at,
                        self.recorded_at,
                        cause.actor,
                        cause.command_id,
                        causation,
                        encode(event),
                        b"",
                    )
                )
                self._leaves.append(envelope.leaf)
                appended.append(Told(envelope, event))
                causation = causation or event_id
        return appended

    def root(self) -> bytes:
        """The root over all events, those appended just now among them."""
        return self._frontier.extend(self._leaves).root()

    def values(self) -> dict[str, Any]:
        """The head row as it is to be written."""
        frontier = self._frontier.extend(self._leaves)
        return {
            "organisation": self.organisation,
            "position": self.position,
            "recorded_at": self.recorded_at,
            "configured_at": self.configured_at,
            "root": frontier.root(),
            "frontier": frontier.to_bytes(),
        }


_COLUMNS = tuple(events.c)


def read_streams(
    connection: Connection, organisation: str, streams: Sequence[str], up_to: int | None = None
) -> dict[str, list[Envelope]]:
    """The events of several streams in order, as known at ledger sequence `up_to` (now when absent)."""
    found: dict[str, list[Envelope]] = {stream: [] for stream in streams}
    for start in range(0, len(streams), 500):
        chosen = (
            _of(organisation, up_to)
            .where(events.c.stream.in_(streams[start : start + 500]))
            .order_by(events.c.stream, events.c.version)
        )
        for row in connection.execute(chosen):
            envelope = Envelope._make(row)
            found[envelope.stream].append(envelope)
    return found


def read_stream(
    connection: Connection,
    organisation: str,
    stream: str,
    up_to: int | None = None,
    after: int = 0,
    limit: int | None = None,
) -> list[Envelope]:
    """The events of one stream in order, those after a version of it; at most so many."""
    chosen = _of(organisation, up_to).where(events.c.stream == stream, events.c.version > after)
    return [Envelope._make(row) for row in connection.execute(chosen.order_by(events.c.version).limit(limit))]


def version_of(connection: Connection, organisation: str, stream: str) -> int:
    """How many events a stream has."""
    chosen = select(func.max(events.c.version)).where(events.c.organisation == organisation, events.c.stream == stream)
    return connection.execute(chosen).scalar() or 0


def read_after(
    connection: Connection,
    organisation: str,
    after: int,
    limit: int,
    *,
    up_to: int | None = None,
    types: Sequence[str] = (),
) -> list[Envelope]:
    """At most `limit` events with a sequence above `after`, in order; `types` are names on disk."""
    chosen = _of(organisation, up_to).where(events.c.sequence > after).order_by(events.c.sequence).limit(limit)
    if types:
        chosen = chosen.where(events.c.type.in_(types))
    return [Envelope._make(row) for row in connection.execute(chosen)]


def read_all(
    connection: Connection,
    organisation: str,
    *,
    up_to: int,
    after: int = 0,
    types: Sequence[str] = (),
    page: int = 2000,
) -> Iterator[list[Envelope]]:
    """The ledger from after one sequence up to another, page by page, in memory that does not grow with it."""
    while rows := read_after(connection, organisation, after, page, up_to=up_to, types=types):
        yield rows
        after = rows[-1].sequence


def of_command(connection: Connection, organisation: str, command_id: str) -> tuple[int, int] | None:
    """First and last sequence of what a command appended, or None if it never did."""
    first = connection.execute(
        select(events.c.sequence).where(
            events.c.organisation == organisation, events.c.event_id == _event_id(UUID(command_id).bytes, 0)
        )
    ).scalar()
    if first is None:
        return None
    last = first
    for envelope in read_after(connection, organisation, first, 2000):
        if envelope.correlation_id != command_id:
            break
        last = envelope.sequence
    return first, last


def position(connection: Connection, organisation: str) -> int:
    """The sequence of the last event, 0 when there is none."""
    return connection.execute(select(ledgers.c.position).where(ledgers.c.organisation == organisation)).scalar() or 0


def sequence_at(connection: Connection, organisation: str, micros: int) -> int:
    """The last sequence recorded at or before an instant: what was known then is a prefix of the ledger."""
    low, high = 0, position(connection, organisation)
    while low < high:  # recorded_at never decreases along the sequence
        middle = (low + high + 1) // 2
        recorded = connection.execute(
            select(events.c.recorded_at).where(events.c.organisation == organisation, events.c.sequence == middle)
        ).scalar_one()
        low, high = (middle, high) if recorded <= micros else (low, middle - 1)
    return low


def _event_id(command: bytes, index: int) -> str:
    """`uuid5(command id, index)` as text; the library takes three times as long over it."""
    named = bytearray(sha1(command + str(index).encode(), usedforsecurity=False).digest())
    named[6] = named[6] & 0x0F | 0x50
    named[8] = named[8] & 0x3F | 0x80
    text = named.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:32]}"


def _of(organisation: str, up_to: int | None) -> Select[*tuple[Any, ...]]:
    chosen = select(*_COLUMNS).where(events.c.organisation == organisation)
    return chosen if up_to is None else chosen.where(events.c.sequence <= up_to)
