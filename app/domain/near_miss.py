"""One stream for each near miss: what was reported, how it was checked, corrected, linked, and how it ended.

The rule that makes it interesting (S2): nothing is recorded, corrected, linked or withdrawn without the
similarity check that belongs to it; the check is part of the event. Personal words and references arrive
here sealed already.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import assert_never

from app.domain import chase
from app.domain.chase import Chase, DetailsOverdue, WorkflowLinkOverdue
from app.domain.decider import Gate, GateNotMet, Refused
from app.domain.near_miss_commands import (
    AddPerson,
    AddSource,
    Close,
    CloseWithReview,
    Command,
    DismissDuplicate,
    RemovePerson,
    RemoveSource,
    ReopenWithReview,
    Revise,
)
from app.domain.near_miss_events import (
    Closed,
    Corrected,
    DetailsCompleted,
    DuplicateDismissed,
    DuplicateUndone,
    Event,
    Linked,
    MarkedDuplicate,
    PersonAdded,
    PersonRemoved,
    Recorded,
    Reopened,
    Revision,
    SourceAdded,
    SourceRemoved,
    Withdrawn,
)
from app.domain.report import Check, MappedAgainst, Report, Source, WorkflowLink, stage_is_identified, unmapped
from app.domain.sealed import Reference, SealedText

__all__ = [
    "UNRECORDED", "AddPerson", "AddSource", "AlreadyClosed", "AlreadyWithdrawn", "Close", "CloseWithReview", "Closed",
    "Command", "Corrected", "DetailsCompleted", "DismissDuplicate", "DuplicateDismissed", "DuplicateUndone", "Event",
    "LevelAboveNeeded", "Linked", "MarkedDuplicate", "NearMiss", "NotADuplicate", "NothingAwaited", "PersonAdded",
    "PersonRemoved", "Recorded", "RemovePerson", "RemoveSource", "ReopenWithReview", "Reopened", "Revise", "Revision",
    "SourceAdded", "SourceRemoved", "Stage", "StillADuplicate", "Withdrawn", "closure_gates", "decide", "evolve",
    "must_be_above",
]  # fmt: skip
"""A near miss is one stream, told in one place; its events lie beside this file."""

# Refusals


class AlreadyClosed(Refused):
    """A closed near miss is not changed any more."""

    code = "near-miss-closed"


class AlreadyWithdrawn(Refused):
    """A record that was withdrawn or marked as a duplicate counts nowhere and is not changed any more."""

    code = "near-miss-withdrawn"


class NotADuplicate(Refused):
    """What was never counted as another record cannot be told apart from it again."""

    code = "not-a-duplicate"


class StillADuplicate(Refused):
    """A record that is counted as another one is told apart from it by undoing that."""

    code = "still-a-duplicate"


class NothingAwaited(Refused):
    """Details are completed where a system posted a record without them."""

    code = "no-details-awaited"


class LevelAboveNeeded(Refused):
    """Whoever owned what was breached does not say themselves what allowed it (409, S20)."""

    code = "level-above-needed"


# State


class Stage(StrEnum):
    """Where the record itself stands; whether a review is open about it is its escalations' to say."""

    AWAITING_DETAILS = "awaiting_details"
    AWAITING_WORKFLOW_LINK = "awaiting_workflow_link"
    LINKED = "linked"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True)
class NearMiss:
    """One near miss as far as its own stream tells."""

    report: Report | None = None
    check: Check | None = None
    taxonomy_version: int = 0
    source: Source | None = None
    fingerprint: str | None = None
    other_sources: tuple[SourceAdded, ...] = ()
    joined: tuple[PersonAdded, ...] = ()
    taken_back: tuple[Source, ...] = ()
    awaiting: tuple[str, ...] = ()
    unregistered_service: bool = False
    workflow_link: WorkflowLink | None = None
    duplicate_of: str | None = None
    dismissed: tuple[str, ...] = ()
    undone: tuple[str, ...] = ()
    closed: bool = False
    withdrawn: bool = False
    closed_by_review: str | None = None
    outcome: SealedText | None = None
    reported_at: datetime | None = None
    chases: tuple[Chase, ...] = ()
    breached_by: str | None = None
    prefilled: MappedAgainst | None = None

    @property
    def supporters(self) -> tuple[Source, ...]:
        """The source events that say it happened, to whomever: it is withdrawn by its source with the last of them."""
        said = (*((self.source,) if self.source else ()), *(one.source for one in self.joined))
        return tuple(one for one in said if one not in self.taken_back)

    @property
    def further_persons(self) -> tuple[Reference, ...]:
        """Whom it happened to beside the person of the report, each once."""
        first = self.report.person_ref.token if self.report and self.report.person_ref else None
        found = {
            one.person.token: one.person
            for one in self.joined
            if one.person is not None and one.person.token != first and one.source not in self.taken_back
        }
        return tuple(found.values())

    @property
    def successor(self) -> Reference | None:
        """Who takes the place of the report's person, once no source says any more that it happened to that one."""
        person = self.report.person_ref if self.report else None
        supporters = self.supporters
        is_supported = self.source in supporters or any(
            one.person == person for one in self.joined if one.source in supporters
        )
        return None if is_supported else next(iter(self.further_persons), None)

    @property
    def counts(self) -> bool:
        """Whether rules may count it at all."""
        return self.report is not None and not self.withdrawn and self.duplicate_of is None

    @property
    def stage(self) -> Stage:
        """The first that holds, in the order of the contract."""
        if self.withdrawn:
            return Stage.WITHDRAWN
        if self.duplicate_of is not None:
            return Stage.DUPLICATE
        if self.closed:
            return Stage.CLOSED
        if self.awaiting:
            return Stage.AWAITING_DETAILS
        return Stage.LINKED if stage_is_identified(self.workflow_link) else Stage.AWAITING_WORKFLOW_LINK

    @property
    def owed(self) -> tuple[Chase, ...]:
        """What it is chased for, the earliest deadline first; nothing any more once it is closed or counts no more."""
        if self.closed or not self.counts:
            return ()
        is_owed = {
            "details_due": bool(self.awaiting),
            "workflow_link_due": not stage_is_identified(self.workflow_link),
        }
        return chase.in_order(one for one in self.chases if is_owed[one.kind])


UNRECORDED = NearMiss()


# Decide


def decide(command: Command, near_miss: NearMiss, now: datetime) -> list[Event]:
    """What follows from a command; raises `Refused` with what to do instead."""
    match command:
        case Revise(revision, by):
            return _revise(revision, near_miss, by)
        case AddSource(near_miss_id, source):
            return [SourceAdded(near_miss_id, source)]
        case RemoveSource(near_miss_id):
            is_there = any(one.near_miss_id == near_miss_id for one in near_miss.other_sources)
            return [SourceRemoved(near_miss_id)] if is_there else []
        case DismissDuplicate(other_id, reason):
            if near_miss.duplicate_of == other_id:
                raise StillADuplicate("It is counted as the other record: undo that, then they are told apart.")
            return [] if other_id in near_miss.dismissed else [DuplicateDismissed(other_id, reason)]
        case AddPerson(source, person):
            _must_be_open(near_miss)
            return [] if source in near_miss.supporters else [PersonAdded(source, person)]
        case RemovePerson(source):
            _must_be_open(near_miss)
            return [PersonRemoved(source)] if source in near_miss.supporters else []
        case Close(outcome, open_escalations):
            if near_miss.closed and near_miss.counts:
                return []  # Asking twice is not an error.
            _must_be_open(near_miss)
            if gates := closure_gates(near_miss, open_escalations):
                raise GateNotMet(*gates)
            return [Closed(outcome)]
        case CloseWithReview(review_id):
            return [] if near_miss.closed or not near_miss.counts else [Closed(review_id=review_id)]
        case ReopenWithReview(review_id):
            return [Reopened(review_id, now)] if near_miss.closed_by_review == review_id else []
        case _:
            assert_never(command)


def _revise(revision: Revision, near_miss: NearMiss, by: str) -> list[Event]:
    match revision:
        case Linked():
            _must_be_open(near_miss)
            must_be_above(near_miss, by)
            return [revision]
        case Withdrawn() if near_miss.withdrawn:
            return []  # Asking twice is not an error.
        case MarkedDuplicate(_, duplicate_of) if near_miss.duplicate_of == duplicate_of:
            return []
        case DuplicateUndone(_, duplicate_of):
            if near_miss.duplicate_of == duplicate_of:
                return [revision]
            if duplicate_of in near_miss.undone:
                return []  # Asking twice is not an error.
            raise NotADuplicate("It is not counted as the other record: there is nothing to undo.")
        case DetailsCompleted() if near_miss.counts and not near_miss.closed and not near_miss.awaiting:
            raise NothingAwaited("This record has its details: use corrections to change them.")
        case _:
            _must_be_open(near_miss)
            return [revision]


def closure_gates(near_miss: NearMiss, open_escalations: tuple[str, ...]) -> list[Gate]:
    """Every condition that closing this near miss by itself still misses (S6, S8, S9)."""
    gates: list[Gate] = []
    if near_miss.awaiting:
        gates.append(Gate("details_missing", f"Complete the details first: {', '.join(near_miss.awaiting)}."))
    if not stage_is_identified(near_miss.workflow_link):
        gates.append(
            Gate("workflow_stage_not_identified", "Make the workflow link and name the stage that allowed it.")
        )
    report, link = near_miss.report, near_miss.workflow_link
    if report is not None and link is not None and (missing := unmapped(report, link)):
        gates.append(
            Gate("not_mapped", f"Map the visit against {', '.join(missing)}, or say why it cannot be.", missing)
        )
    if open_escalations:
        gates.append(
            Gate("open_escalation", "It is closed with the review of its escalation, not by itself.", open_escalations)
        )
    return gates


def must_be_above(near_miss: NearMiss, by: str) -> None:
    """Refuse whoever owned what this record says was breached."""
    if near_miss.breached_by is not None and near_miss.breached_by == by:
        raise LevelAboveNeeded("You had taken on what was breached: have the level above make this workflow link.")


def _must_be_open(near_miss: NearMiss) -> None:
    if not near_miss.counts:
        raise AlreadyWithdrawn("This record was withdrawn or is a duplicate: submit a new one, or use its master.")
    if near_miss.closed:
        raise AlreadyClosed("This near miss is closed: reopen its review, or submit what is new.")


# Evolve


def evolve(near_miss: NearMiss, event: Event) -> NearMiss:
    """The near miss after an event that happened."""
    match event:
        case Recorded():
            return NearMiss(
                report=event.report,
                check=event.similarity_check,
                taxonomy_version=event.taxonomy_version,
                source=event.source,
                fingerprint=event.fingerprint,
                awaiting=event.awaiting,
                unregistered_service=bool(event.unregistered_service),
                workflow_link=event.workflow_link,
                reported_at=event.reported_at,
                chases=chase.begun(
                    event.report.zone,
                    event.told_up_to,
                    ("details_due", event.details_due_at, event.details_due),
                    ("workflow_link_due", event.workflow_link_due_at, event.workflow_link_due),
                ),
                breached_by=event.breached_by,
                prefilled=event.prefilled,
            )
        case Corrected():
            return replace(
                near_miss,
                report=event.report,
                check=event.similarity_check,
                taxonomy_version=event.taxonomy_version,
                unregistered_service=bool(event.unregistered_service),
                awaiting=tuple(name for name in near_miss.awaiting if name not in event.changed),
                prefilled=event.prefilled or near_miss.prefilled,
            )
        case DetailsCompleted():
            return replace(
                near_miss,
                report=event.report,
                check=event.similarity_check,
                taxonomy_version=event.taxonomy_version,
                unregistered_service=bool(event.unregistered_service),
                awaiting=(),
            )
        case Linked(link, check):
            is_owed_again = stage_is_identified(near_miss.workflow_link) and not stage_is_identified(link)
            again: tuple[chase.Kind, ...] = ("workflow_link_due",) if is_owed_again else ()
            chases = chase.anew(near_miss.chases, check.checked_at, *again)
            return replace(near_miss, workflow_link=link, check=check, chases=chases)
        case Withdrawn(_, check):
            return replace(near_miss, withdrawn=True, check=check)
        case MarkedDuplicate(_, duplicate_of, check):
            dismissed, undone = (_without(duplicate_of, told) for told in (near_miss.dismissed, near_miss.undone))
            return replace(near_miss, duplicate_of=duplicate_of, check=check, dismissed=dismissed, undone=undone)
        case DuplicateDismissed(other_id):
            return replace(near_miss, dismissed=(*near_miss.dismissed, other_id))
        case DuplicateUndone(_, duplicate_of, check):
            chases = chase.anew(near_miss.chases, check.checked_at, "details_due", "workflow_link_due")
            undone = (*near_miss.undone, duplicate_of)
            return replace(near_miss, duplicate_of=None, check=check, undone=undone, chases=chases)
        case SourceAdded():
            return replace(near_miss, other_sources=(*near_miss.other_sources, event))
        case SourceRemoved(near_miss_id):
            others = tuple(one for one in near_miss.other_sources if one.near_miss_id != near_miss_id)
            return replace(near_miss, other_sources=others)
        case PersonAdded():
            return replace(near_miss, joined=(*near_miss.joined, event))
        case PersonRemoved(source):
            return replace(near_miss, taken_back=(*near_miss.taken_back, source))
        case Closed(outcome, review_id):
            return replace(near_miss, closed=True, outcome=outcome, closed_by_review=review_id)
        case Reopened(_, reopened_at):
            chases = near_miss.chases
            if reopened_at is not None:
                chases = chase.anew(chases, reopened_at, "details_due", "workflow_link_due")
            return replace(near_miss, closed=False, closed_by_review=None, chases=chases)
        case DetailsOverdue() | WorkflowLinkOverdue():
            return replace(near_miss, chases=chase.after(near_miss.chases, event))
        case _:
            assert_never(event)


def _without(one: str, ids: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(other for other in ids if other != one)
