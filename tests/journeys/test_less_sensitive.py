"""A policy that would have opened fewer reviews needs a reason, is marked, and is shown to leadership."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.journeys import inside
from tests.journeys.inside import Inside
from tests.journeys.ward import Ward

AT = "2026-03-05T09:00:00Z"
RULE: dict[str, Any] = {"id": "similar", "group_by": ["service_id", "incident_type"], "threshold": 3, "window": "P14D"}
WHY = "Agreed with the registered managers: three came too often to be looked at."


@pytest.fixture
def room(database_url: str) -> Iterator[Inside]:
    with inside.opened(database_url, at=AT) as opened:
        opened.ward.put("/v1/policy", {"rules": [RULE]})
        yield opened


def reported(ward: Ward, *days: str, **particulars: Any) -> list[str]:
    return [ward.submit(occurred_at=f"{day}T08:00:00Z", **particulars)["id"] for day in days]


def adopted(ward: Ward, *rules: dict[str, Any], expect: int = 200, **rest: Any) -> dict[str, Any]:
    return ward.put("/v1/policy", {"rules": list(rules), **rest}, expect=expect)


def test_a_policy_that_loses_a_review_is_refused_with_it_and_adopted_with_a_reason(room: Inside) -> None:
    ward = room.ward
    ids = reported(ward, "2026-01-05", "2026-01-08", "2026-01-12", person_ref="resident-12")

    refused = adopted(ward, {**RULE, "threshold": 4}, expect=409)
    with_a_reason = adopted(ward, {**RULE, "threshold": 4}, reason=WHY)

    lost = {
        "rule_id": "similar",
        "key": {"service_id": "willow-house", "incident_type": "medication"},
        "crossed_at": "2026-01-12T08:00:00.000000Z",
        "near_miss_ids": ids,
    }
    assert refused["type"] == "urn:forewarn:problem:policy-less-sensitive"
    assert refused["lost"] == [lost]
    fewer = {"lost": 1, "looked_back": "P180D", "episodes": [lost]}
    assert (with_a_reason["version"], with_a_reason["less_sensitive"]) == (3, fewer)
    assert ward.get("/v1/policy") == with_a_reason
    assert [one.get("less_sensitive") for one in ward.get("/v1/policy/versions")["items"]] == [fewer, None, None]
    again = {name: one for name, one in with_a_reason.items() if name != "version"}
    assert ward.put("/v1/policy", again)["version"] == 3


def test_a_reason_that_was_given_for_the_version_before_is_none_for_this_one(room: Inside) -> None:
    ward = room.ward
    adopted(ward, RULE, reason=WHY)
    reported(ward, "2026-01-05", "2026-01-08", "2026-01-12")

    for reason in (WHY, "  "):
        adopted(ward, {**RULE, "threshold": 4}, reason=reason, expect=409)

    assert ward.get("/v1/policy")["version"] == 3


LESS: dict[str, list[dict[str, Any]]] = {
    "a higher threshold": [{**RULE, "threshold": 4}],
    "more than, not at least": [{**RULE, "op": "gt"}],
    "a shorter window": [{**RULE, "window": "P5D"}],
    "turned off": [{**RULE, "mode": "off"}],
    "in shadow": [{**RULE, "mode": "shadow"}],
    "removed": [],
    "a narrower filter": [{**RULE, "match": {"incident_type": ["visit"]}}],
    "a finer key": [{**RULE, "group_by": ["service_id", "deviation"]}],
    "a type that is asked for": [{**RULE, "require_types": ["visit"]}],
    "fewer classifications": [{**RULE, "count_classifications": ["no_harm_incident"]}],
}
NOT_LESS: dict[str, list[dict[str, Any]]] = {
    "a lower threshold": [{**RULE, "threshold": 2}],
    "a longer window": [{**RULE, "window": "P1M"}],
    "a longer cool-down": [{**RULE, "cooldown": "P90D"}],
    "another name": [{**RULE, "id": "three-of-a-kind"}],
    "a coarser key": [{**RULE, "group_by": ["service_id"]}],
    "a higher threshold where another rule sees as much": [
        {**RULE, "threshold": 9},
        {**RULE, "id": "any", "group_by": ["service_id"]},
    ],
}


def test_whatever_would_have_lost_a_review_needs_a_reason(sqlite_url: str) -> None:
    with inside.opened(sqlite_url, at=AT) as room:
        adopted(room.ward, RULE)
        days = ("2026-01-05", "2026-01-08", "2026-01-12")
        for day, deviation in zip(days, ("omitted", "late", "early"), strict=True):
            reported(room.ward, day, deviation=deviation)

        for name, rules in LESS.items():
            problem = adopted(room.ward, *rules, expect=409)
            assert [one["rule_id"] for one in problem["lost"]] == ["similar"], name


@pytest.mark.parametrize("name", NOT_LESS)
def test_what_loses_nothing_needs_none(name: str, sqlite_url: str) -> None:
    with inside.opened(sqlite_url, at=AT) as room:
        adopted(room.ward, RULE)
        reported(room.ward, "2026-01-05", "2026-01-08", "2026-01-12")

        assert "less_sensitive" not in adopted(room.ward, *NOT_LESS[name])


def test_what_was_longer_ago_than_180_days_or_was_withdrawn_is_not_lost(room: Inside) -> None:
    ward = room.ward
    reported(ward, "2025-08-01", "2025-08-02", "2025-08-03")
    first, *_ = reported(ward, "2026-01-05", "2026-01-08", "2026-01-12")
    ward.withdraw(first)

    assert "less_sensitive" not in adopted(ward, {**RULE, "threshold": 4})


def test_the_key_of_a_person_is_told_as_a_token(room: Inside) -> None:
    ward = room.ward
    adopted(ward, {**RULE, "group_by": ["person_ref"]})
    reported(ward, "2026-01-05", "2026-01-08", "2026-01-12", person_ref="resident-12")

    adopted(ward, {**RULE, "group_by": ["person_ref"], "threshold": 4}, reason=WHY)

    policy = ward.get("/v1/policy")
    assert len(policy["less_sensitive"]["episodes"][0]["key"]["person_ref"]) > 20
    assert "resident-12" not in str(policy)


def test_leadership_is_shown_it_in_the_next_governance_review(room: Inside) -> None:
    ward = room.ward
    reported(ward, "2026-01-05", "2026-01-08", "2026-01-12")
    adopted(ward, {**RULE, "threshold": 4}, reason=WHY)

    said = {"title": "March", "chair": "chair-1"}
    body = {**said, "from": "2026-03-01", "to": "2026-04-01"}
    before = {**said, "from": "2026-01-01", "to": "2026-03-01"}
    (policy,) = ward.post("/v1/governance-reviews", body, 201)["snapshot"]["less_sensitive_policies"]

    assert {name: policy[name] for name in ("version", "reason", "lost", "looked_back", "rules")} == {
        "version": 3,
        "reason": WHY,
        "lost": 1,
        "looked_back": "P180D",
        "rules": ["similar"],
    }
    assert policy["adopted_at"][:10] == "2026-03-05"
    assert ward.post("/v1/governance-reviews", before, 201)["snapshot"]["less_sensitive_policies"] == []
