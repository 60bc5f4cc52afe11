"""Every episode that one key of a rule would have had, counted report by report: the exact way, for any rule.

An episode lasts from the instant at which the window of a report first holds a pattern until what is left of it is
none, and what touches is one. A report of which only the date is known holds for its whole day; whether two records
are within a window of each other is asked of each pair as `similarity` asks it.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import NamedTuple
from zoneinfo import ZoneInfo

from app.domain.moment import DAY, LATEST, Moment, local_instant, lower_bound, lower_day, to_micros, upper_bound
from app.domain.rule import Rule
from app.domain.similarity import Entry, qualifies, tally


class Episode(NamedTuple):
    """From an instant until before another, in microseconds; `members`: places of those in the window at its start."""

    crossed_at: int
    until: int
    members: tuple[int, ...]


class TooMuchToCount(Exception):
    """The windows hold more reports than may be looked at."""


@dataclass(slots=True)
class Patience:
    """How many reports may still be looked at, window by window."""

    left: int

    def spend(self, amount: int) -> None:
        self.left -= amount
        if self.left < 0:
            raise TooMuchToCount


def episodes(rule: Rule, entries: Sequence[Entry], zone: ZoneInfo, patience: Patience) -> list[Episode]:
    """The episodes of a key whose entries these are, in event-time order; raises `TooMuchToCount`."""
    found: list[Episode] = []
    for anchor, members, until in _Key(rule, entries, zone, patience).full():
        at = entries[anchor].moment.at
        if found and at <= found[-1].until:
            _, ends, inside = former = found[-1]
            if at == former.crossed_at:  # A date, and an instant at its midnight.
                inside = tuple(sorted({*inside, *members}))
            found[-1] = former._replace(until=max(ends, until), members=inside)
        else:
            found.append(Episode(at, until, members))
    return found


@dataclass(slots=True)
class _Key:
    rule: Rule
    entries: Sequence[Entry]
    zone: ZoneInfo
    patience: Patience
    instants: list[int] = field(init=False)
    """Places of those whose instant is known, and beside them these instants; likewise the dates, and all by date."""
    times: list[int] = field(init=False)
    dated: list[int] = field(init=False)
    dates: list[int] = field(init=False)
    every: list[int] = field(init=False)
    days: list[int] = field(init=False)
    _left: dict[tuple[bool, int], int] = field(default_factory=dict[tuple[bool, int], int])

    def __post_init__(self) -> None:
        moments = [entry.moment for entry in self.entries]
        self.instants = [n for n, one in enumerate(moments) if not one.date_only]
        self.times = [moments[n].at for n in self.instants]
        self.every = sorted(range(len(moments)), key=lambda n: (moments[n].day, n))
        self.days = [moments[n].day for n in self.every]
        self.dated = [n for n in self.every if moments[n].date_only]
        self.dates = [moments[n].day for n in self.dated]

    def full(self) -> Iterator[tuple[int, tuple[int, ...], int]]:
        """Each anchor whose window holds a pattern, that window, and when what it holds is none any more."""
        rule = self.rule
        counts_only = rule.plain and not (rule.require_types or rule.require_sequence)
        former: Moment | None = None
        for anchor, entry in enumerate(self.entries):
            if entry.moment == former:
                continue  # Of the same moment: they share one window.
            former = entry.moment
            parts = self._window(entry.moment)
            size = sum(len(part) for part in parts)
            if counts_only and not rule.satisfied_by(size):
                continue
            self.patience.spend(size)
            members = tuple(sorted(place for part in parts for place in part))
            if counts_only:
                enough = rule.threshold + (rule.op == "gt")
                yield anchor, members, self._nth_last(parts, entry.moment, enough)
            elif self._is_pattern(members):
                yield anchor, members, self._stands_until(members, entry.moment)

    def _window(self, anchor: Moment) -> tuple[Sequence[int], ...]:
        """The places that the window of an anchor holds: those compared as instants, and those compared as dates."""
        first = lower_day(anchor.day, self.rule.window) // DAY + 1
        if anchor.date_only:
            return ((), self.every[bisect_left(self.days, first) : bisect_right(self.days, anchor.day)])
        low = lower_bound(anchor.at, self.rule.window, self.rule.calendar, self.zone)
        return (
            self.instants[bisect_right(self.times, low) : bisect_right(self.times, anchor.at)],
            self.dated[bisect_left(self.dates, first) : bisect_right(self.dates, anchor.day)],
        )

    def _is_pattern(self, members: Sequence[int]) -> bool:
        inside = [self.entries[place] for place in members]
        return qualifies(self.rule, inside, tally(self.rule, inside))

    def _nth_last(self, parts: Sequence[Sequence[int]], anchor: Moment, enough: int) -> int:
        """When fewer than enough are left: who happened later leaves later, so that the last of each part decide."""
        leaving = sorted(self._leaves(place, anchor) for part in parts for place in part[-enough:])
        return leaving[-enough]

    def _stands_until(self, members: Sequence[int], anchor: Moment) -> int:
        """When what is left is no pattern: more of them are never less of one, so the fewest that are is searched."""
        leaving = sorted(((self._leaves(place, anchor), place) for place in members), reverse=True)
        low, high = 1, len(leaving)
        while low < high:
            middle = (low + high) // 2
            self.patience.spend(middle)
            if self._is_pattern(sorted(place for _, place in leaving[:middle])):
                high = middle
            else:
                low = middle + 1
        return leaving[high - 1][0]

    def _leaves(self, place: int, anchor: Moment) -> int:
        """When a record is in the trailing window no more, compared with the anchor as `similarity` compares."""
        moment = self.entries[place].moment
        by_date = moment.date_only or anchor.date_only
        known = self._left.get((by_date, place))
        if known is None:
            known = self._day_after(moment.day) if by_date else self._instant_after(moment.at)
            self._left[by_date, place] = known
        return known

    def _instant_after(self, at: int) -> int:
        """The first instant whose window begins at or after `at`; by months that is found by trying."""
        rule = self.rule
        guess = upper_bound(at, rule.window, rule.calendar, self.zone)
        if rule.length is not None or guess == LATEST or self._reaches(guess - 1) < at <= self._reaches(guess):
            return guess
        low, high = at, at + rule.width
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._reaches(middle) < at else (low, middle)
        return high

    def _reaches(self, at: int) -> int:
        return lower_bound(at, self.rule.window, self.rule.calendar, self.zone)

    def _day_after(self, day: int) -> int:
        """The midnight that begins the first date whose window begins after the date."""
        window = self.rule.window
        later = day + 31 * window.months + window.days - (-window.microseconds // DAY)
        if later >= date.max.toordinal():
            return LATEST
        while lower_day(later, window) >= day * DAY:
            later -= 1
        while lower_day(later, window) < day * DAY:
            later += 1
        return midnight(later, self.zone)


def midnight(day: int, zone: ZoneInfo) -> int:
    """The instant at which a local date (a proleptic ordinal) begins, in microseconds."""
    try:
        return to_micros(local_instant(datetime.combine(date.fromordinal(day), time.min), zone))
    except (ValueError, OverflowError):
        return LATEST
