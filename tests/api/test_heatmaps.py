"""The workflow heatmap (S10): hot cells at shift transitions that lead to their records, and totals that reconcile."""

from typing import Any

from tests.journeys.inside import Inside
from tests.journeys.ward import Ward

MORNING = "2026-02-2{}T07:45:00Z"


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
