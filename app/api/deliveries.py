"""Deliveries: the messages that endpoints are owed, how each fared at every try, and which types of them there are."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from sqlalchemy import and_, select
from starlette.responses import Response

from app.api.door import door_of, shown
from app.api.lists import Cursor, Limit, listed, must_be_one_of, page
from app.api.routes import told
from app.api.schemas import NothingToSay
from app.api.schemas.answers import Delivery, DeliveryAttemptList, DeliveryList, EventTypeList
from app.api.schemas.answers.message_examples import example_of
from app.api.webhook_endpoints import MANAGE, Managing
from app.database.tables import deliveries, delivery_attempts, webhook_endpoints
from app.domain.decider import NotFound
from app.domain.endpoint import NO_SUCH_ENDPOINT
from app.domain.webhook import TYPES
from app.operations import endpoints
from app.operations.endpoint_document import attempt_document, delivery_document, delivery_shown

router = APIRouter(prefix="/v1", tags=["webhooks"])
STATUSES = ("pending", "delivered", "held", "superseded")


@router.get("/webhook-endpoints/{endpoint_id}/deliveries", **told(MANAGE, DeliveryList, problems=["not-found"]))
def list_deliveries(
    look: Managing,
    request: Request,
    endpoint_id: str,
    status: Annotated[str | None, Query(max_length=64)] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """What one endpoint is owed or was told, the newest first; also of one that was deleted."""
    row, its = deliveries.c, webhook_endpoints.c
    chosen = select(deliveries).where(row.organisation == look.organisation, row.endpoint_id == endpoint_id)
    if status is not None:
        must_be_one_of("status", status, STATUSES)
        chosen = chosen.where(row.status == status)
    with look.caught_up("deliveries") as (reader, _):
        known = select(its.endpoint_id).where(its.organisation == look.organisation, its.endpoint_id == endpoint_id)
        if reader.connection.execute(known).scalar() is None:
            raise NotFound(NO_SUCH_ENDPOINT)
        found = reader.connection.execute(page(chosen, row.sequence, cursor, limit)).all()
    return listed(request, [delivery_document(one) for one in found[:limit]], [one.sequence for one in found], limit)


@router.get("/deliveries/{delivery_id}", **told(MANAGE, Delivery, problems=["not-found"]))
def read_delivery(look: Managing, delivery_id: str) -> Response:
    """One delivery, with the message that is sent."""
    with look.reader() as reader:
        return shown(delivery_shown(reader, delivery_id))


@router.get("/deliveries/{delivery_id}/attempts", **told(MANAGE, DeliveryAttemptList, problems=["not-found"]))
def list_attempts(
    look: Managing, request: Request, delivery_id: str, limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """How each try went, the newest first: when, how long it took, and what came back."""
    row, its = delivery_attempts.c, deliveries.c
    chosen = select(delivery_attempts).where(row.organisation == look.organisation, row.delivery_id == delivery_id)
    with look.reader() as reader:
        known = and_(its.organisation == look.organisation, its.delivery_id == delivery_id)
        if reader.connection.execute(select(its.delivery_id).where(known)).scalar() is None:
            raise NotFound(endpoints.NO_SUCH_DELIVERY)
        found = reader.connection.execute(page(chosen, row.number, cursor, limit)).all()
    return listed(request, [attempt_document(one) for one in found[:limit]], [one.number for one in found], limit)


@router.post(
    "/deliveries/{delivery_id}/replay",
    **told(MANAGE, Delivery, body=NothingToSay, problems=["not-found", "endpoint-held"]),
)
async def replay_delivery(request: Request, delivery_id: str) -> Response:
    """Send one message again, now, however it ended; it keeps its id, so that a receiver knows it again."""
    visit = await door_of(request).enter(request, MANAGE)
    await visit.read(NothingToSay)
    return await visit.command(
        delivery_id, lambda desk, cause: endpoints.replay(desk, cause, delivery_id), delivery_shown, {}
    )


@router.get("/event-types", **told(MANAGE, EventTypeList))
def list_event_types(_: Managing) -> Response:
    """Every type of message that an endpoint may want, with an example."""
    items = [
        {"type": name, "description": one.says, "urgent": one.urgent, "example": example_of(name)}
        for name, one in TYPES.items()
    ]
    return shown({"items": items})
