"""An outcome: planned once, assessed once, put off while an action is open, told again only when a number changed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.outcome import (
    UNPLANNED,
    Arm,
    Assessed,
    Check,
    Command,
    Event,
    Finding,
    Harm,
    Outcome,
    Plan,
    PutOff,
    Reassess,
    Reporting,
    Schedule,
    Scheduled,
    decide,
    evolve,
    planned_spans,
)

FIRST = datetime(2026, 3, 2, 6, tzinfo=UTC)
CROSSED = FIRST + timedelta(hours=2)
EFFECTIVE = datetime(2026, 3, 10, tzinfo=UTC)
DUE = EFFECTIVE + timedelta(days=90)
AGAIN = EFFECTIVE + timedelta(days=365)
PLAN = Plan(
    review_id="rev_1",
    escalation_id="esc_1",
    rule_id="repeated",
    policy_version=1,
    key=(("service_id", "willow-house"),),
    key_text='["willow-house"]',
    action_ids=("act_1",),
    trigger=("nm_1", "nm_2", "nm_3"),
    **planned_spans(FIRST, CROSSED, EFFECTIVE),
)
FOUND = Finding(
    "fell", Arm(24, 180.0), Arm(3, 7.75), Arm(2, 90.0), "calendar_days", Reporting(12, 6, 1.0), Harm(0, 0), 40, "Fell."
)


def after(*events: Event) -> Outcome:
    state = UNPLANNED
    for event in events:
        state = evolve(state, event)
    return state


def told(plan: Plan) -> Scheduled:
    (event,) = decide(Schedule(plan), UNPLANNED, CROSSED)
    assert isinstance(event, Scheduled)
    return event


def found(finding: Finding, scheduled_at: datetime | None = DUE) -> Assessed:
    """The assessment that says what was found."""
    names = Finding.__dataclass_fields__
    return Assessed(
        **{name: getattr(finding, name) for name in names},
        action_ids=("act_1",),
        scheduled_at=scheduled_at,
        follow_up_to=DUE,
        next_look=None if finding.verdict in ("fell", "rose") else AGAIN,
    )


SCHEDULED = told(PLAN)


@pytest.mark.parametrize(
    ("effective", "begins"),
    [(EFFECTIVE, EFFECTIVE), (FIRST - timedelta(days=30), CROSSED), (CROSSED, CROSSED)],
    ids=["later", "said to work before the pattern was there", "at once"],
)
def test_the_arms_leave_the_trigger_window_out(effective: datetime, begins: datetime) -> None:
    spans = planned_spans(FIRST, CROSSED, effective)

    assert spans["baseline_to"] - spans["baseline_from"] == timedelta(days=180)
    assert (spans["baseline_to"], spans["follow_up_from"]) == (FIRST, begins)
    assert spans["due_at"] == spans["follow_up_to"] == begins + timedelta(days=90)


def test_what_is_planned_is_planned_once() -> None:
    planned = after(SCHEDULED)

    assert decide(Schedule(PLAN), planned, DUE) == []
    assert (planned.status, planned.due_at) == ("follow_up", DUE)


def test_another_action_moves_the_follow_up() -> None:
    later = replace(PLAN, action_ids=("act_1", "act_2"), follow_up_to=DUE + timedelta(days=5), due_at=DUE)

    state = after(SCHEDULED, found(FOUND), told(later))

    assert (state.status, len(state.assessments)) == ("follow_up", 1)


@pytest.mark.parametrize(
    ("now", "open_actions", "finding", "events"),
    [
        (DUE, (), FOUND, [found(FOUND)]),
        (DUE + timedelta(days=3), (), FOUND, [found(FOUND)]),
        (DUE - timedelta(microseconds=1), (), FOUND, []),
        (DUE, (), None, []),
        (DUE, ("act_2",), None, [PutOff(("act_2",), DUE)]),
    ],
    ids=["due", "late", "early", "not known yet", "an action is open"],
)
def test_a_timer_only_asks(
    now: datetime, open_actions: tuple[str, ...], finding: Finding | None, events: list[Event]
) -> None:
    assert decide(Check(finding, open_actions), after(SCHEDULED), now) == events


def test_what_was_put_off_is_planned_again_as_it_was() -> None:
    put_off = after(SCHEDULED, PutOff(("act_2",), DUE))

    assert (put_off.due_at, put_off.status) == (None, "follow_up")
    assert decide(Schedule(PLAN), put_off, DUE) == [SCHEDULED]
    assert after(SCHEDULED, PutOff(("act_2",), DUE), SCHEDULED).due_at == DUE


def test_what_was_put_off_when_it_was_looked_at_once_more_is_not_told_a_second_time() -> None:
    """The other action was cancelled: nothing of the plan has changed, and the second look is what is due."""
    nothing_shown = found(replace(FOUND, verdict="not_shown"))

    state = after(SCHEDULED, nothing_shown, PutOff(("act_2",), AGAIN), SCHEDULED)

    assert (state.due_at, state.status, state.assessments) == (AGAIN, "assessed", (nothing_shown,))
    (second,) = decide(Check(FOUND), state, AGAIN + timedelta(days=5))
    assert isinstance(second, Assessed)
    assert (second.follow_up_to, second.scheduled_at, second.next_look) == (AGAIN, AGAIN, None)


@pytest.mark.parametrize(
    ("finding", "now", "is_told"),
    [
        (replace(FOUND, as_of_sequence=99, says="Fell, said otherwise."), DUE, False),
        (replace(FOUND, after=Arm(3, 90.0)), DUE, True),
        (replace(FOUND, reporting=Reporting(12, 7, 0.9)), DUE, True),
        (replace(FOUND, verdict="not_shown"), DUE + timedelta(days=365), True),
        (replace(FOUND, verdict="not_shown"), DUE + timedelta(days=365, microseconds=1), False),
    ],
    ids=["no number", "a number", "a number beside it", "after a year", "after more than a year"],
)
def test_what_comes_late_is_told_when_it_changes_a_number(finding: Finding, now: datetime, is_told: bool) -> None:
    assessed = after(SCHEDULED, found(FOUND))

    events = decide(Reassess(finding), assessed, now)

    assert events == ([found(finding, None)] if is_told else [])


@pytest.mark.parametrize("verdict", ["not_shown", "too_little_data", "reporting_fell"])
def test_what_shows_nothing_after_ninety_days_is_looked_at_once_more_after_a_year(verdict: Any) -> None:
    finding = replace(FOUND, verdict=verdict)

    first = after(SCHEDULED, *decide(Check(finding), after(SCHEDULED), DUE))

    assert (first.status, first.due_at) == ("assessed", AGAIN)
    assert first.counted == SCHEDULED
    assert first.next == replace(SCHEDULED, follow_up_to=AGAIN)
    assert decide(Check(finding), first, AGAIN - timedelta(microseconds=1)) == []
    (second,) = decide(Check(finding), first, AGAIN)
    last = evolve(first, second)
    assert (last.status, last.due_at, last.counted) == ("assessed", None, replace(SCHEDULED, follow_up_to=AGAIN))
    assert len(last.assessments) == 2


@pytest.mark.parametrize("verdict", ["fell", "rose"])
def test_what_is_shown_is_not_looked_at_until_something_else_is_found(verdict: Any) -> None:
    (event,) = decide(Check(replace(FOUND, verdict=verdict)), after(SCHEDULED), DUE)

    assert after(SCHEDULED, event).due_at is None


def test_a_late_report_that_takes_a_verdict_back_has_it_looked_at_once_more() -> None:
    (taken_back,) = decide(Reassess(replace(FOUND, verdict="not_shown")), after(SCHEDULED, found(FOUND)), DUE)

    assert after(SCHEDULED, found(FOUND), taken_back).due_at == AGAIN


def test_a_late_report_that_shows_it_needs_no_second_look() -> None:
    unclear = after(SCHEDULED, found(replace(FOUND, verdict="not_shown")))

    (shown,) = decide(Reassess(FOUND), unclear, DUE)

    assert evolve(unclear, shown).due_at is None


def test_nothing_is_looked_at_again_before_it_was_assessed() -> None:
    assert decide(Reassess(FOUND), after(SCHEDULED), DUE) == []
    assert decide(Reassess(FOUND), UNPLANNED, DUE) == []


@given(st.lists(st.sampled_from([Schedule(PLAN), Check(FOUND), Check(None, ("act_2",)), Reassess(FOUND)])))
def test_asking_twice_changes_nothing_and_replay_equals_live(commands: list[Command]) -> None:
    state, events = UNPLANNED, list[Event]()
    for command in commands:
        decided = decide(command, state, DUE)
        for event in decided:
            state = evolve(state, event)
        assert decide(command, state, DUE) == []
        events += decided

    assert after(*events) == state
