"""Every episode that thresholds and windows would have had over a history, from arrays of keys and times (S3).

An episode lasts from the instant at which the trailing count reaches N until it falls below; a report that leaves at
the very instant at which another arrives leaves the episode whole. The reports are sorted once. At each instant two
shifts then tell everything: the count is reached by every window longer than the way back to the Nth report, and was
reached before by every window that is not shorter than the way back to the Nth before the instant. So each instant is
a crossing for just the windows in between; falling below is the same, looked at from the other end of time.

What cannot be told by a shift alone (weights, different values, calendar months, dates among instants) is counted one
by one in `app.domain.trailing`. On numpy, so here and not in the domain.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Whole = NDArray[np.int64]

_BITS = 63
_FAR = 2**62
"""Further than any two times lie apart."""


class Series(NamedTuple):
    """Reports grouped by key, each key's in the order of time, and of equal times in the order given.

    `order`: their places in the arrays given; `keys`, `times`, `before` and `after` (how many of its key come before
    each, and after it): in that order. `firsts`, `lasts`: of each instant of a key, the places of its reports;
    `owners`, `instants`: the key, and the time.
    """

    order: Whole
    keys: Whole
    times: Whole
    before: Whole
    after: Whole
    firsts: Whole
    lasts: Whole
    owners: Whole
    instants: Whole


class Episodes(NamedTuple):
    """The episodes of one rule, by key and then by time: at least `enough` reports within (t − `length`, t].

    `rises`, `falls`: one entry for each, the instants (as places in `series.instants`) at which it began, and whose
    leaving ended it.
    """

    series: Series
    enough: int
    length: int
    rises: Whole
    falls: Whole

    @property
    def keys(self) -> Whole:
        """The key of each."""
        return self.series.owners[self.rises]

    @property
    def crossed(self) -> Whole:
        """When the count reached the threshold."""
        return self.series.instants[self.rises]

    @property
    def until(self) -> Whole:
        """When it fell below."""
        return self.series.instants[self.falls] + self.length

    @property
    def stop(self) -> Whole:
        """The place in the series after the last report in the window at the crossing."""
        return self.series.lasts[self.rises] + 1

    @property
    def first(self) -> Whole:
        """The place of the first of them: before the instant itself there were fewer than enough."""
        first, crossed = self.series.firsts[self.rises], self.crossed
        moving = np.arange(len(first))
        while len(moving):
            moving = moving[self.series.before[first[moving]] > 0]
            moving = moving[crossed[moving] - self.series.times[first[moving] - 1] < self.length]
            first[moving] -= 1
        return first


def in_order(keys: Whole, times: Whole) -> Series:
    """Group reports: `keys` are whole numbers from 0, `times` whole numbers of one unit, within 62 bits.

    Errors: ValueError for arrays of different lengths, or a negative key.
    """
    if keys.shape != times.shape or keys.ndim != 1:
        raise ValueError("Every report has one key and one time.")
    if not len(keys):
        return Series(*[np.zeros(0, np.int64)] * len(Series._fields))
    if int(keys.min()) < 0:
        raise ValueError("Keys are numbered from 0.")
    order = _sorted(keys, times)
    grouped, at = keys[order], times[order]
    is_new = np.ones(len(keys), bool)
    np.not_equal(grouped[1:], grouped[:-1], out=is_new[1:])
    starts = np.flatnonzero(is_new)
    sizes = np.diff(starts, append=len(keys))
    before = np.arange(len(keys)) - np.repeat(starts, sizes)
    after = np.repeat(sizes, sizes) - before - 1
    is_new[1:] |= at[1:] != at[:-1]
    firsts = np.flatnonzero(is_new)
    lasts = np.append(firsts[1:], len(keys)) - 1
    return Series(order, grouped, at, before, after, firsts, lasts, grouped[firsts], at[firsts])


def episodes(series: Series, enough: int, length: int) -> Episodes:
    """The episodes of one threshold and one window, in the unit of the times."""
    return next(grid(series, [enough], [length]))


def grid(series: Series, thresholds: Sequence[int], lengths: Sequence[int]) -> Iterator[Episodes]:
    """The episodes of every threshold with every window, the lowest threshold and the longest window first.

    Errors: ValueError for a threshold below 1 or a window that is not positive.
    """
    if min(thresholds, default=1) < 1 or min(lengths, default=1) < 1:
        raise ValueError("A threshold is at least one report, and a window lasts some time.")
    windows = sorted(set(lengths), reverse=True)
    rises = falls = np.arange(len(series.lasts))
    for enough in sorted(set(thresholds)):
        rises, rising = _rising(series, enough, rises, windows)
        falls, falling = _falling(series, enough, falls, windows)
        for length in windows:
            yield Episodes(series, enough, length, rising.by(length), falling.by(length))


def _sorted(keys: Whole, times: Whole) -> Whole:
    """The places by key, by time, and by place: as one number each, as long as that fits into 63 bits."""
    earliest, latest = int(times.min()), int(times.max())
    width = (latest - earliest).bit_length()
    if int(keys.max()).bit_length() + width > _BITS:
        return np.lexsort((times, keys))
    one = (keys << width) | (times - earliest)
    order = np.argsort(one)
    one = one[order]
    alike = one[1:] == one[:-1]
    if alike.any():
        tied = np.zeros(len(one), bool)
        tied[1:] |= alike
        tied[:-1] |= alike
        places = np.flatnonzero(tied)
        order[places] = order[places][np.lexsort((order[places], one[places]))]
    return order


class _Edges(NamedTuple):
    """Instants, each with the open range of windows for which it begins an episode, or ends one."""

    instants: Whole
    shortest: Whole
    longest: Whole

    def by(self, length: int) -> Whole:
        """The instants that do so for a window."""
        return self.instants[np.flatnonzero((self.shortest < length) & (self.longest > length))]


def _rising(series: Series, enough: int, among: Whole, windows: Sequence[int]) -> tuple[Whole, _Edges]:
    """Where the count can be reached at all, for every higher threshold too, and where that is new for some window."""
    last = series.lasts[among]
    shortest = series.instants[among] - series.times[np.maximum(last - (enough - 1), 0)]
    reached = np.flatnonzero((shortest < windows[0]) & (series.before[last] >= enough - 1))
    among, shortest = among[reached], shortest[reached]
    first = series.firsts[among]
    longest = series.instants[among] - series.times[np.maximum(first - enough, 0)]
    longest[series.before[first] < enough] = _FAR
    return among, _some(among, shortest, longest, windows)


def _falling(series: Series, enough: int, among: Whole, windows: Sequence[int]) -> tuple[Whole, _Edges]:
    """The same for the instants whose reports leave: how many follow is what was left behind."""
    end = len(series.times) - 1
    first = series.firsts[among]
    shortest = series.times[np.minimum(first + (enough - 1), end)] - series.instants[among]
    reached = np.flatnonzero((shortest < windows[0]) & (series.after[first] >= enough - 1))
    among, shortest = among[reached], shortest[reached]
    last = series.lasts[among]
    longest = series.times[np.minimum(last + enough, end)] - series.instants[among]
    longest[series.after[last] < enough] = _FAR
    return among, _some(among, shortest, longest, windows)


def _some(instants: Whole, shortest: Whole, longest: Whole, windows: Sequence[int]) -> _Edges:
    """Those that do so for any of the windows."""
    some = np.flatnonzero(longest > windows[-1])
    return _Edges(instants[some], shortest[some], longest[some])
