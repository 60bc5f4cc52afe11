"""Services belong to localities over time: what happened counts for where its service belonged then."""

from collections.abc import Iterator

import pytest

from tests.journeys.inside import Inside, opened
from tests.journeys.ward import CAUSES, Ward

MOVED = {
    "name": "Willow House",
    "service_type": "care_home",
    "aliases": ["WH-1"],
    "localities": [
        {"locality": "north", "from": "2024-01-01", "to": "2026-03-01"},
        {"locality": "south", "from": "2026-03-01"},
    ],
}


@pytest.fixture
def inside(database_url: str) -> Iterator[Inside]:
    with opened(database_url) as inside:
        inside.ward.put("/v1/services/willow-house", MOVED)
        yield inside


def ids(ward: Ward, path: str, **parameters: str) -> list[str]:
    return [one["id"] for one in ward.get(path, **parameters)["items"]]


def test_a_near_miss_counts_for_the_locality_of_its_day_not_of_today(inside: Inside) -> None:
    before = inside.ward.submit(occurred_at="2026-02-28T22:00:00Z")
    after = inside.ward.submit(occurred_at="2026-03-01T08:00:00Z")

    assert (before["locality"], after["locality"]) == ("north", "south")
    assert ids(inside.ward, "/v1/near-misses", locality="north") == [before["id"]]
    assert ids(inside.ward, "/v1/near-misses", locality="south") == [after["id"]]


def test_a_corrected_time_takes_the_locality_of_that_time(inside: Inside) -> None:
    near_miss = inside.ward.submit(occurred_at="2026-03-01T08:00:00Z")

    corrected = inside.ward.correct(near_miss["id"], occurred_at="2026-02-28T08:00:00Z")

    assert corrected["locality"] == "north"
    assert ids(inside.ward, "/v1/near-misses", locality="south") == []


def test_a_locality_that_the_report_named_itself_stays(inside: Inside) -> None:
    near_miss = inside.ward.submit(occurred_at="2026-03-01T08:00:00Z", locality="the lent ward")

    corrected = inside.ward.correct(near_miss["id"], occurred_at="2026-02-28T08:00:00Z")

    assert corrected["locality"] == "the lent ward"


def test_escalations_reviews_and_actions_are_listed_by_service_and_by_locality(inside: Inside) -> None:
    ward = inside.ward
    for _ in range(3):
        ward.submit(occurred_at="2026-03-01T08:00:00Z")
    (escalation,) = ward.escalations()
    ward.review(escalation["review_id"], "start", {})
    ward.review(escalation["review_id"], "causes", CAUSES)
    said = {"description": "Name doses at handover.", "owner": "manager-2", "due": "2026-04-01"}
    action = ward.review(escalation["review_id"], "actions", said)["actions"][0]

    for path, one in (
        ("/v1/escalations", escalation["id"]),
        ("/v1/reviews", escalation["review_id"]),
        ("/v1/actions", action["id"]),
    ):
        assert ids(ward, path, locality="south") == ids(ward, path, service_id="willow-house") == [one]
        assert ids(ward, path, service_id="WH-1") == [one]
        assert ids(ward, path, locality="north") == ids(ward, path, service_id="elm-house") == []


def test_what_was_reported_under_any_name_of_a_service_is_listed_under_each(inside: Inside) -> None:
    near_misses = [inside.ward.submit(service_id=name)["id"] for name in ("WH-1", "willow-house")]

    for name in ("WH-1", "willow-house"):
        assert ids(inside.ward, "/v1/near-misses", service_id=name) == near_misses[::-1]


def test_denominators_belong_to_the_locality_of_their_day(inside: Inside) -> None:
    days = ["2026-02-28", "2026-03-01"]
    inside.ward.put(
        "/v1/denominators", {"items": [{"service_id": "willow-house", "date": day, "doses_due": 90} for day in days]}
    )

    north = inside.ward.get("/v1/denominators", locality="north")["items"]

    assert [one["date"] for one in north] == ["2026-02-28"]
    assert inside.ward.get("/v1/denominators", locality="nowhere")["items"] == []


def test_services_are_listed_by_the_locality_that_they_belonged_to_on_a_day(inside: Inside) -> None:
    assert ids(inside.ward, "/v1/services", locality="south") == ["willow-house"]
    assert ids(inside.ward, "/v1/services", locality="north", on="2026-02-28") == ["willow-house"]
    assert ids(inside.ward, "/v1/services", locality="north") == []


def test_what_was_recorded_under_a_name_before_it_was_an_alias_is_found_by_every_name(inside: Inside) -> None:
    ward = inside.ward
    early = ward.submit(service_id="the old wing")

    ward.put("/v1/services/willow-house", {**MOVED, "aliases": ["WH-1", "the old wing"]})

    for name in ("the old wing", "WH-1", "willow-house"):
        assert ids(ward, "/v1/near-misses", service_id=name) == [early["id"]], name
