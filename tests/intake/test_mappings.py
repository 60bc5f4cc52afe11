"""A row of a stranger's file becomes a submission, is left out for a stated reason, or is refused with what to do."""

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.domain.decider import Invalid
from app.domain.taxonomy import FIRST, Change
from app.intake.mapping_file import parse_mapping
from app.intake.mappings import LeftOut, RowMapping, new_terms, read_row, term

ROW = {
    "source_system": "emar-7",
    "source_event_id": "e-1",
    "occurred_at": "2026-03-02T09:00:00Z",
    "recorded_at": "2026-03-02T11:30:00Z",
    "service_id": "willow-house",
    "incident_type": "medication",
    "classification": "near_miss",
    "workflow_stage": "administer",
    "staff_ids": ["staff-1", "staff-2"],
    "narrative": "Seen in time.",
    "raw": {"ward": {"code": 12}, "factors": ["Workload", "Weather"], "drug": "insulin"},
}


def row(**changes: Any) -> dict[str, Any]:
    return {**ROW, **changes}


def submission(mapping: RowMapping | str, row: object) -> dict[str, Any]:
    found = read_row(parse_mapping(mapping) if isinstance(mapping, str) else mapping, row)
    assert isinstance(found, dict)
    return found


def test_a_row_with_the_usual_names_needs_no_mapping() -> None:
    found = submission(RowMapping(), ROW)

    assert found == {
        "source": "emar-7",
        "source_event_id": "e-1",
        "occurred_at": "2026-03-02T09:00:00Z",
        "reported_at": "2026-03-02T11:30:00Z",
        "service_id": "willow-house",
        "incident_type": "medication",
        "classification": "near_miss",
        "staff_involved": [{"ref": "staff-1"}, {"ref": "staff-2"}],
        "narrative": "Seen in time.",
        "workflow_link": {"stage_affected": "administer"},
    }


def test_a_row_may_use_the_names_of_a_submission() -> None:
    own = {
        "source": "rota",
        "reported_at": "2026-03-02T12:00:00Z",
        "staff_involved": [{"ref": "staff-9", "role": "senior"}],
        "attributes": {"unit": "ground floor"},
        "workflow_link": {"stage_allowed": "handover"},
    }

    found = submission(RowMapping(), row(**own, workflow_stage=None))

    assert {name: found[name] for name in own} == own


@pytest.mark.parametrize(
    ("stage", "link"),
    [
        ('"stage_allowed"', {"stage_allowed": "administer"}),
        ('["stage_allowed", "stage_affected"]', {"stage_allowed": "administer", "stage_affected": "administer"}),
    ],
)
def test_the_mapping_says_what_a_row_s_stage_tells(stage: str, link: dict[str, str]) -> None:
    assert submission(f"stage = {stage}", ROW)["workflow_link"] == link


def test_an_unknown_stage_is_known_to_be_unknown_only_where_that_says_something() -> None:
    unknown = row(workflow_stage="unknown")

    assert submission('stage = "stage_allowed"', unknown)["workflow_link"] == {"stage_allowed": "unknown"}
    assert "workflow_link" not in submission("", unknown)


def test_fields_are_found_by_paths_into_what_the_source_keeps() -> None:
    mapping = """
        [fields]
        service_id = "raw.ward.code"
        contributing_factors = "raw.factors"

        [attributes]
        drug = "raw.drug"
        nothing = "raw.no.such.place"

        [codes.contributing_factors]
        Workload = "workload"
        Weather = "environment_other"
    """

    found = submission(mapping, ROW)

    assert found["service_id"] == "12"
    assert found["contributing_factors"] == ["workload", "environment_other"]
    assert found["attributes"] == {"drug": "insulin"}


def test_one_field_of_the_file_may_tell_two_of_ours() -> None:
    mapping = """
        [fields]
        deviation = "incident_type"

        [codes.incident_type]
        dose_late = "medication"

        [codes.deviation]
        dose_late = "late"
    """

    found = submission(mapping, row(incident_type="dose_late"))

    assert (found["incident_type"], found["deviation"]) == ("medication", "late")


@pytest.mark.parametrize("value", ["unknown", "?", "", None])
def test_a_value_that_says_nothing_leaves_the_field_out(value: str | None) -> None:
    found = submission('[unknown]\nservice_id = ["unknown", "?"]', row(service_id=value))

    assert "service_id" not in found


@pytest.mark.parametrize("status", ["draft", None, ["open", "draft"]])
def test_rows_that_the_mapping_leaves_out_are_counted_by_its_reason(status: object) -> None:
    mapping = parse_mapping(
        '[[skip]]\nfield = "raw.status"\nvalues = ["draft", ""]\nreason = "Not sent yet"',
    )

    assert read_row(mapping, row(raw={"status": status})) == LeftOut("Not sent yet")
    assert isinstance(read_row(mapping, row(raw={"status": "sent"})), dict)


def test_the_mapping_s_source_stands_for_every_row() -> None:
    assert submission('source = "emar:willow"', ROW)["source"] == "emar:willow"


# Times


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-01-05 08:15", "2026-01-05T08:15:00+00:00"),
        ("2026-07-05T08:15:30", "2026-07-05T08:15:30+01:00"),
        ("2026-03-29 01:30:00", "2026-03-29T02:30:00+01:00"),
        ("2026-10-25 01:30:00", "2026-10-25T01:30:00+01:00"),
        ("2026-07-05 08:15:30+00:00", "2026-07-05T08:15:30+00:00"),
        ("2026-07-05", "2026-07-05"),
    ],
    ids=["winter", "summer", "skipped by the clock", "shown twice", "with an offset", "a date"],
)
def test_a_time_without_an_offset_is_read_on_the_clock_that_the_mapping_names(written: str, meant: str) -> None:
    mapping = RowMapping(zone=ZoneInfo("Europe/London"))

    assert submission(mapping, row(occurred_at=written))["occurred_at"] == meant


@pytest.mark.parametrize("field", ["occurred_at", "recorded_at", "discovered_at"])
def test_a_time_without_an_offset_is_refused_when_no_clock_is_named(field: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_row(RowMapping(), row(**{field: "2026-07-05 08:15:30"}))

    (fault,) = refused.value.faults
    assert fault.code == "naive-time"
    assert "time_zone" in fault.detail


def test_the_times_of_a_shift_are_read_on_the_same_clock() -> None:
    shift = {"starts_at": "2026-07-05 20:00", "ends_at": "2026-07-06T08:00:00+01:00"}

    found = submission('time_zone = "Europe/London"', row(shift=shift))

    assert found["shift"] == {"starts_at": "2026-07-05T20:00:00+01:00", "ends_at": "2026-07-06T08:00:00+01:00"}


@pytest.mark.parametrize("nonsense", [[], "text", 7, None])
def test_what_is_no_object_is_no_row(nonsense: object) -> None:
    with pytest.raises(Invalid):
        read_row(RowMapping(), nonsense)


@pytest.mark.parametrize("field", ["shift", "attributes", "workflow_link", "staff_involved", "narrative", "service_id"])
@pytest.mark.parametrize("nonsense", [7, True, [[]], {"a": {}}, "text"])
def test_nonsense_in_a_field_is_left_to_the_check_that_follows(field: str, nonsense: object) -> None:
    mapping = '[attributes]\ndrug = "raw.drug"\n[[skip]]\nfield = "raw"\nvalues = ["x"]\nreason = "y"'

    assert isinstance(submission(mapping, row(**{field: nonsense})), dict)


# Words


def test_codes_that_the_taxonomy_never_had_are_named_with_their_list() -> None:
    document = {
        "incident_type": "conflict-nmac",
        "classification": "observation",
        "deviation": "too_close",
        "contributing_factors": ["workload", "weather"],
        "workflow_link": {"stage_allowed": "unknown", "stage_affected": "cruise"},
    }

    assert list(new_terms(FIRST, document)) == [
        ("incident_types", Change("conflict-nmac", "Conflict nmac")),
        ("contributing_factors", Change("weather", "Weather")),
        ("workflow_stages", Change("cruise", "Cruise", "conflict-nmac")),
        ("deviations", Change("too_close", "Too close", "conflict-nmac")),
    ]


def test_codes_of_the_taxonomy_are_not_new() -> None:
    document = {
        "incident_type": "medication",
        "deviation": "late",
        "recovery_barrier": "chance",
        "workflow_link": {"stage_allowed": "handover"},
    }

    assert list(new_terms(FIRST, document)) == []


@pytest.mark.parametrize(("code", "label"), [("dose_late", "Dose late"), ("A-B c", "A B c"), ("_", "_")])
def test_a_label_is_made_of_the_code(code: str, label: str) -> None:
    assert term(code).label == label
