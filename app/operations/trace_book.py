"""What a trace is made of: nodes, the links from causes to effects, and the ledger as one reader of it knows it.

A link is told of once, from what the ledger holds, whichever of its ends was asked about; that is why a trace leads
back as surely as it leads on.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from sqlalchemy import select

from app.database.tables import events
from app.events.codec import told as decoded
from app.events.envelope import Envelope, Told
from app.operations.show import Reader

AT_ONCE = 500


class Node(NamedTuple):
    """Something that a trace leads to: `kind` is the noun of its stream (`intake_record`: of `intake`)."""

    kind: str
    id: str

    @property
    def ref(self) -> str:
        """Both as one text."""
        return f"{self.kind}/{self.id}"


class Link(NamedTuple):
    """`cause` led to `effect`, since the event of a sequence. `rules`: by which a near miss was found similar."""

    cause: Node
    effect: Node
    relation: str
    since: int
    rules: tuple[str, ...] = ()


STREAMS = {"intake_record": "intake"}
"""The noun of a kind's stream, where it is another."""
STREAMLESS = frozenset({"source_event", "notice", "delivery"})


def stream_of(node: Node) -> str:
    """The stream that tells of a node."""
    return f"{STREAMS.get(node.kind, node.kind)}/{node.id}"


def source_event(source: str, source_event_id: str) -> Node:
    """A source's own name for what it told. The two parts of its id are percent-encoded, for both may hold anything."""
    return Node("source_event", f"{quote(source, safe='')}/{quote(source_event_id, safe='')}")


def pair_of(source_event_id: str) -> tuple[str, str]:
    """Source and id that a source event's id stands for."""
    source, _, its_id = source_event_id.partition("/")
    return unquote(source), unquote(its_id)


class Book:
    """The ledger as it was known at one sequence; each stream is read once."""

    def __init__(self, reader: Reader, as_of: int) -> None:
        self.reader = Reader(reader.connection, reader.vault, reader.organisation, as_of)
        self.as_of = as_of
        self._told: dict[str, list[Told[Any]]] = {}

    @property
    def organisation(self) -> str:
        """Whose ledger it is."""
        return self.reader.organisation

    def rows(self, chosen: Any) -> Sequence[Any]:
        """What a query finds."""
        return self.reader.connection.execute(chosen).all()

    def told(self, kind: str, ids: Iterable[str]) -> dict[str, list[Told[Any]]]:
        """The events of those of these things that there were, in the order asked."""
        streams = {one: stream_of(Node(kind, one)) for one in ids}
        missing = [stream for stream in streams.values() if stream not in self._told]
        if missing:
            self._told |= self.reader.told(missing)
        return {one: its for one, stream in streams.items() if (its := self._told[stream])}

    def of_governance(self, event_type: str, *conditions: Any) -> list[Told[Any]]:
        """The events of a type in the streams of all governance reviews, in order."""
        row = events.c
        chosen = (
            select(events)
            .where(row.organisation == self.organisation, row.sequence <= self.as_of)
            .where(row.stream > "governance_review/", row.stream < "governance_review0", row.type == event_type)
            .where(*conditions)
            .order_by(row.sequence)
        )
        return [decoded(Envelope._make(one)) for one in self.rows(chosen)]


def parts(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    """As many at once as a query takes."""
    return (ids[start : start + AT_ONCE] for start in range(0, len(ids), AT_ONCE))
