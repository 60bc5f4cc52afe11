"""The working time of a policy: read strictly, and written out so that it reads back the same."""

from typing import Any

import pytest

from app.domain.decider import Invalid
from app.domain.policy import DEFAULT_POLICY, parse_policy, policy_document
from app.domain.working_time import OFFICE_HOURS, Opening
from app.domain.working_time_document import WorkingTime

MONDAY = {"weekday": "mon", "from": "09:00", "to": "17:00"}
NIGHT = {"weekday": "sun", "from": "22:00", "to": "06:00"}


def test_a_policy_that_says_nothing_works_office_hours_with_the_bank_holidays_of_england() -> None:
    kept = parse_policy({"rules": []}, 1).working_time

    assert kept == WorkingTime(OFFICE_HOURS, "GB", "ENG") == DEFAULT_POLICY.working_time


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        pytest.param(None, WorkingTime(OFFICE_HOURS, "GB", "ENG"), id="null is as good as left out"),
        pytest.param({}, WorkingTime(OFFICE_HOURS), id="no country, no public holidays"),
        pytest.param({"country": "FR"}, WorkingTime(OFFICE_HOURS, "FR"), id="no hours, office hours"),
        pytest.param({"hours": [NIGHT]}, WorkingTime((Opening(6, "22:00", "06:00"),)), id="a night"),
        pytest.param(
            {"country": "BR", "subdivision": "São Paulo Capital"},
            WorkingTime(OFFICE_HOURS, "BR", "São Paulo Capital"),
            id="not every subdivision goes by a code",
        ),
    ],
)
def test_what_is_left_out_of_a_working_time(given: object, kept: WorkingTime) -> None:
    policy = parse_policy({"rules": [], "working_time": given}, 1)

    assert policy.working_time == kept
    assert parse_policy(policy_document(policy), 1) == policy


@pytest.mark.parametrize(
    "hours",
    [
        pytest.param([NIGHT, {**MONDAY, "from": "06:00"}], id="the day begins as the night ends"),
        pytest.param([{**MONDAY, "to": "09:00"}, {**MONDAY, "weekday": "tue"}], id="a day and a night without a break"),
        pytest.param([{**MONDAY, "to": "12:00"}, {**MONDAY, "from": "12:00"}], id="hours that follow each other"),
        pytest.param([{**MONDAY, "from": "13:00"}, {**MONDAY, "to": "12:00"}], id="in any order"),
    ],
)
def test_hours_that_only_touch_are_taken_as_they_were_given(hours: list[dict[str, str]]) -> None:
    policy = parse_policy({"rules": [], "working_time": {"hours": hours}}, 1)

    assert policy_document(policy)["working_time"]["hours"] == hours


FAULTS = [
    ([], "", "wrong-type"),
    ({"holidays": True}, "/holidays", "unknown-field"),
    ({"hours": {}}, "/hours", "wrong-type"),
    ({"hours": []}, "/hours", "out-of-range"),
    ({"hours": [MONDAY] * 51}, "/hours", "out-of-range"),
    ({"hours": [{**MONDAY, "until": "17:00"}]}, "/hours/0/until", "unknown-field"),
    ({"hours": [{"from": "09:00", "to": "17:00"}]}, "/hours/0/weekday", "missing"),
    ({"hours": [{**MONDAY, "weekday": "Mon"}]}, "/hours/0/weekday", "unknown-code"),
    ({"hours": [{**MONDAY, "weekday": 0}]}, "/hours/0/weekday", "unknown-code"),
    ({"hours": [{"weekday": "mon", "to": "17:00"}]}, "/hours/0/from", "missing"),
    ({"hours": [{**MONDAY, "from": "9:00"}]}, "/hours/0/from", "out-of-range"),
    ({"hours": [{**MONDAY, "to": "24:00"}]}, "/hours/0/to", "out-of-range"),
    ({"hours": [{**MONDAY, "to": 17}]}, "/hours/0/to", "out-of-range"),
    ({"hours": [MONDAY, MONDAY]}, "/hours/1", "conflict"),
    ({"hours": [MONDAY, {**MONDAY, "from": "16:59", "to": "18:00"}]}, "/hours/1", "conflict"),
    ({"hours": [{**MONDAY, "to": "09:00"}, {**MONDAY, "from": "12:00"}]}, "/hours/1", "conflict"),
    ({"hours": [{**MONDAY, "from": "05:59"}, NIGHT]}, "/hours/0", "conflict"),
    ({"hours": [{**MONDAY, "weekday": "tue"}, {**MONDAY, "from": "10:00", "to": "09:59"}]}, "/hours/0", "conflict"),
    ({"country": "gb"}, "/country", "unknown-code"),
    ({"country": "GBR"}, "/country", "unknown-code"),
    ({"country": ["GB"]}, "/country", "unknown-code"),
    ({"country": ""}, "/country", "unknown-code"),
    ({"subdivision": "ENG"}, "/country", "missing"),
    ({"country": "GB", "subdivision": ""}, "/subdivision", "not-an-identifier"),
    ({"country": "GB", "subdivision": 1}, "/subdivision", "not-an-identifier"),
    ({"closed_on": "2026-12-24"}, "/closed_on", "wrong-type"),
    ({"closed_on": ["2026-12-24"] * 367}, "/closed_on", "out-of-range"),
    ({"closed_on": ["20261224"]}, "/closed_on/0", "not-a-date"),
    ({"closed_on": ["2026-02-30"]}, "/closed_on/0", "not-a-date"),
    ({"closed_on": ["2026-12-24T00:00:00Z"]}, "/closed_on/0", "not-a-date"),
    ({"closed_on": [None]}, "/closed_on/0", "not-a-date"),
    ({"closed_on": ["2026-12-24", "2026-12-31", "2026-12-24"]}, "/closed_on/2", "duplicate"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "pointer", "code"), FAULTS, ids=[str(fault[:2])[:60] for fault in FAULTS])
def test_a_fault_of_a_working_time_is_named_where_it_is_and_nothing_else_is(
    given: object, pointer: str, code: str
) -> None:
    assert faults_of({"rules": [], "working_time": given}) == [(f"/working_time{pointer}", code)]


@pytest.mark.parametrize("name", ["details_due", "workflow_link_due"])
@pytest.mark.parametrize("given", ["soon", "P0D", 3])
def test_a_deadline_that_is_no_duration_is_named(name: str, given: object) -> None:
    assert faults_of({"rules": [], name: given}) == [(f"/{name}", "not-a-duration")]


def test_every_fault_of_a_working_time_is_named_at_once() -> None:
    hours = [{**MONDAY, "weekday": "friday", "from": "nine"}, {"weekday": "mon"}]

    assert faults_of({"rules": [], "working_time": {"hours": hours, "country": "England", "closed_on": [1]}}) == [
        ("/working_time/country", "unknown-code"),
        ("/working_time/hours/0/weekday", "unknown-code"),
        ("/working_time/hours/0/from", "out-of-range"),
        ("/working_time/hours/1/from", "missing"),
        ("/working_time/hours/1/to", "missing"),
        ("/working_time/closed_on/0", "not-a-date"),
    ]


def faults_of(document: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(Invalid) as refused:
        parse_policy(document, 1)
    return [(fault.pointer, fault.code) for fault in refused.value.faults]
