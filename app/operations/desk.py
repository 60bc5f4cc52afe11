"""One organisation's place in a transaction: its locked head, what it has settled, and what is being written.

Everything a command changes goes through here, so that the event, its projections and its answer stand or
fall together.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection

from app.database.tables import events
from app.domain import escalation
from app.domain.moment import to_micros
from app.events.catalogue import CONFIGURATION
from app.events.codec import told as decoded
from app.events.envelope import Told
from app.events.store import Cause, Draft, Head, read_stream, version_of
from app.events.vault import Vault
from app.operations.configuration import Configuration, Configurations
from app.operations.memory import Memory
from app.operations.standings import Known, Standings
from app.projections.context import Context
from app.projections.inline import project
from app.projections.rows import Rows

S = TypeVar("S")


@dataclass(slots=True)
class Desk:
    """Where the commands of one organisation are carried out, one after the other, under its head's lock."""

    head: Head
    now: datetime
    rows: Rows
    vault: Vault
    configurations: Configurations
    configuration: Configuration
    pepper: bytes
    memory: Memory
    standings: Standings
    context: Context = field(init=False)
    _appended: dict[str, int] = field(default_factory=dict[str, int])

    def __post_init__(self) -> None:
        self.context = Context(self.rows, self.organisation, self.organisation, self.configuration.policy)

    @property
    def organisation(self) -> str:
        """Whose ledger this is."""
        return self.head.organisation

    @property
    def micros(self) -> int:
        """The instant at which things are being recorded, in microseconds."""
        return max(to_micros(self.now), self.head.recorded_at)

    @property
    def connection(self) -> Connection:
        """The transaction's connection; everything written so far is visible in it."""
        self.rows.flush()
        return self.rows.connection

    def append(self, cause: Cause, drafts: Sequence[Draft]) -> list[Told[Any]]:
        """Add events to the ledger and to every inline projection."""
        done = self._appended.get(cause.command_id, 0)
        appended = self.head.append(cause, drafts, self.micros, done)
        if appended:
            self._appended[cause.command_id] = done + len(appended)
        configured = False
        for told in appended:
            self.rows.insert(events, told.envelope)
            project(self.context, told)
            configured = configured or told.envelope.type in CONFIGURATION
        if configured:
            self.head.configured_at = self.head.position
            self.configuration = self.configurations.at(self.connection, self.organisation, self.head.configured_at)
            self.context.policy = self.configuration.policy
        return appended

    def has_appended(self, cause: Cause) -> bool:
        """Whether a command has appended anything in this transaction."""
        return cause.command_id in self._appended

    def escalation(self, escalation_id: str, version: int | None = None) -> Known | None:
        """An escalation as it stands, at the version that its stream is known to have; None when there is none."""
        stream = f"escalation/{escalation_id}"
        if version is None:
            version = version_of(self.connection, self.organisation, stream)
        known = self.standings.at(self.organisation, escalation_id, version)
        if known is None and version:
            told = self.read(stream)
            state = escalation.UNRAISED
            for one in told:
                state = escalation.evolve(state, one.event)
            known = Known(len(told), told[0].event, state)
            self.standings.keep(self.organisation, escalation_id, known)
        return known

    def fold(self, stream: str, initial: S, evolve: Callable[[S, Any], S]) -> tuple[S, int]:
        """The state of a stream and its version; everything appended so far is in it."""
        state = initial
        told = self.read(stream)
        for one in told:
            state = evolve(state, one.event)
        return state, len(told)

    def read(self, stream: str) -> list[Told[Any]]:
        """The events of a stream in order."""
        return [decoded(envelope) for envelope in read_stream(self.connection, self.organisation, stream)]
