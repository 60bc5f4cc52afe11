"""Run charts and control charts: which of the differences between periods are more than chance.

Every chart carries Anhøj's two run rules beside its limits, since limits see a jump and runs see a shift. A point that
is left out of the limits (`exclude`) is still drawn and still judged against them. Points are counted from 0.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, median

SIGMAS = 3
# A moving range of two is 1.128 standard deviations on average; beyond 3.267 times the mean it is no common cause.
D2 = 1.128
SCREEN = 3.267
# Nelson's power, which makes exponential waiting times nearly normal.
NELSON = 3.6


@dataclass(frozen=True, slots=True)
class Runs:
    """Anhøj's rules: `useful` points (not on the centre), longest run and crossings, and what chance allows."""

    useful: int
    longest: int
    longest_max: int
    crossings: int
    crossings_min: int
    is_signal: bool


@dataclass(frozen=True, slots=True)
class Chart:
    """`lower` and `upper` have one entry a point (None: no limit there); `beyond` are the points outside them."""

    method: str
    centre: float
    lower: tuple[float | None, ...]
    upper: tuple[float | None, ...]
    beyond: tuple[int, ...]
    runs: Runs
    parameters: Mapping[str, float | int | str]


def runs(values: Sequence[float], centre: float) -> Runs:
    """Anhøj's run rules around `centre`: a signal when a run is too long or crossings are too few.

    With n points off the centre line: the longest run may have round(log₂ n) + 3 points, and the crossings are at least
    the 5 % quantile of binomial(n − 1, ½). Points on the centre neither break nor make a run.
    Source: Anhøj and Olesen 2014; the R package qicharts2.
    """
    sides = [value > centre for value in values if value != centre]
    useful = len(sides)
    crossings = sum(one != other for one, other in pairwise(sides))
    longest = _longest(sides)
    longest_max = round(math.log2(useful)) + 3 if useful else 0
    crossings_min = _crossings_min(useful)
    is_signal = longest > longest_max or crossings < crossings_min
    return Runs(useful, longest, longest_max, crossings, crossings_min, is_signal)


def run_chart(values: Sequence[float], baseline: int | None = None) -> Chart:
    """The values around their median (of the first `baseline` ones), without limits: for any measure, from ten points.

    Source: Anhøj and Olesen 2014. Errors: ValueError for no value, or a baseline below 1.
    """
    centre = median(_taken(values, baseline))
    nowhere = (None,) * len(values)
    return Chart("run", centre, nowhere, nowhere, (), runs(values, centre), _parameters(baseline))


def c_chart(counts: Sequence[int], baseline: int | None = None, exclude: Collection[int] = ()) -> Chart:
    """Counts of events in equal periods: mean ± 3·√mean, not below 0.

    Source: Montgomery, Introduction to Statistical Quality Control, 7.3. Errors: ValueError for no count to take, a
    negative one, or a baseline below 1.
    """
    _not_negative(counts)
    centre = fmean(_taken(counts, baseline, exclude))
    reach = SIGMAS * math.sqrt(centre)
    limits = [(max(0.0, centre - reach), centre + reach)] * len(counts)
    return _chart("c", counts, centre, limits, exclude, _parameters(baseline, exclude))


def u_chart(
    counts: Sequence[int],
    exposures: Sequence[float],
    multiply: float = 1.0,
    baseline: int | None = None,
    exclude: Collection[int] = (),
) -> Chart:
    """Events per exposure (times `multiply`: 1,000 for rates per 1,000): ū ± 3·√(ū / exposure), not below 0.

    `exposures` has one entry a count. A period without exposure has no rate: no limits, and it takes part in nothing.
    Source: Montgomery 7.4, 7.5. Errors: as `c_chart`; events without exposure; a negative exposure; unequal lengths.
    """
    return _per_exposure("u", counts, exposures, lambda rate: rate, math.inf, multiply, baseline, exclude)


def p_chart(
    counts: Sequence[int],
    totals: Sequence[float],
    multiply: float = 1.0,
    baseline: int | None = None,
    exclude: Collection[int] = (),
) -> Chart:
    """The share of `totals` that `counts` are (times `multiply`): p̄ ± 3·√(p̄·(1 − p̄) / total), within 0 and 1.

    Source: Montgomery 7.2. Errors: as `u_chart`; a count above its total.
    """
    if any(count > total for count, total in zip(counts, totals, strict=True)):
        raise ValueError("A part is not more than its total.")
    return _per_exposure("p", counts, totals, lambda rate: rate * (1 - rate), 1.0, multiply, baseline, exclude)


def i_chart(values: Sequence[float], baseline: int | None = None, exclude: Collection[int] = ()) -> Chart:
    """Single measurements: mean ± 3 · (mean moving range / 1.128).

    Moving ranges of 3.267 times their mean or more are left out, once. One value has no moving range, and no limits.
    Source: Montgomery 6.4; Nelson 1982 (screening); qicharts2.
    Errors: ValueError for no value to take, or a baseline below 1.
    """
    centre, reach = _individuals(values, baseline, exclude)
    limits: list[tuple[float | None, float | None]]
    limits = [(None, None) if reach is None else (centre - reach, centre + reach)] * len(values)
    return _chart("i", values, centre, limits, exclude, _parameters(baseline, exclude))


def t_chart(gaps: Sequence[float], baseline: int | None = None) -> Chart:
    """Time between rare events (days, hours): an I-chart of gap^(1/3.6), taken back; the lower limit is not below 0.

    A point above `upper` is a long peace, below `lower` a cluster. Source: Nelson 1994; Montgomery 7.3.5; qicharts2.
    Errors: ValueError for no gap, a negative one, or a baseline below 1.
    """
    _not_negative(gaps)
    centre, reach = _individuals([gap ** (1 / NELSON) for gap in gaps], baseline)
    limits: list[tuple[float | None, float | None]]
    limits = [(None, None) if reach is None else (max(0.0, centre - reach) ** NELSON, (centre + reach) ** NELSON)]
    parameters = {**_parameters(baseline), "power": 1 / NELSON}
    return _chart("t", gaps, centre**NELSON, limits * len(gaps), (), parameters)


def g_chart(gaps: Sequence[int], baseline: int | None = None) -> Chart:
    """Opportunities (doses, visits) between rare events: geometric, mean ± 3·√(mean·(mean + 1)), not below 0.

    The centre line is the median, so that the run rules hold for so skewed a distribution.
    Source: Benneyan 2001; qicharts2 (`qic.g`). Errors: as `t_chart`.
    """
    _not_negative(gaps)
    taken = _taken(gaps, baseline)
    mean = fmean(taken)
    reach = SIGMAS * math.sqrt(mean * (mean + 1))
    limits = [(max(0.0, mean - reach), mean + reach)] * len(gaps)
    return _chart("g", gaps, median(taken), limits, (), {**_parameters(baseline), "mean": mean})


def mean_moving_range(values: Sequence[float], screen: bool = True) -> float:
    """The mean of |next − this|; with `screen` again without those of 3.267 times it or more. 0 for a single value."""
    ranges = [abs(later - earlier) for earlier, later in pairwise(values)]
    if not ranges:
        return 0.0
    mean = fmean(ranges)
    kept = [moving for moving in ranges if moving < SCREEN * mean] if screen else ranges
    return fmean(kept) if kept else mean


def _chart(
    method: str,
    values: Sequence[float],
    centre: float,
    limits: Sequence[tuple[float | None, float | None]],
    exclude: Collection[int],
    parameters: Mapping[str, float | int | str],
) -> Chart:
    beyond = tuple(
        point
        for point, (value, (low, high)) in enumerate(zip(values, limits, strict=True))
        if (low is not None and value < low) or (high is not None and value > high)
    )
    kept = [value for point, value in enumerate(values) if point not in exclude]
    lower, upper = tuple(low for low, _ in limits), tuple(high for _, high in limits)
    return Chart(method, centre, lower, upper, beyond, runs(kept, centre), parameters)


def _per_exposure(
    method: str,
    counts: Sequence[int],
    exposures: Sequence[float],
    variance: Callable[[float], float],
    most: float,
    multiply: float,
    baseline: int | None,
    exclude: Collection[int],
) -> Chart:
    """The u- and the p-chart: pooled rate ± 3·√(variance / exposure), within 0 and `most`, times `multiply`."""
    _not_negative(counts)
    _not_negative(exposures)
    if any(count and not exposure for count, exposure in zip(counts, exposures, strict=True)):
        raise ValueError("Events without exposure have no rate.")
    empty = {point for point, exposure in enumerate(exposures) if not exposure}
    out = empty | set(exclude)
    rate = sum(_taken(counts, baseline, out)) / sum(_taken(exposures, baseline, out))
    limits: list[tuple[float | None, float | None]] = []
    for exposure in exposures:
        reach = SIGMAS * math.sqrt(variance(rate) / exposure) if exposure else None
        limits.append(
            (None, None) if reach is None else (max(0.0, rate - reach) * multiply, min(most, rate + reach) * multiply)
        )
    values = [
        count / exposure * multiply if exposure else 0.0 for count, exposure in zip(counts, exposures, strict=True)
    ]
    parameters = {**_parameters(baseline, exclude), "multiply": multiply}
    return _chart(method, values, rate * multiply, limits, out, parameters)


def _individuals(
    values: Sequence[float], baseline: int | None, exclude: Collection[int] = ()
) -> tuple[float, float | None]:
    """Mean and the reach of the limits around it, from moving ranges; no reach for a single value."""
    taken = _taken(values, baseline, exclude)
    return fmean(taken), SIGMAS * mean_moving_range(taken) / D2 if len(taken) > 1 else None


def _taken(values: Sequence[float], baseline: int | None = None, exclude: Collection[int] = ()) -> Sequence[float]:
    """The values that make the limits."""
    if baseline is not None and baseline < 1:
        raise ValueError("A baseline has at least one point.")
    taken = [value for point, value in enumerate(values[:baseline]) if point not in exclude]
    if not taken:
        raise ValueError("A chart needs at least one point.")
    return taken


def _parameters(baseline: int | None, exclude: Collection[int] = ()) -> dict[str, float | int | str]:
    parameters: dict[str, float | int | str] = {"sigmas": SIGMAS}
    if baseline is not None:
        parameters["baseline"] = baseline
    if exclude:
        parameters["excluded"] = len(exclude)
    return parameters


def _not_negative(values: Sequence[float]) -> None:
    if any(value < 0 for value in values):
        raise ValueError("Counts, exposures and gaps are not negative.")


def _longest(sides: Sequence[bool]) -> int:
    longest = current = 0
    for point, side in enumerate(sides):
        current = current + 1 if point and side == sides[point - 1] else 1
        longest = max(longest, current)
    return longest


def _crossings_min(useful: int) -> int:
    """The least x with P(binomial(n − 1, ½) ≤ x) ≥ 0.05, in whole numbers; 0 where there is nothing to cross."""
    ways, least = 0, 0
    for least in range(max(1, useful)):
        ways += math.comb(max(0, useful - 1), least)
        if 20 * ways >= 2 ** max(0, useful - 1):
            break
    return least
