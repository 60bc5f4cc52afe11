"""One crossing of a threshold, from the instant it is raised until a person has finished with it.

Nothing here closes by itself: support may fall below the threshold, members may be withdrawn, everybody may be silent,
and the escalation stays open, asking one level after another. Only a person ends it, by closing its review or by
merging it into another. A crossing found in history is recorded and counted but was never open.

Closing consumes the members, for they belong to this episode; what is only related stays free for the next.

A timer due at the instant of a command, or before it, runs first: `run_due`, then `decide`.
"""

from dataclasses import fields, replace
from datetime import datetime
from typing import assert_never

from app.domain.decider import Fault, Invalid, NotFound, Refused
from app.domain.escalation_climb import MOST_AT_ONCE, answer, contact_failed, due, enter, patience, run_due
from app.domain.escalation_commands import (
    Acknowledge,
    AgreeAction,
    Attach,
    BeginMonitoring,
    BeginReview,
    Close,
    Command,
    Demote,
    EndMonitoring,
    EscalateManually,
    FailContact,
    HandOver,
    LoseSupport,
    Merge,
    Raise,
    ReassignPolicy,
    RegainSupport,
    Reopen,
    Snooze,
    Tick,
    WithdrawMember,
)
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
    Crossing,
    DismissedAgain,
    EscalatedManually,
    Event,
    HandedOver,
    KeyPart,
    LevelEntered,
    Member,
    MemberAdded,
    MemberDemoted,
    MemberKind,
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
from app.domain.escalation_state import OPEN, UNRAISED, Escalation, Status, evolve
from app.domain.ladder import (
    DEFAULT_TERMS,
    LONGEST_SNOOZE,
    Deadline,
    Reach,
    around,
    contact_above,
    from_the_foot,
    later,
    reaches_nobody,
    respond_by,
)

__all__ = [
    "MOST_AT_ONCE", "OPEN", "UNRAISED", "AckConfirmed", "AckExpired", "AckOverdue", "AckReminded", "Acknowledge",
    "Acknowledged", "ActionAgreed", "AdditionallyAcknowledged", "AgreeAction", "Attach", "BeginMonitoring",
    "BeginReview", "ChainExhausted", "Close", "Closed", "Command", "ContactFailed", "Crossing", "Deadline", "Demote",
    "DismissedAgain", "EndMonitoring", "EscalateManually", "EscalatedManually", "Escalation", "Event", "FailContact",
    "HandOver", "HandedOver", "HandoverToNobody", "KeyPart", "LevelEntered", "LoseSupport", "Member", "MemberAdded",
    "MemberDemoted", "MemberKind", "MemberWithdrawn", "Merge", "MergeTargetNotOpen", "Merged", "MonitoringBegun",
    "NotOpen", "PolicyReassigned", "Raise", "Raised", "ReAlarmed", "ReassignPolicy", "RegainSupport", "Reopen",
    "Reopened", "ReviewBegun", "ReviewOverdue", "Snooze", "SnoozeEnded", "SnoozeTooLong", "Snoozed", "StaleEpoch",
    "Standing", "Status", "StepSkipped", "SupportLost", "SupportRegained", "Tick", "WithdrawMember", "decide", "due",
    "evolve", "run_due",
]  # fmt: skip
"""An escalation is one stream, told in one place: its commands, events, state and climb lie beside this file."""

# Refusals


class NotOpen(Refused):
    """Only an open escalation is acknowledged, reviewed, grown or closed (409)."""

    code = "escalation-not-open"


class HandoverToNobody(Refused):
    """What is handed over has somebody to take it on (409)."""

    code = "handover-to-nobody"


class StaleEpoch(Refused):
    """Somebody else was asked since the escalation was looked at (409)."""

    code = "stale-epoch"


class SnoozeTooLong(Refused):
    """A snooze ends within the limit of the ladder (409)."""

    code = "snooze-too-long"


class MergeTargetNotOpen(Refused):
    """An escalation goes on in another one that is open (409)."""

    code = "merge-target-not-open"


# Decide


def decide(command: Command, escalation: Escalation, now: datetime) -> list[Event]:
    match command:
        case Raise():
            return raise_(command, now) if escalation.rest is Status.UNRAISED else []
        case Attach():
            must_take_members(escalation)
            return attach(command, escalation, now)
        case Demote(near_miss_id):
            must_be_open(escalation)
            return [MemberDemoted(near_miss_id)] if escalation.members.get(near_miss_id) == "member" else []
        case WithdrawMember(near_miss_id):
            must_be_raised(escalation)  # Also once closed: a withdrawal is a fact about the report.
            there = escalation.members.get(near_miss_id, "withdrawn") != "withdrawn"
            return [MemberWithdrawn(near_miss_id)] if there else []
        case LoseSupport():
            must_be_open(escalation)
            return [] if escalation.support_below_threshold else [SupportLost()]
        case RegainSupport():
            must_be_open(escalation)
            return [SupportRegained()] if escalation.support_below_threshold else []
        case Acknowledge(by):
            must_be_open(escalation)
            return acknowledge(by, escalation, now)
        case HandOver():
            must_be_open(escalation)
            return hand_over(command, escalation, now)
        case EscalateManually():
            must_be_open(escalation)
            return escalate_manually(command, escalation, now)
        case FailContact():
            must_be_raised(escalation)
            return contact_failed(command, escalation, now)
        case Snooze():
            must_be_open(escalation)
            return snooze(command, escalation, now)
        case Merge():
            return merge(command, escalation)
        case ReassignPolicy():
            must_be_open(escalation)
            return reassign_policy(command, escalation, now)
        case BeginReview(by):
            must_be_open(escalation)
            # Who begins the review has taken the escalation on.
            acknowledged: list[Event] = [] if escalation.acknowledged_by else [Acknowledged(by)]
            return acknowledged if escalation.review_begun else [*acknowledged, ReviewBegun(by)]
        case AgreeAction(action_id):
            must_be_open(escalation)
            return [] if action_id in escalation.actions else [ActionAgreed(action_id)]
        case BeginMonitoring(code):
            if stands(escalation, Status.MONITORING_OUTCOME, code):
                return []
            must_be_open(escalation)
            begun = MonitoringBegun(code, consumable(escalation))
            return [*dismissed_again(command, escalation, now), begun]
        case Close(code):
            if stands(escalation, Status.CLOSED, code):
                return []  # Asking twice is not an error.
            must_be_open(escalation)
            closed = Closed(code, consumable(escalation))
            return [*dismissed_again(command, escalation, now), closed]
        case EndMonitoring():
            return end_monitoring(escalation)
        case Reopen(reach):
            return reopen(escalation, now, reach)
        case Tick():
            return tick(command, escalation, now)
        case _:
            assert_never(command)


def raise_(command: Raise, now: datetime) -> list[Event]:
    crossing = Raised(**{fact.name: getattr(command, fact.name) for fact in fields(Crossing)})
    if command.historical:
        return [crossing]
    terms = command.terms or DEFAULT_TERMS
    to = terms.rungs[0].to if terms.rungs else ()
    at = command.scheduled_at or now
    raised = replace(
        crossing,
        terms=terms,
        raised_at=at,
        review_due_at=later(terms, at, terms.review_due),
        notify=to,
        respond_by=respond_by(terms, 0, at) if to else None,
        nobody_reachable=bool(to) and reaches_nobody(command.reach, to),
        scheduled_at=command.scheduled_at,
    )
    if to:
        return [raised]
    foot = from_the_foot(terms)
    return [raised, *enter(evolve(UNRAISED, raised), foot, "opened", at, command.reach, command.scheduled_at)]


def attach(command: Attach, escalation: Escalation, now: datetime) -> list[Event]:
    """A new member is told to whoever is responsible; a graver one makes everybody answer anew, without more time."""
    near_miss_id, kind, gravity = command.near_miss_id, command.kind, command.gravity
    formerly = escalation.members.get(near_miss_id)
    is_open = escalation.rest is None
    harmed = command.harmed and near_miss_id not in escalation.alarmed
    graver = is_open and (gravity > escalation.gravity or harmed)
    events: list[Event] = []
    if formerly not in ("member", kind):
        notify = escalation.responsible if is_open and kind == "member" and not graver else ()
        why = "grew" if notify else None
        events.append(MemberAdded(near_miss_id, kind, formerly, notify, why))
    if graver:
        told = tuple(dict.fromkeys((*escalation.contacts, *escalation.responsible)))
        until = escalation.ack_due_at or patience(escalation, now)
        events.append(ReAlarmed(near_miss_id, told, until, gravity=gravity or None))
    return events


def acknowledge(by: str, escalation: Escalation, now: datetime) -> list[Event]:
    if not escalation.acknowledged_by:
        return [Acknowledged(by, remind_at(escalation, now))]
    known = by in escalation.acknowledged_by  # Asking twice is not an error.
    events: list[Event] = [] if known else [AdditionallyAcknowledged(by)]
    if escalation.confirm_by is not None:
        events.append(AckConfirmed(by, remind_at(escalation, now)))
    return events


def remind_at(escalation: Escalation, now: datetime) -> datetime | None:
    """Only who has not begun yet is reminded; from then on the review's own deadline watches."""
    terms = escalation.terms
    if terms.ack_remind is None or escalation.review_begun or escalation.actions:
        return None
    return later(terms, now, terms.ack_remind)


def hand_over(command: HandOver, escalation: Escalation, now: datetime) -> list[Event]:
    to = (command.to,)
    if not command.to.strip():
        raise HandoverToNobody("Name the role or the person who is to take it on.")
    if escalation.responsible == to and escalation.snoozed_until is None:
        return []  # Theirs already, or asked already.
    nobody = reaches_nobody(command.reach, to)
    return [HandedOver(command.by, to, patience(escalation, now), nobody_reachable=nobody)]


def escalate_manually(command: EscalateManually, escalation: Escalation, now: datetime) -> list[Event]:
    if command.if_epoch != escalation.epoch:
        raise StaleEpoch(
            f"Somebody else was asked since: read the escalation again, its epoch is {escalation.epoch} now."
        )
    places = around(escalation.terms, escalation.level, escalation.loop)
    entered = enter(escalation, places, "escalated_manually", now, command.reach)
    return [EscalatedManually(command.by), *entered]


def snooze(command: Snooze, escalation: Escalation, now: datetime) -> list[Event]:
    if command.until == escalation.snoozed_until:
        return []
    if command.until <= now:
        raise Invalid(Fault("/until", "in-the-past", "Give an instant that is still to come."))
    since = escalation.snoozed_since or now
    limit = escalation.terms.max_snooze or LONGEST_SNOOZE
    if command.until > later(escalation.terms, since, limit):
        raise SnoozeTooLong(f"Let the snooze end at most {limit} after it began: nothing falls silent for longer.")
    return [Snoozed(command.until, since, command.by)]


def merge(command: Merge, escalation: Escalation) -> list[Event]:
    must_be_raised(escalation)
    if escalation.merged_into == command.into:
        return []
    if escalation.rest in (Status.HISTORICAL, Status.MERGED):
        must_be_open(escalation)
    if command.into == command.this:
        raise MergeTargetNotOpen("An escalation cannot go on in itself: name another one that is open.")
    if command.target not in OPEN:
        raise MergeTargetNotOpen(f"The escalation to merge into is {command.target}: name one that is open.")
    # One that ended before has consumed its members before.
    return [Merged(command.into, consumable(escalation) if escalation.rest is None else (), command.by)]


def reassign_policy(command: ReassignPolicy, escalation: Escalation, now: datetime) -> list[Event]:
    """The new ladder is climbed from its foot, at once. A breached review keeps its deadline, one to come moves."""
    if command.version == escalation.policy_version:
        return []
    review_due_at = escalation.review_due_at or now
    if not escalation.overdue:
        since = escalation.review_since or now
        review_due_at = max(now, later(command.terms, since, command.terms.review_due))
    reassigned = PolicyReassigned(command.version, command.terms, review_due_at, command.by)
    again = evolve(escalation, reassigned)
    return [reassigned, *enter(again, from_the_foot(command.terms), "reassigned", now, command.reach)]


def tick(command: Tick, escalation: Escalation, now: datetime) -> list[Event]:
    deadline = due(escalation, now)
    if deadline is None or (deadline.kind, deadline.due_at) != (command.kind, command.scheduled_at):
        return []  # Early, answered before, or something else comes first.
    return answer(escalation, deadline, command.reach)


def dismissed_again(command: BeginMonitoring | Close, escalation: Escalation, now: datetime) -> list[Event]:
    """What is called no pattern time and again is known to whoever stands above those who call it so."""
    if not command.dismissed_before:
        return []
    contact = contact_above(escalation.terms, escalation.level, now)
    nobody = reaches_nobody(command.reach, contact.to)
    return [DismissedAgain(command.dismissed_before + 1, contact.to, contact.level, nobody_reachable=nobody)]


def end_monitoring(escalation: Escalation) -> list[Event]:
    must_be_raised(escalation)
    if escalation.rest is Status.MONITORING_OUTCOME and escalation.closed_as is not None:
        return [Closed(escalation.closed_as, consumed=())]
    return []  # Open again since, or closed before: the last action of an open episode ends nothing.


def reopen(escalation: Escalation, now: datetime, reach: Reach) -> list[Event]:
    must_be_raised(escalation)
    if escalation.rest is Status.HISTORICAL:
        raise NotOpen("The escalation is historical and was never open: there is nothing to reopen.")
    if escalation.rest is Status.MERGED:
        must_be_open(escalation)
    if escalation.rest is None:
        return []
    reopened = Reopened(now, later(escalation.terms, now, escalation.terms.review_due))
    again = evolve(escalation, reopened)
    return [reopened, *enter(again, from_the_foot(escalation.terms), "reopened", now, reach)]


def stands(escalation: Escalation, rest: Status, code: str) -> bool:
    return escalation.rest is rest and escalation.closed_as == code


def consumable(escalation: Escalation) -> tuple[str, ...]:
    return tuple(near_miss_id for near_miss_id, standing in escalation.members.items() if standing == "member")


def must_be_raised(escalation: Escalation) -> None:
    if escalation.rest is Status.UNRAISED:
        raise NotFound("There is no escalation of this id: look for it in the list of escalations.")


def must_take_members(escalation: Escalation) -> None:
    if escalation.rest is not Status.HISTORICAL:
        must_be_open(escalation)


def must_be_open(escalation: Escalation) -> None:
    must_be_raised(escalation)
    match escalation.rest:
        case None:
            return
        case Status.HISTORICAL:
            raise NotOpen("The escalation is historical: it was found in imported history and asks nothing of anybody.")
        case Status.MERGED:
            raise NotOpen(f"The escalation was merged into {escalation.merged_into}: go on there.")
        case Status.MONITORING_OUTCOME:
            raise NotOpen(
                f"The review is closed as {escalation.closed_as}, its actions go on: reopen it to go on here."
            )
        case _:
            raise NotOpen(f"The escalation is closed as {escalation.closed_as}: reopen its review to go on with it.")
