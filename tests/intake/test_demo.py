"""The demo's year: the same for the same seed, as a real one would be, and with one pattern at its end."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from app.cli.entrance import INTAKE
from app.domain import taxonomy_check
from app.domain.taxonomy import FIRST
from app.intake.demo import EVENING, RECENT, ZONE, end_of, is_recent, year_of
from app.intake.demo_stories import HOMES

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
SEEDS = [1, 14, 2026]


def test_the_same_seed_tells_the_same_year() -> None:
    assert year_of(7, NOW) == year_of(7, NOW)
    assert year_of(7, NOW) != year_of(8, NOW)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_near_miss_of_the_year_would_be_taken(seed: int) -> None:
    for document in year_of(seed, NOW):
        checked = INTAKE.check(document, NOW)
        assert taxonomy_check.faults(FIRST, checked) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_the_year_is_told_in_order_and_each_near_miss_has_a_name(seed: int) -> None:
    year = year_of(seed, NOW)
    times = [datetime.fromisoformat(one["occurred_at"]) for one in year]

    assert times == sorted(times)
    assert NOW - timedelta(days=367) < times[0]
    assert times[-1] == end_of(NOW) <= NOW
    assert len({one["source_event_id"] for one in year}) == len(year)
    assert {one["service_id"] for one in year} == {home.id for home in HOMES}


@pytest.mark.parametrize("seed", SEEDS)
def test_the_last_weeks_hold_one_pattern(seed: int) -> None:
    late = [one for one in year_of(seed, NOW) if datetime.fromisoformat(one["occurred_at"]) > end_of(NOW) - 2 * RECENT]

    alike = Counter((one["service_id"], one["incident_type"], one["deviation"]) for one in late)

    assert [key for key, count in alike.items() if count >= 3] == [("willow-house", "medication", "omitted")]
    assert all(is_recent(one, NOW) for one in late[-1:])


@pytest.mark.parametrize(
    ("now", "end"),
    [
        ("2026-03-02T19:49:59+00:00", "2026-03-01T19:50:00+00:00"),
        ("2026-03-02T19:50:00+00:00", "2026-03-02T19:50:00+00:00"),
        ("2026-07-02T18:50:00+00:00", "2026-07-02T18:50:00+00:00"),
        ("2026-03-29T12:00:00+00:00", "2026-03-28T19:50:00+00:00"),
    ],
    ids=["just before", "on the minute", "summer time", "the day the clocks change"],
)
def test_the_year_ends_with_the_latest_evening_handover(now: str, end: str) -> None:
    found = end_of(datetime.fromisoformat(now))

    assert found == datetime.fromisoformat(end)
    assert found.astimezone(ZONE).time() == EVENING
