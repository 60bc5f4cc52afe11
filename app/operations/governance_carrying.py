"""What a governance review that was closed before its period was over did not see: the next of the place considers it.

An escalation that was raised after such a closing, inside the period, is carried into every later review of its
services until a closed one has cited it. Nothing falls between two reviews because leadership was quick.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import and_, select

from app.database.tables import escalations, events, governance_review_places, governance_reviews
from app.domain.governance import Closed
from app.domain.moment import from_micros
from app.events.codec import decode
from app.events.envelope import Envelope
from app.operations.governance_period import Period, Standing, concerned, known_to, matter, standings
from app.operations.show import Reader


@dataclass(frozen=True, slots=True)
class _Early:
    """A review that was closed before its period was over; what was raised in the rest of it: escalation → sequence."""

    period: Period
    raised: dict[str, int]


def carried_over(reader: Reader, period: Period) -> list[Standing]:
    """The escalations that reviews closed early have missed, about a service of the period; wherever they lie in time.

    In the order in which they were raised.
    """
    early = list(_closed_early(reader))
    if not early:
        return []
    cited = _cited(reader)
    others = {
        one.escalation_id: one
        for one in standings(reader, sorted({its for one in early for its in one.raised} - cited))
        if not one.raised.historical
    }
    merged_into = {one.state.merged_into for one in others.values() if one.state.merged_into} - others.keys()
    found = others | {one.escalation_id: one for one in standings(reader, sorted(merged_into))}
    missed: dict[str, Standing] = {}
    for review in early:
        its = [others[one] for one in review.raised if one in others]
        missed |= {one.escalation_id: one for one in concerned(reader, review.period, its)}
    unconsidered = [one for one in missed.values() if matter(one, found).cited_as.isdisjoint(cited)]
    sequences = {its: sequence for one in early for its, sequence in one.raised.items()}
    return sorted(concerned(reader, period, unconsidered), key=lambda one: sequences[one.escalation_id])


def _closed_early(reader: Reader) -> Iterator[_Early]:
    row, its, event = governance_reviews.c, escalations.c, events.c
    chosen = (
        select(row.governance_review_id, row.since, row.until, its.escalation_id, its.sequence)
        .join(escalations, and_(its.organisation == row.organisation, its.sequence > row.closed_sequence))
        .join(events, and_(event.organisation == its.organisation, event.sequence == its.sequence))
        .where(
            row.organisation == reader.organisation,
            row.closed_sequence <= known_to(reader),
            row.closed_at < row.until,
            its.sequence <= known_to(reader),
            event.recorded_at >= row.since,
            event.recorded_at < row.until,
        )
        .order_by(row.sequence, its.sequence)
    )
    found: dict[tuple[str, int, int], dict[str, int]] = {}
    for review_id, since, until, escalation_id, sequence in reader.connection.execute(chosen):
        found.setdefault((review_id, since, until), {})[escalation_id] = sequence
    places = _places(reader, [review_id for review_id, _, _ in found])
    for (review_id, since, until), raised in found.items():
        about = places[review_id]
        period = Period(from_micros(since), from_micros(until), tuple(about["service"]), tuple(about["locality"]))
        yield _Early(period, raised)


def _places(reader: Reader, review_ids: Sequence[str]) -> dict[str, dict[str, list[str]]]:
    """Governance review → the services and the localities that it is about."""
    row = governance_review_places.c
    about: dict[str, dict[str, list[str]]] = {one: {"service": [], "locality": []} for one in review_ids}
    for start in range(0, len(review_ids), 500):
        chosen = select(row.governance_review_id, row.kind, row.place).where(
            row.organisation == reader.organisation, row.governance_review_id.in_(review_ids[start : start + 500])
        )
        for review_id, kind, place in reader.connection.execute(chosen):
            about[review_id][kind].append(place)
    return about


def _cited(reader: Reader) -> set[str]:
    """All that the decisions of closed reviews cite."""
    row, event = governance_reviews.c, events.c
    chosen = (
        select(events)
        .join(
            governance_reviews,
            and_(row.organisation == event.organisation, row.closed_sequence == event.sequence),
        )
        .where(row.organisation == reader.organisation, row.closed_sequence <= known_to(reader))
    )
    cited: set[str] = set()
    for found in reader.connection.execute(chosen):
        closed: Closed = decode(Envelope._make(found))
        cited |= set(closed.cited)
    return cited
