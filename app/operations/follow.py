"""Followers of the ledger: each keeps its place, moved in the transaction that stores its effect.

A follower can skip nothing, for a sequence that it has passed was committed before. Workers of several
processes share the followers: whoever holds a follower's row of an organisation goes on with it. A follower reads only
the events that it heeds, and its place moves past the others.
"""

from collections.abc import Callable
from types import ModuleType

from sqlalchemy import Connection, and_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from app.database.engine import Database
from app.database.tables import followers, ledgers
from app.events.catalogue import NAMES
from app.events.codec import told
from app.events.store import position, read_after
from app.operations.configuration import Configurations
from app.projections.context import Context
from app.projections.inline import FOLLOWERS, finish
from app.projections.rows import Rows

PAGE = 500

_BEGINS: dict[str, Callable[..., dict[str, int]]] = {
    name: module.begins for name, module in FOLLOWERS.items() if hasattr(module, "begins")
}
"""Of the followers that say so, where they have anything to do: organisation → the sequence after which."""


def catch_up(
    database: Database, dialect: ModuleType, configurations: Configurations, organisation: str, name: str
) -> int:
    """Follow until the ledger's end as it is now; returns that sequence."""
    with database.read() as connection:
        end = position(connection, organisation)
        if place_of(connection, organisation, name) >= end:
            return end
    while step(database, dialect, configurations, organisation, name, wait=True) < end:
        pass
    return end


def step(
    database: Database,
    dialect: ModuleType,
    configurations: Configurations,
    organisation: str,
    name: str,
    *,
    wait: bool = False,
) -> int:
    """Follow one page further; returns how far the follower has come. Without `wait`, another's claim is let be."""
    with database.write() as connection:
        place = claim(connection, organisation, name, wait=wait)
        if place is None:
            return 0
        end = position(connection, organisation)
        if place >= end:
            return place
        if (begins := _BEGINS.get(name)) is not None:
            place = max(place, begins(connection, organisation).get(organisation, end))
        rows = Rows(connection, dialect.write)
        context = Context(rows, organisation, organisation, configurations.now(connection, organisation).policy)
        place = _moved_on(name, context, place, end)
        connection.execute(
            update(followers)
            .where(and_(followers.c.organisation == organisation, followers.c.name == name))
            .values(position=place)
        )
        return place


def _moved_on(name: str, context: Context, place: int, end: int) -> int:
    """Follow a page further; a follower that looks at less than events says itself how far it went."""
    module = FOLLOWERS[name]
    if hasattr(module, "advance"):
        place = module.advance(context, place, end)
    else:
        heeded = [NAMES[kind][0] for kind in module.HEEDS]
        page = read_after(context.rows.connection, context.ledger, place, PAGE, up_to=end, types=heeded)
        for envelope in page:
            module.apply(context, told(envelope))
        place = page[-1].sequence if len(page) == PAGE else end
    finish(name, context)
    return place


def lagging(connection: Connection) -> list[tuple[str, str, int]]:
    """The followers that are behind: organisation, name, and by how many events."""
    ends = {row.organisation: row.position for row in connection.execute(select(ledgers))}
    places = {(row.organisation, row.name): row.position for row in connection.execute(select(followers))}
    begun = {name: begins(connection) for name, begins in _BEGINS.items()}

    def place(organisation: str, name: str) -> int:
        beginning = begun[name].get(organisation, ends[organisation]) if name in begun else 0
        return max(places.get((organisation, name), 0), beginning)

    return [
        (organisation, name, lag)
        for organisation, end in sorted(ends.items())
        for name in FOLLOWERS
        if (lag := end - place(organisation, name)) > 0
    ]


def place_of(connection: Connection, organisation: str, name: str) -> int:
    """How far the follower has come: the sequence of the last event that it has passed."""
    chosen = select(followers.c.position).where(followers.c.organisation == organisation, followers.c.name == name)
    return connection.execute(chosen).scalar() or 0


def claim(connection: Connection, organisation: str, name: str, *, wait: bool) -> int | None:
    """The follower's place, held until the transaction ends; None when another worker holds it."""
    chosen = select(followers.c.position).where(followers.c.organisation == organisation, followers.c.name == name)
    place = connection.execute(chosen.with_for_update(skip_locked=not wait)).scalar()
    if place is not None:
        return place
    if connection.execute(chosen).scalar() is not None:
        return None
    row = {"organisation": organisation, "name": name, "position": 0}
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    connection.execute(dialect.insert(followers).on_conflict_do_nothing(), row)
    return connection.execute(chosen.with_for_update()).scalar_one()
