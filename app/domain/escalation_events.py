"""What is told of an escalation, for ever: each event says what changed and, if people are told, whom and why.

Where people are told, `notify` names them (roles or references), `why` says what for, and `respond_by` until when an
answer is waited for. What a timer made carries `scheduled_at`, the instant that it was due, however late it was run.
Every deadline is written down as the instant it was worked out to be, so that reading it back needs no calendar.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from app.domain.ladder import Terms, Why

# Words

KeyPart = str | int | float | None
MemberKind = Literal["member", "related"]
Standing = Literal["member", "related", "withdrawn"]


@dataclass(frozen=True, slots=True)
class Member:
    """A near miss inside a qualifying window (member), or of the same key outside of every one (related)."""

    near_miss_id: str
    kind: MemberKind


@dataclass(frozen=True, slots=True)
class Crossing:
    """A rule's threshold reached for one key, and how it was found.

    `key` is (field, value) in the rule's order, `key_text` its canonical JSON identity, `window` an ISO 8601 duration.
    `crossed_at` is when the window was full; `detection_delay` (ISO 8601) is how much later that came to be known.
    `historical`: found in imported history, so that it has no review and climbs no ladder. `terms` are those of the
    rule's ladder; without them the default ladder is climbed. `gravity` (0 to 3): of its gravest member.
    """

    rule_id: str
    policy_version: int
    key: tuple[tuple[str, KeyPart], ...]
    key_text: str
    threshold: int
    window: str
    members: tuple[Member, ...]
    crossed_at: datetime
    service_id: str | None = None
    review_id: str | None = None
    previous_episode_id: str | None = None
    detected_late: bool = False
    detection_delay: str | None = None
    historical: bool = False
    terms: Terms | None = None
    gravity: int | None = None


# Events of members


@dataclass(frozen=True, slots=True)
class Raised(Crossing):
    """The contact of level 0; where the first rung names nobody, `notify` is empty and what follows tells whom."""

    raised_at: datetime | None = None
    review_due_at: datetime | None = None
    notify: tuple[str, ...] = ()
    why: Why = "opened"
    respond_by: datetime | None = None
    nobody_reachable: bool = False
    scheduled_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class MemberAdded:
    """Added, promoted from related, or back again: `formerly` is what it was before, if it was anything.

    A new member is told to whoever is responsible; what is only related, or re-alarms anyhow, is not.
    """

    near_miss_id: str
    kind: MemberKind
    formerly: Standing | None = None
    notify: tuple[str, ...] = ()
    why: Why | None = None


@dataclass(frozen=True, slots=True)
class MemberDemoted:
    """From member to related."""

    near_miss_id: str


@dataclass(frozen=True, slots=True)
class MemberWithdrawn:
    near_miss_id: str


@dataclass(frozen=True, slots=True)
class SupportLost:
    pass


@dataclass(frozen=True, slots=True)
class SupportRegained:
    pass


# Events of asking


@dataclass(frozen=True, slots=True)
class LevelEntered:
    """A rung is asked, and nobody has acknowledged any more. `loop` counts the rounds before this one."""

    level: int
    loop: int
    notify: tuple[str, ...]
    why: Why
    respond_by: datetime
    nobody_reachable: bool = False
    scheduled_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class StepSkipped:
    """A rung that names nobody could not be asked."""

    level: int
    scheduled_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AckOverdue:
    """Nobody of this level answered in time."""

    level: int
    scheduled_at: datetime


@dataclass(frozen=True, slots=True)
class ChainExhausted:
    """No rung is left, so the backstop is asked, `times` of them by now."""

    times: int
    notify: tuple[str, ...]
    respond_by: datetime
    why: Why = "chain_exhausted"
    nobody_reachable: bool = False
    scheduled_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ContactFailed:
    """Whoever this level asks could not be told: the message to their endpoint failed so many times, or was not even
    tried (0), because the endpoint is held or fails to take what comes before it.
    """

    level: int
    endpoint_id: str
    attempts: int


@dataclass(frozen=True, slots=True)
class EscalatedManually:
    by: str


@dataclass(frozen=True, slots=True)
class HandedOver:
    """To somebody who is to acknowledge in turn."""

    by: str
    notify: tuple[str, ...]
    respond_by: datetime
    why: Why = "handed_over"
    nobody_reachable: bool = False


@dataclass(frozen=True, slots=True)
class ReAlarmed:
    """A graver near miss came to it: what was acknowledged or snoozed is to be acknowledged again."""

    near_miss_id: str
    notify: tuple[str, ...]
    respond_by: datetime
    why: Why = "re_alarmed"
    gravity: int | None = None


@dataclass(frozen=True, slots=True)
class PolicyReassigned:
    """It climbs another version's ladder from now on."""

    policy_version: int
    terms: Terms
    review_due_at: datetime
    by: str


@dataclass(frozen=True, slots=True)
class Snoozed:
    """`since` is when the snooze began that this one may prolong."""

    until: datetime
    since: datetime
    by: str


@dataclass(frozen=True, slots=True)
class SnoozeEnded:
    """Whoever is responsible is told; an answer is waited for when nobody has acknowledged."""

    notify: tuple[str, ...]
    scheduled_at: datetime
    respond_by: datetime | None = None
    why: Why = "snooze_ended"


# Events of ownership


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """`remind_at`: when the one who took it on is asked whether it still is so."""

    by: str
    remind_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AdditionallyAcknowledged:
    """By somebody else than the one who took it on."""

    by: str


@dataclass(frozen=True, slots=True)
class AckReminded:
    """`respond_by`: when the acknowledgement expires unless it is confirmed; without, `remind_at` asks again."""

    notify: tuple[str, ...]
    scheduled_at: datetime
    respond_by: datetime | None = None
    remind_at: datetime | None = None
    why: Why = "ack_reminder"


@dataclass(frozen=True, slots=True)
class AckConfirmed:
    by: str
    remind_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AckExpired:
    """The one who took it on did not confirm: everybody is asked again, from the foot of the ladder."""

    owner: str
    scheduled_at: datetime


@dataclass(frozen=True, slots=True)
class ReviewBegun:
    by: str


@dataclass(frozen=True, slots=True)
class ActionAgreed:
    action_id: str


@dataclass(frozen=True, slots=True)
class ReviewOverdue:
    """The review is not closed by its deadline: whoever is responsible is told, and each time somebody higher.

    `times` breached by now; `level` is the rung that is told, None for the backstop. `respond_by`: the next deadline.
    """

    times: int
    notify: tuple[str, ...]
    respond_by: datetime
    scheduled_at: datetime
    level: int | None = None
    why: Why = "review_overdue"
    nobody_reachable: bool = False


# Events of ending


@dataclass(frozen=True, slots=True)
class DismissedAgain:
    """About to be closed as no pattern, like an episode of its key not long before: somebody higher is told.

    `times`: with those before; `level` is the rung that is told, None for the backstop.
    """

    times: int
    notify: tuple[str, ...]
    level: int | None = None
    why: Why = "dismissed_again"
    nobody_reachable: bool = False


@dataclass(frozen=True, slots=True)
class MonitoringBegun:
    code: str
    consumed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Closed:
    """`consumed` are the members that this event takes out of every window: none when monitoring took them before."""

    code: str
    consumed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Merged:
    """It goes on in another escalation. `consumed` as in `Closed`: its members raise nothing again."""

    into: str
    consumed: tuple[str, ...]
    by: str


@dataclass(frozen=True, slots=True)
class Reopened:
    """The review has its whole time again; what follows tells who is asked."""

    reopened_at: datetime | None = None
    review_due_at: datetime | None = None


Event = (
    Raised
    | MemberAdded
    | MemberDemoted
    | MemberWithdrawn
    | SupportLost
    | SupportRegained
    | LevelEntered
    | StepSkipped
    | AckOverdue
    | ChainExhausted
    | ContactFailed
    | EscalatedManually
    | HandedOver
    | ReAlarmed
    | PolicyReassigned
    | Snoozed
    | SnoozeEnded
    | Acknowledged
    | AdditionallyAcknowledged
    | AckReminded
    | AckConfirmed
    | AckExpired
    | ReviewBegun
    | ActionAgreed
    | ReviewOverdue
    | DismissedAgain
    | MonitoringBegun
    | Closed
    | Merged
    | Reopened
)
