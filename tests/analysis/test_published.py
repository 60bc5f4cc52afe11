"""Published findings on real data: C. difficile around an intervention, and harms by the Global Trigger Tool."""

import csv
from collections import defaultdict
from pathlib import Path
from statistics import median

import pytest

from app.analysis import charts
from app.analysis.rates import compare
from tests import cases

SPC = cases.SHARED / "data" / "spc"
CDI = cases.load("oracles/cdi_before_after.json")
INTERVENTION = CDI["pre_months"]
BEFORE, AFTER = CDI["cases"][:INTERVENTION], CDI["cases"][INTERVENTION:]


def rows(name: str) -> list[dict[str, str]]:
    file: Path = SPC / name
    if not file.exists():
        pytest.skip(f"The real data is not beside the project: ../shared/data/spc/{name} is absent.")
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def test_c_difficile_ran_around_nineteen_a_month_and_then_below_it_for_fifteen() -> None:
    chart = charts.run_chart(CDI["cases"], baseline=INTERVENTION)

    assert chart.centre == 19
    assert chart.runs.longest == 15
    assert chart.runs.is_signal
    assert not charts.run_chart(BEFORE).runs.is_signal


def test_c_difficile_fell_from_nineteen_to_seven_a_month_with_new_limits_from_0_to_15() -> None:
    before, after = charts.c_chart(BEFORE), charts.c_chart(AFTER)

    assert (round(before.centre), round(after.centre)) == (19, 7)
    assert (after.lower[0], round(after.upper[0] or 0)) == (0, 15)
    assert (before.beyond, after.beyond) == ((), ())


def test_c_difficile_fell_below_the_limits_that_were_frozen_before_the_intervention() -> None:
    expected = CDI["expected"]

    chart = charts.u_chart(CDI["cases"], CDI["risk_days"], multiply=10_000, baseline=INTERVENTION)

    assert chart.centre == pytest.approx(expected["u_chart_frozen_cl_per_10000"], rel=1e-12)
    assert [point + 1 for point in chart.beyond] == expected["months_below_lcl_1based"]
    rates = [count / days * 10_000 for count, days in zip(CDI["cases"], CDI["risk_days"], strict=True)]
    assert sum(rate < chart.centre for rate in rates[INTERVENTION:]) == expected["post_points_below_cl"]


def test_the_months_of_the_oracle_are_those_of_the_real_data() -> None:
    real = rows("qic_cdi.csv")

    assert [int(row["n"]) for row in real] == CDI["cases"]
    assert [float(row["days"]) for row in real] == pytest.approx(CDI["risk_days"])
    assert median(int(row["n"]) for row in real if row["period"] == "pre") == 19
    totals = {
        period: [
            sum(int(row["n"]) for row in real if row["period"] == period),
            pytest.approx(sum(float(row["days"]) for row in real if row["period"] == period)),
        ]
        for period in ("pre", "post")
    }
    assert {period: CDI["expected"][period] for period in totals} == totals


def test_about_sixty_harms_in_a_thousand_days_were_found_by_the_trigger_tool_and_nothing_changed() -> None:
    harms: dict[str, int] = defaultdict(int)
    days: dict[str, float] = defaultdict(float)
    for row in rows("qic_gtt.csv"):
        harms[row["month"]] += int(float(row["harms"]))
        days[row["month"]] += float(row["days"])
    months = sorted(harms)

    chart = charts.u_chart([harms[month] for month in months], [days[month] for month in months], multiply=1000)

    assert chart.centre == pytest.approx(60, abs=3)
    assert (chart.beyond, chart.runs.is_signal) == ((), False)


def test_the_fall_of_c_difficile_is_an_outcome() -> None:
    (events, exposure), (events_after, exposure_after) = CDI["expected"]["pre"], CDI["expected"]["post"]

    found = compare(events_after, exposure_after, events, exposure)

    assert found.high is not None
    assert found.high < 0.5
