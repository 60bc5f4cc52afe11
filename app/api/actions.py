"""Actions: told how they go, completed or cancelled by a person, and looked at again once they are done."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from sqlalchemy import select
from starlette.responses import Response

from app.api.asof import AsOf, then
from app.api.door import answered, door_of
from app.api.groups import Locality, ServiceId, actions_of
from app.api.lists import Cursor, Limit, listed, must_be_one_of, page
from app.api.looking import Reading
from app.api.routes import told
from app.api.schemas import ActionCancellation, ActionCompletion, ActionProgress, Body, EffectivenessCheck
from app.api.schemas.answers import Action, ActionList
from app.database.tables import actions
from app.domain.decider import NotFound
from app.events.store import Cause
from app.operations import acting
from app.operations.acting import NO_SUCH_ACTION, Undertaking
from app.operations.desk import Desk
from app.operations.job import Answer
from app.operations.show import Reader

router = APIRouter(prefix="/v1", tags=["actions"])
READ = "near-misses:read"
ACT = "reviews:act"
STATUSES = ("open", "overdue", "completed", "cancelled")
OPEN_ONLY = ("not-found", "action-not-open")
DONE_ONLY = ("not-found", "action-not-completed")


@router.get("/actions", **told(READ, ActionList))
def list_actions(
    look: Reading,
    request: Request,
    status: Annotated[str | None, Query(max_length=64)] = None,
    review_id: Annotated[str | None, Query(max_length=128)] = None,
    governance_review_id: Annotated[str | None, Query(max_length=128)] = None,
    overdue: bool | None = None,
    service_id: ServiceId = None,
    locality: Locality = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Every action, in every status, the newest first."""
    row = actions.c
    chosen = select(row.action_id, row.sequence).where(row.organisation == look.organisation)
    if status is not None:
        must_be_one_of("status", status, STATUSES)
        chosen = chosen.where(row.status == status)
    for column, wanted in ((row.review_id, review_id), (row.governance_review_id, governance_review_id)):
        if wanted is not None:
            chosen = chosen.where(column == wanted)
    if overdue is not None:
        chosen = chosen.where((row.status == "overdue") == overdue)
    with look.reader() as reader:
        if (of_group := actions_of(look.organisation, look.names_of(reader, service_id), locality)) is not None:
            chosen = chosen.where(row.action_id.in_(of_group))
        found = reader.connection.execute(page(chosen, row.sequence, cursor, limit)).all()
        items = reader.actions([one.action_id for one in found[:limit]])
    return listed(request, items, [one.sequence for one in found], limit)


@router.get("/actions/{action_id}", **told(READ, Action, problems=["not-found"]))
def read_action(look: Reading, action_id: str, as_of: AsOf = None) -> Response:
    """One action as it stands, or as it was known at `as_of`."""
    with look.reader() as reader:
        at = then(look, reader, as_of, f"action/{action_id}")
        return answered(Answer(200, show(at, action_id)))


@router.post("/actions/{action_id}/progress", **told(ACT, Action, body=ActionProgress, problems=OPEN_ONLY))
async def progress_action(request: Request, action_id: str) -> Response:
    """Tell how it goes; its deadline stays."""
    change = await changing(request, action_id, ActionProgress)
    return await change(lambda desk, cause, undertaking, said: acting.progress(desk, cause, undertaking, said["note"]))


@router.post("/actions/{action_id}/completion", **told(ACT, Action, body=ActionCompletion, problems=OPEN_ONLY))
async def complete_action(request: Request, action_id: str) -> Response:
    """Say that it is done, since when it works, and what shows that. The last one closes the escalation of a closed
    review.
    """
    change = await changing(request, action_id, ActionCompletion)
    return await change(
        lambda desk, cause, undertaking, said: acting.complete(
            desk, cause, undertaking, said["effective_from"], said["evidence"]
        )
    )


@router.post("/actions/{action_id}/cancellation", **told(ACT, Action, body=ActionCancellation, problems=OPEN_ONLY))
async def cancel_action(request: Request, action_id: str) -> Response:
    """Say that it is not going to be done, and why. The last one closes the escalation of a closed review."""
    change = await changing(request, action_id, ActionCancellation)
    return await change(lambda desk, cause, undertaking, said: acting.cancel(desk, cause, undertaking, said["reason"]))


@router.post(
    "/actions/{action_id}/effectiveness-check", **told(ACT, Action, body=EffectivenessCheck, problems=DONE_ONLY)
)
async def check_effectiveness(request: Request, action_id: str) -> Response:
    """Say whether what was done works: how that was looked at, what was found, by whom and when."""
    change = await changing(request, action_id, EffectivenessCheck)
    return await change(
        lambda desk, cause, undertaking, said: acting.check_effectiveness(
            desk, cause, undertaking, said["method"], said["result"], said["by"], said["at"]
        )
    )


Run = Callable[[Desk, Cause, Undertaking, Mapping[str, Any]], None]


async def changing(request: Request, action_id: str, model: type[Body]) -> Callable[[Run], Awaitable[Response]]:
    """A command on one action, let in and read; what is returned carries it out."""
    visit = await door_of(request).enter(request, ACT)
    body = await visit.read(model, f"action/{action_id}")
    said = body.model_dump(exclude_none=True)
    if_match = visit.if_match()

    async def change(run: Run) -> Response:
        def carry_out(desk: Desk, cause: Cause) -> None:
            run(desk, cause, acting.load(desk, action_id, if_match), said)

        return await visit.command(action_id, carry_out, show, said)

    return change


def show(reader: Reader, action_id: str) -> dict[str, Any]:
    """The action, or `NotFound`."""
    found = reader.actions([action_id])
    if not found:
        raise NotFound(NO_SUCH_ACTION)
    return found[0]
