"""Which outcomes were assessed, and which of them something came late for: a report, a correction, a denominator.

A follower: nothing of it is on the way of a submission. It only marks what a worker has looked at again; whether a
number changed, the counting says.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, bindparam, delete, select, update

from app.database.tables import outcomes
from app.domain import near_miss
from app.domain.denominator import Stated
from app.domain.moment import parse_moment, to_micros
from app.domain.near_miss import (
    UNRECORDED,
    Corrected,
    DetailsCompleted,
    DuplicateUndone,
    Linked,
    MarkedDuplicate,
    NearMiss,
    Recorded,
    Withdrawn,
)
from app.domain.outcome import Assessed, Scheduled
from app.domain.source import Silent, SpokeAgain
from app.domain.zones import zone
from app.events.envelope import Told
from app.projections.context import Context

TABLES = (outcomes,)
_NEAR_MISSES = (Recorded, Corrected, DetailsCompleted, Linked, Withdrawn, MarkedDuplicate, DuplicateUndone)
HEEDS = (Scheduled, Assessed, *_NEAR_MISSES, Stated, Silent, SpokeAgain)
_KEPT = "outcomes"


@dataclass(slots=True)
class _Row:
    """What an outcome compares: whose reports, from when to when; `assessed` as of which sequence, if it is."""

    service_id: str | None
    since: int
    until: int
    assessed: int | None


def apply(context: Context, told: Told[Any]) -> None:
    """Plan, note what was assessed, and mark what an event may change."""
    envelope, event = told.envelope, told.event
    match event:
        case Scheduled():
            _plan(context, envelope.subject, event)
        case Assessed(as_of_sequence=assessed, follow_up_to=ended):
            row = _known(context)[envelope.subject]
            row.assessed = assessed
            row.until = row.until if ended is None else to_micros(ended)
            told_now = {"assessed": assessed, "touched": None, "its_end": row.until}
            context.rows.execute(_SET, {**_its(context, envelope.subject), **told_now})
        case Stated(items=items):
            days = [_noon_of(one.day.toordinal()) for one in items]
            _mark(context, envelope.sequence, [(envelope.subject, day) for day in days])
        case Silent() | SpokeAgain():
            _mark(context, envelope.sequence, [(None, to_micros(_silent_at(event)))])
        case _ if isinstance(event, _NEAR_MISSES) and any(row.assessed is not None for row in _known(context).values()):
            _mark(context, envelope.sequence, _places(context, told))
        case _:
            pass


def _noon_of(ordinal: int) -> int:
    """Noon of a day, in Greenwich: near enough to say which spans a denominator may belong to."""
    return ((ordinal - _EPOCH) * 24 + 12) * 3_600_000_000


_EPOCH = 719_163
_SLACK = 2 * 86_400_000_000


def _silent_at(event: Silent | SpokeAgain) -> datetime:
    return event.due_at if isinstance(event, Silent) else event.heard_at


def _plan(context: Context, review_id: str, plan: Scheduled) -> None:
    since, until = to_micros(plan.baseline_from), to_micros(plan.follow_up_to)
    _known(context)[review_id] = _Row(plan.service_id, since, until, None)
    context.rows.execute(_DROP, _its(context, review_id))
    context.rows.insert(outcomes, (context.organisation, review_id, plan.service_id, since, until, None, None))


def _places(context: Context, told: Told[Any]) -> Iterator[tuple[str | None, int]]:
    """Of which service the near miss is and when it happened, after the event and before it."""
    if isinstance(told.event, Recorded):
        yield from _place(near_miss.evolve(UNRECORDED, told.event))
        return
    before = context.near_miss(told.envelope._replace(sequence=told.envelope.sequence - 1))
    yield from _place(before)
    yield from _place(near_miss.evolve(before, told.event))


def _place(state: NearMiss) -> Iterator[tuple[str | None, int]]:
    if (report := state.report) is not None:
        yield report.service_id, parse_moment(report.occurred_at, zone(report.zone)).at


def _mark(context: Context, sequence: int, places: Iterable[tuple[str | None, int]]) -> None:
    """Mark those that compare what is of a service, or of any if none is named, at one of these instants."""
    wanted = list(places)
    for review_id, row in _known(context).items():
        if row.assessed is not None and any(
            service_id in (None, row.service_id) or row.service_id is None
            for service_id, at in wanted
            if row.since - _SLACK <= at < row.until + _SLACK
        ):
            marked = {"assessed": row.assessed, "touched": sequence, "its_end": row.until}
            context.rows.execute(_SET, {**_its(context, review_id), **marked})


def _known(context: Context) -> dict[str, _Row]:
    """Every outcome that was planned; read once for the events that are read together."""
    known: dict[str, _Row] | None = context.kept.get(_KEPT)
    if known is None:
        row = outcomes.c
        chosen = select(row.review_id, row.service_id, row.since, row.until, row.assessed_sequence)
        found = context.rows.execute(chosen.where(row.organisation == context.organisation))
        known = context.kept[_KEPT] = {
            one.review_id: _Row(one.service_id, one.since, one.until, one.assessed_sequence) for one in found
        }
    return known


def _its(context: Context, review_id: str) -> dict[str, Any]:
    return {"of": context.organisation, "its_review": review_id}


_ITS = and_(outcomes.c.organisation == bindparam("of"), outcomes.c.review_id == bindparam("its_review"))
_DROP = delete(outcomes).where(_ITS)
_SET = (
    update(outcomes)
    .where(_ITS)
    .values(assessed_sequence=bindparam("assessed"), touched_sequence=bindparam("touched"), until=bindparam("its_end"))
)
