"""Trends: what is counted in which bucket, what is judged, and what is found although no threshold was reached."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.decider import Invalid
from app.domain.moment import to_micros
from app.domain.occurrence import Denominator
from app.domain.service import Locality
from app.operations import denominators
from app.operations.trend_asking import CHARTS, periods, weeks
from app.operations.trend_block import LEAST, Point, judged
from app.operations.trend_rising import rising, silence
from app.operations.trend_saying import Told
from app.operations.trend_saying import series as series_says
from app.operations.trends import Asked, trends
from tests.office import MONDAY, Office, opened

LONDON = ZoneInfo("Europe/London")
QUIET = (1, 0, 2, 1, 1, 0, 1, 2, 0, 1, 1, 1, 0, 2, 1, 0, 1, 1, 2, 0, 1, 1, 0, 1, 2, 1)
RISING = (1, 1, 2, 2, 2, 3, 2, 3)


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with opened(database_url) as office:
        yield office


def ask(office: Office, as_of: int | None = None, **asked: Any) -> dict[str, Any]:
    office.follow()
    with office.house.reader("default") as reader:
        then = replace(reader, as_of=as_of)
        return trends(then, then.settled(), Asked(**asked), office.clock())


def report(office: Office, days: Iterable[date], **changes: Any) -> None:
    for day in days:
        office.submit(occurred_at=f"{day.isoformat()}T12:00:00Z", **changes)


def weekly(counts: Iterable[int]) -> Iterator[date]:
    """Days on which so many happened in each complete week up to the office's Monday."""
    counts = list(counts)
    first = MONDAY.date() - timedelta(weeks=len(counts))
    for week, count in enumerate(counts):
        yield from (first + timedelta(weeks=week, days=2 * n) for n in range(count))


def state(office: Office, days: Iterable[date], **amounts: int) -> None:
    items = [Denominator("willow-house", day.isoformat(), **amounts) for day in days]
    office.do(office.command(lambda desk, cause: denominators.state(desk, cause, items), "denominators"))


def counts(series: Mapping[str, Any]) -> dict[str, int]:
    return {point["from"]: point["count"] for point in series["points"]}


def only(shown: Mapping[str, Any]) -> dict[str, Any]:
    (series,) = shown["series"]
    return series


def rules(series: Mapping[str, Any]) -> set[str]:
    return {signal["rule"] for signal in series["signals"]}


# Buckets


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_months_begin_at_local_midnight_on_both_sides_of_a_change_of_the_clocks() -> None:
    shown = periods(Asked(), at("2026-05-10T10:00:00"), LONDON)

    cuts = dict(zip(shown.edges, shown.cuts, strict=True))
    assert cuts[date(2026, 3, 1)] == to_micros(at("2026-03-01T00:00:00"))
    assert cuts[date(2026, 4, 1)] == to_micros(at("2026-03-31T23:00:00"))
    assert cuts[date(2025, 10, 1)] == to_micros(at("2025-09-30T23:00:00"))
    assert cuts[date(2025, 11, 1)] == to_micros(at("2025-11-01T00:00:00"))


def test_a_week_in_which_the_clocks_change_is_as_long_as_it_was() -> None:
    shown = weeks(periods(Asked(bucket="week"), at("2026-04-02T10:00:00"), LONDON), LONDON)

    assert shown.edges[-1] == date(2026, 3, 30)
    assert (shown.cuts[-1] - shown.cuts[-2]) / 3_600_000_000 == 167


@pytest.mark.parametrize(("bucket", "count"), [("day", 90), ("week", 52), ("month", 12)])
def test_what_is_usual_is_shown_with_the_bucket_that_still_runs(bucket: Any, count: int) -> None:
    shown = periods(Asked(bucket=bucket), MONDAY, LONDON)

    assert len(shown) == count + 1
    assert [shown.is_complete(n) for n in range(len(shown))] == [True] * count + [False]


def test_a_bucket_of_which_only_a_part_is_asked_for_is_not_complete() -> None:
    until = to_micros(at("2026-01-20T00:00:00"))

    shown = periods(Asked(until=until), MONDAY, LONDON)

    assert shown.edges[-1] == date(2026, 2, 1)
    assert shown.until == until
    assert not shown.is_complete(len(shown) - 1)


def pointer_of(asked: Asked) -> tuple[str, str]:
    with pytest.raises(Invalid) as refused:
        periods(asked, MONDAY, LONDON)
    (fault,) = refused.value.faults
    return fault.pointer, fault.code


def test_more_buckets_than_can_be_shown_are_refused() -> None:
    asked = Asked(bucket="day", since=to_micros(at("2024-01-01T00:00:00")))

    assert pointer_of(asked) == ("/query/from", "too-many-buckets")


@pytest.mark.parametrize("year", ["0001", "1850", "2030", "9999"])
def test_a_period_that_no_report_can_lie_in_is_refused(year: str) -> None:
    asked = Asked(since=to_micros(at(f"{year}-01-01T00:00:00")))

    assert pointer_of(asked)[0] == "/query/from"


# What is counted


def test_every_month_from_the_first_report_on_has_its_count_and_the_running_one_is_judged_by_no_rule(
    office: Office,
) -> None:
    report(office, [date(2025, 11, 3), date(2025, 11, 20), date(2026, 1, 5), date(2026, 3, 1)])

    series = only(ask(office))

    assert counts(series) == {
        "2025-11-01": 2,
        "2025-12-01": 0,
        "2026-01-01": 1,
        "2026-02-01": 0,
        "2026-03-01": 1,
    }
    assert [point["complete"] for point in series["points"]] == [True] * 4 + [False]
    assert series["points"][-1]["signals"] == []


def test_nought_begins_to_count_with_the_first_report_of_the_service_whatever_that_was_of(office: Office) -> None:
    report(office, [date(2025, 11, 3)])
    report(office, [date(2026, 2, 3)], incident_type="records", deviation=None)
    report(office, [date(2026, 1, 5)], service_id="oak-lodge")

    by_type = {one["key"]["incident_type"]: counts(one) for one in ask(office, group_by="incident_type")["series"]}
    by_service = {one["key"]["service_id"]: counts(one) for one in ask(office, group_by="service_id")["series"]}

    assert list(by_type["records"].values()) == [0, 0, 0, 1, 0]
    assert list(by_service["willow-house"].values()) == [1, 0, 0, 1, 0]
    assert list(by_service["oak-lodge"].values()) == [1, 0, 0]


def test_series_are_grouped_and_what_is_not_stated_is_a_series_too(office: Office) -> None:
    report(office, [date(2026, 2, 3), date(2026, 2, 4)], incident_type="records", deviation=None)
    report(office, [date(2026, 2, 5)], deviation="late")

    shown = ask(office, group_by="deviation", bucket="week")

    assert [(one["key"], sum(counts(one).values())) for one in shown["series"]] == [
        ({"deviation": None}, 2),
        ({"deviation": "late"}, 1),
    ]


def test_filters_count_what_has_their_values_and_a_service_by_any_of_its_names(office: Office) -> None:
    office.do(office.registration("willow-house", aliases=("WH-1",)))
    report(office, [date(2026, 2, 3)], deviation="late")
    report(office, [date(2026, 2, 4)], deviation="extra")
    report(office, [date(2026, 2, 5)], deviation="late", service_id="oak-lodge")

    shown = ask(office, filters={"service_id": "WH-1", "deviation": "late"})

    assert counts(only(shown))["2026-02-01"] == 1
    assert shown["filters"] == {"service_id": "willow-house", "deviation": "late"}


def test_a_classification_that_no_rule_counts_is_counted_when_it_is_asked_for(office: Office) -> None:
    report(office, [date(2026, 2, 3)], classification="unsafe_condition")

    assert counts(only(ask(office)))["2026-02-01"] == 0
    assert counts(only(ask(office, filters={"classification": "unsafe_condition"})))["2026-02-01"] == 1


def test_a_service_with_a_zone_of_its_own_has_its_own_midnights(office: Office) -> None:
    office.do(office.registration("willow-house", time_zone="America/New_York"))
    office.submit(occurred_at="2026-02-01T03:00:00Z")
    office.submit(occurred_at="2026-02-01")

    series = only(ask(office, filters={"service_id": "willow-house"}))

    assert counts(series) == {"2026-01-01": 1, "2026-02-01": 1, "2026-03-01": 0}
    assert counts(only(ask(office))) == {"2026-02-01": 2, "2026-03-01": 0}


def test_a_report_counts_for_the_locality_that_its_service_belonged_to_on_that_day(office: Office) -> None:
    moved = date(2026, 2, 10)
    office.do(
        office.registration(
            "willow-house", localities=(Locality("north", date(2025, 1, 1), moved), Locality("south", moved))
        )
    )
    report(office, [date(2026, 2, 9), date(2026, 2, 10), date(2026, 2, 11)])

    shown = ask(office, group_by="locality")

    assert {one["key"]["locality"]: counts(one)["2026-02-01"] for one in shown["series"]} == {"south": 2, "north": 1}


def test_what_was_known_then_is_shown_as_of_then_whatever_was_reported_or_corrected_since(office: Office) -> None:
    report(office, [date(2026, 1, 5), date(2026, 2, 3)])
    moved = office.submit(occurred_at="2026-02-04T12:00:00Z")
    february = [date(2026, 2, 1) + timedelta(days=n) for n in range(28)]
    state(office, february, resident_days=40)
    sequence = office.follow()
    before = ask(office, sequence, measure="rate")

    report(office, [date(2026, 1, 6), date(2026, 1, 7)])
    office.do(office.correction(moved["id"], occurred_at="2026-01-09T12:00:00Z"))
    office.do(office.withdrawal(moved["id"]))
    state(office, february, resident_days=80)

    assert ask(office, sequence, measure="rate") == before
    assert before["as_of_sequence"] == sequence
    assert [point["exposure"] for point in only(before)["points"][1:2]] == [1120.0]
    assert counts(only(ask(office)))["2026-01-01"] == 3
    assert counts(only(ask(office, sequence)))["2026-02-01"] == 2


def test_series_beyond_the_most_that_are_shown_are_summed(office: Office) -> None:
    for n in range(52):
        report(office, [date(2026, 2, 3)] * (2 if n == 7 else 1), service_id=f"service-{n:02d}")

    shown = ask(office, group_by="service_id")

    assert len(shown["series"]) == 50
    assert shown["series"][0]["key"] == {"service_id": "service-07"}
    rest = next(one for one in shown["series"] if "rest" in one)
    assert (rest["rest"], counts(rest)["2026-02-01"]) == (3, 3)
    assert sum(counts(one)["2026-02-01"] for one in shown["series"]) == 53


# Rates and shares


def test_a_rate_is_per_thousand_of_what_fits_and_a_month_that_is_hardly_stated_has_none(office: Office) -> None:
    january = [date(2026, 1, 1) + timedelta(days=n) for n in range(31)]
    state(office, january, doses_due=20, resident_days=10)
    state(office, [date(2026, 2, 3)], doses_due=20)
    report(office, [date(2026, 1, 5), date(2026, 1, 9), date(2026, 2, 3)])

    series = only(ask(office, measure="rate", filters={"incident_type": "medication"}))

    first, second, _ = series["points"]
    assert series["unit"] == "per 1,000 doses due"
    assert (first["count"], first["exposure"], first["value"]) == (2, 620.0, pytest.approx(2 / 0.62))
    assert second["value"] is None
    assert "exposure" not in second


def test_a_rate_leaves_out_the_reports_of_services_that_state_nothing_and_says_so(office: Office) -> None:
    state(office, [date(2026, 1, 1) + timedelta(days=n) for n in range(31)], resident_days=40)
    report(office, [date(2026, 1, 5)])
    report(office, [date(2026, 1, 6), date(2026, 1, 7)], service_id="oak-lodge")

    first = only(ask(office, measure="rate"))["points"][0]

    assert (first["count"], first["left_out"], first["exposure"]) == (1, 2, 1240.0)


def test_counts_by_week_are_a_u_chart_where_every_week_has_its_exposure_and_else_a_c_chart(office: Office) -> None:
    report(office, weekly([2] * 12))
    filters = {"service_id": "willow-house"}

    before = only(ask(office, bucket="week", filters=filters))
    state(office, [MONDAY.date() - timedelta(days=n) for n in range(1, 85)], doses_due=50, resident_days=20)
    after = only(ask(office, bucket="week", filters=filters))

    assert (before["method"], before["centre_line"]) == ("c", 2.0)
    assert (after["method"], after["unit"], after["points"][0]["exposure"]) == ("u", "per 1,000 resident days", 140.0)


def test_the_share_that_only_chance_stopped_is_of_those_whose_barrier_is_known(office: Office) -> None:
    report(office, [date(2026, 1, 5)] * 2, recovery_barrier="colleague")
    report(office, [date(2026, 1, 6)], recovery_barrier="chance")
    report(office, [date(2026, 1, 7)])

    series = only(ask(office, measure="chance_share"))

    first = series["points"][0]
    assert series["method"] == "p"
    assert (first["count"], first["exposure"], first["without_barrier"]) == (1, 3.0, 1)
    assert first["value"] == pytest.approx(1 / 3, abs=1e-4)


def test_a_rising_share_of_chance_is_signalled(office: Office) -> None:
    for n, month in enumerate([*range(3, 13), 1, 2]):
        day = date(2025 if month > 2 else 2026, month, 5)
        report(office, [day] * 4, recovery_barrier="chance" if n > 8 else "staff_check")

    series = only(ask(office, measure="chance_share"))

    assert "share_rose" in rules(series)
    assert "rose" in series["says"]


# What is said


def agrees(series: Mapping[str, Any]) -> bool:
    """Whether its sentence is one that the signals of the series allow."""
    says = series["says"]
    if series["signals"]:
        return not any(words in says for words in (" steady ", "too few"))
    return not any(words in says for words in (" rose ", " fell ", " were above ", " were below ", " vary by "))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # Sentences are the same on any.
def test_the_sentence_agrees_with_the_signals_whatever_is_asked(office: Office) -> None:
    state(office, [MONDAY.date() - timedelta(days=n) for n in range(1, 366)], resident_days=20)
    report(office, weekly((*QUIET, *(2, 3) * 10, 0, 1, 0, 0, 1, 0)), recovery_barrier="staff_check")
    report(office, weekly((0, 1, 0, 0) * 11), service_id="oak-lodge", recovery_barrier="staff_check")
    report(office, weekly((*(1,) * 4, *(0,) * 2)), service_id="oak-lodge", recovery_barrier="chance")
    report(office, weekly((*QUIET, *RISING, *(0,) * 18)), service_id="ash-court")
    asked = [
        {"measure": measure, "bucket": bucket, "group_by": "service_id"}
        for measure in ("count", "rate", "chance_share")
        for bucket in ("day", "week", "month")
    ]
    charts = [{"bucket": "week", "group_by": "service_id", "chart": one} for one in CHARTS if one not in ("p", "u")]

    shown = [(one, series) for one in (*asked, *charts) for series in ask(office, **one)["series"]]

    assert [(one, series["says"], rules(series)) for one, series in shown if not agrees(series)] == []
    assert {bool(series["signals"]) for _, series in shown} == {True, False}


LEVELS = st.lists(st.tuples(st.integers(0, 6), st.integers(1, 6)), min_size=2, max_size=20)
"""A number, and for how many weeks it stays: as changes come, and few crossings."""


@given(
    LEVELS.map(lambda levels: [number for number, times in levels for _ in range(times)]),
    st.sampled_from(["run", "c", "xmr", "t", "g"]),
    st.integers(0, 30),
    st.booleans(),
)
def test_the_sentence_agrees_with_the_signals_whatever_happened(
    values: list[int], method: str, before: int, is_silent: bool
) -> None:
    block = judged(method, "count", points(*values))
    weekly = values[:-1]
    climb = rising(weekly, before)
    quiet = silence(100, 0, to_micros(MONDAY) // 2, to_micros(MONDAY)) if is_silent else None
    weeks = [date(2025, 1, 6) + timedelta(weeks=n) for n in range(len(values))]

    says = series_says(Told(Asked(bucket="week"), "Near misses", LONDON, [block], climb, weeks, weekly, quiet))

    signals = [*block.signals, *(climb.alarms if climb is not None else ())]
    assert agrees({"says": says, "signals": signals})
    assert says.startswith("Near misses: nothing was reported for") == is_silent


def test_a_change_that_is_neither_up_nor_down_is_not_called_steady() -> None:
    values = [number for number in (1, 3) * 3 for _ in range(4)]
    block = judged("c", "count", points(*values, 0))
    weeks = [date(2025, 1, 6) + timedelta(weeks=n) for n in range(len(values) + 1)]

    says = series_says(Told(Asked(bucket="week"), "Near misses", LONDON, [block], None, weeks, values, None))

    assert [signal.rule for signal in block.signals] == ["few_crossings"]
    assert says == (
        "Near misses vary by more than chance explains: fewer crossings of the centre line than chance explains."
    )


def test_what_rose_and_has_fallen_silent_since_is_silent(office: Office) -> None:
    report(office, weekly((*QUIET, *RISING, *RISING, *(0,) * 18)))
    report(office, weekly([1] * 16), service_id="oak-lodge")

    says = next(one["says"] for one in ask(office, group_by="service_id")["series"] if one["drought"]["is_drought"])

    assert says.startswith("Near misses at willow-house: nothing was reported for 129 days")
    assert "Fewer reports is not safety" in says
    assert " rose " not in says
    assert says.endswith("were above what chance explains until 2025-11-01: about 9 a month.")


def test_what_rose_and_is_as_it_was_again_is_told_with_its_end(office: Office) -> None:
    report(office, weekly((*QUIET, *RISING, *RISING, *QUIET[:12])))

    series = only(ask(office))

    assert not series["cusum"]["is_rising"]
    assert series["cusum"]["alarms"] == [{"from": "2025-09-01", "to": "2025-12-08"}]
    assert series["says"] == (
        "Near misses were above what chance explains from 2025-09-01 until 2025-12-08: about 9.3 a month where about 4 "
        "a month was usual; since then about 4 a month."
    )


def test_a_share_that_rises_within_few_months_is_not_too_few(office: Office) -> None:
    for month, barrier in ((11, "staff_check"), (12, "chance")):
        report(office, [date(2025, month, 5)] * 12, recovery_barrier=barrier)
    report(office, [date(2026, 1, 5), date(2026, 2, 25)] * 6, recovery_barrier="chance")

    series = only(ask(office, measure="chance_share"))

    assert rules(series) == {"share_rose"}
    assert series["says"] == (
        "Near misses rose from 0% recovered by chance to 100% recovered by chance; "
        "the last 3 months are above what chance explains."
    )


def test_what_is_said_of_instants_is_said_in_dates_of_the_zone(office: Office) -> None:
    office.do(office.registration("willow-house", time_zone="Asia/Tokyo"))
    gaps = (3, 4, 2, 5, 3, 4, 2, 3, 5, 4, 3, 90)
    moments = [at("2025-06-01T23:30:00")]
    for gap in gaps:
        moments.append(moments[-1] + timedelta(days=gap))
    for moment in moments:
        office.submit(occurred_at=moment.isoformat())

    series = only(ask(office, bucket="event", filters={"service_id": "willow-house"}))

    assert [one["says"] for one in series["signals"] if one["rule"] == "outside_limits"] == [
        "Fewer than usual, 2025-07-10 to 2025-10-08: outside of the limits."
    ]
    assert "T23" not in series["says"]


def test_a_service_is_named_with_the_id_that_it_is_asked_for_by(office: Office) -> None:
    office.do(office.registration("willow-house", name="Willow House"))
    office.do(office.registration("oak-lodge"))
    report(office, [date(2026, 2, 3)])
    report(office, [date(2026, 2, 3)], service_id="oak-lodge")

    assert {one["what"] for one in ask(office, group_by="service_id")["series"]} == {
        "Near misses at Willow House (willow-house)",
        "Near misses at oak-lodge",
    }


# The chart that is asked for


def test_a_u_chart_without_anything_to_do_is_refused_with_the_charts_that_fit(office: Office) -> None:
    report(office, weekly([2] * 12))

    with pytest.raises(Invalid) as refused:
        ask(office, bucket="week", chart="u")

    (fault,) = refused.value.faults
    assert (fault.pointer, fault.code) == ("/query/chart", "does-not-fit")
    assert fault.detail.endswith(
        "PUT /v1/denominators). Without it counts can be charted as: run, c, t, g, xmr, cusum."
    )


def test_a_u_chart_that_is_asked_for_is_drawn_of_whatever_is_stated(office: Office) -> None:
    report(office, weekly([2] * 12))
    report(office, weekly([1] * 12), service_id="oak-lodge")
    state(office, [MONDAY.date() - timedelta(days=n) for n in range(1, 71)], resident_days=20)

    shown = ask(office, bucket="week", chart="u", group_by="service_id")["series"]

    stated = [sum(point["value"] is not None for point in one["points"]) for one in shown]
    assert [(one["method"], number) for one, number in zip(shown, stated, strict=True)] == [("u", 10), ("u", 0)]
    assert "no rate" in shown[1]["says"]


@pytest.mark.parametrize("bucket", ["day", "week", "month"])
@pytest.mark.parametrize("chart", [one for one in CHARTS if one not in ("p", "u")])
def test_whatever_chart_is_asked_for_is_the_one_that_is_drawn(office: Office, chart: str, bucket: Any) -> None:
    report(office, weekly([2] * 12))

    assert only(ask(office, bucket=bucket, chart=chart))["method"] == chart


# What is more than chance


def test_s19_a_frequency_that_rises_below_the_threshold_is_flagged_though_no_escalation_opened(office: Office) -> None:
    office.do(office.adoption({"threshold": 9}))
    office.do(office.registration("willow-house", name="Willow House"))
    report(office, weekly((*QUIET, *RISING, 4, 4)))

    series = only(ask(office, filters={"service_id": "willow-house", "incident_type": "medication"}))

    assert office.escalations() == []
    assert series["cusum"]["is_rising"]
    assert "cusum" in rules(series)
    assert series["says"] == (
        "Near misses of medication at Willow House (willow-house) rose from about 3.9 a month to about 12 a month; "
        "the last 8 weeks are above what chance explains."
    )


def test_a_quiet_series_that_stays_as_it_was_is_not_flagged(office: Office) -> None:
    report(office, weekly((*QUIET, *QUIET)))

    for bucket in ("week", "month"):
        shown = ask(office, bucket=bucket)
        assert shown["signals"] == []
        assert shown["drought"] == []
        assert "steady" in only(shown)["says"]


def test_a_service_that_falls_silent_is_flagged_and_fewer_reports_are_not_called_safety(office: Office) -> None:
    report(office, weekly((1, 2, 1, 1, 2, 1, 1, 1, 2, 1, 0, 0, 0, 0, 0, 0)))
    report(office, weekly([1] * 16), service_id="oak-lodge")

    shown = ask(office, group_by="service_id")

    (drought,) = shown["drought"]
    assert drought["key"] == {"service_id": "willow-house"}
    assert drought["p"] < 0.01 < drought["expected"]
    assert "Fewer reports is not safety" in drought["says"]


def test_what_is_rarer_than_one_a_bucket_is_judged_by_the_days_between(office: Office) -> None:
    gaps = (31, 45, 28, 60, 38, 52, 33, 41, 47, 36, 9, 5, 8)
    days = [date(2026, 3, 1)]
    for gap in reversed(gaps):
        days.append(days[-1] - timedelta(days=gap))
    report(office, sorted(days))

    since = to_micros(at("2024-09-01T00:00:00"))
    series = only(ask(office, bucket="week", since=since))

    assert series["method"] == "run"
    between = series["between"]
    assert (between["method"], between["unit"]) == ("t", "days between")
    assert [point["value"] for point in between["points"][:-1]] == list(gaps)
    assert not between["points"][-1]["complete"]


def test_event_by_event_the_points_are_the_days_between_reports(office: Office) -> None:
    report(office, [date(2026, 1, 5), date(2026, 1, 15), date(2026, 2, 4)])

    series = only(ask(office, bucket="event", chart="g"))

    assert [(point["value"], point["complete"]) for point in series["points"]] == [
        (10.0, True),
        (20.0, True),
        (25.0, False),
    ]


def points(*values: int) -> list[Point]:
    days = [date(2025, 1, 6) + timedelta(weeks=n) for n in range(len(values) + 1)]
    return [
        Point(days[n].isoformat(), days[n + 1].isoformat(), value, float(value), n + 1 < len(values))
        for n, value in enumerate(values)
    ]


def test_a_point_beyond_a_limit_is_marked_and_one_that_still_runs_never() -> None:
    block = judged("c", "count", points(2, 1, 3, 2, 1, 2, 3, 2, 1, 2, 12, 40))

    assert [(signal.rule, signal.direction, signal.points) for signal in block.signals] == [
        ("outside_limits", "up", (10,))
    ]
    assert block.upper[-1] is None


def test_too_few_points_are_judged_by_nothing() -> None:
    block = judged("c", "count", points(*[0] * (LEAST - 2), 30, 0))

    assert not block.signals
    assert block.centre is None


def test_a_shift_is_a_run_on_one_side_and_its_place_is_told() -> None:
    block = judged("run", "count", points(*(3, 2, 4, 3, 2, 4, 3, 2, 4, 3, 7, 8, 7, 9, 8, 7, 8, 9, 7, 8), 0))

    run = next(signal for signal in block.signals if signal.rule == "long_run")
    assert run.direction == "up"
    assert run.points[-1] == 19


def test_equal_times_between_reports_have_no_spread_and_signal_nothing() -> None:
    block = judged("t", "days between", points(*[7] * 14))

    assert not block.signals


@pytest.mark.parametrize("usual", [0.3, 1.0, 3.0])
def test_a_doubling_is_found_within_weeks_and_the_alarm_begins_where_the_climb_did(usual: float) -> None:
    steady = [round((n + 1) * usual) - round(n * usual) for n in range(52)]
    doubled = [round((n + 1) * 3 * usual) - round(n * 3 * usual) for n in range(26)]

    assert rising(steady, 26) is not None
    assert not rising(steady, 26).alarms  # pyright: ignore[reportOptionalMemberAccess]
    found = rising([*steady, *doubled], 52)

    assert found is not None
    assert found.is_rising
    first, last = found.alarms[-1]
    assert 52 <= first < last == 77


def test_a_rise_ends_where_the_sum_was_highest_though_the_sum_stays_above_its_limit() -> None:
    found = rising([*[1] * 26, *[6] * 8, *[1] * 8], 26)

    assert found is not None
    assert found.values[-1] > found.design.h
    assert not found.is_rising
    assert found.alarms == ((26, 33),)


def test_few_reports_say_nothing_about_silence() -> None:
    assert silence(4, 0, to_micros(MONDAY) // 2, to_micros(MONDAY)).test is None
