"""One stream for each review whose actions were carried out: what is followed up, and what came of it.

All actions of a review share one verdict, for they work on the same key at once. The arms are fixed when the last open
action has been completed: 180 days before the first report of the pattern, and 90 days from when the latest of them
took effect. A verdict that shows nothing after so short a time is no proof of nothing: it is looked at once more after
a year, with the same baseline. The cluster that set the review off is in neither arm: whatever follows a chance cluster
is lower than it. A timer only asks; while an action of the review is open again, it is put off. What comes late is
looked at again for a year, and told only when it changes a number or the verdict.
"""

from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any, Literal, assert_never

# Words

Verdict = Literal["fell", "rose", "not_shown", "too_little_data", "reporting_fell"]
Exposure = Literal["calendar_days", "doses_due", "visits_scheduled", "resident_days"]
KeyPart = str | int | float | None

BASELINE = timedelta(days=180)
FOLLOW_UP = timedelta(days=90)
LONG_FOLLOW_UP = timedelta(days=365)
"""For what 90 days did not show: of 60 reports a year that become 30, they show a fall in a quarter of the cases."""
REASSESSED_FOR = timedelta(days=365)
"""After the follow-up has ended."""


@dataclass(frozen=True, slots=True)
class Arm:
    """Events and what there was to do meanwhile; without `exposure` that is not known."""

    events: int
    exposure: float | None = None


@dataclass(frozen=True, slots=True)
class Reporting:
    """All else that was reported of the service: near misses of other keys, before and after.

    `p`: how likely such a difference is by chance. `silent`: declared sources that were silent during the follow-up;
    `nothing_reported`: nothing at all was.
    """

    before: int
    after: int
    p: float | None = None
    silent: tuple[str, ...] = ()
    nothing_reported: bool | None = None


@dataclass(frozen=True, slots=True)
class Harm:
    """Incidents of the same service and type that did harm, before and after."""

    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What is compared. Spans are from an instant (inclusive) to another (exclusive), days those of the time zone.

    `key` is (field, value) as the rule had it by the policy version that opened the escalation, `trigger` the cluster
    that is in neither arm. The trigger window reaches from `baseline_to` to `follow_up_from`.
    """

    review_id: str
    escalation_id: str
    rule_id: str
    policy_version: int
    key: tuple[tuple[str, KeyPart], ...]
    key_text: str
    action_ids: tuple[str, ...]
    trigger: tuple[str, ...]
    baseline_from: datetime
    baseline_to: datetime
    follow_up_from: datetime
    follow_up_to: datetime
    due_at: datetime
    time_zone: str = "UTC"
    service_id: str | None = None


def planned_spans(first_member_at: datetime, crossed_at: datetime, effective_at: datetime) -> dict[str, datetime]:
    """The arms. An action that is said to work since before the pattern was complete did not prevent it: what follows
    it begins when the pattern was.
    """
    begins = max(effective_at, crossed_at)
    return {
        "baseline_from": first_member_at - BASELINE,
        "baseline_to": first_member_at,
        "follow_up_from": begins,
        "follow_up_to": begins + FOLLOW_UP,
        "due_at": begins + FOLLOW_UP,
    }


@dataclass(frozen=True, slots=True)
class Finding:
    """What was counted, and what follows from it. `says`: a sentence for whoever has to decide on it."""

    verdict: Verdict
    before: Arm
    during: Arm
    after: Arm
    exposure_kind: Exposure
    reporting: Reporting
    harm: Harm
    as_of_sequence: int
    says: str
    rate_ratio: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None


# Commands


@dataclass(frozen=True, slots=True)
class Schedule:
    """The last open action of the review has been completed."""

    plan: Plan


@dataclass(frozen=True, slots=True)
class Check:
    """The timer asks. `open_actions`: those of the review that were agreed since and are not done.

    Without a finding nothing is known yet, and the timer asks again.
    """

    finding: Finding | None
    open_actions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reassess:
    """Something came late that may change what was found."""

    finding: Finding


Command = Schedule | Check | Reassess

# Events


@dataclass(frozen=True, slots=True)
class Scheduled(Plan):
    """Followed up from here on; said again when another action was completed."""


@dataclass(frozen=True, slots=True)
class PutOff:
    """Not assessed when it was due: an action of the review is open. It is scheduled again when that has ended."""

    open_actions: tuple[str, ...]
    scheduled_at: datetime


@dataclass(frozen=True, slots=True)
class Assessed(Finding):
    """What came of it. `scheduled_at` where a timer asked; without, something that came late changed it.

    `follow_up_to`: where the follow-up ended that was counted. `next_look`: when it is looked at once more.
    """

    action_ids: tuple[str, ...] = ()
    scheduled_at: datetime | None = None
    follow_up_to: datetime | None = None
    next_look: datetime | None = None


Event = Scheduled | PutOff | Assessed

# State


@dataclass(frozen=True, slots=True)
class Outcome:
    """`due_at` is None while nothing is waited for; `assessments` are all that were told, the latest last.

    `counted_to`: where the follow-up ended by which the plan was assessed; None as long as it was not.
    """

    plan: Plan | None = None
    due_at: datetime | None = None
    is_put_off: bool = False
    assessments: tuple[Assessed, ...] = ()
    counted_to: datetime | None = None

    @property
    def status(self) -> Literal["follow_up", "assessed"]:
        """`assessed` as soon as what is planned now has its verdict, though it may be looked at once more."""
        return "assessed" if self.counted_to is not None and not self.is_put_off else "follow_up"

    @property
    def counted(self) -> Plan | None:
        """The plan with the follow-up that it was assessed by, or is to be."""
        if self.plan is None or self.counted_to is None:
            return self.plan
        return replace(self.plan, follow_up_to=self.counted_to)

    @property
    def next(self) -> Plan | None:
        """The plan with the follow-up that is counted when it is looked at next."""
        if self.plan is None or self.counted_to is None:
            return self.plan
        return replace(self.plan, follow_up_to=self.plan.follow_up_from + LONG_FOLLOW_UP)


UNPLANNED = Outcome()


# Decide


def decide(command: Command, outcome: Outcome, now: datetime) -> list[Event]:
    match command:
        case Schedule(plan):
            scheduled = Scheduled(**_parts(plan))
            return [] if scheduled == outcome.plan and not outcome.is_put_off else [scheduled]
        case Check(finding, open_actions):
            if outcome.plan is None or outcome.due_at is None or now < outcome.due_at:
                return []  # It was answered, or the timer asked early.
            if open_actions:
                return [PutOff(open_actions, outcome.due_at)]
            if finding is None:
                return []
            ended = outcome.next.follow_up_to if outcome.next else outcome.plan.follow_up_to
            return [_assessed(outcome.plan, finding, ended, scheduled_at=outcome.due_at)]
        case Reassess(finding):
            if not may_change(outcome, now) or outcome.plan is None:
                return []
            ended = outcome.counted_to or outcome.plan.follow_up_to
            found = _assessed(outcome.plan, finding, ended)
            return [] if _numbers(found) == _numbers(outcome.assessments[-1]) else [found]
        case _:
            assert_never(command)


def may_change(outcome: Outcome, now: datetime) -> bool:
    """Whether what comes late still changes what was assessed."""
    counted = outcome.counted
    return counted is not None and outcome.status == "assessed" and now <= counted.follow_up_to + REASSESSED_FOR


def _assessed(plan: Plan, finding: Finding, ended: datetime, scheduled_at: datetime | None = None) -> Assessed:
    """The verdict by a follow-up that ended then; one that shows nothing after the first is looked at once more."""
    is_first = ended == plan.follow_up_to
    next_look = plan.follow_up_from + LONG_FOLLOW_UP if is_first and finding.verdict not in ("fell", "rose") else None
    return Assessed(
        **_parts(finding),
        action_ids=plan.action_ids,
        scheduled_at=scheduled_at,
        follow_up_to=ended,
        next_look=next_look,
    )


def _numbers(assessed: Assessed) -> Assessed:
    """What is told only when it changed: not by whom it was asked, nor how far the ledger had come."""
    return replace(assessed, as_of_sequence=0, scheduled_at=None, says="")


def _parts(whole: Plan | Finding) -> dict[str, Any]:
    return {one.name: getattr(whole, one.name) for one in fields(whole)}


# Evolve


def evolve(outcome: Outcome, event: Event) -> Outcome:
    match event:
        case Scheduled() if outcome.is_put_off and event == outcome.plan and outcome.counted_to is not None:
            # It was put off when it was to be looked at once more, and nothing has changed: that look is due.
            again = event.follow_up_from + LONG_FOLLOW_UP
            return replace(outcome, due_at=again, is_put_off=False)
        case Scheduled():
            return replace(outcome, plan=event, due_at=event.due_at, is_put_off=False, counted_to=None)
        case PutOff():
            return replace(outcome, due_at=None, is_put_off=True)
        case Assessed():
            told = (*outcome.assessments, event)
            return replace(outcome, due_at=event.next_look, assessments=told, counted_to=event.follow_up_to)
        case _:
            assert_never(event)
