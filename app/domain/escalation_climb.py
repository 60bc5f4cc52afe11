"""How an escalation climbs: a timer only asks, and what is due by the facts answers, early, late or twice.

Nothing here looks at a clock. A deadline is answered as of the instant that it was scheduled for, and the next one is
counted from there; so running the timers a week late tells the same story as running each to the minute.
"""

from collections.abc import Iterable
from datetime import datetime
from functools import reduce
from typing import assert_never

from app.domain.escalation_commands import FailContact
from app.domain.escalation_events import (
    AckExpired,
    AckOverdue,
    AckReminded,
    ChainExhausted,
    ContactFailed,
    Event,
    LevelEntered,
    ReviewOverdue,
    SnoozeEnded,
    StepSkipped,
)
from app.domain.escalation_state import Escalation, Status, evolve
from app.domain.ladder import (
    BACKSTOP_AGAIN,
    Deadline,
    Place,
    Reach,
    Why,
    above,
    contact_above,
    from_the_foot,
    later,
    reaches_nobody,
    respond_by,
)

MOST_AT_ONCE = 500
"""About how many events one run of the timers makes; what is still due then is due for the next run."""


def due(escalation: Escalation, now: datetime) -> Deadline | None:
    """The earliest deadline that has come, if any has."""
    deadlines = escalation.deadlines
    return deadlines[0] if deadlines and deadlines[0].due_at <= now else None


def run_due(
    escalation: Escalation, now: datetime, reach: Reach, most: int = MOST_AT_ONCE
) -> tuple[Escalation, list[Event]]:
    """All that is due by now, in the order in which it was scheduled, and where the escalation stands after it."""
    events: list[Event] = []
    while len(events) < most and (deadline := due(escalation, now)) is not None:
        answered = answer(escalation, deadline, reach)
        escalation = reduce(evolve, answered, escalation)
        events += answered
    return escalation, events


def answer(escalation: Escalation, deadline: Deadline, reach: Reach) -> list[Event]:
    """What follows from a deadline of the escalation, as of the instant it was scheduled for."""
    at = deadline.due_at
    match deadline.kind:
        case "snooze_until":
            asked_again = None if escalation.acknowledged_by else patience(escalation, at)
            return [SnoozeEnded(escalation.responsible, at, asked_again)]
        case "ack_confirm":
            expired = AckExpired(escalation.acknowledged_by[0], at)
            return [expired, *enter(escalation, from_the_foot(escalation.terms), "re_escalated", at, reach, at)]
        case "ack_reminder":
            return [remind(escalation, at)]
        case "ack_due":
            return climb(escalation, at, reach)
        case "review_due":
            return [review_overdue(escalation, at, reach)]
        case _:
            assert_never(deadline.kind)


def climb(escalation: Escalation, at: datetime, reach: Reach) -> list[Event]:
    """Nobody answered: the next rung is asked, or the backstop again."""
    if escalation.exhausted:
        return [exhausted(escalation, at, reach, at)]
    higher = above(escalation.terms, escalation.level, escalation.loop)
    return [AckOverdue(escalation.level, at), *enter(escalation, higher, "escalated", at, reach, at)]


def contact_failed(command: FailContact, escalation: Escalation, at: datetime) -> list[Event]:
    """Whoever is asked could not be told: the next rung is, at once. Only while it is that rung's answer that is waited
    for, and so once for each.
    """
    is_asked = (escalation.level, escalation.loop) == (command.level, command.loop) and not escalation.exhausted
    if escalation.status is not Status.AWAITING_ACK or not is_asked:
        return []
    failed = ContactFailed(command.level, command.endpoint_id, command.attempts)
    higher = above(escalation.terms, escalation.level, escalation.loop)
    return [failed, *enter(escalation, higher, "escalated", at, command.reach)]


def enter(
    escalation: Escalation,
    places: Iterable[Place],
    why: Why,
    at: datetime,
    reach: Reach,
    scheduled_at: datetime | None = None,
) -> list[Event]:
    """The first place that names anybody is asked, every one before it is logged as skipped; after the last comes the
    backstop.
    """
    skipped: list[Event] = []
    for level, loop in places:
        to = escalation.terms.rungs[level].to
        if to:
            until = respond_by(escalation.terms, level, at)
            return [*skipped, LevelEntered(level, loop, to, why, until, reaches_nobody(reach, to), scheduled_at)]
        skipped.append(StepSkipped(level, scheduled_at))
    return [*skipped, exhausted(escalation, at, reach, scheduled_at)]


def exhausted(escalation: Escalation, at: datetime, reach: Reach, scheduled_at: datetime | None) -> ChainExhausted:
    to = (escalation.terms.backstop,)
    return ChainExhausted(
        escalation.exhausted + 1,
        to,
        later(escalation.terms, at, BACKSTOP_AGAIN),
        nobody_reachable=reaches_nobody(reach, to),
        scheduled_at=scheduled_at,
    )


def remind(escalation: Escalation, at: datetime) -> AckReminded:
    """Without a time to confirm in, the reminder is only repeated."""
    terms = escalation.terms
    confirm_by = later(terms, at, terms.ack_confirm) if terms.ack_confirm else None
    again = later(terms, at, terms.ack_remind) if terms.ack_remind and confirm_by is None else None
    return AckReminded(escalation.responsible, at, confirm_by, again)


def review_overdue(escalation: Escalation, at: datetime, reach: Reach) -> ReviewOverdue:
    """Acknowledging never stops this one: it climbs until the review is closed."""
    terms = escalation.terms
    told_up_to = escalation.told_up_to if escalation.overdue else escalation.level
    contact = contact_above(terms, told_up_to, at)
    return ReviewOverdue(
        escalation.overdue + 1,
        tuple(dict.fromkeys((*contact.to, *escalation.responsible))),
        contact.respond_by,
        at,
        contact.level,
        nobody_reachable=reaches_nobody(reach, contact.to),
    )


def patience(escalation: Escalation, at: datetime) -> datetime:
    """Until when those who are asked at an instant have time to answer."""
    if escalation.exhausted:
        return later(escalation.terms, at, BACKSTOP_AGAIN)
    return respond_by(escalation.terms, escalation.level, at)
