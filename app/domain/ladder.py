"""Whom an escalation asks, in which order, and until when: the ladder of a rule as it stood when it was raised.

An escalation keeps the ladder that it began with, so that a later version of the policy changes nobody's deadlines
behind their back. A deadline is counted from the instant the one before it was scheduled for, never from when somebody
got round to it; so a service that was down asks late, but never grants more time.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from app.domain.moment import Span
from app.domain.rule import DEFAULT_LADDER, REVIEW_DUE, Ladder, Rule
from app.domain.working_time import Calendar, elapsed_deadline, working_deadline

TimeBasis = Literal["elapsed", "working"]

Why = Literal[
    "opened", "escalated", "escalated_manually", "re_escalated", "reassigned", "reopened", "handed_over", "grew",
    "re_alarmed", "ack_reminder", "snooze_ended", "chain_exhausted", "review_overdue", "action_overdue",
    "dismissed_again", "details_due", "workflow_link_due", "source_silent", "governance_overdue",
    "trend_signalled", "reporting_drought",
]  # fmt: skip
"""Why somebody is told."""

Reach = Mapping[str, tuple[str, ...]]
"""Role → who holds it now. A role that nobody holds is there with an empty tuple; any other name reaches itself."""

DeadlineKind = Literal["snooze_until", "ack_confirm", "ack_reminder", "ack_due", "review_due"]
"""In the order in which deadlines of one instant are answered."""

BACKSTOP_AGAIN = "P1D"
"""How long the backstop has before it is asked again, for nothing ever falls silent."""

LONGEST_SNOOZE = "P7D"
"""Where a ladder states no `max_snooze`."""


@dataclass(frozen=True, slots=True)
class Rung:
    """Who is asked (roles or references; nobody when empty) and how long (ISO 8601) an answer is waited for."""

    to: tuple[str, ...]
    timeout: str
    time_basis: TimeBasis = "elapsed"


@dataclass(frozen=True, slots=True)
class Terms:
    """What a rule's ladder and its `review_due` said when they were taken over; durations are ISO 8601.

    `repeat` -1 goes round without end. `calendar` is there only when a rung waits in working time; `time_zone` is whose
    months are counted.
    """

    rungs: tuple[Rung, ...]
    repeat: int = 0
    backstop: str = "admin"
    review_due: str = REVIEW_DUE.text
    ack_remind: str | None = None
    ack_confirm: str | None = None
    max_snooze: str | None = None
    time_zone: str = "UTC"
    calendar: Calendar | None = None


class Deadline(NamedTuple):
    """What is due when. `level`: the rung whose answer is waited for."""

    kind: DeadlineKind
    due_at: datetime
    level: int | None = None


class Place(NamedTuple):
    """A rung, and in which round of the ladder."""

    level: int
    loop: int


class Contact(NamedTuple):
    """Who is told next of what is overdue; `level` is None once the rungs are used up and the backstop is asked."""

    level: int | None
    to: tuple[str, ...]
    respond_by: datetime


def terms_of(rule: Rule, time_zone: str, calendar: Calendar | None = None) -> Terms:
    """The rule's ladder to be kept; the calendar only where it matters."""
    return terms(rule.ladder, rule.review_due, time_zone, calendar)


def terms(ladder: Ladder, review_due: Span, time_zone: str = "UTC", calendar: Calendar | None = None) -> Terms:
    """A ladder to be kept, with the time that its review has."""
    rungs = tuple(Rung(step.to, step.timeout.text, step.time_basis) for step in ladder.steps)
    return Terms(
        rungs,
        ladder.repeat,
        ladder.backstop,
        review_due.text,
        _text(ladder.ack_remind),
        _text(ladder.ack_confirm),
        _text(ladder.max_snooze),
        time_zone,
        calendar if any(rung.time_basis == "working" for rung in rungs) else None,
    )


def later(kept: Terms, start: datetime, duration: str) -> datetime:
    """The instant an elapsed duration after another."""
    return elapsed_deadline(start, Span.parse(duration), kept.time_zone)


def respond_by(kept: Terms, level: int, start: datetime) -> datetime:
    """Until when the rung, asked at an instant, has time to answer. Working time without a calendar is elapsed time."""
    rung = kept.rungs[level]
    if rung.time_basis == "working" and kept.calendar is not None:
        return working_deadline(start, Span.parse(rung.timeout), kept.calendar)
    return later(kept, start, rung.timeout)


def from_the_foot(kept: Terms) -> Iterator[Place]:
    """Every rung, from level 0."""
    return (Place(level, 0) for level in range(len(kept.rungs)))


def above(kept: Terms, level: int, loop: int) -> Iterator[Place]:
    """The rungs that follow, into the next round when the ladder has another one."""
    yield from (Place(higher, loop) for higher in range(level + 1, len(kept.rungs)))
    if kept.repeat == -1 or loop < kept.repeat:
        yield from (Place(again, loop + 1) for again in range(len(kept.rungs)))


def around(kept: Terms, level: int, loop: int) -> Iterator[Place]:
    """The rungs that follow when a person escalates: after the last comes the first, and no round is used up."""
    yield from (Place(higher, loop) for higher in range(level + 1, len(kept.rungs)))
    yield from (Place(again, loop) for again in range(min(level + 1, len(kept.rungs))))


def contact_above(kept: Terms, level: int, start: datetime) -> Contact:
    """The next rung above a level that names anybody, else the backstop: whom what is overdue climbs to."""
    for higher in range(level + 1, len(kept.rungs)):
        if to := kept.rungs[higher].to:
            return Contact(higher, to, respond_by(kept, higher, start))
    return Contact(None, (kept.backstop,), later(kept, start, BACKSTOP_AGAIN))


def reaches_nobody(reach: Reach, to: tuple[str, ...]) -> bool:
    """Whether none of these names stands for anybody."""
    return not any(reach.get(name, (name,)) for name in to)


def _text(span: Span | None) -> str | None:
    return None if span is None else span.text


DEFAULT_TERMS = terms(DEFAULT_LADDER, REVIEW_DUE)
