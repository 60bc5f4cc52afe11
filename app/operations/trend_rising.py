"""A frequency that rises below every threshold (S19), and one that falls silent: watched week by week, key by key.

The first weeks say what is usual, the later ones are watched: 26 weeks, or those before the period that is shown, and
half of what is known where there is less. Half a report more than was seen is usual, for few weeks know a rate only
about.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import TYPE_CHECKING

from app.analysis.outcome import DroughtTest, drought
from app.domain.moment import DAY

LEAST_WEEKS = 10
SHORTEST_BASELINE, USUAL_BASELINE = 8, 26
IN_CONTROL = 520.0
"""Weeks until chance alone raises an alarm, on the average: ten years for each key."""

LEAST_A_WEEK = 0.1
LEAST_REPORTS = 5
"""Reports without which nobody can say what silence would be unusual."""

MOST_A_WEEK = 40.0
"""Reports a week above which a doubling needs no CUSUM to be seen."""

if TYPE_CHECKING:
    from app.analysis.cusum import Design


@dataclass(frozen=True, slots=True)
class Rising:
    """The CUSUM of weekly counts. `baseline`: how many weeks it was designed on; `values`: one for each later week.

    `alarms`: stretches of weeks, first and last, counted from the first week of all: from where the climb began.
    """

    design: "Design"
    baseline: int
    usual: float
    values: tuple[float, ...]
    alarms: tuple[tuple[int, int], ...]

    @property
    def is_rising(self) -> bool:
        """Whether the last complete week is above what chance explains."""
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
    usual = sum(counts[:baseline]) / baseline
    if usual > MOST_A_WEEK:
        return None
    from app.analysis import cusum  # Here, for numpy is slow to come and most processes ask nothing of it.

    design = cusum.design(_upwards((sum(counts[:baseline]) + 0.5) / baseline), IN_CONTROL)
    watched = counts[baseline:]
    values = cusum.statistic(watched, design.k)
    return Rising(design, baseline, usual, values, _stretches(values, cusum.alarms(watched, design), baseline))


def _upwards(mean: float) -> float:
    """The mean with two digits, rounded up: a design takes a while to compute, and serves many."""
    mean = max(mean, LEAST_A_WEEK)
    unit = 10.0 ** (floor(log10(mean)) - 1)
    return round(ceil(mean / unit - 1e-9) * unit, 6)


def _stretches(values: Sequence[float], alarms: Sequence[int], baseline: int) -> tuple[tuple[int, int], ...]:
    """One stretch for each climb that passed the limit, from its first week on."""
    found: list[tuple[int, int]] = []
    for n in alarms:
        began = n
        while began and values[began - 1] > 0:
            began -= 1
        if found and found[-1][0] == baseline + began:
            found[-1] = (baseline + began, baseline + n)
        else:
            found.append((baseline + began, baseline + n))
    return tuple(found)


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
