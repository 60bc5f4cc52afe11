"""What came in, for lists, for telling a resend, and for what belongs together: one occurrence, one round."""

from sqlalchemy import and_, update

from app.database.tables import intake_records, intake_rounds
from app.domain.intake import RECORDING, Finding, Received, Replayed
from app.domain.moment import to_micros
from app.events.envelope import Told
from app.projections.context import Context

TABLES = (intake_records, intake_rounds)


def apply(context: Context, told: Told[object]) -> None:
    """What the event does to the rows of what came in."""
    envelope, event = told.envelope, told.event
    match event:
        case Received(finding=finding):
            row = (
                context.organisation,
                envelope.subject,
                envelope.sequence,
                event.source,
                event.source_event_id,
                event.event_type,
                event.via,
                finding.occurrence,
                to_micros(event.time) if event.time is not None else envelope.recorded_at,
                finding.outcome,
                finding.near_miss_id,
            )
            context.rows.insert(intake_records, row)
            _begin_round(context, event.source, finding)
        case Replayed(finding):
            received: Received = context.beginning(envelope.stream)
            record = intake_records.c
            context.rows.execute(
                update(intake_records)
                .where(and_(record.organisation == context.organisation, record.intake_id == envelope.subject))
                .values(
                    occurrence=finding.occurrence,
                    status=finding.outcome,
                    near_miss_id=finding.near_miss_id,
                )
            )
            _begin_round(context, received.source, finding)
        case _:
            pass


def _begin_round(context: Context, source: str, finding: Finding) -> None:
    """The first of a round makes the near miss that the others join."""
    if finding.round is None or finding.outcome not in RECORDING:
        return
    near_miss_id = finding.near_miss_id or ""
    row = (context.organisation, near_miss_id, source, finding.round.key, to_micros(finding.round.at))
    context.rows.insert(intake_rounds, row)
