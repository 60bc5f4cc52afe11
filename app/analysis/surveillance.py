"""Two yardsticks of public-health surveillance: a short moving baseline, and how unlikely a cluster is."""

import math
from collections.abc import Sequence
from statistics import NormalDist, fmean, stdev


def ears_c1(counts: Sequence[float], alpha: float, baseline: int) -> tuple[float, ...]:
    """The upper bound of each period after the first `baseline` ones, from the `baseline` periods just before it.

    mean + z(1 − alpha) · standard deviation (n − 1), of counts a period. The answer has `len(counts) − baseline`
    entries, none when there are too few counts; a count above its bound alarms. It knows no season and, with seven
    periods, learns a slow rise as the new normal. Source: EARS C1, as in the R package surveillance (`earsC`).
    Errors: ValueError for a baseline below 2 or an alpha outside (0, 1).
    """
    if baseline < 2:
        raise ValueError("A baseline has at least two periods.")
    if not 0 < alpha < 1:
        raise ValueError("An alpha lies between 0 and 1.")
    z = NormalDist().inv_cdf(1 - alpha)
    moving = (counts[end - baseline : end] for end in range(baseline, len(counts)))
    return tuple(fmean(window) + z * stdev(window) for window in moving)


def scan_log_likelihood(c: float, b: float, n: float) -> float:
    """Kulldorff's log-likelihood ratio of a zone with `c` events where `b` were expected, of `n` in all.

    c·ln(c/b) + (n − c)·ln((n − c)/(n − b)) when c > b, else 0 (only more than expected is a cluster).
    Source: Kulldorff 1997; the R package scanstatistics.
    Errors: ValueError unless 0 < b < n and 0 ≤ c ≤ n.
    """
    if not (0 < b < n and 0 <= c <= n):
        raise ValueError("A zone expects some of all events, and not all of them.")
    if c <= b:
        return 0.0
    outside = (n - c) * math.log((n - c) / (n - b)) if c < n else 0.0
    return c * math.log(c / b) + outside
