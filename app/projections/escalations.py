"""Where each escalation stands, which near misses it holds since when, and the review opened with it."""

from sqlalchemy import and_, bindparam, func, update

from app.database.tables import FOR_EVER, escalation_members, escalations, reviews
from app.domain import escalation, review
from app.domain.escalation import (
    AckExpired,
    Acknowledged,
    ActionAgreed,
    ChainExhausted,
    Closed,
    HandedOver,
    LevelEntered,
    MemberAdded,
    MemberDemoted,
    MemberWithdrawn,
    Merged,
    MonitoringBegun,
    PolicyReassigned,
    Raised,
    ReAlarmed,
    Reopened,
    ReviewBegun,
    ReviewOverdue,
    Snoozed,
    SnoozeEnded,
    SupportLost,
    SupportRegained,
)
from app.events.envelope import Envelope, Told
from app.projections.context import Context

TABLES = (escalations, escalation_members, reviews)


def apply(context: Context, told: Told[object]) -> None:
    """What the event does to the rows of escalations, their members and reviews."""
    envelope, event = told.envelope, told.event
    match event:
        case Raised():
            _insert(context, envelope, event)
        case MemberAdded(near_miss_id, kind, formerly):
            _change_member(context, envelope, near_miss_id, kind, is_new=formerly is None)
        case MemberDemoted(near_miss_id):
            _change_member(context, envelope, near_miss_id, "related")
        case MemberWithdrawn(near_miss_id):
            _change_member(context, envelope, near_miss_id, "withdrawn")
        case SupportLost() | SupportRegained():
            _set(context, envelope, supported=isinstance(event, SupportRegained))
        case MonitoringBegun() | Closed() | Merged():
            # Monitoring that ends was closed before: the earlier instant stays.
            ended = {
                "closed_at": func.coalesce(escalations.c.closed_at, envelope.recorded_at),
                "closed_sequence": func.coalesce(escalations.c.closed_sequence, envelope.sequence),
            }
            _set(context, envelope, **_standing(context, told), **ended)
        case Reopened():
            _set(context, envelope, **_standing(context, told), closed_at=None, closed_sequence=None)
        case (
            Acknowledged()
            | AckExpired()
            | ActionAgreed()
            | ChainExhausted()
            | HandedOver()
            | LevelEntered()
            | PolicyReassigned()
            | ReAlarmed()
            | ReviewBegun()
            | ReviewOverdue()
            | Snoozed()
            | SnoozeEnded()
        ):
            its = {"of": context.organisation, "its_id": envelope.subject}
            context.rows.execute(_STAND, {**its, **_standing(context, told)})
        case review.Opened(escalation_id):
            context.rows.insert(
                reviews, (context.organisation, envelope.subject, envelope.sequence, escalation_id, "open")
            )
        case review.Started() | review.Reopened():
            _set_review(context, envelope, "under_review")
        case review.Closed():
            _set_review(context, envelope, "closed")
        case review.Merged():
            _set_review(context, envelope, "merged")
        case _:
            pass


def _standing(context: Context, told: Told[object]) -> dict[str, object]:
    state = context.escalation(told)
    is_open = state.rest is None
    return {"status": state.status.value, "is_open": is_open, "overdue": is_open and bool(state.overdue)}


# Made once: a ladder that was silent for long says it hundreds of times in a run.
_STAND = (
    update(escalations)
    .where(
        and_(escalations.c.organisation == bindparam("of"), escalations.c.escalation_id == bindparam("its_id")),
    )
    .values(status=bindparam("status"), is_open=bindparam("is_open"), overdue=bindparam("overdue"))
)


def _insert(context: Context, envelope: Envelope, event: Raised) -> None:
    state = escalation.evolve(escalation.UNRAISED, event)
    context.rows.insert(
        escalations,
        (
            context.organisation,
            envelope.subject,
            envelope.sequence,
            event.rule_id,
            event.key_text,
            event.service_id,
            state.status.value,
            state.rest is None,
            True,
            False,
            event.review_id,
            None,
            None,
        ),
    )
    for member in event.members:
        context.rows.insert(
            escalation_members,
            (
                context.organisation,
                envelope.subject,
                member.near_miss_id,
                FOR_EVER,
                envelope.sequence,
                member.kind,
            ),
        )


def _change_member(context: Context, envelope: Envelope, near_miss_id: str, kind: str, *, is_new: bool = False) -> None:
    if not is_new:
        context.rows.end(escalation_members, (context.organisation, envelope.subject, near_miss_id), envelope.sequence)
    context.rows.insert(
        escalation_members,
        (context.organisation, envelope.subject, near_miss_id, FOR_EVER, envelope.sequence, kind),
    )


def _set(context: Context, envelope: Envelope, **values: object) -> None:
    context.rows.execute(
        update(escalations)
        .where(
            and_(escalations.c.organisation == context.organisation, escalations.c.escalation_id == envelope.subject)
        )
        .values(**values)
    )


def _set_review(context: Context, envelope: Envelope, status: str) -> None:
    context.rows.execute(
        update(reviews)
        .where(and_(reviews.c.organisation == context.organisation, reviews.c.review_id == envelope.subject))
        .values(status=status)
    )
