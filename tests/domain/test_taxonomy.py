"""The words of an organisation: what version 1 holds, how it grows, and what a report may say."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain import taxonomy_default
from app.domain.decider import Invalid
from app.domain.taxonomy import FIRST, LISTS, Change, Extend, Extended, Taxonomy, Term, decide, document, evolve
from app.domain.taxonomy_check import code_faults, faults, link_faults

TUESDAY = datetime(2026, 3, 3, 9, tzinfo=UTC)

REPORT = {
    "incident_type": "medication",
    "deviation": "omitted",
    "classification": "near_miss",
    "contributing_factors": ["workload"],
    "recovery_barrier": "colleague",
}


def after(*commands: Extend) -> Taxonomy:
    taxonomy = FIRST
    for command in commands:
        for event in decide(command, taxonomy, TUESDAY):
            taxonomy = evolve(taxonomy, event)
    return taxonomy


def pointers(found: list) -> list[tuple[str, str]]:
    return [(fault.pointer, fault.code) for fault in found]


def refusal_of(**lists: list[Change]) -> list[tuple[str, str]]:
    with pytest.raises(Invalid) as refused:
        decide(Extend(lists), FIRST, TUESDAY)
    return pointers(list(refused.value.faults))


falls = Extend({"incident_types": [Change("falls", "Falls")]})
without_omissions = Extend({"deviations": [Change("omitted", incident_type="medication", retired=True)]})


# Version 1


def test_every_incident_type_has_other_and_three_or_more_deviations_of_its_own() -> None:
    for kind in FIRST.codes("incident_types"):
        own = FIRST.deviations_of[kind].in_use - {"other"}

        assert "other" in FIRST.deviations_of[kind].in_use
        assert len(own) >= 3


@pytest.mark.parametrize("kind", ["moving_handling", "safeguarding", "equipment", "records", "other"])
def test_a_type_that_the_design_leaves_open_has_three_to_five_deviations_and_the_general_stages(kind: str) -> None:
    assert 3 <= len(FIRST.deviations_of[kind].in_use - {"other"}) <= 5
    assert FIRST.stages_of[kind].in_use == {"assess", "plan", "prepare", "deliver", "record", "handover"}


def test_every_one_of_the_twenty_contributing_factors_is_a_cause_as_well() -> None:
    assert len(FIRST.codes("contributing_factors")) == 20
    assert FIRST.codes("cause_codes") == FIRST.codes("contributing_factors") | {
        "rota_pressure",
        "communication_gap",
        "unclear_task_allocation",
    }


def test_the_roll_up_of_causes_names_only_known_factors() -> None:
    for cause, factors in taxonomy_default.CAUSE_ROLL_UP.items():
        assert cause in FIRST.codes("cause_codes")
        assert FIRST.codes("contributing_factors").issuperset(factors)


def test_the_document_shows_every_list_and_leaves_out_what_is_absent() -> None:
    shown = document(FIRST)

    assert set(shown) == {"version", *LISTS}
    assert shown["incident_types"][0] == {"code": "medication", "label": "Medication"}
    assert shown["deviations"][0] == {"code": "early", "label": "Given too early", "incident_type": "medication"}


# Growth


def test_a_new_incident_type_comes_with_the_general_stages_and_other() -> None:
    taxonomy = after(falls)

    assert taxonomy.version == 2
    assert taxonomy.deviations_of["falls"].in_use == {"other"}
    assert taxonomy.stages_of["falls"].in_use == set(taxonomy_default.GENERAL_STAGES)


def test_a_new_incident_type_that_brings_its_own_stages_has_only_those() -> None:
    taxonomy = after(Extend({**falls.lists, "workflow_stages": [Change("get_up", "Get up", "falls")]}))

    assert taxonomy.stages_of["falls"].in_use == {"get_up"}


def test_a_new_contributing_factor_is_a_cause_as_well() -> None:
    taxonomy = after(Extend({"contributing_factors": [Change("lighting", "Lighting")]}))

    assert "lighting" in taxonomy.codes("cause_codes")


def test_saying_the_same_words_again_changes_nothing() -> None:
    taxonomy = after(falls)

    assert decide(falls, taxonomy, TUESDAY) == []


def test_sending_the_whole_document_back_changes_nothing() -> None:
    taxonomy = after(falls, without_omissions)
    said = {
        name: [Change(term.code, term.label, term.incident_type, term.retired) for term in taxonomy.lists[name]]
        for name in LISTS
    }

    assert decide(Extend(said), taxonomy, TUESDAY) == []


def test_a_change_of_label_tells_only_the_term_that_changed() -> None:
    events = decide(Extend({"recovery_barriers": [Change("chance", "Luck")]}), FIRST, TUESDAY)

    assert events == [Extended(2, {"recovery_barriers": (Term("chance", "Luck"),)})]


def test_retiring_keeps_the_label_and_taking_back_un_retires() -> None:
    retired = after(without_omissions)
    taken_back = evolve(
        retired,
        decide(
            Extend({"deviations": [Change("omitted", incident_type="medication", retired=False)]}), retired, TUESDAY
        )[0],
    )

    assert Term("omitted", "Dose omitted", "medication", retired=True) in retired.lists["deviations"]
    assert taken_back.lists == FIRST.lists


def test_the_same_code_in_two_incident_types_is_two_terms() -> None:
    taxonomy = after(Extend({"deviations": [Change("late", "Late round", "medication")]}))

    assert Term("late", "Late round", "medication") in taxonomy.lists["deviations"]
    assert Term("late", "Visit late", "visit") in taxonomy.lists["deviations"]


MALFORMED = {
    "a list that does not exist": ({"colours": [Change("red", "Red")]}, ("", "unknown-list")),
    "a code of blanks": ({"incident_types": [Change("  ", "Blank")]}, ("/incident_types/0/code", "not-an-identifier")),
    "a code of zero-width characters": (
        {"incident_types": [Change("\u200b\u200d", "Blank")]},
        ("/incident_types/0/code", "not-an-identifier"),
    ),
    "a code with a control character": (
        {"incident_types": [Change("a\nb", "Two")]},
        ("/incident_types/0/code", "not-an-identifier"),
    ),
    "a code of 129 characters": (
        {"incident_types": [Change("x" * 129, "Long")]},
        ("/incident_types/0/code", "not-an-identifier"),
    ),
    "a new code without a label": ({"incident_types": [Change("falls")]}, ("/incident_types/0/label", "missing")),
    "a label of blanks": ({"incident_types": [Change("falls", " ")]}, ("/incident_types/0/label", "out-of-range")),
    "a label of 201 characters": (
        {"incident_types": [Change("falls", "x" * 201)]},
        ("/incident_types/0/label", "out-of-range"),
    ),
    "a deviation of no incident type": (
        {"deviations": [Change("slow", "Slow")]},
        ("/deviations/0/incident_type", "missing"),
    ),
    "a stage of an unknown incident type": (
        {"workflow_stages": [Change("land", "Land", "meteor")]},
        ("/workflow_stages/0/incident_type", "unknown-code"),
    ),
    "a barrier of an incident type": (
        {"recovery_barriers": [Change("alarm", "Alarm", "visit")]},
        ("/recovery_barriers/0/incident_type", "unknown-field"),
    ),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_extension_is_refused_where_it_is_wrong(name: str) -> None:
    lists, fault = MALFORMED[name]

    assert refusal_of(**lists) == [fault]


def test_a_deviation_may_belong_to_an_incident_type_that_is_added_beside_it() -> None:
    taxonomy = after(Extend({**falls.lists, "deviations": [Change("unwitnessed", "Unwitnessed", "falls")]}))

    assert taxonomy.deviations_of["falls"].in_use == {"unwitnessed", "other"}


CODES = st.sampled_from(["a", "b", "medication", "late", "workload"])
CHANGES = st.builds(Change, CODES, st.sampled_from(["One", "Two"]), st.none(), st.sampled_from([None, True, False]))


@given(st.dictionaries(st.sampled_from(["incident_types", "contributing_factors", "cause_codes"]), st.lists(CHANGES)))
def test_asking_twice_changes_nothing_and_nothing_is_ever_removed(lists: dict[str, list[Change]]) -> None:
    once = after(Extend(lists))

    assert decide(Extend(lists), once, TUESDAY) == []
    for name in LISTS:
        assert {term.name for term in FIRST.lists[name]} <= {term.name for term in once.lists[name]}


# Reports


def test_a_report_in_known_words_has_no_faults() -> None:
    assert faults(FIRST, REPORT) == []


UNKNOWN_WORDS = {
    "incident_type": ("meteor", "/incident_type"),
    "deviation": ("short", "/deviation"),  # A visit's.
    "classification": ("nearly", "/classification"),
    "contributing_factors": (["workload", "moonlight"], "/contributing_factors/1"),
    "recovery_barrier": ("angel", "/recovery_barrier"),
}


@pytest.mark.parametrize("field", UNKNOWN_WORDS)
def test_an_unknown_word_is_refused_where_it_stands(field: str) -> None:
    sent, pointer = UNKNOWN_WORDS[field]

    assert pointers(faults(FIRST, REPORT | {field: sent})) == [(pointer, "unknown-code")]


def test_a_fault_names_the_nearest_code_and_never_the_one_sent() -> None:
    [fault] = faults(FIRST, REPORT | {"deviation": "omited"})

    assert "omitted" in fault.detail
    assert "omited" not in fault.detail


def test_a_retired_word_is_refused_on_a_new_report() -> None:
    assert pointers(faults(after(without_omissions), REPORT)) == [("/deviation", "retired-code")]


def test_a_record_that_held_the_word_before_it_was_retired_keeps_it() -> None:
    assert faults(after(without_omissions), REPORT, held=REPORT) == []


def test_a_corrected_deviation_is_judged_by_the_incident_type_that_the_record_holds() -> None:
    found = faults(FIRST, {"deviation": "short"}, held=REPORT, pointer="/changes")

    assert pointers(found) == [("/changes/deviation", "unknown-code")]


def test_the_stage_that_allowed_it_may_be_unknown_but_not_the_stage_affected() -> None:
    link = {"stage_affected": "unknown", "stage_allowed": "unknown"}

    assert pointers(link_faults(FIRST, "medication", link)) == [("/stage_affected", "unknown-code")]


def test_the_stages_of_a_submitted_link_belong_to_its_incident_type() -> None:
    found = faults(FIRST, REPORT | {"workflow_link": {"stage_affected": "travel", "stage_allowed": "travel"}})

    assert [fault.pointer for fault in found] == ["/workflow_link/stage_affected", "/workflow_link/stage_allowed"]


def test_a_contributing_factor_may_stand_as_a_cause_of_a_review() -> None:
    assert code_faults(FIRST, "cause_codes", "workload", "/causes/0/code") == []
    assert pointers(code_faults(FIRST, "cause_codes", "gremlins", "/causes/0/code")) == [
        ("/causes/0/code", "unknown-code")
    ]
