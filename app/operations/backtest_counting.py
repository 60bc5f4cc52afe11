"""The episodes that a rule would have had over a history: by shifts where that is exact, else report by report.

A key of instants and a key of dates are each one sorted series, shared by every threshold and window that is tried. A
key that has both, and a rule that counts more than reports or by the calendar, is counted exactly, which takes longer;
how much of that one backtest may do is bounded.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from app.analysis import backtest
from app.analysis.backtest import Episodes, Series, Whole
from app.domain import trailing
from app.domain.decider import Fault, Invalid
from app.domain.moment import DAY, Moment, Span
from app.domain.rule import Rule
from app.domain.similarity import Entry
from app.domain.trailing import Patience, TooMuchToCount, midnight
from app.operations.backtest_history import Placed

MOST_COUNTED = 10_000_000
"""Reports looked at one by one, window by window, in one backtest."""


class Had(NamedTuple):
    """The episodes of a rule: columns, in no order. `members(n)`: places in the columns of `Placed`."""

    keys: Whole
    crossed: Whole
    until: Whole
    members: Callable[[int], Sequence[int]]


def patience() -> Patience:
    """For one backtest."""
    return Patience(MOST_COUNTED)


class Counting:
    """A history under one placement, sorted once for every rule that shares it."""

    def __init__(self, placed: Placed, zone: ZoneInfo, effort: Patience) -> None:
        self._placed = placed
        self._zone = zone
        self._effort = effort
        self._codes = np.array(placed.codes, np.int64)
        self._at = np.array(placed.at, np.int64)
        dated = np.array(placed.dated, bool)
        dates = np.bincount(self._codes, dated, len(placed.keys))
        every = np.bincount(self._codes, minlength=len(placed.keys))
        kinds = np.where(dates == 0, _INSTANTS, np.where(dates == every, _DATES, _MIXED))
        self._kinds = kinds[self._codes] if len(self._codes) else np.zeros(0, np.int64)

    @cached_property
    def _instants(self) -> "_Part":
        return self._part(_INSTANTS, self._at)

    @cached_property
    def _dates(self) -> "_Part":
        return self._part(_DATES, np.array(self._placed.days, np.int64))

    def _part(self, kind: int, times: Whole) -> "_Part":
        places = np.flatnonzero(self._kinds == kind)
        return _Part(places, backtest.in_order(self._codes[places], times[places]))

    @cached_property
    def _mixed(self) -> dict[int, list[int]]:
        return self._by_key(np.flatnonzero(self._kinds == _MIXED))

    @cached_property
    def _all(self) -> dict[int, list[int]]:
        return self._by_key(np.arange(len(self._codes)))

    def _by_key(self, places: Whole) -> dict[int, list[int]]:
        """Key → its places in event-time order; what is equal in that is in the order of the ledger already."""
        found: dict[int, list[int]] = defaultdict(list)
        for place in places[np.argsort(self._at[places], kind="stable")].tolist():
            found[int(self._codes[place])].append(place)
        return found

    def episodes(self, rule: Rule) -> Had:
        """Of one rule. Raises `Invalid` when counting exactly would take too long."""
        return next(self.grid(rule, [rule.threshold], [rule.window]))[1]

    def grid(self, rule: Rule, thresholds: Sequence[int], windows: Sequence[Span]) -> Iterator[tuple[Rule, Had]]:
        """Of the rule with each of these thresholds and each of these windows, in no order."""
        one_by_one = not rule.plain or bool(rule.require_types or rule.require_sequence)
        shifted: dict[int, list[Rule]] = defaultdict(list)
        for window in windows:
            tried = replace(rule, window=window)
            if one_by_one or tried.length is None:
                for threshold in thresholds:
                    exactly = replace(tried, threshold=threshold)
                    yield exactly, _joined([], self._exactly(exactly, self._all))
            else:
                shifted[tried.length].append(tried)
        if shifted:
            yield from self._shifted([one + (rule.op == "gt") for one in thresholds], shifted)

    def _shifted(self, enough: Sequence[int], tried: Mapping[int, Sequence[Rule]]) -> Iterator[tuple[Rule, Had]]:
        in_days = {length: -(-length // DAY) for length in tried}
        of_dates = {
            (one.enough, one.length): one for one in backtest.grid(self._dates.series, enough, [*in_days.values()])
        }
        for cell in backtest.grid(self._instants.series, enough, [*tried]):
            by_date = of_dates[cell.enough, in_days[cell.length]]
            for rule in tried[cell.length]:
                one = replace(rule, threshold=cell.enough - (rule.op == "gt"))
                parts = [self._of_instants(cell), self._of_dates(by_date)]
                yield one, _joined(parts, self._exactly(one, self._mixed))

    def _of_instants(self, cell: Episodes) -> Had:
        return Had(cell.keys, cell.crossed, cell.until, _Members(self._instants.places, cell))

    def _of_dates(self, cell: Episodes) -> Had:
        begun = self._dates.places[cell.series.order[cell.series.firsts[cell.rises]]]
        ends, which = np.unique(cell.until, return_inverse=True)
        midnights = np.array([midnight(day, self._zone) for day in ends.tolist()], np.int64)
        return Had(cell.keys, self._at[begun], midnights[which], _Members(self._dates.places, cell))

    def _exactly(self, rule: Rule, keys: Mapping[int, Sequence[int]]) -> Had:
        found: list[tuple[int, trailing.Episode]] = []
        try:
            for code, places in keys.items():
                self._effort.spend(len(places))
                entries = [self._entry(place) for place in places]
                for episode in trailing.episodes(rule, entries, self._zone, self._effort):
                    inside = tuple(places[n] for n in episode.members)
                    found.append((code, episode._replace(members=inside)))
        except TooMuchToCount:
            raise Invalid(Fault("/policy/rules", "too-many", _TOO_LONG)) from None

        def members(n: int) -> Sequence[int]:
            return found[n][1].members

        return Had(
            np.array([code for code, _ in found], np.int64),
            np.array([one.crossed_at for _, one in found], np.int64),
            np.array([one.until for _, one in found], np.int64),
            members,
        )

    def _entry(self, place: int) -> Entry:
        placed = self._placed
        moment = Moment(placed.at[place], placed.days[place], bool(placed.dated[place]))
        return Entry("", place, moment, *placed.details[place])


_TOO_LONG = (
    "Counting reports one by one, as weights, different values, types, months, the calendar and dates among instants "
    "need it, takes too long over so many: begin later, or try fewer thresholds and windows at once."
)
_INSTANTS, _DATES, _MIXED = range(3)


class _Part(NamedTuple):
    """The records of one kind of key: their places in the columns, and their series."""

    places: Whole
    series: Series


@dataclass(frozen=True, slots=True)
class _Members:
    places: Whole
    cell: Episodes

    def __call__(self, n: int) -> Sequence[int]:
        one = self.cell._replace(rises=self.cell.rises[n : n + 1])
        inside = self.cell.series.order[int(one.first[0]) : int(one.stop[0])]
        return self.places[inside].tolist()


def _joined(parts: Sequence[Had], exact: Had) -> Had:
    """One after the other."""
    every = [*parts, exact]
    edges = [0, *accumulate(len(one.keys) for one in every)]

    def members(n: int) -> Sequence[int]:
        part = bisect_right(edges, n) - 1
        return every[part].members(n - edges[part])

    keys, crossed, until = (
        np.concatenate([getattr(one, name) for one in every]) for name in ("keys", "crossed", "until")
    )
    return Had(keys, crossed, until, members)
