"""The one thing that is ever skipped: what says how something stood, failed, and has a newer of its kind behind it.

Whoever looks sees that it was superseded, and by which message; the receiver is told how things stand all the sooner.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, select, update

from app.database.tables import deliveries
from app.domain.delivery import STATE_LIKE
from app.domain.moment import to_micros
from app.operations.fared import hold_endpoints, let_go
from app.operations.owed import COLUMNS, Owed, is_free

row = deliveries.c


def is_called_for(connection: Connection) -> bool:
    """Whether any is to go, or will once it has come back."""
    return connection.execute(_failed_with_newer().limit(1)).first() is not None


def supersede(connection: Connection, now: datetime, real_now: datetime) -> int:
    """Let every such message go, unless somebody is at it; returns how many."""
    hold_endpoints(connection, [Owed._make(columns) for *columns, _ in connection.execute(_failed_with_newer())])
    chosen = _failed_with_newer().where(is_free(to_micros(real_now))).with_for_update(of=deliveries, skip_locked=True)
    found: dict[Owed, str] = {}
    for *columns, by in connection.execute(chosen):
        found[Owed._make(columns)] = by  # The last that is told of a message is the first behind it.
    if found:
        at = to_micros(now)
        gone = [
            {"its_organisation": one.organisation, "its_id": one.delivery_id, "by": by} for one, by in found.items()
        ]
        connection.execute(_SUPERSEDE, [{**one, "at": at} for one in gone])
        let_go(connection, list(found), at)
    return len(found)


def _failed_with_newer() -> Select[Any]:
    newer = deliveries.alias("newer")
    same = [newer.c[name] == row[name] for name in ("organisation", "endpoint_id", "subject", "type")]
    behind = and_(*same, newer.c.sequence > row.sequence, newer.c.status == "pending")
    return (
        select(*COLUMNS, newer.c.delivery_id)
        .join(newer, behind)
        .where(row.status == "pending", row.attempts > row.begun_after, row.type.in_(sorted(STATE_LIKE)))
        .order_by(row.organisation, row.delivery_id, newer.c.sequence.desc())
    )


_SUPERSEDE = (
    update(deliveries)
    .where(row.organisation == bindparam("its_organisation"), row.delivery_id == bindparam("its_id"))
    .values(status="superseded", superseded_by=bindparam("by"), done_at=bindparam("at"), holder=None, leased_until=None)
)
