"""Two rates of rare events compared exactly: given how many events there were, where they fell is binomial.

The p value is the central one (twice the smaller tail), because it alone agrees with the interval: below 0.05 exactly
when the 95 % interval leaves out 1. The minimum-likelihood p that R and statsmodels report may be below 0.05 beside an
interval that holds 1. No normal approximation anywhere: the counts of one service are small.
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RateRatio:
    """`rate_ratio` is after / before. Without an event before there is none, and no `high`: they are None."""

    rate_ratio: float | None
    low: float | None
    high: float | None
    p: float


def compare(
    after: int, exposure_after: float, before: int, exposure_before: float, confidence: float = 0.95
) -> RateRatio:
    """The rate after over the rate before: exact conditional ratio, Clopper–Pearson limits, central p.

    `after` and `before` are events, the exposures what they happened in: days, doses, visits, the same unit for both.
    Given `n = after + before`, `after` is binomial(n, π) with π = ρ·tₐ / (ρ·tₐ + t_b); the Clopper–Pearson limits of π
    map to the limits of ρ by π / (1 − π) · t_b / tₐ. `p` is central: 2 · the smaller tail at ρ = 1, at most 1.

    Source: Przyborowski and Wilenski 1940; Clopper and Pearson 1934; Fay 2010 (central p).
    Errors: ValueError for a negative count, an exposure that is not positive and finite, a confidence outside (0, 1).
    """
    _counted(after, before)
    _exposed(exposure_after, exposure_before)
    _within(confidence)
    from scipy.special import betaincinv  # pyright: ignore[reportMissingTypeStubs]

    tail = (1 - confidence) / 2
    exchange = exposure_before / exposure_after
    ratio = after / before * exchange if before else None
    low = _odds(float(betaincinv(after, before + 1, tail))) * exchange if after else 0.0
    high = _odds(float(betaincinv(after + 1, before, 1 - tail))) * exchange if before else None
    share = exposure_after / (exposure_after + exposure_before)
    return RateRatio(ratio, low, high, _central_p(after, after + before, share))


def rate_interval(count: int, exposure: float, confidence: float = 0.95) -> tuple[float, float]:
    """The exact limits of one Poisson rate, per unit of exposure, by the gamma quantiles.

    Source: Garwood 1936. No event in one unit has the upper limit 3.69 (not 3, which is one-sided).
    Errors: as in `compare`.
    """
    _counted(count)
    _exposed(exposure)
    _within(confidence)
    from scipy.special import gammaincinv  # pyright: ignore[reportMissingTypeStubs]

    tail = (1 - confidence) / 2
    low = float(gammaincinv(count, tail)) if count else 0.0
    return low / exposure, float(gammaincinv(count + 1, 1 - tail)) / exposure


def can_be_significant(total: int, exposure_after: float, exposure_before: float, alpha: float = 0.05) -> bool:
    """Whether any split of `total` events into before and after could reach p < `alpha`.

    The most telling splits are all before and all after. Over equal exposure six events can (6 → 0 has p 0.031) and
    five cannot (0.063): below that a comparison has nothing to say, whatever happened.
    """
    _counted(total)
    _exposed(exposure_after, exposure_before)
    share = exposure_after / (exposure_after + exposure_before)
    return 2 * min(share, 1 - share) ** total < alpha


def _central_p(after: int, total: int, share: float) -> float:
    """Twice the smaller tail of binomial(`total`, `share`) at `after`, at most 1."""
    from scipy.special import betainc  # pyright: ignore[reportMissingTypeStubs]

    # Incomplete beta functions, not bdtr: they keep their digits far out in the tail.
    at_most = float(betainc(total - after, after + 1, 1 - share)) if after < total else 1.0
    at_least = float(betainc(after, total - after + 1, share)) if after else 1.0
    return min(1.0, 2 * min(at_most, at_least))


def _odds(share: float) -> float:
    return share / (1 - share)


def _counted(*counts: int) -> None:
    if any(count < 0 for count in counts):
        raise ValueError("A count of events is not negative.")


def _exposed(*exposures: float) -> None:
    if not all(exposure > 0 and math.isfinite(exposure) for exposure in exposures):
        raise ValueError("An exposure is positive and finite.")


def _within(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ValueError("A confidence lies between 0 and 1.")
