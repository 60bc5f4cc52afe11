"""An action that a review agreed, or leadership: what is to change, who owns it, and by when; then what came of it.

An action is never anonymous and never undated, for what nobody owns is not done. Only a person completes or cancels it:
one that is overdue climbs the ladder of its review, level by level, until somebody does. Whether it worked is asked
apart from whether it was done.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, assert_never

from app.domain.chase import MOST_AT_ONCE, Overdue
from app.domain.decider import NotFound, Refused
from app.domain.ladder import DEFAULT_TERMS, Reach, Terms, Why, contact_above, reaches_nobody
from app.domain.sealed import Reference, SealedText

# Words

Method = Literal["audit", "observation", "supervision"]

# Commands


@dataclass(frozen=True, slots=True)
class Agree:
    """`due` is the date or instant as it was given, `due_at` the instant it stands for; `terms`: the escalation's."""

    review_id: str
    description: SealedText
    owner: Reference
    due: str
    due_at: datetime
    terms: Terms | None = None
    governance_review_id: str | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    note: SealedText
    by: str


@dataclass(frozen=True, slots=True)
class Complete:
    """Done, and in effect from a date or instant (as given, and the instant it stands for) that may have passed."""

    effective_from: str
    effective_at: datetime
    evidence: SealedText
    by: str


@dataclass(frozen=True, slots=True)
class Cancel:
    reason: SealedText
    by: str


@dataclass(frozen=True, slots=True)
class CheckEffectiveness:
    """How it was looked at whether the action works, what was found, by whom and when."""

    method: Method
    result: SealedText
    by: Reference
    at: datetime


@dataclass(frozen=True, slots=True)
class Tick:
    """The timer asks: only if this is what is due does anything follow."""

    scheduled_at: datetime
    reach: Reach = field(default_factory=dict[str, tuple[str, ...]])


Command = Agree | Progress | Complete | Cancel | CheckEffectiveness | Tick

# Events


@dataclass(frozen=True, slots=True)
class Agreed:
    """`late_from`: when it was agreed, if it was due before: nobody is late with what nobody had agreed on.

    `review_id` is empty where leadership agreed on it, in the governance review of `governance_review_id`.
    """

    review_id: str
    description: SealedText
    owner: Reference
    due: str
    due_at: datetime
    terms: Terms | None = None
    late_from: datetime | None = None
    governance_review_id: str | None = None


@dataclass(frozen=True, slots=True)
class Progressed:
    note: SealedText
    by: str


@dataclass(frozen=True, slots=True)
class Completed:
    effective_from: str
    effective_at: datetime
    evidence: SealedText
    by: str


@dataclass(frozen=True, slots=True)
class Cancelled:
    reason: SealedText
    by: str


@dataclass(frozen=True, slots=True)
class EffectivenessChecked:
    method: Method
    result: SealedText
    by: Reference
    at: datetime


@dataclass(frozen=True, slots=True)
class ActionOverdue(Overdue):
    """Not done by its deadline, `times` by now: the owner is told, and with `notify` each time somebody higher.

    `level` is the rung that is told, None for the backstop. `respond_by`: the next deadline.
    """

    why: Why = "action_overdue"


Event = Agreed | Progressed | Completed | Cancelled | EffectivenessChecked | ActionOverdue

# Refusals


class NotOpen(Refused):
    """What is completed or cancelled takes no more progress and no other end (409)."""

    code = "action-not-open"


class NotCompleted(Refused):
    """Whether an action works is seen once it is done (409)."""

    code = "action-not-completed"


# State


@dataclass(frozen=True, slots=True)
class Action:
    """`ended` is how it was completed or cancelled; what was said last is kept, so that saying it again is no event."""

    agreed: bool = False
    terms: Terms = DEFAULT_TERMS
    asked_at: datetime | None = None
    overdue: int = 0
    told_up_to: int = -1
    progress: Progressed | None = None
    ended: Completed | Cancelled | None = None
    checks: tuple[EffectivenessChecked, ...] = ()

    @property
    def due_at(self) -> datetime | None:
        """The next deadline, as long as the action is open."""
        return self.asked_at if self.ended is None else None

    @property
    def status(self) -> Literal["open", "overdue", "completed", "cancelled"]:
        match self.ended:
            case Completed():
                return "completed"
            case Cancelled():
                return "cancelled"
            case None:
                return "overdue" if self.overdue else "open"


UNAGREED = Action()

# Decide


def decide(command: Command, action: Action, now: datetime) -> list[Event]:
    match command:
        case Agree(review_id, description, owner, due, due_at, terms, governance_review_id):
            late = now if due_at < now else None
            agreed = Agreed(review_id, description, owner, due, due_at, terms, late, governance_review_id)
            return [] if action.agreed else [agreed]
        case Progress(note, by):
            must_be_open(action)
            return unless_said(Progressed(note, by), action.progress)
        case Complete(effective_from, effective_at, evidence, by):
            return end(Completed(effective_from, effective_at, evidence, by), action)
        case Cancel(reason, by):
            return end(Cancelled(reason, by), action)
        case CheckEffectiveness(method, result, by, at):
            must_be_agreed(action)
            if not isinstance(action.ended, Completed):
                raise NotCompleted("Complete the action first: then look at whether it works.")
            check = EffectivenessChecked(method, result, by, at)
            return [] if check in action.checks else [check]
        case Tick(scheduled_at, reach):
            asked = action.due_at == scheduled_at and scheduled_at <= now
            return [overdue(action, scheduled_at, reach)] if asked else []
        case _:
            assert_never(command)


def run_due(action: Action, now: datetime, reach: Reach, most: int = MOST_AT_ONCE) -> tuple[Action, list[Event]]:
    """All that is due by now, each as of the instant it was scheduled for, and where the action stands after it."""
    events: list[Event] = []
    while len(events) < most and action.due_at is not None and action.due_at <= now:
        event = overdue(action, action.due_at, reach)
        action = evolve(action, event)
        events.append(event)
    return action, events


def overdue(action: Action, at: datetime, reach: Reach) -> ActionOverdue:
    contact = contact_above(action.terms, action.told_up_to, at)
    return ActionOverdue(
        action.overdue + 1,
        contact.to,
        contact.respond_by,
        at,
        contact.level,
        nobody_reachable=reaches_nobody(reach, contact.to),
    )


def end(event: Completed | Cancelled, action: Action) -> list[Event]:
    if event == action.ended:
        return []  # Asking twice is not an error; asking for another end is.
    must_be_open(action)
    return [event]


def unless_said(event: Event, said: Event | None) -> list[Event]:
    return [] if event == said else [event]


def must_be_agreed(action: Action) -> None:
    if not action.agreed:
        raise NotFound("There is no action of this id: look for it in the list of actions.")


def must_be_open(action: Action) -> None:
    must_be_agreed(action)
    if action.ended is not None:
        raise NotOpen(f"The action is {action.status}: agree on another one in a review that is open.")


# Evolve


def evolve(action: Action, event: Event) -> Action:
    match event:
        case Agreed(due_at=due_at, terms=terms, late_from=late_from):
            return replace(action, agreed=True, terms=terms or DEFAULT_TERMS, asked_at=late_from or due_at)
        case Progressed():
            return replace(action, progress=event)
        case Completed() | Cancelled():
            return replace(action, ended=event)
        case EffectivenessChecked():
            return replace(action, checks=(*action.checks, event))
        case ActionOverdue(times, _, respond_by, _, level):
            told = len(action.terms.rungs) if level is None else level
            return replace(action, asked_at=respond_by, overdue=times, told_up_to=told)
        case _:
            assert_never(event)
