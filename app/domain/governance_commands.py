"""What can be asked of a governance review."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from app.domain.governance_events import ActionRecommended, Determination, Opened
from app.domain.sealed import Reference, SealedText


class Matter(NamedTuple):
    """What a review has to consider, and all the ids by which a decision can cite it."""

    id: str
    cited_as: frozenset[str]


@dataclass(frozen=True, slots=True)
class Open:
    opened: Opened


@dataclass(frozen=True, slots=True)
class RecommendAction:
    recommended: ActionRecommended


@dataclass(frozen=True, slots=True)
class RecommendNone:
    reason: SealedText


@dataclass(frozen=True, slots=True)
class Decide:
    """`known`: those of the cited ids that exist."""

    text: SealedText
    cites: tuple[str, ...]
    known: frozenset[str]


@dataclass(frozen=True, slots=True)
class Assess:
    determination: Determination
    intervention_required: bool
    rationale: SealedText


@dataclass(frozen=True, slots=True)
class Minute:
    text: SealedText
    present: tuple[Reference, ...]


@dataclass(frozen=True, slots=True)
class MarkOverdue:
    scheduled_at: datetime


@dataclass(frozen=True, slots=True)
class Close:
    """`escalations`: those of its period and services, of the snapshot and since; `signals`: ids of those that the
    snapshot shows unanswered and that are unanswered still; `cancelled`: of the recommended actions.
    """

    summary: SealedText
    escalations: tuple[Matter, ...] = ()
    signals: tuple[str, ...] = ()
    cancelled: frozenset[str] = frozenset()


Command = Open | RecommendAction | RecommendNone | Decide | Assess | Minute | MarkOverdue | Close
