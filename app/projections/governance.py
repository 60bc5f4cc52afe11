"""Where each governance review stands, what it is about, and which system risks wait for one that cites them."""

from datetime import datetime

from sqlalchemy import and_, or_, select, update

from app.database.tables import FOR_EVER, events, governance_carried, governance_review_places, governance_reviews
from app.domain import governance, review
from app.domain.governance_cadence import STREAM, Cadence, Missed
from app.domain.moment import from_micros, to_micros
from app.events.codec import decode
from app.events.envelope import Envelope, Told
from app.projections.context import Context

TABLES = (governance_reviews, governance_review_places, governance_carried)
ORGANISATION = "organisation/current"


def apply(context: Context, told: Told[object]) -> None:
    """What the event does to the rows of governance reviews, and to what is carried."""
    envelope, event = told.envelope, told.event
    match event:
        case governance.Opened():
            _open(context, envelope, event)
        case governance.Overdue():
            _set(context, envelope, status="overdue")
        case governance.Closed(cited=cited):
            closed = {"closed_at": envelope.recorded_at, "closed_sequence": envelope.sequence}
            _set(context, envelope, status="closed", **closed)
            _carry_no_more(context, envelope.sequence, cited)
        case review.SystemRiskDetermined(determination):
            _carry(context, envelope, determination == "system_risk")
        case _:
            pass


def cadence_at(context: Context, sequence: int, due_at: datetime) -> Cadence:
    """What the rhythm counts from as of a sequence, and what was told of it last; `due_at`: of its timer."""
    context.rows.flush()
    connection, organisation = context.rows.connection, context.ledger
    row, event = governance_reviews.c, events.c
    closings = (
        select(row.closed_at)
        .where(row.organisation == organisation, row.closed_sequence <= sequence)
        .order_by(row.closed_sequence.desc())
        .limit(1)
    )
    begun = select(event.recorded_at).where(event.organisation == organisation, event.version == 1)
    closed_at = connection.execute(closings).scalar()
    told = (
        select(events)
        .where(event.organisation == organisation, event.stream == STREAM, event.sequence <= sequence)
        .order_by(event.version.desc())
        .limit(1)
    )
    found = connection.execute(told).first()
    missed: Missed | None = None if found is None else decode(Envelope._make(found))
    if closed_at is not None:
        return Cadence(from_micros(closed_at), due_at, missed)
    since = connection.execute(begun.where(event.stream == ORGANISATION)).scalar_one()
    return Cadence(from_micros(since), due_at, missed)


def _open(context: Context, envelope: Envelope, event: governance.Opened) -> None:
    period = (to_micros(event.since_at), to_micros(event.until_at))
    row = (context.organisation, envelope.subject, envelope.sequence, "open", *period, None, None)
    context.rows.insert(governance_reviews, row)
    for kind, places in (("service", event.services), ("locality", event.localities)):
        for place in places:
            context.rows.insert(governance_review_places, (context.organisation, envelope.subject, kind, place))


def _set(context: Context, envelope: Envelope, **values: object) -> None:
    row = governance_reviews.c
    its = and_(row.organisation == context.organisation, row.governance_review_id == envelope.subject)
    context.rows.execute(update(governance_reviews).where(its).values(**values))


def _carry(context: Context, envelope: Envelope, is_risk: bool) -> None:
    row = governance_carried.c
    its = and_(row.organisation == context.organisation, row.review_id == envelope.subject, row.valid_to == FOR_EVER)
    is_carried = context.rows.execute(select(row.review_id).where(its)).first() is not None
    if is_risk and not is_carried:
        opened: review.Opened = context.beginning(envelope.stream)
        new = (context.organisation, envelope.subject, FOR_EVER, envelope.sequence, opened.escalation_id)
        context.rows.insert(governance_carried, new)
    elif is_carried and not is_risk:
        context.rows.execute(update(governance_carried).where(its).values(valid_to=envelope.sequence))


def _carry_no_more(context: Context, sequence: int, cited: tuple[str, ...]) -> None:
    """A decision that cites a review, or its escalation, has answered it."""
    row = governance_carried.c
    for start in range(0, len(cited), 500):
        ids = cited[start : start + 500]
        its = or_(row.review_id.in_(ids), row.escalation_id.in_(ids))
        still = and_(row.organisation == context.organisation, row.valid_to == FOR_EVER, its)
        context.rows.execute(update(governance_carried).where(still).values(valid_to=sequence))
