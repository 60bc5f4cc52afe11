"""Shift brackets: by the shift that was worked, by the policy's table, by the type of service."""

from datetime import datetime, time
from zoneinfo import ZoneInfo

import pytest

from app.domain.moment import parse_instant
from app.domain.shifts import Hours, Shift, shift_bracket

LONDON = ZoneInfo("Europe/London")

SPRING_FORWARD = "2026-03-29"  # 01:00 UTC is 02:00 local, an hour that the clock skipped.
FALL_BACK = "2026-10-25"  # 01:00 UTC is 01:00 local for the second time.


def at(text: str) -> datetime:
    return parse_instant(text)


def worked(starts_at: str, ends_at: str) -> Shift:
    return Shift(at(starts_at), at(ends_at))


BY_DEFAULT = [
    ("care_home", "2026-01-15T07:29:59Z", "night"),
    ("care_home", "2026-01-15T07:30:00Z", "morning_handover"),
    ("care_home", "2026-01-15T08:14:59Z", "morning_handover"),
    ("care_home", "2026-01-15T08:15:00Z", "day"),
    ("care_home", "2026-01-15T19:30:00Z", "evening_handover"),
    ("care_home", "2026-01-15T20:15:00Z", "night"),
    ("care_home", "2026-01-15T23:59:59Z", "night"),
    ("care_home", "2026-01-16T00:00:00Z", "night"),
    ("care_home", "2026-07-15T06:45:00Z", "morning_handover"),
    ("home_care", "2026-01-15T07:00:00Z", "morning"),
    ("home_care", "2026-01-15T11:00:00Z", "lunch"),
    ("home_care", "2026-01-15T14:00:00Z", "unassigned"),
    ("home_care", "2026-01-15T16:00:00Z", "tea"),
    ("home_care", "2026-01-15T18:30:00Z", "unassigned"),
    ("home_care", "2026-01-15T21:59:59Z", "bed"),
    ("home_care", "2026-01-15T22:00:00Z", "unassigned"),
    ("supported_living", "2026-01-15T07:45:00Z", "morning_handover"),
    (None, "2026-01-15T07:45:00Z", "morning_handover"),
]


@pytest.mark.parametrize(("service_type", "moment", "bracket"), BY_DEFAULT)
def test_without_a_table_the_type_of_service_gives_the_hours(service_type: str, moment: str, bracket: str) -> None:
    assert shift_bracket(at(moment), LONDON, service_type=service_type) == bracket


@pytest.mark.parametrize(
    ("moment", "bracket"),
    [
        (f"{SPRING_FORWARD}T00:59:59Z", "night"),
        (f"{SPRING_FORWARD}T06:29:59Z", "night"),
        (f"{SPRING_FORWARD}T06:30:00Z", "morning_handover"),
        (f"{SPRING_FORWARD}T07:15:00Z", "day"),
        (f"{FALL_BACK}T00:30:00Z", "night"),
        (f"{FALL_BACK}T07:29:59Z", "night"),
        (f"{FALL_BACK}T07:30:00Z", "morning_handover"),
        (f"{FALL_BACK}T19:45:00Z", "evening_handover"),
    ],
)
def test_on_the_days_when_the_clock_changes_the_local_clock_gives_the_hours(moment: str, bracket: str) -> None:
    assert shift_bracket(at(moment), LONDON, service_type="care_home") == bracket


def test_a_table_row_may_name_hours_that_the_clock_shows_twice() -> None:
    table = {"*": [Hours("small_hours", time(1), time(2))]}

    first = shift_bracket(at(f"{FALL_BACK}T00:30:00Z"), LONDON, tables=table)
    second = shift_bracket(at(f"{FALL_BACK}T01:30:00Z"), LONDON, tables=table)

    assert (first, second) == ("small_hours", "small_hours")


def test_the_table_of_the_service_stands_over_the_one_for_all() -> None:
    tables = {"*": [Hours("any", time(0), time(0))], "willow": [Hours("late", time(22), time(6))]}

    assert shift_bracket(at("2026-01-15T23:00:00Z"), LONDON, "willow", "care_home", tables) == "late"
    assert shift_bracket(at("2026-01-16T05:59:00Z"), LONDON, "willow", "care_home", tables) == "late"
    assert shift_bracket(at("2026-01-16T06:00:00Z"), LONDON, "willow", "care_home", tables) == "unassigned"
    assert shift_bracket(at("2026-01-16T06:00:00Z"), LONDON, "elm", "care_home", tables) == "any"


def test_a_date_alone_has_no_bracket() -> None:
    assert shift_bracket(None, LONDON, service_type="care_home") is None


NIGHT_SHIFT = worked("2026-01-15T21:00:00Z", "2026-01-16T06:45:00Z")
EARLY_SHIFT = worked("2026-01-15T06:45:00Z", "2026-01-15T14:30:00Z")

BY_SHIFT = [
    (NIGHT_SHIFT, "2026-01-15T20:30:00Z", "evening_handover"),
    (NIGHT_SHIFT, "2026-01-15T21:30:00Z", "evening_handover"),
    (NIGHT_SHIFT, "2026-01-15T21:30:01Z", "night"),
    (NIGHT_SHIFT, "2026-01-16T00:00:00Z", "night"),
    (NIGHT_SHIFT, "2026-01-16T06:14:59Z", "night"),
    (NIGHT_SHIFT, "2026-01-16T06:15:00Z", "morning_handover"),
    (NIGHT_SHIFT, "2026-01-16T07:15:00Z", "morning_handover"),
    (EARLY_SHIFT, "2026-01-15T07:45:00Z", "day"),  # The table says handover; those who worked it do not.
    (EARLY_SHIFT, "2026-01-15T14:10:00Z", "evening_handover"),
    (EARLY_SHIFT, "2026-01-15T19:45:00Z", "evening_handover"),  # Long over: the table decides.
    (EARLY_SHIFT, "2026-01-15T23:00:00Z", "night"),
]


@pytest.mark.parametrize(("shift", "moment", "bracket"), BY_SHIFT)
def test_the_shift_that_was_worked_decides_within_it_and_beside_it(shift: Shift, moment: str, bracket: str) -> None:
    assert shift_bracket(at(moment), LONDON, service_type="care_home", shift=shift) == bracket


def test_a_night_shift_on_the_night_the_clock_goes_forward_is_measured_in_elapsed_time() -> None:
    shift = worked(f"{SPRING_FORWARD}T00:50:00Z", f"{SPRING_FORWARD}T07:00:00Z")

    just_beside = shift_bracket(at(f"{SPRING_FORWARD}T01:20:00Z"), LONDON, shift=shift)
    inside = shift_bracket(at(f"{SPRING_FORWARD}T01:21:00Z"), LONDON, shift=shift)

    assert (just_beside, inside) == ("morning_handover", "night")


def test_home_care_has_handovers_only_from_shifts_and_keeps_its_call_times_inside_them() -> None:
    shift = worked("2026-01-15T07:00:00Z", "2026-01-15T14:00:00Z")

    brackets = [
        shift_bracket(at(f"2026-01-15T{clock}:00Z"), LONDON, service_type="home_care", shift=shift)
        for clock in ("07:20", "09:00", "12:00", "13:45")
    ]

    assert brackets == ["morning_handover", "morning", "lunch", "evening_handover"]


def test_home_care_inside_a_shift_is_at_no_handover_whatever_the_table_says() -> None:
    shift = worked("2026-01-15T07:00:00Z", "2026-01-15T14:00:00Z")
    tables = {"*": [Hours("morning_handover", time(8), time(9)), Hours("morning", time(7), time(11))]}

    bracket = shift_bracket(at("2026-01-15T08:30:00Z"), LONDON, "c-1", "home_care", tables, shift)

    assert bracket == "morning"
