"""What is usual in a week, and the chart that watches for twice that: one rule, for trends and for signals.

Usual is the mean of the weeks before those that are watched, with half a report more than were seen, for few weeks know
a rate only about; 0.1 a week at least. The chart alarms by chance once in 520 weeks, ten years of each key. Where more
than forty a week are usual there is none: a doubling of these needs no chart to be seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.analysis.cusum import Design

IN_CONTROL = 520.0
"""Weeks until chance alone raises an alarm, on the average."""

LEAST_A_WEEK = 0.1
MOST_A_WEEK = 40.0


@dataclass(frozen=True, slots=True)
class Usual:
    """`mean`: reports a week, as they are reckoned with."""

    mean: float

    def chart(self) -> "Design":
        """The Poisson CUSUM for them; it takes a while to compute."""
        from app.analysis import cusum  # Here, for numpy is slow to come and most processes ask nothing of it.

        return cusum.design(_upwards(self.mean), IN_CONTROL)


def usual_of(before: Sequence[int]) -> Usual | None:
    """What is usual by the weekly counts before, one at least; None where that is too many for a chart."""
    if sum(before) / len(before) > MOST_A_WEEK:
        return None
    return Usual(max((sum(before) + 0.5) / len(before), LEAST_A_WEEK))


def _upwards(mean: float) -> float:
    """The mean with two digits, rounded up: a design takes a while, and serves many."""
    unit = 10.0 ** (floor(log10(mean)) - 1)
    return round(ceil(mean / unit - 1e-9) * unit, 6)
