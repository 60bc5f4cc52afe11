"""One crossing of a threshold, from the instant it is raised until a person has finished with it.

Nothing here closes by itself: support may fall below the threshold, members may be withdrawn, and the escalation
stays open with a flag. Where it stands is told from separate facts (acknowledged, review begun, action agreed), each
told by an event of its own, so that losing one of them later never forgets the others. A crossing found in history is
recorded and counted but was never open.

Closing consumes the members, for they belong to this episode; what is only related stays free for the next.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from enum import StrEnum
from typing import Literal, assert_never

from app.domain.decider import NotFound, Refused

# Words

KeyPart = str | int | float | None
MemberKind = Literal["member", "related"]
Standing = Literal["member", "related", "withdrawn"]


class Status(StrEnum):
    UNRAISED = "unraised"
    AWAITING_ACK = "awaiting_ack"
    ACKNOWLEDGED = "acknowledged"
    UNDER_REVIEW = "under_review"
    ACTION_AGREED = "action_agreed"
    MONITORING_OUTCOME = "monitoring_outcome"
    CLOSED = "closed"
    HISTORICAL = "historical"


OPEN = frozenset({Status.AWAITING_ACK, Status.ACKNOWLEDGED, Status.UNDER_REVIEW, Status.ACTION_AGREED})


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
    `historical`: found in imported history, so that it has no review and climbs no ladder.
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


# Commands


@dataclass(frozen=True, slots=True)
class Raise(Crossing):
    pass


@dataclass(frozen=True, slots=True)
class Attach:
    """A near miss found inside a qualifying window, or related to them; never makes a member less than it is."""

    near_miss_id: str
    kind: MemberKind


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
class BeginReview:
    by: str


@dataclass(frozen=True, slots=True)
class AgreeAction:
    action_id: str


@dataclass(frozen=True, slots=True)
class BeginMonitoring:
    """The review closed as `code` while actions are open."""

    code: str


@dataclass(frozen=True, slots=True)
class EndMonitoring:
    """The last open action was completed or cancelled."""


@dataclass(frozen=True, slots=True)
class Close:
    """The review closed as `code` and no action is open."""

    code: str


@dataclass(frozen=True, slots=True)
class Reopen:
    """The review was reopened."""


Command = (
    Raise
    | Attach
    | Demote
    | WithdrawMember
    | LoseSupport
    | RegainSupport
    | Acknowledge
    | BeginReview
    | AgreeAction
    | BeginMonitoring
    | EndMonitoring
    | Close
    | Reopen
)

# Events


@dataclass(frozen=True, slots=True)
class Raised(Crossing):
    pass


@dataclass(frozen=True, slots=True)
class MemberAdded:
    """Added, promoted from related, or back again: `formerly` is what it was before, if it was anything."""

    near_miss_id: str
    kind: MemberKind
    formerly: Standing | None = None


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


@dataclass(frozen=True, slots=True)
class Acknowledged:
    by: str


@dataclass(frozen=True, slots=True)
class AdditionallyAcknowledged:
    """By somebody else than the one who took it on."""

    by: str


@dataclass(frozen=True, slots=True)
class ReviewBegun:
    by: str


@dataclass(frozen=True, slots=True)
class ActionAgreed:
    action_id: str


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
class Reopened:
    pass


Event = (
    Raised
    | MemberAdded
    | MemberDemoted
    | MemberWithdrawn
    | SupportLost
    | SupportRegained
    | Acknowledged
    | AdditionallyAcknowledged
    | ReviewBegun
    | ActionAgreed
    | MonitoringBegun
    | Closed
    | Reopened
)

# Refusals


class NotOpen(Refused):
    """Only an open escalation is acknowledged, reviewed, grown or closed (409)."""

    code = "escalation-not-open"


# State


@dataclass(frozen=True, slots=True)
class Escalation:
    """`rest` is the status while it is not open; while it is, the facts below tell the status."""

    rest: Status | None = Status.UNRAISED
    members: Mapping[str, Standing] = field(default_factory=dict[str, Standing])
    acknowledged_by: tuple[str, ...] = ()
    review_begun: bool = False
    actions: tuple[str, ...] = ()
    support_below_threshold: bool = False
    closed_as: str | None = None
    level: int = 0
    epoch: int = 0

    @property
    def status(self) -> Status:
        if self.rest is not None:
            return self.rest
        if not self.acknowledged_by:
            return Status.AWAITING_ACK
        if self.actions:
            return Status.ACTION_AGREED
        return Status.UNDER_REVIEW if self.review_begun else Status.ACKNOWLEDGED

    @property
    def flags(self) -> tuple[str, ...]:
        return ("support_below_threshold",) if self.support_below_threshold else ()


UNRAISED = Escalation()

# Decide


def decide(command: Command, escalation: Escalation, now: datetime) -> list[Event]:
    match command:
        case Raise():
            return [raised(command)] if escalation.rest is Status.UNRAISED else []
        case Attach(near_miss_id, kind):
            must_take_members(escalation)
            formerly = escalation.members.get(near_miss_id)
            return [] if formerly in ("member", kind) else [MemberAdded(near_miss_id, kind, formerly)]
        case Demote(near_miss_id):
            must_be_open(escalation)
            return [MemberDemoted(near_miss_id)] if escalation.members.get(near_miss_id) == "member" else []
        case WithdrawMember(near_miss_id):
            must_be_raised(escalation)  # Also once closed: a withdrawal is a fact about the report.
            there = escalation.members.get(near_miss_id, "withdrawn") != "withdrawn"
            return [MemberWithdrawn(near_miss_id)] if there else []
        case LoseSupport():
            must_be_open(escalation)
            return [] if escalation.support_below_threshold else [SupportLost()]
        case RegainSupport():
            must_be_open(escalation)
            return [SupportRegained()] if escalation.support_below_threshold else []
        case Acknowledge(by):
            must_be_open(escalation)
            return acknowledge(by, escalation)
        case BeginReview(by):
            must_be_open(escalation)
            # Who begins the review has taken the escalation on.
            acknowledged = [] if escalation.acknowledged_by else acknowledge(by, escalation)
            return acknowledged if escalation.review_begun else [*acknowledged, ReviewBegun(by)]
        case AgreeAction(action_id):
            must_be_open(escalation)
            return [] if action_id in escalation.actions else [ActionAgreed(action_id)]
        case BeginMonitoring(code):
            if stands(escalation, Status.MONITORING_OUTCOME, code):
                return []
            must_be_open(escalation)
            return [MonitoringBegun(code, consumable(escalation))]
        case Close(code):
            if stands(escalation, Status.CLOSED, code):
                return []  # Asking twice is not an error.
            must_be_open(escalation)
            return [Closed(code, consumable(escalation))]
        case EndMonitoring():
            return end_monitoring(escalation)
        case Reopen():
            return reopen(escalation)
        case _:
            assert_never(command)


def raised(command: Raise) -> Raised:
    return Raised(**{fact.name: getattr(command, fact.name) for fact in fields(command)})


def acknowledge(by: str, escalation: Escalation) -> list[Event]:
    if by in escalation.acknowledged_by:
        return []  # Asking twice is not an error.
    return [AdditionallyAcknowledged(by)] if escalation.acknowledged_by else [Acknowledged(by)]


def end_monitoring(escalation: Escalation) -> list[Event]:
    must_be_raised(escalation)
    if escalation.rest is Status.MONITORING_OUTCOME and escalation.closed_as is not None:
        return [Closed(escalation.closed_as, consumed=())]
    return []  # Open again since, or closed before: the last action of an open episode ends nothing.


def reopen(escalation: Escalation) -> list[Event]:
    must_be_raised(escalation)
    if escalation.rest is Status.HISTORICAL:
        raise NotOpen("The escalation is historical and was never open: there is nothing to reopen.")
    return [] if escalation.rest is None else [Reopened()]


def stands(escalation: Escalation, rest: Status, code: str) -> bool:
    return escalation.rest is rest and escalation.closed_as == code


def consumable(escalation: Escalation) -> tuple[str, ...]:
    return tuple(near_miss_id for near_miss_id, standing in escalation.members.items() if standing == "member")


def must_be_raised(escalation: Escalation) -> None:
    if escalation.rest is Status.UNRAISED:
        raise NotFound("There is no escalation of this id: look for it in the list of escalations.")


def must_take_members(escalation: Escalation) -> None:
    if escalation.rest is not Status.HISTORICAL:
        must_be_open(escalation)


def must_be_open(escalation: Escalation) -> None:
    must_be_raised(escalation)
    match escalation.rest:
        case None:
            return
        case Status.HISTORICAL:
            raise NotOpen("The escalation is historical: it was found in imported history and asks nothing of anybody.")
        case Status.MONITORING_OUTCOME:
            raise NotOpen(
                f"The review is closed as {escalation.closed_as}, its actions go on: reopen it to go on here."
            )
        case _:
            raise NotOpen(f"The escalation is closed as {escalation.closed_as}: reopen its review to go on with it.")


# Evolve


def evolve(escalation: Escalation, event: Event) -> Escalation:
    match event:
        case Raised():
            members = {member.near_miss_id: member.kind for member in event.members}
            return replace(escalation, rest=Status.HISTORICAL if event.historical else None, members=members)
        case MemberAdded(near_miss_id, kind):
            return with_member(escalation, near_miss_id, kind)
        case MemberDemoted(near_miss_id):
            return with_member(escalation, near_miss_id, "related")
        case MemberWithdrawn(near_miss_id):
            return with_member(escalation, near_miss_id, "withdrawn")
        case SupportLost():
            return replace(escalation, support_below_threshold=True)
        case SupportRegained():
            return replace(escalation, support_below_threshold=False)
        case Acknowledged(by) | AdditionallyAcknowledged(by):
            return replace(escalation, acknowledged_by=(*escalation.acknowledged_by, by))
        case ReviewBegun():
            return replace(escalation, review_begun=True)
        case ActionAgreed(action_id):
            return replace(escalation, actions=(*escalation.actions, action_id))
        case MonitoringBegun(code):
            return replace(escalation, rest=Status.MONITORING_OUTCOME, closed_as=code)
        case Closed(code):
            return replace(escalation, rest=Status.CLOSED, closed_as=code)
        case Reopened():
            # Under review again, at level 0, and to be acknowledged again.
            return replace(
                escalation, rest=None, closed_as=None, acknowledged_by=(), review_begun=True, actions=(), level=0
            )
        case _:
            assert_never(event)


def with_member(escalation: Escalation, near_miss_id: str, standing: Standing) -> Escalation:
    return replace(escalation, members={**escalation.members, near_miss_id: standing})
