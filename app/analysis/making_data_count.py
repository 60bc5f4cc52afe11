"""Monthly totals the way NHS England's "Making Data Count" reads them: an XmR chart and four kinds of special cause.

A point on the mean breaks a run, equal neighbours break a trend, and two of three count only when all three lie on one
side. Which kind is told first has an order, because a point may be several.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean
from typing import Literal

from app.analysis.charts import mean_moving_range

RUN = 7

Cause = Literal["outside_limits", "trend", "two_in_three", "one_side"]
Assurance = Literal["consistent_pass", "consistent_fail", "inconsistent"]


@dataclass(frozen=True, slots=True)
class Xmr:
    """Mean, process limits, and the near limits two thirds of the way to them; in the unit of the values."""

    mean: float
    lower: float
    upper: float
    near_lower: float
    near_upper: float


def xmr(values: Sequence[float], screen_outliers: bool = True, baseline: int | None = None) -> Xmr:
    """Mean ± 2.66 · mean moving range, of all values or of the first `baseline` ones.

    With `screen_outliers` the moving ranges at or above 3.267 times their mean are left out, once. One value has no
    moving range: its limits are the value. Source: NHSRplotthedots (NHS-R Community); Making Data Count, NHS England.
    Errors: ValueError for no value, or a baseline below 1.
    """
    taken = values[:baseline] if baseline is not None else values
    if not taken or (baseline is not None and baseline < 1):
        raise ValueError("A chart needs at least one value.")
    mean = fmean(taken)
    reach = 2.66 * mean_moving_range(taken, screen_outliers)
    return Xmr(mean, mean - reach, mean + reach, mean - reach * 2 / 3, mean + reach * 2 / 3)


def special_causes(values: Sequence[float], xmr: Xmr) -> tuple[tuple[Cause, ...], ...]:
    """The kinds of special cause that each point is part of, the one to tell first first; as many as `values`.

    `outside_limits`: beyond a process limit. `trend`: in seven points that each rise, or each fall. `two_in_three`:
    between near and process limit, with another such point among three neighbours that all lie on one side.
    `one_side`: in seven points on one side of the mean. Source: as `xmr`; the order is NHSRplotthedots'.
    """
    outside = [value > xmr.upper or value < xmr.lower for value in values]
    near = [
        not out and (value > xmr.near_upper or value < xmr.near_lower)
        for out, value in zip(outside, values, strict=True)
    ]
    sides = [_sign(value - xmr.mean) for value in values]
    paired = [pair and close for pair, close in zip(two_in_three(near, sides), near, strict=True)]
    kinds: tuple[tuple[Cause, Sequence[bool]], ...] = (
        ("outside_limits", outside),
        ("trend", _ending(seven_point_trend(values))),
        ("two_in_three", paired),
        ("one_side", _ending(seven_one_side(sides))),
    )
    return tuple(tuple(cause for cause, shown in kinds if shown[point]) for point in range(len(values)))


def directions(values: Sequence[float], xmr: Xmr) -> tuple[int, ...]:
    """Which way each point speaks: 1 high or rising, −1 low or falling, 0 without a special cause.

    A point whose first cause is a trend has the trend's direction, any other its side of the mean.
    """
    rising = _ending([flag == 1 for flag in seven_point_trend(values)])
    found: list[int] = []
    for value, causes, rises in zip(values, special_causes(values, xmr), rising, strict=True):
        match causes:
            case ():
                found.append(0)
            case ("trend", *_):
                found.append(1 if rises else -1)
            case _:
                found.append(_sign(value - xmr.mean))
    return tuple(found)


def assurance(direction: Literal["increase", "decrease"], xmr: Xmr, target: float) -> Assurance:
    """Whether the process as it is will meet `target`: always, never, or as chance has it.

    `direction` is the one that improves. A target on a limit counts as inside. Source: as `xmr`.
    """
    if xmr.lower <= target <= xmr.upper:
        return "inconsistent"
    return "consistent_pass" if (direction == "increase") == (xmr.lower > target) else "consistent_fail"


def seven_one_side(sides: Sequence[int]) -> tuple[int, ...]:
    """1 where a point ends at least seven on one side of the mean (`sides`: 1, −1, or 0 on the mean, which breaks)."""
    return tuple(
        int(end + 1 >= RUN and sides[end] != 0 and len(set(sides[end + 1 - RUN : end + 1])) == 1)
        for end in range(len(sides))
    )


def seven_point_trend(values: Sequence[float]) -> tuple[int, ...]:
    """1 where a point ends seven that each rise, −1 where it ends seven that each fall, else 0."""
    steps = [0, *(_sign(later - earlier) for earlier, later in pairwise(values))]
    return tuple(
        steps[end] if end + 1 >= RUN and len(set(steps[end + 2 - RUN : end + 1])) == 1 else 0
        for end in range(len(values))
    )


def two_in_three(near: Sequence[bool], sides: Sequence[int]) -> tuple[bool, ...]:
    """Which points lie in three neighbours on one side of which two are `near` a limit (the third is marked too)."""
    found = [False] * len(near)
    for first in range(len(near) - 2):
        three = slice(first, first + 3)
        if sum(near[three]) >= 2 and abs(sum(sides[three])) == 3:
            found[three] = [True] * 3
    return tuple(found)


def _ending(flags: Sequence[int | bool]) -> tuple[bool, ...]:
    """Which points are among the seven that a flag ends."""
    return tuple(any(flags[point : point + RUN]) for point in range(len(flags)))


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)
