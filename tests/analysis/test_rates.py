"""Exact comparison of two rates: every published number, and the agreement of interval and p."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.analysis.rates import can_be_significant, compare, rate_interval
from tests import cases

ORACLE = cases.load("oracles/poisson_rates.json")
CDI = cases.load("oracles/cdi_before_after.json")["expected"]
counts = st.integers(0, 60)
exposures = st.floats(0.5, 5000)


@pytest.mark.parametrize("case", ORACLE["two_sample"], ids=lambda case: case["note"][:40])
def test_two_rates_compare_as_published(case: dict[str, Any]) -> None:
    expected = case["expected"]

    found = compare(*case["args"])

    numbers = (found.rate_ratio, found.low, found.high, found.p)
    for number, value in zip(numbers, (expected["rate_ratio"], *expected["ci95"], expected["p_central"]), strict=True):
        assert number is value is None or number == pytest.approx(value, rel=1e-9)


@pytest.mark.parametrize("case", ORACLE["one_sample_ci95"], ids=lambda case: str(case["x"]))
def test_the_limits_of_one_rate_are_as_published(case: dict[str, Any]) -> None:
    assert rate_interval(case["x"], case["exposure"]) == pytest.approx(tuple(case["expected"]), rel=1e-9)


def test_the_fall_of_c_difficile_has_its_digits_far_out_in_the_tail() -> None:
    (events_before, days_before), (events_after, days_after) = CDI["pre"], CDI["post"]

    found = compare(events_after, days_after, events_before, days_before)

    assert found.rate_ratio == pytest.approx(CDI["rate_ratio"], rel=1e-12)
    assert (found.low, found.high) == pytest.approx(tuple(CDI["ci95"]), rel=1e-9)
    assert found.p == pytest.approx(CDI["p_central"], rel=1e-9)


def test_six_to_none_over_equal_time_can_be_evidence_and_five_to_none_cannot() -> None:
    assert can_be_significant(6, 30, 30)
    assert not can_be_significant(5, 30, 30)


def test_without_an_event_before_there_is_no_ratio_and_without_any_there_is_no_limit() -> None:
    risen, nothing = compare(3, 1, 0, 1), compare(0, 90, 0, 180)

    assert (risen.rate_ratio, risen.high) == (None, None)
    assert (nothing.rate_ratio, nothing.low, nothing.high, nothing.p) == (None, 0.0, None, 1.0)


@given(counts, exposures, counts, exposures)
def test_the_interval_leaves_out_1_exactly_when_p_is_below_5_percent(
    events_after: int, time_after: float, events_before: int, time_before: float
) -> None:
    found = compare(events_after, time_after, events_before, time_before)

    leaves_out_1 = (found.low or 0) > 1 or (found.high is not None and found.high < 1)

    assert leaves_out_1 == (found.p < 0.05) or found.p == pytest.approx(0.05, abs=1e-9)


@given(st.integers(0, 40), exposures, exposures)
def test_what_cannot_be_significant_is_significant_for_no_split(
    total: int, time_after: float, time_before: float
) -> None:
    reached = min(
        compare(events_after, time_after, total - events_after, time_before).p for events_after in range(total + 1)
    )

    assert can_be_significant(total, time_after, time_before) == (reached < 0.05) or math.isclose(reached, 0.05)


@given(counts, exposures, counts, exposures)
def test_no_number_is_infinite(events_after: int, time_after: float, events_before: int, time_before: float) -> None:
    found = compare(events_after, time_after, events_before, time_before)

    assert all(number is None or math.isfinite(number) for number in (found.rate_ratio, found.low, found.high))
    assert 0 <= found.p <= 1


@pytest.mark.parametrize(
    "arguments", [(-1, 1, 0, 1), (1, 0, 1, 1), (1, 1, 1, -1), (1, math.inf, 1, 1), (1, 1, 1, math.nan)]
)
def test_what_is_no_count_or_no_exposure_is_refused(arguments: tuple[int, float, int, float]) -> None:
    with pytest.raises(ValueError, match=r"negative|positive"):
        compare(*arguments)
