"""What care systems post, read leniently: what is unknown is listed, what would have to be guessed is refused."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.schemas.near_misses import IntakeSubmission, Shift, StaffMember
from app.api.schemas.workflow import NotMapped, PartialWorkflowLink, PlannedStaff, PlannedTimes, PlannedTravel
from app.domain.decider import Invalid
from app.domain.occurrence import Administration, Denominator, Incident, Reported, Travel, Visit
from app.intake import care
from app.intake.care import TYPES, Read, read
from app.intake.cloudevents import RawEvent

EIGHT = datetime(2026, 3, 2, 8, tzinfo=UTC)
DOSE: dict[str, Any] = {
    "service_id": "willow-house",
    "person_ref": "resident-31",
    "medication": "Apixaban 5 mg",
    "scheduled_at": "2026-03-02T08:00:00Z",
    "administered_at": "2026-03-02T09:20:00+01:00",
    "status": "given",
    "tolerance_minutes": 60,
    "staff_ref": "staff-7",
    "reason": "Asleep at first.",
    "system": "eMAR",
    "time_critical": False,
    "saved_by_alert_at": "2026-03-02T08:15:00Z",
}
VISIT: dict[str, Any] = {
    "service_id": "willow-care",
    "person_ref": "client-42",
    "visit_id": "3391",
    "scheduled_start": "2026-03-02T08:00:00Z",
    "scheduled_end": "2026-03-02T08:30:00Z",
    "actual_start": "2026-03-02T08:38:00Z",
    "status": "started",
    "staff_refs": ["staff-7", "staff-9"],
    "travel": {"planned_minutes": 12, "actual_minutes": 41.5},
}
REPORTED: dict[str, Any] = {
    "occurred_at": "2026-03-02T08:00:00Z",
    "incident_type": "medication",
    "classification": "near_miss",
}
INCIDENT = {"incident_type": "medication", "harm": "moderate", "occurred_at": "2026-03-02", "reference": "DX-1"}
DENOMINATOR = {"service_id": "willow-house", "date": "2026-03-02", "doses_due": 240}
DATA = {
    "care.emar.administration.v1": DOSE,
    "care.rostering.visit.v1": VISIT,
    "care.near_miss.reported.v1": REPORTED,
    "care.incident.v1": INCIDENT,
    "care.denominator.v1": DENOMINATOR,
}
NAMES = {"dose": "care.emar.administration.v1", "visit": "care.rostering.visit.v1"}


def of(type_: str, data: dict[str, Any]) -> Read:
    return read(RawEvent("urn:emar:site-1", "e-1", NAMES.get(type_, type_), data))


def faults(type_: str, data: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(Invalid) as refused:
        of(type_, data)
    return [(fault.pointer, fault.code) for fault in refused.value.faults]


def test_every_type_of_the_contract_is_read() -> None:
    assert set(TYPES) == set(DATA)
    assert [of(type_, data).ignored_fields for type_, data in DATA.items()] == [()] * 5


def test_a_dose_is_read_to_the_last_field() -> None:
    assert of("dose", DOSE) == Read(
        Administration(
            status="given",
            scheduled_at=EIGHT,
            service_id="willow-house",
            person_ref="resident-31",
            medication="Apixaban 5 mg",
            administered_at=EIGHT.replace(minute=20),
            tolerance_minutes=60,
            staff_ref="staff-7",
            reason="Asleep at first.",
            system="eMAR",
            time_critical=False,
            saved_by_alert_at=EIGHT.replace(minute=15),
        )
    )


def test_a_visit_is_read_with_its_way() -> None:
    assert of("visit", VISIT) == Read(
        Visit(
            status="started",
            scheduled_start=EIGHT,
            service_id="willow-care",
            person_ref="client-42",
            visit_id="3391",
            scheduled_end=EIGHT.replace(minute=30),
            actual_start=EIGHT.replace(minute=38),
            staff_refs=("staff-7", "staff-9"),
            travel=Travel(12, 41.5),
        )
    )


def test_harm_and_numbers_are_read() -> None:
    assert of("care.incident.v1", INCIDENT).what == Incident("medication", "2026-03-02", "moderate", None, "DX-1")
    assert of("care.denominator.v1", DENOMINATOR).what == Denominator("willow-house", "2026-03-02", 240)


def test_only_the_status_and_the_time_of_a_dose_or_a_visit_must_be_there() -> None:
    dose = of("dose", {"status": "omitted", "scheduled_at": "2026-03-02T08:00:00Z"})
    visit = of("visit", {"status": "missed", "scheduled_start": "2026-03-02T08:00:00Z"})

    assert dose == Read(Administration("omitted", EIGHT))
    assert visit == Read(Visit("missed", EIGHT))
    assert faults("dose", {}) == [("/data/status", "missing"), ("/data/scheduled_at", "missing")]
    assert faults("visit", {"status": None}) == [("/data/status", "missing"), ("/data/scheduled_start", "missing")]


def test_fields_that_nobody_knows_are_listed_and_stop_nothing() -> None:
    dose = of("dose", {**DOSE, "batch": 7, "route": None})
    visit = of("visit", {**VISIT, "travel": {"planned_minutes": 1, "mode": "car"}})

    assert dose == Read(of("dose", DOSE).what, ("batch", "route"))
    assert visit.ignored_fields == ("travel/mode",)


@pytest.mark.parametrize(("type_", "status"), [("dose", "skipped"), ("visit", "clocked")])
def test_a_status_that_nobody_knows_is_unmapped_and_kept_as_it_was_said(type_: str, status: str) -> None:
    found = of(type_, {**DATA[NAMES[type_]], "status": status})

    assert isinstance(found.what, Administration | Visit)
    assert (found.what.status, found.what.status_said) == ("unmapped", status)
    assert found.unmapped == (("status", status),)


def test_a_harm_that_nobody_knows_is_unmapped() -> None:
    found = of("care.incident.v1", {**INCIDENT, "harm": "minor"})

    assert isinstance(found.what, Incident)
    assert (found.what.harm, found.unmapped) == ("unmapped", (("harm", "minor"),))


def test_a_status_is_read_whatever_its_letters() -> None:
    assert of("dose", {**DOSE, "status": " Given "}) == of("dose", DOSE)


@pytest.mark.parametrize(
    ("type_", "name", "value", "code"),
    [
        ("dose", "scheduled_at", "2026-03-02T08:00:00", "not-an-instant"),
        ("dose", "administered_at", 1772438400, "not-an-instant"),
        ("dose", "status", 3, "wrong-type"),
        ("dose", "status", " ", "wrong-type"),
        ("dose", "service_id", 12, "not-an-identifier"),
        ("dose", "service_id", "\u200b", "not-an-identifier"),
        ("dose", "tolerance_minutes", "60", "wrong-type"),
        ("dose", "tolerance_minutes", True, "wrong-type"),
        ("dose", "tolerance_minutes", -1, "out-of-range"),
        ("dose", "time_critical", "yes", "wrong-type"),
        ("dose", "medication", {"text": "x"}, "wrong-type"),
        ("visit", "staff_refs", "staff-7", "wrong-type"),
        ("visit", "staff_refs", ["staff-7", 7], "not-an-identifier"),
        ("visit", "staff_refs", ["staff-7"] * 51, "wrong-type"),
        ("visit", "travel", 12, "wrong-type"),
        ("visit", "scheduled_end", "tomorrow", "not-an-instant"),
        ("care.incident.v1", "occurred_at", "2026-02-30", "not-a-moment"),
        ("care.incident.v1", "occurred_at", None, "missing"),
        ("care.incident.v1", "incident_type", None, "missing"),
        ("care.denominator.v1", "date", "2026-03-02T00:00:00Z", "not-a-date"),
        ("care.denominator.v1", "date", "2026-02-30", "not-a-date"),
        ("care.denominator.v1", "service_id", None, "missing"),
        ("care.denominator.v1", "doses_due", 2.5, "wrong-type"),
        ("care.denominator.v1", "doses_due", -1, "out-of-range"),
    ],
)
def test_what_would_have_to_be_guessed_is_refused(type_: str, name: str, value: object, code: str) -> None:
    data = DATA[NAMES.get(type_, type_)]

    assert faults(type_, {**data, name: value}) == [(f"/data/{name}", code)]


def test_a_fault_in_a_part_points_into_it() -> None:
    assert faults("visit", {**VISIT, "travel": {"planned_minutes": "12"}}) == [
        ("/data/travel/planned_minutes", "wrong-type")
    ]


def test_a_denominator_says_how_much_of_something() -> None:
    assert faults("care.denominator.v1", {"service_id": "willow-house", "date": "2026-03-02"}) == [("/data", "too-few")]


@pytest.mark.parametrize("type_", ["care.visit.late.v1", "care.emar.administration.v2", "x"])
def test_a_type_that_nobody_reads_is_refused_with_those_that_are_read(type_: str) -> None:
    with pytest.raises(Invalid) as refused:
        of(type_, {})

    (fault,) = refused.value.faults
    assert (fault.pointer, fault.code) == ("/type", "unknown-event-type")
    assert all(name in fault.detail for name in TYPES)


# Near misses that a system reports itself


def test_a_report_is_a_submission_without_what_nobody_knows() -> None:
    link = {"stage_affected": "administer", "mapped_against": {"scheduling": {"actual": "x", "late": 1}, "fuel": 1}}
    data = {
        **REPORTED,
        "staff_involved": [{"ref": "staff-7", "badge": 9}, "staff-8"],
        "shift": {"starts_at": "a", "ends_at": "b", "colour": "red"},
        "workflow_link": {**link, "room": 4},
        "attributes": {"anything": 1},
        "source": "emar",
        "source_event_id": "e-9",
        "ward": 3,
    }

    found = of("care.near_miss.reported.v1", data)

    assert found.what == Reported(
        {
            **REPORTED,
            "staff_involved": [{"ref": "staff-7"}, "staff-8"],
            "shift": {"starts_at": "a", "ends_at": "b"},
            "workflow_link": {"stage_affected": "administer", "mapped_against": {"scheduling": {"actual": "x"}}},
            "attributes": {"anything": 1},
        }
    )
    assert set(found.ignored_fields) == {
        "source",
        "source_event_id",
        "ward",
        "staff_involved/0/badge",
        "shift/colour",
        "workflow_link/room",
        "workflow_link/mapped_against/fuel",
        "workflow_link/mapped_against/scheduling/late",
    }


def test_reading_a_report_leaves_what_was_sent_as_it_was() -> None:
    data = {**REPORTED, "shift": {"colour": "red"}, "staff_involved": [{"badge": 1}]}
    before = repr(data)

    of("care.near_miss.reported.v1", data)

    assert repr(data) == before


def test_what_the_door_takes_is_what_is_known_here() -> None:
    assert set(care.REPORTED_FIELDS) == set(IntakeSubmission.model_fields) - {"source", "source_event_id"}
    assert set(care.STAFF_FIELDS) == set(StaffMember.model_fields)
    assert set(care.SHIFT_FIELDS) == set(Shift.model_fields)
    assert set(care.LINK_FIELDS) == set(PartialWorkflowLink.model_fields)
    reasons = set(NotMapped.model_fields)
    for name, model in {
        "scheduling": PlannedTimes,
        "staff_allocation": PlannedStaff,
        "travel_time": PlannedTravel,
    }.items():
        assert set(care.MAPPED_FIELDS[name]) == set(model.model_fields) | reasons


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(type_=st.sampled_from(list(TYPES)), data=st.data())
def test_whatever_is_sent_is_read_or_refused_with_its_places(type_: str, data: st.DataObject) -> None:
    known = {**dict.fromkeys(DATA[type_], JSON), "shift": JSON, "workflow_link": JSON, "staff_involved": JSON}
    said = {**DATA[type_], **data.draw(st.fixed_dictionaries({}, optional=known))}

    pointers: list[str] = []
    try:
        of(type_, said)
    except Invalid as refused:
        pointers = [fault.pointer for fault in refused.faults]

    assert [pointer for pointer in pointers if pointer.split("/")[1] != "data"] == []
