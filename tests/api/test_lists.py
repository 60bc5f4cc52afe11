"""Lists page by page, their filters, and what was known then."""

from typing import Any

import pytest

from tests.journeys.inside import Inside
from tests.journeys.ward import Ward


def ids(page: dict[str, Any]) -> list[str]:
    return [one["id"] for one in page["items"]]


def test_a_list_is_walked_newest_first_page_by_page_without_gap_or_repeat(ward: Ward) -> None:
    recorded = [ward.submit(deviation="late", occurred_at=f"2025-0{month}-01T10:00:00Z")["id"] for month in range(1, 6)]

    walked: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = ward.get("/v1/near-misses", limit=2, **cursor)
        walked += ids(page)
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}

    assert walked == recorded[::-1]


def test_a_page_links_to_the_next_one(inside: Inside) -> None:
    for _ in range(2):
        inside.ward.submit()

    answer = inside.client.get("/v1/near-misses?limit=1&service_id=willow-house", headers=inside.ward.headers)
    address, _, relation = answer.headers["link"].partition("; ")
    following = inside.client.get(address.strip("<>"), headers=inside.ward.headers).json()

    assert relation == 'rel="next"'
    assert len(following["items"]) == 1
    assert following["items"] != answer.json()["items"]
    assert following["next_cursor"] is None


@pytest.mark.parametrize(
    "filters",
    [
        {"service_id": "rowan-homecare"},
        {"incident_type": "visit"},
        {"deviation": "missed"},
        {"status": "withdrawn"},
        {"occurred_from": "2026-02-20"},
        {"occurred_to": "2026-01-15T00:00:00Z"},
    ],
)
def test_each_filter_of_near_misses_leaves_what_it_names(ward: Ward, filters: dict[str, str]) -> None:
    wanted = {
        "service_id": ward.submit(service_id="rowan-homecare")["id"],
        "incident_type": ward.submit(incident_type="visit", deviation="late")["id"],
        "deviation": ward.submit(incident_type="visit", deviation="missed", service_id="ash-court")["id"],
        "status": ward.withdraw(ward.submit(service_id="elm-lodge")["id"])["id"],
        "occurred_to": ward.submit(occurred_at="2026-01-14T10:00:00Z")["id"],
    }

    found = ids(ward.get("/v1/near-misses", **filters))

    (name,) = filters
    if name == "occurred_from":
        assert wanted["occurred_to"] not in found
        assert len(found) == 4
    elif name == "incident_type":
        assert found == [wanted["deviation"], wanted["incident_type"]]
    else:
        assert found == [wanted[name]]


def test_near_misses_of_an_escalation_and_those_under_review_can_be_asked_for(ward: Ward) -> None:
    members = [ward.submit()["id"] for _ in range(3)]
    ward.submit(service_id="rowan-homecare")
    ward.link(members[0])
    (escalation,) = ward.escalations()

    assert ids(ward.get("/v1/near-misses", escalation_id=escalation["id"])) == members[::-1]
    assert ids(ward.get("/v1/near-misses", status="in_review")) == [members[0]]
    assert ids(ward.get("/v1/near-misses", status="linked")) == []


def test_what_was_recorded_after_an_instant_can_be_asked_for(inside: Inside) -> None:
    inside.ward.submit()
    inside.clock.advance(hours=1)
    later = inside.ward.submit()["id"]

    assert ids(inside.ward.get("/v1/near-misses", recorded_after="2026-03-02T10:30:00Z")) == [later]


def test_escalations_and_reviews_are_found_by_their_status_service_and_rule(ward: Ward) -> None:
    for service in ("willow-house", "rowan-homecare"):
        for _ in range(3):
            ward.submit(service_id=service)
    first, second = ward.escalations()
    ward.close(first)

    assert ids(ward.get("/v1/escalations", status="awaiting_ack")) == [second["id"]]
    assert ids(ward.get("/v1/escalations", service_id="willow-house")) == [first["id"]]
    assert ids(ward.get("/v1/escalations", rule_id="grave")) == []
    assert ids(ward.get("/v1/reviews", status="closed")) == [first["review_id"]]
    assert ids(ward.get("/v1/reviews", escalation_id=second["id"])) == [second["review_id"]]


@pytest.mark.parametrize("path", ["/v1/near-misses", "/v1/escalations", "/v1/reviews", "/v1/services", "/v1/policy"])
def test_a_parameter_that_is_not_known_is_refused(ward: Ward, path: str) -> None:
    refused = ward.get(path, expect=422, shoe_size="9")

    assert refused["errors"][0]["code"] == "unknown-parameter"


@pytest.mark.parametrize(
    "parameters", [{"limit": 0}, {"limit": 201}, {"cursor": "bm9uc2Vuc2U="}, {"status": "exploded"}]
)
def test_a_parameter_out_of_range_is_refused(ward: Ward, parameters: dict[str, Any]) -> None:
    ward.get("/v1/near-misses", expect=422, **parameters)


def test_as_of_shows_a_near_miss_and_its_escalation_as_they_were_known_then(inside: Inside) -> None:
    ward = inside.ward
    first, second, third = (ward.submit() for _ in range(3))
    (escalation,) = ward.escalations()
    inside.clock.advance(days=1)
    fourth = ward.submit()
    ward.withdraw(first["id"])

    by_sequence = ward.near_miss(first["id"], as_of=third["sequence"])
    by_instant = ward.near_miss(first["id"], as_of="2026-03-02T10:00:00Z")
    then = ward.escalation(escalation["id"], as_of="2026-03-02T23:00:00Z")
    now = ward.escalation(escalation["id"])

    assert by_sequence["escalation_ids"] == []
    assert by_instant == {**first, "escalation_ids": [escalation["id"]]}
    assert [one["near_miss_id"] for one in then["members"]] == [first["id"], second["id"], third["id"]]
    assert {one["near_miss_id"]: one["kind"] for one in now["members"]}[fourth["id"]] == "member"
    assert {one["near_miss_id"]: one["kind"] for one in now["members"]}[first["id"]] == "withdrawn"


def test_as_of_shows_a_review_as_it_stood_then(inside: Inside) -> None:
    for _ in range(3):
        inside.ward.submit()
    review_id = inside.ward.escalations()[0]["review_id"]
    inside.clock.advance(hours=1)
    inside.ward.review(review_id, "start", {})

    then = inside.ward.get(f"/v1/reviews/{review_id}", as_of="2026-03-02T10:30:00Z")
    now = inside.ward.get(f"/v1/reviews/{review_id}")

    assert (then["status"], then["version"]) == ("open", 1)
    assert (now["status"], now["version"]) == ("under_review", 2)


def test_as_of_before_a_thing_existed_does_not_find_it(ward: Ward) -> None:
    near_miss = ward.submit()

    ward.near_miss(near_miss["id"], expect=404, as_of=near_miss["sequence"] - 1)


def test_as_of_beyond_the_end_of_the_ledger_is_refused(ward: Ward) -> None:
    near_miss = ward.submit()

    ward.near_miss(near_miss["id"], expect=422, as_of=10**9)


def test_a_window_tells_its_count_its_distance_and_when_it_next_falls(inside: Inside) -> None:
    for _ in range(2):
        inside.ward.submit()
    key = {"rule_id": "similar", "service_id": "willow-house", "incident_type": "medication", "deviation": "omitted"}

    now = inside.ward.get("/v1/windows", **key)
    inside.clock.advance(days=15)
    later = inside.ward.get("/v1/windows", **key)

    assert (now["count"], now["distance"], now["state"]) == (2, 1, "below_threshold")
    assert now["next_expiry"] == "2026-03-16T09:00:00.000000Z"
    assert (later["count"], later["next_expiry"]) == (0, None)


def test_a_window_explains_itself(ward: Ward) -> None:
    members = [ward.submit()["id"] for _ in range(3)]
    (escalation,) = ward.escalations()
    key = {"rule_id": "similar", "service_id": "willow-house", "incident_type": "medication", "deviation": "omitted"}

    why = ward.get("/v1/windows/explain", **key)

    assert why["state"] == "open"
    assert why["near_miss_ids"] == members
    assert escalation["id"] in why["because"]


def test_a_window_as_of_then_counts_what_was_known_then(ward: Ward) -> None:
    first = ward.submit()
    ward.submit()
    key = {"rule_id": "similar", "service_id": "willow-house", "incident_type": "medication", "deviation": "omitted"}

    assert ward.get("/v1/windows", as_of=first["sequence"], **key)["count"] == 1
    assert ward.get("/v1/windows", **key)["count"] == 2


@pytest.mark.parametrize("bed", [7, 7.5, "7", "007", "nan", "", "1_000", 0.1])
def test_a_window_is_asked_by_the_value_of_an_attribute_be_it_a_number_or_a_text(ward: Ward, bed: str | float) -> None:
    rule = {"id": "beds", "group_by": ["attributes.bed", "attributes.floor"], "threshold": 3, "window": "P14D"}
    ward.put("/v1/policy", {"rules": [rule]})
    ward.submit(attributes={"bed": bed, "floor": "2"})

    asked = {"rule_id": "beds", "attributes.bed": str(bed), "attributes.floor": "2"}

    assert ward.get("/v1/windows", **asked)["count"] == 1
    assert ward.get("/v1/windows", **{**asked, "attributes.bed": "another"})["count"] == 0


def test_a_window_of_a_person_is_asked_by_the_reference_and_answered_by_a_token(ward: Ward) -> None:
    ward.submit(person_ref="resident-31")

    shown = ward.get("/v1/windows", rule_id="same-person", person_ref="resident-31")

    assert shown["count"] == 1
    assert "resident-31" not in str(shown)


def test_the_history_of_a_near_miss_tells_who_did_what_in_order(ward: Ward) -> None:
    near_miss = ward.submit()
    ward.link(near_miss["id"])
    ward.correct(near_miss["id"], deviation="late")

    events = ward.get(f"/v1/near-misses/{near_miss['id']}/history")["items"]

    assert [event["type"] for event in events] == [
        "forewarn.near_miss.recorded.v1",
        "forewarn.near_miss.linked.v1",
        "forewarn.near_miss.corrected.v1",
    ]
    assert all(event["actor"].startswith("key/") for event in events)
    assert events[0]["data"]["report"]["narrative"] == near_miss["narrative"]


def test_the_versions_of_the_policy_are_listed_newest_first(ward: Ward) -> None:
    policy = {"rules": [{"id": "r", "group_by": ["service_id"], "threshold": 9, "window": "P1D"}]}
    ward.put("/v1/policy", policy)

    versions = ward.get("/v1/policy/versions")["items"]

    assert [one["version"] for one in versions] == [2, 1]
    assert ward.get("/v1/policy")["version"] == 2
