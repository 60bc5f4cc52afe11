"""A policy document: read strictly, every fault at once, and written out so that it reads back the same."""

import copy
import json
from typing import Any

import pytest

from app.domain.decider import Invalid
from app.domain.policy import DEFAULT_POLICY, parse_policy, policy_document

LEAST = {"id": "falls", "group_by": ["service_id"], "threshold": 3, "window": "P14D"}

FULL = {
    "rules": [
        {
            "id": "doses",
            "name": "Doses of one medicine",
            "match": {"incident_type": "medication", "attributes.rota": ["a", 2, 3.5], "contributing_factors": "task"},
            "match_any": [{"potential_harm": ["severe", "death"]}, {"deviation": "extra"}],
            "group_by": ["service_id", "attributes.medicine", "person"],
            "threshold": 5,
            "window": "PT12H",
            "op": "gt",
            "distinct": "person",
            "missing_key": "group",
            "cooldown": "P7D",
            "window_basis": "calendar",
            "count_classifications": ["near_miss"],
            "mode": "shadow",
            "aliases": {"person": {"medication": "person_ref", "other": "attributes.resident"}},
            "require_types": ["medication"],
            "require_sequence": ["medication", "visit"],
            "review_due": "P7D",
            "ladder": {
                "steps": [{"to": ["manager", "nurse-7"], "timeout": "PT4H", "time_basis": "working"}],
                "repeat": -1,
                "backstop": "leadership",
                "ack_remind": "PT2H",
                "ack_confirm": "PT1H",
                "max_snooze": "P2D",
            },
        },
        {**LEAST, "weight": "attributes.n"},
    ],
    "time_zone": "Europe/London",
    "shifts": {"*": [{"bracket": "night", "from": "20:15", "to": "07:30"}], "elm": []},
    "governance_cadence": "P3M",
    "details_due": "PT36H",
    "workflow_link_due": "P1M",
    "working_time": {
        "hours": [
            {"weekday": "sun", "from": "22:00", "to": "06:00"},
            {"weekday": "mon", "from": "06:00", "to": "12:30"},
            {"weekday": "mon", "from": "13:00", "to": "13:00"},
        ],
        "country": "DE",
        "subdivision": "BY",
        "closed_on": ["2026-12-24", "2026-11-30"],
    },
    "reason": "Medicines of one kind were mixed up twice.",
}


@pytest.mark.parametrize("document", [policy_document(DEFAULT_POLICY), FULL, {"rules": [LEAST]}, {"rules": []}])
def test_a_policy_written_out_reads_back_as_the_same_policy(document: dict[str, Any]) -> None:
    policy = parse_policy(document, 7)

    written = policy_document(policy)

    assert parse_policy(written, 7) == policy
    assert policy_document(parse_policy(written, 7)) == written
    assert json.loads(json.dumps(written)) == written


def test_what_is_given_stays_as_it_was_given() -> None:
    written = policy_document(parse_policy(FULL, 2))

    assert {**written, "rules": written["rules"][:1]} == {**FULL, "rules": FULL["rules"][:1]}


def test_what_is_left_out_takes_its_default() -> None:
    policy = parse_policy({"rules": [LEAST]}, 1)

    written = policy_document(policy)

    assert written == {
        "rules": [
            {
                **LEAST,
                "name": "falls",
                "match": {},
                "match_any": [],
                "op": "gte",
                "missing_key": "exclude",
                "window_basis": "elapsed",
                "count_classifications": ["near_miss", "no_harm_incident"],
                "mode": "active",
                "aliases": {},
                "require_types": [],
                "require_sequence": [],
                "review_due": "P14D",
                "ladder": {
                    "steps": [
                        {"to": ["manager"], "timeout": "P1D", "time_basis": "elapsed"},
                        {"to": ["deputy"], "timeout": "P1D", "time_basis": "elapsed"},
                        {"to": ["operations"], "timeout": "P2D", "time_basis": "elapsed"},
                    ],
                    "repeat": 0,
                    "backstop": "leadership",
                },
            }
        ],
        "time_zone": "UTC",
        "shifts": {},
        "governance_cadence": "P1M",
        "details_due": "P3D",
        "workflow_link_due": "P7D",
        "working_time": {
            "hours": [
                {"weekday": weekday, "from": "09:00", "to": "17:00"} for weekday in ("mon", "tue", "wed", "thu", "fri")
            ],
            "country": "GB",
            "subdivision": "ENG",
            "closed_on": [],
        },
    }


def test_a_ladder_of_ones_own_ends_with_the_admin_unless_it_says_otherwise() -> None:
    ladder = {"steps": [{"to": [], "timeout": "P1D"}]}

    [rule] = parse_policy({"rules": [{**LEAST, "ladder": ladder}]}, 1).rules

    assert rule.ladder.backstop == "admin"
    assert rule.ladder.steps[0].to == ()


def test_the_default_policy_has_two_rules_that_act_and_two_that_watch() -> None:
    rules = {rule.id: (rule.threshold, str(rule.window), rule.mode) for rule in DEFAULT_POLICY.rules}

    assert rules == {
        "similar": (3, "P14D", "active"),
        "grave": (1, "P14D", "active"),
        "handover": (4, "P14D", "shadow"),
        "same-person": (3, "P28D", "shadow"),
    }


NIGHT = {"bracket": "night", "from": "20:15", "to": "07:30"}
A_SPAN = "not-a-duration"
FAULTS = [
    ({}, "/rules", "missing"),
    ([], "", "wrong-type"),
    (None, "", "wrong-type"),
    ({"rules": {}}, "/rules", "wrong-type"),
    ({"rules": [LEAST] * 51}, "/rules", "out-of-range"),
    ({"rules": ["falls"]}, "/rules/0", "wrong-type"),
    ({"rules": [LEAST, LEAST]}, "/rules/1/id", "duplicate"),
    ({"rules": [], "zone": "UTC"}, "/zone", "unknown-field"),
    ({"rules": [], "<b>": "UTC"}, "", "unknown-field"),
    ({"rules": [], "time_zone": "Europe/Lundon"}, "/time_zone", "unknown-code"),
    ({"rules": [], "time_zone": "Europe"}, "/time_zone", "unknown-code"),
    ({"rules": [], "time_zone": "../etc/passwd"}, "/time_zone", "unknown-code"),
    ({"rules": [], "time_zone": "right/Europe/London"}, "/time_zone", "unknown-code"),
    ({"rules": [], "time_zone": 1}, "/time_zone", "unknown-code"),
    ({"rules": [], "governance_cadence": "monthly"}, "/governance_cadence", A_SPAN),
    ({"rules": [], "working_time": {"hours": ["mon"]}}, "/working_time/hours/0", "wrong-type"),
    ({"rules": [], "reason": 3}, "/reason", "wrong-type"),
    ({"rules": [], "shifts": []}, "/shifts", "wrong-type"),
    ({"rules": [], "shifts": {"elm": {}}}, "/shifts/elm", "wrong-type"),
    ({"rules": [], "shifts": {"*": [{**NIGHT, "from": "7:00"}]}}, "/shifts/*/0/from", "out-of-range"),
    ({"rules": [], "shifts": {"*": [{**NIGHT, "to": "24:00"}]}}, "/shifts/*/0/to", "out-of-range"),
    ({"rules": [], "shifts": {"*": [{"bracket": "a", "from": "07:00"}]}}, "/shifts/*/0/to", "missing"),
    ({"rules": [], "shifts": {"*": [{"from": "07:00", "to": "08:00"}]}}, "/shifts/*/0/bracket", "missing"),
]  # fmt: skip

STEP = {"to": ["manager"], "timeout": "P1D"}
RULE_FAULTS = [
    ({"id": None}, "/id", "missing"),
    ({"id": ""}, "/id", "not-an-identifier"),
    ({"id": " "}, "/id", "not-an-identifier"),
    ({"id": "a" * 129}, "/id", "not-an-identifier"),
    ({"id": 7}, "/id", "not-an-identifier"),
    ({"name": 7}, "/name", "wrong-type"),
    ({"treshold": 3}, "/treshold", "unknown-field"),
    ({"threshold": None}, "/threshold", "missing"),
    ({"threshold": 0}, "/threshold", "out-of-range"),
    ({"threshold": -3}, "/threshold", "out-of-range"),
    ({"threshold": 10_001}, "/threshold", "out-of-range"),
    ({"threshold": 2**63}, "/threshold", "out-of-range"),
    ({"threshold": True}, "/threshold", "wrong-type"),
    ({"threshold": 3.0}, "/threshold", "wrong-type"),
    ({"threshold": "3"}, "/threshold", "wrong-type"),
    ({"window": None}, "/window", "missing"),
    ({"window": "14 days"}, "/window", A_SPAN),
    ({"window": 14}, "/window", A_SPAN),
    ({"window": "P999999999999999999999999999999Y"}, "/window", A_SPAN),
    ({"cooldown": "P0D"}, "/cooldown", A_SPAN),
    ({"review_due": "soon"}, "/review_due", A_SPAN),
    ({"op": "lt"}, "/op", "unknown-code"),
    ({"mode": "on"}, "/mode", "unknown-code"),
    ({"mode": ["off"]}, "/mode", "unknown-code"),
    ({"missing_key": "drop"}, "/missing_key", "unknown-code"),
    ({"window_basis": "working"}, "/window_basis", "unknown-code"),
    ({"group_by": None}, "/group_by", "missing"),
    ({"group_by": "service_id"}, "/group_by", "wrong-type"),
    ({"group_by": ["service_id", "shoe_size"]}, "/group_by/1", "unknown-code"),
    ({"group_by": ["service_id", "service_id"]}, "/group_by/1", "duplicate"),
    ({"group_by": [["service_id"]]}, "/group_by/0", "unknown-code"),
    ({"group_by": ["attributes."]}, "/group_by/0", "unknown-code"),
    ({"group_by": ["attributes." + "a" * 65]}, "/group_by/0", "unknown-code"),
    ({"group_by": ["staff_ref"]}, "/group_by/0", "unknown-code"),
    ({"group_by": ["contributing_factors"]}, "/group_by/0", "unknown-code"),
    ({"match": []}, "/match", "wrong-type"),
    ({"match": {"shoe_size": 7}}, "/match/shoe_size", "unknown-code"),
    ({"match": {"person_ref": "p-1"}}, "/match/person_ref", "unknown-code"),
    ({"match": {"deviation": None}}, "/match/deviation", "wrong-type"),
    ({"match": {"deviation": True}}, "/match/deviation", "wrong-type"),
    ({"match": {"deviation": []}}, "/match/deviation", "out-of-range"),
    ({"match": {"deviation": ["late", {}]}}, "/match/deviation/1", "wrong-type"),
    ({"match": {"attributes.n": 2**53}}, "/match/attributes.n", "wrong-type"),
    ({"match": {"attributes.n": float("inf")}}, "/match/attributes.n", "wrong-type"),
    ({"match_any": {}}, "/match_any", "wrong-type"),
    ({"match_any": [{"shoe_size": 7}]}, "/match_any/0/shoe_size", "unknown-code"),
    ({"distinct": "staff_ref"}, "/distinct", "unknown-code"),
    ({"distinct": 7}, "/distinct", "unknown-code"),
    ({"weight": "n"}, "/weight", "unknown-code"),
    ({"weight": "attributes.n", "distinct": "person_ref"}, "/weight", "conflict"),
    ({"aliases": []}, "/aliases", "wrong-type"),
    ({"aliases": {"person": "person_ref"}}, "/aliases/person", "wrong-type"),
    ({"aliases": {"person": {"fall": "resident"}}}, "/aliases/person/fall", "unknown-code"),
    ({"aliases": {"staff_ref": {"fall": "attributes.a"}}, "group_by": ["staff_ref"]}, "/group_by/0", "unknown-code"),
    ({"count_classifications": []}, "/count_classifications", "out-of-range"),
    ({"count_classifications": [""]}, "/count_classifications/0", "not-an-identifier"),
    ({"require_types": "medication"}, "/require_types", "wrong-type"),
    ({"require_sequence": [1]}, "/require_sequence/0", "not-an-identifier"),
    ({"ladder": []}, "/ladder", "wrong-type"),
    ({"ladder": {"rungs": []}}, "/ladder/rungs", "unknown-field"),
    ({"ladder": {"steps": []}}, "/ladder/steps", "out-of-range"),
    ({"ladder": {"steps": [{"timeout": "P1D"}]}}, "/ladder/steps/0/to", "missing"),
    ({"ladder": {"steps": [{"to": ["manager"]}]}}, "/ladder/steps/0/timeout", "missing"),
    ({"ladder": {"steps": [{"to": [""], "timeout": "P1D"}]}}, "/ladder/steps/0/to/0", "not-an-identifier"),
    ({"ladder": {"steps": [{"to": [], "timeout": 1}]}}, "/ladder/steps/0/timeout", A_SPAN),
    ({"ladder": {"steps": [{**STEP, "time_basis": "lunar"}]}}, "/ladder/steps/0/time_basis", "unknown-code"),
    ({"ladder": {"repeat": -2}}, "/ladder/repeat", "out-of-range"),
    ({"ladder": {"repeat": True}}, "/ladder/repeat", "wrong-type"),
    ({"ladder": {"backstop": ""}}, "/ladder/backstop", "not-an-identifier"),
    ({"ladder": {"max_snooze": "P0D"}}, "/ladder/max_snooze", A_SPAN),
]  # fmt: skip


@pytest.mark.parametrize(("document", "pointer", "code"), FAULTS, ids=range(len(FAULTS)))
def test_a_fault_of_a_policy_is_named_where_it_is(document: object, pointer: str, code: str) -> None:
    assert (pointer, code) in faults_of(document)


@pytest.mark.parametrize(("change", "pointer", "code"), RULE_FAULTS, ids=[str(fault[:2])[:60] for fault in RULE_FAULTS])
def test_a_fault_of_a_rule_is_named_where_it_is_and_nothing_else_is(
    change: dict[str, Any], pointer: str, code: str
) -> None:
    assert faults_of({"rules": [{**LEAST, **change}]}) == [(f"/rules/0{pointer}", code)]


def test_every_fault_is_named_at_once() -> None:
    document = {"rules": [{**LEAST, "threshold": 0, "op": "lt"}, {**LEAST, "id": "b", "mode": "on"}], "zone": 1}

    assert sorted(faults_of(document)) == [
        ("/rules/0/op", "unknown-code"),
        ("/rules/0/threshold", "out-of-range"),
        ("/rules/1/mode", "unknown-code"),
        ("/zone", "unknown-field"),
    ]


def test_staff_as_a_key_are_refused_with_the_reason() -> None:
    with pytest.raises(Invalid) as refused:
        parse_policy({"rules": [{**LEAST, "group_by": ["staff_ref"]}]}, 1)

    assert "just culture" in refused.value.faults[0].detail


@pytest.mark.parametrize(
    ("change", "moves"),
    [
        ({"threshold": 5}, False),
        ({"window": "P7D"}, False),
        ({"mode": "shadow"}, False),
        ({"name": "Falls"}, False),
        ({"match": {"deviation": "late"}}, True),
        ({"match_any": [{"deviation": "late"}]}, True),
        ({"group_by": ["service_id", "deviation"]}, True),
        ({"aliases": {"service_id": {"fall": "attributes.home"}}}, True),
        ({"missing_key": "group"}, True),
        ({"count_classifications": ["near_miss"]}, True),
        ({"distinct": "person_ref"}, True),
        ({"weight": "attributes.n"}, True),
    ],
)
def test_a_rule_that_places_records_elsewhere_says_so(change: dict[str, Any], moves: bool) -> None:
    [before] = parse_policy({"rules": [LEAST]}, 1).rules

    [after] = parse_policy({"rules": [{**LEAST, **change}]}, 2).rules

    assert (after.placement != before.placement) is moves


def test_the_same_filter_in_other_words_places_records_where_they_were() -> None:
    one = {"match": {"deviation": "late", "attributes.n": [2, 1]}, "count_classifications": ["near_miss", "other"]}
    other = {
        "match": {"attributes.n": [1.0, 2], "deviation": ["late"]},
        "count_classifications": ["other", "near_miss"],
    }

    [first] = parse_policy({"rules": [{**LEAST, **one}]}, 1).rules
    [second] = parse_policy({"rules": [{**LEAST, **other}]}, 1).rules

    assert first.placement == second.placement


def test_reading_leaves_the_document_as_it_was() -> None:
    document = copy.deepcopy(FULL)

    parse_policy(document, 1)

    assert document == FULL


def faults_of(document: object) -> list[tuple[str, str]]:
    with pytest.raises(Invalid) as refused:
        parse_policy(document, 1)
    return [(fault.pointer, fault.code) for fault in refused.value.faults]
