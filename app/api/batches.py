"""Batches and their Idempotency-Key: it holds for the whole, and each item is remembered under it for itself."""

from sqlalchemy import select
from starlette.concurrency import run_in_threadpool

from app.api.door import Visit
from app.database.prefetch import CommandKey
from app.database.tables import commands
from app.operations.job import Idempotency, IdempotencyKeyReused

REUSED = "This Idempotency-Key came with another batch: use a new key for a new request."


async def refuse_reused(visit: Visit, whole: Idempotency | None, most: int) -> None:
    """Another batch (of at most `most` items) with the same key is refused before any item of it is taken."""
    if whole is not None:
        await run_in_threadpool(_refuse_reused, visit, whole, most)


def _refuse_reused(visit: Visit, whole: Idempotency, most: int) -> None:
    row, key = commands.c, whole.key
    chosen = select(row.fingerprint).where(
        row.organisation == key.organisation,
        row.key_id == key.key_id,
        row.route.in_([f"{key.route}#{index}" for index in range(most)]),
        row.idempotency_key == key.idempotency_key,
        row.fingerprint != whole.fingerprint,
    )
    with visit.door.house.database.read() as connection:
        if connection.execute(chosen.limit(1)).first() is not None:
            raise IdempotencyKeyReused(REUSED)


def of_item(whole: Idempotency | None, index: int) -> Idempotency | None:
    """The key of one item."""
    if whole is None:
        return None
    key = whole.key
    route = f"{key.route}#{index}"
    return Idempotency(CommandKey(key.organisation, key.key_id, route, key.idempotency_key), whole.fingerprint)
