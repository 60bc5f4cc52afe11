"""Which near misses a signal told of: those of its service and type that were counted in the weeks that rose.

A signal names no near miss. It was counted from the facts as of a sequence, which are kept for ever, so both ways ask
those: what stood then, in a week from `since_week` to `until_week`, of a classification that the policy counted then.
A silence was told of nothing.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, select

from app.database.tables import heatmap_facts, signals
from app.domain.signal import TrendSignalled
from app.operations.configuration import load
from app.operations.trace_book import Book, Link, Node, parts

RELATION = "counted_in"


def in_rise(book: Book, signal_id: str) -> tuple[ColumnElement[bool], int] | None:
    """The facts that a signal was told of, as a condition, and its sequence; None when it was told of a silence."""
    told = book.told("signal", [signal_id]).get(signal_id)
    if not told or not isinstance(told[0].event, TrendSignalled):
        return None
    event, fact = told[0].event, heatmap_facts.c
    counted = load(book.reader.connection, book.organisation, event.as_of_sequence).policy.counted
    condition = and_(
        fact.organisation == book.organisation,
        fact.service_id == event.service_id,
        fact.incident_type == event.incident_type,
        fact.week >= event.since_week,
        fact.week <= event.until_week,
        fact.classification.in_(sorted(counted)),
        fact.valid_from <= event.as_of_sequence,
        fact.valid_to > event.as_of_sequence,
    )
    return condition, told[0].envelope.sequence


def rises_with(book: Book, near_miss_ids: Sequence[str]) -> list[Link]:
    """Near miss → the signals that were told of it."""
    fact, row = heatmap_facts.c, signals.c
    services: set[str] = set()
    for some in parts(near_miss_ids):
        chosen = select(fact.service_id).where(fact.organisation == book.organisation, fact.near_miss_id.in_(some))
        services |= {one[0] for one in book.rows(chosen.distinct()) if one[0] is not None}
    of_services = select(row.signal_id).where(
        row.organisation == book.organisation, row.service_id.in_(sorted(services)), row.sequence <= book.as_of
    )
    found = book.rows(of_services.order_by(row.sequence)) if services else ()
    return counted_in(book, [one.signal_id for one in found], near_miss_ids)


def counted_in(book: Book, signal_ids: Sequence[str], near_miss_ids: Sequence[str]) -> list[Link]:
    """Which of these near misses which of these signals were told of."""
    found: list[Link] = []
    for signal_id in signal_ids:
        rise = in_rise(book, signal_id)
        if rise is None:
            continue
        condition, since = rise
        for some in parts(near_miss_ids):
            chosen: Any = select(heatmap_facts.c.near_miss_id).where(condition, heatmap_facts.c.near_miss_id.in_(some))
            found += [
                Link(Node("near_miss", one[0]), Node("signal", signal_id), RELATION, since) for one in book.rows(chosen)
            ]
    return found
