"""The facts that are counted: each record that stands, the stage that allowed it, and when it happened, local to it.

Heatmaps, trends, signals and outcomes count these rows. A follower: it reads the ledger after the fact and keeps its
place. A row holds from the event that made it to the one that changed it, so a count as of any sequence is a plain one.
"""

from datetime import date, datetime

from sqlalchemy import and_, update

from app.database.tables import FOR_EVER, heatmap_facts
from app.domain.moment import parse_moment
from app.domain.near_miss import (
    UNRECORDED,
    Corrected,
    DetailsCompleted,
    DuplicateUndone,
    Linked,
    MarkedDuplicate,
    NearMiss,
    Recorded,
    Withdrawn,
    evolve,
)
from app.domain.plan import deviation_of
from app.domain.rule import OWN_SOURCE
from app.domain.zones import zone
from app.events.canonical import canonical
from app.events.envelope import Envelope, Told
from app.projections.context import Context

TABLES = (heatmap_facts,)
HEEDS = (Recorded, Corrected, DetailsCompleted, Linked, Withdrawn, MarkedDuplicate, DuplicateUndone)
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def apply(context: Context, told: Told[object]) -> None:
    """What the event does to the map's rows."""
    envelope, event = told.envelope, told.event
    match event:
        case Recorded():
            _put(context, envelope, evolve(UNRECORDED, event))
        case Corrected() | DetailsCompleted() | Linked() | Withdrawn() | MarkedDuplicate() | DuplicateUndone():
            context.rows.execute(
                update(heatmap_facts)
                .where(
                    and_(
                        heatmap_facts.c.organisation == context.organisation,
                        heatmap_facts.c.near_miss_id == envelope.subject,
                        heatmap_facts.c.valid_to == FOR_EVER,
                    )
                )
                .values(valid_to=envelope.sequence)
            )
            state = context.near_miss(envelope)
            if state.counts:
                _put(context, envelope, state)
        case _:
            pass


def _put(context: Context, envelope: Envelope, state: NearMiss) -> None:
    report = state.report
    if report is None or (state.source is not None and state.source.source == OWN_SOURCE):
        return  # What the service records about itself is no care.
    moment = parse_moment(report.occurred_at, zone(report.zone))
    local = date.fromordinal(moment.day)
    hour = None
    if not moment.date_only:
        hour = str(datetime.fromtimestamp(moment.at // 1_000_000, zone(report.zone)).hour)
    year, week, _ = local.isocalendar()
    link = state.workflow_link
    off = deviation_of(link.mapped_against if link and link.mapped_against else state.prefilled)
    context.rows.insert(
        heatmap_facts,
        (
            context.organisation,
            envelope.subject,
            FOR_EVER,
            envelope.sequence,
            moment.at,
            moment.day,
            report.classification,
            report.service_id,
            report.locality,
            state.source.source if state.source else None,
            report.incident_type,
            report.deviation,
            link.stage_allowed if link else report.stage_allowed,
            link.stage_affected if link else report.stage_affected,
            report.recovery_barrier,
            canonical(report.contributing_factors) if report.contributing_factors else None,
            report.shift_bracket,
            WEEKDAYS[local.weekday()],
            hour,
            f"{year}-W{week:02d}",
            f"{local:%Y-%m}",
            off.scheduling_minutes,
            off.staff,
            off.travel_minutes,
        ),
    )
