"""A system that speaks FHIR reports near misses and doses, and reads them again; it never reads anything but FHIR."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import httpx2
import pytest
from fhir.resources.R4B.adverseevent import AdverseEvent
from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from fhir.resources.R4B.operationoutcome import OperationOutcome

from app.database.migrate import upgrade
from app.intake.fhir_administration import LOCATION_EXTENSION
from tests.cases import load
from tests.journeys.inside import Inside, bearer, opened
from tests.journeys.ward import Ward

FHIR = "application/fhir+json"
OURS = "urn:forewarn:near-miss"
ACTUAL = load("fixtures/fhir_r4_adverseevent-example.json")
CATEGORY = "http://terminology.hl7.org/CodeSystem/adverse-event-category"
WRONG_DOSE = [{"coding": [{"system": CATEGORY, "code": "wrong-dose"}]}]

POTENTIAL: Mapping[str, Any] = {
    **load("fixtures/fhir_r4_adverseevent_potential.synthetic.json"),
    "date": "2026-03-02T08:00:00Z",
    "detected": "2026-03-02T08:10:00Z",
    "recordedDate": "2026-03-02T08:14:00Z",
}
WILLOW = {"url": LOCATION_EXTENSION, "valueReference": {"reference": "Location/willow-house"}}
DOSE: Mapping[str, Any] = {
    **load("fixtures/fhir_r4_medicationadministration_not_done.synthetic.json"),
    "extension": [WILLOW],
    "effectiveDateTime": "2026-03-02T08:00:00Z",
}
REQUEST = {
    "resourceType": "MedicationRequest",
    "id": "rx",
    "dosageInstruction": [{"timing": {"event": ["2026-03-02T08:00:00Z"]}}],
}
GIVEN = {**DOSE, "status": "completed", "request": {"reference": "#rx"}, "contained": [REQUEST]}


def send(ward: Ward, resource: object, expect: int, path: str = "AdverseEvent", media_type: str = FHIR) -> Any:
    """The answer to a resource that was posted; FHIR, whatever it says."""
    headers = {**ward.headers, "Content-Type": media_type}
    response = ward.client.post(f"/v1/fhir/{path}", json=resource, headers=headers)
    assert response.status_code == expect, response.text
    assert response.headers["content-type"] == FHIR
    return response


def event(name: str, **changes: Any) -> dict[str, Any]:
    """A potential adverse event of its own name; None takes an element out."""
    told = {**POTENTIAL, "identifier": {"system": "urn:example:incidents", "value": name}, **changes}
    return {element: value for element, value in told.items() if value is not None}


def dose(name: str, like: Mapping[str, Any] = DOSE, **changes: Any) -> dict[str, Any]:
    return {**like, "identifier": [{"system": "urn:example:emar", "value": name}], **changes}


def outcome(response: httpx2.Response) -> list[tuple[str, str, list[str]]]:
    """Severity, code and expression of each issue of an OperationOutcome that FHIR R4B takes."""
    told = response.json()
    OperationOutcome.model_validate(told)
    return [(one["severity"], one["code"], one.get("expression", [])) for one in told["issue"]]


def told(response: httpx2.Response) -> str:
    """Our own code of what became of it."""
    return response.json()["issue"][0]["details"]["coding"][0]["code"]


def named(response: httpx2.Response) -> dict[str, str]:
    """What an OperationOutcome names: the intake record, the near miss."""
    return {one["url"]: one["valueString"] for one in response.json()["extension"]}


def near_miss_of(ward: Ward, response: httpx2.Response) -> dict[str, Any]:
    return ward.near_miss(response.headers["location"].rpartition("/")[2])


# In


def test_a_potential_adverse_event_is_a_near_miss_that_awaits_its_details(ward: Ward) -> None:
    response = send(ward, POTENTIAL, 201)

    near_miss = near_miss_of(ward, response)
    shown = response.json()
    AdverseEvent.model_validate(shown)
    assert shown["identifier"] == {"system": OURS, "value": near_miss["id"]}
    assert response.headers["location"] == f"/v1/fhir/AdverseEvent/{near_miss['id']}"
    assert near_miss["status"] == "awaiting_details"
    assert near_miss["awaiting"] == ["contributing_factors", "staff_involved"]
    assert near_miss["classification"] == "near_miss"
    assert near_miss["service_id"] == "HOME-1"
    assert near_miss["person_ref"] == "CLIENT-0042"
    assert near_miss["narrative"] == POTENTIAL["event"]["text"]
    assert near_miss["reported_at"] == "2026-03-02T08:14:00.000000Z"
    assert near_miss["similarity_check"]["rules"][0]["count"] == 1


def test_the_third_similar_adverse_event_opens_a_review(ward: Ward) -> None:
    for name in ("e-1", "e-2"):
        send(ward, event(name, category=WRONG_DOSE), 201)
    assert ward.escalations() == []

    third = near_miss_of(ward, send(ward, event("e-3", category=WRONG_DOSE), 201))

    (escalation,) = ward.escalations()
    assert third["escalation_ids"] == [escalation["id"]]
    assert len(escalation["members"]) == 3


def test_an_actual_adverse_event_is_harm_and_counts_nowhere(ward: Ward) -> None:
    for name in ("h-1", "h-2", "h-3"):
        harm = {**ACTUAL, "identifier": {"system": "urn:h", "value": name}, "date": "2026-03-02T08:00:00Z"}
        response = send(ward, harm, 201)

        near_miss = near_miss_of(ward, response)
        assert near_miss["classification"] == "harm_incident"
        assert near_miss["potential_harm"] == "low"
        assert response.json()["actuality"] == "actual"
        assert {rule["outcome"] for rule in near_miss["similarity_check"]["rules"]} <= {"not_counted"}
    assert ward.escalations() == []


def test_the_example_of_hl7_is_taken_however_long_ago_it_was(ward: Ward) -> None:
    assert near_miss_of(ward, send(ward, ACTUAL, 201))["occurred_at"] == "2017-01-29T12:34:56+00:00"


def test_what_is_sent_again_is_known_and_what_differs_is_a_conflict(ward: Ward) -> None:
    first = send(ward, POTENTIAL, 201)

    again = send(ward, {**POTENTIAL, "meta": {"lastUpdated": "2026-03-02T09:00:00Z"}}, 200)
    other = send(ward, {**POTENTIAL, "date": "2026-03-01T08:00:00Z"}, 409)

    assert again.json() == first.json()
    assert "location" not in again.headers
    assert outcome(other) == [("error", "conflict", [])]
    assert len(ward.get("/v1/near-misses")["items"]) == 1


def test_without_an_identifier_a_resource_is_known_by_what_it_says(ward: Ward) -> None:
    nameless = event("", identifier=None)

    first, again = send(ward, nameless, 201), send(ward, nameless, 200)
    send(ward, {**nameless, "date": "2026-03-01T08:00:00Z"}, 201)

    assert again.json()["id"] == first.json()["id"]


def test_the_same_key_is_answered_as_before(ward: Ward) -> None:
    keyed = Ward(ward.client, {**ward.headers, "Idempotency-Key": "k-1"})

    first, again = send(keyed, POTENTIAL, 201), send(keyed, POTENTIAL, 201)

    assert again.json() == first.json()
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["idempotency-replayed"] == "true"
    assert outcome(send(keyed, event("other"), 422)) == [("error", "business-rule", [])]


def test_plain_json_is_taken_and_answered_as_fhir(ward: Ward) -> None:
    assert send(ward, POTENTIAL, 201, media_type="application/json; charset=utf-8")


def test_a_service_is_found_under_its_other_names(ward: Ward) -> None:
    ward.put("/v1/services/willow-house", {"name": "Willow", "service_type": "care_home", "aliases": ["HOME-1"]})

    assert near_miss_of(ward, send(ward, POTENTIAL, 201))["service_id"] == "willow-house"


# Doses


def test_a_dose_that_was_not_done_reached_the_person(ward: Ward) -> None:
    response = send(ward, dose("d-1"), 201, "MedicationAdministration")

    near_miss = near_miss_of(ward, response)
    assert outcome(response) == [("information", "informational", [])]
    assert told(response) == "recognised"
    assert named(response)[OURS] == near_miss["id"]
    assert near_miss["classification"] == "no_harm_incident"
    assert near_miss["deviation"] == "omitted"
    assert near_miss["status"] == "awaiting_details"
    assert near_miss["service_id"] == "willow-house"
    assert near_miss["staff_involved"] == [{"ref": "STAFF-7"}]
    shown = ward.client.get(response.headers["location"], headers=ward.headers)
    assert AdverseEvent.model_validate(shown.json()).actuality == "potential"


def test_a_dose_is_late_against_its_dosage_time(ward: Ward) -> None:
    late = send(ward, dose("d-1", GIVEN, effectiveDateTime="2026-03-02T09:30:00Z"), 201, "MedicationAdministration")
    other = {"subject": {"reference": "Patient/CLIENT-7"}, "effectiveDateTime": "2026-03-02T08:10:00Z"}
    on_time = send(ward, dose("d-2", GIVEN, **other), 200, "MedicationAdministration")

    near_miss = near_miss_of(ward, late)
    assert (near_miss["deviation"], near_miss["occurred_at"]) == ("late", "2026-03-02T08:00:00.000000Z")
    assert told(on_time) == "not_a_near_miss"
    assert "location" not in on_time.headers


def test_a_dose_whose_time_nobody_knows_is_kept_and_its_sender_told_what_lacks(ward: Ward) -> None:
    response = send(ward, dose("d-1", {**DOSE, "status": "completed"}), 200, "MedicationAdministration")

    assert "was due" in response.json()["issue"][0]["diagnostics"]
    record = ward.get(f"/v1/intake-records/{named(response)['urn:forewarn:intake-record']}")
    assert record["reason"] == "no_due_time"
    assert ward.get("/v1/near-misses")["items"] == []


def test_a_dose_entered_in_error_takes_back_what_it_had_made(inside: Inside) -> None:
    ward = inside.ward
    near_miss = near_miss_of(ward, send(ward, dose("d-1"), 201, "MedicationAdministration"))
    inside.clock.advance(minutes=5)

    response = send(ward, dose("d-1", status="entered-in-error"), 200, "MedicationAdministration")

    assert told(response) == "withdrawn"
    assert ward.near_miss(near_miss["id"])["status"] == "withdrawn"


def test_a_reason_that_nobody_knows_is_no_reason_to_lose_the_dose(ward: Ward) -> None:
    reason = [{"coding": [{"system": "urn:local", "code": "R-17"}]}]

    response = send(ward, dose("d-1", statusReason=reason, mood="calm"), 201, "MedicationAdministration")

    record = ward.get(f"/v1/intake-records/{named(response)['urn:forewarn:intake-record']}")
    assert {"field": "statusReason", "code": "R-17"} in record["unmapped"]
    assert "mood" in record["ignored_fields"]


# Out


def test_a_near_miss_is_read_as_an_adverse_event_by_either_id(ward: Ward) -> None:
    near_miss = ward.submit(potential_harm="moderate", person_ref="resident-31", deviation="wrong_dose")

    told = [read(ward, name) for name in (near_miss["id"], near_miss["id"].replace("_", "-"))]

    assert told[0] == told[1]
    AdverseEvent.model_validate(told[0])
    assert told[0]["identifier"] == {"system": OURS, "value": near_miss["id"]}
    assert told[0]["actuality"] == "potential"
    assert told[0]["category"][0]["coding"][0]["code"] == "wrong-dose"
    assert told[0]["event"] == {"text": near_miss["narrative"]}
    assert told[0]["subject"] == {"type": "Patient", "identifier": {"value": "resident-31"}}
    assert told[0]["date"] == near_miss["occurred_at"]
    assert told[0]["severity"]["coding"][0]["code"] == "moderate"
    assert told[0]["location"] == {"identifier": {"value": "willow-house"}}
    assert told[0]["contributor"] == [{"type": "Practitioner", "identifier": {"value": "staff-7"}}]


def test_whom_it_was_about_may_not_be_known(ward: Ward) -> None:
    told = read(ward, ward.submit(occurred_at="2026-03-01", staff_involved=[], staff_not_known_reason="Agency.")["id"])

    AdverseEvent.model_validate(told)
    assert told["date"] == "2026-03-01"
    assert told["subject"]["extension"][0]["valueCode"] == "unknown"


def test_an_adverse_event_tells_where_the_record_stands(ward: Ward) -> None:
    near_miss = ward.submit()

    ward.withdraw(near_miss["id"])

    told = read(ward, near_miss["id"])
    assert told["meta"]["versionId"] == "2"
    assert [tag["code"] for tag in told["meta"]["tag"]] == ["withdrawn"]


def test_what_was_read_here_is_not_taken_for_a_new_one(ward: Ward) -> None:
    told = read(ward, ward.submit(person_ref="resident-31")["id"])

    assert outcome(send(ward, told, 422)) == [("error", "duplicate", ["identifier"])]


def test_what_is_spoken_here_is_told(ward: Ward) -> None:
    response = ward.client.get("/v1/fhir/metadata", params={"_format": "json"}, headers=ward.headers)

    assert response.headers["content-type"] == FHIR
    statement = CapabilityStatement.model_validate(response.json())
    assert [one.type for one in statement.rest[0].resource] == ["AdverseEvent", "MedicationAdministration"]


def read(ward: Ward, name: str) -> dict[str, Any]:
    response = ward.client.get(f"/v1/fhir/AdverseEvent/{name}", headers=ward.headers)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == FHIR
    return response.json()


# Refused


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    """A ward that stands for many refusals, of which nothing is stored."""
    url = f"sqlite:///{tmp_path_factory.mktemp('fhir') / 'forewarn.db'}"
    upgrade(url)
    with opened(url) as inside:
        yield inside.ward


def nested(depth: int) -> object:
    value: object = "x"
    for _ in range(depth):
        value = {"extension": [value]}
    return value


@pytest.mark.parametrize(
    ("resource", "issues"),
    [
        (event("e", resourceType="Patient"), {("code-invalid", "resourceType")}),
        (event("e", subject=None), {("required", "subject")}),
        (event("e", actuality="secretword"), {("code-invalid", "actuality")}),
        (event("e", date="secretword"), {("value", "date")}),
        (event("e", date="2026-03-09T08:00:00Z"), {("value", "date")}),
        (event("e", category=["secretword"]), {("structure", "category[0]")}),
        (event("e", location={"reference": 5}), {("structure", "location.reference")}),
        (event("e", location={"reference": "\u200b"}), {("value", "location")}),
        (event("e", encounter="secretword"), {("structure", "encounter")}),
        (event("e", modifierExtension=[{"url": "urn:secretword"}]), {("extension", "modifierExtension")}),
        (
            event("e", suspectEntity=[{"instance": {"reference": "Medication/1"}}, {"causality": "secretword"}]),
            {
                ("structure", "suspectEntity[1].causality"),
                ("required", "suspectEntity[1].instance"),
            },
        ),
        (["secretword"], set()),
        ("secretword", set()),
    ],
)
def test_a_resource_is_refused_where_it_is_wrong_and_nothing_of_it_is_repeated(
    standing: Ward, resource: object, issues: set[tuple[str, str]]
) -> None:
    response = send(standing, resource, 422)

    assert {(code, one) for _, code, expressions in outcome(response) for one in expressions} == issues
    sent = [text for text in ("secretword", "potential", "AdverseEvent", "CLIENT") if text in json.dumps(resource)]
    assert [text for text in sent if text in response.text] == []


def test_a_resource_that_is_nested_too_deeply_is_refused(standing: Ward) -> None:
    response = send(standing, event("e", extension=[nested(40)]), 422)

    assert {code for _, code, _ in outcome(response)} == {"structure"}


def test_every_refusal_on_the_way_is_an_operation_outcome(inside: Inside) -> None:
    client, key = inside.client, inside.ward.headers
    sending = {**key, "Content-Type": FHIR}
    writer = inside.holding("near-misses:write").headers
    path, read_path = "/v1/fhir/AdverseEvent", "/v1/fhir/AdverseEvent/nm_none"

    refused = {
        (401, "login"): client.post(path, json=POTENTIAL, headers=bearer("none")),
        (403, "forbidden"): client.get(read_path, headers=writer),
        (404, "not-found"): client.get(read_path, headers=key),
        (405, "not-supported"): client.delete(path, headers=key),
        (415, "not-supported"): client.post(
            path, content="<x/>", headers={**key, "Content-Type": "application/fhir+xml"}
        ),
        (400, "structure"): client.post(path, content="{", headers=sending),
        (400, "invalid"): client.post(path, json=POTENTIAL, headers={**sending, "Idempotency-Key": "a b"}),
        (413, "too-long"): client.post(path, content=b" " * 300_000, headers=sending),
        (414, "too-long"): client.get(f"{read_path}?_format={'a' * 9000}", headers=key),
        (422, "value"): client.get(f"{read_path}?mood=calm", headers=key),
    }
    refused_elsewhere = client.get("/v1/fhir/Patient/1", headers=key)

    for (status, code), response in {**refused, (404, "not-found"): refused_elsewhere}.items():
        assert response.status_code == status, response.text
        assert response.headers["content-type"] == FHIR
        assert [one[1] for one in outcome(response)] == [code]
    assert refused[401, "login"].headers["www-authenticate"] == "Bearer"


def test_another_organisation_finds_nothing(inside: Inside) -> None:
    near_miss = inside.ward.submit()

    response = inside.client.get(f"/v1/fhir/AdverseEvent/{near_miss['id']}", headers=inside.other.headers)

    assert response.status_code == 404
    assert outcome(response) == [("error", "not-found", [])]
