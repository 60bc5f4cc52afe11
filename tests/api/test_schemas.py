"""What each body may say: one try tells everything that is wrong, and nothing is told back that was sent."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.api import schemas
from app.api.schemas import (
    Batch,
    Body,
    Causes,
    Corrections,
    Details,
    IntakeSubmission,
    Safeguarding,
    ServiceRegistration,
    Submission,
    TaxonomyChanges,
    Withdrawal,
    WorkflowLink,
    validate,
)
from app.api.strict_json import parse
from app.domain.decider import Fault, Invalid, Refused
from app.domain.taxonomy import FIRST
from app.domain.taxonomy_check import faults as taxonomy_faults
from tests.cases import load

NOW = datetime(2026, 3, 5, 12, tzinfo=UTC)

REPORT: dict[str, Any] = {
    "occurred_at": "2026-03-02T20:40:00+01:00",
    "service_id": "willow-house",
    "incident_type": "medication",
    "classification": "near_miss",
    "contributing_factors": ["workload"],
    "staff_involved": [{"ref": "staff-7", "role": "carer"}],
}
LINK = {
    "stage_affected": "administer",
    "stage_allowed": "handover",
    "system_used": "eMAR",
    "deviation_from_plan": "given 40 minutes after the time",
    "corrective_action": "double check at handover",
}


def without(document: dict[str, Any], *fields: str) -> dict[str, Any]:
    return {field: value for field, value in document.items() if field not in fields}


def refused(model: type[Body], document: object) -> tuple[Fault, ...]:
    with pytest.raises(Invalid) as refusal:
        validate(model, document, NOW)
    return refusal.value.faults


def named(model: type[Body], document: object) -> list[tuple[str, str]]:
    return [(fault.pointer, fault.code) for fault in refused(model, document)]


# A submission (S1)


def test_a_complete_report_is_taken_and_its_times_are_kept_as_written() -> None:
    report = validate(Submission, REPORT, NOW)

    assert report.occurred_at == "2026-03-02T20:40:00+01:00"
    assert report.model_dump(exclude_unset=True) == REPORT


@pytest.mark.parametrize(
    "field",
    ["occurred_at", "service_id", "incident_type", "classification", "contributing_factors", "staff_involved"],
)
def test_a_report_without_one_of_its_parts_names_it(field: str) -> None:
    assert named(Submission, without(REPORT, field)) == [(f"/{field}", "missing")]
    assert named(Submission, REPORT | {field: None}) == [(f"/{field}", "missing")]


def test_a_report_without_any_part_names_all_of_them_at_once() -> None:
    assert {pointer for pointer, _ in named(Submission, {})} == {f"/{field}" for field in REPORT}


def test_a_reason_stands_in_for_the_staff_but_not_beside_them() -> None:
    reason = {"staff_not_known_reason": "reported anonymously"}

    assert validate(Submission, without(REPORT, "staff_involved") | reason, NOW).staff_involved is None
    assert validate(Submission, REPORT | reason | {"staff_involved": []}, NOW).staff_involved == []
    assert named(Submission, REPORT | reason) == [("/staff_not_known_reason", "contradiction")]


WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "an unknown field": ({"recorded_at": "2020-01-01T00:00:00Z"}, "/recorded_at", "unknown-field"),
    "a field that is no name": ({"<b>": 1}, "", "unknown-field"),
    "a naive time": ({"occurred_at": "2026-03-02T20:40:00"}, "/occurred_at", "not-a-moment"),
    "zero as a time": ({"occurred_at": 0}, "/occurred_at", "wrong-type"),
    "30 February": ({"occurred_at": "2026-02-30"}, "/occurred_at", "not-a-moment"),
    "the last second of 1999": ({"occurred_at": "1999-12-31T23:59:59Z"}, "/occurred_at", "out-of-range"),
    "more than 24 hours ahead": ({"occurred_at": "2026-03-06T12:00:01Z"}, "/occurred_at", "out-of-range"),
    "the day after tomorrow": ({"occurred_at": "2026-03-07"}, "/occurred_at", "out-of-range"),
    "a date as the time of discovery": ({"discovered_at": "2026-03-02"}, "/discovered_at", "not-an-instant"),
    "a service of blanks": ({"service_id": " \t "}, "/service_id", "too-short"),
    "a service of zero-width characters": ({"service_id": "\u200b\u200d\ufeff"}, "/service_id", "not-visible"),
    "a service with a line break": ({"service_id": "a\nb"}, "/service_id", "not-visible"),
    "a service of 129 characters": ({"service_id": "x" * 129}, "/service_id", "too-long"),
    "a number as a service": ({"service_id": 7}, "/service_id", "wrong-type"),
    "no contributing factor": ({"contributing_factors": []}, "/contributing_factors", "too-few"),
    "21 contributing factors": (
        {"contributing_factors": [f"f{n}" for n in range(21)]},
        "/contributing_factors",
        "too-many",
    ),
    "51 members of staff": ({"staff_involved": [{"ref": f"s{n}"} for n in range(51)]}, "/staff_involved", "too-many"),
    "staff without a reference": ({"staff_involved": [{"role": "carer"}]}, "/staff_involved/0/ref", "missing"),
    "a source's id without the source": ({"source_event_id": "e-1"}, "/source", "missing"),
    "a shift that ends before it starts": (
        {"shift": {"id": "n", "starts_at": "2026-03-02T20:00:00Z", "ends_at": "2026-03-02T20:00:00Z"}},
        "/shift",
        "out-of-order",
    ),
    "a harm of no grade": ({"potential_harm": "huge"}, "/potential_harm", "unknown-code"),
    "a frequency of 0": ({"reported_frequency": 0}, "/reported_frequency", "out-of-range"),
    "a frequency of 1,001": ({"reported_frequency": 1001}, "/reported_frequency", "out-of-range"),
    "a frequency of true": ({"reported_frequency": True}, "/reported_frequency", "out-of-range"),
    "a frequency of 1.0": ({"reported_frequency": 1.0}, "/reported_frequency", "out-of-range"),
    "a narrative of 8,001": ({"narrative": "x" * 8001}, "/narrative", "too-long"),
    "17 attributes": ({"attributes": {f"k{n}": n for n in range(17)}}, "/attributes", "too-many"),
    "an object as an attribute": ({"attributes": {"k": {"a": 1}}}, "/attributes/k", "wrong-type"),
    "true as an attribute": ({"attributes": {"k": True}}, "/attributes/k", "wrong-type"),
    "an attribute of 257": ({"attributes": {"k": "x" * 257}}, "/attributes/k", "too-long"),
    "an attribute name of 65": ({"attributes": {"k" * 65: 1}}, "/attributes", "too-long"),
    "an attribute without a name": ({"attributes": {"": 1}}, "/attributes", "too-short"),
    "an incomplete link": (
        {"workflow_link": without(LINK, "system_used")},
        "/workflow_link/system_used",
        "missing",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_in_a_report_is_refused_where_it_stands(name: str) -> None:
    changes, pointer, code = WRONG[name]

    assert named(Submission, REPORT | changes) == [(pointer, code)]


TAKEN: dict[str, dict[str, Any]] = {
    "a date alone": {"occurred_at": "2026-03-02"},
    "the first moment of 2000": {"occurred_at": "2000-01-01T00:00:00Z"},
    "a clock that is 24 hours fast": {"occurred_at": "2026-03-06T12:00:00Z"},
    "the unknown offset": {"scheduled_at": "2026-03-02T09:00:00-00:00"},
    "Welsh names": {"service_id": "ty-gofal", "locality": "Llanfair-yng-Nghornwy", "narrative": "Siân, dŵr, ŷd"},
    "Chinese attributes": {"attributes": {"ward": "南", "床": 4}},
    "16 attributes": {"attributes": {f"k{n}": n for n in range(16)}},
    "a narrative of 8,000 code points": {"narrative": "👍" * 8000},
    "a narrative that is a script": {"narrative": "<script>alert(1)</script>\n\u200f"},
    "128 characters of identifier": {"service_id": "é" * 128},
    "a frequency in words": {"reported_frequency": "first_time"},
    "a frequency in numbers": {"reported_frequency": 1000},
    "nulls for what is optional": {"deviation": None, "attributes": None, "shift": None, "source_event_id": None},
}


@pytest.mark.parametrize("name", TAKEN)
def test_an_awkward_but_right_report_is_taken_as_it_was_written(name: str) -> None:
    report = validate(Submission, REPORT | TAKEN[name], NOW)

    assert report.model_dump(include=set(TAKEN[name])) == TAKEN[name]


def test_blanks_around_an_identifier_do_not_make_another_one() -> None:
    assert validate(Submission, REPORT | {"service_id": " C-1 "}, NOW).service_id == "C-1"


def test_a_factor_that_is_named_twice_counts_once() -> None:
    report = validate(Submission, REPORT | {"contributing_factors": ["workload", "team", "workload"]}, NOW)

    assert report.contributing_factors == ["workload", "team"]


def test_a_number_has_one_spelling_and_minus_zero_is_zero() -> None:
    report = validate(Submission, REPORT | {"attributes": {"a": -0.0, "b": 2.0, "c": 3, "d": 2.5}}, NOW)

    assert json.dumps(report.attributes) == '{"a": 0, "b": 2, "c": 3, "d": 2.5}'


def test_a_whole_number_that_no_reader_holds_exactly_is_refused() -> None:
    with pytest.raises(Invalid):
        validate(Submission, REPORT | {"attributes": {"n": 1e17}}, NOW)


@pytest.mark.parametrize("document", [None, [], "x", 1, [REPORT]])
def test_a_body_that_is_no_object_is_refused_as_one(document: object) -> None:
    assert named(Submission, document) == [("", "wrong-type")]


def test_no_more_than_fifty_faults_are_named() -> None:
    assert len(refused(Submission, {f"k{n}": n for n in range(30_000)})) == 50


def test_a_fault_repeats_nothing_that_was_sent() -> None:
    sent = "Zanzibar-4711"
    document = dict.fromkeys(Submission.model_fields, sent) | {sent: sent, "attributes": {sent: [sent]}}

    told = json.dumps([(fault.pointer, fault.detail) for fault in refused(Submission, document)])

    assert sent not in told


# Intake


def test_a_system_may_leave_out_what_it_cannot_know() -> None:
    known = without(REPORT, "service_id", "contributing_factors", "staff_involved")
    document = known | {"occurred_at": "1987-06-05", "workflow_link": {"stage_affected": "administer"}}

    report = validate(IntakeSubmission, document, NOW)

    assert report.workflow_link is not None
    assert report.workflow_link.stage_affected == "administer"


def test_a_system_too_names_what_happened_when_and_how_it_is_classified() -> None:
    assert {pointer for pointer, _ in named(IntakeSubmission, {})} == {
        "/occurred_at",
        "/incident_type",
        "/classification",
    }


def test_a_system_reports_nothing_of_next_week_either() -> None:
    assert named(IntakeSubmission, REPORT | {"occurred_at": "2026-03-12"}) == [("/occurred_at", "out-of-range")]


def test_a_batch_leaves_its_items_to_be_checked_one_by_one() -> None:
    batch = validate(Batch, {"items": [REPORT, {"incident_type": 7}, None]}, NOW)

    assert batch.items == [REPORT, {"incident_type": 7}, None]
    assert named(Batch, {"items": [REPORT] * 1001}) == [("/items", "too-many")]


# The workflow link (S7 to S9)


@pytest.mark.parametrize("field", LINK)
def test_a_link_without_one_of_its_five_parts_names_it(field: str) -> None:
    assert named(WorkflowLink, without(LINK, field)) == [(f"/{field}", "missing")]


@pytest.mark.parametrize(
    "mapped",
    [
        {"scheduling": {"planned": "2026-03-02T20:00:00Z"}},
        {"scheduling": {"status": "not_applicable"}, "travel_time": {"status": "not_available", "note": "no GPS"}},
        {"staff_allocation": {"planned": 3, "actual": 2.5, "note": "one left early"}},
        {"travel_time": {"planned_minutes": 10, "actual_minutes": 25}},
        {},
    ],
)
def test_each_assumption_has_values_or_a_reason(mapped: dict[str, Any]) -> None:
    link = validate(WorkflowLink, LINK | {"mapped_against": mapped}, NOW)

    assert link.mapped_against is not None
    assert link.mapped_against.model_dump(exclude_unset=True) == mapped


@pytest.mark.parametrize(
    ("mapped", "pointer", "code"),
    [
        ({"scheduling": {}}, "/scheduling", "too-few"),
        ({"scheduling": {"note": "none"}}, "/scheduling", "too-few"),
        ({"scheduling": {"planned": "20:00"}}, "/scheduling/planned", "not-an-instant"),
        ({"staff_allocation": {"planned": -1}}, "/staff_allocation/planned", "out-of-range"),
        ({"staff_allocation": {"planned": True}}, "/staff_allocation/planned", "out-of-range"),
        ({"travel_time": {"planned_minutes": 10}}, "/travel_time/actual_minutes", "missing"),
        ({"travel_time": {"status": "lost"}}, "/travel_time/status", "unknown-code"),
        ({"travel_time": {"status": "not_available", "planned": 1}}, "/travel_time/planned", "unknown-field"),
        ({"travel_time": 10}, "/travel_time", "wrong-type"),
    ],
)
def test_an_assumption_that_says_neither_is_refused_where_it_stands(
    mapped: dict[str, Any], pointer: str, code: str
) -> None:
    assert named(WorkflowLink, LINK | {"mapped_against": mapped}) == [(f"/mapped_against{pointer}", code)]


# What comes after


def test_a_correction_tells_apart_what_is_taken_back_and_what_is_not_mentioned() -> None:
    correction = validate(Corrections, {"reason": "chart", "changes": {"deviation": None, "locality": "north"}}, NOW)

    assert correction.changes == {"deviation": None, "locality": "north"}


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({}, ("/changes", "too-few")),
        ({"occurred_at": None}, ("/changes/occurred_at", "missing")),
        ({"source": "emar"}, ("/changes/source", "unknown-field")),
        ({"workflow_link": LINK}, ("/changes/workflow_link", "unknown-field")),
        ({"occurred_at": "1999-01-01"}, ("/changes/occurred_at", "out-of-range")),
    ],
)
def test_a_correction_is_bound_as_the_report_was(changes: dict[str, Any], fault: tuple[str, str]) -> None:
    assert named(Corrections, {"reason": "chart", "changes": changes}) == [fault]


def test_a_duplicate_names_the_record_that_stands_and_a_withdrawal_none() -> None:
    assert named(Withdrawal, {"reason": "twice", "kind": "duplicate"}) == [("/duplicate_of", "missing")]
    assert named(Withdrawal, {"reason": "no", "kind": "withdrawn", "duplicate_of": "x"}) == [
        ("/duplicate_of", "contradiction")
    ]
    assert validate(Withdrawal, {"reason": "twice", "kind": "duplicate", "duplicate_of": "x"}, NOW)


def test_details_say_at_least_one_thing() -> None:
    assert named(Details, {}) == [("", "too-few")]
    assert validate(Details, {"contributing_factors": ["workload"]}, NOW)


def test_a_service_is_registered_with_days_not_instants() -> None:
    entry = {"name": "Willow", "service_type": "care_home", "localities": [{"locality": "north", "from": "2024-04-01"}]}

    service = validate(ServiceRegistration, entry, NOW)

    assert service.localities is not None
    assert service.localities[0].first_day.isoformat() == "2024-04-01"
    assert service.localities[0].end is None
    assert named(ServiceRegistration, entry | {"localities": [{"locality": "n", "from": "2024-04-01T00:00:00Z"}]}) == [
        ("/localities/0/from", "not-a-date")
    ]
    assert named(ServiceRegistration, entry | {"localities": [{"locality": "n", "since": "2024-04-01"}]}) == [
        ("/localities/0/from", "missing"),
        ("/localities/0/since", "unknown-field"),
    ]


def test_a_change_of_the_taxonomy_becomes_the_command_of_the_lists_that_were_sent() -> None:
    command = validate(TaxonomyChanges, {"incident_types": [{"code": "falls", "label": "Falls"}]}, NOW).command()

    assert list(command.lists) == ["incident_types"]
    assert command.lists["incident_types"][0].label == "Falls"


def test_findings_of_a_review_are_coded() -> None:
    assert named(Causes, {"causes": [{"code": "rota_pressure", "kind": "bad_luck"}]}) == [
        ("/causes/0/kind", "unknown-code")
    ]
    assert named(Safeguarding, {"considered": "yes"}) == [("/considered", "wrong-type")]


@pytest.mark.parametrize("name", sorted(set(schemas.__all__) - {"Body", "must_say", "validate"}))
def test_every_example_of_a_schema_is_a_body_that_is_taken(name: str) -> None:
    model: type[Body] = getattr(schemas, name)

    examples = model.model_json_schema()["examples"]

    assert examples
    for example in examples:
        validate(model, example, NOW)


# Hostile bodies


def hostile() -> list[Any]:
    return [
        case
        for case in load("bad_inputs.json")["cases"]
        if case["method"] == "POST" and case["path"] == "/v1/near-misses" and "raw_http" not in case
        if case["group"] in "JTXSG" and "body" in case
    ]


def body_of(case: dict[str, Any]) -> bytes:
    """The case's body, as `format` in bad_inputs.json describes it."""

    def dated(text: str) -> str:
        for days in range(40):
            text = text.replace(f"{{D-{days}}}", (NOW - timedelta(days=days)).date().isoformat())
        return text

    valid: dict[str, Any] = load("bad_inputs.json")["valid_body"]
    spec = case["body"]

    def with_token(field: str, token: str) -> bytes:
        members = [f"{json.dumps(name)}:{json.dumps(value)}" for name, value in valid.items() if name != field]
        return dated("{" + ",".join([*members, f"{json.dumps(field)}:{token}"]) + "}").encode()

    match spec["kind"], spec.get("what"):
        case "patch", _:
            return dated(json.dumps(without(valid | spec["set"], *spec.get("drop", [])))).encode()
        case "text", _:
            return spec["text"].encode()
        case "token", _:
            return with_token(spec["field"], spec["token"])
        case "gen", "token_repeat":
            return with_token(spec["field"], spec["prefix"] + spec["unit"] * spec["repeat"] + spec["suffix"])
        case "gen", "text_field":
            text = spec.get("prefix", "") + spec["unit"] * spec["repeat"] + spec.get("suffix", "")
            return with_token(spec["field"], json.dumps(text))
        case "gen", "dup_key":
            twice = ",".join(f"{json.dumps(spec['field'])}:{value}" for value in spec["values"])
            return with_token("x", "0").replace(b'"x":0', twice.encode())
        case "gen", "many_keys":
            return with_token(spec["field"], json.dumps({f"k{n}": n for n in range(spec["n"])}))
        case "gen", "nest":
            opened, closed = spec["open"] * spec["depth"], spec["close"] * spec["depth"]
            return with_token(spec["field"], opened + spec.get("inner", "") + closed)
        case "gen", "raw_bytes_field":
            return with_token(spec["field"], '"RAW"').replace(b"RAW", bytes(spec["bytes"]))
        case _:
            pytest.skip(f"needs the server: {spec}")


STATUS = {"malformed-json": 400, "validation": 422}


@pytest.mark.parametrize("case", hostile(), ids=lambda case: f"{case['id']} {case['name']}")
def test_a_hostile_or_awkward_submission_is_answered_as_the_contract_says(case: dict[str, Any]) -> None:
    status, code, faults = 201, "", ()

    try:
        document = parse(body_of(case))
        validate(Submission, document, NOW)
        assert isinstance(document, dict)
        if unknown := taxonomy_faults(FIRST, document):
            raise Invalid(*unknown)
    except Refused as refusal:
        status, code = STATUS[refusal.code], refusal.code
        faults = refusal.faults if isinstance(refusal, Invalid) else ()

    assert status in case["expected_status"]
    assert status == 201 or code == case.get("expected_problem", code)
    assert "pointer" not in case or any(case["pointer"] in fault.pointer for fault in faults)
