"""Which endpoints there are, and how each stands: what the owing of messages and the sending of them ask first."""

from sqlalchemy import and_, update

from app.database.tables import webhook_endpoints
from app.domain.endpoint import UNREGISTERED, Degraded, Deleted, Enabled, Held, Recovered, Registered, evolve
from app.events.envelope import Told
from app.projections.context import Context

TABLES = (webhook_endpoints,)


def apply(context: Context, told: Told[object]) -> None:
    """What the event does to the rows of endpoints."""
    envelope, event = told.envelope, told.event
    match event:
        case Registered():
            status = evolve(UNREGISTERED, event).status
            context.rows.insert(webhook_endpoints, (context.organisation, envelope.subject, envelope.sequence, status))
        case Degraded() | Recovered() | Held() | Enabled() | Deleted():
            status = evolve(UNREGISTERED, event).status
            row = webhook_endpoints.c
            context.rows.execute(
                update(webhook_endpoints)
                .where(and_(row.organisation == context.organisation, row.endpoint_id == envelope.subject))
                .values(status=status)
            )
        case _:
            pass
