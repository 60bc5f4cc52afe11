"""Which services are registered."""

from app.database.tables import services
from app.domain.service import Registered
from app.events.envelope import Told
from app.projections.context import Context

TABLES = (services,)


def apply(context: Context, told: Told[object]) -> None:
    """The first registration makes the row."""
    envelope = told.envelope
    if isinstance(told.event, Registered) and envelope.version == 1:
        context.rows.insert(services, (context.organisation, envelope.subject, envelope.sequence))
