"""A governance review of leadership: a period and its services, what the service saw there, and what was decided on it.

It closes only when every condition is met, and one refusal names all that are missing: an assessment, a decision that
rests on records, an action or the reason for none, minutes, and nothing of the period left out (S12–S15). What is said
twice in the same words is said once; nobody reopens what is closed, the next review goes on with it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import assert_never

from app.domain.decider import Fault, Gate, GateNotMet, Invalid, NotFound, Refused
from app.domain.governance_commands import (
    Assess,
    Close,
    Command,
    Decide,
    MarkOverdue,
    Matter,
    Minute,
    Open,
    RecommendAction,
    RecommendNone,
)
from app.domain.governance_events import (
    ActionRecommended,
    Assessed,
    Closed,
    Decided,
    Determination,
    Event,
    Minuted,
    NoneRecommended,
    Opened,
    Overdue,
)
from app.domain.ladder import Rung, Terms
from app.domain.sealed import SealedText

__all__ = [
    "SNAPSHOT", "TERMS", "UNOPENED", "ActionRecommended", "Assess", "Assessed", "Close", "Closed", "Command", "Decide",
    "Decided", "Determination", "Event", "MarkOverdue", "Matter", "Minute", "Minuted", "NoneRecommended", "NotOpen",
    "Open", "Opened", "Overdue", "RecommendAction", "RecommendNone", "Review", "Stage", "decide", "evolve",
]  # fmt: skip
"""A review is one stream, told in one place; its commands and events lie beside this file."""

# Words

SNAPSHOT = "snapshot"
"""What a decision cites that rests on the snapshot as a whole: a quiet period is a finding too."""

TERMS = Terms((Rung(("leadership",), "P7D"),))
"""Whom an action climbs to that leadership agreed on: leadership itself, then the backstop."""


class Stage(StrEnum):
    UNOPENED = "unopened"
    OPEN = "open"
    OVERDUE = "overdue"
    CLOSED = "closed"


# Refusals


class NotOpen(Refused):
    """A closed review takes nothing more (409)."""

    code = "governance-review-not-open"


# State


@dataclass(frozen=True, slots=True)
class Review:
    """What was said is kept as it was said, so that the same words said again make no event."""

    stage: Stage = Stage.UNOPENED
    opened: Opened | None = None
    recommended: tuple[ActionRecommended, ...] = ()
    none_recommended: NoneRecommended | None = None
    decisions: tuple[Decided, ...] = ()
    assessment: Assessed | None = None
    minutes: Minuted | None = None
    closed: Closed | None = None

    @property
    def cited(self) -> frozenset[str]:
        """All that any decision cites."""
        return frozenset(cite for one in self.decisions for cite in one.cites)


UNOPENED = Review()

# Decide


def decide(command: Command, review: Review, now: datetime) -> list[Event]:
    match command:
        case Open(opened):
            must_not_end_before_it_starts(opened)
            return [opened] if review.stage is Stage.UNOPENED else []
        case RecommendAction(recommended):
            must_be_open(review)
            return [] if is_recommended(recommended, review) else [recommended]
        case RecommendNone(reason):
            must_be_open(review)
            return unless_said(NoneRecommended(reason), review.none_recommended)
        case Decide(text, cites, known):
            must_be_open(review)
            must_exist(cites, known)
            decided = Decided(text, cites)
            return [] if decided in review.decisions else [decided]
        case Assess(determination, intervention_required, rationale):
            must_be_open(review)
            return unless_said(Assessed(determination, intervention_required, rationale), review.assessment)
        case Minute(text, present):
            must_be_open(review)
            return unless_said(Minuted(text, present), review.minutes)
        case MarkOverdue(scheduled_at):
            return [Overdue(scheduled_at)] if review.stage is Stage.OPEN else []
        case Close():
            return close(command, review)
        case _:
            assert_never(command)


def close(command: Close, review: Review) -> list[Event]:
    if review.closed is not None and review.closed.summary == command.summary:
        return []  # Asking twice is not an error.
    must_be_open(review)
    if gates := tuple(unmet(command, review)):
        raise GateNotMet(*gates)
    return [Closed(command.summary, tuple(sorted(review.cited)))]


def unmet(command: Close, review: Review) -> Iterator[Gate]:
    """Every condition of closing that is not met, each with what to do about it."""
    if review.assessment is None:
        detail = "Assess whether the patterns indicate an emerging risk that requires intervention, with a rationale."
        yield Gate("emerging_risk_not_assessed", detail)
    if not review.decisions:
        yield Gate("no_decision", "Record at least one decision, with the records that it rests on.")
    elif not review.cited:
        detail = "Cite in a decision the near misses, escalations, reviews, actions or signals, or the snapshot."
        yield Gate("decision_cites_nothing", detail)
    if not review.recommended and review.none_recommended is None:
        yield Gate("no_recommended_action", "Recommend an action, or say that there is none, and why.")
    if review.minutes is None:
        yield Gate("minutes_missing", "Record the minutes, and who was present.")
    if left_out := tuple(one.id for one in command.escalations if one.cited_as.isdisjoint(review.cited)):
        detail = "Cite each escalation of the period in a decision: itself, its review or one of its members."
        yield Gate("escalation_not_considered", detail, left_out)
    if unheard := tuple(one for one in command.signals if one not in review.cited):
        detail = "Cite each of these signals in a decision, or have it answered: nobody has acknowledged it yet."
        yield Gate("signal_not_considered", detail, unheard)
    followed_up = (one.action_id for one in review.recommended if one.owner and one.due)
    if requires_intervention(review) and all(one in command.cancelled for one in followed_up):
        detail = "An intervention needs a recommended action with an owner and a due date that was not cancelled."
        yield Gate("intervention_without_action", detail)


def requires_intervention(review: Review) -> bool:
    return review.assessment is not None and review.assessment.intervention_required


def is_recommended(recommended: ActionRecommended, review: Review) -> bool:
    """Whether the same was recommended before, under whichever id it is followed up."""
    return any(replace(one, action_id=recommended.action_id) == recommended for one in review.recommended)


def unless_said(event: Event, said: Event | None) -> list[Event]:
    return [] if event == said else [event]


def must_not_end_before_it_starts(opened: Opened) -> None:
    if opened.until_at <= opened.since_at:
        raise Invalid(Fault("/to", "out-of-order", "Give an end of the period that comes after its start."))


def must_exist(cites: tuple[str, ...], known: frozenset[str]) -> None:
    detail = "Cite what exists: ids of near misses, escalations, reviews, actions and signals, or `snapshot`."
    faults = [
        Fault(f"/cites/{n}", "unknown-id", detail)
        for n, cite in enumerate(cites)
        if cite != SNAPSHOT and cite not in known
    ]
    if faults:
        raise Invalid(*faults)


def must_be_open(review: Review) -> None:
    if review.stage is Stage.UNOPENED:
        raise NotFound("There is no governance review of this id: look for it in the list of governance reviews.")
    if review.stage is Stage.CLOSED:
        raise NotOpen("The governance review is closed: open the next one, and go on there.")


def words_said(review: Review) -> Iterator[SealedText]:
    """Every text that was recorded, so that the same words are known again however they are sealed."""
    yield from (one.description for one in review.recommended)
    yield from (one.text for one in review.decisions)
    for said in (review.none_recommended, review.assessment, review.minutes, review.closed):
        match said:
            case NoneRecommended(reason):
                yield reason
            case Assessed(rationale=rationale):
                yield rationale
            case Minuted(text):
                yield text
            case Closed(summary):
                yield summary
            case None:
                pass


# Evolve


def evolve(review: Review, event: Event) -> Review:
    match event:
        case Opened():
            return replace(review, stage=Stage.OPEN, opened=event)
        case ActionRecommended():
            return replace(review, recommended=(*review.recommended, event))
        case NoneRecommended():
            return replace(review, none_recommended=event)
        case Decided():
            return replace(review, decisions=(*review.decisions, event))
        case Assessed():
            return replace(review, assessment=event)
        case Minuted():
            return replace(review, minutes=event)
        case Overdue():
            return replace(review, stage=Stage.OVERDUE)
        case Closed():
            return replace(review, stage=Stage.CLOSED, closed=event)
        case _:
            assert_never(event)
