"""The register: where each near miss stands, for lists; and which names sources have given to what they told.

A source's name for an occurrence is taken once, whether a near miss has it or something that came in and is none.
"""

from sqlalchemy import and_, delete, update

from app.database.tables import near_misses, sources
from app.domain.intake import RECORDING, Received, Replayed
from app.domain.moment import parse_moment
from app.domain.near_miss import (
    UNRECORDED,
    Closed,
    Corrected,
    DetailsCompleted,
    DuplicateUndone,
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
                    report.locality,
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
        case Received(source, source_event_id, finding=finding) if finding.outcome not in RECORDING:
            # No near miss has the name for its own, and none may take it: what has it was told once.
            context.rows.insert(sources, (context.organisation, source, source_event_id, "", event.fingerprint))
        case Replayed(finding) if finding.outcome in RECORDING:
            received: Received = context.beginning(envelope.stream)
            _free(context, received.source, received.source_event_id)  # For the near miss that follows.
        case (
            Corrected()
            | DetailsCompleted()
            | Linked()
            | Withdrawn()
            | MarkedDuplicate()
            | DuplicateUndone()
            | Closed()
            | Reopened()
        ):
            _rewrite(context, envelope.subject, context.near_miss(envelope))
        case _:
            pass


def _free(context: Context, source: str, source_event_id: str) -> None:
    row = sources.c
    of_pair = and_(row.source == source, row.source_event_id == source_event_id)
    context.rows.execute(delete(sources).where(row.organisation == context.organisation, of_pair))


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
            locality=report.locality,
        )
    )
