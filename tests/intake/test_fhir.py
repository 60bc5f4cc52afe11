"""A FHIR resource becomes an event of ours, says what was not understood in it, or is refused where it matters."""

import json
from contextlib import suppress
from typing import Any

import pytest
from fhir.resources.R4B.adverseevent import AdverseEvent
from hypothesis import given
from hypothesis import strategies as st

from app.domain.decider import Invalid
from app.domain.moment import parse_instant
from app.intake import fhir_codes
from app.intake.care import read as read_event
from app.intake.cloudevents import RawEvent
from app.intake.fhir import Taken, in_its_terms, read
from app.intake.fhir_administration import LOCATION_EXTENSION, SCHEDULED_EXTENSION
from app.intake.fhir_adverse_event import adverse_event_of
from app.intake.fhir_models import validate
from tests.cases import load

POTENTIAL = load("fixtures/fhir_r4_adverseevent_potential.synthetic.json")
ACTUAL = load("fixtures/fhir_r4_adverseevent-example.json")
NOT_DONE = load("fixtures/fhir_r4_medicationadministration_not_done.synthetic.json")
GIVEN = {**NOT_DONE, "status": "completed", "effectiveDateTime": "2026-11-20T08:50:00Z"}
DUE = {"url": SCHEDULED_EXTENSION, "valueDateTime": "2026-11-20T08:00:00Z"}


def digest(text: str) -> str:
    return f"hash-of-{len(text)}-{sum(text.encode()) % 9973}"


def alone(_document: object, _kind: str) -> list[Any]:
    """As it is where the models of R4B are not installed."""
    return []


def changed(resource: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The resource with other elements; None takes one out."""
    return {name: value for name, value in {**resource, **changes}.items() if value is not None}


def taken(resource: dict[str, Any], **changes: Any) -> Taken:
    found = read(changed(resource, **changes), digest)
    assert found.set_aside is not None or read_event(found.raw)  # What is read is understood by the next reader.
    return found


def data(resource: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return dict(taken(resource, **changes).raw.data)


def faults(resource: object, kind: str = "AdverseEvent", look: Any = alone) -> set[tuple[str, str]]:
    with pytest.raises(Invalid) as refused:
        read(resource, digest, kind, look)
    return {(fault.pointer, fault.code) for fault in refused.value.faults}


def coded(code: str, system: str | None = fhir_codes.CATEGORY) -> dict[str, Any]:
    return {"coding": [{"code": code} if system is None else {"system": system, "code": code}]}


# Golden: the fixtures of the contract


def test_a_potential_adverse_event_is_a_near_miss_that_was_reported() -> None:
    found = taken(POTENTIAL)

    assert found == Taken(
        RawEvent(
            "urn:example:near-miss",
            "AdverseEvent/nm_01JD0000000000000000000000",
            "care.near_miss.reported.v1",
            {
                "occurred_at": "2026-11-20T08:00:00Z",
                "discovered_at": "2026-11-20T12:10:00Z",
                "reported_at": "2026-11-20T12:14:00Z",
                "service_id": "HOME-1",
                "incident_type": "medication",
                "classification": "near_miss",
                "person_ref": "CLIENT-0042",
                "narrative": "Morning dose left in blister pack; found by next carer, no harm",
            },
        ),
        ignored_fields=("recorder",),
        unmapped=(),
    )


def test_the_example_of_hl7_is_an_incident_with_harm() -> None:
    found = taken(ACTUAL)

    assert found.raw == RawEvent(
        "http://acme.com/ids/patients/risks",
        "AdverseEvent/49476534",
        "care.incident.v1",
        {
            "occurred_at": "2017-01-29T12:34:56+00:00",
            "incident_type": "medication",
            "harm": "low",
            "reference": "49476534",
            "person_ref": "example",
            "narrative": "This was a mild rash on the left forearm",
        },
    )


def test_a_dose_not_done_is_one_not_given_at_its_time() -> None:
    found = taken(NOT_DONE)

    assert found == Taken(
        RawEvent(
            "urn:example:emar",
            "MedicationAdministration/dose-88121/not-done",
            "care.emar.administration.v1",
            {
                "person_ref": "CLIENT-0042",
                "medication": "Apixaban 5 mg tablet",
                "scheduled_at": "2026-11-20T08:00:00Z",
                "status": "omitted",
                "staff_ref": "STAFF-7",
                "reason": "Asleep",
            },
        ),
        ignored_fields=(),
        unmapped=(),
    )


@pytest.mark.parametrize(
    "name", ["appointment-example", "detectedissue-example", "flag-example", "communication-example"]
)
def test_another_resource_is_refused_by_its_type_alone(name: str) -> None:
    assert faults(load(f"fixtures/fhir_r4_{name}.json")) == {("/resourceType", "unknown-code")}


# Adverse events


def test_whoever_recorded_it_is_not_involved_and_whoever_contributed_is() -> None:
    contributor = [{"reference": "Practitioner/STAFF-9"}, {"reference": "Device/pump-1"}]

    assert "staff_involved" not in data(POTENTIAL)
    assert data(POTENTIAL, contributor=contributor)["staff_involved"] == [{"ref": "STAFF-9"}]


@pytest.mark.parametrize(
    ("location", "service"),
    [
        ({"reference": "Location/HOME-1"}, "HOME-1"),
        ({"reference": "https://ehr.example/fhir/Location/HOME-1/_history/3"}, "HOME-1"),
        ({"reference": "Location/17", "identifier": {"system": "urn:example", "value": "HOME-1"}}, "HOME-1"),
        (
            {"reference": "urn:uuid:0b2ff1a4-5f0e-4a3e-9c55-7a6f0f4f2c11"},
            "urn:uuid:0b2ff1a4-5f0e-4a3e-9c55-7a6f0f4f2c11",
        ),
        ({"reference": "#place"}, "HOME-2"),
        ({"reference": "#elsewhere"}, None),
        ({"display": "Willow House"}, None),
    ],
)
def test_a_location_names_the_service(location: dict[str, Any], service: str | None) -> None:
    place = {"resourceType": "Location", "id": "place", "identifier": [{"value": "HOME-2"}]}

    assert data(POTENTIAL, location=location, contained=[place]).get("service_id") == service


@pytest.mark.parametrize(
    ("categories", "kind", "deviation"),
    [
        (["medication-mishap"], "medication", None),
        (["product-use-error", "wrong-dose"], "medication", "wrong_dose"),
        (["wrong-route-of-administration"], "medication", "wrong_route"),
        (["wrong-time"], "medication", None),
        (["medication-mishap", "wrong-patient"], "medication", "wrong_person"),
        (["wrong-patient"], "other", None),
        (["medical-device-use-error"], "equipment", "misuse"),
        (["unsafe-physical-environment"], "other", "environment_hazard"),
        ([], "other", None),
    ],
)
def test_a_category_tells_the_incident_type_and_where_it_can_the_deviation(
    categories: list[str], kind: str, deviation: str | None
) -> None:
    found = data(POTENTIAL, category=[coded(code) for code in categories])

    assert (found["incident_type"], found.get("deviation")) == (kind, deviation)


def test_a_product_that_is_a_device_is_equipment() -> None:
    suspect = [{"instance": {"reference": "Device/hoist-2", "display": "Hoist"}}]

    found = data(POTENTIAL, category=[coded("product-problem")], suspectEntity=suspect)

    assert found["incident_type"] == "equipment"
    assert found["attributes"] == {"suspected": "Hoist"}


def test_a_category_that_nobody_knows_is_other_and_unmapped() -> None:
    found = taken(POTENTIAL, category=[coded("slipped", "urn:example:local"), coded("medication-mishap", "urn:else")])

    assert found.raw.data["incident_type"] == "other"
    assert found.unmapped == (("category", "slipped"), ("category", "medication-mishap"))


def test_every_incident_type_and_deviation_that_a_code_means_is_in_the_first_taxonomy() -> None:
    from app.domain.taxonomy_default import DEVIATIONS, INCIDENT_TYPES

    for kind, deviation in [*fhir_codes.CATEGORIES.values(), ("medication", fhir_codes.WRONG_PERSON)]:
        assert kind in INCIDENT_TYPES
        assert deviation is None or deviation in DEVIATIONS[kind]


@pytest.mark.parametrize(
    ("severity", "seriousness", "outcome", "harm"),
    [
        ("mild", None, None, "low"),
        ("moderate", "Non-serious", None, "moderate"),
        ("mild", "SeriousIsLifeThreatening", None, "severe"),
        ("severe", None, "fatal", "death"),
        (None, "SeriousResultsInDeath", None, "death"),
        (None, None, "resolved", None),
    ],
)
def test_the_gravest_word_on_harm_holds(
    severity: str | None, seriousness: str | None, outcome: str | None, harm: str | None
) -> None:
    said = {"severity": severity, "seriousness": seriousness, "outcome": outcome}
    elements = {name: coded(code, None) for name, code in said.items() if code is not None}

    assert data(POTENTIAL, **elements).get("potential_harm") == harm
    assert data(ACTUAL, **{"severity": None, "seriousness": None, **elements})["harm"] == (harm or "not-told")


def test_harm_of_an_unknown_degree_is_harm_and_unmapped() -> None:
    found = taken(ACTUAL, seriousness=None, severity=coded("grade-3", "urn:ctcae"))

    assert found.raw.data["harm"] == "grade-3"
    assert ("severity", "grade-3") in found.unmapped


@pytest.mark.parametrize(
    ("times", "occurred_at"),
    [
        ({"date": "2026-11-20"}, "2026-11-20"),
        ({"date": "2026-11"}, "2026-11-20T12:10:00Z"),
        ({"date": None}, "2026-11-20T12:10:00Z"),
        ({"date": None, "detected": None}, "2026-11-20T12:14:00Z"),
    ],
)
def test_it_happened_at_the_nearest_time_that_is_known(times: dict[str, Any], occurred_at: str) -> None:
    assert data(POTENTIAL, **times)["occurred_at"] == occurred_at


def test_a_time_that_names_no_instant_is_kept_unmapped() -> None:
    found = taken(POTENTIAL, date="2026-11", detected="2026-11-20", recordedDate="2026-11-20T12:14:00.123Z")

    assert set(found.unmapped) == {("date", "2026-11"), ("detected", "2026-11-20")}
    assert "discovered_at" not in found.raw.data


def test_codes_speak_where_no_words_do() -> None:
    event = {"coding": [{"system": "urn:x", "code": "1", "display": "Dose left in the pack"}]}

    assert data(POTENTIAL, event=event)["narrative"] == "Dose left in the pack"


@pytest.mark.parametrize(
    ("resource", "found"),
    [
        ([], {("", "wrong-type")}),
        (None, {("", "wrong-type")}),
        ({}, {("/resourceType", "unknown-code")}),
        (changed(POTENTIAL, actuality="maybe"), {("/actuality", "unknown-code")}),
        (changed(POTENTIAL, actuality=["potential"]), {("/actuality", "wrong-type"), ("/actuality", "missing")}),
        (changed(POTENTIAL, subject=None), {("/subject", "missing")}),
        (changed(POTENTIAL, subject=None, actuality=None), {("/subject", "missing"), ("/actuality", "missing")}),
        (changed(POTENTIAL, subject="Patient/1"), {("/subject", "wrong-type")}),
        (changed(POTENTIAL, subject={"reference": 7}), {("/subject/reference", "wrong-type")}),
        (changed(POTENTIAL, category="medication"), {("/category", "wrong-type")}),
        (changed(POTENTIAL, category=[1]), {("/category/0", "wrong-type")}),
        (changed(POTENTIAL, date="2026-02-30"), {("/date", "not-a-moment")}),
        (changed(POTENTIAL, date="2026-11-20T08:00:00"), {("/date", "not-a-moment")}),
        (changed(POTENTIAL, date=None, detected=None, recordedDate=None), {("/date", "missing")}),
        (changed(POTENTIAL, event={"text": "a" * 8001}), {("/event", "too-long")}),
        (changed(POTENTIAL, implicitRules="urn:rules"), {("/implicitRules", "modifier")}),
        (changed(POTENTIAL, modifierExtension=[{"url": "urn:refuted"}]), {("/modifierExtension", "modifier")}),
        (
            changed(POTENTIAL, suspectEntity=[{"modifierExtension": [{"url": "urn:not"}]}]),
            {("/suspectEntity/0/modifierExtension", "modifier")},
        ),
        (
            changed(POTENTIAL, identifier={"system": "urn:forewarn:near-miss", "value": "nm_1"}),
            {("/identifier", "duplicate")},
        ),
    ],
)
def test_what_cannot_be_understood_is_refused_where_it_stands(resource: object, found: set[tuple[str, str]]) -> None:
    assert faults(resource) == found


def test_what_is_not_read_is_listed_and_changes_nothing() -> None:
    extra = {"mood": "calm", "study": [{"reference": "ResearchStudy/1"}], "event": {**POTENTIAL["event"], "tone": 1}}

    found = taken(POTENTIAL, **extra)

    assert set(found.ignored_fields) == {"recorder", "mood", "study", "event/tone"}
    assert found.raw == taken(POTENTIAL).raw


# Administrations


@pytest.mark.parametrize(
    ("reason", "status", "words", "unmapped"),
    [
        (coded("b", fhir_codes.NOT_GIVEN), "person_absent", "away", []),
        (coded("c", "http://hl7.org/fhir/reason-medication-not-given"), "omitted", "asleep", []),
        (coded("182895007", fhir_codes.SNOMED), "refused", None, []),
        (coded("OSTOCK", fhir_codes.ACT_REASON), "not_available", None, []),
        (coded("Refused", "urn:example:local"), "refused", None, []),
        (coded("R7", "urn:example:local"), "omitted", None, [("statusReason", "R7")]),
        ({"text": "Would not wake"}, "omitted", "Would not wake", []),
    ],
)
def test_why_a_dose_was_not_done_tells_its_status(
    reason: dict[str, Any], status: str, words: str | None, unmapped: list[tuple[str, str]]
) -> None:
    found = taken(NOT_DONE, statusReason=[reason])

    assert (found.raw.data["status"], found.raw.data.get("reason")) == (status, words)
    assert list(found.unmapped) == unmapped


def test_every_status_that_a_reason_means_is_one_of_ours() -> None:
    from app.intake.care import DOSE_STATUSES

    meant = {status for statuses in fhir_codes.NOT_DONE.values() for status in statuses.values()}

    assert meant | fhir_codes.NOT_DONE_AS_HERE <= set(DOSE_STATUSES)


def request_due_at(*times: Any) -> dict[str, Any]:
    instruction = [{"timing": {"event": list(times)}}]
    return {"resourceType": "MedicationRequest", "id": "rx", "dosageInstruction": instruction}


@pytest.mark.parametrize(
    ("elements", "scheduled_at"),
    [
        ({"extension": [{"url": "urn:else"}, DUE]}, "2026-11-20T08:00:00Z"),
        (
            {
                "request": {"reference": "#rx"},
                "contained": [request_due_at("2026-11-19T20:00:00Z", "2026-11-20T08:00:00Z", "2026-11-20T20:00:00Z")],
            },
            "2026-11-20T08:00:00Z",
        ),
    ],
)
def test_a_dose_is_given_against_its_time(elements: dict[str, Any], scheduled_at: str) -> None:
    found = taken(GIVEN, statusReason=None, **elements)

    assert found.set_aside is None
    assert found.raw.data["status"] == "given"
    assert found.raw.data["scheduled_at"] == scheduled_at
    assert found.raw.data["administered_at"] == "2026-11-20T08:50:00Z"


def test_a_dose_of_which_nobody_says_when_it_was_due_is_set_aside() -> None:
    found = taken(GIVEN)

    assert found.set_aside is not None
    assert found.set_aside[0] == "no_due_time"
    assert SCHEDULED_EXTENSION in found.set_aside[1]


def test_a_period_begins_when_the_dose_was_given() -> None:
    period = {"start": "2026-11-20T08:20:00Z", "end": "2026-11-20T09:20:00Z"}

    found = data(GIVEN, effectiveDateTime=None, effectivePeriod=period, extension=[DUE])

    assert found["administered_at"] == "2026-11-20T08:20:00Z"


@pytest.mark.parametrize("status", ["in-progress", "stopped", "unknown"])
def test_a_dose_that_is_not_over_is_set_aside(status: str) -> None:
    found = taken(GIVEN, status=status, extension=[DUE])

    assert found.set_aside is not None
    assert found.set_aside[0] == status.replace("-", "_")


def test_a_status_that_fhir_does_not_know_is_left_to_the_rules() -> None:
    assert data(GIVEN, status="binned")["status"] == "binned"


def test_a_dose_on_hold_is_held_and_one_entered_in_error_was_not_required() -> None:
    assert data(GIVEN, status="on-hold", statusReason=[{"text": "Low pulse"}])["status"] == "held"
    assert data(GIVEN, status="entered-in-error")["status"] == "not_required"


def test_a_person_who_took_it_themself_is_no_staff() -> None:
    found = data(GIVEN, performer=[{"actor": {"reference": "Patient/CLIENT-0042"}}], extension=[DUE])

    assert found["status"] == "self_administered"
    assert "staff_ref" not in found


@pytest.mark.parametrize(
    "elements",
    [
        {"extension": [{"url": LOCATION_EXTENSION, "valueReference": {"reference": "Location/HOME-1"}}]},
        {"supportingInformation": [{"reference": "Observation/1"}, {"reference": "Location/HOME-1"}]},
        {
            "context": {"reference": "#visit"},
            "contained": [
                {
                    "resourceType": "Encounter",
                    "id": "visit",
                    "location": [{"location": {"reference": "Location/HOME-1"}}],
                }
            ],
        },
    ],
)
def test_where_a_dose_was_given_is_told_in_three_ways(elements: dict[str, Any]) -> None:
    assert data(NOT_DONE, **elements)["service_id"] == "HOME-1"


def test_a_medicine_is_told_by_words_else_by_code() -> None:
    contained = [{"resourceType": "Medication", "id": "m", "code": {"text": "Insulin glargine"}}]

    referred = data(
        NOT_DONE, medicationCodeableConcept=None, medicationReference={"reference": "#m"}, contained=contained
    )

    assert referred["medication"] == "Insulin glargine"
    assert data(NOT_DONE, medicationCodeableConcept=coded("372687004", fhir_codes.SNOMED))["medication"] == "372687004"


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"status": None}, {("/status", "missing")}),
        ({"effectiveDateTime": None}, {("/effectiveDateTime", "missing")}),
        ({"effectiveDateTime": "2026-11-20"}, {("/effectiveDateTime", "missing")}),
        ({"medicationCodeableConcept": None}, {("/medicationCodeableConcept", "missing")}),
        ({"subject": None}, {("/subject", "missing")}),
        (
            {"request": {"reference": "#rx"}, "contained": [request_due_at("tomorrow")]},
            {("/contained/0/dosageInstruction/0/timing/event/0", "not-a-moment")},
        ),
    ],
)
def test_a_dose_that_cannot_be_placed_is_refused(changes: dict[str, Any], found: set[tuple[str, str]]) -> None:
    assert faults(changed(NOT_DONE, **changes), "MedicationAdministration") == found


# What it is called


def test_each_version_of_an_administration_is_a_word_of_its_own() -> None:
    ids = [
        taken(NOT_DONE, **said).raw.id
        for said in (
            {},
            {"status": "completed"},
            {"meta": {"lastUpdated": "2026-11-20T09:00:00Z"}},
            {"meta": {"lastUpdated": "2026-11-20T09:00:00Z", "versionId": "2"}},
        )
    ]

    assert len(set(ids)) == 4


def test_an_adverse_event_is_told_once_whatever_its_version() -> None:
    later = taken(POTENTIAL, meta={"versionId": "2", "lastUpdated": "2026-11-21T09:00:00Z"})

    assert later.raw.id == taken(POTENTIAL).raw.id
    assert later.raw.time == parse_instant("2026-11-21T09:00:00Z")


def test_a_resource_without_an_identifier_is_known_by_what_it_says() -> None:
    nameless = changed(POTENTIAL, identifier=None)

    first, again = taken(nameless), taken(nameless, id="a", meta={"versionId": "2"}, text={"div": "<div/>"})
    other = taken(nameless, date="2026-11-21T08:00:00Z")

    assert first.raw.source == "fhir"
    assert first.raw.id == again.raw.id != other.raw.id
    assert "CLIENT" not in first.raw.id


def test_a_name_that_is_too_long_is_known_by_its_hash() -> None:
    found = taken(POTENTIAL, identifier={"system": "urn:x", "value": "a" * 200})

    assert found.raw.source == "urn:x"
    assert found.raw.id.startswith("AdverseEvent/hash-of-")


# Whatever comes


def test_a_refusal_of_the_event_names_the_element() -> None:
    event = RawEvent("s", "1", "care.emar.administration.v1", {"status": "given", "scheduled_at": 5})
    with pytest.raises(Invalid) as refused:
        read_event(event)

    told = in_its_terms(refused.value, "MedicationAdministration")

    assert [fault.pointer for fault in told.faults] == ["/effectiveDateTime"]


def test_the_models_of_r4b_see_what_we_do_not_read() -> None:
    odd = changed(POTENTIAL, encounter="Encounter/1", mood="calm", referenceDocument=[{"reference": 5}])

    assert read(odd, digest, "AdverseEvent", alone)
    assert {pointer for pointer, _ in faults(odd, look=validate)} == {
        "/encounter",
        "/referenceDocument/0/reference",
    }


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["2026-11-20T08:00:00Z", "#a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from([POTENTIAL, ACTUAL, NOT_DONE, GIVEN]), st.data())
def test_whatever_stands_in_an_element_it_is_taken_or_refused(resource: dict[str, Any], draw: st.DataObject) -> None:
    names = [*resource, "contained", "extension", "request", "contributor", "suspectEntity", "meta", "effectivePeriod"]
    altered = {**resource, draw.draw(st.sampled_from(names)): draw.draw(JSON)}

    with suppress(Invalid):
        found = read(altered, digest, resource["resourceType"], alone)
        assert json.dumps(found.raw.data)
        assert found.raw.id


def test_what_was_erased_is_masked() -> None:
    erased = {"erased": True}
    near_miss = {
        "id": "nm_1",
        "status": "closed",
        "version": 3,
        "classification": "near_miss",
        "incident_type": "visit",
        "occurred_at": "2026-11-20",
        "recorded_at": "2026-11-20T12:00:00.000000Z",
        "person_ref": erased,
        "narrative": erased,
        "staff_involved": [{"ref": erased}],
    }

    told = adverse_event_of(near_miss)

    AdverseEvent.model_validate(told)
    for element in (told["subject"], told["event"], told["contributor"][0]):
        assert element["extension"][0]["valueCode"] == "masked"
    assert told["category"] == [{"text": "visit"}]
