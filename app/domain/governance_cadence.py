"""How often leadership is to close a governance review, and what follows when it does not (S12).

The rhythm counts from the last closing, at first from the organisation's beginning. When it passes, leadership is
told, a week later the backstop, and that again every week until a review is closed. Each is told as of the instant that
it was scheduled for, so that whoever asks late grants no more time.
"""

from dataclasses import dataclass
from datetime import datetime

from app.domain.chase import MOST_AT_ONCE, Overdue
from app.domain.ladder import Reach, Why, reaches_nobody
from app.domain.moment import Span
from app.domain.working_time import elapsed_deadline

# Words

STREAM = "governance_cadence/current"
AGAIN = Span.parse("P7D")
"""How long an answer is waited for before somebody is told again."""

FIRST, BACKSTOP = "leadership", "admin"

# Events


@dataclass(frozen=True, slots=True)
class Missed(Overdue):
    """No governance review was closed by the deadline, `times` by now: leadership is told, then the backstop.

    `level` is None for the backstop. `since`: what the rhythm counts from. `governance_review_ids`: of open reviews.
    """

    why: Why = "governance_overdue"
    governance_review_ids: tuple[str, ...] = ()
    since: datetime | None = None


# State


@dataclass(frozen=True, slots=True)
class Cadence:
    """`since`: the last closing, or the organisation's beginning; `missed`: what was told last, whenever that was."""

    since: datetime
    due_at: datetime
    missed: Missed | None = None

    @property
    def times(self) -> int:
        """How often it was told since the rhythm counts from there."""
        return self.missed.times if self.missed is not None and self.missed.since == self.since else 0


# Decide


def ask(cadence: Cadence, reach: Reach, open_reviews: tuple[str, ...], now: datetime) -> list[Missed]:
    """All that is due by now, each as of the instant it was scheduled for."""
    events: list[Missed] = []
    times, due_at = cadence.times, cadence.due_at
    while len(events) < MOST_AT_ONCE and due_at <= now:
        to = FIRST if times == 0 else BACKSTOP
        times, scheduled_at, due_at = times + 1, due_at, due_from(due_at, AGAIN)
        events.append(
            Missed(
                times,
                (to, *(one for one in reach.get(to, ()) if one.startswith("staff/"))),
                due_at,
                scheduled_at,
                0 if to == FIRST else None,
                reaches_nobody(reach, (to,)),
                governance_review_ids=open_reviews,
                since=cadence.since,
            )
        )
    return events


def due_from(since: datetime, span: Span, time_zone: str = "UTC") -> datetime:
    """The deadline that an instant and a rhythm make; months are those of the zone."""
    return elapsed_deadline(since, span, time_zone)


def changed(cadence: Cadence, span: Span, time_zone: str, at: datetime) -> datetime:
    """The deadline once another rhythm holds from an instant on: nobody is late with it before that instant, and
    whoever was told already is told again when they would have been.
    """
    anew = due_from(cadence.since, span, time_zone)
    if anew > at:
        return anew
    return cadence.due_at if cadence.times else at
