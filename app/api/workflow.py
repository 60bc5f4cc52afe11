"""The workflow beside the records: which stage may have allowed a near miss, and where plans do not hold.

Near misses are tied to the work that allowed them; these answers help to make that tie, and show what it tells.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from sqlalchemy import ColumnElement, case, func, select
from starlette.responses import Response

from app.api.asof import AsOf, sequence_of
from app.api.door import shown
from app.api.groups import Locality, ServiceId
from app.api.lists import instant_of
from app.api.looking import Reading
from app.api.routes import told
from app.api.schemas.answers import PlanDeviations, StageSuggestions
from app.database.tables import FOR_EVER, heatmap_facts
from app.domain.decider import Fault, Invalid
from app.domain.moment import to_micros
from app.domain.stage_hints import ON_TIME_MINUTES
from app.operations import stage_hints

router = APIRouter(prefix="/v1", tags=["workflow"])
READ = "near-misses:read"
GROUPS = ("stage_allowed", "stage_affected", "service_id", "locality", "shift_bracket", "incident_type", "deviation")
MEASURES = (
    ("scheduling_minutes", heatmap_facts.c.scheduling_minutes, heatmap_facts.c.scheduling_minutes > ON_TIME_MINUTES),
    ("staff", heatmap_facts.c.staff_deviation, heatmap_facts.c.staff_deviation < 0),
    ("travel_minutes", heatmap_facts.c.travel_minutes, heatmap_facts.c.travel_minutes > ON_TIME_MINUTES),
)


@router.get(
    "/near-misses/{near_miss_id}/workflow-link/suggestions", **told(READ, StageSuggestions, problems=["not-found"])
)
def suggest_stages(look: Reading, near_miss_id: str) -> Response:
    """Which stage may have allowed it, each with its reason. Nothing is filled in: a person says which it was."""
    with look.caught_up("heatmap") as (reader, _):
        return shown(stage_hints.shown(reader, look.settled(reader), near_miss_id, to_micros(look.visit.now)))


@router.get("/workflow/plan-deviations", **told(READ, PlanDeviations))
def read_plan_deviations(
    look: Reading,
    request: Request,
    group_by: Annotated[str, Query(max_length=32, description=f"One of: {', '.join(GROUPS)}.")] = "stage_allowed",
    from_: Annotated[str | None, Query(alias="from", max_length=40)] = None,
    to: Annotated[str | None, Query(max_length=40, description="A date or an instant; exclusive.")] = None,
    service_id: ServiceId = None,
    locality: Locality = None,
    incident_type: Annotated[str | None, Query(max_length=128)] = None,
    as_of: AsOf = None,
) -> Response:
    """How far near misses were off the plan, by where they were allowed: in time, in staff and on the way (S9)."""
    if group_by not in GROUPS:
        raise Invalid(Fault("/query/group_by", "unknown-code", f"Use one of: {', '.join(GROUPS)}."))
    fact = heatmap_facts.c
    chosen = select(fact[group_by], func.count(), *(one for name in MEASURES for one in _of(*name[1:])))
    with look.caught_up("heatmap") as (reader, position):
        sequence, zone_name = sequence_of(reader, as_of), look.settled(reader).policy.time_zone
        chosen = chosen.where(fact.organisation == look.organisation)
        if sequence is None:
            chosen = chosen.where(fact.valid_to == FOR_EVER)
        else:
            chosen = chosen.where(fact.valid_from <= sequence, fact.valid_to > sequence)
        since = None if from_ is None else instant_of("from", from_, zone_name)
        until = None if to is None else instant_of("to", to, zone_name)
        if since is not None and until is not None and until <= since:
            raise Invalid(Fault("/query/to", "out-of-order", "Give an end after the start."))
        for condition in (since is None or fact.occurred_at >= since, until is None or fact.occurred_at < until):
            chosen = chosen if condition is True else chosen.where(condition)
        for column, wanted in (
            (fact.service_id, service_id),
            (fact.locality, locality),
            (fact.incident_type, incident_type),
        ):
            if wanted is not None:
                chosen = chosen.where(column == wanted)
        found = reader.connection.execute(chosen.group_by(fact[group_by])).all()
    items = [_item(list(row)) for row in found]
    items.sort(key=lambda item: (-item["near_misses"], item["key"] is None, item["key"] or ""))
    return shown({"group_by": group_by, "items": items, "as_of_sequence": position if sequence is None else sequence})


def _of(column: "ColumnElement[Any]", off: "ColumnElement[bool]") -> "tuple[ColumnElement[Any], ...]":
    """Of one measure: of how many it is known, its mean, how many are off the plan, the smallest and the largest."""
    return func.count(column), func.avg(column), func.sum(case((off, 1), else_=0)), func.min(column), func.max(column)


def _item(row: list[Any]) -> dict[str, Any]:
    item: dict[str, Any] = {"key": row[0], "near_misses": int(row[1])}
    for place, (name, _, _) in enumerate(MEASURES):
        known, mean, off, smallest, largest = row[2 + 5 * place : 7 + 5 * place]
        item[name] = (
            None
            if not known
            else {
                "known": int(known),
                "mean": round(float(mean), 2),
                "off_plan": int(off),
                "smallest": smallest,
                "largest": largest,
            }
        )
    return item
