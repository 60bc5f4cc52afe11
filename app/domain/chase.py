"""What a near miss still owes once it is recorded: its details, and its workflow link, each by a deadline of its own.

A deadline that passes tells somebody higher and comes again a whole period after the instant that it was scheduled for,
without end: nothing falls silent, and nothing is decided by it. Only a person completes, links, withdraws or closes.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from app.domain.ladder import DEFAULT_TERMS, Reach, Why, contact_above, reaches_nobody
from app.domain.moment import Span
from app.domain.working_time import elapsed_deadline

# Words

Kind = Literal["details_due", "workflow_link_due"]

NOBODY = -1
"""The level that was told while nobody was: the next one above it is the foot of the ladder."""

BACKSTOP = len(DEFAULT_TERMS.rungs)
"""Above every level of the ladder."""

MOST_AT_ONCE = 500
"""How many events one run of the timer makes; what is still due then is due for the next run."""

# Events


@dataclass(frozen=True, slots=True)
class Overdue:
    """Not there by its deadline, `times` by now: each time somebody higher is told.

    `level` is the rung that is told, None for the backstop. `respond_by`: the next deadline.
    """

    times: int
    notify: tuple[str, ...]
    respond_by: datetime
    scheduled_at: datetime
    level: int | None = None
    nobody_reachable: bool = False


@dataclass(frozen=True, slots=True)
class DetailsOverdue(Overdue):
    """Nobody has completed the details by their deadline, `times` by now: each time somebody higher is told.

    `level` is the rung that is told, None for the backstop. `respond_by`: the next deadline.
    """

    why: Why = "details_due"


@dataclass(frozen=True, slots=True)
class WorkflowLinkOverdue(Overdue):
    """Nobody has made the workflow link by its deadline, `times` by now: each time somebody higher is told.

    `level` is the rung that is told, None for the backstop. `respond_by`: the next deadline.
    """

    why: Why = "workflow_link_due"


Event = DetailsOverdue | WorkflowLinkOverdue

# State


@dataclass(frozen=True, slots=True)
class Chase:
    """One thing that is owed. `period` is ISO 8601, its months those of the record's zone; `told_up_to` the highest
    level that knows that it is late.
    """

    kind: Kind
    due_at: datetime
    period: str
    time_zone: str = "UTC"
    told_up_to: int = NOBODY
    times: int = 0


# Decide


def run_due(chases: Iterable[Chase], now: datetime, reach: Reach, most: int = MOST_AT_ONCE) -> list[Event]:
    """All that is due by now of what is still owed, each as of the instant it was scheduled for, the earliest first."""
    owed = in_order(chases)
    events: list[Event] = []
    while len(events) < most and owed and owed[0].due_at <= now:
        events.append(overdue(owed[0], reach))
        owed = in_order(after(owed, events[-1]))
    return events


def overdue(chase: Chase, reach: Reach) -> Event:
    contact = contact_above(DEFAULT_TERMS, chase.told_up_to, chase.due_at)
    event = DetailsOverdue if chase.kind == "details_due" else WorkflowLinkOverdue
    return event(
        chase.times + 1,
        contact.to,
        due_from(chase.due_at, chase.period, chase.time_zone),
        chase.due_at,
        contact.level,
        reaches_nobody(reach, contact.to),
    )


def due_from(start: datetime, period: str, time_zone: str) -> datetime:
    """The deadline of what has a whole period from an instant on."""
    return elapsed_deadline(start, Span.parse(period), time_zone)


def in_order(chases: Iterable[Chase]) -> tuple[Chase, ...]:
    """The earliest deadline first; of those of one instant the details."""
    return tuple(sorted(chases, key=lambda one: (one.due_at, one.kind)))


# Evolve


def begun(time_zone: str, told_up_to: int | None, *owed: tuple[Kind, datetime | None, str | None]) -> tuple[Chase, ...]:
    """The chases that begin with a record: what is owed, when it is due, and after which time again."""
    told = NOBODY if told_up_to is None else told_up_to
    return tuple(
        Chase(kind, due_at, period, time_zone, told)
        for kind, due_at, period in owed
        if due_at is not None and period is not None
    )


def after(chases: Iterable[Chase], event: Event) -> tuple[Chase, ...]:
    """Where the chases stand after one of them was found to be late."""
    kind = "details_due" if isinstance(event, DetailsOverdue) else "workflow_link_due"
    told = BACKSTOP if event.level is None else event.level
    return tuple(
        replace(one, due_at=event.respond_by, told_up_to=told, times=event.times) if one.kind == kind else one
        for one in chases
    )


def anew(chases: Iterable[Chase], start: datetime, *kinds: Kind) -> tuple[Chase, ...]:
    """What is owed again has its whole time again: nobody is late with what they had done."""
    return tuple(
        replace(one, due_at=due_from(start, one.period, one.time_zone), times=0) if one.kind in kinds else one
        for one in chases
    )
