"""How a message that was tried fares, and what is written down of it: the attempt, and where the message stands now.

What waits behind a message that failed waits as long: otherwise it would be looked at, and left, at every turn.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, insert, select, update

from app.database.tables import deliveries, delivery_attempts, webhook_endpoints
from app.domain.delivery import STANDARD, Health, Outcome, Tries, health, next_attempt, outcome
from app.domain.moment import from_micros, to_micros
from app.operations.owed import AMONG, COLUMNS, Owed, waiting, which
from app.operations.posting import Posted

row = deliveries.c


@dataclass(frozen=True, slots=True)
class Tried:
    """A message that was sent, or was not: `at` by the service's clock, `took` seconds."""

    owed: Owed
    at: datetime
    took: float
    posted: Posted


@dataclass(frozen=True, slots=True)
class Recorded:
    """Where a message that was tried stands. `tries` are those of its schedule; `health` is what it says of the
    endpoint.
    """

    owed: Owed
    outcome: Outcome
    health: Health
    tries: Tries


def record(connection: Connection, holder: str, tried: Sequence[Tried], now: datetime) -> list[Recorded]:
    """Write down how they fared; what somebody else has taken over by now is theirs to tell."""
    if not tried:
        return []
    results = {(one.owed.organisation, one.owed.delivery_id): one for one in tried}
    hold_endpoints(connection, [one.owed for one in tried])
    recorded: list[Recorded] = []
    changes: list[dict[str, Any]] = []
    attempts: list[dict[str, Any]] = []
    waited_for: set[Owed] = set()
    for found in connection.execute(_MINE, {**which(results), "mine": holder}):
        owed = Owed._make(found[: len(COLUMNS)])
        status, has_behind = tuple(found)[-2:]
        one = results[owed.organisation, owed.delivery_id]
        fared, change = _after(owed, status, one, now)
        if has_behind:
            waited_for.add(owed)
        recorded.append(fared)
        changes.append(change)
        attempts.append(_attempt(owed, one))
    if recorded:
        connection.execute(_CHANGE, changes)
        connection.execute(insert(delivery_attempts), attempts)
        behind = [one for one in zip(recorded, changes, strict=True) if one[0].owed in waited_for]
        let_go(connection, [fared.owed for fared, _ in behind if fared.outcome == "delivered"], to_micros(now))
        make_wait = [
            {**_place(fared.owed), "due": change["due"]}
            for fared, change in behind
            if change["status_now"] == "pending"
        ]
        if make_wait:
            connection.execute(_MAKE_WAIT, make_wait)
    return recorded


def hold_endpoints(connection: Connection, owed: Sequence[Owed]) -> None:
    """Let no command change the states of their messages until this is written: both take many rows, each in an order
    of its own.
    """
    its = webhook_endpoints.c
    chosen = select(its.endpoint_id).where(
        its.organisation.in_(sorted({one.organisation for one in owed})),
        its.endpoint_id.in_(sorted({one.endpoint_id for one in owed})),
    )
    connection.execute(chosen.order_by(its.organisation, its.endpoint_id).with_for_update(read=True)).all()


def let_go(connection: Connection, done: Sequence[Owed], at: int) -> None:
    """What waited behind these is due."""
    if done:
        connection.execute(_LET_GO, [{**_place(one), "due": at} for one in done])


def _after(owed: Owed, status: str, one: Tried, now: datetime) -> tuple[Recorded, dict[str, Any]]:
    first = owed.first_tried_at or to_micros(one.at)
    tries = Tries(owed.delivery_id, owed.urgent, owed.attempts + 1 - owed.begun_after, from_micros(first))
    came_of_it = outcome(one.posted.status_code)
    is_done = came_of_it == "delivered"
    again = None if is_done else next_attempt(tries, now, one.posted.retry_after)
    # One whose schedule is through waits to be held; should that fail, it is tried again and asks for it again.
    due_at = to_micros(now if is_done else again or now + STANDARD[-1])
    change = {
        "its_organisation": owed.organisation,
        "its_id": owed.delivery_id,
        "status_now": "delivered" if is_done else status,
        "attempts_now": owed.attempts + 1,
        "due": due_at,
        "first": first,
        "done_now": to_micros(now) if is_done else None,
        "last_status_now": one.posted.status_code,
        "last_error_now": one.posted.error,
    }
    return Recorded(owed, came_of_it, "active" if is_done else health(tries, now), tries), change


def _attempt(owed: Owed, one: Tried) -> dict[str, Any]:
    return {
        "organisation": owed.organisation,
        "delivery_id": owed.delivery_id,
        "number": owed.attempts + 1,
        "at": to_micros(one.at),
        "latency": int(one.took * 1_000_000),
        "status_code": one.posted.status_code,
        "error": one.posted.error,
        "response": one.posted.response,
    }


def _place(owed: Owed) -> dict[str, Any]:
    return {
        "its_organisation": owed.organisation,
        "its_endpoint": owed.endpoint_id,
        "its_subject": owed.subject,
        "its_sequence": owed.sequence,
    }


_MINE = (
    select(*COLUMNS, row.status, waiting("later", before=False))
    .where(AMONG, row.holder == bindparam("mine"))
    .order_by(row.organisation, row.delivery_id)
    .with_for_update()
)
_ITS = and_(row.organisation == bindparam("its_organisation"), row.delivery_id == bindparam("its_id"))
_CHANGE = (
    update(deliveries)
    .where(_ITS)
    .values(
        status=bindparam("status_now"),
        attempts=bindparam("attempts_now"),
        due_at=bindparam("due"),
        first_tried_at=bindparam("first"),
        done_at=bindparam("done_now"),
        last_status=bindparam("last_status_now"),
        last_error=bindparam("last_error_now"),
        holder=None,
        leased_until=None,
    )
)
_WAITING = and_(
    row.organisation == bindparam("its_organisation"),
    row.endpoint_id == bindparam("its_endpoint"),
    row.subject == bindparam("its_subject"),
    row.sequence > bindparam("its_sequence"),
    row.status == "pending",
    row.attempts == row.begun_after,
)
_MAKE_WAIT = update(deliveries).where(_WAITING, row.due_at < bindparam("due")).values(due_at=bindparam("due"))
_LET_GO = update(deliveries).where(_WAITING, row.due_at > bindparam("due")).values(due_at=bindparam("due"))
