"""An agreed action names its owner and its due date; one that is overdue climbs until a person ends it."""

from datetime import UTC, datetime, timedelta
from functools import reduce

import msgspec
import pytest

from app.domain import action
from app.domain.decider import NotFound, Refused
from app.domain.ladder import DEFAULT_TERMS
from app.domain.sealed import Reference, SealedText

MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)
OWNER = Reference(sealed="b3duZXI=", key="k-owner", token="t-owner")
DESCRIPTION = SealedText(sealed="dHdvIG9uIGEgcm91bmQ=", key="k-action")
DUE = datetime(2026, 3, 31, 23, tzinfo=UTC)

agree = action.Agree("rev-1", DESCRIPTION, OWNER, due="2026-04-01", due_at=DUE)
agreed = action.Agreed("rev-1", DESCRIPTION, OWNER, due="2026-04-01", due_at=DUE)

NOTE = SealedText(sealed="aGFsZiBkb25l", key="k-action")
CHECKER = Reference(sealed="Y2hlY2tlcg==", key="k-checker", token="t-checker")
DAY = timedelta(days=1)

progressed = action.Progressed(NOTE, "m.okafor")
completed = action.Completed("2026-03-20", MONDAY, NOTE, "m.okafor")
cancelled = action.Cancelled(NOTE, "m.okafor")
checked = action.EffectivenessChecked("audit", NOTE, CHECKER, MONDAY)
progress = action.Progress(NOTE, "m.okafor")
complete = action.Complete("2026-03-20", MONDAY, NOTE, "m.okafor")
cancel = action.Cancel(NOTE, "m.okafor")
check = action.CheckEffectiveness("audit", NOTE, CHECKER, MONDAY)


def after(*events: action.Event) -> action.Action:
    return reduce(action.evolve, events, action.UNAGREED)


def test_an_action_is_agreed_with_its_owner_and_its_due_date_as_given() -> None:
    nothing = action.UNAGREED

    events = action.decide(agree, nothing, MONDAY)

    assert events == [agreed]


def test_what_was_due_before_it_was_agreed_is_asked_for_from_its_agreement_on() -> None:
    (late,) = action.decide(agree, action.UNAGREED, DUE + 90 * DAY)

    _, events = action.run_due(after(late), DUE + 91 * DAY, {})

    assert [event.scheduled_at for event in events] == [DUE + 90 * DAY, DUE + 91 * DAY]


def test_agreeing_an_action_twice_changes_nothing() -> None:
    standing = action.evolve(action.UNAGREED, agreed)

    assert action.decide(agree, standing, MONDAY) == []


def test_an_agreed_action_reads_the_same_from_disk() -> None:
    stored = msgspec.json.encode(agreed)

    read = msgspec.json.decode(stored, type=action.Agreed)

    assert read == agreed
    assert read.owner.sealed == OWNER.sealed


@pytest.mark.parametrize(
    ("before", "command", "event", "status"),
    [
        pytest.param((agreed,), progress, progressed, "open", id="progress"),
        pytest.param((agreed, progressed), complete, completed, "completed", id="completion"),
        pytest.param((agreed,), cancel, cancelled, "cancelled", id="cancellation"),
        pytest.param((agreed, completed), check, checked, "completed", id="effectiveness check"),
    ],
)
def test_what_came_of_an_action_is_told_once(
    before: tuple[action.Event, ...], command: action.Command, event: action.Event, status: str
) -> None:
    events = action.decide(command, after(*before), MONDAY)

    standing = after(*before, *events)
    assert events == [event]
    assert standing.status == status
    assert action.decide(command, standing, MONDAY) == []


@pytest.mark.parametrize("end", [completed, cancelled], ids=["completed", "cancelled"])
@pytest.mark.parametrize("command", [progress, complete, cancel], ids=lambda command: type(command).__name__)
def test_what_has_ended_takes_no_other_end(command: action.Command, end: action.Event) -> None:
    standing = after(agreed, end)
    same_end = {action.Complete: action.Completed, action.Cancel: action.Cancelled}.get(type(command))
    if same_end is type(end):
        assert action.decide(command, standing, MONDAY) == []
        return

    with pytest.raises(action.NotOpen) as refusal:
        action.decide(command, standing, MONDAY)

    assert (refusal.value.code, standing.status in refusal.value.detail) == ("action-not-open", True)


@pytest.mark.parametrize("before", [(agreed,), (agreed, cancelled)], ids=["open", "cancelled"])
def test_whether_it_works_is_seen_once_it_is_done(before: tuple[action.Event, ...]) -> None:
    with pytest.raises(Refused) as refusal:
        action.decide(check, after(*before), MONDAY)

    assert refusal.value.code == "action-not-completed"


@pytest.mark.parametrize("command", [progress, complete, cancel, check], ids=lambda command: type(command).__name__)
def test_an_action_that_was_never_agreed_is_not_found(command: action.Command) -> None:
    with pytest.raises(NotFound):
        action.decide(command, action.UNAGREED, MONDAY)


def test_an_overdue_action_climbs_from_the_foot_of_the_ladder_to_the_backstop_and_stays_there() -> None:
    standing, events = action.run_due(after(agreed), DUE + 5 * DAY, {"deputy": ()})

    assert [(event.scheduled_at, event.notify, event.nobody_reachable) for event in events] == [
        (DUE, ("manager",), False),
        (DUE + 1 * DAY, ("deputy",), True),
        (DUE + 2 * DAY, ("operations",), False),
        (DUE + 4 * DAY, ("leadership",), False),
        (DUE + 5 * DAY, ("leadership",), False),
    ]
    assert (standing.status, standing.overdue, standing.due_at) == ("overdue", 5, DUE + 6 * DAY)
    assert standing.terms == DEFAULT_TERMS


def test_the_timer_of_an_action_asks_early_late_and_twice() -> None:
    standing = after(agreed)

    early = action.decide(action.Tick(DUE), standing, DUE - DAY)
    late = action.decide(action.Tick(DUE), standing, DUE + 9 * DAY)
    twice = action.decide(action.Tick(DUE), after(agreed, *late), DUE + 9 * DAY)

    assert late == [action.ActionOverdue(1, ("manager",), DUE + DAY, DUE, 0)]
    assert (early, twice) == ([], [])


@pytest.mark.parametrize("end", [completed, cancelled], ids=["completed", "cancelled"])
def test_what_has_ended_is_due_no_more(end: action.Event) -> None:
    standing = after(agreed, *action.decide(action.Tick(DUE), after(agreed), DUE), end)

    assert standing.due_at is None
    assert action.run_due(standing, DUE + 99 * DAY, {}) == (standing, [])
