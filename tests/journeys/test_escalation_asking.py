"""Who is asked, until when, and what is seen of it: holders of roles, working time, the end of the chain, lists."""

from typing import Any

import pytest

from tests.journeys.inside import Inside
from tests.journeys.ladder import adopt, after, crossing, deadlines, let_pass, person, say
from tests.journeys.ward import MONDAY, Ward

HOME: dict[str, Any] = {"name": "Willow House", "service_type": "care_home"}
MANAGER = {"role": "manager", "ref": "manager-2", "from": "2025-01-06"}


def registered(ward: Ward, service_id: str, **holder: Any) -> None:
    ward.put(f"/v1/services/{service_id}", {**HOME, "role_holders": [{**MANAGER, **holder}]})


# Whether anybody is there


@pytest.mark.parametrize(
    ("service_id", "holder"),
    [
        ("elm-house", {}),
        ("willow-house", {"role": "deputy"}),
        ("willow-house", {"to": "2026-03-02"}),
        ("willow-house", {"from": "2026-03-03"}),
    ],
    ids=["of another service", "of another role", "no longer", "not yet"],
)
def test_a_role_that_nobody_holds_is_asked_all_the_same_and_flagged(
    ward: Ward, service_id: str, holder: dict[str, str]
) -> None:
    registered(ward, service_id, **holder)

    escalation = crossing(ward)

    assert (escalation["contacts"], escalation["flags"]) == (["manager"], ["nobody_reachable"])
    assert deadlines(escalation)["ack_due"] == after(days=1)


@pytest.mark.parametrize("holder", [{}, {"from": "2026-03-02", "to": "2026-03-03"}], ids=["for good", "for the day"])
def test_a_role_that_the_register_gives_to_somebody_is_not_flagged(ward: Ward, holder: dict[str, str]) -> None:
    registered(ward, "willow-house", **holder)

    assert crossing(ward)["flags"] == []


def test_a_key_of_the_role_is_somebody_as_long_as_it_is_valid(inside: Inside) -> None:
    inside.key(role="manager", expires_at=MONDAY.replace(hour=12))

    before = crossing(inside.ward)
    inside.clock.advance(hours=2)
    afterwards = crossing(inside.ward, deviation="late")

    assert (before["flags"], afterwards["flags"]) == ([], ["nobody_reachable"])


def test_a_level_that_reaches_nobody_climbs_to_one_that_does(inside: Inside) -> None:
    inside.key(role="deputy")
    escalation = crossing(inside.ward)

    let_pass(inside, days=1)

    climbed = inside.ward.escalation(escalation["id"])
    assert (escalation["flags"], climbed["contacts"], climbed["flags"]) == (["nobody_reachable"], ["deputy"], [])


@pytest.mark.parametrize(
    ("step", "body"),
    [("handover", {"to": "operations"}), ("manual-escalation", {"if_epoch": 0}), ("policy", {"version": 2})],
)
def test_whoever_is_asked_by_a_command_is_looked_for_as_well(inside: Inside, step: str, body: dict[str, Any]) -> None:
    inside.key(role="manager")
    escalation = crossing(inside.ward)
    adopt(inside.ward, [{"to": ["operations"], "timeout": "P1D"}])

    asked = say(inside.ward, escalation, step, body)

    assert (escalation["flags"], asked["flags"]) == ([], ["nobody_reachable"])
    assert say(inside.ward, escalation, "acknowledgement")["flags"] == []


# Until when


def test_a_step_in_working_time_waits_over_christmas(inside: Inside) -> None:
    """In England in 2026: Thursday's last hour, then two bank holidays (one in lieu) and the weekend between them."""
    adopt(inside.ward, [{"to": ["manager"], "timeout": "PT2H", "time_basis": "working"}])
    inside.clock.set("2026-12-24T16:00:00Z")

    escalation = crossing(inside.ward, occurred_at="2026-12-24T15:00:00Z")

    assert escalation["next_deadlines"] == [
        {"kind": "ack_due", "due_at": "2026-12-29T10:00:00.000000Z", "level": 0},
        {"kind": "review_due", "due_at": "2027-01-07T16:00:00.000000Z"},
    ]


def test_a_step_that_names_nobody_is_passed_over_at_once(ward: Ward) -> None:
    adopt(ward, [{"to": [], "timeout": "P1D"}, {"to": ["deputy"], "timeout": "PT3H"}])

    escalation = crossing(ward)

    assert (escalation["level"], escalation["contacts"]) == (1, ["deputy"])
    assert deadlines(escalation)["ack_due"] == after(hours=3)


# The end of the chain


def test_after_the_last_level_the_backstop_is_asked_day_after_day(inside: Inside) -> None:
    adopt(inside.ward, [{"to": ["manager"], "timeout": "PT1H"}], backstop="operations")
    escalation = crossing(inside.ward)

    seen: list[dict[str, Any]] = []
    for hours in (1, 24, 24):
        let_pass(inside, hours=hours)
        seen.append(inside.ward.escalation(escalation["id"]))
    taken = say(inside.ward, escalation, "acknowledgement")

    assert [one["contacts"] for one in seen] == [["operations"]] * 3
    assert [deadlines(one)["ack_due"] for one in seen] == [after(hours=hours) for hours in (25, 49, 73)]
    assert [one["flags"] for one in seen] == [["chain_exhausted", "nobody_reachable"]] * 3
    assert (taken["status"], taken["flags"]) == ("acknowledged", [])


def test_from_the_end_of_the_chain_a_person_asks_the_first_level_again(inside: Inside) -> None:
    adopt(inside.ward, [{"to": ["manager"], "timeout": "PT1H"}])
    escalation = crossing(inside.ward)
    let_pass(inside, hours=1)
    exhausted = inside.ward.escalation(escalation["id"])

    again = say(inside.ward, escalation, "manual-escalation", {"if_epoch": exhausted["epoch"]})

    assert "chain_exhausted" in exhausted["flags"]
    assert (again["contacts"], again["flags"]) == (["manager"], ["nobody_reachable"])


# What is seen of it


def test_the_list_tells_which_are_overdue(inside: Inside) -> None:
    late, closed = crossing(inside.ward), crossing(inside.ward, deviation="late")
    say(inside.ward, late, "acknowledgement")
    let_pass(inside, days=14)
    ward = inside.ward
    on_time = crossing(ward, deviation="extra", occurred_at="2026-03-16T09:00:00Z")
    both = ward.escalations(overdue=True, service_id="willow-house", rule_id="similar")

    ward.close(closed)

    assert [one["id"] for one in both] == [late["id"], closed["id"]]
    assert [one["id"] for one in ward.escalations(overdue=True, rule_id="similar")] == [late["id"]]
    assert on_time["id"] in [one["id"] for one in ward.escalations(overdue=False)]
    assert ward.escalation(late["id"])["flags"] == ["overdue"]


def test_the_list_takes_every_status_and_no_other(ward: Ward) -> None:
    crossing(ward)

    assert len(ward.escalations(status="awaiting_ack")) == 1
    assert ward.escalations(status="merged") == ward.escalations(status="snoozed") == []
    ward.get("/v1/escalations", expect=422, status="unraised")


def test_what_was_known_at_an_instant_is_shown_as_it_was(inside: Inside) -> None:
    ward = inside.ward
    escalation = crossing(ward)
    let_pass(inside, hours=1)
    snoozed = say(ward, escalation, "snooze", {"until": "2026-03-02T13:00:00Z"})
    let_pass(inside, hours=1)
    taken = say(person(inside, "manager-2"), escalation, "acknowledgement")
    let_pass(inside, hours=1)

    def known(hours: int) -> dict[str, Any]:
        return ward.escalation(escalation["id"], as_of=after(hours=hours))

    assert [known(hours) for hours in (0, 1, 2, 3)] == [escalation, snoozed, taken, taken]
    ward.get(f"/v1/escalations/{escalation['id']}", expect=404, as_of=escalation["sequence"] - 1)
