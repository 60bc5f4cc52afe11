"""A service as it is seen on a day: what was counted in weeks that are over, when it was heard, and what was told.

Weeks are ISO 8601 weeks of the organisation's time zone, and only those that are over count: at most 104 of them, from
the one of the service's first report on. The last eight are watched. No database, no clock.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import NamedTuple
from zoneinfo import ZoneInfo

from app.domain.moment import local_instant
from app.projections.trend_watch import monday_of

WEEK = 7
LONGEST = 104
WATCHED = 8
HOLDS = 8
"""Weeks for which an answer holds."""

ALPHA = 0.01
CHANCE = "chance"


class Counted(NamedTuple):
    """So many near misses of one week (its Monday, a proleptic ordinal). `is_counted`: by a rule that is active."""

    monday: int
    incident_type: str
    source: str | None
    recovery_barrier: str | None
    is_counted: bool
    near_misses: int


class Told(NamedTuple):
    """The last signal of a series: since when it was in alarm (microseconds), and the day on which it was answered."""

    since: int
    answered_on: int | None


@dataclass(frozen=True, slots=True)
class Seen:
    """A service as it is seen on a day. `name`: as people know it.

    `heard`: source, or `WHOLE`, → when something was reported last (microseconds); `silent`: sources whose silence was
    told; `alarmed`: incident type → the last day on which an escalation asked about it; `told`: series → its signal.
    """

    service_id: str
    name: str
    locality: str | None
    now: datetime
    zone: ZoneInfo
    first_day: int
    counted: Sequence[Counted]
    heard: Mapping[str, int]
    silent: Collection[str]
    alarmed: Mapping[str, int]
    told: Mapping[tuple[str, str, str], Told]
    as_of_sequence: int

    @property
    def today(self) -> int:
        return self.now.astimezone(self.zone).toordinal()

    @property
    def newest(self) -> int:
        """The Monday of the newest week that is over."""
        return monday_of(self.today) - WEEK

    @property
    def oldest(self) -> int:
        """The Monday of the first week that is looked at."""
        return max(monday_of(self.first_day), self.newest - (LONGEST - 1) * WEEK)

    def counts(self, incident_type: str, *, known: bool = False, by_chance: bool = False) -> list[int]:
        """Counted near misses of the type by week; of those with a known barrier, or those that chance alone saved."""
        found: Counter[int] = Counter()
        for one in self.counted:
            barrier = one.recovery_barrier
            if one.incident_type != incident_type or not one.is_counted or (known and barrier is None):
                continue
            if not by_chance or barrier == CHANCE:
                found[one.monday] += one.near_misses
        return [found[monday] for monday in range(self.oldest, self.newest + 1, WEEK)]


# Weeks and words


def watched_monday(seen: Seen, watched: int) -> int:
    """The Monday of one of the watched weeks."""
    return seen.newest - (WATCHED - 1 - watched) * WEEK


def start_of(seen: Seen, day: int) -> datetime:
    """Midnight of a day, in the organisation's zone."""
    return local_instant(datetime.combine(date.fromordinal(day), time.min), seen.zone)


def label_of(monday: int) -> str:
    """A week by its Monday: 2026-W10."""
    year, week, _ = date.fromordinal(monday).isocalendar()
    return f"{year}-W{week:02d}"


def monday_named(week: str) -> int:
    """The Monday of a week like 2026-W10, a proleptic ordinal."""
    year, number = week.split("-W")
    return date.fromisocalendar(int(year), int(number), 1).toordinal()


def spoken_day(day: int) -> str:
    """A day as it is spoken: 5 January 2026."""
    when = date.fromordinal(day)
    return f"{when.day} {when:%B %Y}"


def capital(code: str) -> str:
    """A code at the beginning of a sentence."""
    words = code.replace("_", " ")
    return words[:1].upper() + words[1:]


def rounded(value: float) -> float:
    """Six digits: what the ledger keeps of a number is told the same by every machine."""
    return float(f"{value:.6g}")
