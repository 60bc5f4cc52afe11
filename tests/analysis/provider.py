"""A simulated provider: near misses of one key at random times, the episodes that a rule opens, and what was done."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.analysis.outcome import Arm

YEAR = 365.25
THRESHOLD = 3
WINDOW = 14.0
BASELINE = 180.0
FOLLOW_UP = 90.0
# The manager closes the review after two weeks, and its action takes effect two weeks later.
CLOSED_AFTER = 14.0
EFFECT_AFTER = 28.0

Times = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Episode:
    """Days: of its first member, and of the report that opened it."""

    first: float
    opened: float

    @property
    def effect(self) -> float:
        return self.opened + EFFECT_AFTER


def reports(chance: np.random.Generator, rate_a_year: float, days: float) -> Times:
    """The times in days of reports that come at random, at one rate, from day 0 on."""
    return np.sort(chance.uniform(0, days, chance.poisson(rate_a_year * days / YEAR)))


def episodes(times: Times, closed_after: float = 0.0) -> list[Episode]:
    """What three within fourteen days opens. Reports that come until it is closed join it, and count for no other."""
    found: list[Episode] = []
    unused = 0
    for newest, time in enumerate(times):
        if found and time <= found[-1].opened + closed_after:
            unused = newest + 1
            continue
        oldest = max(unused, int(np.searchsorted(times, time - WINDOW, side="right")))
        if newest - oldest + 1 >= THRESHOLD:
            found.append(Episode(float(times[oldest]), float(time)))
            unused = newest + 1
    return found


def between(times: Times, after: float, until: float) -> int:
    """Reports with after < time ≤ until."""
    return int(np.searchsorted(times, until, side="right") - np.searchsorted(times, after, side="right"))


def before(times: Times, episode: Episode) -> Arm:
    """The baseline arm: the 180 days up to the first member, without it."""
    first = np.nextafter(episode.first, 0)
    return Arm(between(times, episode.first - BASELINE, first), BASELINE)


def after(times: Times, episode: Episode, follow_up: float = FOLLOW_UP) -> Arm:
    """The follow-up arm: the days from the action's effect on."""
    return Arm(between(times, episode.effect, episode.effect + follow_up), follow_up)
