"""What a near miss owes is asked for at its scheduled instants, by somebody higher each time, until it is there."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain import chase, near_miss
from app.domain.chase import Chase, DetailsOverdue
from app.domain.near_miss import (
    UNRECORDED,
    Closed,
    Corrected,
    DetailsCompleted,
    Event,
    LevelAboveNeeded,
    Linked,
    MarkedDuplicate,
    NearMiss,
    Recorded,
    Reopened,
    Revise,
    Withdrawn,
)
from app.domain.report import Check, Report, WorkflowLink
from app.domain.sealed import SealedText

MONDAY = datetime(2026, 3, 2, 10, tzinfo=UTC)
DAY = timedelta(days=1)
WORDS = SealedText("sealed", "key")
CHECK = Check(MONDAY, 1, ())
REPORT = Report("2026-03-02T09:00:00Z", "medication", "near_miss", "UTC", service_id="willow-house")
LINK = WorkflowLink("administer", "handover", "eMAR", WORDS, WORDS)
UNKNOWN = replace(LINK, stage_allowed="unknown")

link_owed = Recorded(REPORT, CHECK, 1, workflow_link_due_at=MONDAY + 7 * DAY, workflow_link_due="P7D")
both_owed = replace(link_owed, awaiting=("staff_involved",), details_due_at=MONDAY + 3 * DAY, details_due="P3D")
completed = DetailsCompleted(("staff_involved",), REPORT, CHECK, 1)
linked = Linked(LINK, CHECK)


def after(*events: Event) -> NearMiss:
    return reduce(near_miss.evolve, events, UNRECORDED)


def owed(*events: Event) -> list[tuple[str, datetime]]:
    return [(one.kind, one.due_at) for one in after(*events).owed]


def told(state: NearMiss, now: datetime, reach: chase.Reach | None = None) -> list[tuple[str, timedelta, str]]:
    """What is told by an instant: why, how long after it was recorded, and whom."""
    events = chase.run_due(state.owed, now, reach or {})
    return [(event.why, event.scheduled_at - MONDAY, *event.notify) for event in events]


@pytest.mark.parametrize(
    ("events", "kinds"),
    [
        ((both_owed,), ["details_due", "workflow_link_due"]),
        ((both_owed, completed), ["workflow_link_due"]),
        ((both_owed, Corrected(WORDS, ("staff_involved",), REPORT, CHECK, 1)), ["workflow_link_due"]),
        ((both_owed, linked), ["details_due"]),
        ((both_owed, completed, linked), []),
        ((link_owed,), ["workflow_link_due"]),
        ((link_owed, Linked(UNKNOWN, CHECK)), ["workflow_link_due"]),
        ((replace(link_owed, workflow_link=UNKNOWN),), ["workflow_link_due"]),
        ((replace(link_owed, workflow_link=LINK),), []),
        ((both_owed, Withdrawn(WORDS, CHECK)), []),
        ((both_owed, MarkedDuplicate(WORDS, "nm_master", CHECK)), []),
        ((both_owed, Closed(review_id="rev_1")), []),
        ((Recorded(REPORT, CHECK, 1, awaiting=("staff_involved",)),), []),
    ],
    ids=lambda value: "",
)
def test_what_is_not_there_is_owed_until_it_is_there_or_nobody_needs_it(
    events: tuple[Event, ...], kinds: list[str]
) -> None:
    assert [kind for kind, _ in owed(*events)] == kinds


def test_a_link_that_is_late_climbs_from_the_manager_to_the_backstop_and_is_never_dropped() -> None:
    state = after(link_owed)

    assert told(state, MONDAY + 42 * DAY) == [
        ("workflow_link_due", 7 * DAY, "manager"),
        ("workflow_link_due", 14 * DAY, "deputy"),
        ("workflow_link_due", 21 * DAY, "operations"),
        ("workflow_link_due", 28 * DAY, "leadership"),
        ("workflow_link_due", 35 * DAY, "leadership"),
        ("workflow_link_due", 42 * DAY, "leadership"),
    ]


def test_details_and_link_climb_each_for_itself_and_of_one_instant_the_details_come_first() -> None:
    link_first = replace(both_owed, workflow_link_due_at=MONDAY + 2 * DAY, workflow_link_due="P1D")

    assert told(after(link_first), MONDAY + 3 * DAY) == [
        ("workflow_link_due", 2 * DAY, "manager"),
        ("details_due", 3 * DAY, "manager"),
        ("workflow_link_due", 3 * DAY, "deputy"),
    ]


def test_a_breach_says_all_that_it_knows() -> None:
    (event,) = chase.run_due(after(both_owed).owed, MONDAY + 3 * DAY, {"manager": ()})

    assert event == DetailsOverdue(1, ("manager",), MONDAY + 6 * DAY, MONDAY + 3 * DAY, 0, nobody_reachable=True)


@given(st.lists(st.integers(0, 30), max_size=12))
def test_early_late_or_twice_the_same_is_told_of_the_same_instants(days: list[int]) -> None:
    state, events = after(both_owed), list[chase.Event]()
    for day in [*sorted(days), 30]:
        due = chase.run_due(state.owed, MONDAY + day * DAY, {})
        assert chase.run_due(reduce(near_miss.evolve, due, state).owed, MONDAY + day * DAY, {}) == []
        state, events = reduce(near_miss.evolve, due, state), [*events, *due]

    assert events == chase.run_due(after(both_owed).owed, MONDAY + 30 * DAY, {})
    assert state == after(both_owed, *events)
    assert all(one.due_at > MONDAY + 30 * DAY for one in state.owed)


def test_one_run_makes_no_more_than_it_is_let_and_the_next_goes_on() -> None:
    some = chase.run_due(after(link_owed).owed, MONDAY + 70 * DAY, {}, most=4)
    rest = chase.run_due(after(link_owed, *some).owed, MONDAY + 70 * DAY, {}, most=40)

    assert [event.times for event in (*some, *rest)] == list(range(1, 11))


def test_months_are_those_of_the_records_zone() -> None:
    report = replace(REPORT, zone="Europe/London")
    monthly = replace(link_owed, report=report, workflow_link_due="P1M", workflow_link_due_at=MONDAY)

    (event,) = chase.run_due(after(monthly).owed, MONDAY, {})

    assert event.respond_by == datetime(2026, 4, 2, 9, tzinfo=UTC)  # Ten o'clock in London, which is on summer time.


@pytest.mark.parametrize(
    ("told_up_to", "first"), [(None, "manager"), (0, "deputy"), (1, "operations"), (3, "leadership"), (9, "leadership")]
)
def test_the_chase_of_what_the_service_recorded_begins_above_who_knows_already(
    told_up_to: int | None, first: str
) -> None:
    """S20."""
    state = after(replace(link_owed, told_up_to=told_up_to))

    assert told(state, MONDAY + 7 * DAY) == [("workflow_link_due", 7 * DAY, first)]


def test_a_link_that_is_taken_back_is_owed_from_then_on() -> None:
    unmade = Linked(UNKNOWN, replace(CHECK, checked_at=MONDAY + 60 * DAY))

    assert owed(link_owed, linked, unmade) == [("workflow_link_due", MONDAY + 67 * DAY)]


def test_a_link_that_is_unknown_again_keeps_its_deadline() -> None:
    again = Linked(UNKNOWN, replace(CHECK, checked_at=MONDAY + 6 * DAY))

    assert owed(link_owed, Linked(UNKNOWN, CHECK), again) == [("workflow_link_due", MONDAY + 7 * DAY)]


def test_what_is_reopened_has_its_whole_time_again() -> None:
    late = chase.run_due(after(both_owed, linked).owed, MONDAY + 3 * DAY, {})
    reopened = Reopened("rev_1", MONDAY + 60 * DAY)

    state = after(both_owed, linked, *late, Closed(review_id="rev_1"), reopened)

    assert state.owed == (Chase("details_due", MONDAY + 63 * DAY, "P3D", "UTC", told_up_to=0, times=0),)


def test_a_reopening_that_does_not_say_when_leaves_the_deadline() -> None:
    assert owed(link_owed, Closed(review_id="rev_1"), Reopened("rev_1")) == [("workflow_link_due", MONDAY + 7 * DAY)]


def test_who_owned_what_was_breached_does_not_say_what_allowed_it() -> None:
    """S20."""
    own = after(replace(link_owed, breached_by="staff/kemi"))

    with pytest.raises(LevelAboveNeeded):
        near_miss.decide(Revise(linked, "staff/kemi"), own, MONDAY)

    assert near_miss.decide(Revise(linked, "staff/above"), own, MONDAY) == [linked]
    assert near_miss.decide(Revise(linked, "staff/kemi"), after(link_owed), MONDAY) == [linked]
