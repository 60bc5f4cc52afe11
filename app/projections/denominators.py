"""The denominators: what was stated last of each service and day."""

from sqlalchemy import and_, delete

from app.database.tables import denominators
from app.domain.denominator import Stated
from app.events.envelope import Told
from app.projections.context import Context

TABLES = (denominators,)
_AT_ONCE = 500


def apply(context: Context, told: Told[object]) -> None:
    """The later row takes the place of the earlier one."""
    envelope, event = told.envelope, told.event
    if not isinstance(event, Stated):
        return
    row = denominators.c
    days = [one.day.toordinal() for one in event.items]
    for start in range(0, len(days), _AT_ONCE):
        named = row.day.in_(days[start : start + _AT_ONCE])
        of_service = and_(row.organisation == context.organisation, row.service_id == envelope.subject)
        context.rows.execute(delete(denominators).where(and_(of_service, named)))
    for one in event.items:
        context.rows.insert(
            denominators,
            (
                context.organisation,
                envelope.subject,
                one.day.toordinal(),
                envelope.sequence,
                one.doses_due,
                one.visits_scheduled,
                one.resident_days,
            ),
        )
