"""Asked twice, done once: by Idempotency-Key, by the source's own name for it, and never on a stale version."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from app.database.tables import events, sources
from tests.journeys.inside import Inside
from tests.journeys.ward import LINK, Ward, report

KEY = {"Idempotency-Key": "7f2c"}
SOURCE = {"source": "emar:willow-house", "source_event_id": "e-1187"}


def posted(ward: Ward, path: str, body: Any, headers: dict[str, str] = KEY) -> httpx2.Response:
    return ward.client.post(path, json=body, headers={**ward.headers, **headers})


def count(ward: Ward) -> int:
    return len(ward.get("/v1/near-misses", limit=200)["items"])


# Idempotency-Key


def test_the_same_request_again_is_answered_as_the_first_time_and_does_nothing(ward: Ward) -> None:
    first = posted(ward, "/v1/near-misses", report())
    ward.correct(first.json()["id"], deviation="late")

    again = posted(ward, "/v1/near-misses", report())

    assert (first.status_code, again.status_code) == (201, 201)
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json() == first.json()
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers["location"] == first.headers["location"]
    assert count(ward) == 1


def test_the_answer_that_opened_a_review_is_given_again_as_it_was(ward: Ward) -> None:
    ward.submit()
    ward.submit()
    first = posted(ward, "/v1/near-misses", report())
    ward.close(ward.escalations()[0])

    again = posted(ward, "/v1/near-misses", report())

    assert again.json() == first.json()
    assert len(ward.escalations()) == 1


def test_how_a_document_is_written_does_not_make_it_another_request(ward: Ward) -> None:
    posted(ward, "/v1/near-misses", report())
    turned = dict(reversed(report().items()))

    again = posted(ward, "/v1/near-misses", turned)

    assert again.headers["idempotency-replayed"] == "true"


def test_a_key_that_comes_with_another_request_is_refused(ward: Ward) -> None:
    posted(ward, "/v1/near-misses", report())

    other = posted(ward, "/v1/near-misses", report(deviation="late"))

    assert other.status_code == 422
    assert other.json()["type"].endswith("idempotency-key-reused")
    assert count(ward) == 1


def test_a_refusal_is_not_kept_and_runs_again(ward: Ward) -> None:
    refused = posted(ward, "/v1/near-misses", report(incident_type="fall"))
    ward.put("/v1/taxonomy", {"incident_types": [{"code": "fall", "label": "Fall"}]})

    again = posted(ward, "/v1/near-misses", report(incident_type="fall", deviation=None))

    assert (refused.status_code, again.status_code) == (422, 201)


def test_a_gate_that_was_not_met_is_asked_again(ward: Ward) -> None:
    near_miss = ward.submit()
    path = f"/v1/near-misses/{near_miss['id']}/closure"
    refused = posted(ward, path, {"outcome": "Spoken about."})
    ward.link(near_miss["id"])

    closed = posted(ward, path, {"outcome": "Spoken about."})
    again = posted(ward, path, {"outcome": "Spoken about."})

    assert (refused.status_code, closed.status_code, again.status_code) == (409, 200, 200)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json() == closed.json()


def test_a_key_holds_for_one_path_one_api_key_and_one_organisation(inside: Inside) -> None:
    ward, colleague = inside.ward, inside.holding("near-misses:write")
    first = posted(ward, "/v1/near-misses", report())
    correction = {"reason": "The chart says otherwise.", "changes": {"deviation": "late"}}

    answers = [
        posted(colleague, "/v1/near-misses", report()),
        posted(inside.other, "/v1/near-misses", report()),
        posted(ward, f"/v1/near-misses/{first.json()['id']}/corrections", correction),
    ]

    assert [answer.status_code for answer in answers] == [201, 201, 200]
    assert all("idempotency-replayed" not in answer.headers for answer in answers)


def test_a_command_is_replayed_as_of_then(ward: Ward) -> None:
    near_miss_id = ward.submit()["id"]
    path = f"/v1/near-misses/{near_miss_id}/corrections"
    body = {"reason": "The chart says otherwise.", "changes": {"deviation": "late"}}
    first = posted(ward, path, body)
    ward.correct(near_miss_id, deviation="extra")

    again = posted(ward, path, body)

    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert ward.near_miss(near_miss_id)["deviation"] == "extra"


def test_the_key_is_looked_at_before_the_source(ward: Ward) -> None:
    posted(ward, "/v1/near-misses", report(**SOURCE))

    again = posted(ward, "/v1/near-misses", report(**SOURCE))

    assert again.status_code == 201
    assert again.headers["idempotency-replayed"] == "true"


def test_a_batch_is_replayed_item_by_item(ward: Ward) -> None:
    batch = {"items": [report(), report(incident_type="meteor"), report(deviation="late")]}
    first = posted(ward, "/v1/near-misses:batch", batch)

    again = posted(ward, "/v1/near-misses:batch", batch)

    assert [item["status"] for item in first.json()["items"]] == [201, 422, 201]
    assert again.headers["idempotency-replayed"] == "true"
    assert [item.get("near_miss") for item in again.json()["items"]] == [
        item.get("near_miss") for item in first.json()["items"]
    ]
    assert count(ward) == 2


@pytest.mark.parametrize(
    "other",
    [[report(deviation="late")], [report(), report(), report()], [report(incident_type="meteor"), report()]],
    ids=["changed", "longer", "with a bad item first"],
)
def test_another_batch_with_the_same_key_is_refused_whole(ward: Ward, other: list[dict[str, Any]]) -> None:
    posted(ward, "/v1/near-misses:batch", {"items": [report(), report()]})

    refused = posted(ward, "/v1/near-misses:batch", {"items": other})

    assert refused.status_code == 422
    assert refused.json()["type"].endswith("idempotency-key-reused")
    assert count(ward) == 2


@pytest.mark.parametrize("key", ["", "k" * 256, "two words", "née"])
def test_a_key_that_is_no_visible_ascii_of_255_characters_is_refused(ward: Ward, key: str) -> None:
    headers = [(name.encode(), value.encode()) for name, value in ward.headers.items()]
    headers.append((b"Idempotency-Key", key.encode("latin-1")))

    answer = ward.client.post("/v1/near-misses", json=report(), headers=headers)

    assert answer.status_code == 400
    assert answer.json()["type"].endswith("malformed-request")
    assert count(ward) == 0


def test_duplicates_at_the_same_time_wait_for_the_first(ward: Ward) -> None:
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: posted(ward, "/v1/near-misses", report()), range(8)))

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
    assert count(ward) == 1


# The source's own name


def test_the_same_source_event_again_is_answered_with_the_original(ward: Ward) -> None:
    first = ward.submit(**SOURCE)

    again = posted(ward, "/v1/near-misses", report(**SOURCE), {})

    assert again.status_code == 200
    assert again.json()["id"] == first["id"]
    assert "location" not in again.headers
    assert count(ward) == 1


def test_it_is_the_original_also_after_a_correction(ward: Ward) -> None:
    """The pair is compared with what was submitted, not with what has become of it."""
    first = ward.submit(**SOURCE)
    ward.correct(first["id"], deviation="late")

    same = posted(ward, "/v1/near-misses", report(**SOURCE), {})
    as_corrected = posted(ward, "/v1/near-misses", report(**SOURCE, deviation="late"), {})

    assert (same.status_code, same.json()["id"]) == (200, first["id"])
    assert as_corrected.status_code == 409


def test_other_content_of_the_same_source_event_is_a_conflict(ward: Ward) -> None:
    ward.submit(**SOURCE)

    other = posted(ward, "/v1/near-misses", report(**SOURCE, deviation="late"), {})

    assert other.status_code == 409
    assert other.json()["type"].endswith("source-event-conflict")
    assert count(ward) == 1


def test_a_source_event_that_stands_twice_in_a_batch_is_recorded_once(ward: Ward) -> None:
    batch = {"items": [report(**SOURCE), report(**SOURCE), report(**SOURCE, deviation="late")]}

    answer = posted(ward, "/v1/near-misses:batch", batch, {})

    assert [item["status"] for item in answer.json()["items"]] == [201, 200, 409]
    assert count(ward) == 1


def test_two_organisations_may_use_the_same_names_and_nobody_can_compare_their_fingerprints(inside: Inside) -> None:
    inside.ward.submit(**SOURCE)
    inside.other.submit(**SOURCE)

    with inside.house.database.read() as connection:
        fingerprints = set(connection.execute(select(sources.c.fingerprint)).scalars())

    assert len(fingerprints) == 2


def test_the_same_source_event_from_two_at_the_same_time_is_recorded_once(ward: Ward) -> None:
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: posted(ward, "/v1/near-misses", report(**SOURCE), {}), range(8)))

    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert count(ward) == 1


# If-Match


def test_a_version_is_told_and_a_stale_one_is_refused(ward: Ward) -> None:
    near_miss_id = ward.submit()["id"]
    path = f"/v1/near-misses/{near_miss_id}/workflow-link"
    etag = ward.client.get(f"/v1/near-misses/{near_miss_id}", headers=ward.headers).headers["etag"]

    linked = ward.client.put(path, json=LINK, headers={**ward.headers, "If-Match": etag})
    stale = ward.ask("PUT", path, {**LINK, "system_used": "paper"}, expect=412, **{"If-Match": etag})

    assert (etag, linked.headers["etag"]) == ('"1"', '"2"')
    assert stale["type"].endswith("precondition-failed")
    assert ward.near_miss(near_miss_id)["workflow_link"]["system_used"] == "eMAR"


@pytest.mark.parametrize("wanted", ["*", '"1"', 'W/"1"'])
def test_a_version_that_matches_lets_the_command_through(ward: Ward, wanted: str) -> None:
    near_miss_id = ward.submit()["id"]

    ward.ask("PUT", f"/v1/near-misses/{near_miss_id}/workflow-link", LINK, expect=200, **{"If-Match": wanted})


@pytest.mark.parametrize("wanted", ['"0"', '"99999999999999999999"', "one", '""', '"7", "8"'])
def test_a_version_that_nothing_has_stops_the_command(ward: Ward, wanted: str) -> None:
    near_miss_id = ward.submit()["id"]

    ward.ask("PUT", f"/v1/near-misses/{near_miss_id}/workflow-link", LINK, expect=412, **{"If-Match": wanted})

    assert ward.near_miss(near_miss_id)["version"] == 1


def test_reviews_settings_and_services_have_versions_as_well(ward: Ward) -> None:
    stale = {"If-Match": '"77"'}
    for _ in range(3):
        ward.submit()
    review_id = ward.escalations()[0]["review_id"]
    policy = {name: value for name, value in ward.get("/v1/policy").items() if name != "version"}
    service = {"name": "Ash Court", "service_type": "care_home"}

    ward.ask("POST", f"/v1/reviews/{review_id}/start", {}, expect=412, **stale)
    ward.ask("PUT", "/v1/policy", {**policy, "reason": "Quarter."}, expect=412, **stale)
    ward.ask("PUT", "/v1/taxonomy", {"incident_types": [{"code": "fall", "label": "Fall"}]}, expect=412, **stale)
    ward.ask("PUT", "/v1/services/ash-court", service, expect=412, **stale)

    ward.ask("POST", f"/v1/reviews/{review_id}/start", {}, expect=200, **{"If-Match": '"1"'})
    ward.ask("PUT", "/v1/policy", {**policy, "reason": "Quarter."}, expect=200, **{"If-Match": '"1"'})


def test_a_refused_command_leaves_the_ledger_as_it_was(inside: Inside) -> None:
    near_miss_id = inside.ward.submit()["id"]
    before = ledger(inside)

    inside.ward.ask("PUT", f"/v1/near-misses/{near_miss_id}/workflow-link", LINK, expect=412, **{"If-Match": '"9"'})
    inside.ward.post(f"/v1/near-misses/{near_miss_id}/closure", {"outcome": "Spoken about."}, expect=409)

    assert ledger(inside) == before


def ledger(inside: Inside) -> list[Any]:
    with inside.house.database.read() as connection:
        row = events.c
        chosen = select(row.sequence, row.event_id).where(row.organisation == "default").order_by(row.sequence)
        return [tuple(one) for one in connection.execute(chosen)]
