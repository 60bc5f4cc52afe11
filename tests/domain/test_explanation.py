"""Why, or why not yet: the trailing count of a key, what is missing, and when the count next falls."""

from typing import Any

import pytest

from app.domain.explanation import Explanation, explain
from app.domain.moment import format_instant, from_micros, parse_instant, to_micros
from tests.domain.remembering import Remembering, facts_of, policy_of

NOW = "2026-03-20T12:00:00Z"


def test_a_key_is_explained_by_what_counts_now_and_what_is_missing() -> None:
    explanation = explained({}, {"a": "2026-03-06T12:00:00Z", "b": "2026-03-07T09:00:00Z", "c": "2026-03-21T00:00:00Z"})

    assert explanation.count == 1
    assert explanation.near_miss_ids == ("b",)
    assert explanation.distance == 2


def test_a_rule_that_wants_more_than_its_threshold_is_one_further_away() -> None:
    assert explained({"op": "gt"}, {"a": "2026-03-20"}).distance == 3


def test_a_key_over_its_threshold_misses_nothing() -> None:
    assert explained({"threshold": 1}, {"a": "2026-03-19", "b": "2026-03-20"}).distance == 0


def test_a_key_without_reports_has_nothing_to_expire() -> None:
    assert explained({}, {}) == Explanation(0, (), 3, None)


@pytest.mark.parametrize(
    ("rule", "at", "time_zone", "falls"),
    [
        ({}, "2026-03-07T09:00:00Z", "UTC", "2026-03-21T09:00:00.000000Z"),
        ({}, "2026-03-19T09:00:00Z", "Europe/London", "2026-04-02T09:00:00.000000Z"),
        ({"window_basis": "calendar"}, "2026-03-19T09:00:00Z", "Europe/London", "2026-04-02T08:00:00.000000Z"),
        ({}, "2026-03-07", "UTC", "2026-03-21T00:00:00.000000Z"),
        ({}, "2026-03-19", "Europe/London", "2026-04-01T23:00:00.000000Z"),
        ({"window": "PT12H"}, "2026-03-20", "UTC", "2026-03-21T00:00:00.000000Z"),
        ({"window": "P1M"}, "2026-03-10T09:00:00Z", "UTC", "2026-04-10T09:00:00.000000Z"),
        ({"window": "P1M"}, "2026-03-10", "UTC", "2026-04-10T00:00:00.000000Z"),
    ],
)
def test_the_count_falls_when_the_first_report_leaves_the_window(
    rule: dict[str, Any], at: str, time_zone: str, falls: str
) -> None:
    explanation = explained(rule, {"a": at, "b": NOW}, time_zone)

    assert explanation.next_expiry is not None
    assert format_instant(from_micros(explanation.next_expiry)) == falls


def test_a_report_of_the_31st_stays_in_a_window_of_a_month_until_the_first_after_a_shorter_one() -> None:
    explanation = explained({"window": "P1M"}, {"a": "2026-01-31T09:00:00Z"}, now="2026-02-10T12:00:00Z")

    assert explanation.next_expiry == to_micros(parse_instant("2026-03-01T00:00:00Z"))


def test_the_second_report_of_one_person_leaves_the_number_of_people_as_it_is() -> None:
    policy = policy_of({"distinct": "person_ref"})
    ward = Remembering(policy)
    for name, at in (("a", "2026-03-10T09:00:00Z"), ("b", "2026-03-11T09:00:00Z")):
        ward.report(facts_of(policy, name, at, person_ref="p1"), NOW)

    explanation = explain_all(ward, NOW)

    assert explanation.count == 1
    assert explanation.next_expiry == to_micros(parse_instant("2026-03-25T09:00:00Z"))


def explained(rule: dict[str, Any], reports: dict[str, str], time_zone: str = "UTC", now: str = NOW) -> Explanation:
    policy = policy_of(rule, time_zone=time_zone)
    ward = Remembering(policy)
    for name, at in reports.items():
        ward.report(facts_of(policy, name, at), now)
    return explain_all(ward, now)


def explain_all(ward: Remembering, now: str) -> Explanation:
    rule = ward.policy.rules[0]
    entries = ward.entries(rule, ("elm",), -(2**62), 2**62)
    return explain(rule, entries, to_micros(parse_instant(now)), ward.policy.zone)
