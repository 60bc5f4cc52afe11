"""What can be asked of a manager's review."""

from dataclasses import dataclass

from app.domain.review_events import CLOSURE_CODES, Cause, Concern, Determination
from app.domain.sealed import SealedText


@dataclass(frozen=True, slots=True)
class Open:
    escalation_id: str


@dataclass(frozen=True, slots=True)
class Start:
    by: str


@dataclass(frozen=True, slots=True)
class IdentifyCauses:
    """All causes at once; `known` are the cause codes of the taxonomy in force."""

    causes: tuple[Cause, ...]
    known: frozenset[str]


@dataclass(frozen=True, slots=True)
class DetermineSystemRisk:
    determination: Determination
    rationale: SealedText


@dataclass(frozen=True, slots=True)
class ConsiderSafeguarding:
    considered: bool
    concern_raised: Concern | None = None
    note: SealedText | None = None


@dataclass(frozen=True, slots=True)
class AgreeAction:
    action_id: str


@dataclass(frozen=True, slots=True)
class Countersign:
    by: str
    rationale: SealedText


@dataclass(frozen=True, slots=True)
class Close:
    """Conclude the review of `members`, told from outside which of them lack what.

    `unlinked`: ids without an identified stage that allowed the near miss (`unknown` identifies none);
    `unmapped`: ids not mapped against scheduling, staff allocation and travel time;
    `by`: who closes it; `involved`: tokens of the staff who were involved in any of them, or in what is related;
    `known`: the closure codes of the taxonomy in force.
    """

    code: str
    summary: SealedText
    unlinked: tuple[str, ...]
    unmapped: tuple[str, ...]
    members: tuple[str, ...]
    by: str
    involved: frozenset[str] = frozenset()
    known: frozenset[str] = CLOSURE_CODES


@dataclass(frozen=True, slots=True)
class Reopen:
    """`newer_episode`: the id of a later escalation of the same key that is open, if there is one."""

    reason: SealedText
    newer_episode: str | None = None


@dataclass(frozen=True, slots=True)
class MergeInto:
    """Its escalation goes on in another one; `into` is the review of that."""

    into: str


Command = (
    Open
    | Start
    | IdentifyCauses
    | DetermineSystemRisk
    | ConsiderSafeguarding
    | AgreeAction
    | Countersign
    | Close
    | Reopen
    | MergeInto
)
