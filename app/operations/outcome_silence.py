"""Which sources were silent while an outcome was followed up: those declared for the service, and those that are of no
service but had reported of it before. A source is silent from the deadline that it missed until it speaks again.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select

from app.database.tables import events
from app.domain import source
from app.domain.outcome import Plan
from app.domain.source import Declared, Silent, SpokeAgain
from app.events.codec import decode
from app.events.envelope import Envelope
from app.operations.outcome_counting import Ledger


def silent_sources(ledger: Ledger, plan: Plan, until: datetime, reported_before: Collection[str]) -> tuple[str, ...]:
    """The names of the sources that were silent at any time of the follow-up, up to an instant."""
    return tuple(
        name
        for name, told in _streams(ledger)
        if any(
            since < until and (ended is None or ended > plan.follow_up_from)
            for since, ended, service_id in _silences(told)
            if service_id == plan.service_id or (service_id is None and name in reported_before)
        )
    )


def _silences(told: Sequence[source.Event]) -> Iterator[tuple[datetime, datetime | None, str | None]]:
    """When a source was silent: since when, until when if it has ended, and of which service it was."""
    state, since = source.UNDECLARED, None
    for event in told:
        before, state = state, source.evolve(state, event)
        match event:
            case Silent(due_at=due_at):
                since = due_at
            case SpokeAgain() | Declared() if since is not None and state.silent_since is None:
                ended = event.heard_at if isinstance(event, SpokeAgain) else event.since
                yield since, ended, before.service_id
                since = None
            case _:
                pass
    if since is not None:
        yield since, None, state.service_id


def _streams(ledger: Ledger) -> list[tuple[str, list[Any]]]:
    """Each declared source with its events in order."""
    event = events.c
    chosen = select(events).where(
        event.organisation == ledger.organisation,
        event.stream > "source/",
        event.stream < "source0",
        event.sequence <= ledger.sequence,
    )
    found: dict[str, list[Any]] = {}
    for row in ledger.connection.execute(chosen.order_by(event.stream, event.version)):
        envelope = Envelope._make(row)
        found.setdefault(envelope.subject, []).append(decode(envelope))
    return sorted(found.items())
