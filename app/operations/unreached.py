"""What follows when an endpoint does not answer: it is warned of, held, and whoever it was to tell is passed over.

Each of these is a command of its own, through the writer, with an id that hangs on the message that it follows from: a
worker that dies in between, or two that see the same, do it once. What failed long ago may still have to be followed
up, as when the worker was away in between; so it is looked for, and does not hang on a try.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import NAMESPACE_URL, uuid5

from sqlalchemy import Connection, and_, exists, or_, select

from app.database.tables import deliveries, escalations, webhook_endpoints
from app.domain.delivery import ENOUGH, FAILING_CONTACT, WARNED_AFTER, Tries, has_failed_contact, hold_at
from app.domain.escalation import ChainExhausted, FailContact, HandedOver, LevelEntered, Raised
from app.domain.moment import from_micros, to_micros
from app.events.store import Cause, of_command
from app.operations import climbing, endpoints
from app.operations.desk import Desk
from app.operations.fared import Recorded
from app.operations.job import Actor, Command
from app.operations.owed import COLUMNS, Owed

ACTOR = Actor("system/deliveries")
CONTACTS = frozenset({"escalation.raised", "escalation.level_entered"})
"""Messages that tell somebody that they are asked."""

row = deliveries.c
its = webhook_endpoints.c


@dataclass(frozen=True, slots=True)
class Failing:
    """A message that has failed and waits to be tried again. `status` is how its endpoint stands.

    `is_stuck`: it asks somebody, and is not even tried: its endpoint is held, or one before it fails.
    """

    owed: Owed
    tries: Tries
    status: str
    is_stuck: bool = False


def failing(connection: Connection, now: datetime) -> list[Failing]:
    """What may have to be followed up: who is asked by it is not told, or its endpoint is not warned of yet. Not what
    is due, for it is about to be tried.
    """
    half_through = and_(its.status == "active", row.first_tried_at <= to_micros(now - WARNED_AFTER))
    chosen = (
        select(*COLUMNS, its.status)
        .join(webhook_endpoints, and_(its.organisation == row.organisation, its.endpoint_id == row.endpoint_id))
        .where(
            row.status == "pending",
            row.due_at > to_micros(now),
            row.attempts > row.begun_after,
            or_(row.type.in_(sorted(CONTACTS)), and_(half_through, row.attempts >= row.begun_after + ENOUGH)),
        )
        .order_by(row.first_tried_at)
    )
    found: list[Failing] = []
    for *columns, status in connection.execute(chosen):
        owed = Owed._make(columns)
        found.append(Failing(owed, _tries_of(owed, now), status))
    return found + _stuck(connection, now)


def _stuck(connection: Connection, now: datetime) -> list[Failing]:
    """Messages that have asked somebody for a minute and are not tried, while that answer is what is waited for."""
    before = deliveries.alias("before")
    same = [before.c[name] == row[name] for name in ("organisation", "endpoint_id", "subject")]
    fails = exists().where(
        *same, before.c.sequence < row.sequence, before.c.status == "pending", before.c.attempts > before.c.begun_after
    )
    waits = and_(row.status == "pending", row.attempts == row.begun_after, fails)
    asked = and_(escalations.c.organisation == row.organisation, escalations.c.escalation_id == row.subject)
    chosen = (
        select(*COLUMNS, its.status)
        .join(webhook_endpoints, and_(its.organisation == row.organisation, its.endpoint_id == row.endpoint_id))
        .join(escalations, asked)
        .where(
            escalations.c.status == "awaiting_ack",
            row.type.in_(sorted(CONTACTS)),
            row.created_at <= to_micros(now - FAILING_CONTACT),
            or_(waits, and_(row.status == "held", its.status == "held")),
        )
        .order_by(row.sequence)
    )
    rows = [(Owed._make(columns), status) for *columns, status in connection.execute(chosen)]
    return [Failing(owed, _tries_of(owed, now), status, is_stuck=True) for owed, status in rows]


def _tries_of(owed: Owed, now: datetime) -> Tries:
    since = from_micros(owed.first_tried_at or to_micros(now))
    return Tries(owed.delivery_id, owed.urgent, owed.attempts - owed.begun_after, since)


def follow_up(one: Failing, now: datetime) -> list[Command]:
    """What the message's failing asks for by now."""
    commands: list[Command] = []
    if one.owed.type in CONTACTS and (one.is_stuck or has_failed_contact(one.tries, now)):
        commands.append(pass_over(one.owed, one.tries.failed))
    if one.status == "active" and one.tries.failed >= ENOUGH and now - one.tries.since >= WARNED_AFTER:
        commands.append(warn_of(one.owed, one.tries))
    return commands


def ended(one: Recorded) -> list[Command]:
    """What a try asks for that was the last one: its endpoint said that it is gone, or the schedule is through."""
    if one.outcome != "gone" and one.health != "held":
        return []
    held = hold(one.owed, one.tries, "gone" if one.outcome == "gone" else "failing")
    return [pass_over(one.owed, one.tries.failed), held] if one.owed.type in CONTACTS else [held]


def hold(owed: Owed, tries: Tries, why: endpoints.Why) -> Command:
    """Have an endpoint held."""
    return _command(
        f"hold {owed.delivery_id} {owed.begun_after + tries.failed}",
        owed,
        lambda desk, cause: endpoints.hold(desk, cause, owed.endpoint_id, why, tries.since),
    )


def warn_of(owed: Owed, tries: Tries) -> Command:
    """Have an endpoint called degraded."""
    return _command(
        f"degrade {owed.delivery_id} {owed.begun_after + tries.failed}",  # It may fail on after another was taken.
        owed,
        lambda desk, cause: endpoints.degrade(desk, cause, owed.endpoint_id, tries.since, hold_at(tries)),
    )


def well_again(owed: Owed) -> Command:
    """Have an endpoint that answers called active."""
    return _command(
        f"recovered {owed.delivery_id} {owed.attempts}",
        owed,
        lambda desk, cause: endpoints.recover_health(desk, cause, owed.endpoint_id),
    )


def pass_over(owed: Owed, failed: int) -> Command:
    """Have the next contact asked, for the one whom this message was to tell could not be told."""
    return _command(
        f"contact_failed {owed.delivery_id} {owed.begun_after}",
        owed,
        lambda desk, cause: _pass_over(desk, cause, owed, failed),
    )


def _pass_over(desk: Desk, cause: Cause, owed: Owed, failed: int) -> None:
    """Nothing, when another endpoint took the message of the same event, or somebody else was asked since."""
    if _was_taken(desk, owed.sequence):
        return
    standing = climbing.load(desk, owed.subject)
    asked = next(one for one in reversed(desk.read(standing.stream)) if isinstance(one.event, _ASKED))
    if asked.envelope.sequence != owed.sequence:
        return
    level, loop = (asked.event.level, asked.event.loop) if isinstance(asked.event, LevelEntered) else (0, 0)
    command = FailContact(level, loop, owed.endpoint_id, failed, standing.reach())
    desk.append(cause, [standing.draft(command)])


_ASKED = (Raised, LevelEntered, ChainExhausted, HandedOver)


def _was_taken(desk: Desk, sequence: int) -> bool:
    known = select(its.endpoint_id).where(its.organisation == desk.organisation)
    taken = select(row.delivery_id).where(
        row.organisation == desk.organisation,
        row.endpoint_id.in_(known),
        row.sequence == sequence,
        row.status == "delivered",
    )
    return desk.connection.execute(taken.limit(1)).first() is not None


def _command(what: str, owed: Owed, run: Callable[[Desk, Cause], None]) -> Command:
    command_id = str(uuid5(NAMESPACE_URL, f"forewarn {owed.organisation} {owed.endpoint_id} {what}"))

    def run_once(desk: Desk, cause: Cause) -> None:
        if of_command(desk.connection, desk.organisation, command_id) is None:
            run(desk, cause)

    return Command(
        owed.organisation, command_id, ACTOR, owed.endpoint_id, run_once, lambda _reader, subject: {"id": subject}
    )
