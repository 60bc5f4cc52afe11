"""The Poisson CUSUM: its table exactly, and its run lengths by letting it run."""

import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.analysis import cusum
from tests import cases
from tests.rounds import rounds

ORACLE = cases.load("oracles/surveillance.json")["poisson_cusum"]
TABLE = ORACLE["table"]
DETECTION = {"arl0": 1.0, "arl_x1.5": 1.5, "arl_x2": 2.0, "arl_x3": 3.0}


def simulated(mu: float, design: cusum.Design, charts: int) -> tuple[float, float]:
    """The mean run length of so many charts at once, and its standard error."""
    chance = np.random.default_rng(int(mu * 1000))
    value, running, period = np.zeros(charts), np.ones(charts, dtype=bool), 0
    lengths = np.zeros(charts)
    while running.any():
        period += 1
        value = np.maximum(0, value + chance.poisson(mu, charts) - design.k)
        alarmed = running & (value >= design.h - 1e-9)
        lengths[alarmed] = period
        running &= ~alarmed
    return float(lengths.mean()), float(lengths.std() / charts**0.5)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: str(row["mu0"]))
def test_the_design_of_a_rate_is_the_one_in_the_table(row: dict[str, Any]) -> None:
    design = cusum.design(row["mu0"])

    assert (design.k, design.h, round(design.arl0, 1)) == (row["k"], row["h"], row["arl0"])


@pytest.mark.parametrize("row", TABLE, ids=lambda row: str(row["mu0"]))
@pytest.mark.parametrize("column", DETECTION)
def test_the_run_lengths_are_those_of_the_table(row: dict[str, Any], column: str) -> None:
    found = cusum.run_length(row["mu0"] * DETECTION[column], row["k"], row["h"])

    assert round(found, 1) == row[column]


def test_the_statistic_follows_the_published_trace() -> None:
    trace = ORACLE["trace"]

    assert cusum.statistic(trace["x"], trace["k"]) == tuple(trace["expected_S"])


@pytest.mark.soak
@pytest.mark.parametrize("row", TABLE, ids=lambda row: str(row["mu0"]))
@pytest.mark.parametrize("column", DETECTION)
def test_a_chart_that_runs_alarms_when_its_table_says(row: dict[str, Any], column: str) -> None:
    design = cusum.design(row["mu0"])

    mean, error = simulated(row["mu0"] * DETECTION[column], design, charts=100 * rounds(200))

    assert mean == pytest.approx(row[column], abs=4 * error + 0.05)


@settings(max_examples=30)
@given(st.floats(0, 60))
def test_no_design_alarms_more_often_than_once_in_ten_years(mu0: float) -> None:
    design = cusum.design(mu0)

    assert design.arl0 >= 520
    assert cusum.run_length(max(mu0, cusum.LEAST_MU0), design.k, design.h) == pytest.approx(design.arl0, rel=1e-6)


@pytest.mark.parametrize("mu0", [0.02, 0.06, 0.17, 0.8, 3.3, 11.0])
def test_a_limit_one_step_lower_would_alarm_too_often(mu0: float) -> None:
    design = cusum.design(mu0)
    step = 0.05 if mu0 >= 0.1 else 0.01

    assert cusum.run_length(mu0, design.k, design.h - step) < 520


def test_a_design_takes_no_more_than_fifty_milliseconds() -> None:
    rates = [0.05, 0.17, 0.42, 0.93, 2.7, 6.1]

    begun = time.process_time()
    for rate in rates:
        cusum.design.__wrapped__(rate)

    assert (time.process_time() - begun) / len(rates) < 0.05


def test_an_alarm_stands_while_the_sum_is_up_and_with_a_reset_it_begins_anew() -> None:
    design = cusum.design(1.0)
    counts = [4, 4, 4, 0, 0, 4, 4, 4]

    assert cusum.alarms(counts, design) == (2, 3, 5, 6, 7)
    assert cusum.alarms(counts, design, reset=True) == (2, 7)


def test_a_sum_that_reaches_the_limit_exactly_is_an_alarm() -> None:
    trace = cusum.Design(1, 2, k=ORACLE["trace"]["k"], h=4.5, arl0=520)
    tenths = cusum.Design(0.5, 1, k=0.7, h=0.9, arl0=520)

    assert cusum.alarms(ORACLE["trace"]["x"], trace) == (7,)
    assert cusum.alarms([1, 1, 1], tenths) == (2,), "Three times 0.3 is 0.9, though not in floating point."


def test_a_key_that_hardly_ever_reports_has_a_chart_too() -> None:
    assert (cusum.design(0).k, cusum.design(0).h) == (cusum.design(0.02).k, cusum.design(0.02).h)


def test_what_is_no_chart_is_refused() -> None:
    with pytest.raises(ValueError, match="rate"):
        cusum.design(-1)
    with pytest.raises(ValueError, match="higher rate"):
        cusum.design(1, ratio=1)
    with pytest.raises(ValueError, match="rate"):
        cusum.run_length(0, 1, 3)
    with pytest.raises(ValueError, match="hundredth"):
        cusum.run_length(1, 0.1234, 3)
