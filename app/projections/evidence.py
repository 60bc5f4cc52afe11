"""Which evidence packs there are, and how far each has come.

Inline, for whoever asks for one is told at once that it is pending, and the next one builds on the newest that is
ready.
"""

from sqlalchemy import and_, update

from app.database.tables import evidence_packs
from app.domain.evidence_pack import Failed, Ready, Requested
from app.events.envelope import Told
from app.projections.context import Context

TABLES = (evidence_packs,)


def apply(context: Context, told: Told[object]) -> None:
    """What the event does to the rows of packs."""
    envelope, event = told.envelope, told.event
    match event:
        case Requested():
            row = (context.organisation, envelope.subject, envelope.sequence, "pending", event.as_of_sequence, None)
            context.rows.insert(evidence_packs, row)
        case Ready():
            _ended(context, envelope.subject, status="ready", ready_sequence=envelope.sequence)
        case Failed():
            _ended(context, envelope.subject, status="failed")
        case _:
            pass


def _ended(context: Context, pack_id: str, **values: object) -> None:
    row = evidence_packs.c
    context.rows.execute(
        update(evidence_packs)
        .where(and_(row.organisation == context.organisation, row.pack_id == pack_id))
        .values(**values)
    )
