"""The manager's review of one escalation: its causes, its risk, what is done about it, and its closing.

A review looks for what in the system let near misses repeat. So it closes only when every condition for closing is
met, and one refusal names all that are missing (S4). Closing as `not_a_pattern` or `duplicate` needs leadership's
countersignature in place of a system cause, so that nobody invents one. Only a person reopens what is closed.

Findings may be recorded before anybody has started the review: starting tells who has taken it on, it is no condition
for closing. Whoever was involved in what is reviewed does not conclude it alone: somebody of leadership who was not
stands for it too.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, assert_never

from app.domain.decider import Fault, Gate, GateNotMet, Invalid, NotFound, Refused
from app.domain.review_commands import (
    AgreeAction,
    Close,
    Command,
    ConsiderSafeguarding,
    Countersign,
    DetermineSystemRisk,
    IdentifyCauses,
    MergeInto,
    Open,
    Reopen,
    Start,
)
from app.domain.review_events import (
    CLOSURE_CODES,
    COUNTERSIGNED_CODES,
    ActionAgreed,
    Cause,
    CauseKind,
    CausesIdentified,
    Closed,
    Concern,
    Countersigned,
    Determination,
    Event,
    Merged,
    Opened,
    Reopened,
    SafeguardingConsidered,
    Started,
    SystemRiskDetermined,
)
from app.domain.sealed import SealedText

__all__ = [
    "CLOSURE_CODES", "COUNTERSIGNED_CODES", "DISMISSALS_REMEMBERED", "STAFF", "UNOPENED", "ActionAgreed",
    "AgreeAction", "AlreadyClosed", "AlreadyMerged", "Cause", "CauseKind", "CausesIdentified", "Close", "Closed",
    "Command", "Concern", "ConsiderSafeguarding", "Countersign", "Countersigned", "Determination",
    "DetermineSystemRisk", "Event", "IdentifyCauses", "MergeInto", "Merged", "Open", "Opened", "Prompt", "Reopen",
    "Reopened", "Review", "ReviewerInvolved", "SafeguardingConsidered", "Stage", "Start", "Started",
    "SystemRiskDetermined", "decide", "evolve", "must_not_be_merged", "prompts",
]  # fmt: skip
"""A review is one stream, told in one place; its commands and events lie beside this file."""

# Words

DISMISSALS_REMEMBERED = timedelta(days=90)
"""So long a closing as no pattern counts towards the next one of the same key, which goes up the ladder (S4)."""

STAFF = "staff/"
"""Stands before a person's token in the name of who acts; a key that acts for itself is nobody in particular."""


class Stage(StrEnum):
    UNOPENED = "unopened"
    OPEN = "open"
    UNDER_REVIEW = "under_review"
    CLOSED = "closed"
    MERGED = "merged"


class Prompt(NamedTuple):
    """What a review asks of whoever works on it, before anybody wants to close it."""

    code: str
    detail: str


# Refusals


class AlreadyClosed(Refused):
    """A closed review takes nothing more (409)."""

    code = "review-already-closed"


class AlreadyMerged(Refused):
    """What was merged goes on in the other review (409)."""

    code = "review-merged"


class ReviewerInvolved(Refused):
    """Who was involved in a member does not conclude its review alone (409)."""

    code = "reviewer-involved"


# State


@dataclass(frozen=True, slots=True)
class Review:
    """Findings are kept as they were last said, so that the same words said again make no event."""

    stage: Stage = Stage.UNOPENED
    causes: CausesIdentified | None = None
    system_risk: SystemRiskDetermined | None = None
    safeguarding: SafeguardingConsidered | None = None
    actions: tuple[str, ...] = ()
    countersignature: Countersigned | None = None
    closed_as: str | None = None
    merged_into: str | None = None


UNOPENED = Review()

# Decide


def decide(command: Command, review: Review, now: datetime) -> list[Event]:
    match command:
        case Open(escalation_id):
            return [Opened(escalation_id)] if review.stage is Stage.UNOPENED else []
        case Start(by):
            must_be_open(review)
            return [Started(by)] if review.stage is Stage.OPEN else []
        case IdentifyCauses(causes, known):
            must_be_open(review)
            must_be_known(causes, known)
            return unless_said(CausesIdentified(causes), review.causes)
        case DetermineSystemRisk(determination, rationale):
            must_be_open(review)
            return unless_said(SystemRiskDetermined(determination, rationale), review.system_risk)
        case ConsiderSafeguarding(considered, concern_raised, note):
            must_be_open(review)
            return unless_said(SafeguardingConsidered(considered, concern_raised, note), review.safeguarding)
        case AgreeAction(action_id):
            must_be_open(review)
            return [] if action_id in review.actions else [ActionAgreed(action_id)]
        case Countersign(by, rationale):
            must_be_open(review)
            return unless_said(Countersigned(by, rationale), review.countersignature)
        case Close():
            return close(command, review)
        case Reopen(reason, newer_episode):
            return reopen(reason, newer_episode, review)
        case MergeInto(into):
            if review.merged_into == into:
                return []
            must_not_be_merged(review)
            return [Merged(into)]  # Also once closed: beside a later episode it is merged, not reopened.
        case _:
            assert_never(command)


def close(command: Close, review: Review) -> list[Event]:
    if review.closed_as == command.code:
        return []  # Asking twice is not an error; asking for another code is.
    must_be_open(review)
    if command.code not in command.known:
        raise Invalid(unknown("/code", command.known))
    must_not_be_judged_by_the_involved(command, review)
    if gates := tuple(unmet(command, review)):
        raise GateNotMet(*gates)
    return [Closed(command.code, command.summary, command.members)]


def reopen(reason: SealedText, newer_episode: str | None, review: Review) -> list[Event]:
    must_not_be_merged(review)
    if review.stage is not Stage.CLOSED:
        return []
    if newer_episode is not None:
        detail = "A later escalation of the same key is open: merge this one into it."
        raise GateNotMet(Gate("newer_episode_open", detail, (newer_episode,)))
    return [Reopened(reason)]


def unmet(command: Close, review: Review) -> Iterator[Gate]:
    """Every condition of this closing that is not met, each with what to do about it."""
    countersigned = command.code in COUNTERSIGNED_CODES
    if not countersigned and not has_system_cause(review):
        yield Gate("no_system_cause", "Identify at least one cause of kind system.")
    if review.system_risk is None:
        yield Gate("system_risk_not_assessed", "Determine whether this is a system risk, with a rationale.")
    if not safeguarding_is_considered(review):
        yield Gate("safeguarding_not_considered", "Consider safeguarding, and say whether a concern was raised.")
    if command.unlinked:
        detail = "Link these near misses to the workflow stage that allowed them; unknown identifies none."
        yield Gate("workflow_stage_not_identified", detail, command.unlinked)
    if command.unmapped:
        detail = "Map these near misses against scheduling, staff allocation and travel time."
        yield Gate("not_mapped", detail, command.unmapped)
    if not review.actions:
        yield from actions_owed(command.code, review)
    if countersigned and review.countersignature is None:
        detail = f"Closing as {command.code} needs leadership's countersignature, with a rationale."
        yield Gate("countersignature_missing", detail)


def actions_owed(code: str, review: Review) -> Iterator[Gate]:
    """Why a review without any action needs one: a system risk comes first, then the code that promises one."""
    if review.system_risk is not None and review.system_risk.determination == "system_risk":
        yield Gate("no_action_for_system_risk", "Agree at least one action with an owner and a due date.")
    elif code == "action_agreed":
        yield Gate("no_action_agreed", "Agree at least one action, or close with another code.")


def prompts(review: Review) -> tuple[Prompt, ...]:
    """What is asked from the start of a review on, until it is done; nothing of one that has ended (S4)."""
    if review.stage not in (Stage.OPEN, Stage.UNDER_REVIEW) or safeguarding_is_considered(review):
        return ()
    detail = "Consider whether these concerns, each of them low, together meet the safeguarding threshold; record it."
    return (Prompt("safeguarding", detail),)


def safeguarding_is_considered(review: Review) -> bool:
    return review.safeguarding is not None and review.safeguarding.considered


def has_system_cause(review: Review) -> bool:
    return review.causes is not None and any(cause.kind == "system" for cause in review.causes.causes)


def unless_said(event: Event, said: Event | None) -> list[Event]:
    return [] if event == said else [event]


def must_be_opened(review: Review) -> None:
    if review.stage is Stage.UNOPENED:
        raise NotFound("There is no review of this id: look for it in the list of reviews.")


def must_not_be_merged(review: Review) -> None:
    must_be_opened(review)
    if review.stage is Stage.MERGED:
        raise AlreadyMerged(f"The review was merged: go on in the review {review.merged_into}.")


def must_be_open(review: Review) -> None:
    must_not_be_merged(review)
    if review.stage is Stage.CLOSED:
        raise AlreadyClosed(f"The review is closed as {review.closed_as}: reopen it, with a reason, to go on with it.")


def must_not_be_judged_by_the_involved(command: Close, review: Review) -> None:
    if not is_involved(command.by, command.involved):
        return
    signed = review.countersignature
    if signed is None or is_involved(signed.by, command.involved):
        raise ReviewerInvolved(
            "You were involved in what is reviewed: have somebody of leadership who was not countersign it first."
        )


def is_involved(actor: str, involved: frozenset[str]) -> bool:
    return actor.startswith(STAFF) and actor.removeprefix(STAFF) in involved


def must_be_known(causes: tuple[Cause, ...], known: frozenset[str]) -> None:
    faults = [unknown(f"/causes/{n}/code", known) for n, cause in enumerate(causes) if cause.code not in known]
    if faults:
        raise Invalid(*faults)


def unknown(pointer: str, known: frozenset[str]) -> Fault:
    return Fault(pointer, "unknown-code", f"Use a code of the taxonomy: {', '.join(sorted(known))}.")


# Evolve


def evolve(review: Review, event: Event) -> Review:
    match event:
        case Opened():
            return replace(review, stage=Stage.OPEN)
        case Started():
            return replace(review, stage=Stage.UNDER_REVIEW)
        case CausesIdentified():
            return replace(review, causes=event)
        case SystemRiskDetermined():
            return replace(review, system_risk=event)
        case SafeguardingConsidered():
            return replace(review, safeguarding=event)
        case ActionAgreed(action_id):
            return replace(review, actions=(*review.actions, action_id))
        case Countersigned():
            return replace(review, countersignature=event)
        case Closed(code):
            return replace(review, stage=Stage.CLOSED, closed_as=code)
        case Reopened():
            # A countersignature stands for one closing; the findings stay.
            return replace(review, stage=Stage.UNDER_REVIEW, countersignature=None, closed_as=None)
        case Merged(into):
            return replace(review, stage=Stage.MERGED, closed_as=None, merged_into=into)
        case _:
            assert_never(event)
