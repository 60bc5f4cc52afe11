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

    for reason in (WHY, "  ", f" {WHY.upper()}  ", WHY.replace(" ", "  ")):
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


def test_a_cool_down_that_outlasts_what_would_have_been_reviewed_loses_it(room: Inside) -> None:
    ward = room.ward
    reported(ward, "2026-01-05", "2026-01-08", "2026-01-12")
    again = reported(ward, "2026-02-20", "2026-02-21", "2026-02-22")

    refused = adopted(ward, {**RULE, "cooldown": "P365D"}, expect=409)
    short = adopted(ward, {**RULE, "cooldown": "P10D"})
    until_amid_the_second = adopted(ward, {**RULE, "cooldown": "P40D"})
    with_a_reason = adopted(ward, {**RULE, "cooldown": "P90D"}, reason=WHY)
    shorter_again = adopted(ward, {**RULE, "cooldown": "P60D"})

    assert [one["near_miss_ids"] for one in refused["lost"]] == [again]
    assert [one.get("less_sensitive") for one in (short, until_amid_the_second, shorter_again)] == [None] * 3
    assert with_a_reason["less_sensitive"]["lost"] == 1


def test_what_is_too_much_to_look_back_on_needs_a_reason_and_is_adopted_with_one(
    room: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    ward = room.ward
    reported(ward, "2026-01-05", "2026-03-01", "2026-03-02", "2026-03-03")
    monkeypatch.setattr("app.operations.less_sensitive.MOST_READ", 3)
    less = {**RULE, "threshold": 5}

    shorter = adopted(ward, {**RULE, "op": "gt"}, expect=409)
    wide = {**less, "window": "P2Y"}
    none_at_all = adopted(ward, wide, {**RULE, "id": "wide", "window": "P2Y", "threshold": 9}, expect=409)
    with_a_reason = adopted(ward, {**RULE, "op": "gt"}, reason=WHY)
    of_none = adopted(ward, wide, reason="It is looked at weekly now.")

    assert "P21D" in shorter["detail"]
    assert (none_at_all["lost"], "none of it" in none_at_all["detail"]) == ([], True)
    assert {name: with_a_reason["less_sensitive"][name] for name in ("lost", "looked_back")} == {
        "lost": 1,
        "looked_back": "P21D",
    }
    assert of_none["less_sensitive"] == {"lost": 0, "looked_back": "P0D", "episodes": []}
    assert "less_sensitive" not in adopted(ward, wide, {**RULE, "id": "more", "threshold": 2})


def test_rules_that_see_nothing_do_not_shorten_what_is_looked_back_on(
    room: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    ward = room.ward
    reported(ward, "2025-10-05", "2025-10-08", "2025-10-12")
    monkeypatch.setattr("app.operations.less_sensitive.MOST_READ", 3)
    padding = [{**RULE, "id": f"none-{n}", "match": {"service_id": [f"no-{n}"]}} for n in range(40)]

    refused = adopted(ward, {**RULE, "threshold": 4}, *padding, expect=409)

    assert (len(refused["lost"]), "P180D" in refused["detail"]) == (1, True)


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
