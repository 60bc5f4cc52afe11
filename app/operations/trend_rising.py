"""A frequency that rises below every threshold (S19), and one that falls silent: watched week by week, key by key.

The first weeks say what is usual, the later ones are watched: 26 weeks, or those before the period that is shown, and
half of what is known where there is less. What is usual by them, and the chart for it, is the rule of `usual.py`, which
signals follow too. The sum that a CUSUM keeps falls slowly: a rise is over once the weeks no longer add to it, however
far the sum still is above its limit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.analysis.outcome import DroughtTest, drought
from app.domain.moment import DAY
from app.operations.usual import usual_of

LEAST_WEEKS = 10
SHORTEST_BASELINE, USUAL_BASELINE = 8, 26
RECENT_WEEKS = 8
"""The newest weeks, which say whether a rise still goes on."""

LEAST_REPORTS = 5
"""Reports without which nobody can say what silence would be unusual."""

if TYPE_CHECKING:
    from app.analysis.cusum import Design


@dataclass(frozen=True, slots=True)
class Rising:
    """The CUSUM of weekly counts. `baseline`: how many weeks it was designed on; `values`: one for each later week.

    `alarms`: stretches of weeks, first and last, counted from the first week of all: from where the climb began to
    where it was highest, or to the newest week while it goes on.
    """

    design: "Design"
    baseline: int
    usual: float
    values: tuple[float, ...]
    alarms: tuple[tuple[int, int], ...]

    @property
    def is_rising(self) -> bool:
        """Whether the newest complete weeks are above what chance explains."""
        return bool(self.alarms) and self.alarms[-1][1] == self.baseline + len(self.values) - 1


def rising(counts: Sequence[int], before: int) -> Rising | None:
    """The CUSUM of complete weeks, `before` of which lie before what is shown; None while they are too few, or where
    reports are so many that nobody needs it.
    """
    if len(counts) < LEAST_WEEKS:
        return None
    baseline = min(before, len(counts) - 1)
    if baseline < USUAL_BASELINE:
        baseline = min(USUAL_BASELINE, max(SHORTEST_BASELINE, len(counts) // 2))
    usual = usual_of(counts[:baseline])
    if usual is None:
        return None
    from app.analysis import cusum  # Here, for numpy is slow to come and most processes ask nothing of it.

    design = usual.chart()
    watched = counts[baseline:]
    values = cusum.statistic(watched, design.k)
    alarms = [
        (baseline + first, baseline + _end(watched, values, first, last, design))
        for first, last in _climbs(values, cusum.alarms(watched, design))
    ]
    return Rising(design, baseline, sum(counts[:baseline]) / baseline, values, tuple(alarms))


def _climbs(values: Sequence[float], alarms: Sequence[int]) -> list[tuple[int, int]]:
    """One stretch for each climb that passed the limit: from its first week to the last in alarm."""
    found: list[tuple[int, int]] = []
    for n in alarms:
        began = n
        while began and values[began - 1] > 0:
            began -= 1
        if found and found[-1][0] == began:
            found[-1] = (began, n)
        else:
            found.append((began, n))
    return found


def _end(watched: Sequence[int], values: Sequence[float], first: int, last: int, design: "Design") -> int:
    """The newest week, while the newest weeks of the climb add to the sum; else the one in which it was highest."""
    newest = watched[max(first, len(watched) - RECENT_WEEKS) :]
    if last == len(watched) - 1 and sum(newest) > design.k * len(newest):
        return last
    return max(range(first, last + 1), key=lambda n: values[n])


@dataclass(frozen=True, slots=True)
class Silence:
    """How long nothing was reported, and whether chance explains it. `test`: None while there is nothing to go by."""

    days: float
    last: int
    usual: float
    test: DroughtTest | None


def silence(count: int, since: int, last: int, now: int) -> Silence:
    """The silence since the last report. `count`: the reports from `since` up to that one; all in microseconds."""
    days = max(0.0, (now - last) / DAY)
    known = (last - since) / DAY
    if count < LEAST_REPORTS or known <= 0:
        return Silence(days, last, 0.0, None)
    return Silence(days, last, count / known, drought(days, count, known))
