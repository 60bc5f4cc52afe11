"""What is told of a manager's review, for ever: its findings as they were last said, and how it ended.

A finding recorded again replaces the former one. Words of people are sealed before they come here.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from app.domain.sealed import SealedText

# Words

CauseKind = Literal["system", "individual"]
Determination = Literal["system_risk", "not_system_risk"]

CLOSURE_CODES = frozenset({"action_agreed", "no_action_needed", "not_a_pattern", "duplicate"})
COUNTERSIGNED_CODES = frozenset({"not_a_pattern", "duplicate"})


@dataclass(frozen=True, slots=True)
class Cause:
    """A coded cause; the note says how it showed itself here."""

    code: str
    kind: CauseKind
    note: SealedText | None = None


@dataclass(frozen=True, slots=True)
class Concern:
    """A safeguarding concern that was raised: to whom, under which reference of theirs, and when."""

    to: SealedText
    reference: SealedText
    at: datetime


# Events


@dataclass(frozen=True, slots=True)
class Opened:
    escalation_id: str


@dataclass(frozen=True, slots=True)
class Started:
    by: str


@dataclass(frozen=True, slots=True)
class CausesIdentified:
    causes: tuple[Cause, ...]


@dataclass(frozen=True, slots=True)
class SystemRiskDetermined:
    determination: Determination
    rationale: SealedText


@dataclass(frozen=True, slots=True)
class SafeguardingConsidered:
    considered: bool
    concern_raised: Concern | None = None
    note: SealedText | None = None


@dataclass(frozen=True, slots=True)
class ActionAgreed:
    action_id: str


@dataclass(frozen=True, slots=True)
class Countersigned:
    by: str
    rationale: SealedText


@dataclass(frozen=True, slots=True)
class Closed:
    code: str
    summary: SealedText
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reopened:
    reason: SealedText


@dataclass(frozen=True, slots=True)
class Merged:
    """It goes on in another review, whose id this is."""

    into: str


Event = (
    Opened
    | Started
    | CausesIdentified
    | SystemRiskDetermined
    | SafeguardingConsidered
    | ActionAgreed
    | Countersigned
    | Closed
    | Reopened
    | Merged
)
