"""Timers that are due but that no command has come past yet: a worker sends an empty command, and they go first."""

from datetime import datetime
from uuid import uuid4

from sqlalchemy import Connection, func, select

from app.database.tables import ledgers, timers
from app.domain.moment import to_micros
from app.operations.due import TIMER_ACTOR
from app.operations.house import House
from app.operations.job import Actor, Command


def tick(house: House) -> int:
    """Let every organisation that has timers due carry them out; returns how many organisations had some."""
    with house.database.read() as connection:
        due = connection.execute(
            select(timers.c.organisation)
            .join(ledgers, ledgers.c.organisation == timers.c.organisation)  # Not those that are being rebuilt.
            .where(timers.c.due_at <= to_micros(house.clock()))
            .distinct()
        ).scalars()
        organisations = list(due)
    for organisation in organisations:
        house.ask(
            Command(
                organisation,
                str(uuid4()),
                Actor(TIMER_ACTOR),
                organisation,
                lambda _desk, _cause: None,
                lambda _reader, subject: {"id": subject},
            )
        )
    return len(organisations)


def oldest_due(connection: Connection, now: datetime) -> float:
    """How many seconds the oldest due timer has been waiting; 0 when none is due."""
    mine = timers.join(ledgers, ledgers.c.organisation == timers.c.organisation)
    oldest = connection.execute(select(func.min(timers.c.due_at)).select_from(mine)).scalar()
    return 0.0 if oldest is None else max(0.0, (to_micros(now) - oldest) / 1_000_000)
