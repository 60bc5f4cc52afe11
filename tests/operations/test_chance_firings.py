"""What a policy would open by chance alone, at the organisation's own rates."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from app.domain.moment import to_micros
from app.operations.chance_firings import expected
from tests.office import Office, opened


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with opened(database_url) as office:
        yield office


def told(office: Office, rule_id: str = "similar") -> dict[str, object]:
    with office.house.database.read() as connection:
        settled = office.house.configurations.now(connection, "default")
        found = expected(connection, "default", settled.policy, to_micros(office.clock()))
    return next(one for one in found if one["rule_id"] == rule_id)


def report(office: Office, every: timedelta, count: int) -> list[str]:
    """So many reports, evenly before now, the newest an hour ago."""
    newest = office.clock() - timedelta(hours=1)
    times = [newest - every * n for n in range(count)]
    jobs = [office.submission(occurred_at=at.isoformat()) for at in reversed(times)]
    return [answer.body["id"] for answer in office.house.ask_all(jobs)]


def test_at_fortnightly_reports_three_in_fourteen_days_open_nearly_five_a_year_by_chance(office: Office) -> None:
    office.do(office.adoption({"cooldown": "P3650D"}))
    report(office, timedelta(days=365.25 / 26), 26)  # The first begins the time that the rate is of.

    similar = told(office)

    assert similar["episodes_per_year"] == pytest.approx(4.8, abs=0.25)
    assert similar["episodes_per_year_if_doubled"] == pytest.approx(14.1, abs=0.6)
    assert (similar["warning"], similar["records"]) == (None, 25)


def test_what_a_review_consumed_was_reported_all_the_same(office: Office) -> None:
    office.do(office.adoption({}))
    report(office, timedelta(days=300), 1)
    report(office, timedelta(days=1), 3)
    (raised,) = office.escalations()
    before = told(office)

    office.do(office.review_closure(raised["review_id"]))

    assert told(office)["records"] == before["records"] == 3


def test_what_was_withdrawn_is_no_rate(office: Office) -> None:
    office.do(office.adoption({}))
    report(office, timedelta(days=100), 2)
    withdrawn, *_ = report(office, timedelta(days=100), 1)

    office.do(office.withdrawal(withdrawn))

    assert told(office)["records"] == 1


def test_a_rule_that_opens_more_than_one_a_month_for_nothing_is_noisy(office: Office) -> None:
    office.do(office.adoption({"threshold": 3, "mode": "shadow"}))
    report(office, timedelta(days=7), 50)

    similar = told(office)

    assert similar["warning"] == "noisy"
    assert "more than one a month" in str(similar["says"])


def test_a_rule_whose_key_is_always_above_it_is_noisy_though_little_begins(office: Office) -> None:
    office.do(office.adoption({"threshold": 2, "mode": "shadow", "window": "P90D"}))
    report(office, timedelta(days=3), 100)

    similar = told(office)

    assert similar["warning"] == "noisy"
    assert "above the threshold more than half of the time" in str(similar["says"])


def test_a_rule_that_would_sleep_through_a_doubling_is_deaf(office: Office) -> None:
    office.do(office.adoption({"threshold": 8, "mode": "shadow"}))
    report(office, timedelta(days=30), 12)

    similar = told(office)

    assert similar["warning"] == "deaf"
    assert similar["episodes_per_year"] == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("days", [0, 3])
def test_of_too_few_days_no_rate_is_stated(office: Office, days: int) -> None:
    office.do(office.adoption({"mode": "shadow"}))
    report(office, timedelta(days=1), days)

    similar = told(office)

    assert (similar["episodes_per_year"], similar["warning"]) == (None, None)
    assert "Too early to tell" in str(similar["says"])
