"""Which sources there are, and when each was heard last: declared ones, and whatever a record or an intake names.

A follower: nothing of it is on the way of a submission. Who asks in between (see `operations/quiet.py`) looks into the
ledger after this follower's place. A source speaks with a key: what a person types in under its name, what is imported,
and what is read again of what it sent long ago are no word of today. The service's own records are no source; a resend
that is known already is no event, so it is not heard either.
"""

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import and_, bindparam, select, update

from app.database.tables import heard_sources
from app.domain.intake import Received
from app.domain.near_miss import Recorded
from app.domain.rule import OWN_SOURCE
from app.domain.source import Declared, Silent, SpokeAgain
from app.events.envelope import Envelope, Told
from app.projections.context import Context

TABLES = (heard_sources,)
SPEAKING = (Recorded, Received)
"""What a source is heard by."""
HEEDS = (*SPEAKING, Declared, Silent, SpokeAgain)
_KEPT = "heard_sources"


@dataclass(frozen=True, slots=True)
class Row:
    """A source: the sequence that named it first, when and by which event it was heard last, and its silence."""

    sequence: int
    heard_at: int | None = None
    heard_sequence: int | None = None
    silent_sequence: int | None = None
    is_new: bool = False


def speaker(told: Told[Any]) -> str | None:
    """The source that an event shows to have spoken, if it does."""
    match told.event:
        case Recorded(source=source, as_history=as_history) if source is not None and not as_history:
            return source.source if source.source != OWN_SOURCE and _is_submitted(told.envelope) else None
        case Received(source=source):
            return source
        case _:
            return None


def _is_submitted(envelope: Envelope) -> bool:
    """Whether a key said it for itself, and it follows from nothing that came in: that was heard, or is read again."""
    return envelope.actor.startswith("key/") and envelope.causation_id is None


def apply(context: Context, told: Told[object]) -> None:
    """Keep what the event says of a source until the page ends: a busy one is written once."""
    envelope, event = told.envelope, told.event
    match event:
        case Declared(expected_every=expected_every, due_at=due_at):
            row = _of(context, envelope.subject, envelope.sequence)
            if due_at is not None or expected_every is None:
                _keep(context, envelope.subject, replace(row, silent_sequence=None))
        case Silent():
            row = _of(context, envelope.subject, envelope.sequence)
            _keep(context, envelope.subject, replace(row, silent_sequence=envelope.sequence))
        case SpokeAgain():
            row = _of(context, envelope.subject, envelope.sequence)
            _keep(context, envelope.subject, replace(row, silent_sequence=None))
        case _ if (source := speaker(told)) is not None:
            row = _of(context, source, envelope.sequence)
            _keep(context, source, replace(row, heard_at=envelope.recorded_at, heard_sequence=envelope.sequence))
        case _:
            pass


def finish(context: Context) -> None:
    """Write what was kept."""
    known: dict[str, Row] = context.kept.pop(_KEPT, {})
    for name, row in sorted(known.items(), key=lambda one: one[1].sequence):
        if row.is_new:
            context.rows.insert(heard_sources, (context.organisation, name, row.sequence, *_changing(row).values()))
        else:
            context.rows.execute(_CHANGE, {"of": context.organisation, "its_source": name, **_changing(row)})


def _of(context: Context, source: str, sequence: int) -> Row:
    """What is known of it; a row of its own from this event on if nothing is."""
    kept: dict[str, Row] = context.kept.setdefault(_KEPT, {})
    if source not in kept:
        its = (heard_sources.c.organisation == context.organisation, heard_sources.c.source == source)
        found = context.rows.execute(select(heard_sources).where(*its)).one_or_none()
        kept[source] = (
            Row(sequence, is_new=True)
            if found is None
            else Row(found.sequence, found.heard_at, found.heard_sequence, found.silent_sequence)
        )
    return kept[source]


def _keep(context: Context, source: str, row: Row) -> None:
    context.kept[_KEPT][source] = row


def _changing(row: Row) -> dict[str, Any]:
    """What changes in a row, in the order of the table's last columns."""
    return {
        "heard_at": row.heard_at,
        "heard_sequence": row.heard_sequence,
        "silent_sequence": row.silent_sequence,
    }


_CHANGE = (
    update(heard_sources)
    .where(and_(heard_sources.c.organisation == bindparam("of"), heard_sources.c.source == bindparam("its_source")))
    .values({name: bindparam(name) for name in ("heard_at", "heard_sequence", "silent_sequence")})
)
