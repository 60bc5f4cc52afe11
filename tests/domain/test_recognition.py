"""What is a near miss among doses and visits, and what is none: each line of the tables in docs/intake.md."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.schemas import IntakeSubmission, validate
from app.api.schemas.workflow import MappedAgainst
from app.domain.decider import Invalid
from app.domain.moment import Span
from app.domain.occurrence import Administration, Denominator, Incident, Reported, Round, Travel, Verdict, Visit
from app.domain.recognition import DEFAULT, recognise
from app.domain.recognition_document import (
    INITIAL,
    Adopt,
    Adopted,
    decide,
    evolve,
    parse_recognition,
    recognition_document,
)
from app.domain.recognition_rules import Recognition
from app.domain.taxonomy import FIRST
from app.domain.taxonomy_check import faults
from app.intake.care import DOSE_STATUSES, VISIT_STATUSES

EIGHT = datetime(2026, 3, 2, 8, tzinfo=UTC)
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
SCHEDULED = "2026-03-02T08:00:00.000000Z"


def after(minutes: float) -> datetime:
    return EIGHT + timedelta(minutes=minutes)


def dose(status: str = "given", given: float | None = None, **said: Any) -> Administration:
    """A dose due at eight; `given`: how many minutes after that."""
    administered_at = None if given is None else after(given)
    return Administration(status, EIGHT, "willow-house", "resident-31", administered_at=administered_at, **said)


def visit(status: str = "started", started: float | None = None, **said: Any) -> Visit:
    """A visit due at eight, for half an hour; `started`: how many minutes after that."""
    actual_start = None if started is None else after(started)
    return Visit(status, EIGHT, "willow-care", "client-42", "3391", after(30), actual_start, **said)


def verdict(what: Administration | Visit, rules: Recognition = DEFAULT) -> Verdict:
    return recognise(rules, what)


def told(found: Verdict) -> tuple[str, str, str] | str:
    """Classification, deviation and reason of a near miss; of none the reason alone."""
    if found.submission is None:
        return found.reason
    return found.submission["classification"], found.submission["deviation"], found.reason


def rules(**document: Any) -> Recognition:
    return parse_recognition(document, 2)


# Doses

LATE_INSIDE = ("near_miss", "late", "late_inside_tolerance")
LATE_BEYOND = ("no_harm_incident", "late", "late_beyond_tolerance")
EARLY_BEYOND = ("no_harm_incident", "early", "early_beyond_tolerance")
NOT_YET = ("near_miss", "late", "late_not_yet_given")
ALMOST_OMITTED = ("near_miss", "omitted", "saved_by_alert")
NOT_GIVEN = ("no_harm_incident", "omitted", "not_delivered")


@pytest.mark.parametrize(
    ("minutes", "said", "becomes"),
    [
        pytest.param(0, {}, "inside_tolerance", id="on time"),
        pytest.param(45, {}, "inside_tolerance", id="an ordinary round inside tolerance"),
        pytest.param(60, {}, "inside_tolerance", id="at the end of its tolerance"),
        pytest.param(60.5, {}, LATE_BEYOND, id="after its tolerance"),
        pytest.param(-60, {}, "inside_tolerance", id="early inside tolerance"),
        pytest.param(-61, {}, EARLY_BEYOND, id="far too early"),
        pytest.param(20, {"tolerance_minutes": 15}, LATE_BEYOND, id="after the tolerance that it states"),
        pytest.param(90, {"tolerance_minutes": 120}, "inside_tolerance", id="inside the tolerance that it states"),
        pytest.param(1, {"tolerance_minutes": 0}, LATE_BEYOND, id="no tolerance at all"),
        pytest.param(9, {"time_critical": True}, "inside_tolerance", id="time-critical, hardly late"),
        pytest.param(10, {"time_critical": True}, LATE_INSIDE, id="time-critical, late inside tolerance"),
        pytest.param(30, {"time_critical": True}, LATE_INSIDE, id="time-critical, at the end of its tolerance"),
        pytest.param(31, {"time_critical": True}, LATE_BEYOND, id="time-critical, after its tolerance"),
        pytest.param(-20, {"time_critical": True}, "inside_tolerance", id="time-critical, early"),
        pytest.param(
            45, {"time_critical": True, "tolerance_minutes": 60}, LATE_INSIDE, id="its own tolerance is longer"
        ),
        pytest.param(
            7, {"time_critical": True, "tolerance_minutes": 5}, LATE_BEYOND, id="its own tolerance is shorter"
        ),
        pytest.param(None, {}, "no_time_said", id="given, nobody says when"),
        pytest.param(None, {"time_critical": True}, "no_time_said", id="time-critical, nobody says when"),
    ],
)
@pytest.mark.parametrize("status", ["given", "late"])
def test_a_dose_that_was_given_is_judged_by_its_time(
    status: str, minutes: float | None, said: dict[str, Any], becomes: object
) -> None:
    if status == "late" and minutes is None:
        becomes = NOT_YET

    assert told(verdict(dose(status, minutes, **said))) == becomes


@pytest.mark.parametrize(
    ("minutes", "said", "becomes"),
    [
        pytest.param(40, {}, ALMOST_OMITTED, id="an alert, then given inside tolerance"),
        pytest.param(15, {"time_critical": True}, ALMOST_OMITTED, id="time-critical too"),
        pytest.param(None, {}, ALMOST_OMITTED, id="nobody says when"),
        pytest.param(75, {}, LATE_BEYOND, id="an alert, and given too late all the same"),
    ],
)
@pytest.mark.parametrize("status", ["given", "late"])
def test_a_dose_that_an_alert_saved(
    status: str, minutes: float | None, said: dict[str, Any], becomes: tuple[str, str, str]
) -> None:
    found = verdict(dose(status, minutes, saved_by_alert_at=after(10), **said))

    assert told(found) == becomes
    assert found.submission is not None
    assert found.submission["recovery_barrier"] == "system_alert"
    assert found.submission["discovered_at"] == "2026-03-02T08:10:00.000000Z"
    assert found.round is None


@pytest.mark.parametrize("status", ["omitted", "not_available"])
def test_a_dose_that_was_not_given_reached_the_person(status: str) -> None:
    found = verdict(dose(status, saved_by_alert_at=after(10)))

    assert told(found) == NOT_GIVEN
    assert found.submission is not None
    assert found.submission.keys().isdisjoint({"recovery_barrier", "discovered_at", "contributing_factors"})


@pytest.mark.parametrize(
    "status", ["refused", "held", "prompted", "person_absent", "not_required", "self_administered"]
)
def test_a_dose_that_went_as_it_should_is_none_for_its_own_reason(status: str) -> None:
    assert told(verdict(dose(status, 200, time_critical=True, saved_by_alert_at=after(10)))) == status


@pytest.mark.parametrize(
    ("medication", "critical"),
    [
        ("Insulin glargine 100 units/ml", True),
        ("NOVORAPID FlexPen", True),
        ("Co-careldopa 25 mg/100 mg", True),
        ("co careldopa", True),
        ("Sinemet CR", True),
        ("Sodium valproate (Epilim) 200 mg", True),
        ("levetiracetam", True),
        ("Paracetamol", False),
        ("Insulinoma marker", False),
        ("Apixaban 5 mg", False),
        ("careldopa co", False),
        (None, False),
        ("", False),
    ],
)
def test_a_medicine_that_cannot_wait_is_known_by_its_words(medication: str | None, critical: bool) -> None:
    assert told(verdict(dose("given", 20, medication=medication))) == (LATE_INSIDE if critical else "inside_tolerance")


def test_what_the_source_says_of_a_dose_stands_over_the_list() -> None:
    assert told(verdict(dose("given", 20, medication="Insulin", time_critical=False))) == "inside_tolerance"
    assert told(verdict(dose("given", 20, medication="Paracetamol", time_critical=True))) == LATE_INSIDE


def test_a_near_miss_of_a_dose_says_what_the_source_knows_and_no_more() -> None:
    known = {"medication": "Insulin", "staff_ref": "staff-7", "reason": "One senior for two floors.", "system": "eMAR"}

    found = verdict(dose("given", 20, **known))

    assert found.submission == {
        "occurred_at": SCHEDULED,
        "scheduled_at": SCHEDULED,
        "service_id": "willow-house",
        "incident_type": "medication",
        "deviation": "late",
        "classification": "near_miss",
        "staff_involved": [{"ref": "staff-7"}],
        "person_ref": "resident-31",
        "narrative": "One senior for two floors.",
        "attributes": {"medication": "Insulin"},
        "workflow_link": {"stage_affected": "administer", "system_used": "eMAR"},
    }
    assert found.rule == "time_critical"
    assert found.says == "A time-critical dose, given 20 minutes after its time, inside its tolerance of 30 minutes."


def test_a_dose_given_far_too_early_went_wrong_when_it_was_given() -> None:
    found = verdict(dose("given", -90))

    assert found.submission is not None
    assert (found.submission["occurred_at"], found.submission["scheduled_at"]) == (
        "2026-03-02T06:30:00.000000Z",
        SCHEDULED,
    )


def test_a_later_word_on_a_dose_does_not_move_it() -> None:
    found = [verdict(dose("late")), verdict(dose("given", 200)), verdict(dose("omitted"))]

    assert {one.submission["occurred_at"] for one in found if one.submission} == {SCHEDULED}


# Visits

AFTER_WINDOW = ("near_miss", "late", "started_after_window")
AFTER_END = ("no_harm_incident", "late", "started_after_end")
CHECK_IN = ("near_miss", "missed", "missed_check_in_put_right")
ALMOST_MISSED = ("near_miss", "missed", "saved_by_alert")
NOT_STARTED = ("near_miss", "late", "late_not_yet_started")
MISSED = ("no_harm_incident", "missed", "not_delivered")


@pytest.mark.parametrize("status", ["started", "completed", "late"])
@pytest.mark.parametrize(
    ("minutes", "said", "becomes"),
    [
        pytest.param(0, {}, "on_time", id="on time"),
        pytest.param(-30, {}, "on_time", id="early"),
        pytest.param(15, {}, "on_time", id="at the end of its window"),
        pytest.param(15.5, {}, AFTER_WINDOW, id="nearly late, and put right"),
        pytest.param(30, {}, AFTER_WINDOW, id="as it should have been over"),
        pytest.param(31, {}, AFTER_END, id="when it should have been over"),
        pytest.param(31, {"saved_by_alert_at": after(20)}, AFTER_END, id="too late in spite of an alert"),
        pytest.param(20, {"saved_by_alert_at": after(10)}, ALMOST_MISSED, id="after an alert"),
        pytest.param(5, {"saved_by_alert_at": after(1)}, ALMOST_MISSED, id="after an alert and on time"),
        pytest.param(None, {"saved_by_alert_at": after(1)}, ALMOST_MISSED, id="after an alert, nobody says when"),
        pytest.param(None, {"actual_end": after(30)}, CHECK_IN, id="nobody checked in"),
        pytest.param(2, {"actual_end": after(30)}, "on_time", id="checked in and out"),
    ],
)
def test_a_visit_that_was_made_is_judged_by_its_start(
    status: str, minutes: float | None, said: dict[str, Any], becomes: object
) -> None:
    assert told(verdict(visit(status, minutes, **said))) == becomes


@pytest.mark.parametrize(
    ("status", "becomes"),
    [
        ("planned", "planned"),
        ("cancelled", "cancelled"),
        ("started", "no_time_said"),
        ("completed", "no_time_said"),
        ("late", NOT_STARTED),
        ("missed", MISSED),
    ],
)
def test_a_visit_without_times_is_judged_by_its_status(status: str, becomes: object) -> None:
    assert told(verdict(visit(status))) == becomes


def test_a_missed_visit_reached_the_person_whatever_alert_there_was() -> None:
    found = verdict(visit("missed", saved_by_alert_at=after(10)))

    assert told(found) == MISSED
    assert found.submission is not None
    assert "recovery_barrier" not in found.submission


def test_a_visit_whose_end_nobody_says_is_late_and_no_worse() -> None:
    assert told(verdict(Visit("started", EIGHT, actual_start=after(200)))) == AFTER_WINDOW


def test_a_visit_that_ends_before_it_begins_is_not_worse_for_that() -> None:
    assert told(verdict(Visit("started", EIGHT, scheduled_end=after(-30), actual_start=after(5)))) == "on_time"


def test_a_near_miss_of_a_visit_brings_what_the_roster_knows() -> None:
    found = verdict(
        visit(
            "started", 20, staff_refs=("staff-7", "staff-9"), travel=Travel(12, 41.5), reason="Traffic.", system="Rota"
        )
    )

    assert found.submission == {
        "occurred_at": SCHEDULED,
        "scheduled_at": SCHEDULED,
        "service_id": "willow-care",
        "incident_type": "visit",
        "deviation": "late",
        "classification": "near_miss",
        "staff_involved": [{"ref": "staff-7"}, {"ref": "staff-9"}],
        "person_ref": "client-42",
        "narrative": "Traffic.",
        "workflow_link": {"stage_affected": "travel", "system_used": "Rota"},
    }
    assert found.mapped_against == {
        "scheduling": {"planned": SCHEDULED, "actual": "2026-03-02T08:20:00.000000Z"},
        "staff_allocation": {"actual": 2},
        "travel_time": {"planned_minutes": 12, "actual_minutes": 41.5},
    }


@pytest.mark.parametrize(
    ("what", "stage"),
    [
        (visit("started", 20), None),
        (visit("started", 20, travel=Travel(40, 12)), None),
        (visit("started", 20, travel=Travel(12, 12)), None),
        (visit("started", 20, travel=Travel(None, 12)), None),
        (visit("started", 20, travel=Travel(12, 40)), "travel"),
        (visit("missed", travel=Travel(12, 40)), None),
        (visit("completed", actual_end=after(30)), "check_in"),
    ],
)
def test_a_stage_is_named_only_where_the_source_leaves_no_doubt(what: Visit, stage: str | None) -> None:
    submission = verdict(what).submission

    assert submission is not None
    assert submission.get("workflow_link", {}).get("stage_affected") == stage


def test_what_the_roster_does_not_know_is_left_out() -> None:
    assert verdict(visit("missed", travel=Travel(12))).mapped_against == {"scheduling": {"planned": SCHEDULED}}


def test_a_medicine_with_a_very_long_name_is_told_by_its_beginning() -> None:
    submission = verdict(dose("omitted", medication="x" * 300)).submission

    assert submission is not None
    assert submission["attributes"] == {"medication": "x" * 256}


# Rounds and runs


def test_late_doses_of_one_hand_are_a_round() -> None:
    late = verdict(dose("late", staff_ref="staff-7"))

    assert late.round == Round(("medication", "willow-house", "late", "near_miss", "staff-7"), EIGHT, 60)
    assert verdict(dose("given", 15, time_critical=True, staff_ref="staff-7")).round == late.round
    assert verdict(dose("late", staff_ref="staff-8")).round != late.round


def test_doses_that_nobody_signed_for_are_a_round_of_their_service() -> None:
    assert verdict(dose("late")).round == Round(("medication", "willow-house", "late", "near_miss", None), EIGHT, 60)


def test_late_visits_of_one_person_are_a_run() -> None:
    run = Round(("visit", "willow-care", "late", "near_miss", "staff-7"), EIGHT, 240)

    assert verdict(visit("started", 20, staff_refs=("staff-7", "staff-9"))).round == run
    assert verdict(visit("late", staff_refs=("staff-7",))).round == run
    assert verdict(visit("started", 20)).round is None


def test_what_reached_the_person_is_not_hidden_in_a_near_miss_of_the_same_round() -> None:
    rounds = [verdict(dose("given", minutes, time_critical=True)).round for minutes in (20, 40, 50, -50)]

    assert rounds[1] == Round(("medication", "willow-house", "late", "no_harm_incident", None), EIGHT, 60)
    assert [rounds.index(one) for one in rounds] == [0, 1, 1, 3]


def test_what_never_came_is_a_loss_of_each_person() -> None:
    assert verdict(dose("omitted", staff_ref="staff-7")).round is None
    assert verdict(visit("missed", staff_refs=("staff-7",))).round is None


def test_what_an_alert_saved_is_a_near_miss_of_its_own() -> None:
    assert verdict(dose("given", 70, saved_by_alert_at=after(10))).round is None
    assert verdict(visit("started", 40, staff_refs=("staff-7",), saved_by_alert_at=after(10))).round is None


def test_in_a_service_that_nobody_names_nothing_belongs_together() -> None:
    assert verdict(Administration("late", EIGHT, staff_ref="staff-7")).round is None
    assert verdict(Visit("late", EIGHT, staff_refs=("staff-7",))).round is None


# What else is taken in


def test_what_a_system_itself_calls_a_near_miss_is_one() -> None:
    found = recognise(DEFAULT, Reported({"occurred_at": "2026-03-02"}))

    assert (found.reason, found.submission) == ("reported", {"occurred_at": "2026-03-02"})


def test_harm_is_kept_as_a_reference() -> None:
    found = recognise(DEFAULT, Incident("medication", "2026-03-02", "severe", "willow-house", "DX-1"))

    assert found.reason == "harm_incident"
    assert found.submission == {
        "occurred_at": "2026-03-02",
        "service_id": "willow-house",
        "incident_type": "medication",
        "classification": "harm_incident",
        "potential_harm": "severe",
        "attributes": {"reference": "DX-1"},
    }


def test_harm_of_a_grade_that_nobody_knows_is_harm_all_the_same() -> None:
    found = recognise(DEFAULT, Incident("medication", "2026-03-02", "unmapped"))

    assert found.submission == {
        "occurred_at": "2026-03-02",
        "incident_type": "medication",
        "classification": "harm_incident",
    }


def test_numbers_are_no_near_miss() -> None:
    assert recognise(DEFAULT, Denominator("willow-house", "2026-03-02", 240)).submission is None


# The rules are data


def test_a_status_of_the_sources_own_waits_for_somebody_to_explain_it() -> None:
    skipped = dose("unmapped", status_said="Skipped")

    assert told(verdict(skipped)) == "unmapped_status"
    assert told(verdict(skipped, rules(dose_statuses={"skipped": "not_delivered"}))) == NOT_GIVEN
    assert told(verdict(skipped, rules(dose_statuses={"SKIPPED": "none"}))) == "skipped"
    assert told(verdict(skipped, rules(visit_statuses={"skipped": "not_delivered"}))) == "unmapped_status"
    assert told(verdict(visit("unmapped", status_said="no_show"))) == "unmapped_status"
    assert told(
        verdict(visit("unmapped", status_said="no_show"), rules(visit_statuses={"no_show": "not_delivered"}))
    ) == (MISSED)
    assert told(verdict(dose("unmapped"))) == "unmapped_status"


@pytest.mark.parametrize(
    ("changed", "what", "before", "since"),
    [
        ({"late_after": "PT20M"}, dose("given", 15, time_critical=True), LATE_INSIDE, "inside_tolerance"),
        ({"tolerance": "PT90M"}, dose("given", 75), LATE_BEYOND, "inside_tolerance"),
        ({"time_critical_tolerance": "PT60M"}, dose("given", 45, time_critical=True), LATE_BEYOND, LATE_INSIDE),
        ({"visit_window": "PT30M"}, visit("started", 20), AFTER_WINDOW, "on_time"),
        ({"dose_statuses": {"held": "not_delivered"}}, dose("held"), "held", NOT_GIVEN),
        ({"visit_statuses": {"cancelled": "not_delivered"}}, visit("cancelled"), "cancelled", MISSED),
        (
            {"time_critical_medicines": [{"group": "anticoagulants", "names": ["apixaban"]}]},
            dose("given", 20, medication="Apixaban 5 mg"),
            "inside_tolerance",
            LATE_INSIDE,
        ),
        (
            {"time_critical_medicines": []},
            dose("given", 20, medication="Insulin"),
            LATE_INSIDE,
            "inside_tolerance",
        ),
    ],
)
def test_every_rule_is_the_organisations_own(
    changed: dict[str, Any], what: Administration | Visit, before: object, since: object
) -> None:
    assert told(verdict(what)) == before
    assert told(verdict(what, rules(**changed))) == since


def test_how_far_apart_a_round_and_a_run_may_lie_is_a_rule_too() -> None:
    longer = rules(round_within="PT2H", run_within="PT30M")

    assert [
        one.round.within_minutes
        for one in (verdict(dose("late"), longer), verdict(visit("late", staff_refs=("staff-7",)), longer))
        if one.round
    ] == [120, 30]


def test_every_status_of_the_contract_has_a_meaning() -> None:
    assert set(DEFAULT.dose_statuses) == set(DOSE_STATUSES)
    assert set(DEFAULT.visit_statuses) == set(VISIT_STATUSES)


@pytest.mark.parametrize(
    ("document", "pointer", "code"),
    [
        ([], "", "wrong-type"),
        ({"window": "PT15M"}, "/window", "unknown-field"),
        ({"late_after": "PT0S"}, "/late_after", "not-a-duration"),
        ({"tolerance": 60}, "/tolerance", "not-a-duration"),
        ({"tolerance": "P1M"}, "/tolerance", "out-of-range"),
        ({"run_within": "PT25H"}, "/run_within", "out-of-range"),
        ({"dose_statuses": []}, "/dose_statuses", "wrong-type"),
        ({"dose_statuses": {"skipped": "maybe"}}, "/dose_statuses/skipped", "unknown-code"),
        ({"dose_statuses": {"skipped": ["none"]}}, "/dose_statuses/skipped", "unknown-code"),
        ({"dose_statuses": {" ": "none"}}, "/dose_statuses", "not-an-identifier"),
        ({"dose_statuses": {"unmapped": "none"}}, "/dose_statuses/unmapped", "unknown-code"),
        ({"dose_statuses": {"skipped": "none", "SKIPPED": "late"}}, "/dose_statuses/skipped", "duplicate"),
        ({"dose_statuses": {"omitted": "none"}}, "/dose_statuses/omitted", "not-allowed"),
        ({"dose_statuses": {"Not_Available": "delivered"}}, "/dose_statuses/not_available", "not-allowed"),
        ({"visit_statuses": {"missed": "none"}}, "/visit_statuses/missed", "not-allowed"),
        ({"visit_statuses": dict.fromkeys(map(str, range(201)), "none")}, "/visit_statuses", "out-of-range"),
        ({"time_critical_medicines": {}}, "/time_critical_medicines", "wrong-type"),
        ({"time_critical_medicines": [{"names": ["a"]}]}, "/time_critical_medicines/0/group", "missing"),
        ({"time_critical_medicines": [{"group": "a"}]}, "/time_critical_medicines/0/names", "missing"),
        (
            {"time_critical_medicines": [{"group": "a", "names": []}]},
            "/time_critical_medicines/0/names",
            "out-of-range",
        ),
        (
            {"time_critical_medicines": [{"group": "a", "names": ["-"]}]},
            "/time_critical_medicines/0/names/0",
            "not-a-word",
        ),
        (
            {"time_critical_medicines": [{"group": "a", "names": ["a"]}, {"group": "a", "names": ["b"]}]},
            "/time_critical_medicines/1/group",
            "duplicate",
        ),
        ({"reason": 1}, "/reason", "wrong-type"),
    ],
)
def test_rules_that_say_something_else_are_refused_with_their_place(document: object, pointer: str, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_recognition(document, 2)

    assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [(pointer, code)]


def test_what_was_left_out_takes_its_default_and_reads_back_the_same() -> None:
    read = rules(tolerance="PT1H30M", dose_statuses={"skipped": "not_delivered"}, reason="Agreed.")

    assert read.time_critical_medicines == DEFAULT.time_critical_medicines
    assert read.tolerance == Span.parse("PT1H30M")
    assert dict(read.dose_statuses) == {**DEFAULT.dose_statuses, "skipped": "not_delivered"}
    assert parse_recognition(recognition_document(read), 2) == read
    assert recognition_document(parse_recognition({}, 2)) == recognition_document(DEFAULT)


def test_rules_are_followed_by_others_and_never_by_the_same() -> None:
    (adopted,) = decide(Adopt({"visit_window": "PT20M"}), INITIAL)
    since = evolve(INITIAL, adopted)

    assert adopted == Adopted(2, recognition_document(since))
    assert (since.version, str(since.visit_window)) == (2, "PT20M")
    assert decide(Adopt({"visit_window": "PT20M"}), since) == []
    assert decide(Adopt(adopted.recognition), since) == []
    assert decide(Adopt({}), INITIAL) == []
    assert [one.recognition_version for one in decide(Adopt({}), since)] == [3]


# Whatever is sent

INSTANTS = st.datetimes(timezones=st.just(UTC))
NUMBERS = st.floats() | st.integers(-(10**9), 10**9)
TEXTS = st.text(max_size=20)
DOSES = st.builds(
    Administration,
    status=st.sampled_from([*DOSE_STATUSES, "unmapped"]) | TEXTS,
    scheduled_at=INSTANTS,
    service_id=st.none() | TEXTS,
    person_ref=st.none() | TEXTS,
    medication=st.none() | TEXTS | st.sampled_from(["Insulin", "x" * 999]),
    administered_at=st.none() | INSTANTS,
    tolerance_minutes=st.none() | NUMBERS,
    staff_ref=st.none() | TEXTS,
    reason=st.none() | TEXTS,
    system=st.none() | TEXTS,
    time_critical=st.none() | st.booleans(),
    saved_by_alert_at=st.none() | INSTANTS,
    status_said=st.none() | TEXTS,
)
VISITS = st.builds(
    Visit,
    status=st.sampled_from([*VISIT_STATUSES, "unmapped"]) | TEXTS,
    scheduled_start=INSTANTS,
    service_id=st.none() | TEXTS,
    person_ref=st.none() | TEXTS,
    visit_id=st.none() | TEXTS,
    scheduled_end=st.none() | INSTANTS,
    actual_start=st.none() | INSTANTS,
    actual_end=st.none() | INSTANTS,
    staff_refs=st.lists(TEXTS, max_size=3).map(tuple),
    travel=st.none() | st.builds(Travel, st.none() | NUMBERS, st.none() | NUMBERS),
    saved_by_alert_at=st.none() | INSTANTS,
    reason=st.none() | TEXTS,
    system=st.none() | TEXTS,
    status_said=st.none() | TEXTS,
)
REACHED = {"omitted", "not_available", "missed"}


@given(DOSES | VISITS)
def test_nothing_that_a_system_can_say_goes_without_a_verdict(what: Administration | Visit) -> None:
    found = recognise(DEFAULT, what)

    assert found.reason
    assert found.says
    if found.submission is not None:
        assert found.rule
        assert found.submission["classification"] in {"near_miss", "no_harm_incident"}
    if what.status in REACHED:
        assert found.submission is not None
        assert found.submission["classification"] == "no_harm_incident"


RECENT = st.datetimes(datetime(2026, 3, 1), datetime(2026, 3, 3), timezones=st.just(UTC))  # noqa: DTZ001
NAMED = st.text("abc-1", min_size=1, max_size=9)
MINUTES = st.floats(0, 1000)


def kept(kind: Any, **known: Any) -> st.SearchStrategy[Any]:
    """Doses or visits as they come out of `app.intake.care`: what is not named here is a name."""
    return st.builds(kind, **{one.name: known.get(one.name, st.none() | NAMED) for one in fields(kind)})


TIMES: Mapping[str, Any] = {"saved_by_alert_at": st.none() | RECENT}
DOSES_KEPT = kept(
    Administration,
    status=st.sampled_from(DOSE_STATUSES),
    scheduled_at=RECENT,
    administered_at=st.none() | RECENT,
    tolerance_minutes=st.none() | MINUTES,
    time_critical=st.none() | st.booleans(),
    **TIMES,
)
VISITS_KEPT = kept(
    Visit,
    status=st.sampled_from(VISIT_STATUSES),
    scheduled_start=RECENT,
    scheduled_end=st.none() | RECENT,
    actual_start=st.none() | RECENT,
    actual_end=st.none() | RECENT,
    staff_refs=st.lists(NAMED, max_size=3).map(tuple),
    travel=st.none() | st.builds(Travel, st.none() | MINUTES, st.none() | MINUTES),
    **TIMES,
)


@given(DOSES_KEPT | VISITS_KEPT)
def test_every_near_miss_found_is_a_submission_that_intake_takes(what: Administration | Visit) -> None:
    found = recognise(DEFAULT, what)

    if found.submission is not None:
        taken = validate(IntakeSubmission, dict(found.submission), NOW).model_dump(exclude_none=True)
        assert faults(FIRST, taken) == []
    validate(MappedAgainst, dict(found.mapped_against), NOW)
