"""Where an escalation stands: just enough of it to decide with, and every deadline that it has.

Where it stands is told from separate facts (acknowledged, review begun, action agreed), each told by an event of its
own, so that losing one of them later never forgets the others. While it is open its review has a deadline, and while
nobody has acknowledged it somebody's answer has one too: nothing falls silent.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import assert_never

from app.domain.escalation_events import (
    AckConfirmed,
    AckExpired,
    Acknowledged,
    AckOverdue,
    AckReminded,
    ActionAgreed,
    AdditionallyAcknowledged,
    ChainExhausted,
    Closed,
    ContactFailed,
    DismissedAgain,
    EscalatedManually,
    Event,
    HandedOver,
    LevelEntered,
    MemberAdded,
    MemberDemoted,
    MemberWithdrawn,
    Merged,
    MonitoringBegun,
    PolicyReassigned,
    Raised,
    ReAlarmed,
    Reopened,
    ReviewBegun,
    ReviewOverdue,
    Snoozed,
    SnoozeEnded,
    Standing,
    StepSkipped,
    SupportLost,
    SupportRegained,
)
from app.domain.ladder import DEFAULT_TERMS, Deadline, Terms


class Status(StrEnum):
    UNRAISED = "unraised"
    AWAITING_ACK = "awaiting_ack"
    ACKNOWLEDGED = "acknowledged"
    UNDER_REVIEW = "under_review"
    ACTION_AGREED = "action_agreed"
    SNOOZED = "snoozed"
    MONITORING_OUTCOME = "monitoring_outcome"
    CLOSED = "closed"
    MERGED = "merged"
    HISTORICAL = "historical"


OPEN = frozenset({
    Status.AWAITING_ACK, Status.ACKNOWLEDGED, Status.UNDER_REVIEW, Status.ACTION_AGREED, Status.SNOOZED,
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Escalation:
    """`rest` is the status while it is not open; while it is, the facts below tell the status.

    `contacts` are asked now, at `level`; `epoch` counts how often somebody has been asked. `exhausted` counts how often
    the backstop has been, since the ladder was begun. `alarmed` are the near misses that made people be asked
    again, `gravity` is that of the gravest one that they were told of.
    `overdue` counts the breached deadlines of the review, `told_up_to` is the highest level that was told of them.
    """

    rest: Status | None = Status.UNRAISED
    members: Mapping[str, Standing] = field(default_factory=dict[str, Standing])
    alarmed: frozenset[str] = frozenset()
    gravity: int = 0
    support_below_threshold: bool = False
    actions: tuple[str, ...] = ()
    review_begun: bool = False
    closed_as: str | None = None
    merged_into: str | None = None

    terms: Terms = DEFAULT_TERMS
    policy_version: int = 0
    level: int = 0
    loop: int = 0
    epoch: int = 0
    exhausted: int = 0
    contacts: tuple[str, ...] = ()
    nobody_reachable: bool = False
    ack_due_at: datetime | None = None
    acknowledged_by: tuple[str, ...] = ()
    remind_at: datetime | None = None
    confirm_by: datetime | None = None
    snoozed_since: datetime | None = None
    snoozed_until: datetime | None = None

    review_since: datetime | None = None
    review_due_at: datetime | None = None
    overdue: int = 0
    told_up_to: int = 0

    @property
    def status(self) -> Status:
        if self.rest is not None:
            return self.rest
        if self.snoozed_until is not None:
            return Status.SNOOZED
        if not self.acknowledged_by:
            return Status.AWAITING_ACK
        if self.actions:
            return Status.ACTION_AGREED
        return Status.UNDER_REVIEW if self.review_begun else Status.ACKNOWLEDGED

    @property
    def owner(self) -> str | None:
        """Who took it on: the first to acknowledge since somebody was last asked."""
        return self.acknowledged_by[0] if self.acknowledged_by else None

    @property
    def responsible(self) -> tuple[str, ...]:
        """Who took it on, or else who is asked to."""
        return self.contacts if self.owner is None else (self.owner,)

    @property
    def flags(self) -> tuple[str, ...]:
        return tuple(self._flags())

    @property
    def deadlines(self) -> tuple[Deadline, ...]:
        """All that will be due unless something happens before, the earliest first."""
        return tuple(sorted(self._deadlines(), key=lambda deadline: deadline.due_at)) if self.rest is None else ()

    def _flags(self) -> Iterator[str]:
        if self.support_below_threshold:
            yield "support_below_threshold"
        if self.rest is not None:
            return
        if self.exhausted and not self.acknowledged_by:
            yield "chain_exhausted"
        if self.nobody_reachable and not self.acknowledged_by:
            yield "nobody_reachable"
        if self.overdue:
            yield "overdue"

    def _deadlines(self) -> Iterator[Deadline]:
        if self.snoozed_until is not None:
            yield Deadline("snooze_until", self.snoozed_until)
        if self.confirm_by is not None:
            yield Deadline("ack_confirm", self.confirm_by)
        if self.remind_at is not None:
            yield Deadline("ack_reminder", self.remind_at)
        if self.ack_due_at is not None:
            yield Deadline("ack_due", self.ack_due_at, self.level)
        if self.review_due_at is not None:
            yield Deadline("review_due", self.review_due_at)


UNRAISED = Escalation()


def evolve(escalation: Escalation, event: Event) -> Escalation:
    """The escalation after an event that happened."""
    match event:
        case Raised():
            return raised(event)
        case MemberAdded(near_miss_id, kind):
            return with_member(escalation, near_miss_id, kind)
        case MemberDemoted(near_miss_id):
            return with_member(escalation, near_miss_id, "related")
        case MemberWithdrawn(near_miss_id):
            return with_member(escalation, near_miss_id, "withdrawn")
        case SupportLost():
            return replace(escalation, support_below_threshold=True)
        case SupportRegained():
            return replace(escalation, support_below_threshold=False)
        case LevelEntered(level, loop, notify, _, respond_by, nobody_reachable):
            asked = ask(escalation, notify, respond_by, nobody_reachable)
            return replace(asked, level=level, loop=loop, exhausted=0)
        case ChainExhausted(times, notify, respond_by):
            return replace(ask(escalation, notify, respond_by, event.nobody_reachable), exhausted=times)
        case HandedOver(_, notify, respond_by):
            return ask(escalation, notify, respond_by, event.nobody_reachable)
        case ReAlarmed(near_miss_id, _, respond_by):
            asked = ask(escalation, escalation.contacts, respond_by, escalation.nobody_reachable)
            gravity = max(escalation.gravity, event.gravity or 0)
            return replace(asked, alarmed=escalation.alarmed | {near_miss_id}, gravity=gravity)
        case PolicyReassigned(policy_version, terms, review_due_at):
            return replace(
                escalation,
                policy_version=policy_version,
                terms=terms,
                review_due_at=review_due_at,
                level=0,
                loop=0,
                exhausted=0,
            )
        case Snoozed(until, since):
            return replace(escalation, snoozed_until=until, snoozed_since=since, ack_due_at=None)
        case SnoozeEnded(_, _, respond_by):
            if respond_by is None:
                return replace(escalation, snoozed_until=None, snoozed_since=None)
            return ask(escalation, escalation.contacts, respond_by, escalation.nobody_reachable)
        case Acknowledged(by, remind_at):
            return replace(unasked(escalation), acknowledged_by=(by,), remind_at=remind_at)
        case AdditionallyAcknowledged(by):
            return replace(escalation, acknowledged_by=(*escalation.acknowledged_by, by))
        case AckReminded(_, _, respond_by, remind_at):
            return replace(escalation, remind_at=remind_at, confirm_by=respond_by)
        case AckConfirmed(_, remind_at):
            return replace(escalation, remind_at=remind_at, confirm_by=None)
        case AckExpired():
            return unasked(escalation)
        case ReviewBegun():
            begun = replace(escalation, snoozed_until=None, snoozed_since=None)
            return replace(begun, review_begun=True, remind_at=None, confirm_by=None)
        case ActionAgreed(action_id):
            return replace(escalation, actions=(*escalation.actions, action_id), remind_at=None, confirm_by=None)
        case ReviewOverdue(times, _, respond_by, _, level):
            told = len(escalation.terms.rungs) if level is None else level
            return replace(escalation, overdue=times, review_due_at=respond_by, told_up_to=told)
        case MonitoringBegun(code):
            return replace(escalation, rest=Status.MONITORING_OUTCOME, closed_as=code)
        case Closed(code):
            return replace(escalation, rest=Status.CLOSED, closed_as=code)
        case Merged(into):
            return replace(escalation, rest=Status.MERGED, merged_into=into)
        case Reopened():
            return reopened(escalation, event)
        case StepSkipped() | AckOverdue() | ContactFailed() | EscalatedManually() | DismissedAgain():
            return escalation  # What follows says what became of it.
        case _:
            assert_never(event)


def raised(event: Raised) -> Escalation:
    since = event.raised_at or event.crossed_at
    return Escalation(
        rest=Status.HISTORICAL if event.historical else None,
        members={member.near_miss_id: member.kind for member in event.members},
        policy_version=event.policy_version,
        gravity=event.gravity or 0,
        terms=event.terms or DEFAULT_TERMS,
        contacts=event.notify,
        ack_due_at=event.respond_by,
        nobody_reachable=event.nobody_reachable,
        review_since=since,
        review_due_at=event.review_due_at or since,  # One without any deadline is due at once: somebody must look.
    )


def reopened(escalation: Escalation, event: Reopened) -> Escalation:
    """Under review again, at level 0, and to be acknowledged again."""
    return replace(
        unasked(escalation),
        rest=None,
        closed_as=None,
        review_begun=True,
        actions=(),
        level=0,
        loop=0,
        exhausted=0,
        overdue=0,
        told_up_to=0,
        review_since=event.reopened_at or escalation.review_since,
        review_due_at=event.review_due_at or escalation.review_due_at,
    )


def ask(
    escalation: Escalation, contacts: tuple[str, ...], respond_by: datetime, nobody_reachable: bool = False
) -> Escalation:
    """They are to answer by then; whoever acknowledged before, or snoozed it, did so for another question."""
    return replace(
        unasked(escalation),
        contacts=contacts,
        ack_due_at=respond_by,
        nobody_reachable=nobody_reachable,
        epoch=escalation.epoch + 1,
    )


def unasked(escalation: Escalation) -> Escalation:
    """Nobody has acknowledged, and nobody is asked to."""
    return replace(
        escalation,
        acknowledged_by=(),
        ack_due_at=None,
        remind_at=None,
        confirm_by=None,
        snoozed_until=None,
        snoozed_since=None,
    )


def with_member(escalation: Escalation, near_miss_id: str, standing: Standing) -> Escalation:
    return replace(escalation, members={**escalation.members, near_miss_id: standing})
