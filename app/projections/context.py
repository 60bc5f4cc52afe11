"""What a projection may know besides the event: the policy in force at it, and the ledger up to it. No clock."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from sqlalchemy import select

from app.database.tables import events
from app.domain import escalation, near_miss
from app.domain.escalation import Escalation, Raised
from app.domain.near_miss import (
    NearMiss,
)
from app.domain.policy import Policy
from app.domain.similarity import Facts
from app.events.codec import decode
from app.events.envelope import Envelope, Told
from app.events.store import read_stream
from app.projections.rows import Rows

S = TypeVar("S")

_REMEMBERED = 1000
"""Folded streams that are kept, so that many events of one stream do not read it from its beginning each time."""


@dataclass(slots=True)
class _Folded:
    """Where a stream stands after its event of a version."""

    version: int
    state: Any
    evolve: Callable[[Any, Any], Any]


@dataclass(slots=True)
class Context:
    """`ledger` is the organisation whose events are read; `organisation` the one whose rows are written.

    They differ only while a projection is rebuilt beside the live one. `facts`: of the near miss being recorded, as
    its rules have seen them just now; a rebuild finds the same in the event. `kept`: what a projection remembers from
    one event to the next of those that are read together.
    """

    rows: Rows
    ledger: str
    organisation: str
    policy: Policy
    facts: Facts | None = None
    kept: dict[str, Any] = field(default_factory=dict[str, Any])
    _begun: dict[str, Any] = field(default_factory=dict[str, Any])
    _folded: dict[str, "_Folded"] = field(default_factory=dict[str, "_Folded"])

    def going_on(self, rows: Rows) -> "Context":
        """The same on another connection: what it has read of the ledger stays true."""
        return replace(self, rows=rows, kept={})

    def near_miss(self, at: Envelope) -> NearMiss:
        """The near miss of the event's stream, as it was right after the event."""
        state = near_miss.UNRECORDED
        for event in self._history(at):
            state = near_miss.evolve(state, event)
        return state

    def escalation(self, told: Told[Any]) -> Escalation:
        """The escalation of the event's stream, as it was right after the event."""
        return self.folded(told, escalation.UNRAISED, escalation.evolve)

    def folded(self, told: Told[Any], initial: S, evolve: Callable[[S, Any], S]) -> S:
        """The state of the event's stream right after the event."""
        at = told.envelope
        known = self._folded.get(at.stream)
        if known is not None and known.version == at.version:
            return known.state
        if known is None or known.version > at.version:
            known = _Folded(0, initial, evolve)
        state = known.state
        if at.version == known.version + 1:
            state = evolve(state, told.event)
        else:
            for event in self._history(at, known.version):
                state = evolve(state, event)
        self.seed(at.stream, at.version, state, evolve)
        return state

    def seed(self, stream: str, version: int, state: S, evolve: Callable[[S, Any], S]) -> None:
        """Take over where a stream stands, so that what follows is folded from there."""
        if len(self._folded) >= _REMEMBERED:
            self._folded.clear()
        self._folded[stream] = _Folded(version, state, evolve)

    def move_on(self, told: Told[Any]) -> None:
        """Let what is known of the event's stream go on with the event."""
        known = self._folded.get(told.envelope.stream)
        if known is not None and known.version == told.envelope.version - 1:
            known.state = known.evolve(known.state, told.event)
            known.version = told.envelope.version

    def crossing(self, at: Envelope) -> Raised:
        """How the escalation of the event's stream was raised."""
        return self.beginning(at.stream)

    def beginning(self, stream: str) -> Any:
        """The first event of a stream: what it is about, for good."""
        known = self._begun.get(stream)
        if known is None:
            self.rows.flush()
            chosen = select(events).where(
                events.c.organisation == self.ledger, events.c.stream == stream, events.c.version == 1
            )
            known = decode(Envelope(*self.rows.connection.execute(chosen).one()))
            if len(self._begun) >= _REMEMBERED:
                self._begun.clear()
            self._begun[stream] = known
        return known

    def begin(self, told: Told[Any]) -> None:
        """What begins a stream need not be read to be known."""
        if told.envelope.version == 1:
            self._begun[told.envelope.stream] = told.event

    def first_sequence(self, at: Envelope) -> int:
        """The sequence at which the event's stream began."""
        self.rows.flush()
        return read_stream(self.rows.connection, self.ledger, at.stream, at.sequence)[0].sequence

    def _history(self, at: Envelope, after: int = 0) -> list[Any]:
        self.rows.flush()
        stream = read_stream(self.rows.connection, self.ledger, at.stream, at.sequence, after)
        return [decode(envelope) for envelope in stream]
