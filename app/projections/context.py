"""What a projection may know besides the event: the policy in force at it, and the ledger up to it. No clock."""

from dataclasses import dataclass
from typing import Any

from app.domain import escalation, near_miss
from app.domain.escalation import Escalation, Raised
from app.domain.near_miss import (
    NearMiss,
)
from app.domain.policy import Policy
from app.domain.similarity import Facts
from app.events.codec import decode
from app.events.envelope import Envelope
from app.events.store import read_stream
from app.projections.rows import Rows


@dataclass(slots=True)
class Context:
    """`ledger` is the organisation whose events are read; `organisation` the one whose rows are written.

    They differ only while a projection is rebuilt beside the live one. `facts`: of the near miss being recorded, as
    its rules have seen them just now; a rebuild finds the same in the event.
    """

    rows: Rows
    ledger: str
    organisation: str
    policy: Policy
    facts: Facts | None = None

    def near_miss(self, at: Envelope) -> NearMiss:
        """The near miss of the event's stream, as it was right after the event."""
        state = near_miss.UNRECORDED
        for event in self._history(at):
            state = near_miss.evolve(state, event)
        return state

    def escalation(self, at: Envelope) -> Escalation:
        """The escalation of the event's stream, as it was right after the event."""
        state = escalation.UNRAISED
        for event in self._history(at):
            state = escalation.evolve(state, event)
        return state

    def crossing(self, at: Envelope) -> Raised:
        """How the escalation of the event's stream was raised."""
        return next(iter(self._history(at)))

    def first_sequence(self, at: Envelope) -> int:
        """The sequence at which the event's stream began."""
        self.rows.flush()
        return read_stream(self.rows.connection, self.ledger, at.stream, at.sequence)[0].sequence

    def _history(self, at: Envelope) -> list[Any]:
        self.rows.flush()
        stream = read_stream(self.rows.connection, self.ledger, at.stream, at.sequence)
        return [decode(envelope) for envelope in stream]
