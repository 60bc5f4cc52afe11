"""What an action achieved, told honestly: whether the rate fell, and whether anybody could know.

Fewer reports are not fewer near misses. So a fall is only told when the reporting of the service stood, no source was
silent, and the exact comparison shows it; and too few events to show anything are called that, not "no effect".
"""

import math
from dataclasses import dataclass
from typing import Literal

from app.analysis.rates import RateRatio, can_be_significant, compare

ALPHA = 0.05

Verdict = Literal["fell", "rose", "not_shown", "too_little_data", "reporting_fell"]


@dataclass(frozen=True, slots=True)
class Arm:
    """Events in an exposure (days, or doses, visits, resident-days; the same unit in both arms)."""

    events: int
    exposure: float


@dataclass(frozen=True, slots=True)
class Assessment:
    """`comparison` is None when an arm has no exposure yet: then there is nothing to divide by."""

    verdict: Verdict
    comparison: RateRatio | None


@dataclass(frozen=True, slots=True)
class DroughtTest:
    """`expected`: reports to expect in the gap; `p`: the probability that none comes."""

    is_drought: bool
    expected: float
    p: float


def assess(
    before: Arm,
    after: Arm,
    reporting_before: Arm | None = None,
    reporting_after: Arm | None = None,
    silent: bool = False,
) -> Assessment:
    """The verdict on one review's actions: exact conditional Poisson comparison, 95 %, central p (domain.md §5, S17).

    `before` is the baseline (180 days before the first member), `after` the follow-up (90 days after the effect); the
    trigger cluster is in neither, or regression to the mean shows a fall where nothing changed. `reporting_*` are the
    other reports of the service in the same two periods: with the key itself among them a service that reports little
    else could never show a fall. `silent`: a source that should have spoken did not.

    - `rose`: p < 0.05 and a ratio above 1; stands whatever reporting did, for lost reports only hide a rise.
    - `reporting_fell`: otherwise, when reporting fell (p < 0.05) or a source was silent. The verdict is withheld.
    - `too_little_data`: no split of the events seen could reach p < 0.05 (5 → 0 over equal exposure; 6 → 0 can).
    - `fell`: p < 0.05 and a ratio below 1. `not_shown`: everything else.

    Errors: ValueError for negative counts or exposures.
    """
    comparison = _comparison(before, after)
    if comparison and _is_significant(comparison) and not _is_lower(comparison):
        return Assessment("rose", comparison)
    if silent or _fell(reporting_before, reporting_after):
        return Assessment("reporting_fell", comparison)
    if comparison is None or not can_be_significant(
        before.events + after.events, after.exposure, before.exposure, ALPHA
    ):
        return Assessment("too_little_data", comparison)
    return Assessment("fell" if _is_significant(comparison) else "not_shown", comparison)


def drought(gap_days: float, baseline_count: int, baseline_days: float, alpha: float = 0.01) -> DroughtTest:
    """Whether a silence of `gap_days` is longer than chance explains at the rate of the baseline.

    P(no report in the gap) = exp(−rate · gap), with rate = `baseline_count` / `baseline_days`, in reports a day. The
    rate is taken as known: few reports in the baseline make it uncertain. No report in it expects none: no drought.
    Source: the Poisson process; domain.md §5: silence is a signal.
    Errors: ValueError for a negative gap or count, or a baseline that is not positive.
    """
    if gap_days < 0 or baseline_count < 0 or not baseline_days > 0:
        raise ValueError("A gap and a count are not negative, and a baseline lasts some time.")
    expected = baseline_count / baseline_days * gap_days
    p = math.exp(-expected)
    return DroughtTest(p < alpha, expected, p)


def share_rose(
    recent: int, recent_total: int, before: int, before_total: int, alpha: float = 0.01
) -> tuple[bool, float]:
    """Whether a share rose (of near misses stopped by chance alone, say), and the one-sided p: Fisher's exact test.

    `recent` of `recent_total` against `before` of `before_total`. p is the hypergeometric probability of `recent` or
    more, given all four margins. Source: Fisher 1935.
    Errors: ValueError unless 0 ≤ part ≤ total on both sides.
    """
    if not (0 <= recent <= recent_total and 0 <= before <= before_total):
        raise ValueError("A part lies between none and all of its total.")
    p = _at_least(recent, recent_total, recent + before, recent_total + before_total)
    return p < alpha, p


def _comparison(before: Arm, after: Arm) -> RateRatio | None:
    if min(before.events, after.events, before.exposure, after.exposure) < 0:
        raise ValueError("Events and exposures are not negative.")
    if before.exposure == 0 or after.exposure == 0:
        return None
    return compare(after.events, after.exposure, before.events, before.exposure)


def _fell(before: Arm | None, after: Arm | None) -> bool:
    comparison = _comparison(before, after) if before and after else None
    return comparison is not None and _is_significant(comparison) and _is_lower(comparison)


def _is_significant(comparison: RateRatio) -> bool:
    return comparison.p < ALPHA


def _is_lower(comparison: RateRatio) -> bool:
    """Whether the ratio is below 1; without an event before there is no ratio, and nothing to fall from."""
    return comparison.rate_ratio is not None and comparison.rate_ratio < 1


def _at_least(drawn: int, draws: int, marked: int, size: int) -> float:
    """P(at least `drawn` marked ones in `draws` of `size`, of which `marked` are marked)."""
    most = min(draws, marked)
    chances = [
        math.exp(_ways(marked, k) + _ways(size - marked, draws - k) - _ways(size, draws))
        for k in range(drawn, most + 1)
    ]
    return min(1.0, math.fsum(chances))


def _ways(size: int, chosen: int) -> float:
    """The logarithm of the binomial coefficient."""
    return math.lgamma(size + 1) - math.lgamma(chosen + 1) - math.lgamma(size - chosen + 1)
