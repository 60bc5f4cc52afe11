"""Help with the workflow link: suggested stages with their reasons, and where plans do not hold (S7 to S9)."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.journeys.inside import Inside, opened
from tests.journeys.ward import LINK, Ward

TRAVEL = {
    "scheduling": {"planned": "2026-03-02T08:00:00Z", "actual": "2026-03-02T08:31:00Z"},
    "staff_allocation": {"planned": 2, "actual": 1},
    "travel_time": {"planned_minutes": 15, "actual_minutes": 37},
}
VISIT: dict[str, Any] = {"incident_type": "visit", "deviation": "late"}
RULE: dict[str, Any] = {"id": "three", "group_by": ["service_id", "incident_type"], "threshold": 3, "window": "P14D"}


@pytest.fixture
def inside(database_url: str) -> Iterator[Inside]:
    with opened(database_url) as inside:
        yield inside


def suggestions(ward: Ward, near_miss_id: str) -> list[dict[str, Any]]:
    return ward.get(f"/v1/near-misses/{near_miss_id}/workflow-link/suggestions")["suggestions"]


def linked_visit(ward: Ward, stage: str = "travel", **changes: Any) -> dict[str, Any]:
    near_miss = ward.submit(**VISIT, **changes)
    link = {**LINK, "stage_affected": "deliver", "stage_allowed": stage, "mapped_against": TRAVEL}
    return ward.put(f"/v1/near-misses/{near_miss['id']}/workflow-link", link)


def test_the_minutes_of_deviation_are_computed_from_plan_and_actual(inside: Inside) -> None:
    linked = linked_visit(inside.ward)

    assert linked["plan_deviation"] == {"scheduling_minutes": 31.0, "staff": -1, "travel_minutes": 22}


def test_a_stage_is_suggested_from_similar_linked_near_misses_and_never_filled_in(inside: Inside) -> None:
    earlier = linked_visit(inside.ward)
    near_miss = inside.ward.submit(**VISIT)

    best = suggestions(inside.ward, near_miss["id"])[0]

    assert (best["stage_allowed"], best["basis"], best["near_miss_ids"]) == ("travel", "similar", [earlier["id"]])
    assert "workflow_link" not in inside.ward.near_miss(near_miss["id"])


def test_an_unlinked_unknown_or_withdrawn_one_suggests_nothing(inside: Inside) -> None:
    linked_visit(inside.ward, "unknown")
    inside.ward.withdraw(linked_visit(inside.ward, "plan")["id"])
    near_miss = inside.ward.submit(**VISIT)

    assert [one["basis"] for one in suggestions(inside.ward, near_miss["id"])] == ["deviation"]


def test_suggestions_for_what_is_not_known_here_are_not_found(inside: Inside) -> None:
    theirs = inside.other.submit()

    for near_miss_id in (theirs["id"], "nm_none"):
        inside.ward.get(f"/v1/near-misses/{near_miss_id}/workflow-link/suggestions", expect=404)


def test_deviations_from_the_plan_appear_by_the_stage_that_allowed_them(inside: Inside) -> None:
    linked_visit(inside.ward)
    linked_visit(inside.ward, "plan")
    inside.ward.submit(**VISIT)

    shown = inside.ward.get("/v1/workflow/plan-deviations")

    by_stage = {one["key"]: one for one in shown["items"]}
    assert by_stage["travel"]["travel_minutes"] == {
        "known": 1, "mean": 22.0, "off_plan": 1, "smallest": 22.0, "largest": 22.0,
    }  # fmt: skip
    assert by_stage["travel"]["staff"]["off_plan"] == 1
    assert (by_stage[None]["near_misses"], by_stage[None]["travel_minutes"]) == (1, None)


def test_deviations_as_of_before_the_link_are_as_they_were_known_then(inside: Inside) -> None:
    near_miss = inside.ward.submit(**VISIT)
    inside.ward.put(
        f"/v1/near-misses/{near_miss['id']}/workflow-link",
        {**LINK, "stage_affected": "deliver", "stage_allowed": "travel", "mapped_against": TRAVEL},
    )

    then = inside.ward.get("/v1/workflow/plan-deviations", as_of=near_miss["sequence"])

    assert then["items"] == [
        {"key": None, "near_misses": 1, "scheduling_minutes": None, "staff": None, "travel_minutes": None}
    ]


def test_deviations_are_counted_of_what_a_heatmap_counts(inside: Inside) -> None:
    linked_visit(inside.ward)
    harm = linked_visit(inside.ward, classification="harm_incident")
    then = inside.ward.near_miss(harm["id"])["sequence"] + 1
    axes = {"rows": "service_id", "columns": "incident_type"}

    def numbers(**asked: Any) -> int:
        found = inside.ward.get("/v1/workflow/plan-deviations", **asked)
        mapped = inside.ward.get("/v1/heatmaps/workflow", **axes, **asked)
        assert found["as_of_sequence"] == mapped["as_of_sequence"]
        assert sum(one["near_misses"] for one in found["items"]) == mapped["total"]
        return mapped["total"]

    assert (numbers(), numbers(classification="harm_incident")) == (1, 1)
    inside.ward.put("/v1/policy", {"rules": [{**RULE, "count_classifications": ["near_miss", "harm_incident"]}]})
    assert (numbers(), numbers(as_of=then)) == (2, 1)


def test_deviations_of_then_are_cut_by_the_zone_of_then(inside: Inside) -> None:
    near_miss = inside.ward.submit(**VISIT, occurred_at="2026-03-01T23:30:00Z")
    day = {"from": "2026-03-01", "to": "2026-03-02"}

    inside.ward.put("/v1/policy", {"rules": [RULE], "time_zone": "Asia/Tokyo"})

    now = inside.ward.get("/v1/workflow/plan-deviations", **day)
    then = inside.ward.get("/v1/workflow/plan-deviations", **day, as_of=near_miss["sequence"])
    assert (now["items"], [one["near_misses"] for one in then["items"]]) == ([], [1])


def test_a_service_goes_by_any_of_its_names(inside: Inside) -> None:
    inside.ward.put("/v1/services/willow-house", {"name": "Willow", "service_type": "care_home", "aliases": ["WH-1"]})
    inside.ward.submit(**VISIT)

    shown = inside.ward.get("/v1/workflow/plan-deviations", service_id="WH-1", group_by="service_id")

    assert [(one["key"], one["near_misses"]) for one in shown["items"]] == [("willow-house", 1)]


@pytest.mark.parametrize(
    ("parameters", "pointer"),
    [
        ({"group_by": "weather"}, "/query/group_by"),
        ({"from": "2026-03-02", "to": "2026-03-01"}, "/query/to"),
        ({"from": "yesterday"}, "/query/from"),
        ({"service_id": "wilow"}, "/query/service_id"),
        ({"incident_type": "visitt"}, "/query/incident_type"),
        ({"classification": "harm"}, "/query/classification"),
    ],
)
def test_what_cannot_be_asked_is_named(inside: Inside, parameters: dict[str, str], pointer: str) -> None:
    problem = inside.ward.get("/v1/workflow/plan-deviations", expect=422, **parameters)

    assert [one["pointer"] for one in problem["errors"]] == [pointer]
