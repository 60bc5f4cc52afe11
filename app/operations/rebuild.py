"""Making a projection anew from the ledger while the service goes on.

A shadow is filled page by page under a name that no organisation can have; under the head's lock it catches up
and takes the place of the live rows, in one transaction. Followers restart from the sequence that was reached.
"""

from typing import Any

from sqlalchemy import Connection, delete, func, select, update

from app.database.tables import followers, ledgers
from app.domain.decider import NotFound
from app.events.codec import told
from app.events.store import position, read_after
from app.operations.follow import claim
from app.operations.house import House
from app.projections.context import Context
from app.projections.inline import FOLLOWING, INLINE, finish, project_one, start_policy, tables_of
from app.projections.rows import Rows

NAMES = (*INLINE, *FOLLOWING)
PAGE = 2000


def rebuild(house: House, organisation: str, name: str) -> tuple[int, int]:
    """Rebuild one projection of one organisation; returns how many rows it has, and the sequence it stands for."""
    shadow = f"~{name}~{organisation}"
    _clear(house, shadow, name)  # What a rebuild that was killed left behind.
    try:
        return _rebuild(house, organisation, name, shadow)
    except BaseException:
        _clear(house, shadow, name)
        raise


def _rebuild(house: House, organisation: str, name: str, shadow: str) -> tuple[int, int]:
    place, policy = 0, start_policy()
    while True:
        with house.database.write() as connection:
            if organisation not in _organisations(connection):
                raise NotFound("There is no such organisation: `forewarn organisations list` shows them.")
            context = Context(Rows(connection, house.batches.dialect.write), organisation, shadow, policy)
            page = read_after(connection, organisation, place, PAGE)
            for envelope in page:
                project_one(name, context, told(envelope))
            finish(name, context)
            policy = context.policy
            place = page[-1].sequence if page else place
        if len(page) < PAGE:
            break
    with house.database.write() as connection:
        connection.execute(select(ledgers).where(ledgers.c.organisation == organisation).with_for_update())
        if name in FOLLOWING:
            claim(connection, organisation, name, wait=True)  # Whoever follows just now finishes first.
        context = Context(Rows(connection, house.batches.dialect.write), organisation, shadow, policy)
        while rest := read_after(connection, organisation, place, PAGE):
            for envelope in rest:
                project_one(name, context, told(envelope))
            place = rest[-1].sequence
        finish(name, context)
        return _swap(connection, organisation, shadow, name), place


def _swap(connection: Connection, organisation: str, shadow: str, name: str) -> int:
    rows = 0
    for table in tables_of(name):
        connection.execute(delete(table).where(table.c.organisation == organisation))
        connection.execute(update(table).where(table.c.organisation == shadow).values(organisation=organisation))
        counted = select(func.count()).select_from(table).where(table.c.organisation == organisation)
        rows += connection.execute(counted).scalar_one()
    if name in FOLLOWING:
        connection.execute(
            update(followers)
            .where(followers.c.organisation == organisation, followers.c.name == name)
            .values(position=position(connection, organisation))
        )
    return rows


def _clear(house: House, shadow: str, name: str) -> None:
    with house.database.write() as connection:
        for table in tables_of(name):
            connection.execute(delete(table).where(table.c.organisation == shadow))


def _organisations(connection: Connection) -> list[Any]:
    return list(connection.execute(select(ledgers.c.organisation)).scalars())
