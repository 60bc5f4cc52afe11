"""The workflow beside the records: which stage may have allowed a near miss, and where plans do not hold.

Near misses are tied to the work that allowed them; these answers help to make that tie, and show what it tells.
"""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from app.api.asof import AsOf
from app.api.door import shown
from app.api.groups import Locality, ServiceId
from app.api.heatmaps import known_at
from app.api.lists import instant_of, must_be_one_of
from app.api.looking import Reading
from app.api.routes import told
from app.api.schemas.answers import PlanDeviations, StageSuggestions
from app.domain.moment import to_micros
from app.operations import stage_hints
from app.operations.heatmaps import Asked, checked, come_to
from app.operations.plan_deviations import GROUPS, plan_deviations

router = APIRouter(prefix="/v1", tags=["workflow"])
READ = "near-misses:read"


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
    group_by: Annotated[str, Query(max_length=32, description=f"One of: {', '.join(GROUPS)}.")] = "stage_allowed",
    from_: Annotated[str | None, Query(alias="from", max_length=40)] = None,
    to: Annotated[str | None, Query(max_length=40, description="A date or an instant; exclusive.")] = None,
    service_id: ServiceId = None,
    locality: Locality = None,
    incident_type: Annotated[str | None, Query(max_length=128)] = None,
    classification: Annotated[
        str | None, Query(max_length=128, description="Left out: whatever any active rule counts.")
    ] = None,
    as_of: AsOf = None,
) -> Response:
    """How far near misses were off the plan, by where they were allowed: in time, in staff and on the way (S9).

    Counted is what a heatmap counts.
    """
    must_be_one_of("group_by", group_by, GROUPS)
    said = {
        "service_id": service_id,
        "locality": locality,
        "incident_type": incident_type,
        "classification": classification,
    }
    filters = {name: value for name, value in said.items() if value is not None}
    with known_at(look, as_of) as (reader, settled):
        zone = settled.policy.time_zone
        since = None if from_ is None else instant_of("from", from_, zone)
        until = None if to is None else instant_of("to", to, zone)
        asked = checked(reader, settled, Asked(group_by, group_by, since, until, filters))
        items = plan_deviations(reader, settled, asked)
        return shown({"group_by": group_by, "items": items, "as_of_sequence": come_to(reader)})
