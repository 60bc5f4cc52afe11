"""Which services to look at for what rises or falls silent: each that something was reported of, and when it was last.

A follower. A service is looked at once a day; what happens in the week that is not over yet changes nothing before
that. A report of a week that is over does (it is late, or was corrected into it), so the service is marked with it.
What takes a report away marks nothing: it makes no frequency rise, and a silence is looked for every day anyway.
The service's own records are no reports.
"""

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import and_, bindparam, select, update

from app.database.tables import trend_watch
from app.domain.moment import from_micros, parse_moment
from app.domain.near_miss import (
    UNRECORDED,
    Corrected,
    DetailsCompleted,
    DuplicateUndone,
    NearMiss,
    Recorded,
    evolve,
)
from app.domain.rule import OWN_SOURCE
from app.domain.zones import zone
from app.events.envelope import Envelope, Told
from app.projections.context import Context

TABLES = (trend_watch,)
HEEDS = (Recorded, Corrected, DetailsCompleted, DuplicateUndone)
WHOLE = ""
"""Stands for the service as a whole where a source stands else: no source is called that."""
_KEPT = "trend_watch"


@dataclass(frozen=True, slots=True)
class Row:
    """The earliest day, when it was reported last (microseconds), and the last event that changed a week gone by."""

    first_day: int
    heard_at: int
    changed_sequence: int = 0
    is_new: bool = False


def apply(context: Context, told: Told[object]) -> None:
    """Keep what the event says of its service until the page ends: a busy one is written once."""
    envelope, event = told.envelope, told.event
    match event:
        case Recorded():
            _take_up(context, envelope, evolve(UNRECORDED, event), is_report=True)
        case Corrected() | DetailsCompleted() | DuplicateUndone():
            _take_up(context, envelope, context.near_miss(envelope), is_report=False)
        case _:
            pass


def finish(context: Context) -> None:
    """Write what was kept."""
    kept: dict[tuple[str, str], Row] = context.kept.pop(_KEPT, {})
    for (service_id, source), row in kept.items():
        changing = {
            "first_day": row.first_day,
            "heard_at": row.heard_at,
            "changed_sequence": row.changed_sequence,
        }
        if row.is_new:
            context.rows.insert(trend_watch, (context.organisation, service_id, source, *changing.values()))
        else:
            context.rows.execute(
                _CHANGE, {"of": context.organisation, "its_service": service_id, "its_source": source, **changing}
            )


def _take_up(context: Context, envelope: Envelope, state: NearMiss, *, is_report: bool) -> None:
    report, source = state.report, state.source
    if report is None or report.service_id is None or (source is not None and source.source == OWN_SOURCE):
        return
    moment = parse_moment(report.occurred_at, zone(report.zone))
    recorded_on = from_micros(envelope.recorded_at).astimezone(zone(report.zone)).toordinal()
    is_gone_by = monday_of(moment.day) < monday_of(recorded_on)
    for name in (WHOLE, source.source) if source is not None else (WHOLE,):
        row = _of(context, report.service_id, name) or Row(moment.day, envelope.recorded_at, is_new=True)
        row = replace(row, first_day=min(row.first_day, moment.day))
        if is_report:
            row = replace(row, heard_at=envelope.recorded_at)
        if is_gone_by and name == WHOLE:
            row = replace(row, changed_sequence=envelope.sequence)
        context.kept[_KEPT][report.service_id, name] = row


def monday_of(day: int) -> int:
    """The Monday of a day's ISO 8601 week; both are proleptic ordinals."""
    return day - (day - 1) % 7


def _of(context: Context, service_id: str, source: str) -> Row | None:
    """What is known, if anything is."""
    kept: dict[tuple[str, str], Row] = context.kept.setdefault(_KEPT, {})
    if (service_id, source) in kept:
        return kept[service_id, source]
    row = trend_watch.c
    its = and_(row.organisation == context.organisation, row.service_id == service_id, row.source == source)
    found: Any = context.rows.execute(select(trend_watch).where(its)).one_or_none()
    return None if found is None else Row(found.first_day, found.heard_at, found.changed_sequence)


_CHANGE = (
    update(trend_watch)
    .where(
        and_(
            trend_watch.c.organisation == bindparam("of"),
            trend_watch.c.service_id == bindparam("its_service"),
            trend_watch.c.source == bindparam("its_source"),
        )
    )
    .values({name: bindparam(name) for name in ("first_day", "heard_at", "changed_sequence")})
)
