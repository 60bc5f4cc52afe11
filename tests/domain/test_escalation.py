"""An escalation stays open until a person has finished with it, and its closing consumes its members."""

from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain import escalation
from app.domain.decider import NotFound, Refused
from app.domain.escalation import Escalation, Member, Status
from app.domain.ladder import DEFAULT_TERMS, Rung, Terms

WEDNESDAY = datetime(2026, 3, 4, 9, tzinfo=UTC)
THURSDAY = WEDNESDAY + timedelta(days=1)
IN_TWO_WEEKS = WEDNESDAY + timedelta(days=14)

raised = escalation.Raised(
    rule_id="service-type-deviation",
    policy_version=1,
    key=(("service_id", "elm"), ("incident_type", "medication"), ("deviation", "late")),
    key_text='["elm","medication","late"]',
    threshold=3,
    window="P14D",
    service_id="elm",
    members=(Member("nm-1", "member"), Member("nm-2", "member"), Member("nm-3", "member")),
    crossed_at=WEDNESDAY,
    review_id="rev-1",
    terms=DEFAULT_TERMS,
    raised_at=WEDNESDAY,
    review_due_at=IN_TWO_WEEKS,
    notify=("manager",),
    respond_by=THURSDAY,
)
NOBODY_NAMED = Terms((Rung((), "P1D"),))

crossing = escalation.Raise(**{fact.name: getattr(raised, fact.name) for fact in fields(escalation.Crossing)})
found_in_history = replace(crossing, review_id=None, historical=True, terms=None)
[of_history] = escalation.decide(found_in_history, escalation.UNRAISED, WEDNESDAY)

acknowledged = escalation.Acknowledged("m.okafor")
review_begun = escalation.ReviewBegun("m.okafor")
action_agreed = escalation.ActionAgreed("act-1")
monitoring = escalation.MonitoringBegun("action_agreed", ("nm-1", "nm-2", "nm-3"))
closed = escalation.Closed("no_action_needed", ("nm-1", "nm-2", "nm-3"))
closed_after_monitoring = escalation.Closed("action_agreed", ())
reopened = escalation.Reopened(WEDNESDAY, IN_TWO_WEEKS)
asked_anew = escalation.LevelEntered(0, 0, ("manager",), "reopened", THURSDAY)


def after(*events: escalation.Event) -> Escalation:
    return reduce(escalation.evolve, events, escalation.UNRAISED)


def grown_by(near_miss_id: str, formerly: escalation.Standing | None = None) -> escalation.MemberAdded:
    return escalation.MemberAdded(near_miss_id, "member", formerly, ("manager",), "grew")


def decide(command: escalation.Command, standing: Escalation) -> list[escalation.Event]:
    return escalation.decide(command, standing, WEDNESDAY)


def test_a_crossing_is_raised_with_everything_that_is_known_of_it() -> None:
    assert decide(crossing, escalation.UNRAISED) == [raised]


def test_a_crossing_that_is_raised_already_is_not_raised_again() -> None:
    assert decide(crossing, after(raised)) == []


@pytest.mark.parametrize(
    ("events", "status"),
    [
        pytest.param((raised,), "awaiting_ack", id="raised"),
        pytest.param((raised, acknowledged), "acknowledged", id="acknowledged"),
        pytest.param((raised, acknowledged, review_begun), "under_review", id="review begun"),
        pytest.param((raised, acknowledged, review_begun, action_agreed), "action_agreed", id="action agreed"),
        pytest.param((raised, action_agreed), "awaiting_ack", id="an action that nobody took the escalation on for"),
        pytest.param((raised, acknowledged, monitoring), "monitoring_outcome", id="monitoring"),
        pytest.param((raised, monitoring, closed_after_monitoring), "closed", id="monitored to the end"),
        pytest.param((raised, acknowledged, closed), "closed", id="closed"),
        pytest.param((raised, acknowledged, closed, reopened), "awaiting_ack", id="reopened"),
        pytest.param((raised, closed, reopened, acknowledged), "under_review", id="reopened and acknowledged"),
        pytest.param(
            (raised, acknowledged, action_agreed, monitoring, reopened, acknowledged),
            "under_review",
            id="reopened with actions agreed before",
        ),
        pytest.param((of_history,), "historical", id="historical"),
    ],
)
def test_the_status_is_told_from_its_own_events(events: tuple[escalation.Event, ...], status: str) -> None:
    assert after(*events).status == status


def test_whoever_acknowledges_first_takes_it_on() -> None:
    assert decide(escalation.Acknowledge("m.okafor"), after(raised)) == [acknowledged]


def test_acknowledging_twice_is_no_error() -> None:
    assert decide(escalation.Acknowledge("m.okafor"), after(raised, acknowledged)) == []


def test_a_second_person_acknowledges_besides_the_first() -> None:
    standing = after(raised, acknowledged)

    events = decide(escalation.Acknowledge("d.eputy"), standing)

    assert events == [escalation.AdditionallyAcknowledged("d.eputy")]


def test_starting_the_review_acknowledges() -> None:
    assert decide(escalation.BeginReview("m.okafor"), after(raised)) == [acknowledged, review_begun]


def test_starting_the_review_of_what_is_acknowledged_only_begins_the_review() -> None:
    standing = after(raised, acknowledged)

    assert decide(escalation.BeginReview("d.eputy"), standing) == [escalation.ReviewBegun("d.eputy")]


@pytest.mark.parametrize(
    ("before", "attach", "events"),
    [
        pytest.param((), ("nm-4", "member"), [grown_by("nm-4")], id="new member"),
        pytest.param((), ("nm-4", "related"), [escalation.MemberAdded("nm-4", "related")], id="new related"),
        pytest.param((), ("nm-1", "member"), [], id="member already"),
        pytest.param((), ("nm-1", "related"), [], id="a member is not made less"),
        pytest.param(
            (escalation.MemberAdded("nm-4", "related"),),
            ("nm-4", "member"),
            [grown_by("nm-4", "related")],
            id="promoted",
        ),
        pytest.param((escalation.MemberAdded("nm-4", "related"),), ("nm-4", "related"), [], id="related already"),
        pytest.param(
            (escalation.MemberWithdrawn("nm-1"),),
            ("nm-1", "member"),
            [grown_by("nm-1", "withdrawn")],
            id="back again",
        ),
    ],
)
def test_a_similar_report_attaches_once_as_what_it_is(
    before: tuple[escalation.Event, ...], attach: tuple[str, escalation.MemberKind], events: list[escalation.Event]
) -> None:
    standing = after(raised, *before)

    assert decide(escalation.Attach(*attach), standing) == events


def test_a_member_that_leaves_every_window_becomes_related() -> None:
    standing = after(raised)

    events = decide(escalation.Demote("nm-2"), standing)

    assert events == [escalation.MemberDemoted("nm-2")]
    assert after(raised, *events).members == {"nm-1": "member", "nm-2": "related", "nm-3": "member"}


def test_what_is_no_member_is_not_demoted() -> None:
    assert decide(escalation.Demote("nm-9"), after(raised)) == []


@pytest.mark.parametrize("rest", [(), (closed,), (monitoring,)], ids=["open", "closed", "monitoring"])
def test_a_withdrawn_member_is_told_so_even_after_closing(rest: tuple[escalation.Event, ...]) -> None:
    standing = after(raised, *rest)

    events = decide(escalation.WithdrawMember("nm-2"), standing)

    assert events == [escalation.MemberWithdrawn("nm-2")]
    assert after(raised, *rest, *events).status is standing.status


def test_what_does_not_belong_is_not_withdrawn() -> None:
    assert decide(escalation.WithdrawMember("nm-9"), after(raised)) == []


def test_lost_support_flags_and_never_closes() -> None:
    standing = after(raised, acknowledged)

    events = decide(escalation.LoseSupport(), standing)

    flagged = after(raised, acknowledged, *events)
    assert flagged.flags == ("support_below_threshold",)
    assert flagged.status is Status.ACKNOWLEDGED


def test_regained_support_takes_the_flag_away() -> None:
    standing = after(raised, escalation.SupportLost())

    events = decide(escalation.RegainSupport(), standing)

    assert events == [escalation.SupportRegained()]
    assert after(raised, escalation.SupportLost(), *events).flags == ()


def test_support_that_was_never_lost_is_not_regained() -> None:
    assert decide(escalation.RegainSupport(), after(raised)) == []


def test_closing_consumes_the_members_and_leaves_related_and_withdrawn_ones() -> None:
    standing = after(raised, escalation.MemberAdded("nm-4", "related"), escalation.MemberWithdrawn("nm-2"))

    events = decide(escalation.Close("no_action_needed"), standing)

    assert events == [escalation.Closed("no_action_needed", ("nm-1", "nm-3"))]


@pytest.mark.parametrize(
    ("level", "contact"),
    [
        (0, escalation.DismissedAgain(2, ("deputy",), 1)),
        (1, escalation.DismissedAgain(2, ("operations",), 2, nobody_reachable=True)),
        (2, escalation.DismissedAgain(2, ("leadership",))),
    ],
)
def test_what_is_dismissed_again_is_known_to_the_rung_above(level: int, contact: escalation.DismissedAgain) -> None:
    """S4."""
    standing = replace(after(raised, acknowledged), level=level)
    reach = {"deputy": ("staff/1",), "operations": (), "leadership": ("staff/2",)}

    closing = decide(escalation.Close("not_a_pattern", 1, reach), standing)
    to_be_watched = decide(escalation.BeginMonitoring("duplicate", 1, reach), standing)

    assert closing == [contact, escalation.Closed("not_a_pattern", ("nm-1", "nm-2", "nm-3"))]
    assert to_be_watched == [contact, escalation.MonitoringBegun("duplicate", ("nm-1", "nm-2", "nm-3"))]
    assert escalation.evolve(standing, contact) == standing


def test_closing_with_open_actions_monitors_the_outcome_and_consumes_the_members() -> None:
    standing = after(raised, acknowledged, review_begun, action_agreed)

    assert decide(escalation.BeginMonitoring("action_agreed"), standing) == [monitoring]


def test_the_last_action_ends_the_monitoring_and_consumes_nothing_again() -> None:
    standing = after(raised, acknowledged, monitoring)

    assert decide(escalation.EndMonitoring(), standing) == [closed_after_monitoring]


@pytest.mark.parametrize(
    "rest", [(), (closed,), (monitoring, reopened)], ids=["never monitored", "closed", "reopened since"]
)
def test_the_last_action_ends_nothing_where_no_outcome_is_monitored(rest: tuple[escalation.Event, ...]) -> None:
    assert decide(escalation.EndMonitoring(), after(raised, *rest)) == []


@pytest.mark.parametrize(
    ("rest", "command"),
    [
        pytest.param((closed,), escalation.Close("no_action_needed"), id="closed"),
        pytest.param((monitoring,), escalation.BeginMonitoring("action_agreed"), id="monitoring"),
    ],
)
def test_closing_twice_makes_no_second_event(rest: tuple[escalation.Event, ...], command: escalation.Command) -> None:
    assert decide(command, after(raised, *rest)) == []


@pytest.mark.parametrize("rest", [closed, monitoring], ids=["closed", "monitoring"])
@pytest.mark.parametrize(
    "command",
    [
        escalation.Attach("nm-4", "member"),
        escalation.Demote("nm-1"),
        escalation.LoseSupport(),
        escalation.RegainSupport(),
        escalation.Acknowledge("m.okafor"),
        escalation.BeginReview("m.okafor"),
        escalation.AgreeAction("act-2"),
        escalation.BeginMonitoring("duplicate"),
        escalation.Close("duplicate"),
    ],
    ids=lambda command: type(command).__name__,
)
def test_what_is_not_open_is_neither_acknowledged_nor_grown_nor_closed(
    command: escalation.Command, rest: escalation.Event
) -> None:
    standing = after(raised, acknowledged, rest)

    with pytest.raises(escalation.NotOpen) as refusal:
        decide(command, standing)

    assert refusal.value.code == "escalation-not-open"
    assert "reopen" in refusal.value.detail


@pytest.mark.parametrize("rest", [closed, monitoring], ids=["closed", "monitoring"])
def test_reopening_starts_over_at_level_zero_with_its_own_members(rest: escalation.Event) -> None:
    standing = replace(after(raised, acknowledged, review_begun, rest), level=2)

    events = decide(escalation.Reopen(), standing)

    assert events == [reopened, asked_anew]
    again = reduce(escalation.evolve, events, standing)
    assert (again.status, again.level) == (Status.AWAITING_ACK, 0)
    assert again.members == standing.members
    assert decide(escalation.Reopen(), again) == []


def test_a_crossing_found_in_history_is_never_open() -> None:
    standing = after(of_history)

    for command in (escalation.Acknowledge("m.okafor"), escalation.Close("duplicate"), escalation.Reopen()):
        with pytest.raises(escalation.NotOpen, match="historical"):
            decide(command, standing)


def test_a_crossing_found_in_history_still_takes_members() -> None:
    standing = after(of_history)

    assert decide(escalation.Attach("nm-4", "member"), standing) == [escalation.MemberAdded("nm-4", "member")]


@pytest.mark.parametrize(
    "command",
    [
        escalation.Attach("nm-4", "member"),
        escalation.WithdrawMember("nm-1"),
        escalation.Acknowledge("m.okafor"),
        escalation.Close("duplicate"),
        escalation.EndMonitoring(),
        escalation.Reopen(),
    ],
    ids=lambda command: type(command).__name__,
)
def test_an_escalation_that_was_never_raised_is_not_found(command: escalation.Command) -> None:
    with pytest.raises(NotFound):
        decide(command, escalation.UNRAISED)


near_misses = st.sampled_from(["nm-1", "nm-2", "nm-4"])
actors = st.sampled_from(["m.okafor", "d.eputy"])
codes = st.sampled_from(["action_agreed", "duplicate"])
asked_for: dict[type, st.SearchStrategy[escalation.Command]] = {
    escalation.Raise: st.just(crossing),
    escalation.Attach: st.builds(escalation.Attach, near_misses, st.sampled_from(["member", "related"])),
    escalation.Demote: st.builds(escalation.Demote, near_misses),
    escalation.WithdrawMember: st.builds(escalation.WithdrawMember, near_misses),
    escalation.LoseSupport: st.just(escalation.LoseSupport()),
    escalation.RegainSupport: st.just(escalation.RegainSupport()),
    escalation.Acknowledge: st.builds(escalation.Acknowledge, actors),
    escalation.HandOver: st.builds(escalation.HandOver, st.sampled_from(["", "manager", "d.eputy"]), actors),
    escalation.EscalateManually: st.builds(escalation.EscalateManually, st.integers(0, 3), actors),
    escalation.FailContact: st.builds(
        escalation.FailContact, st.integers(0, 3), st.integers(0, 1), st.just("whe-1"), st.integers(1, 3)
    ),
    escalation.Snooze: st.builds(escalation.Snooze, st.sampled_from([WEDNESDAY, THURSDAY, IN_TWO_WEEKS]), actors),
    escalation.Merge: st.builds(
        escalation.Merge, st.just("esc-1"), st.sampled_from(["esc-1", "esc-2"]), st.sampled_from(Status), actors
    ),
    escalation.ReassignPolicy: st.builds(
        escalation.ReassignPolicy, st.integers(1, 2), st.sampled_from([DEFAULT_TERMS, NOBODY_NAMED]), actors
    ),
    escalation.BeginReview: st.builds(escalation.BeginReview, actors),
    escalation.AgreeAction: st.builds(escalation.AgreeAction, st.sampled_from(["act-1", "act-2"])),
    escalation.BeginMonitoring: st.builds(escalation.BeginMonitoring, codes),
    escalation.EndMonitoring: st.just(escalation.EndMonitoring()),
    escalation.Close: st.builds(escalation.Close, codes),
    escalation.Reopen: st.just(escalation.Reopen()),
    escalation.Tick: st.builds(escalation.Tick, st.just("ack_due"), st.sampled_from([WEDNESDAY, THURSDAY])),
}
commands = st.one_of(*asked_for.values())
openings = st.sampled_from(
    [(), (raised,), (of_history,), (raised, acknowledged, closed), (raised, acknowledged, monitoring)]
)
endings = (escalation.Close, escalation.BeginMonitoring, escalation.Merge)


def answer(command: escalation.Command, standing: Escalation) -> list[escalation.Event]:
    try:
        return decide(command, standing)
    except Refused:
        return []


def from_disk(event: escalation.Event) -> escalation.Event:
    return msgspec.json.decode(msgspec.json.encode(event), type=type(event))


@given(openings, st.lists(commands, max_size=15))
def test_asking_twice_changes_nothing(before: Sequence[escalation.Event], asked: list[escalation.Command]) -> None:
    standing = after(*before)

    for command in asked:
        standing = reduce(escalation.evolve, answer(command, standing), standing)

        assert answer(command, standing) == []


@given(openings, st.lists(commands, max_size=15))
def test_a_replay_from_disk_equals_the_live_escalation(
    before: Sequence[escalation.Event], asked: list[escalation.Command]
) -> None:
    live, log = after(*before), list(before)

    for command in asked:
        events = answer(command, live)
        live, log = reduce(escalation.evolve, events, live), [*log, *events]

    assert after(*map(from_disk, log)) == live


@given(openings, st.lists(commands, max_size=15))
def test_nothing_opens_again_or_closes_unless_it_is_asked_for(
    before: Sequence[escalation.Event], asked: list[escalation.Command]
) -> None:
    standing = after(*before)

    for command in asked:
        was, standing = standing, reduce(escalation.evolve, answer(command, standing), standing)

        if was.status in escalation.OPEN:
            assert standing.status in escalation.OPEN or isinstance(command, endings)
        elif was.status is not Status.UNRAISED:
            assert standing.status not in escalation.OPEN or isinstance(command, escalation.Reopen)


@given(st.lists(commands, max_size=15))
def test_history_never_opens(asked: list[escalation.Command]) -> None:
    standing = after(of_history)

    for command in asked:
        standing = reduce(escalation.evolve, answer(command, standing), standing)

    assert standing.status is Status.HISTORICAL


def test_the_properties_ask_every_command() -> None:
    assert set(asked_for) == set(get_args(escalation.Command))
