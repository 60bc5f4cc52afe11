"""What a governance review is about: a period, and the services in it; and which escalations belong to that.

An escalation belongs to the period in which it was raised, and to the one in which its window was full: what was
reported late is left out of neither. It belongs to the services of its members, at the locality that each had then.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, or_, select

from app.database.tables import escalations, events, heatmap_facts
from app.domain import escalation, near_miss
from app.domain.escalation import Escalation, Raised
from app.domain.governance import Matter, Opened
from app.domain.moment import from_micros, to_micros
from app.events.codec import decode
from app.events.envelope import Envelope, Told
from app.events.store import position, sequence_at
from app.operations.show import Reader

FAST_CLOCK = timedelta(hours=24)
"""How far ahead of its report an occurrence may lie."""


@dataclass(frozen=True, slots=True)
class Period:
    """From an instant until before another; of services and localities, of all where neither is named."""

    since: datetime
    until: datetime
    services: tuple[str, ...] = ()
    localities: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether it is about everything."""
        return not self.services and not self.localities

    def holds(self, at: datetime) -> bool:
        """Whether an instant lies in it."""
        return self.since <= at < self.until

    def is_about(self, service_id: str | None, locality: str | None = None) -> bool:
        """Whether what happened there belongs to it."""
        return self.is_whole or service_id in self.services or (locality is not None and locality in self.localities)


class Raising(NamedTuple):
    """How an escalation began."""

    subject: str
    event: Raised
    at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """An escalation as it stood, and when it was raised."""

    escalation_id: str
    raised: Raised
    raised_at: datetime
    state: Escalation

    @property
    def members(self) -> list[str]:
        """The near misses that it holds."""
        return [one for one, kind in self.state.members.items() if kind != "withdrawn"]


def period_of(opened: Opened) -> Period:
    """The period of a review."""
    return Period(opened.since_at, opened.until_at, opened.services, opened.localities)


def facts_in(reader: Reader, period: Period) -> list[ColumnElement[bool]]:
    """What the facts of the period have in common, as the reader knows them; its `as_of` is set."""
    fact, sequence = heatmap_facts.c, known_to(reader)
    alike = [
        fact.organisation == reader.organisation,
        fact.valid_from <= sequence,
        fact.valid_to > sequence,
        fact.occurred_at >= to_micros(period.since),
        fact.occurred_at < to_micros(period.until),
    ]
    if not period.is_whole:
        alike.append(or_(fact.service_id.in_(period.services), fact.locality.in_(period.localities)))
    return alike


def escalations_in(reader: Reader, period: Period) -> list[Standing]:
    """The escalations of the period and its services, in the order in which they were raised."""
    begin = sequence_at(reader.connection, reader.organisation, to_micros(period.since - FAST_CLOCK))
    ids = [
        one.subject for one in _raisings(reader, begin) if not one.event.historical and _is_of(one, period)
    ]  # Only of these more is read than how they began.
    return concerned(reader, period, standings(reader, ids))


def _raisings(reader: Reader, begin: int) -> Iterator[Raising]:
    """How each escalation began that was raised after a sequence."""
    row, event = escalations.c, events.c
    chosen = (
        select(events)
        .join(escalations, and_(row.organisation == event.organisation, row.sequence == event.sequence))
        .where(row.organisation == reader.organisation, row.sequence > begin, row.sequence <= known_to(reader))
        .order_by(row.sequence)
    )
    for found in reader.connection.execute(chosen):
        envelope = Envelope._make(found)
        yield Raising(envelope.subject, decode(envelope), from_micros(envelope.recorded_at))


def standings(reader: Reader, ids: Sequence[str]) -> list[Standing]:
    """These escalations as the reader knows them, in the order asked."""
    told = reader.told([f"escalation/{one}" for one in ids])
    return [
        Standing(one, its[0].event, from_micros(its[0].envelope.recorded_at), _folded(its))
        for one in ids
        if (its := told[f"escalation/{one}"])
    ]


def concerned(reader: Reader, period: Period, found: Sequence[Standing]) -> list[Standing]:
    """Those of them that are about a service of the period."""
    unsure = [one for one in found if not period.is_about(one.raised.service_id)]
    places = _places(reader, {member for one in unsure for member in one.members}) if unsure else {}
    elsewhere = {
        one.escalation_id
        for one in unsure
        if not any(period.is_about(*places[member]) for member in one.members if member in places)
    }
    return [one for one in found if one.escalation_id not in elsewhere]


def matter(one: Standing, others: Mapping[str, Standing]) -> Matter:
    """What a decision may cite to have considered it: itself, its review, a member, or what it was merged into."""
    ids = {one.escalation_id, *one.members}
    if one.raised.review_id is not None:
        ids.add(one.raised.review_id)
    if (into := others.get(one.state.merged_into or "")) is not None:
        ids |= matter(into, {}).cited_as
    return Matter(one.escalation_id, frozenset(ids))


def known_to(reader: Reader) -> int:
    """The sequence up to which the reader knows the ledger."""
    return reader.as_of if reader.as_of is not None else position(reader.connection, reader.organisation)


def _is_of(one: Raising, period: Period) -> bool:
    return period.holds(one.at) or period.holds(one.event.crossed_at)


def _places(reader: Reader, near_miss_ids: Iterable[str]) -> dict[str, tuple[str | None, str | None]]:
    """Near miss → the service and the locality that its report names."""
    told = reader.told([f"near_miss/{one}" for one in sorted(near_miss_ids)])
    places: dict[str, tuple[str | None, str | None]] = {}
    for stream, its in told.items():
        state = reduce(near_miss.evolve, (one.event for one in its), near_miss.UNRECORDED)
        if state.report is not None:
            places[stream.removeprefix("near_miss/")] = (state.report.service_id, state.report.locality)
    return places


def _folded(told: Sequence[Told[Any]]) -> Escalation:
    return reduce(escalation.evolve, (one.event for one in told), escalation.UNRAISED)
