"""Run and control charts: Montgomery's examples as qicharts2 computes them, and what is drawn where little is known."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.analysis import charts
from app.analysis.charts import Runs
from tests import cases

ORACLE = cases.load("oracles/control_charts.json")


def published(runs: dict[str, Any]) -> Runs:
    return Runs(
        runs["n_useful"],
        runs["longest_run"],
        runs["longest_run_max"],
        runs["n_crossings"],
        runs["n_crossings_min"],
        runs["runs_signal"],
    )


def test_the_c_chart_is_as_published() -> None:
    case = ORACLE["c_chart"]
    out = [point - 1 for point in case["exclude_1based"]]

    chart = charts.c_chart(case["counts"], case["baseline_first_n"], out)

    expected = case["expected"]
    assert (chart.centre, chart.lower[0], chart.upper[-1]) == pytest.approx(
        (expected["cl"], expected["lcl"], expected["ucl"]), rel=1e-12
    )
    assert [point + 1 for point in chart.beyond] == expected["signals_1based"]
    assert chart.runs == published(expected["runs"])


def test_the_u_chart_of_equal_samples_is_as_published() -> None:
    case = ORACLE["u_chart_constant_n"]

    chart = charts.u_chart(case["counts"], [case["n"]] * len(case["counts"]))

    expected = case["expected"]
    assert (chart.centre, chart.lower[0], chart.upper[0]) == pytest.approx(
        (expected["cl"], expected["lcl"], expected["ucl"]), rel=1e-12
    )
    assert chart.runs == published(expected["runs"])
    assert chart.beyond == ()


def test_the_u_chart_of_unequal_samples_is_as_published() -> None:
    case = ORACLE["u_chart_variable_n"]

    chart = charts.u_chart(case["counts"], case["n"], case["multiply"])

    assert chart.centre == pytest.approx(case["expected"]["cl"], rel=1e-12)
    assert list(chart.lower) == pytest.approx(case["expected"]["lcl"], rel=1e-12)
    assert list(chart.upper) == pytest.approx(case["expected"]["ucl"], rel=1e-12)


def test_the_t_chart_is_as_published() -> None:
    case = ORACLE["t_chart"]

    chart = charts.t_chart(case["gaps"])

    expected = case["expected"]
    assert (chart.centre, chart.lower[0], chart.upper[0]) == pytest.approx(
        (expected["cl"], expected["lcl"], expected["ucl"]), rel=1e-9
    )
    assert chart.runs == published(expected["runs"])


def test_the_i_chart_is_as_published() -> None:
    case = ORACLE["i_chart"]

    chart = charts.i_chart(case["values"], case["baseline_first_n"])

    expected = case["expected"]
    assert (chart.centre, chart.lower[0], chart.upper[0]) == pytest.approx(
        (expected["cl"], expected["lcl"], expected["ucl"]), rel=1e-12
    )
    assert [point + 1 for point in chart.beyond] == expected["signals_1based"]
    assert [round(limit, 2) for limit in (chart.lower[0] or 0, chart.upper[0] or 0)] == expected["with_2.66_constant"]


def test_the_g_chart_is_as_published() -> None:
    case = ORACLE["g_chart"]

    chart = charts.g_chart(case["gaps"])

    expected = case["expected"]
    assert (chart.parameters["mean"], chart.centre, chart.lower[0], chart.upper[0]) == pytest.approx(
        (expected["mean"], expected["median_cl"], expected["lcl"], expected["ucl"]), rel=1e-12
    )


@pytest.mark.parametrize(("points", "limits"), ORACLE["anhoej_limits"]["table"].items())
def test_chance_allows_so_long_a_run_and_so_few_crossings(points: str, limits: dict[str, int]) -> None:
    runs = charts.runs([(-1) ** point for point in range(int(points))], 0)

    assert (runs.longest_max, runs.crossings_min) == (limits["longest_run_max"], limits["crossings_min"])


def test_a_run_that_is_too_long_is_a_signal_and_so_are_too_few_crossings() -> None:
    mixed = [(-1) ** point for point in range(20)]

    assert not charts.runs([*mixed, *[1] * 7], 0).is_signal
    assert charts.runs([*mixed, *[1] * 9], 0).is_signal
    assert charts.runs([-1] * 5 + [1] * 5 + [-1] * 5 + [1] * 5, 0).is_signal


def test_a_point_on_the_centre_line_neither_makes_nor_breaks_a_run() -> None:
    assert charts.runs([1, 1, 0, 1, -1], 0) == charts.runs([1, 1, 1, -1], 0)
    assert charts.runs([3, 3, 3], 3) == Runs(0, 0, 0, 0, 0, False)


def test_a_share_lies_between_none_and_all() -> None:
    chart = charts.p_chart([1, 9, 5], [10, 10, 10], multiply=100)

    reach = 300 * math.sqrt(0.25 / 10)
    assert chart.centre == pytest.approx(50)
    assert (chart.lower[0], chart.upper[0]) == pytest.approx((50 - reach, 50 + reach))
    assert charts.p_chart([1, 1], [2, 2]).upper == (1.0, 1.0)
    assert charts.p_chart([1, 1], [2, 2]).lower == (0.0, 0.0)


def test_a_month_without_exposure_has_no_limits_and_takes_part_in_nothing() -> None:
    chart = charts.u_chart([2, 0, 4], [100, 0, 200], multiply=1000)

    assert (chart.lower[1], chart.upper[1]) == (None, None)
    assert chart.centre == 20
    assert chart.beyond == ()
    with pytest.raises(ValueError, match="without exposure"):
        charts.u_chart([1], [0])


def test_a_run_chart_has_a_median_and_no_limits() -> None:
    chart = charts.run_chart([1, 2, 9])

    assert (chart.centre, chart.lower, chart.upper, chart.beyond) == (2, (None,) * 3, (None,) * 3, ())


def test_one_measurement_has_no_limits_yet() -> None:
    assert charts.i_chart([4]).upper == (None,)
    assert charts.t_chart([4]).upper == (None,)


@pytest.mark.parametrize("chart", [charts.run_chart, charts.c_chart, charts.i_chart, charts.t_chart, charts.g_chart])
def test_a_chart_of_nothing_is_refused(chart: Any) -> None:
    with pytest.raises(ValueError, match="at least one point"):
        chart([])


def test_what_cannot_be_counted_is_refused() -> None:
    with pytest.raises(ValueError, match="not negative"):
        charts.c_chart([1, -1])
    with pytest.raises(ValueError, match="not more than its total"):
        charts.p_chart([3], [2])
    with pytest.raises(ValueError, match="baseline"):
        charts.c_chart([1, 2], baseline=0)


@settings(max_examples=50)
@given(st.lists(st.integers(0, 50), min_size=1, max_size=60))
def test_no_chart_holds_a_number_that_is_none(counts: list[int]) -> None:
    for chart in (charts.c_chart(counts), charts.i_chart(counts), charts.t_chart(counts), charts.g_chart(counts)):
        limits = [limit for limit in (*chart.lower, *chart.upper) if limit is not None]

        assert all(math.isfinite(limit) for limit in (chart.centre, *limits))
        assert all(0 <= point < len(counts) for point in chart.beyond)
