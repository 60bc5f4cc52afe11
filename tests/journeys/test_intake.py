"""A care system posts what happened: near misses are recognised in it, all else is kept, nothing is lost to a code."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from tests.care import OMITTED, ON_TIME, dose, event, reported
from tests.cases import CASES
from tests.journeys.inside import Inside, opened
from tests.journeys.ward import gates, pointers

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"


@pytest.fixture
def inside(request: pytest.FixtureRequest, database_url: str) -> Iterator[Inside]:
    """The application with its clock at the test's parameter, if it has one."""
    with opened(database_url, at=getattr(request, "param", None)) as inside:
        yield inside


def post(inside: Inside, body: object, media_type: str = STRUCTURED, *, expect: int = 202, **headers: str) -> Any:
    response = inside.client.post(
        "/v1/events",
        content=msgspec.json.encode(body),
        headers={**inside.ward.headers, "Content-Type": media_type, **headers},
    )
    assert response.status_code == expect, response.text
    return response.json()


def test_an_event_comes_in_every_mode_of_cloudevents(inside: Inside) -> None:
    structured = post(inside, dose("d-1"))
    plain = post(inside, dose("d-1"), "application/json")
    sent = dose("d-1")
    attributes = {f"ce-{name}": str(value) for name, value in sent.items() if name != "data"}
    binary = post(inside, sent["data"], "application/json; charset=utf-8", **attributes)
    batch = post(inside, [sent], BATCH, expect=207)

    assert structured["status"] == "accepted"
    assert plain == binary == {**structured, "status": "duplicate"}
    assert batch["items"] == [{**structured, "status": 202, "result": "duplicate"}]
    record = inside.ward.get(f"/v1/intake-records/{structured['intake_record_id']}")
    assert record["payload"] == sent
    assert record["near_miss_id"] == structured["near_miss_id"]


def test_a_bad_item_in_a_batch_never_loses_the_others(inside: Inside) -> None:
    items = [
        dose("d-1"),
        {**dose("d-2"), "specversion": "0.3"},
        reported("r-1", contributing_factors=[7]),
        dose("d-1", status="late"),
        "nothing",
        dose("d-3", person_ref="resident-9", **ON_TIME, colour="blue"),
    ]

    answered = post(inside, items, BATCH, expect=207, **{"Idempotency-Key": "b-1"})["items"]
    again = post(inside, items, BATCH, expect=207, **{"Idempotency-Key": "b-1"})["items"]

    assert [one["status"] for one in answered] == [202, 422, 422, 409, 422, 202]
    assert [one.get("event_id") for one in answered] == ["d-1", "d-2", "r-1", "d-1", None, "d-3"]
    assert pointers(answered[2]["problem"]) == {"/data/contributing_factors/0"}
    assert answered[5]["outcome"] == "not_a_near_miss"
    assert inside.ward.get(f"/v1/intake-records/{answered[5]['intake_record_id']}")["ignored_fields"] == ["colour"]
    assert (again[0], again[5]) == (answered[0], answered[5])
    post(inside, items[:1], BATCH, expect=422, **{"Idempotency-Key": "b-1"})


@pytest.mark.parametrize("inside", ["2026-11-20T16:00:00Z"], indirect=True)
def test_a_vendors_own_type_is_read_by_the_adapter_that_knows_it(inside: Inside) -> None:
    missed = json.loads((CASES / "fixtures" / "cloudevent_structured.json").read_text())
    batch = json.loads((CASES / "fixtures" / "cloudevent_batch.json").read_text())

    first, late = post(inside, batch, BATCH, expect=207)["items"]
    again = post(inside, missed, STRUCTURED, expect=202)

    assert [(one["outcome"], one["reason"]) for one in (first, late)] == [
        ("recognised", "not_delivered"),
        ("recognised", "started_after_window"),
    ]
    assert (again["status"], again["near_miss_id"]) == ("duplicate", first["near_miss_id"])
    record = inside.ward.get(f"/v1/intake-records/{first['intake_record_id']}")
    assert (record["via"], record["payload"]) == ("adapter/vendor-cloudevents", missed)


def test_what_is_no_event_is_refused_by_name(inside: Inside) -> None:
    ward = inside.ward

    assert pointers(post(inside, {**dose("d-1"), "id": ""}, expect=422)) == {"/id"}
    assert pointers(post(inside, event("x", "weather", {}), expect=422)) == {"/type"}
    assert pointers(post(inside, dose("d-1", scheduled_at=None), expect=422)) == {"/data/scheduled_at"}
    assert post(inside, [dose(f"d-{n}") for n in range(101)], BATCH, expect=413)["type"].endswith("body-too-large")
    assert post(inside, dose("d-1"), "text/xml", expect=415)["type"].endswith("unsupported-media-type")
    assert pointers(post(inside, dose("d-1"), BATCH, expect=422)) == {""}
    assert ward.get("/v1/intake-records")["items"] == []
    reader = inside.holding("near-misses:read")
    assert reader.ask("POST", "/v1/events", dose("d-1"), expect=403)
    ward.get("/v1/intake-records", status="odd", expect=422)


def test_a_dose_not_delivered_counts_at_once_and_is_not_closed_without_its_details(inside: Inside) -> None:
    ward = inside.ward

    taken = post(inside, dose("d-1", **OMITTED), **{"Idempotency-Key": "k-1"})
    near_miss_id = taken["near_miss_id"]
    shown = ward.near_miss(near_miss_id)
    ward.link(near_miss_id)
    refused = ward.post(f"/v1/near-misses/{near_miss_id}/closure", {"outcome": "Seen."}, expect=409)
    ward.post(f"/v1/near-misses/{near_miss_id}/details", {"contributing_factors": ["workload"]})
    closed = ward.post(f"/v1/near-misses/{near_miss_id}/closure", {"outcome": "Seen."})

    assert post(inside, dose("d-1", **OMITTED), **{"Idempotency-Key": "k-1"}) == taken
    assert (shown["classification"], shown["status"], shown["frequency"]) == (
        "no_harm_incident",
        "awaiting_details",
        1,
    )
    assert set(gates(refused)) == {"details_missing"}
    assert closed["status"] == "closed"
    left = post(inside, dose("d-2", at="09:30", **ON_TIME))
    assert (left["outcome"], left["reason"]) == ("unchanged", "already_closed")


def test_the_third_late_round_opens_the_review(inside: Inside) -> None:
    ward = inside.ward
    for day in (25, 26, 27):
        day_of = f"2026-02-{day}T08"
        for n in range(3):
            given = {"scheduled_at": f"{day_of}:0{n}:00Z", "administered_at": f"{day_of}:40:00Z"}
            post(inside, dose(f"d-{day}-{n}", person_ref=f"resident-{n}", **given))
        escalations = ward.escalations(status="awaiting_ack")
        assert len(escalations) == (1 if day == 27 else 0)

    (escalation,) = escalations
    assert len(escalation["members"]) == 3
    assert [one["persons_affected"] for one in ward.get("/v1/near-misses")["items"]] == [3, 3, 3]


def test_an_unknown_code_is_kept_and_recognised_once_somebody_says_what_it_means(inside: Inside) -> None:
    ward = inside.ward
    taken = post(inside, dose("d-1", status="MISSED-X", administered_at=None))
    path = f"/v1/intake-records/{taken['intake_record_id']}"
    (kept,) = ward.get("/v1/intake-records", status="unmapped", via="events")["items"]
    before = ward.post(f"{path}/replay", {})
    rules = ward.get("/v1/recognition")
    ward.put("/v1/recognition", {"dose_statuses": {**rules["dose_statuses"], "missed-x": "not_delivered"}})

    after = ward.ask("POST", f"{path}/replay", {}, expect=200, **{"Idempotency-Key": "k-1"})
    once_more = ward.post(f"{path}/replay", {})
    repeated = ward.ask("POST", f"{path}/replay", {}, expect=200, **{"Idempotency-Key": "k-1"})

    assert kept["unmapped"] == [{"field": "status", "code": "MISSED-X"}]
    assert before["replay"]["changed"] is False
    assert (after["status"], after["replay"]["changed"]) == ("recognised", True)
    assert (once_more["near_miss_id"], once_more["replay"]["changed"]) == (after["near_miss_id"], False)
    assert repeated == after
    assert ward.near_miss(after["near_miss_id"])["source_event_id"] == "d-1"
    assert post(inside, dose("d-1", status="MISSED-X", administered_at=None))["near_miss_id"] == after["near_miss_id"]
    inside.other.get(path, expect=404)
    inside.other.post(f"{path}/replay", {}, expect=404)


def test_a_denominator_stands_and_the_newest_records_come_first(inside: Inside) -> None:
    ward = inside.ward
    counted = {"service_id": "willow-house", "date": "2026-03-01", "doses_due": 120}

    stated = post(inside, event("n-1", "denominator", counted))
    post(inside, dose("d-1", source="urn:other", **ON_TIME))

    first = ward.get("/v1/intake-records", limit=1)
    second = ward.get("/v1/intake-records", limit=1, cursor=first["next_cursor"])
    assert stated["outcome"] == "denominator"
    assert [one["event_id"] for one in (*first["items"], *second["items"])] == ["d-1", "n-1"]
    assert [one["event_id"] for one in ward.get("/v1/intake-records", source="urn:other")["items"]] == ["d-1"]
    (row,) = ward.get("/v1/denominators", service_id="willow-house")["items"]
    assert row["doses_due"] == 120
