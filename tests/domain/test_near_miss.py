"""What may happen to a near miss, in what order, and what its closing asks for."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import reduce

import pytest

from app.domain import near_miss
from app.domain.decider import GateNotMet
from app.domain.near_miss import (
    UNRECORDED,
    AddPerson,
    AddSource,
    AlreadyClosed,
    AlreadyWithdrawn,
    Close,
    Closed,
    CloseWithReview,
    DetailsCompleted,
    DismissDuplicate,
    DuplicateDismissed,
    DuplicateUndone,
    Event,
    Linked,
    MarkedDuplicate,
    NearMiss,
    NotADuplicate,
    NothingAwaited,
    PersonAdded,
    PersonRemoved,
    Recorded,
    RemovePerson,
    RemoveSource,
    Reopened,
    ReopenWithReview,
    Revise,
    SourceAdded,
    SourceRemoved,
    Stage,
    StillADuplicate,
    Withdrawn,
)
from app.domain.report import Assumption, Check, MappedAgainst, Report, Source, WorkflowLink
from app.domain.sealed import Reference, SealedText

TUESDAY = datetime(2026, 3, 3, 9, tzinfo=UTC)
WORDS = SealedText("sealed", "key")
CHECK = Check(TUESDAY, 1, ())
REPORT = Report("2026-03-02T20:40:00Z", "medication", "near_miss", "UTC", service_id="willow-house")
VISIT = Report("2026-03-02T08:10:00Z", "visit", "near_miss", "UTC", service_id="rowan-homecare")
LINK = WorkflowLink("administer", "handover", "eMAR", WORDS, WORDS)
UNKNOWN = WorkflowLink("administer", "unknown", "eMAR", WORDS, WORDS)

recorded = Recorded(REPORT, CHECK, 1)
awaiting = Recorded(REPORT, CHECK, 1, awaiting=("staff_involved",))
visit = Recorded(VISIT, CHECK, 1)
linked = Linked(LINK, CHECK)
withdrawn = Withdrawn(WORDS, CHECK)
duplicate = MarkedDuplicate(WORDS, "nm_master", CHECK)
closed = Closed(WORDS)


def after(*events: Event) -> NearMiss:
    return reduce(near_miss.evolve, events, UNRECORDED)


def gates_of(state: NearMiss, *escalations: str) -> dict[str, tuple[str, ...]]:
    with pytest.raises(GateNotMet) as refused:
        near_miss.decide(Close(WORDS, escalations), state, TUESDAY)
    return {gate.code: gate.ids for gate in refused.value.gates}


@pytest.mark.parametrize(
    ("events", "stage"),
    [
        ((recorded,), Stage.AWAITING_WORKFLOW_LINK),
        ((awaiting,), Stage.AWAITING_DETAILS),
        ((awaiting, linked), Stage.AWAITING_DETAILS),
        ((recorded, linked), Stage.LINKED),
        ((recorded, Linked(UNKNOWN, CHECK)), Stage.AWAITING_WORKFLOW_LINK),
        ((recorded, linked, closed), Stage.CLOSED),
        ((recorded, linked, withdrawn), Stage.WITHDRAWN),
        ((recorded, duplicate), Stage.DUPLICATE),
    ],
)
def test_the_first_stage_that_holds_is_the_one_that_is_shown(events: tuple[Event, ...], stage: Stage) -> None:
    assert after(*events).stage is stage


def test_closing_names_everything_that_is_missing_at_once() -> None:
    state = after(awaiting)

    gates = gates_of(state, "esc_1")

    assert gates == {"details_missing": (), "workflow_stage_not_identified": (), "open_escalation": ("esc_1",)}


def test_an_unknown_stage_is_kept_and_passes_no_gate() -> None:
    assert set(gates_of(after(recorded, Linked(UNKNOWN, CHECK)))) == {"workflow_stage_not_identified"}


def test_a_visit_is_not_closed_before_it_is_mapped_against_every_assumption() -> None:
    mapped = MappedAgainst(travel_time=Assumption(planned_minutes=10, actual_minutes=35))
    partly = WorkflowLink("travel", "plan", "rota", WORDS, WORDS, mapped_against=mapped)

    gates = gates_of(after(visit, Linked(partly, CHECK)))

    assert gates == {"not_mapped": ("scheduling", "staff_allocation")}


def test_a_coded_reason_maps_a_visit_as_well_as_a_value() -> None:
    reason = Assumption(status="not_available")
    mapped = MappedAgainst(reason, reason, reason)
    link = WorkflowLink("travel", "plan", "rota", WORDS, WORDS, mapped_against=mapped)

    assert near_miss.decide(Close(WORDS, ()), after(visit, Linked(link, CHECK)), TUESDAY) == [closed]


def test_a_linked_near_miss_that_stands_in_no_escalation_closes() -> None:
    assert near_miss.decide(Close(WORDS, ()), after(recorded, linked), TUESDAY) == [closed]


@pytest.mark.parametrize(
    ("command", "state"),
    [
        (Close(WORDS, ()), after(recorded, linked, closed)),
        (CloseWithReview("rev_1"), after(recorded, linked, closed)),
        (CloseWithReview("rev_1"), after(recorded, withdrawn)),
        (Revise(withdrawn), after(recorded, withdrawn)),
        (Revise(duplicate), after(recorded, duplicate)),
    ],
)
def test_asking_twice_is_not_an_error(command: near_miss.Command, state: NearMiss) -> None:
    assert near_miss.decide(command, state, TUESDAY) == []


@pytest.mark.parametrize("revision", [linked, DetailsCompleted((), REPORT, CHECK, 1), withdrawn])
def test_what_is_closed_is_not_changed_any_more(revision: near_miss.Revision) -> None:
    with pytest.raises(AlreadyClosed):
        near_miss.decide(Revise(revision), after(awaiting, linked, closed), TUESDAY)


@pytest.mark.parametrize("revision", [linked, DetailsCompleted((), REPORT, CHECK, 1), withdrawn])
def test_what_was_found_to_be_a_duplicate_is_not_changed_any_more(revision: near_miss.Revision) -> None:
    with pytest.raises(AlreadyWithdrawn):
        near_miss.decide(Revise(revision), after(awaiting, duplicate), TUESDAY)


def test_what_closed_with_a_review_stands_as_before_once_the_review_is_reopened() -> None:
    standing = after(awaiting, linked)
    (with_review,) = near_miss.decide(CloseWithReview("rev_1"), standing, TUESDAY)

    events = near_miss.decide(ReopenWithReview("rev_1"), after(awaiting, linked, with_review), TUESDAY)

    assert events == [Reopened("rev_1", TUESDAY)]
    assert after(awaiting, linked, with_review, *events) == standing
    assert near_miss.decide(CloseWithReview("rev_1"), standing, TUESDAY) == [with_review]


@pytest.mark.parametrize(
    "events",
    [(), (closed,), (Closed(review_id="rev_2"),), (Closed(review_id="rev_1"), Reopened("rev_1"))],
    ids=["open", "closed by itself", "closed with another review", "open again"],
)
def test_reopening_a_review_opens_only_what_was_closed_with_it(events: tuple[Event, ...]) -> None:
    assert near_miss.decide(ReopenWithReview("rev_1"), after(recorded, linked, *events), TUESDAY) == []


def test_details_are_completed_only_where_they_are_awaited() -> None:
    completed = DetailsCompleted(("staff_involved",), REPORT, CHECK, 1)

    assert near_miss.decide(Revise(completed), after(awaiting), TUESDAY) == [completed]
    with pytest.raises(NothingAwaited):
        near_miss.decide(Revise(completed), after(recorded), TUESDAY)


def test_a_record_whose_details_are_completed_awaits_its_workflow_link() -> None:
    assert after(awaiting, DetailsCompleted((), REPORT, CHECK, 1)).stage is Stage.AWAITING_WORKFLOW_LINK


def test_a_master_keeps_the_name_that_every_source_gave_it() -> None:
    other = Source("rota", "v-17")

    (added,) = near_miss.decide(AddSource("nm_2", other), after(recorded), TUESDAY)

    assert added == SourceAdded("nm_2", other)
    assert after(recorded, added).other_sources == (added,)


def test_a_withdrawn_record_counts_for_nothing() -> None:
    assert after(recorded).counts
    assert not after(recorded, withdrawn).counts
    assert not after(recorded, duplicate).counts
    assert not UNRECORDED.counts


# One round, several persons


def person(name: str) -> Reference:
    return Reference(f"sealed-{name}", f"key-{name}", f"token-{name}")


EMAR = [Source("emar", f"d-{number}") for number in range(4)]
late = Recorded(replace(REPORT, person_ref=person("a")), CHECK, 1, source=EMAR[0])


def test_one_more_person_of_a_round_is_added_once_for_each_event_that_says_so() -> None:
    events = near_miss.decide(AddPerson(EMAR[1], person("b")), after(late), TUESDAY)

    assert events == [PersonAdded(EMAR[1], person("b"))]
    assert near_miss.decide(AddPerson(EMAR[1], person("b")), after(late, *events), TUESDAY) == []
    assert near_miss.decide(AddPerson(EMAR[0], person("a")), after(late), TUESDAY) == []


def test_a_person_who_is_there_already_is_counted_once() -> None:
    twice = after(late, PersonAdded(EMAR[1], person("b")), PersonAdded(EMAR[2], person("b")))
    again = after(late, PersonAdded(EMAR[1], person("a")), PersonAdded(EMAR[2]))

    assert twice.further_persons == (person("b"),)
    assert again.further_persons == ()
    assert again.supporters == tuple(EMAR[:3])


def test_a_person_stays_while_any_event_says_so() -> None:
    joined = (PersonAdded(EMAR[1], person("b")), PersonAdded(EMAR[2], person("b")))

    (removed,) = near_miss.decide(RemovePerson(EMAR[1]), after(late, *joined), TUESDAY)
    standing = after(late, *joined, removed)

    assert standing.further_persons == (person("b"),)
    assert standing.supporters == (EMAR[0], EMAR[2])
    assert standing.successor is None
    assert near_miss.decide(RemovePerson(EMAR[1]), standing, TUESDAY) == []


def test_another_person_takes_the_place_of_one_of_whom_no_event_says_it_any_more() -> None:
    joined = (PersonAdded(EMAR[1], person("b")), PersonAdded(EMAR[2], person("c")))

    assert after(late, *joined).successor is None
    assert after(late, *joined, PersonRemoved(EMAR[0])).successor == person("b")
    assert after(late, PersonAdded(EMAR[3], person("a")), *joined, PersonRemoved(EMAR[0])).successor is None


@pytest.mark.parametrize("end", [closed, withdrawn, duplicate], ids=["closed", "withdrawn", "duplicate"])
def test_nobody_joins_what_has_ended(end: Event) -> None:
    for command in (AddPerson(EMAR[1], person("b")), RemovePerson(EMAR[0])):
        with pytest.raises((AlreadyClosed, AlreadyWithdrawn)):
            near_miss.decide(command, after(late, end), TUESDAY)


undone = DuplicateUndone(WORDS, "nm_master", CHECK)


def test_a_duplicate_that_is_none_after_all_counts_again_and_stands_where_it_stood() -> None:
    assert near_miss.decide(Revise(undone), after(recorded, linked, duplicate), TUESDAY) == [undone]

    again = after(recorded, linked, duplicate, undone)
    assert (again.counts, again.stage, again.undone) == (True, Stage.LINKED, ("nm_master",))
    assert near_miss.decide(Revise(undone), again, TUESDAY) == []


@pytest.mark.parametrize("events", [(), (withdrawn,), (DuplicateDismissed("nm_master", WORDS),)])
def test_what_was_never_counted_as_another_record_cannot_be_undone(events: tuple[Event, ...]) -> None:
    with pytest.raises(NotADuplicate):
        near_miss.decide(Revise(undone), after(recorded, *events), TUESDAY)


def test_a_duplicate_of_one_record_is_not_undone_as_that_of_another() -> None:
    with pytest.raises(NotADuplicate):
        near_miss.decide(Revise(DuplicateUndone(WORDS, "nm_other", CHECK)), after(recorded, duplicate), TUESDAY)


def test_what_an_undone_record_owes_has_its_whole_time_again() -> None:
    owing = replace(recorded, workflow_link_due_at=TUESDAY, workflow_link_due="P7D")

    (owed,) = after(owing, duplicate, undone).owed

    assert (owed.kind, owed.due_at) == ("workflow_link_due", TUESDAY + timedelta(days=7))


def test_two_records_are_told_apart_once_and_a_person_may_think_again() -> None:
    dismiss = DismissDuplicate("nm_master", WORDS)
    (dismissed,) = near_miss.decide(dismiss, after(recorded), TUESDAY)

    assert dismissed == DuplicateDismissed("nm_master", WORDS)
    assert near_miss.decide(dismiss, after(recorded, dismissed), TUESDAY) == []
    assert after(recorded, dismissed, duplicate).dismissed == ()
    assert after(recorded, duplicate, undone, duplicate).undone == ()
    with pytest.raises(StillADuplicate):
        near_miss.decide(dismiss, after(recorded, duplicate), TUESDAY)


def test_a_master_gives_back_every_name_that_a_record_had_brought() -> None:
    brought = (SourceAdded("nm_2", Source("rota", "v-17")), SourceAdded("nm_2", Source("rota", "v-18")))
    other = SourceAdded("nm_3", Source("sensor", "s-1"))

    (removed,) = near_miss.decide(RemoveSource("nm_2"), after(recorded, *brought, other), TUESDAY)

    assert removed == SourceRemoved("nm_2")
    assert after(recorded, *brought, other, removed).other_sources == (other,)
    assert near_miss.decide(RemoveSource("nm_2"), after(recorded, other), TUESDAY) == []
