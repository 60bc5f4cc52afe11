"""What is in alarm: by weeks that are over, against what was usual, and no more often by chance than is said."""

import dataclasses
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from app.domain.moment import to_micros
from app.domain.signal import Drought, Found, Trend
from app.operations.signal_findings import findings
from app.operations.signal_seen import Counted, Seen, Told, monday_named
from app.operations.trend_rising import rising
from app.projections.trend_watch import WHOLE, monday_of

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
NEWEST = date(2026, 2, 23).toordinal()
RISEN = (0, 0, 0, 0, 0, 0, 0, 1) * 3 + (1,) * 8
MEDICATION = ("rising", "willow-house", "medication")


def seen(*weeks: int, now: datetime = NOW, **particulars: Any) -> Seen:
    """A service with so many medication near misses a week, up to the last that is over; it reported yesterday."""
    last = monday_of(now.astimezone(UTC).toordinal()) - 7
    mondays = [last - 7 * n for n in reversed(range(len(weeks)))]
    standing = Seen(
        "willow-house",
        "Willow House (willow-house)",
        None,
        now,
        ZoneInfo("UTC"),
        mondays[0],
        [Counted(monday, "medication", None, None, True, n) for monday, n in zip(mondays, weeks, strict=True) if n],
        {WHOLE: to_micros(now - timedelta(days=1))},
        frozenset(),
        {},
        {},
        311,
    )
    return replace(standing, **particulars)


def found(of: Seen) -> list[Found]:
    return list(findings(of))


def test_a_rise_has_begun_in_the_first_week_of_its_climb() -> None:
    (trend,) = found(seen(*RISEN))

    assert isinstance(trend, Trend)
    assert (trend.kind, trend.since_week, trend.until_week) == ("rising", "2026-W02", "2026-W09")
    assert trend.since == datetime(2026, 1, 5, tzinfo=UTC)
    assert (trend.recent, trend.baseline, trend.baseline_weeks) == (1, round(3.5 / 24, 6), 24)


def test_the_week_that_is_not_over_is_not_counted() -> None:
    this_week = Counted(NEWEST + 7, "medication", None, None, True, 40)
    steady = seen(*(0, 0, 0, 1) * 8)

    assert found(replace(steady, counted=[*steady.counted, this_week])) == []


def test_a_week_begins_on_the_organisations_monday() -> None:
    """In Auckland it is Monday already, so the week that rose is over."""
    sunday = datetime(2026, 3, 1, 12, tzinfo=UTC)
    here = seen(*(0, 0, 0, 1) * 6, *(0, 0, 0, 0, 0, 0, 0, 9), now=NOW)

    assert found(replace(here, now=sunday)) == []
    (trend,) = found(replace(here, now=sunday, zone=ZoneInfo("Pacific/Auckland")))
    assert trend.since == datetime(2026, 2, 22, 11, tzinfo=UTC)


def test_what_rose_and_has_calmed_down_again_is_in_alarm_no_more() -> None:
    assert found(seen(*RISEN)) != []
    assert found(seen(*RISEN, *(0,) * 8)) == []


def test_what_no_active_rule_counts_makes_nothing_rise() -> None:
    risen = seen(*RISEN)

    assert found(replace(risen, counted=[one._replace(is_counted=False) for one in risen.counted])) == []


def test_the_weeks_of_an_open_escalation_are_not_watched() -> None:
    closed_on = NEWEST - 3 * 7

    assert found(seen(*RISEN, alarmed={"medication": NOW.toordinal()})) == []
    assert found(seen(*RISEN, alarmed={"medication": closed_on})) == []
    assert found(seen(*RISEN, alarmed={"visit": NOW.toordinal()})) != []
    (trend,) = found(seen(*RISEN[:-3], 3, 3, 3, alarmed={"medication": closed_on}))
    assert isinstance(trend, Trend)
    assert (trend.recent_weeks, trend.recent) == (3, 3)


@pytest.mark.parametrize(("answered_weeks_ago", "is_told"), [(None, False), (0, False), (8, False), (9, True)])
def test_an_open_signal_and_an_answer_of_the_last_eight_weeks_hold(
    answered_weeks_ago: int | None, is_told: bool
) -> None:
    answered_on = None if answered_weeks_ago is None else NOW.toordinal() - 7 * answered_weeks_ago

    assert bool(found(seen(*RISEN, told={MEDICATION: Told(0, answered_on)}))) == is_told


def test_a_silence_is_longer_than_chance_explains_at_the_usual_rate() -> None:
    def silent_for(days: float) -> list[Found]:
        return found(seen(*(1,) * 30, heard={WHOLE: to_micros(NOW - timedelta(days=days))}))

    assert silent_for(40) == []
    (drought,) = silent_for(50)
    assert isinstance(drought, Drought)
    assert (drought.baseline, drought.gap_days, drought.limit) == (1, 50, round(1 / 520, 8))
    assert drought.expected == pytest.approx(50 / 7, rel=1e-5)
    assert drought.says.startswith(
        "No near miss was reported in Willow House (willow-house) for 50 days, where 1.0 a week are usual:"
    )


def test_what_was_heard_by_a_clock_that_is_ahead_is_no_silence() -> None:
    ahead = to_micros(NOW + timedelta(hours=3))

    assert found(seen(*(1,) * 30, heard={WHOLE: ahead, "emar": ahead})) == []


@pytest.mark.parametrize(("usual", "is_watched"), [(40, True), (41, False)])
def test_what_is_reported_more_than_forty_times_a_week_is_watched_by_no_chart_here_and_in_a_trend(
    usual: int, is_watched: bool
) -> None:
    weeks = [usual] * 26 + [3 * usual] * 8

    assert bool(found(seen(*weeks))) == is_watched
    assert (rising(weeks, 26) is not None) == is_watched


def test_a_trend_and_a_signal_of_the_same_weeks_are_judged_by_the_same_chart() -> None:
    weeks = [0, 0, *RISEN[:24], *(2,) * 8]

    (trend,) = found(seen(*weeks))
    shown = rising(weeks, 26)

    assert isinstance(trend, Trend)
    assert trend.design is not None
    assert shown is not None
    assert dataclasses.astuple(trend.design) == pytest.approx(dataclasses.astuple(shown.design), rel=1e-5)


def test_too_little_was_usual_for_a_silence_to_say_anything() -> None:
    long_ago = to_micros(NOW - timedelta(weeks=30))

    assert found(seen(*(0,) * 10, 1, 1, 1, 1, 1, *(0,) * 30, heard={WHOLE: long_ago})) == []
    assert found(seen(*(1,) * 11, *(0,) * 30, heard={WHOLE: long_ago})) == []


def test_what_comes_from_a_source_whose_silence_was_told_is_not_expected() -> None:
    quiet = seen(*(1,) * 30, heard={WHOLE: to_micros(NOW - timedelta(days=60))})
    by_emar = replace(quiet, counted=[one._replace(source="emar") for one in quiet.counted])

    assert found(by_emar) != []
    assert found(replace(by_emar, silent=frozenset({"emar"}))) == []


def test_a_source_is_silent_by_itself_unless_its_silence_was_told() -> None:
    heard = {WHOLE: to_micros(NOW - timedelta(days=1)), "emar": to_micros(NOW - timedelta(days=60))}
    both = seen(*(1,) * 30, heard=heard)
    counted = [*both.counted, *(one._replace(source="emar") for one in both.counted)]

    (drought,) = found(replace(both, counted=counted))

    assert isinstance(drought, Drought)
    assert (drought.source, drought.baseline) == ("emar", 1)
    assert found(replace(both, counted=counted, silent=frozenset({"emar"}))) == []


def test_an_answered_silence_is_told_again_after_eight_weeks_and_another_one_at_once() -> None:
    heard_at = NOW - timedelta(days=80)
    series = ("drought", "willow-house", "")

    def told(since: datetime, answered_on: int) -> list[Found]:
        return found(
            seen(*(1,) * 30, heard={WHOLE: to_micros(heard_at)}, told={series: Told(to_micros(since), answered_on)})
        )

    assert told(heard_at, NOW.toordinal() - 20) == []
    assert told(heard_at, NOW.toordinal() - 70) != []
    assert told(heard_at - timedelta(days=90), NOW.toordinal() - 20) != []


@pytest.mark.parametrize("week", ["2026-W01", "2020-W53", "2026-W10"])
def test_a_week_is_named_by_its_monday(week: str) -> None:
    year, number, day = date.fromordinal(monday_named(week)).isocalendar()

    assert (f"{year}-W{number:02d}", day) == (week, 1)


# How often by chance


def years(seeds: int, usual: float, later: float) -> Iterator[bool]:
    """For each seed, whether a year of weekly looks signals a rise, after a year at the usual rate."""
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        weeks = [int(n) for n in (*rng.poisson(usual, 52), *rng.poisson(later, 52))]
        yield any(
            any(one for one in findings(seen(*weeks[:end])) if isinstance(one, Trend))
            for end in range(53, len(weeks) + 1)
        )


@pytest.mark.parametrize("usual", [0.25, 1.0])
def test_a_service_in_which_nothing_changes_is_signalled_about_once_in_ten_years(usual: float) -> None:
    assert sum(years(100, usual, usual)) <= 16


def test_a_frequency_that_doubles_is_signalled_within_a_year() -> None:
    assert sum(years(40, 1.0, 2.0)) >= 32
