"""What is owed and due: taken on lease by who is going to send it, and written down once it was tried.

A message is due when its time has come and none of its endpoint about the same subject that is older still waits: so
order holds, and what is tried again holds up its own subject only. A lease keeps two workers from sending the same
message at the same time; it runs in real time, and what a worker that died had taken is sent again by another.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    exists,
    func,
    or_,
    select,
    union_all,
    update,
)

from app.database.tables import deliveries, webhook_endpoints
from app.domain.moment import to_micros

LEASE = timedelta(seconds=30)
_TOGETHER = 16
"""Endpoints that are looked at in one statement."""

row = deliveries.c


class Owed(NamedTuple):
    """A message as it was taken."""

    organisation: str
    delivery_id: str
    endpoint_id: str
    sequence: int
    subject: str
    type: str
    urgent: bool
    attempts: int
    begun_after: int
    first_tried_at: int | None


class _Due(NamedTuple):
    due_at: int
    sequence: int
    organisation: str
    endpoint_id: str
    delivery_id: str


COLUMNS = tuple(row[name] for name in Owed._fields)


class Live(NamedTuple):
    """An endpoint that messages go to: active or degraded."""

    organisation: str
    endpoint_id: str
    status: str

    @property
    def key(self) -> tuple[str, str]:
        """Which one it is."""
        return self.organisation, self.endpoint_id


def live_endpoints(connection: Connection) -> list[Live]:
    """Every endpoint that messages go to."""
    its = webhook_endpoints.c
    chosen = select(its.organisation, its.endpoint_id, its.status).where(its.status.in_(("active", "degraded")))
    return [Live._make(one) for one in connection.execute(chosen)]


def due_ids(
    connection: Connection, rooms: Mapping[tuple[str, str], int], now: datetime, real_now: datetime, most: int
) -> list[tuple[str, str]]:
    """Which messages are due at the service's `now`, the oldest first: at most so many, and for each endpoint as many
    as there is room for.
    """
    found: list[_Due] = []
    asked = [(organisation, endpoint_id, room) for (organisation, endpoint_id), room in rooms.items() if room > 0]
    for start in range(0, len(asked), _TOGETHER):
        some = asked[start : start + _TOGETHER]
        some += [("", "", 0)] * (_TOGETHER - len(some))
        said: dict[str, Any] = {"now": to_micros(now), "real_now": to_micros(real_now)}
        for index, (organisation, endpoint_id, room) in enumerate(some):
            said |= {f"of{index}": organisation, f"to{index}": endpoint_id, f"room{index}": room}
        found += [_Due._make(one) for one in connection.execute(_DUE, said)]
    # Each endpoint's first goes before anybody's second, so that who has much to be sent keeps nobody waiting.
    before: Counter[str] = Counter()
    in_turn: list[tuple[int, int, int, str, str]] = []
    for due_at, sequence, organisation, endpoint_id, delivery_id in sorted(found):
        in_turn.append((before[endpoint_id], due_at, sequence, organisation, delivery_id))
        before[endpoint_id] += 1
    return [(organisation, delivery_id) for *_, organisation, delivery_id in sorted(in_turn)[:most]]


def take(
    connection: Connection, holder: str, ids: Sequence[tuple[str, str]], now: datetime, real_now: datetime
) -> list[Owed]:
    """Take those on lease that still are due and that nobody else holds."""
    if not ids:
        return []
    said = {"now": to_micros(now), "real_now": to_micros(real_now)}
    taken = [Owed._make(one) for one in connection.execute(_STILL_DUE, {**which(ids), **said})]
    if taken:
        until = to_micros(real_now + LEASE)
        mine = which([(one.organisation, one.delivery_id) for one in taken])
        connection.execute(_LEASE, {**mine, "holder_now": holder, "until": until})
    order = {one: index for index, one in enumerate(ids)}
    return sorted(taken, key=lambda one: order[one.organisation, one.delivery_id])


def release(connection: Connection, holder: str | None = None) -> None:
    """Hand everything back that a worker holds, or any worker: it stops, or they are no more."""
    held = row.holder.is_not(None) if holder is None else row.holder == holder
    free = update(deliveries).where(row.status == "pending", held)
    connection.execute(free.values(holder=None, leased_until=None))


def lag(connection: Connection, now: datetime) -> dict[str, float]:
    """What waits: pending, and of it what has failed; held; and how many seconds the oldest due one has waited."""
    has_failed = and_(row.status == "pending", row.attempts > row.begun_after)
    chosen = select(
        func.count().filter(row.status == "pending"),
        func.count().filter(has_failed),
        func.count().filter(row.status == "held"),
        func.min(row.due_at).filter(row.status == "pending"),
    ).where(row.status.in_(("pending", "held")))
    pending, failing, held, oldest = connection.execute(chosen).one()
    age = 0.0 if oldest is None else max(0.0, (to_micros(now) - oldest) / 1_000_000)
    return {"pending": pending, "failing": failing, "held": held, "oldest_due_seconds": age}


# Statements


AMONG = and_(
    row.organisation.in_(bindparam("organisations", expanding=True)),
    row.delivery_id.in_(bindparam("ids", expanding=True)),
)
"""Messages that `which` names."""


def which(ids: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """The parameters of `AMONG`, by organisation and id."""
    named = list(ids)
    return {"organisations": sorted({one[0] for one in named}), "ids": sorted(one[1] for one in named)}


def is_free(real_now: Any) -> ColumnElement[bool]:
    return or_(row.leased_until.is_(None), row.leased_until <= real_now)


def _is_due(now: Any, real_now: Any) -> ColumnElement[bool]:
    before = deliveries.alias("before")
    same = [before.c[name] == row[name] for name in ("organisation", "endpoint_id", "subject")]
    waits = exists().where(*same, before.c.sequence < row.sequence, before.c.status == "pending")
    return and_(row.status == "pending", row.due_at <= now, is_free(real_now), ~waits)


def _due_of(index: int) -> Select[Any]:
    """What one endpoint is owed and due, the first of it."""
    mine = and_(row.organisation == bindparam(f"of{index}"), row.endpoint_id == bindparam(f"to{index}"))
    first = (
        select(row.due_at, row.sequence, row.organisation, row.endpoint_id, row.delivery_id)
        .where(mine, _is_due(bindparam("now"), bindparam("real_now")))
        .order_by(row.due_at, row.sequence)
        .limit(bindparam(f"room{index}"))
    )
    return select(first.subquery())


_DUE = union_all(*(_due_of(index) for index in range(_TOGETHER)))
_STILL_DUE = (
    select(*COLUMNS)
    .where(AMONG, _is_due(bindparam("now"), bindparam("real_now")))
    .order_by(row.organisation, row.delivery_id)
    .with_for_update(skip_locked=True)
)
_LEASE = update(deliveries).where(AMONG).values(holder=bindparam("holder_now"), leased_until=bindparam("until"))
