"""What is told of a governance review, for ever: what it saw when it was opened, and what leadership made of that.

The snapshot stands in the event that opens the review: it is frozen, and the ledger up to its `as_of_sequence` gives
the same again. Words of people are sealed before they come here.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from app.domain.sealed import Reference, SealedText

# Words

Determination = Literal["emerging_risk", "no_emerging_risk"]

# Events


@dataclass(frozen=True, slots=True)
class Opened:
    """A review of a period (`since` to before `until`: as given, and the instants) and of services, of all when none
    is named; those of a locality count for it as long as they belong to it. `snapshot`: see `governance_snapshot`.
    """

    title: str
    since: str
    until: str
    since_at: datetime
    until_at: datetime
    chair: Reference
    snapshot: dict[str, Any]
    services: tuple[str, ...] = ()
    localities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ActionRecommended:
    """What is to change. With an owner and a due date it is followed up, as the action of `action_id`."""

    description: SealedText
    owner: Reference | None = None
    due: str | None = None
    due_at: datetime | None = None
    action_id: str | None = None


@dataclass(frozen=True, slots=True)
class NoneRecommended:
    """Nothing is to change, and why."""

    reason: SealedText


@dataclass(frozen=True, slots=True)
class Decided:
    """`cites`: ids of near misses, escalations, reviews, actions and signals, or `snapshot`."""

    text: SealedText
    cites: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Assessed:
    """Whether the patterns indicate an emerging risk, and whether it requires intervention (S14)."""

    determination: Determination
    intervention_required: bool
    rationale: SealedText


@dataclass(frozen=True, slots=True)
class Minuted:
    """The minutes, and who was there; they replace the former ones."""

    text: SealedText
    present: tuple[Reference, ...]


@dataclass(frozen=True, slots=True)
class Overdue:
    """The cadence of the organisation's reviews was missed while this one was open."""

    scheduled_at: datetime


@dataclass(frozen=True, slots=True)
class Closed:
    """`cited`: all that its decisions cite."""

    summary: SealedText
    cited: tuple[str, ...] = ()


Event = Opened | ActionRecommended | NoneRecommended | Decided | Assessed | Minuted | Overdue | Closed
