"""How often leadership is to close a governance review, and what follows when it does not (S12).

The rhythm counts from the last closing, at first from the organisation's beginning. When it passes, leadership is
told, a week later the backstop, and that again every week until a review is closed. Whoever asks late, after years
even, tells all that was missed at once, in one event: since when, and how often.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from app.domain.chase import Overdue
from app.domain.ladder import Reach, Why, reaches_nobody
from app.domain.moment import Span
from app.domain.working_time import elapsed_deadline

# Words

STREAM = "governance_cadence/current"
_WEEK = timedelta(days=7)
"""How long an answer is waited for before somebody is told again."""

FIRST, BACKSTOP = "leadership", "admin"

# Events


@dataclass(frozen=True, slots=True)
class Missed(Overdue):
    """No governance review was closed by the deadline, `times` by now: leadership is told, then the backstop; both,
    when nobody asked in between. `scheduled_at`: the first of the deadlines that are told of here.

    `level` is None for the backstop. `since`: what the rhythm counts from. `governance_review_ids`: of open reviews.
    """

    why: Why = "governance_overdue"
    governance_review_ids: tuple[str, ...] = ()
    since: datetime | None = None


# State


@dataclass(frozen=True, slots=True)
class Cadence:
    """`since`: the last closing, or its beginning; `missed`: what was told last, whenever that was."""

    since: datetime
    due_at: datetime
    missed: Missed | None = None

    @property
    def times(self) -> int:
        """How often it was told since the rhythm counts from there."""
        return self.missed.times if self.missed is not None and self.missed.since == self.since else 0


# Decide


def ask(cadence: Cadence, reach: Reach, open_reviews: tuple[str, ...], now: datetime) -> list[Missed]:
    """What is to be told now, in one event at most; the next deadline lies in the future."""
    if cadence.due_at > now:
        return []
    weeks = (now - cadence.due_at) // _WEEK + 1
    times = cadence.times + weeks
    to = ((FIRST,) if cadence.times == 0 else ()) + ((BACKSTOP,) if times > 1 else ())
    by_name = dict.fromkeys(one for role in to for one in reach.get(role, ()) if one.startswith("staff/"))
    return [
        Missed(
            times,
            (*to, *by_name),
            cadence.due_at + weeks * _WEEK,
            cadence.due_at,
            0 if times == 1 else None,
            reaches_nobody(reach, to),
            governance_review_ids=open_reviews,
            since=cadence.since,
        )
    ]


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
