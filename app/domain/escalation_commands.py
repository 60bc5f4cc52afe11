"""What can be asked of an escalation. `reach`, where people may be told, says who holds which role at that moment."""

from dataclasses import dataclass, field
from datetime import datetime

from app.domain.escalation_events import Crossing, MemberKind
from app.domain.escalation_state import Status
from app.domain.ladder import DeadlineKind, Reach, Terms


@dataclass(frozen=True, slots=True)
class Raise(Crossing):
    """`scheduled_at`: when the timer was due that raises it, so that its ladder begins then."""

    scheduled_at: datetime | None = None
    reach: Reach = field(default_factory=dict[str, tuple[str, ...]])


@dataclass(frozen=True, slots=True)
class Attach:
    """A near miss found inside a qualifying window, or related to them; never makes a member less than it is.

    Where it is graver (`gravity`, 0 to 3) than what people were told of, they are asked again; where harm was done
    (`harmed`), whatever they were told of, once.
    """

    near_miss_id: str
    kind: MemberKind
    gravity: int = 0
    harmed: bool = False


@dataclass(frozen=True, slots=True)
class Demote:
    """A correction took a member out of every qualifying window."""

    near_miss_id: str


@dataclass(frozen=True, slots=True)
class WithdrawMember:
    """A near miss was withdrawn, found to be a duplicate, or corrected to another key."""

    near_miss_id: str


@dataclass(frozen=True, slots=True)
class LoseSupport:
    pass


@dataclass(frozen=True, slots=True)
class RegainSupport:
    pass


@dataclass(frozen=True, slots=True)
class Acknowledge:
    by: str


@dataclass(frozen=True, slots=True)
class HandOver:
    """To a role or to a person, who is to acknowledge it."""

    to: str
    by: str
    reach: Reach = field(default_factory=dict[str, tuple[str, ...]])


@dataclass(frozen=True, slots=True)
class EscalateManually:
    """To the next level, now. `if_epoch`: as it was seen, so that two who press at once climb one level, not two."""

    if_epoch: int
    by: str
    reach: Reach = field(default_factory=dict[str, tuple[str, ...]])


@dataclass(frozen=True, slots=True)
class FailContact:
    """The message that tells of a level, entered in a round of the ladder, reaches nobody."""

    level: int
    loop: int
    endpoint_id: str
    attempts: int
    reach: Reach = field(default_factory=dict[str, tuple[str, ...]])


@dataclass(frozen=True, slots=True)
class Snooze:
    until: datetime
    by: str


@dataclass(frozen=True, slots=True)
class Merge:
    """The escalation `this` goes on in another, `into`; `target` is how that one stands."""

    this: str
    into: str
    target: Status
    by: str


@dataclass(frozen=True, slots=True)
class ReassignPolicy:
    """`terms`: what the escalation's rule says in that version."""

    version: int
    terms: Terms
    by: str
    reach: Reach = field(default_factory=dict[str, tuple[str, ...]])


@dataclass(frozen=True, slots=True)
class BeginReview:
    by: str


@dataclass(frozen=True, slots=True)
class AgreeAction:
    action_id: str


@dataclass(frozen=True, slots=True)
class BeginMonitoring:
    """The review closed as `code` while actions are open.

    `dismissed_before`: when that says it was no pattern, how many other episodes of the key were closed so of late.
    """

    code: str
    dismissed_before: int = 0
    reach: Reach = field(default_factory=dict[str, tuple[str, ...]])


@dataclass(frozen=True, slots=True)
class EndMonitoring:
    """The last open action was completed or cancelled."""


@dataclass(frozen=True, slots=True)
class Close:
    """The review closed as `code` and no action is open; the rest as in `BeginMonitoring`."""

    code: str
    dismissed_before: int = 0
    reach: Reach = field(default_factory=dict[str, tuple[str, ...]])


@dataclass(frozen=True, slots=True)
class Reopen:
    """The review was reopened."""

    reach: Reach = field(default_factory=dict[str, tuple[str, ...]])


@dataclass(frozen=True, slots=True)
class Tick:
    """A timer asks: only if this is what is due next does anything follow."""

    kind: DeadlineKind
    scheduled_at: datetime
    reach: Reach = field(default_factory=dict[str, tuple[str, ...]])


Command = (
    Raise
    | Attach
    | Demote
    | WithdrawMember
    | LoseSupport
    | RegainSupport
    | Acknowledge
    | HandOver
    | EscalateManually
    | FailContact
    | Snooze
    | Merge
    | ReassignPolicy
    | BeginReview
    | AgreeAction
    | BeginMonitoring
    | EndMonitoring
    | Close
    | Reopen
    | Tick
)
