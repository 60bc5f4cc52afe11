"""The ledger as others read it: CloudEvents in order from a place on, perhaps of some types only.

A page says how far it has looked, also past what was not wanted, so whoever asks on from there misses nothing and
sees nothing twice. The texts are those that the leaves hash, with the leaf beside them, never upcast.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, or_, select

from app.database.tables import events
from app.events.catalogue import CATALOGUE
from app.events.envelope import Envelope
from app.events.store import position

PREFIX = "forewarn."
FARTHEST = 50_000


@dataclass(frozen=True, slots=True)
class Page:
    """Events in order, and the sequence up to which there are no others; `is_last`: that is the ledger's end."""

    events: Sequence[Envelope]
    next_after: int
    is_last: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """A type of events by its name on disk; of one schema version, or of any."""

    name: str
    schema_version: int | None = None


class UnknownType(ValueError):
    """No event of this release is called so."""


def wanted(name: str) -> Wanted:
    """`forewarn.near_miss.recorded.v1`, or without its version, or without `forewarn.`; raises `UnknownType`."""
    bare = name.removeprefix(PREFIX)
    if bare in CATALOGUE:
        return Wanted(bare)
    noun, _, version = bare.rpartition(".v")
    entry = CATALOGUE.get(noun)
    if entry is None or version not in {str(one) for one in range(1, entry.schema_version + 1)}:
        raise UnknownType
    return Wanted(noun, int(version))


def page(connection: Connection, organisation: str, after: int, limit: int, types: Sequence[Wanted] = ()) -> Page:
    """At most `limit` events above the sequence `after`, in one consistent state of the ledger.

    However rare the types are, a page looks at `FARTHEST` events: it may hold none and yet not be the last.
    """
    end = position(connection, organisation)
    if after >= end:
        return Page((), after, True)
    up_to = min(end, after + FARTHEST)
    row = events.c
    chosen = (
        select(events)
        .where(row.organisation == organisation, row.sequence > after, row.sequence <= up_to)
        .order_by(row.sequence)
        .limit(limit)
    )
    found = [Envelope._make(one) for one in connection.execute(chosen.where(_any_of(types)) if types else chosen)]
    reached = found[-1].sequence if len(found) == limit else up_to
    return Page(found, reached, reached == end)


def _any_of(types: Sequence[Wanted]) -> ColumnElement[bool]:
    row = events.c
    whole = [one.name for one in types if one.schema_version is None]
    single = [(one.name, one.schema_version) for one in types if one.schema_version is not None]
    return or_(
        row.type.in_(whole), *(and_(row.type == name, row.schema_version == version) for name, version in single)
    )
