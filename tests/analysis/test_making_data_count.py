"""The NHS "Making Data Count" rules, as the NHS-R package tests them."""

from typing import Any

import pytest

from app.analysis import making_data_count as mdc
from app.analysis.making_data_count import Xmr, xmr
from tests import cases

ORACLE = cases.load("oracles/nhs_plotthedots.json")
AROUND_ZERO = Xmr(0, -3, 3, -2, 2)


@pytest.mark.parametrize("case", ORACLE["limits"], ids=["plain", "screened", "unscreened"])
def test_the_limits_are_as_published(case: dict[str, Any]) -> None:
    limits = xmr(case["y"], case["screen_outliers"])

    expected = case["expected"]
    assert (limits.mean, limits.lower, limits.upper) == pytest.approx(
        (expected["mean"], expected["lpl"], expected["upl"]), rel=5e-7
    )
    assert limits.near_upper - limits.mean == pytest.approx((limits.upper - limits.mean) * 2 / 3)
    assert limits.mean - limits.near_lower == pytest.approx((limits.mean - limits.lower) * 2 / 3)


@pytest.mark.parametrize("case", ORACLE["seven_one_side"], ids=str)
def test_the_seventh_point_on_one_side_is_flagged(case: dict[str, Any]) -> None:
    assert list(mdc.seven_one_side(case["sign"])) == case["flag_last_of_run"]


@pytest.mark.parametrize("case", ORACLE["seven_point_trend"], ids=str)
def test_the_seventh_point_of_a_trend_is_flagged(case: dict[str, Any]) -> None:
    assert list(mdc.seven_point_trend(case["y"])) == case["flag"]


@pytest.mark.parametrize("case", ORACLE["two_in_three"], ids=str)
def test_two_of_three_near_a_limit_on_one_side_are_flagged(case: dict[str, Any]) -> None:
    flags = mdc.two_in_three(case["close"], case["side"])

    parts = [flag and close for flag, close in zip(flags, case["close"], strict=True)]
    assert [int(flag) for flag in (parts if "part_flag" in case else flags)] == case.get("part_flag", case.get("flag"))


@pytest.mark.parametrize("case", ORACLE["assurance"], ids=str)
def test_assurance_says_whether_the_target_will_be_met(case: dict[str, Any]) -> None:
    middle = (case["lpl"] + case["upl"]) / 2
    limits = Xmr(middle, case["lpl"], case["upl"], case["lpl"], case["upl"])

    assert mdc.assurance(case["direction"], limits, case["target"]) == case["expected"]


def test_the_causes_are_told_in_the_published_order() -> None:
    """Seven that rise on one side of the mean, two of three near the limit, the last beyond it."""
    causes = mdc.special_causes([0.1, 0.5, 1, 1.5, 2.1, 2.5, 3.5], AROUND_ZERO)

    names = {"outside limits": "outside_limits", "7-point trend": "trend", "2 in 3": "two_in_three"}
    assert [names.get(name, "one_side") for name in ORACLE["priority"]] == [
        "outside_limits",
        "trend",
        "two_in_three",
        "one_side",
    ]
    assert causes[0] == ("trend", "one_side")
    assert causes[5] == ("trend", "two_in_three", "one_side")
    assert causes[6] == ("outside_limits", "trend", "one_side")


def test_every_point_of_seven_is_part_of_the_cause_that_the_seventh_shows() -> None:
    causes = mdc.special_causes([-1, *[1] * 7, -1], AROUND_ZERO)

    assert causes == ((), *[("one_side",)] * 7, ())


def test_a_point_on_the_mean_breaks_a_run_and_equal_neighbours_break_a_trend() -> None:
    assert mdc.special_causes([1, 1, 1, 0, 1, 1, 1, 1], AROUND_ZERO) == ((),) * 8
    assert mdc.special_causes([-1.2, -0.8, -0.4, -0.4, 0.1, 0.4, 0.8], AROUND_ZERO) == ((),) * 7


def test_a_point_speaks_the_way_its_first_cause_goes() -> None:
    rising = [-1.5, -1, -0.5, -0.2, 0.2, 0.5, 1]

    assert mdc.directions(rising, AROUND_ZERO) == (1,) * 7
    assert mdc.directions(rising[::-1], AROUND_ZERO) == (-1,) * 7
    assert mdc.directions([0, -3.5, 0, 3.5], AROUND_ZERO) == (0, -1, 0, 1)


def test_a_baseline_makes_the_limits_and_nothing_else_does() -> None:
    assert xmr([5, 7, 5, 7, 90, 95], baseline=4) == xmr([5, 7, 5, 7])


def test_one_value_has_its_own_limits_and_none_has_none() -> None:
    assert xmr([4]) == Xmr(4, 4, 4, 4, 4)
    with pytest.raises(ValueError, match="at least one"):
        xmr([])
