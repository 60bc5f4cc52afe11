"""What is due when, told by events alone: a timer only asks, and the rule answers."""

import json
from datetime import datetime

from sqlalchemy import and_, bindparam, delete, select

from app.database.tables import timers
from app.domain import action, escalation, governance, governance_cadence, near_miss, organisation, outcome, source
from app.domain.action import Agreed, Cancelled, Completed
from app.domain.adoption import Adopted
from app.domain.chase import DetailsOverdue, WorkflowLinkOverdue
from app.domain.escalation import Escalation, Raised
from app.domain.moment import Span, from_micros, to_micros
from app.domain.near_miss import (
    Corrected,
    DetailsCompleted,
    DuplicateUndone,
    Linked,
    MarkedDuplicate,
    NearMiss,
    Recorded,
    Withdrawn,
)
from app.domain.policy import CADENCE
from app.domain.report import (
    Check,
)
from app.domain.similarity import key_text
from app.domain.watch import CooldownEnded, CooldownExtended, Deferred
from app.events.envelope import Envelope, Told
from app.projections.context import Context
from app.projections.governance import cadence_at
from app.projections.rows import Rows

TABLES = (timers,)
COOLDOWN = "cooldown_until"
ESCALATION = "escalation"
ACTION = "action"
NEAR_MISS = "near_miss"
SOURCE = "source"
OUTCOME = "outcome_check"
GOVERNANCE = "governance_cadence"
"""One timer for each stream that waits: its earliest deadline, whichever that is; the rule knows the others."""
CURRENT = "current"
"""What an organisation has one of."""

_UNTIMED = (
    escalation.MemberAdded
    | escalation.MemberDemoted
    | escalation.MemberWithdrawn
    | escalation.SupportLost
    | escalation.SupportRegained
    | escalation.StepSkipped
    | escalation.AckOverdue
    | escalation.ContactFailed
    | escalation.EscalatedManually
    | escalation.AdditionallyAcknowledged
)
"""What moves no deadline of an escalation."""


def cooldown_subject(rule_id: str, key: str) -> str:
    """Which key (its text) of which rule cools down."""
    return json.dumps([rule_id, key], ensure_ascii=False)


def rule_and_key(subject: str) -> tuple[str, str]:
    """The rule's id and the key's text of a cool-down."""
    rule_id, key = json.loads(subject)
    return rule_id, key


def apply(context: Context, told: Told[object]) -> None:
    """What the event does to the timers."""
    match told.event:
        case Recorded(similarity_check=check):
            _defer(context, check)
            _chase(context, told)
        case (
            Corrected(similarity_check=check)
            | DetailsCompleted(similarity_check=check)
            | Linked(similarity_check=check)
            | DuplicateUndone(similarity_check=check)
        ):
            _defer(context, check)
            _chase_anew(context, told)
        case (
            Withdrawn()
            | MarkedDuplicate()
            | near_miss.Closed()
            | near_miss.Reopened()
            | DetailsOverdue()
            | WorkflowLinkOverdue()
        ):
            _chase_anew(context, told)
        case Raised(historical=False) as raised:
            if raised.previous_episode_id is not None:
                _drop(context, COOLDOWN, cooldown_subject(raised.rule_id, raised.key_text))
            _start(context, told.envelope.subject, escalation.evolve(escalation.UNRAISED, raised))
        case CooldownExtended(rule_id, key, _, until):
            subject = cooldown_subject(rule_id, key)
            _drop(context, COOLDOWN, subject)
            context.rows.insert(timers, (context.organisation, COOLDOWN, subject, to_micros(until)))
        case Deferred(rule_id, key, _, until):
            _cool(context, cooldown_subject(rule_id, key), until)
        case CooldownEnded(rule_id, key):
            _drop(context, COOLDOWN, cooldown_subject(rule_id, key))
        case Agreed():
            due_at = to_micros(told.event.late_from or told.event.due_at)
            context.rows.insert(timers, (context.organisation, ACTION, told.envelope.subject, due_at))
        case Completed() | Cancelled():
            _drop(context, ACTION, told.envelope.subject)
        case action.ActionOverdue(respond_by=respond_by):
            _drop(context, ACTION, told.envelope.subject)
            context.rows.insert(timers, (context.organisation, ACTION, told.envelope.subject, to_micros(respond_by)))
        case source.Declared(due_at=due_at) | source.Heard(due_at=due_at) | source.SpokeAgain(due_at=due_at):
            _drop(context, SOURCE, told.envelope.subject)
            if due_at is not None:
                context.rows.insert(timers, (context.organisation, SOURCE, told.envelope.subject, to_micros(due_at)))
        case source.Silent():
            _drop(context, SOURCE, told.envelope.subject)
        case outcome.Scheduled(due_at=due_at):
            _drop(context, OUTCOME, told.envelope.subject)
            context.rows.insert(timers, (context.organisation, OUTCOME, told.envelope.subject, to_micros(due_at)))
        case outcome.PutOff():
            _drop(context, OUTCOME, told.envelope.subject)
        case outcome.Assessed(next_look=next_look):
            _drop(context, OUTCOME, told.envelope.subject)
            if next_look is not None:
                context.rows.insert(
                    timers, (context.organisation, OUTCOME, told.envelope.subject, to_micros(next_look))
                )
        case organisation.Opened() | governance.Closed():
            _expect(context, governance_cadence.due_from(from_micros(told.envelope.recorded_at), *_rhythm(context)))
        case governance_cadence.Missed(respond_by=respond_by):
            _expect(context, respond_by)
        case Adopted() as adopted:
            _change_rhythm(context, told.envelope, adopted)
        case _ if isinstance(told.event, escalation.Event) and not isinstance(told.event, _UNTIMED | Raised):
            _drop(context, ESCALATION, told.envelope.subject)
            _start(context, told.envelope.subject, context.escalation(told))
        case _:
            pass


def due_of(rows: Rows, organisation: str, kind: str, subject: str) -> int | None:
    """When a timer is due, in microseconds; None when there is none."""
    return rows.execute(_DUE_AT, {"of": organisation, "its_kind": kind, "its_subject": subject}).scalar()


def _start(context: Context, escalation_id: str, state: Escalation) -> None:
    if state.deadlines:
        row = (context.organisation, ESCALATION, escalation_id, to_micros(state.deadlines[0].due_at))
        context.rows.insert(timers, row)


def _chase(context: Context, told: Told[object]) -> None:
    state: NearMiss = context.folded(told, near_miss.UNRECORDED, near_miss.evolve)
    if owed := state.owed:
        row = (context.organisation, NEAR_MISS, told.envelope.subject, to_micros(owed[0].due_at))
        context.rows.insert(timers, row)


def _chase_anew(context: Context, told: Told[object]) -> None:
    _drop(context, NEAR_MISS, told.envelope.subject)
    _chase(context, told)


def _rhythm(context: Context) -> tuple[Span, str]:
    return context.policy.governance_cadence, context.policy.time_zone


def _expect(context: Context, due_at: datetime) -> None:
    """By when a governance review is to be closed."""
    _drop(context, GOVERNANCE, CURRENT)
    context.rows.insert(timers, (context.organisation, GOVERNANCE, CURRENT, to_micros(due_at)))


def _change_rhythm(context: Context, envelope: Envelope, adopted: Adopted) -> None:
    """What is due of governance reviews moves only with a policy that asks for them more, or less, often."""
    span = Span.parse(adopted.policy.get("governance_cadence", str(CADENCE)))
    standing = due_of(context.rows, context.organisation, GOVERNANCE, CURRENT)
    if standing is None or span == context.policy.governance_cadence:
        return
    cadence = cadence_at(context, envelope.sequence, from_micros(standing))
    time_zone = adopted.policy.get("time_zone", "UTC")
    _expect(context, governance_cadence.changed(cadence, span, time_zone, from_micros(envelope.recorded_at)))


def _defer(context: Context, check: Check) -> None:
    for rule in check.rules:
        if rule.cooldown_until is not None:
            subject = cooldown_subject(rule.rule_id, key_text(tuple(value for _, value in rule.key)))
            _cool(context, subject, rule.cooldown_until)


def _cool(context: Context, subject: str, until: datetime) -> None:
    if due_of(context.rows, context.organisation, COOLDOWN, subject) is None:
        context.rows.insert(timers, (context.organisation, COOLDOWN, subject, to_micros(until)))


def _drop(context: Context, kind: str, subject: str) -> None:
    context.rows.execute(_DROP, {"of": context.organisation, "its_kind": kind, "its_subject": subject})


# Made once: a ladder that was silent for long drops and sets its timer hundreds of times in a run.
_ITS = and_(
    timers.c.organisation == bindparam("of"),
    timers.c.kind == bindparam("its_kind"),
    timers.c.subject == bindparam("its_subject"),
)
_DUE_AT = select(timers.c.due_at).where(_ITS)
_DROP = delete(timers).where(_ITS)
