"""The workflow heatmap (S10): hot cells at shift transitions that lead to their records, and totals that reconcile."""

import re
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.journeys.inside import Inside
from tests.journeys.ward import LINK, Ward

MORNING = "2026-02-2{}T07:45:00Z"
RULE: dict[str, Any] = {"id": "three", "group_by": ["service_id", "incident_type"], "threshold": 3, "window": "P14D"}


def cells(shown: dict[str, Any]) -> dict[tuple[str | None, str | None], int]:
    return {(cell["row"], cell["column"]): cell["count"] for cell in shown["cells"]}


def test_a_cluster_at_a_shift_transition_is_one_hot_cell_that_leads_to_its_records(ward: Ward) -> None:
    ward.put("/v1/services/willow-house", {"name": "Willow House", "service_type": "care_home"})
    cluster = [ward.submit(occurred_at=MORNING.format(day), deviation="late")["id"] for day in (1, 3, 5)]
    elsewhere = ward.submit(occurred_at="2026-02-22T14:00:00Z", deviation="extra")["id"]
    for one in (*cluster, elsewhere):
        ward.link(one)

    shown = ward.get("/v1/heatmaps/workflow", rows="stage_allowed", columns="shift_bracket")
    hot = ward.get(
        "/v1/heatmaps/workflow/cells",
        rows="stage_allowed",
        columns="shift_bracket",
        row="handover",
        column="morning_handover",
    )

    assert cells(shown) == {("handover", "morning_handover"): 3, ("handover", "day"): 1}
    assert sorted(hot["items"]) == sorted(cluster)


def test_the_total_is_the_cells_and_the_unlinked_and_reconciles_with_the_register(ward: Ward) -> None:
    linked = [ward.submit(occurred_at=f"2026-02-2{day}T14:00:00Z")["id"] for day in range(4)]
    for one in linked[:2]:
        ward.link(one)
    ward.link(linked[2], stage_allowed="unknown")
    ward.withdraw(linked[1])

    shown = ward.get("/v1/heatmaps/workflow", rows="stage_allowed", columns="weekday")

    assert cells(shown) == {("handover", "fri"): 1, ("unknown", "sun"): 1}
    assert shown["unlinked"] == 1
    assert shown["total"] == 3 == sum(cells(shown).values()) + shown["unlinked"]
    standing = [one for one in ward.get("/v1/near-misses")["items"] if one["status"] != "withdrawn"]
    assert shown["total"] == len(standing)


def test_every_cell_leads_to_as_many_records_as_it_counts_and_no_record_is_in_two(ward: Ward) -> None:
    for day in range(6):
        near_miss = ward.submit(occurred_at=f"2026-02-2{day}T07:45:00Z", deviation=("late", "extra")[day % 2])
        if day % 3:
            ward.link(near_miss["id"], stage_allowed=("handover", "prepare")[day % 2])
    axes = {"rows": "stage_allowed", "columns": "deviation"}

    shown = ward.get("/v1/heatmaps/workflow", **axes)

    ids: list[str] = []
    for (row, column), count in cells(shown).items():
        of_cell = ward.get("/v1/heatmaps/workflow/cells", **axes, row=row, column=column)["items"]
        assert len(of_cell) == count
        ids += of_cell
    for column in ("late", "extra"):
        ids += ward.get("/v1/heatmaps/workflow/cells", **axes, column=column)["items"]  # Those without a stage.
    assert len(ids) == len(set(ids)) == shown["total"] == 6


def test_without_a_stage_among_the_axes_nothing_is_unlinked(ward: Ward) -> None:
    ward.submit()

    shown = ward.get("/v1/heatmaps/workflow", rows="service_id", columns="incident_type")

    assert cells(shown) == {("willow-house", "medication"): 1}
    assert shown["unlinked"] == 0


def test_a_correction_moves_a_record_to_another_cell_and_as_of_still_shows_the_former(ward: Ward) -> None:
    near_miss = ward.submit(occurred_at="2026-02-20T14:00:00Z")
    then = near_miss["sequence"]
    ward.correct(near_miss["id"], occurred_at="2026-02-21T03:00:00Z")

    now = ward.get("/v1/heatmaps/workflow", rows="weekday", columns="hour")
    before = ward.get("/v1/heatmaps/workflow", rows="weekday", columns="hour", as_of=then)

    assert cells(now) == {("sat", "3"): 1}
    assert cells(before) == {("fri", "14"): 1}
    assert before["as_of_sequence"] == then


def test_labels_are_local_to_the_organisation(ward: Ward) -> None:
    policy = {"rules": [{"id": "r", "group_by": ["service_id"], "threshold": 9, "window": "P1D"}]}
    ward.put("/v1/policy", {**policy, "time_zone": "Europe/London"})
    ward.submit(occurred_at="2025-06-30T23:30:00Z")  # Half past midnight of 1 July in London.

    shown = {
        axis: ward.get("/v1/heatmaps/workflow", rows=axis, columns="service_id")["rows"]
        for axis in ("month", "week", "weekday", "hour")
    }

    assert shown == {"month": ["2025-07"], "week": ["2025-W27"], "weekday": ["tue"], "hour": ["0"]}


def test_only_what_an_active_rule_counts_is_on_the_map_unless_a_classification_is_asked_for(ward: Ward) -> None:
    ward.submit()
    ward.submit(classification="harm_incident")

    counted = ward.get("/v1/heatmaps/workflow", rows="service_id", columns="incident_type")
    harm = ward.get("/v1/heatmaps/workflow", rows="service_id", columns="incident_type", classification="harm_incident")

    assert counted["total"] == 1
    assert harm["total"] == 1


def test_a_period_begins_with_from_and_ends_before_to(ward: Ward) -> None:
    for day in ("2026-02-01", "2026-02-02", "2026-02-03"):
        ward.submit(occurred_at=f"{day}T00:00:00Z")

    shown = ward.get(
        "/v1/heatmaps/workflow",
        **{"rows": "service_id", "columns": "weekday", "from": "2026-02-02", "to": "2026-02-03"},
    )

    assert cells(shown) == {("willow-house", "mon"): 1}


def test_the_map_of_one_service_leaves_out_the_others_and_another_organisation_altogether(inside: Inside) -> None:
    inside.ward.submit()
    inside.ward.submit(service_id="rowan-homecare")
    inside.other.submit()

    shown = inside.ward.get(
        "/v1/heatmaps/workflow", rows="service_id", columns="incident_type", service_id="rowan-homecare"
    )

    assert cells(shown) == {("rowan-homecare", "medication"): 1}


def test_an_axis_that_does_not_exist_is_refused_with_those_that_do(ward: Ward) -> None:
    refused = ward.get("/v1/heatmaps/workflow", expect=422, rows="shoe_size", columns="weekday")

    assert refused["errors"][0]["pointer"] == "/query/rows"
    assert "stage_allowed" in refused["errors"][0]["detail"]


# What is beside a count


def test_a_cluster_at_a_handover_stands_out_against_the_share_of_its_hours(ward: Ward) -> None:
    ward.put("/v1/services/willow-house", {"name": "Willow House", "service_type": "care_home"})
    for day in (1, 3, 5):
        ward.submit(occurred_at=MORNING.format(day), workflow_link=LINK)
    for day in range(3):
        ward.submit(occurred_at=f"2026-02-2{day}T14:00:00Z", workflow_link=LINK)

    shown = {cell["column"]: cell for cell in ward.get("/v1/heatmaps/workflow")["cells"]}

    assert shown["morning_handover"]["count"] == shown["day"]["count"] == 3
    assert shown["morning_handover"]["expected"] == pytest.approx(6 * 0.75 / 24)
    assert shown["day"]["expected"] == pytest.approx(6 * 11.25 / 24)
    assert shown["morning_handover"]["above_expected"] is True
    assert "above_expected" not in shown["day"]


def test_a_map_of_then_is_counted_by_what_was_settled_then(ward: Ward) -> None:
    rule = {"id": "r", "group_by": ["service_id"], "threshold": 9, "window": "P1D"}
    ward.submit(classification="no_harm_incident", workflow_link=LINK, occurred_at="2026-02-20T14:00:00Z")
    then = ward.get("/v1/heatmaps/workflow")
    table = [{"bracket": "day", "from": "00:00", "to": "00:00"}]
    counts = {"count_classifications": ["near_miss"]}
    ward.put("/v1/policy", {"rules": [{**rule, **counts}], "shifts": {"*": table}})

    assert ward.get("/v1/heatmaps/workflow")["total"] == 0
    assert then["total"] == 1
    assert ward.get("/v1/heatmaps/workflow", as_of=then["as_of_sequence"]) == then


def test_places_barriers_and_sources_are_axes_and_filters_too(ward: Ward) -> None:
    place = {"localities": [{"locality": "north", "from": "2024-04-01"}]}
    ward.put("/v1/services/willow-house", {"name": "W", "service_type": "care_home", "aliases": ["WILLOW-01"], **place})
    ward.submit(source="emar", source_event_id="e-1", recovery_barrier="chance")
    ward.submit(source="rota", source_event_id="r-1", service_id="elsewhere")
    ward.submit()

    def total(**filters: str) -> int:
        return ward.get("/v1/heatmaps/workflow", **filters)["total"]

    places = ward.get("/v1/heatmaps/workflow", rows="locality", columns="recovery_barrier")
    sources = ward.get("/v1/heatmaps/workflow", rows="source", columns="service_id")
    assert cells(places) == {("north", "chance"): 1, ("north", None): 1, (None, None): 1}
    assert cells(sources) == {("emar", "willow-house"): 1, ("rota", "elsewhere"): 1, (None, "willow-house"): 1}
    assert (total(locality="north"), total(source="rota"), total(recovery_barrier="chance")) == (2, 1, 1)
    assert (total(service_id="WILLOW-01"), total(deviation="omitted", stage_allowed="handover")) == (2, 0)


# Who may read no single record


def test_leaders_and_auditors_see_the_map_without_its_small_numbers_and_no_records(inside: Inside) -> None:
    for service_id, count in {"a": 6, "b": 2, "c": 9}.items():
        for _ in range(count):
            inside.ward.submit(service_id=service_id)
    axes = {"rows": "service_id", "columns": "incident_type"}

    for scope in ("governance:act", "audit:read"):
        reader = inside.holding(scope)
        shown = reader.get("/v1/heatmaps/workflow", **axes)
        drawn = picture(reader, **axes)
        reader.get("/v1/heatmaps/workflow/cells", expect=403, **axes, row="c", column="medication")

        assert cells(shown) == {("a", "medication"): None, ("b", "medication"): None, ("c", "medication"): 9}
        assert [cell.get("suppressed") for cell in shown["cells"]] == [True, True, None]
        assert shown["total"] == 17
        assert {"9"} == set(numbers(drawn))
        assert "Withheld" in drawn
    assert cells(inside.holding("near-misses:read").get("/v1/heatmaps/workflow", **axes))["b", "medication"] == 2
    inside.holding("reviews:act").get("/v1/heatmaps/workflow", expect=403)


def test_who_may_read_no_record_cannot_take_one_map_from_another(inside: Inside) -> None:
    """Of two maps that are one event or one day apart, the difference would be a single record."""
    inside.ward.put("/v1/policy", {"rules": [RULE], "time_zone": "Europe/London"})
    for day in range(1, 7):
        inside.ward.submit(occurred_at=f"2026-02-0{day}T09:00:00Z")
    axes = {"rows": "service_id", "columns": "incident_type"}
    leader, both = inside.holding("governance:act"), inside.holding("governance:act", "near-misses:read")

    for path in ("/v1/heatmaps/workflow", "/v1/heatmaps/workflow.svg"):
        refused = leader.get(path, expect=403, **axes, as_of=5)
        days = leader.get(path, expect=422, **axes, **{"from": "2026-02-02", "to": "2026-02-06T12:00:00Z"})
        assert "near-misses:read" in refused["detail"]
        assert {(one["pointer"], one["code"]) for one in days["errors"]} == {
            ("/query/from", "not-a-month"),
            ("/query/to", "not-a-month"),
        }
    months = {"from": "2026-02-01", "to": "2026-03-01T00:00:00Z"}
    summer = {"from": "2025-06-30T23:00:00Z", "to": "2026-07-01"}
    for asked in ({}, months, summer):
        assert cells(leader.get("/v1/heatmaps/workflow", **axes, **asked)) == {("willow-house", "medication"): 6}
    leader.get("/v1/heatmaps/workflow", expect=422, **axes, **{"from": "2025-07-01T00:00:00Z"})
    assert both.get("/v1/heatmaps/workflow", **axes, **{"from": "2026-02-06"}, as_of=0)["total"] == 0


# What is not known


@pytest.mark.parametrize("path", ["", "/cells"])
def test_a_service_or_locality_that_nobody_knows_is_no_quiet_one(ward: Ward, path: str) -> None:
    ward.submit()
    ward.put("/v1/services/quiet-house", {"name": "Quiet House", "service_type": "care_home", "aliases": ["qh"]})

    refused = ward.get(f"/v1/heatmaps/workflow{path}", expect=422, service_id="wilow-house", locality="norht")

    assert {error["pointer"]: error["code"] for error in refused["errors"]} == {
        "/query/service_id": "unknown-code",
        "/query/locality": "unknown-code",
    }
    assert "willow-house" in str(refused)
    for known in ("willow-house", "quiet-house", "qh"):
        ward.get(f"/v1/heatmaps/workflow{path}", service_id=known)


@pytest.mark.parametrize("path", ["", "/cells"])
def test_what_is_asked_for_and_not_known_is_named_with_what_is_near_it(ward: Ward, path: str) -> None:
    asked = {"rows": "stage_alowed", "incident_type": "medicaton", "from": "2026-03-02", "to": "2026-03-01"}

    refused = ward.get(f"/v1/heatmaps/workflow{path}", expect=422, **asked)

    told = {error["pointer"]: error["detail"] for error in refused["errors"]}
    assert set(told) == {"/query/rows", "/query/incident_type", "/query/to"}
    assert "stage_allowed" in told["/query/rows"]
    assert "medication" in told["/query/incident_type"]
    assert "medicaton" not in str(refused)
    assert "unknown-parameter" in str(ward.get(f"/v1/heatmaps/workflow{path}", expect=422, colour="red"))


# The picture


def picture(ward: Ward, expect: int = 200, **parameters: str) -> str:
    answer = ward.client.get("/v1/heatmaps/workflow.svg", params=parameters, headers=ward.headers)
    assert answer.status_code == expect, answer.text
    return answer.text


def numbers(drawn: str) -> list[str]:
    """The numbers in the cells, in order."""
    return [one.text or "" for one in ET.fromstring(drawn).iterfind(".//{*}g/{*}text[@font-weight]") if one.text != "–"]


def test_the_map_is_drawn_with_its_numbers_labels_and_legend_and_with_nothing_from_elsewhere(ward: Ward) -> None:
    ward.put("/v1/services/willow-house", {"name": '<script>"Willow" & House', "service_type": "care_home"})
    for day in (1, 3, 5):
        ward.submit(occurred_at=MORNING.format(day), workflow_link=LINK)
    ward.submit(occurred_at="2026-02-22T14:00:00Z", workflow_link=LINK)
    ward.submit(occurred_at="2026-02-22T14:00:00Z", service_id="elm")

    drawn = picture(ward, rows="service_id", columns="shift_bracket", stage_affected="administer")
    root = ET.fromstring(drawn)

    texts = ["".join(one.itertext()) for one in root.iter("{http://www.w3.org/2000/svg}text")]
    assert root.get("role") == "img"
    assert root.find("{*}title") is not None
    assert root.find("{*}desc") is not None
    assert {'<script>"Willow" & House', "Morning handover", "Day", "Stage affected: Administer"} <= set(texts)
    assert numbers(drawn) == ["3", "1"]
    assert {"exp. 0.1", "exp. 1.9", "Near misses in a cell"} <= set(texts)
    assert drawn.count('class="hot"') == 1
    assert "<script" not in drawn
    assert re.findall(r"(?:href|src|url)\W+(?!#withheld)\S+", drawn) == []


def test_a_calendar_is_drawn_without_gaps_and_one_that_nobody_could_read_is_refused(ward: Ward) -> None:
    ward.submit(occurred_at="2025-11-20T14:00:00Z")
    ward.submit(occurred_at="2026-02-20T14:00:00Z")

    by_month = picture(ward, rows="service_id", columns="month")
    by_hour = picture(ward, rows="weekday", columns="hour")
    of_nothing = picture(ward, **{"from": "2020-01-01", "to": "2020-02-01"})
    ward.submit(occurred_at="2010-02-20T14:00:00Z")

    assert numbers(by_month) == ["1", "0", "0", "1"]
    assert "2025-12" in by_month
    assert len(numbers(by_hour)) == 7 * 24
    assert "No near misses." in of_nothing
    assert "/query/columns" in picture(ward, expect=422, rows="service_id", columns="month")
