"""How often a rule fires although nothing is wrong: near misses that come at random, at a steady rate.

Two numbers that are easily taken for one another. *Episodes* is what a policy page shows: the report that makes the
threshold full, counted once. *Triggers* counts every report that finds the threshold reached, so that a cluster of
five counts three times; no rule opens so many reviews, since an open one takes the later reports in.
"""

import math

DAYS_IN_A_YEAR = 365.25


def episodes_a_year(rate_a_year: float, window_days: float, threshold: int) -> float:
    """Episodes a year to expect from chance: λ · P(Poisson(λW) = N − 1).

    `rate_a_year` λ in reports a year on one key, `window_days` W in days, `threshold` N in reports. 4.8 a year at 26
    reports, 14.1 at 52, for three in fourteen days. Source: domain.md §5.
    Errors: ValueError for a negative rate, a window that is not positive, a threshold below 1.
    """
    mean = _mean_in_window(rate_a_year, window_days, threshold)
    return rate_a_year * _poisson(mean, threshold - 1)


def triggers_a_year(rate_a_year: float, window_days: float, threshold: int) -> float:
    """Reports a year that see N − 1 others or more in their window: λ · P(Poisson(λW) ≥ N − 1), without any reset.

    Parameters and errors as in `episodes_a_year`. Source: oracle `surveillance.json`, `false_trigger_rate`.
    """
    mean = _mean_in_window(rate_a_year, window_days, threshold)
    below = math.fsum(_poisson(mean, count) for count in range(threshold - 1))
    return rate_a_year * max(0.0, 1 - below)


def share_reached(rate_a_year: float, window_days: float, threshold: int) -> float:
    """The share of the time, 0 to 1, at which the trailing window holds the threshold by chance: P(Poisson(λW) ≥ N).

    Parameters and errors as in `episodes_a_year`. On a key that is always above it, few episodes begin: the rule is
    not quiet, it is deafened.
    """
    mean = _mean_in_window(rate_a_year, window_days, threshold)
    return max(0.0, 1 - math.fsum(_poisson(mean, count) for count in range(threshold)))


def _mean_in_window(rate_a_year: float, window_days: float, threshold: int) -> float:
    if not (rate_a_year >= 0 and math.isfinite(rate_a_year)):
        raise ValueError("A rate is not negative.")
    if not (window_days > 0 and math.isfinite(window_days)):
        raise ValueError("A window lasts some time.")
    if threshold < 1:
        raise ValueError("A threshold is at least one report.")
    return rate_a_year * window_days / DAYS_IN_A_YEAR


def _poisson(mean: float, count: int) -> float:
    """P(Poisson(mean) = count)."""
    if mean == 0:
        return 1.0 if count == 0 else 0.0
    return math.exp(count * math.log(mean) - mean - math.lgamma(count + 1))
