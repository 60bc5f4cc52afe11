"""Near misses as far as one can be told to be another: what is compared, and whom they name, by which they are found.

Part of the follower `duplicates`. What counts no more, has no time of day or no service is found by nobody.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import and_, bindparam, delete, select, update

from app.database.tables import occurrence_refs, occurrences
from app.domain import near_miss
from app.domain.likeness import Occurrence
from app.domain.moment import Moment, parse_moment
from app.domain.near_miss import Corrected, DetailsCompleted, NearMiss, PersonAdded, PersonRemoved, Recorded
from app.domain.rule import OWN_SOURCE
from app.domain.zones import zone
from app.events.envelope import Envelope, Told
from app.projections.context import Context

TELLING = (Corrected, DetailsCompleted, PersonAdded, PersonRemoved)
"""What may change what is compared, and changes nothing else."""


class Row(NamedTuple):
    """A row of `occurrences`, in the order of its columns after the organisation."""

    near_miss_id: str
    sequence: int
    changed_sequence: int
    changed_at: int
    source: str
    service_id: str | None
    at: int
    day: int
    date_only: bool
    incident_type: str
    deviation: str | None
    persons: str
    staff: str

    @property
    def occurrence(self) -> Occurrence:
        """What is compared."""
        return Occurrence(
            self.source or None,
            self.service_id,
            Moment(self.at, self.day, bool(self.date_only)),
            self.incident_type,
            self.deviation,
            frozenset(self.persons.split()),
            frozenset(self.staff.split()),
        )


def record(context: Context, told: Told[Recorded]) -> None:
    """Put a near miss in that was recorded."""
    envelope = told.envelope
    state = near_miss.evolve(near_miss.UNRECORDED, told.event)
    row = _row(envelope.subject, envelope.sequence, envelope, state)
    context.rows.insert(occurrences, (context.organisation, *row))
    _refer(context, row, state)


def change(context: Context, told: Told[Any]) -> bool:
    """Let the rows say what is so after an event; whether that is anything new."""
    near_miss_id = told.envelope.subject
    state = context.folded(told, near_miss.UNRECORDED, near_miss.evolve)
    before = read(context, [near_miss_id])[near_miss_id]
    row = _row(near_miss_id, before.sequence, told.envelope, state)
    if isinstance(told.event, TELLING) and row.occurrence == before.occurrence:
        return False
    its = {"of": context.organisation, "its_id": near_miss_id}
    values = {name: value for name, value in row._asdict().items() if name not in _FIXED}
    context.rows.execute(_UPDATE, {**its, **values})
    context.rows.execute(_DROP_REFS, its)
    _refer(context, row, state)
    return True


def read(context: Context, ids: Iterable[str]) -> dict[str, Row]:
    """The rows of near misses, by id."""
    chosen = select(*_COLUMNS).where(
        occurrences.c.organisation == context.organisation, occurrences.c.near_miss_id.in_(list(ids))
    )
    return {row.near_miss_id: row for row in (Row._make(one) for one in context.rows.execute(chosen))}


def _row(near_miss_id: str, sequence: int, envelope: Envelope, state: NearMiss) -> Row:
    report = state.report
    assert report is not None
    moment = parse_moment(report.occurred_at, zone(report.zone))
    first = (report.person_ref,) if report.person_ref is not None else ()
    return Row(
        near_miss_id,
        sequence,
        envelope.sequence,
        envelope.recorded_at,
        state.source.source if state.source is not None else "",
        report.service_id,
        moment.at,
        moment.day,
        moment.date_only,
        report.incident_type,
        report.deviation,
        " ".join(one.token for one in (*first, *state.further_persons)),
        " ".join(one.ref.token for one in report.staff_involved),
    )


def _refer(context: Context, row: Row, state: NearMiss) -> None:
    if not state.counts or row.date_only or row.service_id is None or row.source == OWN_SOURCE:
        return
    named = [*(f"person/{one}" for one in row.persons.split()), *(f"staff/{one}" for one in row.staff.split())]
    for ref in dict.fromkeys(named):
        found_by = (context.organisation, ref, row.at, row.near_miss_id, row.service_id, row.source)
        context.rows.insert(occurrence_refs, found_by)


_COLUMNS = tuple(column for column in occurrences.c if column.name != "organisation")
_FIXED = ("near_miss_id", "sequence")
_ITS = and_(occurrences.c.organisation == bindparam("of"), occurrences.c.near_miss_id == bindparam("its_id"))
_UPDATE = update(occurrences).where(_ITS).values({name: bindparam(name) for name in Row._fields if name not in _FIXED})
_DROP_REFS = delete(occurrence_refs).where(
    and_(occurrence_refs.c.organisation == bindparam("of"), occurrence_refs.c.near_miss_id == bindparam("its_id"))
)
