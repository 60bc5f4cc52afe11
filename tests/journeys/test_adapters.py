"""Vendors' payloads over HTTP: taken in, sent again, previewed, and refused, on both databases.

Eight seconds.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from sqlalchemy import select

from app.database.migrate import upgrade
from app.database.tables import ledgers
from tests.cases import CASES
from tests.intake.goldens import goldens
from tests.journeys.inside import Inside, opened

FIXTURES = {
    "alayacare_medication_administration.synthetic.json": "alayacare-administration",
    "alayacare_visit.synthetic.json": "alayacare-visit",
    "alayacare_visit_verification.synthetic.json": "alayacare-verification",
    "alayamarket_visit_event.synthetic.json": "alayamarket-visit",
    "cloudevent_batch.json": "vendor-cloudevents",
    "cloudevent_structured.json": "vendor-cloudevents",
    "connecteam_shift_created.partial.synthetic.json": "connecteam-shift",
    "deputy_roster_add.synthetic.json": "deputy-roster",
    "deputy_webhook_subscription.synthetic.json": "deputy-roster",
    "evv_sandata_ct_visit_no_out_call.synthetic.json": "sandata-visit",
    "evv_sandata_ct_visit_ontime.synthetic.json": "sandata-visit",
    "evv_sandata_ct_visit_staff_late.synthetic.json": "sandata-visit",
    "hl7v2_ras_o17_not_administered.synthetic.hl7": "hl7v2-ras",
    "sevenshifts_time_punch_created.synthetic.json": "sevenshifts-punch",
}
NOW = "2026-11-20T16:00:00Z"
HL7 = {"Content-Type": "application/hl7-v2"}
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def inside(database_url: str) -> Iterator[Inside]:
    with opened(database_url, at=NOW) as found:
        yield found


@pytest.fixture
def office(sqlite_url: str) -> Iterator[Inside]:
    """The same where the database makes no difference."""
    with opened(sqlite_url, at=NOW) as found:
        yield found


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    """One for all that is refused."""
    url = f"sqlite:///{tmp_path_factory.mktemp('adapters') / 'forewarn.db'}"
    upgrade(url)
    with opened(url, at=NOW) as found:
        yield found


def body_of(fixture: str) -> bytes:
    return (CASES / "fixtures" / fixture).read_bytes()


def send(inside: Inside, path: str, body: bytes, headers: Mapping[str, str] = JSON) -> Any:
    return inside.client.post(f"/v1/adapters/{path}", content=body, headers={**inside.ward.headers, **headers})


def told(answer: Any) -> list[dict[str, Any]]:
    """What an answer says of each event, one or many."""
    body = answer.json()
    items = body.get("items", [body])
    return [{**one, "status": one.get("result", one["status"])} for one in items]


def position(inside: Inside) -> int:
    """How far the ledger has come."""
    with inside.house.database.read() as connection:
        return connection.execute(select(ledgers.c.position).where(ledgers.c.organisation == "default")).scalar_one()


def test_every_fixture_is_previewed_taken_in_and_known_when_it_comes_again(inside: Inside) -> None:
    for fixture, name in FIXTURES.items():
        headers = HL7 if fixture.endswith(".hl7") else JSON
        before = position(inside)

        previewed = send(inside, f"{name}/preview", body_of(fixture), headers)

        assert previewed.status_code == 200, previewed.text
        assert position(inside) == before, fixture
        taken = send(inside, name, body_of(fixture), headers)
        assert taken.status_code == (207 if body_of(fixture).lstrip().startswith(b"[") else 202), fixture
        known = told(taken)
        first = [one["status"] for one in known]
        again = told(send(inside, name, body_of(fixture), headers))
        assert {one["status"] for one in again} == {"duplicate"}, fixture
        assert [one["intake_record_id"] for one in again] == [one["intake_record_id"] for one in known]
        if fixture == "cloudevent_structured.json":  # It is the first of the batch.
            assert first == ["duplicate"]
            continue
        assert set(first) == {"accepted"}, fixture
        expected = [(one["outcome"], one["reason"]) for one in previewed.json()["items"]]
        assert [(one["outcome"], one["reason"]) for one in known] == expected, fixture

    counted = inside.ward.get("/v1/near-misses", limit=200)["items"]
    assert sorted((one["incident_type"], one["deviation"], one["classification"]) for one in counted) == [
        ("medication", "omitted", "no_harm_incident"),
        ("medication", "omitted", "no_harm_incident"),
        ("medication", "omitted", "no_harm_incident"),
        ("visit", "late", "near_miss"),
        ("visit", "late", "near_miss"),
        ("visit", "missed", "no_harm_incident"),
    ]
    assert {one["status"] for one in counted} == {"awaiting_details"}


def test_a_payload_becomes_a_near_miss_of_the_service_that_the_request_names(office: Inside) -> None:
    fixture = "alayacare_visit.synthetic.json"

    (taken,) = told(send(office, "alayacare-visit?service_id=willow-house&source=urn:acme:rota", body_of(fixture)))

    near_miss = office.ward.near_miss(taken["near_miss_id"])
    assert (near_miss["service_id"], near_miss["source"]) == ("willow-house", "urn:acme:rota")
    record = office.ward.get(f"/v1/intake-records/{taken['intake_record_id']}")
    assert (record["via"], record["mapping"]) == ("adapter/alayacare-visit", "alayacare-visit@1")
    assert record["payload"] == json.loads(body_of(fixture))


def test_a_later_word_on_the_same_visit_revises_what_the_first_one_made(office: Inside) -> None:
    visit = json.loads(body_of("alayacare_visit.synthetic.json"))
    (first,) = told(send(office, "alayacare-visit", json.dumps({**visit, "status": "late"}).encode()))
    office.clock.advance(minutes=5)

    missed = {**visit, "updated_at": NOW.replace("16:00", "16:04")}
    (second,) = told(send(office, "alayacare-visit", json.dumps(missed).encode()))

    assert (first["outcome"], second["outcome"]) == ("recognised", "revised")
    assert second["near_miss_id"] == first["near_miss_id"]
    assert office.ward.near_miss(first["near_miss_id"])["deviation"] == "missed"


def test_what_is_set_aside_is_kept_with_the_reason_of_the_mapping(office: Inside) -> None:
    (taken,) = told(send(office, "deputy-roster", body_of("deputy_roster_add.synthetic.json")))

    record = office.ward.get(f"/v1/intake-records/{taken['intake_record_id']}")
    assert (record["status"], record["reason"]) == ("not_a_near_miss", "not_ours")
    assert record["says"] == "A planned shift is taken as a planned visit only if it says whose visit it is."
    assert "strComment" in record["ignored_fields"]
    replayed = office.ward.post(f"/v1/intake-records/{taken['intake_record_id']}/replay", {})
    assert replayed["replay"]["changed"] is False


def test_one_item_of_an_array_that_is_not_understood_loses_no_other(office: Inside) -> None:
    late = json.loads(body_of("evv_sandata_ct_visit_staff_late.synthetic.json"))[0]

    answer = send(office, "sandata-visit", json.dumps([{"odd": 1}, late, 7]).encode())

    assert answer.status_code == 207
    odd, taken, number = answer.json()["items"]
    assert (odd["status"], taken["status"], number["status"]) == (422, 202, 422)
    assert [one["problem"]["errors"][0]["code"] for one in (odd, number)] == ["payload-not-understood"] * 2
    previewed = send(office, "sandata-visit/preview", json.dumps([{"odd": 1}, late]).encode()).json()["items"]
    assert ["problem" in one for one in previewed] == [True, False]


def test_a_message_of_several_administrations_is_answered_for_each(office: Inside) -> None:
    (golden,) = [one for one in goldens("hl7v2-ras") if one.name.startswith("two orders")]
    assert isinstance(golden.payload, str)

    answer = send(office, "hl7v2-ras", golden.payload.encode(), {"Content-Type": "text/plain; charset=utf-8"})

    assert answer.status_code == 207
    assert [one["outcome"] for one in told(answer)] == ["recognised", "not_a_near_miss", "unmapped"]


def test_an_accent_is_read_by_the_charset_that_the_request_names(office: Inside) -> None:
    message = body_of("hl7v2_ras_o17_not_administered.synthetic.hl7").replace(b"Asleep", "Café".encode("latin-1"))

    unreadable = send(office, "hl7v2-ras/preview", message, HL7)
    named = send(office, "hl7v2-ras/preview", message, {"Content-Type": "application/hl7-v2;charset=ISO-8859-1"})
    unknown = send(office, "hl7v2-ras/preview", message, {"Content-Type": "application/hl7-v2; charset=utf-7"})

    assert (unreadable.status_code, named.status_code, unknown.status_code) == (422, 200, 415)
    assert named.json()["items"][0]["event"]["data"]["reason"] == "Café"


@pytest.mark.parametrize(
    ("path", "body", "headers", "status", "code"),
    [
        ("alayacare-visit", b"{}", JSON, 422, "validation"),
        ("alayacare-visit", b"[]", JSON, 422, "validation"),
        ("alayacare-visit", b'"x"', JSON, 422, "validation"),
        ("alayacare-visit", b'{"status": "late", "start_at": "soon"}', JSON, 422, "validation"),
        ("hl7v2-ras", b"PID|1", HL7, 422, "validation"),
        ("hl7v2-ras", b"MSH|^~\\&|A|B|C|D|20261120||ADT^A01|1|P|2.5", HL7, 422, "validation"),
        ("alayacare-visit", b"{", JSON, 400, "malformed-json"),
        ("alayacare-visit", b"MSH|", HL7, 415, "unsupported-media-type"),
        ("hl7v2-ras", b"{}", JSON, 415, "unsupported-media-type"),
        ("nobodys", b"{}", JSON, 404, "not-found"),
        ("nobodys", b"{", JSON, 400, "malformed-json"),
        ("nobodys", b"MSH|", {"Content-Type": "image/png"}, 415, "unsupported-media-type"),
        ("alayacare-visit", b" " * 300_000, JSON, 413, "body-too-large"),
    ],
)
@pytest.mark.parametrize("door", ["", "/preview"])
def test_what_cannot_be_taken_is_refused_by_its_own_code(
    untouched: Inside, path: str, body: bytes, headers: Mapping[str, str], status: int, code: str, door: str
) -> None:
    before = position(untouched)

    answer = send(untouched, path + door, body, headers)

    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:forewarn:problem:{code}")
    assert position(untouched) == before
    if status == 422:
        first, *missing = answer.json()["errors"]
        assert first["code"] == "payload-not-understood"
        assert missing


@pytest.mark.parametrize("query", ["sauce=x", "source=", "service_id=%20", "source=a%00b", f"source={'x' * 129}"])
def test_a_query_parameter_that_says_nothing_here_is_refused(untouched: Inside, query: str) -> None:
    answer = send(untouched, f"alayacare-visit?{query}", body_of("alayacare_visit.synthetic.json"))

    assert (answer.status_code, answer.json()["type"]) == (422, "urn:forewarn:problem:validation")


def test_only_who_may_write_near_misses_sends_payloads(office: Inside) -> None:
    reader = office.holding("near-misses:read")
    writer = office.holding("near-misses:write")

    reader.get("/v1/adapters", expect=403)
    reader.post("/v1/adapters/alayacare-visit", {}, expect=403)
    reader.post("/v1/adapters/alayacare-visit/preview", {}, expect=403)
    listed = writer.get("/v1/adapters")["items"]
    assert {one["name"] for one in listed} >= set(FIXTURES.values())
    assert [one["media_types"][0] for one in listed if one["name"] == "hl7v2-ras"] == ["application/hl7-v2"]


def test_a_repeated_request_with_its_key_is_answered_as_the_first_time(office: Inside) -> None:
    key = {**JSON, "Idempotency-Key": "k-1"}
    fixture = body_of("evv_sandata_ct_visit_staff_late.synthetic.json")

    first = send(office, "sandata-visit", fixture, key)
    again = send(office, "sandata-visit", fixture, key)
    other = send(office, "sandata-visit?service_id=willow-house", fixture, key)

    assert again.json() == first.json()
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (other.status_code, other.json()["type"]) == (422, "urn:forewarn:problem:idempotency-key-reused")
