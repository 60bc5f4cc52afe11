"""Rising risk below the threshold: a Poisson CUSUM for each key, designed by how rarely it alarms when nothing changed.

S = max(0, S + count − k) from period to period, an alarm when S ≥ h. `k` lies between the usual rate and the one to
be found, `h` decides how long the chart is silent at the usual rate (its in-control run length, ARL₀). Counts and k
are multiples of one step, so the chart is a finite Markov chain and its run length is exact, not simulated.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

COARSE, FINEST = 20, 100
LEAST_MU0 = 0.02
# Beyond so many periods a run length says "never", and double precision says no more.
ENDLESS = 1e12


@dataclass(frozen=True, slots=True)
class Design:
    """Rates in events a period: usual `mu0`, to be found `mu1`; reference value `k`, limit `h`; `arl0` in periods."""

    mu0: float
    mu1: float
    k: float
    h: float
    arl0: float


@lru_cache(maxsize=4096)
def design(mu0: float, arl0: float = 520.0, ratio: float = 2.0) -> Design:
    """The chart that finds a rate `ratio` times the usual one, with the least limit whose ARL₀ is `arl0` or more.

    k = (μ₁ − μ₀) / (ln μ₁ − ln μ₀), rounded to 0.05 events (0.01 where the rate is below 0.1 a period); h the least
    multiple of 0.05 (0.01) that keeps at least `arl0` periods between false alarms on average: 520 weeks are ten years
    of one key. A rate below 0.02 a period (once a year, weekly) is designed as 0.02, and then alarms yet more rarely.

    Source: Lucas 1985 (Poisson CUSUM); oracle `surveillance.json`, `poisson_cusum`, whose table this reproduces.
    Errors: ValueError for a negative or infinite rate, a ratio of 1 or less, an `arl0` below 1.
    """
    if not (mu0 >= 0 and math.isfinite(mu0)):
        raise ValueError("A rate is not negative.")
    if not (ratio > 1 and math.isfinite(ratio)) or not (arl0 >= 1 and math.isfinite(arl0)):
        raise ValueError("A chart looks for a higher rate, and runs for at least one period.")
    usual = max(mu0, LEAST_MU0)
    steps = COARSE if usual >= 0.1 else FINEST
    k = max(1, round(usual * (ratio - 1) / math.log(ratio) * steps))
    width = 8 * steps
    while (lengths := _run_lengths(usual, k, steps, width))[-1] < arl0:
        width *= 2
    h = int(np.searchsorted(lengths, arl0)) + 1
    return Design(mu0, mu0 * ratio, k / steps, h / steps, float(lengths[h - 1]))


def run_length(mu: float, k: float, h: float) -> float:
    """Periods until the first alarm, on average, from S = 0 at a rate of `mu` events a period: exact, by Markov chain.

    At the usual rate this is ARL₀, at a higher one the detection delay. Source: Brook and Evans 1972.
    Errors: ValueError for a rate that is not positive, a `k` that is no positive multiple of 1/100, an `h` not above 0.
    """
    if not (mu > 0 and math.isfinite(mu)):
        raise ValueError("A rate is positive.")
    fraction = Fraction(k).limit_denominator(FINEST)
    if fraction <= 0 or abs(float(fraction) - k) > 1e-9 or not h > 0:
        raise ValueError("k is a positive multiple of a hundredth or coarser, and h is above 0.")
    steps = fraction.denominator
    states = max(1, math.ceil(h * steps - 1e-9))
    return float(_run_lengths(mu, fraction.numerator, steps, states)[-1])


def statistic(counts: Sequence[float], k: float, start: float = 0.0) -> tuple[float, ...]:
    """S after each period, as many as `counts` (events a period), from S = `start` before the first; no reset."""
    values: list[float] = []
    value = start
    for count in counts:
        value = max(0.0, value + count - k)
        values.append(value)
    return tuple(values)


def alarms(counts: Sequence[float], design: Design, reset: bool = False) -> tuple[int, ...]:
    """The periods (from 0) in which S ≥ h. With `reset` S is 0 again after each, else it alarms while S is up."""
    found: list[int] = []
    value = 0.0
    for period, count in enumerate(counts):
        value = max(0.0, value + count - design.k)
        if value >= design.h - 1e-9:  # Sums of tenths are not exact.
            found.append(period)
            value = 0.0 if reset else value
    return tuple(found)


def _run_lengths(mu: float, k: int, steps: int, width: int) -> NDArray[np.float64]:
    """The run lengths from S = 0 for every limit h = 1, 2, … `width`, with k and h in steps of 1/`steps`.

    The states of the chart with limit h are S = 0 … h − 1 steps, and its run length is e₀ᵀ·(I − Q)⁻¹·1. A smaller limit
    is a leading block of the same matrix, and without pivoting (I − Q is an M-matrix, so none is needed) so are its
    factors: one elimination gives every limit, and S falls by k at most, so only k rows below a pivot change.
    """
    matrix = np.eye(width) - _staying(mu, k, steps, width)
    right, left = np.ones(width), np.zeros(width)
    left[0] = 1.0
    terms = np.empty(width)
    for pivot in range(width):
        near, after = slice(pivot + 1, pivot + 1 + k), slice(pivot + 1, None)
        diagonal = max(float(matrix[pivot, pivot]), 1 / ENDLESS)
        factors = matrix[near, pivot] / diagonal
        share = left[pivot] / diagonal
        terms[pivot] = share * right[pivot]
        matrix[near, after] -= factors[:, None] * matrix[pivot, after]
        right[near] -= factors * right[pivot]
        left[after] -= share * matrix[pivot, after]
    return np.minimum(np.cumsum(terms), ENDLESS)


def _staying(mu: float, k: int, steps: int, width: int) -> NDArray[np.float64]:
    """Q: the chance to go from one of `width` states to another in one period; S = 0 is a floor."""
    counts = np.arange((width + k) // steps + 1)
    chances = np.exp(counts * math.log(mu) - mu - np.array([math.lgamma(count + 1) for count in counts]))
    staying = np.zeros((width, width))
    to_floor = (k - np.arange(width)) // steps
    staying[:, 0] = np.where(to_floor >= 0, np.cumsum(chances)[np.maximum(to_floor, 0)], 0.0)
    for count in range(max(0, (k - width) // steps), len(counts)):
        move = count * steps - k
        origins = np.arange(max(0, 1 - move), min(width, width - move))
        staying[origins, origins + move] += chances[count]
    return staying
