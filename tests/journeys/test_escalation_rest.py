"""How long an escalation may rest, and what wakes it: its end, another command, and a near miss that is graver."""

from typing import Any

import pytest

from tests.journeys.inside import Inside
from tests.journeys.ladder import adopt, after, crossing, deadlines, let_pass, person, say, story, told
from tests.journeys.ward import Ward, kinds, pointers

TOMORROW = {"until": "2026-03-03T09:00:00Z"}


# Snooze


def test_a_snoozed_escalation_asks_nobody_and_the_deadline_of_its_review_runs_on(ward: Ward) -> None:
    escalation = crossing(ward)

    snoozed = say(ward, escalation, "snooze", TOMORROW)

    assert (snoozed["status"], snoozed["snoozed_until"]) == ("snoozed", after(hours=23))
    assert deadlines(snoozed) == {"snooze_until": after(hours=23), "review_due": after(days=14)}
    assert ward.escalations(status="snoozed") == [snoozed]


def test_a_snooze_ends_by_itself_and_asks_the_same_level_again(inside: Inside) -> None:
    escalation = crossing(inside.ward)
    say(inside.ward, escalation, "snooze", TOMORROW)

    let_pass(inside, hours=23)

    awake = inside.ward.escalation(escalation["id"])
    assert (awake["status"], awake["contacts"], "snoozed_until" in awake) == ("awaiting_ack", ["manager"], False)
    assert deadlines(awake)["ack_due"] == after(hours=47)
    assert told(inside, escalation)[-1][1]["notify"] == ["manager"]


def test_a_snooze_that_ends_late_counts_on_from_when_it_was_to_end(inside: Inside) -> None:
    escalation = crossing(inside.ward)
    say(inside.ward, escalation, "snooze", TOMORROW)

    let_pass(inside, days=2)

    assert story(inside, escalation)[2:] == ["snooze_ended", "ack_overdue", "level_entered"]
    assert deadlines(inside.ward.escalation(escalation["id"]))["ack_due"] == after(days=1, hours=47)


def test_what_was_acknowledged_before_it_was_snoozed_is_so_afterwards(inside: Inside) -> None:
    escalation = crossing(inside.ward)
    say(person(inside, "manager-2"), escalation, "acknowledgement")
    snoozed = say(inside.ward, escalation, "snooze", TOMORROW)

    let_pass(inside, hours=23)

    awake = inside.ward.escalation(escalation["id"])
    assert (snoozed["status"], snoozed["owner"]) == ("snoozed", "manager-2")
    assert (awake["status"], awake["owner"]) == ("acknowledged", "manager-2")
    assert set(deadlines(awake)) == {"review_due"}


@pytest.mark.parametrize(
    ("step", "body", "status"),
    [
        ("acknowledgement", None, "acknowledged"),
        ("handover", {"to": "manager"}, "awaiting_ack"),
        ("manual-escalation", {"if_epoch": 0}, "awaiting_ack"),
    ],
)
def test_whoever_acts_on_it_ends_the_snooze(ward: Ward, step: str, body: Any, status: str) -> None:
    escalation = crossing(ward)
    say(ward, escalation, "snooze", TOMORROW)

    awake = say(ward, escalation, step, body)

    assert (awake["status"], "snooze_until" in deadlines(awake)) == (status, False)


@pytest.mark.parametrize(
    ("limit", "longest", "too_long"),
    [
        ({}, "2026-03-09T10:00:00Z", "2026-03-09T10:00:00.000001Z"),
        ({"max_snooze": "PT4H"}, "2026-03-02T14:00:00Z", "2026-03-02T15:00:00+00:30"),
    ],
    ids=["seven days, where the ladder says nothing", "the ladder's own limit"],
)
def test_a_snooze_ends_within_its_limit(ward: Ward, limit: dict[str, str], longest: str, too_long: str) -> None:
    adopt(ward, [{"to": ["manager"], "timeout": "P1D"}], **limit)
    escalation = crossing(ward)

    problem = say(ward, escalation, "snooze", {"until": too_long}, expect=409)
    assert ward.escalation(escalation["id"])["version"] == escalation["version"]

    assert problem["type"].endswith(":snooze-too-long")
    assert say(ward, escalation, "snooze", {"until": longest})["status"] == "snoozed"


def test_a_snooze_that_is_prolonged_keeps_the_limit_of_its_beginning(inside: Inside) -> None:
    escalation = crossing(inside.ward)
    say(inside.ward, escalation, "snooze", {"until": "2026-03-05T10:00:00Z"})
    inside.clock.advance(days=2)

    say(inside.ward, escalation, "snooze", {"until": "2026-03-10T10:00:00Z"}, expect=409)

    prolonged = say(inside.ward, escalation, "snooze", {"until": "2026-03-09T10:00:00Z"})
    assert prolonged["snoozed_until"] == after(days=7)


@pytest.mark.parametrize("until", ["2026-03-02T09:59:59Z", "2026-03-02T10:00:00Z", "2026-03-03", "tomorrow"])
def test_a_snooze_ends_at_an_instant_that_is_still_to_come(ward: Ward, until: str) -> None:
    problem = say(ward, crossing(ward), "snooze", {"until": until}, expect=422)

    assert pointers(problem) == {"/until"}


# Growth, and what is graver


def test_growth_is_told_to_the_one_who_took_it_on(inside: Inside) -> None:
    escalation = crossing(inside.ward)
    say(person(inside, "manager-2"), escalation, "acknowledgement")

    inside.ward.submit()

    (_, acknowledged), (name, added) = told(inside, escalation)[1:]
    assert (name, added["kind"], added["why"]) == ("member_added", "member", "grew")
    assert added["notify"] == [acknowledged["by"]]
    assert inside.ward.escalation(escalation["id"])["owner"] == "manager-2"


@pytest.mark.parametrize(
    ("graver", "kind"),
    [({"potential_harm": "death"}, "member"), ({"classification": "harm_incident"}, "related")],
    ids=["could have been deadly", "harm was done"],
)
@pytest.mark.parametrize("before", ["acknowledgement", "snooze"])
def test_a_graver_near_miss_has_everybody_answer_anew(
    inside: Inside, before: str, graver: dict[str, str], kind: str
) -> None:
    ward = inside.ward
    escalation = crossing(ward)
    quiet = say(ward, escalation, before, TOMORROW if before == "snooze" else None)

    near_miss = ward.submit(**graver)

    awake = ward.escalation(escalation["id"])
    assert kinds(awake)[near_miss["id"]] == kind
    assert (awake["status"], awake["epoch"], "owner" in awake) == ("awaiting_ack", quiet["epoch"] + 1, False)
    assert deadlines(awake) == {"ack_due": after(days=1), "review_due": after(days=14)}
    assert story(inside, escalation)[-2:] == ["member_added", "re_alarmed"]


def test_a_member_that_turns_out_to_be_graver_has_everybody_answer_anew(inside: Inside) -> None:
    ward = inside.ward
    escalation = crossing(ward)
    say(ward, escalation, "snooze", TOMORROW)

    ward.correct(next(iter(kinds(escalation))), potential_harm="death")

    awake = ward.escalation(escalation["id"])
    assert (awake["status"], awake["epoch"]) == ("awaiting_ack", 1)
    assert story(inside, escalation)[-1] == "re_alarmed"


def test_what_is_as_grave_as_what_was_known_lets_it_rest(inside: Inside) -> None:
    ward = inside.ward
    near_misses = [ward.submit(potential_harm=harm) for harm in ("moderate", "low", "low")]
    escalation = ward.escalation(near_misses[2]["escalation_ids"][0])
    say(ward, escalation, "snooze", TOMORROW)

    ward.submit(potential_harm="moderate")
    ward.correct(near_misses[1]["id"], potential_harm="moderate")
    ward.correct(near_misses[0]["id"], potential_harm="low")
    ward.correct(near_misses[0]["id"], potential_harm="moderate")

    assert ward.escalation(escalation["id"])["status"] == "snoozed"
    assert "re_alarmed" not in story(inside, escalation)


def test_a_graver_near_miss_grants_nobody_more_time(inside: Inside) -> None:
    escalation = crossing(inside.ward)
    inside.clock.advance(hours=20)

    inside.ward.submit(potential_harm="death")

    alarmed = inside.ward.escalation(escalation["id"])
    assert (alarmed["epoch"], deadlines(alarmed)["ack_due"]) == (1, after(days=1))
