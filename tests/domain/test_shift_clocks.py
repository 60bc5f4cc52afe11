"""Shift brackets on the days on which the clock changes: 2026 in London and in New York, across midnight, each way.

Each row is an instant in UTC, the clock that hung on the wall then, and the bracket. In London the clock skips 01:00 to
02:00 on 29 March and shows it twice on 25 October; in New York it skips 02:00 to 03:00 on 8 March and shows 01:00 to
02:00 twice on 1 November.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.domain.moment import parse_instant
from app.domain.shifts import CARE_HOME_TABLE, HOME_CARE_TABLE, Hours, Shift, by_table, shares, shift_bracket

LONDON, NEW_YORK = ZoneInfo("Europe/London"), ZoneInfo("America/New_York")

OWN: Mapping[str, Sequence[Hours]] = {
    "*": [
        Hours("evening", time(18), time(0)),
        Hours("small_hours", time(0), time(2)),
        Hours("waking", time(1, 30), time(7)),  # The half hour that both have is the first row's.
        Hours("day", time(7), time(18)),
    ]
}

Row = tuple[ZoneInfo, str, str, str]

CARE_HOME: list[Row] = [
    (LONDON, "2026-03-28T20:14:59Z", "20:14", "evening_handover"),
    (LONDON, "2026-03-28T20:15:00Z", "20:15", "night"),
    (LONDON, "2026-03-28T23:59:59Z", "23:59", "night"),
    (LONDON, "2026-03-29T00:00:00Z", "00:00", "night"),
    (LONDON, "2026-03-29T00:59:59Z", "00:59", "night"),
    (LONDON, "2026-03-29T01:00:00Z", "02:00", "night"),
    (LONDON, "2026-03-29T06:29:59Z", "07:29", "night"),
    (LONDON, "2026-03-29T06:30:00Z", "07:30", "morning_handover"),
    (LONDON, "2026-03-29T07:15:00Z", "08:15", "day"),
    (LONDON, "2026-03-29T18:30:00Z", "19:30", "evening_handover"),
    (LONDON, "2026-03-29T19:15:00Z", "20:15", "night"),
    (LONDON, "2026-10-24T18:30:00Z", "19:30", "evening_handover"),
    (LONDON, "2026-10-24T19:15:00Z", "20:15", "night"),
    (LONDON, "2026-10-25T00:30:00Z", "01:30", "night"),
    (LONDON, "2026-10-25T01:30:00Z", "01:30", "night"),
    (LONDON, "2026-10-25T06:30:00Z", "06:30", "night"),
    (LONDON, "2026-10-25T07:30:00Z", "07:30", "morning_handover"),
    (LONDON, "2026-10-25T08:15:00Z", "08:15", "day"),
    (LONDON, "2026-10-25T19:30:00Z", "19:30", "evening_handover"),
    (LONDON, "2026-10-25T20:15:00Z", "20:15", "night"),
    (NEW_YORK, "2026-03-08T01:15:00Z", "20:15", "night"),
    (NEW_YORK, "2026-03-08T06:59:59Z", "01:59", "night"),
    (NEW_YORK, "2026-03-08T07:00:00Z", "03:00", "night"),
    (NEW_YORK, "2026-03-08T11:29:59Z", "07:29", "night"),
    (NEW_YORK, "2026-03-08T11:30:00Z", "07:30", "morning_handover"),
    (NEW_YORK, "2026-03-08T12:15:00Z", "08:15", "day"),
    (NEW_YORK, "2026-03-08T23:30:00Z", "19:30", "evening_handover"),
    (NEW_YORK, "2026-03-09T00:15:00Z", "20:15", "night"),
    (NEW_YORK, "2026-10-31T23:30:00Z", "19:30", "evening_handover"),
    (NEW_YORK, "2026-11-01T05:30:00Z", "01:30", "night"),
    (NEW_YORK, "2026-11-01T06:30:00Z", "01:30", "night"),
    (NEW_YORK, "2026-11-01T12:29:59Z", "07:29", "night"),
    (NEW_YORK, "2026-11-01T12:30:00Z", "07:30", "morning_handover"),
    (NEW_YORK, "2026-11-02T00:30:00Z", "19:30", "evening_handover"),
    (NEW_YORK, "2026-11-02T01:15:00Z", "20:15", "night"),
]

HOME_CARE: list[Row] = [
    (LONDON, "2026-03-29T00:30:00Z", "00:30", "unassigned"),
    (LONDON, "2026-03-29T05:59:59Z", "06:59", "unassigned"),
    (LONDON, "2026-03-29T06:00:00Z", "07:00", "morning"),
    (LONDON, "2026-03-29T10:00:00Z", "11:00", "lunch"),
    (LONDON, "2026-03-29T13:00:00Z", "14:00", "unassigned"),
    (LONDON, "2026-03-29T15:00:00Z", "16:00", "tea"),
    (LONDON, "2026-03-29T18:00:00Z", "19:00", "bed"),
    (LONDON, "2026-03-29T21:00:00Z", "22:00", "unassigned"),
    (LONDON, "2026-10-25T06:00:00Z", "06:00", "unassigned"),
    (LONDON, "2026-10-25T07:00:00Z", "07:00", "morning"),
    (LONDON, "2026-10-25T21:59:59Z", "21:59", "bed"),
    (NEW_YORK, "2026-03-08T10:59:59Z", "06:59", "unassigned"),
    (NEW_YORK, "2026-03-08T11:00:00Z", "07:00", "morning"),
    (NEW_YORK, "2026-03-09T01:59:59Z", "21:59", "bed"),
    (NEW_YORK, "2026-11-01T11:00:00Z", "06:00", "unassigned"),
    (NEW_YORK, "2026-11-01T12:00:00Z", "07:00", "morning"),
    (NEW_YORK, "2026-11-02T02:59:59Z", "21:59", "bed"),
]

OWN_TABLE: list[Row] = [
    (LONDON, "2026-03-28T23:59:59Z", "23:59", "evening"),
    (LONDON, "2026-03-29T00:00:00Z", "00:00", "small_hours"),
    (LONDON, "2026-03-29T00:59:59Z", "00:59", "small_hours"),
    (LONDON, "2026-03-29T01:00:00Z", "02:00", "waking"),  # The hour between was none.
    (LONDON, "2026-10-24T22:59:59Z", "23:59", "evening"),
    (LONDON, "2026-10-24T23:00:00Z", "00:00", "small_hours"),
    (LONDON, "2026-10-25T00:45:00Z", "01:45", "small_hours"),
    (LONDON, "2026-10-25T01:45:00Z", "01:45", "small_hours"),
    (LONDON, "2026-10-25T02:00:00Z", "02:00", "waking"),
    (NEW_YORK, "2026-03-08T04:59:59Z", "23:59", "evening"),
    (NEW_YORK, "2026-03-08T05:00:00Z", "00:00", "small_hours"),
    (NEW_YORK, "2026-03-08T06:59:59Z", "01:59", "small_hours"),
    (NEW_YORK, "2026-03-08T07:00:00Z", "03:00", "waking"),
    (NEW_YORK, "2026-11-01T04:00:00Z", "00:00", "small_hours"),
    (NEW_YORK, "2026-11-01T05:45:00Z", "01:45", "small_hours"),
    (NEW_YORK, "2026-11-01T06:45:00Z", "01:45", "small_hours"),
    (NEW_YORK, "2026-11-01T07:00:00Z", "02:00", "waking"),
]


@pytest.mark.parametrize(("zone", "moment", "clock", "bracket"), CARE_HOME)
def test_in_a_care_home_the_clock_on_the_wall_decides(zone: ZoneInfo, moment: str, clock: str, bracket: str) -> None:
    assert on_the_wall(moment, zone) == clock
    assert shift_bracket(parse_instant(moment), zone, "willow", "care_home") == bracket


@pytest.mark.parametrize(("zone", "moment", "clock", "bracket"), HOME_CARE)
def test_in_home_care_the_clock_on_the_wall_decides(zone: ZoneInfo, moment: str, clock: str, bracket: str) -> None:
    assert on_the_wall(moment, zone) == clock
    assert shift_bracket(parse_instant(moment), zone, "rowan", "home_care") == bracket


@pytest.mark.parametrize(("zone", "moment", "clock", "bracket"), OWN_TABLE)
def test_by_a_table_of_its_own_the_clock_on_the_wall_decides(
    zone: ZoneInfo, moment: str, clock: str, bracket: str
) -> None:
    assert on_the_wall(moment, zone) == clock
    assert shift_bracket(parse_instant(moment), zone, "willow", "care_home", OWN) == bracket


def on_the_wall(moment: str, zone: ZoneInfo) -> str:
    return f"{parse_instant(moment).astimezone(zone):%H:%M}"


# Shifts that were worked through the change: their ends as people write them, on the clock of the place.

Worked = tuple[ZoneInfo, str, str, str, str]

BY_SHIFT: list[Worked] = [
    # 20:00 to 08:00 in London, eleven hours long.
    (LONDON, "2026-03-28T20:00", "2026-03-29T08:00", "2026-03-28T20:30:00Z", "evening_handover"),
    (LONDON, "2026-03-28T20:00", "2026-03-29T08:00", "2026-03-28T20:30:01Z", "night"),
    (LONDON, "2026-03-28T20:00", "2026-03-29T08:00", "2026-03-29T01:00:00Z", "night"),
    (LONDON, "2026-03-28T20:00", "2026-03-29T08:00", "2026-03-29T06:29:59Z", "night"),
    (LONDON, "2026-03-28T20:00", "2026-03-29T08:00", "2026-03-29T06:30:00Z", "morning_handover"),
    (LONDON, "2026-03-28T20:00", "2026-03-29T08:00", "2026-03-29T07:30:00Z", "morning_handover"),
    (LONDON, "2026-03-28T20:00", "2026-03-29T08:00", "2026-03-29T07:30:01Z", "day"),  # Over: the table decides.
    # The same in autumn, thirteen hours long.
    (LONDON, "2026-10-24T20:00", "2026-10-25T08:00", "2026-10-24T19:30:00Z", "evening_handover"),
    (LONDON, "2026-10-24T20:00", "2026-10-25T08:00", "2026-10-25T01:30:00Z", "night"),
    (LONDON, "2026-10-24T20:00", "2026-10-25T08:00", "2026-10-25T07:29:59Z", "night"),
    (LONDON, "2026-10-24T20:00", "2026-10-25T08:00", "2026-10-25T07:30:00Z", "morning_handover"),
    # A boundary a few minutes from the hour that was not, or that was twice.
    (LONDON, "2026-03-29T00:50", "2026-03-29T08:00", "2026-03-29T01:20:00Z", "morning_handover"),
    (LONDON, "2026-03-29T00:50", "2026-03-29T08:00", "2026-03-29T01:21:00Z", "night"),
    (LONDON, "2026-10-24T22:00", "2026-10-25T00:50", "2026-10-25T00:20:00Z", "morning_handover"),
    (LONDON, "2026-10-24T22:00", "2026-10-25T00:50", "2026-10-25T00:21:00Z", "night"),
    (LONDON, "2026-10-24T22:00", "2026-10-25T00:50", "2026-10-24T23:19:59Z", "night"),
    (LONDON, "2026-10-24T22:00", "2026-10-25T00:50", "2026-10-24T23:20:00Z", "morning_handover"),
    # Fifteen minutes before its end by the clock, and three quarters of an hour after it.
    (LONDON, "2026-10-24T22:00", "2026-10-25T01:30", "2026-10-25T00:30:00Z", "morning_handover"),
    (LONDON, "2026-10-24T22:00", "2026-10-25T01:30", "2026-10-25T01:15:00Z", "night"),
    (NEW_YORK, "2026-10-31T22:00", "2026-11-01T01:30", "2026-11-01T06:15:00Z", "night"),
    # A day shift of the day itself, and one whose midpoint the change moves.
    (LONDON, "2026-03-29T08:00", "2026-03-29T20:00", "2026-03-29T12:00:00Z", "day"),
    (LONDON, "2026-10-25T08:00", "2026-10-25T20:00", "2026-10-25T19:30:00Z", "evening_handover"),
    (NEW_YORK, "2026-03-07T20:00", "2026-03-08T08:00", "2026-03-08T00:30:00Z", "evening_handover"),
    (NEW_YORK, "2026-03-07T20:00", "2026-03-08T08:00", "2026-03-08T07:00:00Z", "night"),
    (NEW_YORK, "2026-03-07T20:00", "2026-03-08T08:00", "2026-03-08T11:29:59Z", "night"),
    (NEW_YORK, "2026-03-07T20:00", "2026-03-08T08:00", "2026-03-08T11:30:00Z", "morning_handover"),
    (NEW_YORK, "2026-03-08T01:50", "2026-03-08T09:00", "2026-03-08T07:20:00Z", "morning_handover"),
    (NEW_YORK, "2026-03-08T01:50", "2026-03-08T09:00", "2026-03-08T07:20:01Z", "night"),
    (NEW_YORK, "2026-10-31T20:00", "2026-11-01T08:00", "2026-11-01T06:30:00Z", "night"),
    (NEW_YORK, "2026-10-31T20:00", "2026-11-01T08:00", "2026-11-01T12:29:59Z", "night"),
    (NEW_YORK, "2026-10-31T20:00", "2026-11-01T08:00", "2026-11-01T12:30:00Z", "morning_handover"),
]


@pytest.mark.parametrize(("zone", "starts", "ends", "moment", "bracket"), BY_SHIFT)
def test_beside_the_ends_of_a_shift_time_is_measured_as_it_passes(
    zone: ZoneInfo, starts: str, ends: str, moment: str, bracket: str
) -> None:
    local = Shift(*(datetime.fromisoformat(one).replace(tzinfo=zone) for one in (starts, ends)))
    when = parse_instant(moment)

    by_utc = shift_bracket(when, zone, "willow", "care_home", None, local)
    by_wall = shift_bracket(when.astimezone(zone), zone, "willow", "care_home", None, local)

    assert (by_utc, by_wall) == (bracket, bracket)


@pytest.mark.parametrize("zone", [LONDON, NEW_YORK], ids=str)
@pytest.mark.parametrize("day", ["2026-03-08", "2026-03-29", "2026-10-25", "2026-11-01"])
def test_every_minute_of_such_a_day_is_of_the_bracket_that_its_clock_shows(zone: ZoneInfo, day: str) -> None:
    midnight = datetime.fromisoformat(day).replace(tzinfo=zone).astimezone(UTC)

    for minute in range(25 * 60):
        moment = midnight + timedelta(minutes=minute)
        clock = moment.astimezone(zone).time()
        assert shift_bracket(moment, zone, service_type="care_home") == by_table(CARE_HOME_TABLE, clock)
        assert shift_bracket(moment, zone, service_type="home_care") == by_table(HOME_CARE_TABLE, clock)


# The share of the hours


@pytest.mark.parametrize(
    ("table", "hours"),
    [
        (CARE_HOME_TABLE, {"morning_handover": 0.75, "day": 11.25, "evening_handover": 0.75, "night": 11.25}),
        (HOME_CARE_TABLE, {"morning": 4, "lunch": 3, "tea": 2, "bed": 3, "unassigned": 12}),
        (OWN["*"], {"evening": 6, "small_hours": 2, "waking": 5, "day": 11}),
        ([Hours("any", time(7), time(7))], {"any": 24}),
        ([], {"unassigned": 24}),
        (
            [Hours("night", time(22), time(6)), Hours("all", time(0), time(12))],
            {"night": 8, "all": 6, "unassigned": 10},
        ),
    ],
    ids=["care home", "home care", "own", "a whole day", "nothing", "overlapping across midnight"],
)
def test_a_bracket_has_its_share_of_the_hours(table: Sequence[Hours], hours: Mapping[str, float]) -> None:
    assert {bracket: share * 24 for bracket, share in shares(table).items()} == pytest.approx(dict(hours))


def test_the_shares_are_those_of_a_walk_through_the_day() -> None:
    for table in (CARE_HOME_TABLE, HOME_CARE_TABLE, OWN["*"]):
        walked = [by_table(table, time(*divmod(minute, 60))) for minute in range(24 * 60)]

        assert shares(table) == pytest.approx({one: walked.count(one) / (24 * 60) for one in set(walked)})
