"""Escalations: what crossed a threshold, which near misses it holds, where it stands, and who is to answer."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from sqlalchemy import select
from starlette.responses import Response

from app.api.asof import AsOf, then
from app.api.door import answered, door_of
from app.api.groups import Locality, ServiceId, escalations_of
from app.api.lists import Cursor, Limit, listed, must_be_one_of, page
from app.api.looking import Reading
from app.api.routes import told
from app.api.schemas import (
    Acknowledgement,
    Body,
    HandOver,
    ManualEscalation,
    Merge,
    PolicyMove,
    Snooze,
)
from app.api.schemas.answers import Escalation, EscalationList
from app.database.tables import escalations
from app.domain.decider import NotFound
from app.domain.escalation import Status
from app.domain.moment import parse_instant
from app.events.store import Cause
from app.operations import climbing, merging
from app.operations.climbing import NO_SUCH_ESCALATION, Standing
from app.operations.desk import Desk
from app.operations.job import Answer
from app.operations.show import Reader

router = APIRouter(prefix="/v1", tags=["escalations"])
READ = "near-misses:read"
ACT = "reviews:act"
CHANGED = ("not-found", "escalation-not-open")
STATUSES = tuple(status.value for status in Status if status is not Status.UNRAISED)


@router.get("/escalations", **told(READ, EscalationList))
def list_escalations(
    look: Reading,
    request: Request,
    status: Annotated[str | None, Query(max_length=64)] = None,
    service_id: ServiceId = None,
    locality: Locality = None,
    rule_id: Annotated[str | None, Query(max_length=128)] = None,
    overdue: bool | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Every escalation, in every status, the newest first."""
    row = escalations.c
    chosen = select(row.escalation_id, row.sequence).where(row.organisation == look.organisation)
    if status is not None:
        must_be_one_of("status", status, STATUSES)
        chosen = chosen.where(row.status == status)
    for column, wanted in ((row.rule_id, rule_id), (row.overdue, overdue)):
        if wanted is not None:
            chosen = chosen.where(column == wanted)
    with look.reader() as reader:
        if (of_group := escalations_of(look.organisation, look.names_of(reader, service_id), locality)) is not None:
            chosen = chosen.where(row.escalation_id.in_(of_group))
        found = reader.connection.execute(page(chosen, row.sequence, cursor, limit)).all()
        items = reader.escalations([one.escalation_id for one in found[:limit]])
    return listed(request, items, [one.sequence for one in found], limit)


@router.get("/escalations/{escalation_id}", **told(READ, Escalation, problems=["not-found"]))
def read_escalation(look: Reading, escalation_id: str, as_of: AsOf = None) -> Response:
    """One escalation as it stands, or as it was known at `as_of`."""
    with look.reader() as reader:
        at = then(look, reader, as_of, f"escalation/{escalation_id}")
        return answered(Answer(200, show(at, escalation_id)))


@router.post(
    "/escalations/{escalation_id}/acknowledgement",
    **told(ACT, Escalation, body=Acknowledgement, problems=CHANGED),
)
async def acknowledge_escalation(request: Request, escalation_id: str) -> Response:
    """Take the escalation on: nobody further up is asked. The review's deadline runs on."""
    return await change(
        request, escalation_id, Acknowledgement, lambda desk, cause, here, _: climbing.acknowledge(desk, cause, here)
    )


@router.post(
    "/escalations/{escalation_id}/handover",
    **told(ACT, Escalation, body=HandOver, problems=[*CHANGED, "handover-to-nobody"]),
)
async def hand_escalation_over(request: Request, escalation_id: str) -> Response:
    """Ask a role or a person to take it on; it waits for their acknowledgement as long as the level has time."""
    return await change(
        request,
        escalation_id,
        HandOver,
        lambda desk, cause, here, said: climbing.hand_over(desk, cause, here, said["to"]),
    )


@router.post(
    "/escalations/{escalation_id}/manual-escalation",
    **told(ACT, Escalation, body=ManualEscalation, problems=[*CHANGED, "stale-epoch"]),
)
async def escalate_by_hand(request: Request, escalation_id: str) -> Response:
    """Ask the next level now; what was acknowledged is to be acknowledged again."""
    return await change(
        request,
        escalation_id,
        ManualEscalation,
        lambda desk, cause, here, said: climbing.escalate(desk, cause, here, said["if_epoch"]),
    )


@router.post(
    "/escalations/{escalation_id}/snooze",
    **told(ACT, Escalation, body=Snooze, problems=[*CHANGED, "snooze-too-long"]),
)
async def snooze_escalation(request: Request, escalation_id: str) -> Response:
    """Let it rest until an instant, within the limit of its ladder; the review's deadline runs on."""
    return await change(
        request,
        escalation_id,
        Snooze,
        lambda desk, cause, here, said: climbing.snooze(desk, cause, here, parse_instant(said["until"])),
    )


@router.post(
    "/escalations/{escalation_id}/merge",
    **told(ACT, Escalation, body=Merge, problems=[*CHANGED, "merge-target-not-open"]),
)
async def merge_escalation(request: Request, escalation_id: str) -> Response:
    """Let it go on in another escalation that is open: its near misses become members there."""
    return await change(
        request, escalation_id, Merge, lambda desk, cause, here, said: merging.merge(desk, cause, here, said["into"])
    )


@router.post(
    "/escalations/{escalation_id}/policy",
    **told(ACT, Escalation, body=PolicyMove, problems=CHANGED),
)
async def move_escalation_to_policy(request: Request, escalation_id: str) -> Response:
    """Climb the ladder of another version of the policy from its foot, at once."""
    return await change(
        request,
        escalation_id,
        PolicyMove,
        lambda desk, cause, here, said: climbing.move_to_policy(desk, cause, here, said["version"]),
    )


Run = Callable[[Desk, Cause, Standing, Mapping[str, Any]], None]


async def change(request: Request, escalation_id: str, model: type[Body], run: Run) -> Response:
    """A command on one escalation, let in, read and carried out."""
    visit = await door_of(request).enter(request, ACT)
    body = await visit.read(model, f"escalation/{escalation_id}")
    said = body.model_dump(exclude_none=True)
    if_match = visit.if_match()

    def carry_out(desk: Desk, cause: Cause) -> None:
        run(desk, cause, climbing.load(desk, escalation_id, if_match), said)

    return await visit.command(escalation_id, carry_out, show, said)


def show(reader: Reader, escalation_id: str) -> dict[str, Any]:
    """The escalation, or `NotFound`."""
    found = reader.escalations([escalation_id])
    if not found:
        raise NotFound(NO_SUCH_ESCALATION)
    return found[0]
