"""An escalation climbs until somebody answers: a timer only asks, and whatever people do, somebody is asked next."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import Any

import pytest

from app.domain import escalation
from app.domain.decider import Invalid, Refused
from app.domain.escalation import Deadline, Escalation, Status
from app.domain.ladder import DEFAULT_TERMS, Reach, Rung, Terms
from app.domain.working_time import OFFICE_HOURS, Calendar

FRIDAY = datetime(2026, 3, 6, 15, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
EVERYBODY: Reach = {}

crossing = escalation.Raise("rule", 1, (), "[]", 1, "P14D", (escalation.Member("nm-1", "member"),), FRIDAY)


def on(terms: Terms) -> escalation.Raise:
    return replace(crossing, terms=terms)


def asked(*rungs: tuple[str, ...], **rest: Any) -> Terms:
    return Terms(tuple(Rung(to, "PT1H") for to in rungs), backstop="board", **rest)


class Story:
    """An escalation over time: timers run first, then what is asked."""

    def __init__(self, raising: escalation.Raise = crossing, reach: Mapping[str, tuple[str, ...]] = EVERYBODY) -> None:
        self.now, self.reach = FRIDAY, reach
        self.standing: Escalation = escalation.UNRAISED
        self.told: list[escalation.Event] = []
        self.ask(replace(raising, reach=reach))

    def at(self, now: datetime) -> "Story":
        self.now = now
        self.standing, events = escalation.run_due(self.standing, now, self.reach)
        self.told += events
        return self

    def ask(self, command: escalation.Command) -> list[escalation.Event]:
        events = escalation.decide(command, self.standing, self.now)
        self.standing = reduce(escalation.evolve, events, self.standing)
        self.told += events
        return events

    def refused(self, command: escalation.Command) -> Refused:
        with pytest.raises(Refused) as refusal:
            self.ask(command)
        return refusal.value

    @property
    def contacts(self) -> list[tuple[datetime, tuple[str, ...], str]]:
        """When, whom and why, of all that a timer told."""
        return [
            (event.scheduled_at, event.notify, event.why)
            for event in self.told
            if getattr(event, "scheduled_at", None) and getattr(event, "notify", ())
        ]


def test_the_default_ladder_ends_at_leadership_and_asks_it_again_every_day() -> None:
    story = Story()

    story.at(FRIDAY + 6 * DAY)

    assert story.contacts == [
        (FRIDAY + 1 * DAY, ("deputy",), "escalated"),
        (FRIDAY + 2 * DAY, ("operations",), "escalated"),
        (FRIDAY + 4 * DAY, ("leadership",), "chain_exhausted"),
        (FRIDAY + 5 * DAY, ("leadership",), "chain_exhausted"),
        (FRIDAY + 6 * DAY, ("leadership",), "chain_exhausted"),
    ]
    assert [event.level for event in story.told if isinstance(event, escalation.AckOverdue)] == [0, 1, 2]
    assert story.standing.flags == ("chain_exhausted",)
    assert story.standing.deadlines[0] == Deadline("ack_due", FRIDAY + 7 * DAY, level=2)


def test_the_backstop_is_left_in_peace_once_somebody_acknowledges() -> None:
    story = Story().at(FRIDAY + 4 * DAY)

    story.ask(escalation.Acknowledge("n.iqbal"))

    assert story.standing.flags == ()
    assert story.standing.deadlines == (Deadline("review_due", FRIDAY + 14 * DAY),)


def test_a_timer_that_asks_early_or_again_changes_nothing() -> None:
    story = Story()
    tick = escalation.Tick("ack_due", FRIDAY + DAY)

    early = story.ask(tick)
    story.now = FRIDAY + DAY
    on_time = story.ask(tick)
    again = story.ask(tick)

    assert [type(event).__name__ for event in on_time] == ["AckOverdue", "LevelEntered"]
    assert (early, again) == ([], [])


def test_a_timer_waits_for_the_one_that_was_due_before_it() -> None:
    story = Story(on(asked(("manager",), ("head",), review_due="PT2H")))
    story.now = FRIDAY + 3 * HOUR

    assert story.ask(escalation.Tick("review_due", FRIDAY + 2 * HOUR)) == []
    assert story.ask(escalation.Tick("ack_due", FRIDAY + HOUR)) != []


def test_a_timer_of_what_is_closed_or_was_never_raised_asks_nobody() -> None:
    story = Story()
    story.ask(escalation.Close("no_action_needed"))

    assert story.standing.deadlines == ()
    assert escalation.decide(escalation.Tick("ack_due", FRIDAY + DAY), story.standing, FRIDAY + 9 * DAY) == []
    assert escalation.decide(escalation.Tick("ack_due", FRIDAY), escalation.UNRAISED, FRIDAY) == []


def test_one_run_of_the_timers_ends_and_leaves_the_rest_for_the_next() -> None:
    story = Story(on(asked(("manager",), repeat=-1)))

    halfway, events = escalation.run_due(story.standing, FRIDAY + 300 * HOUR, EVERYBODY, most=100)
    _, rest = escalation.run_due(halfway, FRIDAY + 300 * HOUR, EVERYBODY, most=10_000)

    assert len(events) == 100
    assert events + rest == escalation.run_due(story.standing, FRIDAY + 300 * HOUR, EVERYBODY, most=10_000)[1]


def test_a_role_that_nobody_holds_is_entered_with_a_flag_and_waited_for() -> None:
    story = Story(reach={"manager": (), "deputy": ("t-deputy",)})

    assert story.standing.flags == ("nobody_reachable",)

    story.at(FRIDAY + DAY)

    assert (story.standing.level, story.standing.flags) == (1, ())


def test_a_step_that_names_nobody_is_skipped_and_logged_as_the_timer_passes_it() -> None:
    story = Story(on(asked(("manager",), (), ("head",))))

    story.at(FRIDAY + HOUR)

    assert story.told[-2:] == [
        escalation.StepSkipped(1, FRIDAY + HOUR),
        escalation.LevelEntered(2, 0, ("head",), "escalated", FRIDAY + 2 * HOUR, False, FRIDAY + HOUR),
    ]


@pytest.mark.parametrize("repeat", [0, 3, -1])
def test_a_ladder_that_names_nobody_at_all_asks_the_backstop_at_once(repeat: int) -> None:
    story = Story(on(asked((), (), repeat=repeat)))

    assert story.standing.contacts == ("board",)
    assert story.standing.flags == ("chain_exhausted",)
    assert story.standing.deadlines[0].due_at == FRIDAY + DAY


def test_a_step_in_working_time_waits_over_the_weekend() -> None:
    rungs = (Rung(("manager",), "PT4H", "working"), Rung(("head",), "PT4H"))
    story = Story(on(Terms(rungs, calendar=Calendar("UTC", OFFICE_HOURS))))

    assert story.standing.deadlines[0].due_at == datetime(2026, 3, 9, 11, tzinfo=UTC)


# Acknowledging


def test_the_review_deadline_runs_on_after_the_acknowledgement_and_climbs_until_the_review_is_closed() -> None:
    story = Story()
    story.ask(escalation.Acknowledge("m.okafor"))

    story.at(FRIDAY + 18 * DAY)

    assert story.contacts == [
        (FRIDAY + 14 * DAY, ("deputy", "m.okafor"), "review_overdue"),
        (FRIDAY + 15 * DAY, ("operations", "m.okafor"), "review_overdue"),
        (FRIDAY + 17 * DAY, ("leadership", "m.okafor"), "review_overdue"),
        (FRIDAY + 18 * DAY, ("leadership", "m.okafor"), "review_overdue"),
    ]
    assert (story.standing.status, story.standing.level) == (Status.ACKNOWLEDGED, 0)
    assert story.standing.flags == ("overdue",)


def test_whoever_took_it_on_owns_it_whoever_else_acknowledges() -> None:
    story = Story()
    story.ask(escalation.Acknowledge("m.okafor"))

    story.ask(escalation.Acknowledge("d.eputy"))

    assert (story.standing.owner, story.standing.acknowledged_by) == ("m.okafor", ("m.okafor", "d.eputy"))


def test_a_reminder_without_a_time_to_confirm_in_is_repeated() -> None:
    story = Story(on(asked(("manager",), ack_remind="PT5H")))
    story.ask(escalation.Acknowledge("m.okafor"))

    story.at(FRIDAY + 10 * HOUR)

    assert story.contacts == [
        (FRIDAY + 5 * HOUR, ("m.okafor",), "ack_reminder"),
        (FRIDAY + 10 * HOUR, ("m.okafor",), "ack_reminder"),
    ]
    assert story.standing.status is Status.ACKNOWLEDGED


@pytest.mark.parametrize(
    "answer",
    [escalation.Acknowledge("d.eputy"), escalation.BeginReview("d.eputy"), escalation.AgreeAction("act-1")],
    ids=["another acknowledges", "the review is begun", "an action is agreed"],
)
def test_an_acknowledgement_does_not_expire_once_anybody_acts_on_it(answer: escalation.Command) -> None:
    story = Story(on(asked(("manager",), ack_remind="PT5H", ack_confirm="PT1H", review_due="P30D")))
    story.ask(escalation.Acknowledge("m.okafor"))
    story.at(FRIDAY + 5 * HOUR).ask(answer)

    story.at(FRIDAY + 6 * HOUR)

    assert story.standing.owner == "m.okafor"


def test_who_is_asked_to_confirm_is_not_reminded_besides() -> None:
    story = Story(on(asked(("manager",), ack_remind="PT5H", ack_confirm="PT9H")))
    story.ask(escalation.Acknowledge("m.okafor"))

    story.at(FRIDAY + 5 * HOUR)

    assert [deadline.kind for deadline in story.standing.deadlines] == ["ack_confirm", "review_due"]


def test_who_has_begun_the_review_is_not_reminded() -> None:
    story = Story(on(asked(("manager",), ack_remind="PT5H")))

    story.ask(escalation.BeginReview("m.okafor"))

    assert [deadline.kind for deadline in story.standing.deadlines] == ["review_due"]

    story.ask(escalation.Attach("nm-2", "member", harmed=True))
    story.ask(escalation.Acknowledge("m.okafor"))

    assert [deadline.kind for deadline in story.standing.deadlines] == ["review_due"]


# What people do


def test_two_who_escalate_at_once_climb_one_level() -> None:
    story = Story()
    epoch = story.standing.epoch

    story.ask(escalation.EscalateManually(epoch, "m.okafor"))
    refusal = story.refused(escalation.EscalateManually(epoch, "d.eputy"))

    assert (refusal.code, story.standing.level) == ("stale-epoch", 1)


def test_escalating_by_hand_takes_the_acknowledgement_back() -> None:
    story = Story()
    story.ask(escalation.Acknowledge("m.okafor"))

    story.ask(escalation.EscalateManually(story.standing.epoch, "m.okafor"))

    assert (story.standing.status, story.standing.contacts) == (Status.AWAITING_ACK, ("deputy",))
    assert story.standing.deadlines[0].due_at == FRIDAY + DAY


def test_escalating_by_hand_from_the_backstop_begins_the_ladder_again() -> None:
    story = Story().at(FRIDAY + 4 * DAY)

    story.ask(escalation.EscalateManually(story.standing.epoch, "n.iqbal"))

    assert (story.standing.contacts, story.standing.flags) == (("manager",), ())


@pytest.mark.parametrize("to", ["", "  "], ids=["empty", "blank"])
def test_handing_over_to_nobody_is_refused(to: str) -> None:
    story = Story()

    assert story.refused(escalation.HandOver(to, "m.okafor")).code == "handover-to-nobody"


def test_handing_over_to_whoever_has_it_already_tells_nobody_again() -> None:
    story = Story()
    handing_over = escalation.HandOver("d.eputy", "m.okafor")

    assert len(story.ask(handing_over)) == 1
    assert story.ask(handing_over) == []

    story.ask(escalation.Acknowledge("d.eputy"))

    assert story.ask(handing_over) == []


def test_handing_over_what_is_snoozed_asks_at_once() -> None:
    story = Story()
    story.ask(escalation.Snooze(FRIDAY + 3 * DAY, "m.okafor"))

    story.ask(escalation.HandOver("manager", "d.eputy"))

    assert story.standing.status is Status.AWAITING_ACK
    assert story.standing.deadlines[0] == Deadline("ack_due", FRIDAY + DAY, level=0)


def test_a_snooze_defers_the_answer_and_nothing_else() -> None:
    story = Story()

    story.ask(escalation.Snooze(FRIDAY + 3 * DAY, "m.okafor"))

    assert story.standing.status is Status.SNOOZED
    assert story.standing.deadlines == (
        Deadline("snooze_until", FRIDAY + 3 * DAY),
        Deadline("review_due", FRIDAY + 14 * DAY),
    )


def test_the_same_people_are_asked_again_when_a_snooze_ends() -> None:
    story = Story()
    story.ask(escalation.Snooze(FRIDAY + 3 * DAY, "m.okafor"))

    story.at(FRIDAY + 4 * DAY)

    assert story.contacts == [
        (FRIDAY + 3 * DAY, ("manager",), "snooze_ended"),
        (FRIDAY + 4 * DAY, ("deputy",), "escalated"),
    ]


def test_a_snooze_of_what_is_acknowledged_reminds_its_owner() -> None:
    story = Story()
    story.ask(escalation.Acknowledge("m.okafor"))
    story.ask(escalation.Snooze(FRIDAY + DAY, "m.okafor"))

    story.at(FRIDAY + DAY)

    assert story.contacts == [(FRIDAY + DAY, ("m.okafor",), "snooze_ended")]
    assert story.standing.status is Status.ACKNOWLEDGED


@pytest.mark.parametrize(
    ("max_snooze", "longest"),
    [pytest.param("PT2H", 2 * HOUR, id="stated"), pytest.param(None, 7 * DAY, id="not stated")],
)
def test_a_snooze_lasts_at_most_its_limit_however_often_it_is_prolonged(
    max_snooze: str | None, longest: timedelta
) -> None:
    story = Story(on(asked(("manager",), max_snooze=max_snooze)))

    story.ask(escalation.Snooze(FRIDAY + longest / 2, "m.okafor"))
    story.now = FRIDAY + longest / 4
    refusal = story.refused(escalation.Snooze(FRIDAY + longest + HOUR, "m.okafor"))
    prolonged = story.ask(escalation.Snooze(FRIDAY + longest, "m.okafor"))

    assert refusal.code == "snooze-too-long"
    assert prolonged == [escalation.Snoozed(FRIDAY + longest, FRIDAY, "m.okafor")]


def test_a_snooze_ends_in_the_future() -> None:
    refusal = Story().refused(escalation.Snooze(FRIDAY, "m.okafor"))

    assert isinstance(refusal, Invalid)
    assert [fault.pointer for fault in refusal.faults] == ["/until"]


# What is found


def test_a_graver_member_ends_a_snooze() -> None:
    story = Story()
    story.ask(escalation.Snooze(FRIDAY + 3 * DAY, "m.okafor"))

    story.ask(escalation.Attach("nm-2", "related", harmed=True))

    assert story.standing.status is Status.AWAITING_ACK
    assert story.standing.deadlines[0] == Deadline("ack_due", FRIDAY + DAY, level=0)


def test_a_graver_member_tells_those_who_are_asked_and_whoever_took_it_on() -> None:
    story = Story()
    story.ask(escalation.Acknowledge("m.okafor"))

    events = story.ask(escalation.Attach("nm-2", "member", harmed=True))

    assert events == [
        escalation.MemberAdded("nm-2", "member"),
        escalation.ReAlarmed("nm-2", ("manager", "m.okafor"), FRIDAY + DAY),
    ]
    assert story.standing.status is Status.AWAITING_ACK


def test_people_are_asked_again_once_for_all_that_are_as_grave() -> None:
    story = Story()
    story.ask(escalation.Acknowledge("m.okafor"))

    first = story.ask(escalation.Attach("nm-2", "member", gravity=2))
    second = story.ask(escalation.Attach("nm-3", "member", gravity=2))
    third = story.ask(escalation.Attach("nm-4", "member", gravity=3))

    alarms = [type(events[-1]).__name__ for events in (first, second, third)]
    assert alarms == ["ReAlarmed", "MemberAdded", "ReAlarmed"]


def test_a_stream_of_graver_members_never_grants_more_time() -> None:
    story = Story()
    for hour in range(1, 24):
        story.at(FRIDAY + hour * HOUR).ask(escalation.Attach(f"nm {hour}", "member", harmed=True))

    story.at(FRIDAY + DAY)

    assert story.standing.level == 1


def test_a_member_found_graver_by_a_correction_alarms_once() -> None:
    story = Story()
    story.ask(escalation.Acknowledge("m.okafor"))
    correction = escalation.Attach("nm-1", "member", harmed=True)

    assert [type(event).__name__ for event in story.ask(correction)] == ["ReAlarmed"]
    assert story.ask(correction) == []


def test_what_is_only_related_disturbs_nobody() -> None:
    story = Story()

    assert story.ask(escalation.Attach("nm-2", "related")) == [escalation.MemberAdded("nm-2", "related")]


def test_a_member_found_in_history_disturbs_nobody() -> None:
    story = Story(replace(crossing, historical=True))

    events = story.ask(escalation.Attach("nm-2", "member", harmed=True))

    assert events == [escalation.MemberAdded("nm-2", "member")]
    assert story.standing.deadlines == ()


# Another policy, another escalation, another time


def test_another_version_of_the_policy_is_climbed_from_its_foot() -> None:
    story = Story().at(FRIDAY + 5 * DAY)
    another = asked(("dpo",), review_due="P10D")

    story.ask(escalation.ReassignPolicy(2, another, "admin"))

    assert (story.standing.contacts, story.standing.level, story.standing.policy_version) == (("dpo",), 0, 2)
    assert story.standing.flags == ()
    assert story.standing.deadlines == (
        Deadline("ack_due", FRIDAY + 5 * DAY + HOUR, level=0),
        Deadline("review_due", FRIDAY + 10 * DAY),
    )
    assert story.ask(escalation.ReassignPolicy(2, another, "admin")) == []


def test_another_version_of_the_policy_takes_no_breach_back() -> None:
    story = Story().at(FRIDAY + 14 * DAY)

    story.ask(escalation.ReassignPolicy(2, asked(("dpo",), review_due="P60D"), "admin"))

    assert "overdue" in story.standing.flags
    assert Deadline("review_due", FRIDAY + 15 * DAY) in story.standing.deadlines


@pytest.mark.parametrize(
    ("into", "target"),
    [
        pytest.param("esc-1", Status.AWAITING_ACK, id="itself"),
        pytest.param("esc-2", Status.CLOSED, id="closed"),
        pytest.param("esc-2", Status.MERGED, id="merged"),
        pytest.param("esc-2", Status.MONITORING_OUTCOME, id="monitoring"),
        pytest.param("esc-2", Status.HISTORICAL, id="historical"),
    ],
)
def test_merging_into_what_is_not_open_is_refused(into: str, target: Status) -> None:
    refusal = Story().refused(escalation.Merge("esc-1", into, target, "m.okafor"))

    assert refusal.code == "merge-target-not-open"


def test_a_merged_escalation_consumes_its_members_asks_nobody_and_takes_nothing_more() -> None:
    story = Story()
    merging = escalation.Merge("esc-1", "esc-2", Status.UNDER_REVIEW, "m.okafor")

    assert story.ask(merging) == [escalation.Merged("esc-2", ("nm-1",), "m.okafor")]
    assert story.ask(merging) == []
    assert story.standing.deadlines == ()
    for command in (
        escalation.Acknowledge("m.okafor"),
        escalation.Reopen(),
        escalation.Merge("esc-1", "esc-3", Status.AWAITING_ACK, "m.okafor"),
    ):
        refusal = story.refused(command)
        assert (refusal.code, "esc-2" in refusal.detail) == ("escalation-not-open", True)


def test_what_is_closed_can_still_be_merged_into_a_later_episode() -> None:
    story = Story()
    story.ask(escalation.Close("no_action_needed"))

    events = story.ask(escalation.Merge("esc-1", "esc-2", Status.AWAITING_ACK, "m.okafor"))

    assert events == [escalation.Merged("esc-2", (), "m.okafor")]


def test_a_reopened_review_has_its_whole_time_again() -> None:
    story = Story().at(FRIDAY + 20 * DAY)
    story.ask(escalation.Close("no_action_needed"))
    story.at(FRIDAY + 60 * DAY)

    story.ask(escalation.Reopen())

    assert story.standing.flags == ()
    assert story.standing.deadlines == (
        Deadline("ack_due", FRIDAY + 61 * DAY, level=0),
        Deadline("review_due", FRIDAY + 74 * DAY),
    )


@pytest.mark.parametrize(
    "command",
    [
        escalation.Acknowledge("m.okafor"),
        escalation.HandOver("d.eputy", "m.okafor"),
        escalation.EscalateManually(0, "m.okafor"),
        escalation.Snooze(FRIDAY + DAY, "m.okafor"),
        escalation.ReassignPolicy(2, DEFAULT_TERMS, "m.okafor"),
    ],
    ids=lambda command: type(command).__name__,
)
def test_nobody_is_asked_for_what_is_closed(command: escalation.Command) -> None:
    story = Story()
    story.ask(escalation.Close("no_action_needed"))

    assert story.refused(command).code == "escalation-not-open"


# A contact that fails


def test_the_next_rung_is_asked_once_the_message_to_the_one_before_has_failed() -> None:
    story = Story(on(asked(("ward",), ("floor",))))

    events = story.ask(escalation.FailContact(0, 0, "whe_1", 3))

    assert events == [
        escalation.ContactFailed(0, "whe_1", 3),
        escalation.LevelEntered(1, 0, ("floor",), "escalated", FRIDAY + HOUR),
    ]
    assert story.ask(escalation.FailContact(0, 0, "whe_1", 4)) == []


def test_a_contact_that_fails_skips_the_rungs_that_name_nobody_and_ends_at_the_backstop() -> None:
    story = Story(on(asked(("ward",), ())))

    events = story.ask(escalation.FailContact(0, 0, "whe_1", 3))

    assert [type(event) for event in events] == [
        escalation.ContactFailed,
        escalation.StepSkipped,
        escalation.ChainExhausted,
    ]
    assert story.standing.contacts == ("board",)
    assert story.ask(escalation.FailContact(0, 0, "whe_1", 3)) == []


def test_a_contact_of_another_round_of_the_ladder_has_not_failed_in_this_one() -> None:
    story = Story(on(asked(("ward",), repeat=1)))

    story.at(FRIDAY + HOUR)

    assert (story.standing.level, story.standing.loop) == (0, 1)
    assert story.ask(escalation.FailContact(0, 0, "whe_1", 3)) == []


@pytest.mark.parametrize(
    "answer", [escalation.Acknowledge("manager"), escalation.Snooze(FRIDAY + HOUR, "manager"), escalation.Close("x")]
)
def test_nobody_above_is_disturbed_by_a_message_that_fails_once_somebody_has_seen_to_it(
    answer: escalation.Command,
) -> None:
    story = Story(on(asked(("ward",), ("floor",))))
    story.ask(answer)

    assert story.ask(escalation.FailContact(0, 0, "whe_1", 3)) == []
