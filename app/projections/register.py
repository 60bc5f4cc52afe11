"""The register: where each near miss stands, for lists; and under which names its sources know it."""

from sqlalchemy import and_, update

from app.database.tables import near_misses, sources
from app.domain.moment import parse_moment
from app.domain.near_miss import (
    UNRECORDED,
    Closed,
    Corrected,
    DetailsCompleted,
    Linked,
    MarkedDuplicate,
    NearMiss,
    Recorded,
    Reopened,
    Withdrawn,
    evolve,
)
from app.domain.zones import zone
from app.events.envelope import Told
from app.projections.context import Context

TABLES = (near_misses, sources)


def apply(context: Context, told: Told[object]) -> None:
    """What the event does to the register's rows."""
    envelope, event = told.envelope, told.event
    match event:
        case Recorded(report=report, source=source):
            context.rows.insert(
                near_misses,
                (
                    context.organisation,
                    envelope.subject,
                    envelope.sequence,
                    context.folded(told, UNRECORDED, evolve).stage.value,
                    report.service_id,
                    report.incident_type,
                    report.deviation,
                    report.classification,
                    envelope.occurred_at,
                    envelope.recorded_at,
                ),
            )
            if source is not None and source.source_event_id is not None:
                context.rows.insert(
                    sources,
                    (
                        context.organisation,
                        source.source,
                        source.source_event_id,
                        envelope.subject,
                        event.fingerprint or "",
                    ),
                )
        case Corrected() | DetailsCompleted() | Linked() | Withdrawn() | MarkedDuplicate() | Closed() | Reopened():
            _rewrite(context, envelope.subject, context.near_miss(envelope))
        case _:
            pass


def _rewrite(context: Context, near_miss_id: str, state: NearMiss) -> None:
    report = state.report
    if report is None:
        return
    context.rows.execute(
        update(near_misses)
        .where(and_(near_misses.c.organisation == context.organisation, near_misses.c.near_miss_id == near_miss_id))
        .values(
            state=state.stage.value,
            service_id=report.service_id,
            incident_type=report.incident_type,
            deviation=report.deviation,
            classification=report.classification,
            occurred_at=parse_moment(report.occurred_at, zone(report.zone)).at,
        )
    )
