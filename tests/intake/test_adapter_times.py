"""Times as vendors write them become instants; whose clock it was is never guessed."""

import pytest

from app.intake.adapters.times import read_time, zone_named

LONDON = zone_named("Europe/London")


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("2026-03-02T08:15:00Z", "2026-03-02T08:15:00Z"),
        ("2026-03-02 08:15:00+01:00", "2026-03-02T08:15:00+01:00"),
        ("2026-03-02T08:15:00.5+0100", "2026-03-02T08:15:00.5+01:00"),
        ("2026-03-02T08:15Z", "2026-03-02T08:15:00Z"),
        ("20260302081500-0500", "2026-03-02T08:15:00-05:00"),
        ("202603020815", "2026-03-02T08:15:00+00:00"),
        ("20260702081500.25", "2026-07-02T08:15:00.250000+01:00"),
        ("2026-07-02 08:15:00", "2026-07-02T08:15:00+01:00"),
        ("2026-07-02T08:15", "2026-07-02T08:15:00+01:00"),
        ("2026-03-29 01:30:00", "2026-03-29T02:30:00+01:00"),  # The clock skipped it.
        ("2026-10-25 01:30:00", "2026-10-25T01:30:00+01:00"),  # The clock showed it twice.
    ],
)
def test_a_time_is_an_instant(written: str, instant: str) -> None:
    assert read_time(written, LONDON, None) == instant


@pytest.mark.parametrize(
    ("number", "unit", "instant"),
    [
        (1763625600, "seconds", "2025-11-20T08:00:00.000000Z"),
        (1763625600500, "milliseconds", "2025-11-20T08:00:00.500000Z"),
    ],
)
def test_a_number_counts_from_1970(number: float, unit: str, instant: str) -> None:
    assert read_time(number, None, unit) == instant


@pytest.mark.parametrize(
    "written", ["", "soon", "2026-02-30T08:15:00Z", "2026-03-02", "20260302", "20261399999999", True, [], 1e300, -1]
)
def test_what_is_no_time_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match="RFC 3339"):
        read_time(written, LONDON, "seconds")


def test_a_naive_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time_zone"):
        read_time("2026-03-02 08:15:00", None, None)


def test_a_number_without_a_unit_is_refused() -> None:
    with pytest.raises(ValueError, match="unix"):
        read_time(1763625600, None, None)


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("US/Eastern", True),
        ("+01:00", True),
        ("-0500", True),
        ("UTC", True),
        ("Moon/Crater", False),
        ("../etc", False),
        ("", False),
        ("+9900", False),
    ],
)
def test_a_zone_is_known_by_its_name_or_its_offset(name: str, known: bool) -> None:
    assert (zone_named(name) is not None) is known
