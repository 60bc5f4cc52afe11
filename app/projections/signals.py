"""Where each signal stands: which of a series is open, since when, and when it was answered.

Inline, for whoever tells a signal asks under the head's lock whether one of its series is open.
"""

from sqlalchemy import and_, update

from app.database.tables import signals
from app.domain.moment import to_micros
from app.domain.signal import Acknowledged, DroughtSignalled, Found, TrendSignalled, kind_of, series_of
from app.events.canonical import canonical
from app.events.envelope import Told
from app.projections.context import Context

TABLES = (signals,)


def apply(context: Context, told: Told[object]) -> None:
    """What the event does to the rows of signals."""
    envelope, event = told.envelope, told.event
    match event:
        case TrendSignalled() | DroughtSignalled():
            context.rows.insert(
                signals,
                (
                    context.organisation,
                    envelope.subject,
                    envelope.sequence,
                    kind_of(event),
                    event.service_id,
                    event.locality,
                    series_text(event),
                    "open",
                    to_micros(event.since),
                    envelope.recorded_at,
                    None,
                    None,
                ),
            )
        case Acknowledged():
            context.rows.execute(
                update(signals)
                .where(and_(signals.c.organisation == context.organisation, signals.c.signal_id == envelope.subject))
                .values(
                    status="acknowledged",
                    acknowledged_at=envelope.recorded_at,
                    acknowledged_sequence=envelope.sequence,
                )
            )
        case _:
            pass


def series_text(found: Found) -> str:
    """What is watched, as one text."""
    return canonical(series_of(found))
