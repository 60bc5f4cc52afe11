"""An action that a review agreed: what is to change, who owns it, and by when.

An action is never anonymous and never undated, for what nobody owns is not done.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from app.domain.sealed import Reference, SealedText

# Commands


@dataclass(frozen=True, slots=True)
class Agree:
    """`due` is the date or the instant as it was given, `due_at` the instant it stands for."""

    review_id: str
    description: SealedText
    owner: Reference
    due: str
    due_at: datetime


Command = Agree

# Events


@dataclass(frozen=True, slots=True)
class Agreed:
    review_id: str
    description: SealedText
    owner: Reference
    due: str
    due_at: datetime


Event = Agreed

# State


@dataclass(frozen=True, slots=True)
class Action:
    agreed: bool = False


UNAGREED = Action()

# Decide


def decide(command: Command, action: Action, now: datetime) -> list[Event]:
    match command:
        case Agree(review_id, description, owner, due, due_at):
            return [] if action.agreed else [Agreed(review_id, description, owner, due, due_at)]
        case _:
            assert_never(command)


# Evolve


def evolve(action: Action, event: Event) -> Action:
    match event:
        case Agreed():
            return replace(action, agreed=True)
        case _:
            assert_never(event)
