"""EARS C1 and the scan statistic, as their packages compute them."""

from typing import Any

import pytest

from app.analysis.surveillance import ears_c1, scan_log_likelihood
from tests import cases

ORACLE = cases.load("oracles/surveillance.json")
EARS = ORACLE["ears_c1"]


def test_the_upper_bounds_of_four_weeks_of_salmonella_newport_are_as_published() -> None:
    bounds = ears_c1(EARS["counts_7_before_then_from_week1"], EARS["alpha"], EARS["baseline"])

    assert bounds[:4] == pytest.approx(tuple(EARS["expected_first_4"]), abs=5e-7)


def test_there_is_no_bound_before_there_is_a_baseline() -> None:
    assert ears_c1([1, 2, 3], 0.05, 7) == ()


@pytest.mark.parametrize("case", ORACLE["poisson_scan_llr"]["cases"], ids=str)
def test_the_scan_statistic_is_as_published(case: dict[str, Any]) -> None:
    b, n = case["B"], case["N"]

    assert scan_log_likelihood(case["C"], b, n) == pytest.approx(case["expected"], abs=1e-12)


def test_what_is_no_baseline_and_no_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="baseline"):
        ears_c1([1, 2, 3], 0.05, 1)
    with pytest.raises(ValueError, match="alpha"):
        ears_c1([1, 2, 3], 1.0, 2)
    with pytest.raises(ValueError, match="zone"):
        scan_log_likelihood(3, 2, 2)
