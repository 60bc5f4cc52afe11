"""Timers that are due but that no command has come past yet: workers share them out and have the writer ask.

A worker takes some on lease, so that another takes others; what a worker that died had taken is free again once its
lease has run out. A lease only spares work: whoever asks, and however often, the rule answers once. It runs in real
time, also where a test clock stands still, for it is about processes and not about records.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import structlog
from sqlalchemy import Connection, and_, bindparam, delete, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from app.database.prefetch import TimerRow
from app.database.tables import ledgers, timer_leases, timers
from app.domain.moment import to_micros
from app.operations.batch import WAITS
from app.operations.house import House
from app.operations.job import Actor, Due, Unavailable
from app.operations.timing import TIMER_ACTOR

AT_ONCE = 100
LEASE = timedelta(seconds=30)

log = structlog.get_logger(__name__)


def tick(house: House, holder: str, now: datetime) -> int:
    """Have what is due asked, so many at once; returns how many timers this worker took. `now` is in real time."""
    taken = claim(house, holder, now)
    try:
        answers = house.try_all([Due(one.organisation, str(uuid4()), Actor(TIMER_ACTOR), one) for one in taken])
    except Unavailable:  # None was asked, for too much else waits: whoever looks next may take them.
        give_back(house, holder, taken)
        raise
    answered: list[TimerRow] = []
    for timer, answer in zip(taken, answers, strict=True):
        if isinstance(answer, Exception) and not isinstance(answer, Unavailable):
            # Its lease keeps it from being asked again at once.
            log.error("timer.failed", **timer._asdict(), error=type(answer).__name__)
        elif isinstance(answer, Unavailable) or not answer.body[WAITS]:
            answered.append(timer)  # One that cannot be answered yet keeps its lease too, and nobody else waiting.
    give_back(house, holder, answered)
    return len(taken)


def claim(house: House, holder: str, now: datetime, most: int = AT_ONCE) -> list[TimerRow]:
    """Take due timers on lease from the instant `now`, in real time; none that another worker holds."""
    due = house.clock()
    with house.database.read() as connection:
        if not connection.execute(_due(due, house.withheld).limit(1)).first():
            return []
    lease, until = timer_leases.c, to_micros(now + LEASE)
    same = and_(
        lease.organisation == timers.c.organisation, lease.kind == timers.c.kind, lease.subject == timers.c.subject
    )
    chosen = (
        _due(due, house.withheld)
        .outerjoin(timer_leases, same)
        .where(or_(lease.until.is_(None), lease.until <= to_micros(now), lease.due_at != timers.c.due_at))
        .order_by(timers.c.due_at, timers.c.kind, timers.c.subject)
        .limit(most)
        .with_for_update(of=timers, skip_locked=True)
    )
    with house.database.write() as connection:
        rows = [TimerRow(*row) for row in connection.execute(chosen)]
        if not rows:
            return []
        insert: Any = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(timer_leases)
        free = or_(lease.until <= to_micros(now), lease.due_at != insert.excluded.due_at)
        taken = insert.on_conflict_do_update(
            index_elements=[lease.organisation, lease.kind, lease.subject],
            set_={name: insert.excluded[name] for name in ("due_at", "holder", "until")},
            where=free,  # Another worker may have taken it while this one was looking.
        ).returning(lease.organisation, lease.kind, lease.subject, lease.due_at)
        # All who write leases write them in this order, so that nobody waits for somebody who waits for them.
        values = [{**row._asdict(), "holder": holder, "until": until} for row in sorted(rows)]
        mine = {TimerRow(*row) for row in connection.execute(taken.values(values))}
        return [row for row in rows if row in mine]


def give_back(house: House, holder: str, asked: list[TimerRow]) -> None:
    """End the leases of timers that were asked."""
    if not asked:
        return
    lease = timer_leases.c
    mine = delete(timer_leases).where(
        *(lease[name] == bindparam(f"its_{name}") for name in ("organisation", "kind", "subject")),
        lease.holder == holder,
    )
    keys = [{f"its_{name}": value for name, value in one._asdict().items()} for one in sorted(asked)]
    with house.database.write() as connection:
        connection.execute(mine, keys)


def release(house: House, holder: str) -> None:
    """Hand everything back that a worker holds: it stops."""
    with house.database.write() as connection:
        connection.execute(delete(timer_leases).where(timer_leases.c.holder == holder))


def sweep(house: House, now: datetime) -> None:
    """Take away leases that ran out long ago: their timers are gone, or somebody had taken them over by now."""
    with house.database.write() as connection:
        connection.execute(delete(timer_leases).where(timer_leases.c.until <= to_micros(now - LEASE)))


def oldest_due(connection: Connection, now: datetime) -> float:
    """How many seconds the oldest due timer has been waiting; 0 when none is due."""
    oldest = connection.execute(_due(now).order_by(timers.c.due_at).limit(1)).first()
    return 0.0 if oldest is None else (to_micros(now) - oldest.due_at) / 1_000_000


def _due(now: datetime, withheld: Collection[str] = ()) -> Any:
    """What is due by an instant; not of those organisations that are only being rebuilt, or that are not served."""
    row = timers.c
    return (
        select(row.organisation, row.kind, row.subject, row.due_at)
        .select_from(timers)
        .join(ledgers, ledgers.c.organisation == row.organisation)
        .where(row.due_at <= to_micros(now), row.organisation.not_in(sorted(withheld)))
    )
