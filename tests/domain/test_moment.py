"""Instants, dates and how far a window reaches: to the microsecond, over summer time, over the ends of months."""

from datetime import date
from zoneinfo import ZoneInfo

import pytest

from app.domain.moment import (
    Span,
    format_instant,
    from_micros,
    holds,
    lower_bound,
    parse_instant,
    parse_moment,
    to_micros,
    upper_bound,
)

UTC = ZoneInfo("UTC")
LONDON = ZoneInfo("Europe/London")
APIA = ZoneInfo("Pacific/Apia")

INSTANTS = [
    ("2026-03-02T08:15:00Z", "2026-03-02T08:15:00.000000Z"),
    ("2026-03-02t08:15:00z", "2026-03-02T08:15:00.000000Z"),
    ("2026-03-02T08:15:00.5+01:00", "2026-03-02T07:15:00.500000Z"),
    ("2026-03-02T00:15:00-05:30", "2026-03-02T05:45:00.000000Z"),
    ("2026-03-02T08:15:00.123456789Z", "2026-03-02T08:15:00.123456Z"),
    ("2026-03-02T23:59:59+23:59", "2026-03-02T00:00:59.000000Z"),
    ("0999-03-02T08:15:00-00:00", "0999-03-02T08:15:00.000000Z"),
]

NOT_INSTANTS = [
    "2026-03-02T08:15:00",
    "2026-03-02T08:15Z",
    "2026-03-02 08:15:00Z",
    "2026-03-02T08:15:60Z",
    "2026-03-02T24:00:00Z",
    "2026-02-30T08:15:00Z",
    "2026-03-02T08:15:00+24:00",
    "2026-03-02T08:15:00+01:60",
    "2026-03-02T08:15:00+0100",
    "2026-03-02T08:15:00.Z",
    "2026-03-02T08:15:00.1234567890Z",
    " 2026-03-02T08:15:00Z",
    "2026-03-02T08:15:00Z\n",
    "2026-03-02T08:15:00Ζ",
    "٢٠٢٦-03-02T08:15:00Z",
    "20260302T081500Z",
    "2026-W10-1T08:15:00Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "2026-03-02",
    "0",
    "",
]


@pytest.mark.parametrize(("text", "stored"), INSTANTS)
def test_an_instant_is_read_with_its_offset_and_kept_in_utc(text: str, stored: str) -> None:
    assert format_instant(parse_instant(text)) == stored


@pytest.mark.parametrize("text", NOT_INSTANTS)
def test_what_is_not_an_instant_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"^Give an instant as RFC 3339 .*\.$"):
        parse_instant(text)


@pytest.mark.parametrize("text", [*(text for text in NOT_INSTANTS if text != "2026-03-02"), "2026-2-3", "2026-02-30"])
@pytest.mark.parametrize("zone", [UTC, LONDON], ids=str)
def test_a_moment_is_an_instant_or_a_date_and_nothing_else(text: str, zone: ZoneInfo) -> None:
    with pytest.raises(ValueError, match="YYYY-MM-DD"):
        parse_moment(text, zone)


def test_an_instant_has_the_date_that_the_zone_showed() -> None:
    late_evening = "2026-06-01T23:30:00Z"

    assert parse_moment(late_evening, UTC).day == date(2026, 6, 1).toordinal()
    assert parse_moment(late_evening, LONDON).day == date(2026, 6, 2).toordinal()


def test_a_date_begins_at_its_local_midnight() -> None:
    moment = parse_moment("2026-06-01", LONDON)

    assert moment.date_only
    assert moment.day == date(2026, 6, 1).toordinal()
    assert shown(moment.at) == "2026-05-31T23:00:00.000000Z"


def test_microseconds_since_1970_and_instants_are_the_same_to_the_last_digit() -> None:
    instant = parse_instant("2026-03-02T08:15:00.123457Z")

    assert from_micros(to_micros(instant)) == instant


SPANS = [
    ("P14D", 0, 14, 0),
    ("P2W", 0, 14, 0),
    ("P1W1D", 0, 8, 0),
    ("P1M", 1, 0, 0),
    ("P1Y6M", 18, 0, 0),
    ("P100Y", 1200, 0, 0),
    ("PT12H", 0, 0, 43_200_000_000),
    ("P1DT1H1M1S", 0, 1, 3_661_000_000),
    ("PT0.011S", 0, 0, 11_000),
    ("PT0,5S", 0, 0, 500_000),
    ("PT1.5H", 0, 0, 5_400_000_000),
    ("P1.5D", 0, 1, 43_200_000_000),
    ("P0.5W", 0, 3, 43_200_000_000),
    ("PT336H", 0, 0, 14 * 86_400_000_000),
]

NOT_SPANS = [
    "",
    "P",
    "PT",
    "P1DT",
    "P0D",
    "PT0S",
    "PT0.0000001S",
    "-P1D",
    "+P1D",
    "P-1D",
    "p14d",
    "14D",
    "P14",
    "P14D ",
    "P1H",
    "PT1D",
    "P1D1W",
    "P0.5M",
    "P1.5Y",
    "P1.5DT1H",
    "P1201M",
    "P36526D",
    "PT3155760001S",
    "P999999999999999999999999999999Y",
    "P" + "9" * 10_000 + "D",
    "P١D",
]


@pytest.mark.parametrize(("text", "months", "days", "microseconds"), SPANS)
def test_a_duration_is_months_days_and_time_and_keeps_its_spelling(
    text: str, months: int, days: int, microseconds: int
) -> None:
    span = Span.parse(text)

    assert (span.months, span.days, span.microseconds) == (months, days, microseconds)
    assert str(span) == text


@pytest.mark.parametrize("text", NOT_SPANS, ids=lambda text: text[:20])
def test_a_duration_that_is_none_or_nothing_or_endless_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(Give a|Write a).*\.$"):
        Span.parse(text)


# Where a window begins, by rule: the span, whether by the calendar, the zone, its end and its open start.
BOUNDS = [
    ("P14D", False, UTC, "2026-03-15T09:00:00Z", "2026-03-01T09:00:00Z"),
    ("P14D", False, LONDON, "2026-03-30T09:00:00+01:00", "2026-03-16T08:00:00Z"),
    ("P14D", True, LONDON, "2026-03-30T09:00:00+01:00", "2026-03-16T09:00:00Z"),
    ("P14D", False, LONDON, "2026-10-26T09:00:00Z", "2026-10-12T09:00:00Z"),
    ("P14D", True, LONDON, "2026-10-26T09:00:00Z", "2026-10-12T09:00:00+01:00"),
    # 01:30 on 29 March was skipped: it moves forward to 02:30. 01:30 on 25 October came twice: the earlier.
    ("P1D", True, LONDON, "2026-03-30T01:30:00+01:00", "2026-03-29T02:30:00+01:00"),
    ("P1D", True, LONDON, "2026-10-26T01:30:00Z", "2026-10-25T01:30:00+01:00"),
    ("PT24H", True, LONDON, "2026-03-30T01:30:00+01:00", "2026-03-29T00:30:00Z"),
    ("P1M", False, UTC, "2026-03-31T09:00:00Z", "2026-02-28T09:00:00Z"),
    ("P1M", False, UTC, "2024-03-31T09:00:00Z", "2024-02-29T09:00:00Z"),
    ("P1Y", False, UTC, "2024-02-29T09:00:00Z", "2023-02-28T09:00:00Z"),
    ("P3M", False, UTC, "2026-01-15T09:00:00Z", "2025-10-15T09:00:00Z"),
    ("P1M", False, LONDON, "2026-04-10T09:00:00+01:00", "2026-03-10T09:00:00Z"),
    ("P1M", False, LONDON, "2026-04-29T01:30:00+01:00", "2026-03-29T02:30:00+01:00"),
    ("P1M", False, LONDON, "2026-11-25T01:30:00Z", "2026-10-25T01:30:00+01:00"),
    ("P1MT12H", False, UTC, "2026-03-31T09:00:00Z", "2026-02-27T21:00:00Z"),
    ("P1M1D", False, LONDON, "2026-04-30T09:00:00+01:00", "2026-03-29T09:00:00+01:00"),
    ("P1M1D", True, LONDON, "2026-04-29T09:00:00+01:00", "2026-03-28T09:00:00Z"),
]


@pytest.mark.parametrize(("text", "calendar", "zone", "end", "start"), BOUNDS)
def test_a_window_begins_where_the_calendar_or_the_clock_says(
    text: str, calendar: bool, zone: ZoneInfo, end: str, start: str
) -> None:
    bound = lower_bound(at(end), Span.parse(text), calendar, zone)

    assert shown(bound) == shown(at(start))


def test_a_window_holds_its_own_end_even_after_a_day_that_a_zone_left_out() -> None:
    morning = at("2011-12-31T10:00:00+14:00")  # Samoa went from the 29th to the 31st.

    assert lower_bound(morning, Span.parse("P1D"), True, APIA) < morning


def test_a_window_that_reaches_before_all_calendars_holds_everything() -> None:
    assert lower_bound(at("0050-01-01T00:00:00Z"), Span.parse("P99Y"), False, UTC) < at("0001-01-01T00:00:00Z")


def test_a_deadline_counts_forward_as_a_window_counts_back() -> None:
    end_of_january = at("2026-01-31T09:00:00Z")

    assert shown(upper_bound(end_of_january, Span.parse("P1M"), False, UTC)) == "2026-02-28T09:00:00.000000Z"
    assert shown(upper_bound(end_of_january, Span.parse("PT0.5S"), False, UTC)) == "2026-01-31T09:00:00.500000Z"


# Whether the window that ends at the anchor holds x. In UTC if not said otherwise.
PAIRS = [
    ("P14D", "2026-03-15T09:00:00Z", "2026-03-01T09:00:00Z", False, "exactly the width apart"),
    ("P14D", "2026-03-15T09:00:00Z", "2026-03-01T09:00:00.000001Z", True, "a microsecond less"),
    ("P14D", "2026-03-15T09:00:00Z", "2026-03-15T09:00:00Z", True, "the same instant"),
    ("P14D", "2026-03-15T09:00:00Z", "2026-03-15T09:00:00.000001Z", False, "after the anchor"),
    ("P14D", "2026-03-15", "2026-03-02", True, "the fourteenth date"),
    ("P14D", "2026-03-15", "2026-03-01", False, "the fifteenth date"),
    ("P14D", "2026-03-15", "2026-03-02T00:00:00Z", True, "the first instant of the fourteenth date"),
    ("P14D", "2026-03-15", "2026-03-01T23:59:59Z", False, "the last instant of the fifteenth date"),
    ("P14D", "2026-03-15", "2026-03-15T23:59:59Z", True, "an instant later on the anchor's date"),
    ("P14D", "2026-03-15T00:00:00Z", "2026-03-15", True, "a date that the anchor's instant only begins"),
    ("P14D", "2026-03-15T23:59:59Z", "2026-03-02", True, "a date, however late on its day the anchor is"),
    ("P14D", "2026-03-15T23:59:59Z", "2026-03-16", False, "the next date"),
    ("PT12H", "2026-03-15", "2026-03-15T23:00:00Z", True, "hours hold the same date"),
    ("PT12H", "2026-03-15", "2026-03-14", False, "and no other"),
    ("PT36H", "2026-03-15", "2026-03-14T00:00:00Z", True, "a day and a half holds yesterday"),
    ("PT36H", "2026-03-15", "2026-03-13T23:00:00Z", False, "but not the day before"),
    ("P1M", "2026-03-31", "2026-03-01", True, "the date after the clamped one"),
    ("P1M", "2026-03-31", "2026-02-28", False, "the clamped date itself"),
    ("P1M", "2026-03-28", "2026-02-28T23:00:00Z", False, "a month before, by dates"),
    ("P1M", "2026-03-28T09:00:00Z", "2026-02-28T09:00:00.000001Z", True, "a month less a microsecond"),
]


@pytest.mark.parametrize(("text", "anchor", "x", "held", "why"), PAIRS, ids=[pair[4] for pair in PAIRS])
def test_a_window_is_half_open_and_compares_by_dates_when_either_is_only_a_date(
    text: str, anchor: str, x: str, held: bool, why: str
) -> None:
    assert holds(parse_moment(anchor, UTC), parse_moment(x, UTC), Span.parse(text), False, UTC) is held, why


# 29 March 2026 has 23 hours in London and 25 October has 25; neither changes how many dates a window spans.
@pytest.mark.parametrize("day", [date(2026, 3, 29), date(2026, 10, 25)], ids=str)
@pytest.mark.parametrize("calendar", [False, True])
def test_fourteen_days_are_fourteen_dates_across_a_change_of_the_clock(day: date, calendar: bool) -> None:
    anchor = parse_moment(date.fromordinal(day.toordinal() + 3).isoformat(), LONDON)
    around = [date.fromordinal(day.toordinal() + offset).isoformat() for offset in range(-20, 21)]

    held = [x for x in around if holds(anchor, parse_moment(x, LONDON), Span.parse("P14D"), calendar, LONDON)]

    assert held == around[10:24]


@pytest.mark.parametrize(
    ("anchor", "x", "elapsed", "by_calendar"),
    [
        ("2026-03-29T23:30:00+01:00", "2026-03-28T23:30:00Z", True, False),
        ("2026-03-29T23:30:00+01:00", "2026-03-28T22:30:00Z", False, False),
        ("2026-10-25T23:30:00Z", "2026-10-24T23:30:00+01:00", False, False),
        ("2026-10-25T23:30:00Z", "2026-10-25T00:00:00+01:00", False, True),
        ("2026-10-25T23:30:00Z", "2026-10-25T00:30:00.000001+01:00", True, True),
        ("2026-10-25T22:30:00Z", "2026-10-24T23:00:00+01:00", False, True),
    ],
)
def test_a_day_on_the_calendar_is_23_or_25_hours_when_the_clock_changes(
    anchor: str, x: str, elapsed: bool, by_calendar: bool
) -> None:
    ends, one = parse_moment(anchor, LONDON), parse_moment(x, LONDON)

    assert holds(ends, one, Span.parse("P1D"), False, LONDON) is elapsed
    assert holds(ends, one, Span.parse("P1D"), True, LONDON) is by_calendar


def at(text: str) -> int:
    return to_micros(parse_instant(text))


def shown(micros: int) -> str:
    return format_instant(from_micros(micros))
