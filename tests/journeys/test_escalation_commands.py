"""What people say to an escalation that asks them: I take it on, ask somebody else, ask whoever stands above."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.journeys.inside import Inside
from tests.journeys.ladder import adopt, after, crossing, deadlines, ledger_text, let_pass, person, say, story, told
from tests.journeys.ward import Ward, kinds, pointers

COMMANDS: dict[str, dict[str, Any]] = {
    "acknowledgement": {},
    "handover": {"to": "operations"},
    "manual-escalation": {"if_epoch": 0},
    "snooze": {"until": "2026-03-03T09:00:00Z"},
    "merge": {"into": "esc_other"},
    "policy": {"version": 2},
}
"""Each command, and something that it takes."""


def code(problem: dict[str, Any]) -> str:
    return problem["type"].rpartition(":")[2]


# Acknowledgement


@pytest.mark.parametrize("body", [None, {}], ids=["no body", "an empty one"])
def test_whoever_acknowledges_owns_it_and_only_the_deadline_of_the_review_runs_on(
    inside: Inside, body: dict[str, Any] | None
) -> None:
    escalation = crossing(inside.ward)
    assert deadlines(escalation) == {"ack_due": after(days=1), "review_due": after(days=14)}

    taken = say(person(inside, "manager-2"), escalation, "acknowledgement", body)

    assert (taken["status"], taken["owner"], taken["flags"]) == ("acknowledged", "manager-2", [])
    assert deadlines(taken) == {"review_due": after(days=14)}
    assert inside.ward.escalation(escalation["id"]) == taken
    assert "manager-2" not in ledger_text(inside)


def test_a_second_person_stands_by_the_one_who_took_it_on(inside: Inside) -> None:
    escalation = crossing(inside.ward)
    say(person(inside, "manager-2"), escalation, "acknowledgement")

    beside = say(person(inside, "deputy-1"), escalation, "acknowledgement")
    again = say(person(inside, "deputy-1"), escalation, "acknowledgement")

    assert beside["owner"] == again["owner"] == "manager-2"
    assert again["version"] == beside["version"]
    assert story(inside, escalation)[1:] == ["acknowledged", "additional_ack"]


def test_a_key_that_acts_for_itself_owns_it_as_the_key(ward: Ward) -> None:
    assert say(ward, crossing(ward), "acknowledgement")["owner"].startswith("key/")


def test_a_timer_that_is_due_at_the_instant_of_a_command_runs_first(inside: Inside) -> None:
    escalation = crossing(inside.ward)
    inside.clock.advance(days=1)

    taken = say(inside.ward, escalation, "acknowledgement")

    assert (taken["status"], taken["level"], taken["contacts"]) == ("acknowledged", 1, ["deputy"])
    assert story(inside, escalation)[1:] == ["ack_overdue", "level_entered", "acknowledged"]


# Hand-over


def test_a_hand_over_to_a_role_is_to_be_acknowledged_there_and_climbs_if_it_is_not(inside: Inside) -> None:
    escalation = crossing(inside.ward)
    say(inside.ward, escalation, "acknowledgement")
    inside.clock.advance(hours=5)

    handed = say(inside.ward, escalation, "handover", {"to": "operations"})
    let_pass(inside, days=1)

    assert (handed["status"], handed["contacts"], "owner" in handed) == ("awaiting_ack", ["operations"], False)
    assert deadlines(handed)["ack_due"] == after(days=1, hours=5)
    climbed = inside.ward.escalation(escalation["id"])
    assert (climbed["level"], climbed["contacts"]) == (1, ["deputy"])


def test_a_hand_over_to_a_person_shows_whom_it_asks_and_keeps_them_out_of_the_ledger(inside: Inside) -> None:
    escalation = crossing(inside.ward)

    handed = say(inside.ward, escalation, "handover", {"to": " deputy-1 "})
    taken = say(person(inside, "deputy-1"), escalation, "acknowledgement")

    assert (handed["status"], handed["contacts"]) == ("awaiting_ack", ["deputy-1"])
    assert (taken["status"], taken["owner"]) == ("acknowledged", "deputy-1")
    _, data = told(inside, escalation)[1]
    assert (data["why"], data["notify"][0][:6]) == ("handed_over", "staff/")
    assert "deputy-1" not in ledger_text(inside)


@pytest.mark.parametrize("to", ["staff/Ann Jones", "key/Ann Jones"])
def test_a_reference_that_is_spelt_like_one_of_our_names_is_a_person_all_the_same(inside: Inside, to: str) -> None:
    escalation = crossing(inside.ward)

    handed = say(inside.ward, escalation, "handover", {"to": to})

    assert handed["contacts"] == [to]
    assert "Ann Jones" not in ledger_text(inside)


def test_a_hand_over_takes_the_names_that_events_have_for_people_and_keys(inside: Inside) -> None:
    escalation = crossing(inside.ward)
    say(inside.ward, escalation, "handover", {"to": "deputy-1"})
    (its_name,) = told(inside, escalation)[1][1]["notify"]
    colleague = f"key/{inside.key('reviews:act').key_id}"

    to_the_key = say(inside.ward, escalation, "handover", {"to": colleague})
    to_the_person = say(inside.ward, escalation, "handover", {"to": its_name})

    assert (to_the_key["contacts"], to_the_person["contacts"]) == ([colleague], ["deputy-1"])


def test_what_is_theirs_already_is_not_handed_over_again(inside: Inside) -> None:
    escalation = crossing(inside.ward)
    asked = say(inside.ward, escalation, "handover", {"to": "manager"})
    taken = say(person(inside, "manager-2"), escalation, "acknowledgement")

    again = say(inside.ward, escalation, "handover", {"to": "manager-2"})

    assert asked["version"] == escalation["version"]
    assert again == taken


@pytest.mark.parametrize("to", ["", "   "])
def test_a_hand_over_to_nobody_is_refused(ward: Ward, to: str) -> None:
    escalation = crossing(ward)

    assert code(say(ward, escalation, "handover", {"to": to}, expect=409)) == "handover-to-nobody"
    assert pointers(say(ward, escalation, "handover", {}, expect=422)) == {"/to"}
    assert ward.escalation(escalation["id"]) == escalation


# Escalated by hand


def test_a_person_asks_the_next_level_and_after_the_last_comes_the_first(ward: Ward) -> None:
    escalation = crossing(ward)
    say(ward, escalation, "acknowledgement")

    raised = [say(ward, escalation, "manual-escalation", {"if_epoch": epoch}) for epoch in range(3)]

    assert [one["contacts"] for one in raised] == [["deputy"], ["operations"], ["manager"]]
    assert [(one["level"], one["epoch"], one["status"]) for one in raised] == [
        (1, 1, "awaiting_ack"),
        (2, 2, "awaiting_ack"),
        (0, 3, "awaiting_ack"),
    ]


def test_two_who_press_at_once_climb_one_level(inside: Inside) -> None:
    escalation = crossing(inside.ward)
    path = f"/v1/escalations/{escalation['id']}/manual-escalation"

    def press(_: int) -> int:
        return inside.client.post(path, json={"if_epoch": 0}, headers=inside.ward.headers).status_code

    with ThreadPoolExecutor(2) as hands:
        answers = sorted(hands.map(press, range(2)))

    assert answers == [200, 409]
    assert inside.ward.escalation(escalation["id"])["level"] == 1


def test_an_epoch_that_has_passed_is_refused_with_the_one_that_holds(ward: Ward) -> None:
    escalation = crossing(ward)
    say(ward, escalation, "manual-escalation", {"if_epoch": 0})

    stale = say(ward, escalation, "manual-escalation", {"if_epoch": 0}, expect=409)

    assert code(stale) == "stale-epoch"
    assert "its epoch is 1 now" in stale["detail"]


# What holds for each of them


@pytest.mark.parametrize("step", [one for one in COMMANDS if one != "merge"])
def test_what_is_closed_takes_no_command(ward: Ward, step: str) -> None:
    escalation = crossing(ward)
    ward.close(escalation)

    problem = say(ward, escalation, step, COMMANDS[step] if step != "policy" else {"version": 1}, expect=409)

    assert code(problem) == "escalation-not-open"
    assert "reopen" in problem["detail"]


def test_a_command_needs_a_key_that_acts_on_reviews(inside: Inside) -> None:
    escalation = crossing(inside.ward)
    reader = inside.holding("near-misses:read", "near-misses:write", "governance:act")

    for step, body in COMMANDS.items():
        assert code(say(Ward(inside.client), escalation, step, body, expect=401)) == "unauthorized"
        assert code(say(reader, escalation, step, body, expect=403)) == "forbidden"


def test_an_escalation_of_another_organisation_is_not_there_whatever_the_body_says(inside: Inside) -> None:
    escalation = crossing(inside.ward)

    for step, body in COMMANDS.items():
        assert code(say(inside.other, escalation, step, body, expect=404)) == "not-found"
        assert code(say(inside.other, escalation, step, {"what": 0}, expect=404)) == "not-found"
        assert code(say(inside.ward, {"id": "esc_none"}, step, body, expect=404)) == "not-found"
        say(inside.ward, escalation, step, {"what": 0}, expect=422)


def test_a_command_on_a_version_that_was_passed_is_refused_and_one_on_the_present_is_not(inside: Inside) -> None:
    ward = inside.ward
    escalation = crossing(ward)
    handed = say(ward, escalation, "handover", {"to": "deputy"}, **{"If-Match": '"1"'})

    for step, body in COMMANDS.items():
        assert code(say(ward, escalation, step, body, expect=412, **{"If-Match": '"1"'})) == "precondition-failed"

    assert handed["version"] == 2
    assert ward.escalation(escalation["id"]) == handed


def test_a_command_that_comes_again_with_its_idempotency_key_is_answered_as_the_first_time(inside: Inside) -> None:
    ward = inside.ward
    other = crossing(ward, deviation="late")
    adopt(ward, [{"to": ["deputy"], "timeout": "P1D"}])

    bodies = {**COMMANDS, "merge": {"into": other["id"]}, "policy": {"version": 1}}

    for number, (step, body) in enumerate(bodies.items()):
        escalation = crossing(ward, service_id=f"house-{number}")
        first = say(ward, escalation, step, body, **{"Idempotency-Key": "press-1"})
        ward.withdraw(next(iter(kinds(escalation))))

        assert say(ward, escalation, step, body, **{"Idempotency-Key": "press-1"}) == first
    reused = say(ward, escalation, "policy", {"version": 2}, expect=422, **{"Idempotency-Key": "press-1"})
    assert code(reused) == "idempotency-key-reused"
