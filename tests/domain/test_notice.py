"""Who is asked ten times by one command is told once, who is asked ten times by ten is told ten times; nobody never."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import reduce
from random import Random

from app.domain import escalation
from app.domain.action import ActionOverdue
from app.domain.chase import DetailsOverdue, WorkflowLinkOverdue
from app.domain.ladder import Reach
from app.domain.notice import Notice, coalesced, notices_of
from tests.domain import test_escalation_months as months
from tests.rounds import rounds

MONDAY = datetime(2026, 3, 2, 10, tzinfo=UTC)
DAY = timedelta(days=1)
EVERYBODY: Reach = {}
STREAM = "escalation/esc-1"

crossing = escalation.Raise("rule", 1, (), "[]", 1, "P14D", (escalation.Member("nm-1", "member"),), MONDAY)
raised = escalation.decide(crossing, escalation.UNRAISED, MONDAY)
standing = reduce(escalation.evolve, raised, escalation.UNRAISED)


def told_by(events: Sequence[object], stream: str = STREAM) -> list[Notice]:
    return notices_of([(stream, event) for event in events])


def test_a_ladder_climbed_late_in_one_run_gives_each_level_one_notice_and_the_backstop_one_instead_of_seven() -> None:
    _, events = escalation.run_due(standing, MONDAY + 10 * DAY, EVERYBODY)

    told = told_by(events)

    assert {one.to: one.events for one in told} == {"deputy": 1, "operations": 1, "leadership": 7}
    assert told[-1] == Notice(
        STREAM,
        "leadership",
        "chain_exhausted",
        ("chain_exhausted",),
        events=7,
        respond_by=MONDAY + 11 * DAY,
        scheduled_at=MONDAY + 10 * DAY,
        first_scheduled_at=MONDAY + 4 * DAY,
    )


def test_run_day_by_day_each_deadline_gives_a_notice_of_its_own() -> None:
    here, told = standing, list[Notice]()

    for day in range(1, 11):
        here, events = escalation.run_due(here, MONDAY + day * DAY, EVERYBODY)
        told += told_by(events)

    assert Counter(one.to for one in told) == {"deputy": 1, "operations": 1, "leadership": 7}
    assert {one.events for one in told} == {1}


def test_the_contact_of_level_0_is_told_that_it_was_opened() -> None:
    (told,) = told_by(raised)

    assert (told.to, told.why, told.level, told.respond_by) == ("manager", "opened", 0, MONDAY + DAY)
    assert told.scheduled_at is None


def test_a_notice_has_every_reason_once_in_order_and_what_is_asked_of_the_last() -> None:
    asked = escalation.LevelEntered(1, 0, ("deputy",), "escalated", MONDAY + 2 * DAY, scheduled_at=MONDAY + DAY)
    again = escalation.LevelEntered(2, 1, ("deputy",), "escalated", MONDAY + 4 * DAY, scheduled_at=MONDAY + 3 * DAY)
    grown = escalation.MemberAdded("nm-2", "member", notify=("deputy",), why="grew")

    (told,) = told_by([asked, grown, again])
    (ending_otherwise,) = told_by([asked, again, grown])

    assert told.whys == ending_otherwise.whys == ("escalated", "grew")
    assert (told.why, told.level, told.respond_by) == ("escalated", 2, MONDAY + 4 * DAY)
    assert (ending_otherwise.why, ending_otherwise.level, ending_otherwise.respond_by) == ("grew", None, None)
    assert (ending_otherwise.first_scheduled_at, ending_otherwise.scheduled_at) == (MONDAY + DAY, MONDAY + 3 * DAY)


def test_who_is_addressed_by_role_and_by_name_is_told_under_both() -> None:
    at = MONDAY + DAY
    twice = escalation.ReAlarmed("nm-2", ("manager", "staff/t-1", "manager"), at)

    told = told_by([twice, escalation.AckReminded(("staff/t-1",), at)])

    assert [(one.to, one.events) for one in told] == [("manager", 1), ("staff/t-1", 2)]


def test_each_stream_has_notices_of_its_own() -> None:
    at = MONDAY + DAY
    events = [
        ("near_miss/nm-1", DetailsOverdue(1, ("manager",), at, MONDAY, 0)),
        ("near_miss/nm-1", WorkflowLinkOverdue(1, ("manager",), at, MONDAY, 0)),
        ("action/act-1", ActionOverdue(1, ("manager",), at, MONDAY, 0)),
    ]

    told = notices_of(events)

    assert [(one.subject, one.whys) for one in told] == [
        ("near_miss/nm-1", ("details_due", "workflow_link_due")),
        ("action/act-1", ("action_overdue",)),
    ]


def test_what_tells_nobody_makes_no_notice() -> None:
    assert told_by([escalation.SupportLost(), escalation.MemberAdded("nm-2", "related"), object()]) == []


def test_in_any_month_whoever_an_event_names_is_told_by_its_command_once_wherever_that_is_cut() -> None:
    for seed in range(rounds(1000)):
        random = Random(seed)
        for events in commands_of_a_month(random):
            told = told_by(events)

            named = [name for event in events for name in getattr(event, "notify", ())]
            assert [one.to for one in told] == list(dict.fromkeys(named)), f"the month of seed {seed}"
            assert sum(one.events for one in told) == len(named)
            cut = random.randrange(len(events) + 1)
            assert told == together(told_by(events[:cut]), told_by(events[cut:]))


def together(earlier: list[Notice], later: list[Notice]) -> list[Notice]:
    made = {one.to: one for one in earlier}
    for one in later:
        made[one.to] = coalesced(made[one.to], one) if one.to in made else one
    return list(made.values())


def commands_of_a_month(random: Random) -> list[list[escalation.Event]]:
    """The events of each command and each run of the timers in a month of `test_escalation_months`."""
    reach: Reach = {role: random.choice([(), ("t-1",)]) for role in months.ROLES}
    commands = [escalation.decide(months.crossing(random, reach), escalation.UNRAISED, months.BEGIN)]
    here = months.after(commands[0])
    for minute in sorted(random.choices(range(months.MINUTES), k=random.randrange(1, 25))):
        now = months.BEGIN + timedelta(minutes=minute)
        here, due = escalation.run_due(here, now, reach, months.EVER)
        events = months.answer(months.asked(random, here, now, reach), here, now)
        here = reduce(escalation.evolve, events, here)
        commands += [due, events]
    return commands
