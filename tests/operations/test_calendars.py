"""Working time knows the public holidays of the country, and never keeps anybody waiting for want of them."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest

from app.domain.decider import Invalid
from app.domain.ladder import respond_by, terms_of
from app.domain.moment import format_instant
from app.domain.policy import Policy, parse_policy
from app.domain.working_time import OFFICE_HOURS, Calendar
from app.domain.working_time_document import WorkingTime
from app.operations.calendars import calendar_of, faults_of
from tests.office import Office, opened

WORKING = {"steps": [{"to": ["manager"], "timeout": "P1D", "time_basis": "working"}]}
RULE = {"id": "similar", "group_by": ["service_id"], "threshold": 3, "window": "P14D", "ladder": WORKING}


def policy(time_zone: str = "Europe/London", **rest: Any) -> Policy:
    return parse_policy({"rules": [RULE], "time_zone": time_zone, **rest}, 2)


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def test_the_calendar_has_the_bank_holidays_of_england_for_this_year_and_two_more() -> None:
    calendar = calendar_of(policy(), instant("2026-11-23T09:00Z"))

    assert (calendar.time_zone, calendar.openings) == ("Europe/London", OFFICE_HOURS)
    assert calendar.holidays == tuple(sorted(set(calendar.holidays)))
    assert [day for day in calendar.holidays if (day.year, day.month) == (2026, 12)] == [
        date(2026, 12, 25),
        date(2026, 12, 26),
        date(2026, 12, 28),  # In place of Boxing Day, which is a Saturday.
    ]
    assert {day.year for day in calendar.holidays} == {2026, 2027, 2028}


@pytest.mark.parametrize(
    ("asked", "due"),
    [
        pytest.param("2026-12-23T15:00Z", "2026-12-24T15:00Z", id="the day before is worked"),
        pytest.param("2026-12-24T15:00Z", "2026-12-29T15:00Z", id="over Christmas and its substitute day"),
        pytest.param("2026-12-26T12:00Z", "2026-12-30T09:00Z", id="asked on Boxing Day"),
        pytest.param("2026-12-31T15:00Z", "2027-01-04T15:00Z", id="over New Year"),
        pytest.param("2027-03-25T15:00Z", "2027-03-30T14:00Z", id="over Easter, when summer time begins"),
    ],
)
def test_a_working_step_waits_out_the_holidays(asked: str, due: str) -> None:
    adopted = policy()
    kept = terms_of(adopted.rules[0], adopted.time_zone, calendar_of(adopted, instant(asked)))

    assert format_instant(respond_by(kept, 0, instant(asked))) == format_instant(instant(due))


def test_what_an_organisation_closes_on_is_a_holiday_too_and_once() -> None:
    closed = {"country": "GB", "subdivision": "ENG", "closed_on": ["2026-12-29", "2026-12-25", "2026-12-24"]}

    calendar = calendar_of(policy(working_time=closed), instant("2026-11-23T09:00Z"))

    assert [day.day for day in calendar.holidays if (day.year, day.month) == (2026, 12)] == [24, 25, 26, 28, 29]


@pytest.mark.parametrize(
    ("place", "observed"),
    [
        pytest.param({"country": "GB", "subdivision": "ENG"}, False, id="not in England"),
        pytest.param({"country": "GB", "subdivision": "SCT"}, True, id="in Scotland"),
        pytest.param({"country": "GB"}, False, id="not all over the country"),
        pytest.param({}, False, id="nowhere"),
    ],
)
def test_saint_andrew_is_observed_where_he_is(place: dict[str, str], observed: bool) -> None:
    calendar = calendar_of(policy(working_time=place), instant("2026-11-23T09:00Z"))

    assert (date(2026, 11, 30) in calendar.holidays) is observed


def test_who_names_no_country_observes_no_public_holidays() -> None:
    hours = [{"weekday": "thu", "from": "22:00", "to": "06:00"}]

    calendar = calendar_of(policy("UTC", working_time={"hours": hours}), instant("2026-11-23T09:00Z"))

    assert calendar == Calendar("UTC", calendar.openings, ())
    assert [(one.weekday, one.opens, one.closes) for one in calendar.openings] == [(3, "22:00", "06:00")]


@pytest.mark.parametrize(
    ("now", "first"),
    [
        pytest.param("2026-12-31T12:00Z", 2026, id="it is still that year"),
        pytest.param("2026-12-31T23:30Z", 2026, id="elsewhere it is New Year, and the night shift of last year works"),
        pytest.param("2027-01-02T12:00Z", 2027, id="the year is over"),
    ],
)
def test_the_year_is_that_of_the_organisation(now: str, first: int) -> None:
    calendar = calendar_of(policy("Asia/Tokyo"), instant(now))

    assert min(calendar.holidays).year == first


def test_a_country_that_is_not_known_any_more_has_no_holidays_but_keeps_its_deadlines() -> None:
    forgotten = policy(working_time={"country": "XX", "closed_on": ["2026-12-24"]})

    calendar = calendar_of(forgotten, instant("2026-11-23T09:00Z"))

    assert calendar.holidays == (date(2026, 12, 24),)


@pytest.mark.parametrize(
    ("kept", "faults"),
    [
        (WorkingTime(country="GB", subdivision="ENG"), []),
        (WorkingTime(country="DE"), []),
        (WorkingTime(), []),
        (WorkingTime(country="XX"), ["/working_time/country"]),
        (WorkingTime(country="XX", subdivision="ENG"), ["/working_time/country"]),
        (WorkingTime(country="GB", subdivision="England"), ["/working_time/subdivision"]),
        (WorkingTime(country="VA", subdivision="ENG"), ["/working_time/subdivision"]),
    ],
)
def test_a_place_whose_holidays_nobody_knows_is_a_fault(kept: WorkingTime, faults: list[str]) -> None:
    assert [fault.pointer for fault in faults_of(kept)] == faults


def test_the_fault_says_which_subdivisions_there_are() -> None:
    (fault,) = faults_of(WorkingTime(country="GB", subdivision="LND"))

    assert fault.detail == "Use one of ENG, NIR, SCT, WLS, or leave it out."


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with opened(database_url) as office:
        yield office


def test_a_place_that_is_not_known_is_refused_before_anything_is_adopted(office: Office) -> None:
    before = office.types()

    with pytest.raises(Invalid) as refused:
        office.do(office.adoption({}, working_time={"country": "GB", "subdivision": "LND"}))

    assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [
        ("/working_time/subdivision", "unknown-code")
    ]
    assert office.types() == before
