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
    func,
    or_,
    select,
    text,
    true,
    union_all,
    update,
)

from app.database.tables import deliveries, webhook_endpoints
from app.domain.moment import to_micros

LEASE = timedelta(seconds=30)
PER_ENDPOINT = 8
"""Messages that one endpoint may have under way at most."""
_TOGETHER = 16
"""Endpoints that are looked at in one statement."""

row = deliveries.c
_endpoint = webhook_endpoints.c
_LIVE = ("active", "degraded")


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
    chosen = select(_endpoint.organisation, _endpoint.endpoint_id, _endpoint.status).where(_endpoint.status.in_(_LIVE))
    return [Live._make(one) for one in connection.execute(chosen)]


def due_ids(
    connection: Connection, rooms: Mapping[tuple[str, str], int], now: datetime, real_now: datetime, most: int
) -> list[tuple[str, str]]:
    """Which messages are due at the service's `now`, the oldest first: at most so many, and for each endpoint as many
    as there is room for.
    """
    at = {"now": to_micros(now), "real_now": to_micros(real_now)}
    found = (
        _due_of_each(connection, at) if connection.dialect.name == "postgresql" else _due_of_some(connection, rooms, at)
    )
    # Each endpoint's first goes before anybody's second, so that who has much to be sent keeps nobody waiting.
    before: Counter[tuple[str, str]] = Counter()
    in_turn: list[tuple[int, _Due]] = []
    for one in sorted(found):
        its = (one.organisation, one.endpoint_id)
        if before[its] < rooms.get(its, 0):
            in_turn.append((before[its], one))
            before[its] += 1
    return [(one.organisation, one.delivery_id) for _, one in sorted(in_turn)[:most]]


def _due_of_each(connection: Connection, at: Mapping[str, int]) -> list[_Due]:
    """Of every live endpoint."""
    return [_Due._make(one) for one in connection.execute(_DUE_OF_EACH, at)]


def _due_of_some(connection: Connection, rooms: Mapping[tuple[str, str], int], at: Mapping[str, int]) -> list[_Due]:
    """The same for a database that knows no LATERAL: of those that there is room for, many in one statement."""
    found: list[_Due] = []
    asked = [its for its, room in rooms.items() if room > 0]
    for start in range(0, len(asked), _TOGETHER):
        some = asked[start : start + _TOGETHER]
        said: dict[str, Any] = dict(at)
        for index, (organisation, endpoint_id) in enumerate(some + [("", "")] * (_TOGETHER - len(some))):
            said |= {f"of{index}": organisation, f"to{index}": endpoint_id}
        found += [_Due._make(one) for one in connection.execute(_DUE, said)]
    return found


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


def take_stock(connection: Connection) -> None:
    """Let PostgreSQL know how its tables have grown: it looks once a minute, and plans made before that are bad."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("ANALYZE deliveries, webhook_endpoints"))


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
    """No lease holds; one that ends later than any could was given by a clock that was set back since."""
    until = row.leased_until
    return or_(until.is_(None), until <= real_now, until > real_now + 2 * (LEASE // timedelta(microseconds=1)))


def waiting(name: str, before: bool) -> ColumnElement[bool]:
    """Whether anything waits about a message's subject, before it or behind it.

    OFFSET 0 keeps PostgreSQL from making a join of it, by statistics of a table that was nearly empty.
    """
    other = deliveries.alias(name)
    same = [other.c[one] == row[one] for one in ("organisation", "endpoint_id", "subject")]
    where = other.c.sequence < row.sequence if before else other.c.sequence > row.sequence
    return select(other.c.sequence).where(*same, where, other.c.status == "pending").offset(0).exists()


def _is_due(now: Any, real_now: Any) -> ColumnElement[bool]:
    # One that nothing has put off yet is due, also by a clock that was set back since its event was recorded.
    is_fresh = and_(row.attempts == row.begun_after, row.due_at == row.created_at)
    return and_(
        row.status == "pending", or_(row.due_at <= now, is_fresh), is_free(real_now), ~waiting("earlier", before=True)
    )


def _due_to(organisation: Any, endpoint_id: Any) -> Select[Any]:
    """What one endpoint is owed and due, the first of it."""
    return (
        select(*(row[name] for name in _Due._fields))
        .where(row.organisation == organisation, row.endpoint_id == endpoint_id)
        .where(_is_due(bindparam("now"), bindparam("real_now")))
        .order_by(row.due_at)
        .limit(PER_ENDPOINT)
    )


def _one_of_some(index: int) -> Select[Any]:
    return select(_due_to(bindparam(f"of{index}"), bindparam(f"to{index}")).subquery())


_EACH = _due_to(_endpoint.organisation, _endpoint.endpoint_id).correlate(webhook_endpoints).lateral("each")
_DUE_OF_EACH = (
    select(*(_EACH.c[name] for name in _Due._fields))
    .select_from(webhook_endpoints.join(_EACH, true()))
    .where(_endpoint.status.in_(_LIVE))
)
_DUE = union_all(*(_one_of_some(index) for index in range(_TOGETHER)))
_STILL_DUE = (
    select(*COLUMNS)
    .where(AMONG, _is_due(bindparam("now"), bindparam("real_now")))
    .order_by(row.organisation, row.delivery_id)
    .with_for_update(skip_locked=True)
)
_LEASE = update(deliveries).where(AMONG).values(holder=bindparam("holder_now"), leased_until=bindparam("until"))
