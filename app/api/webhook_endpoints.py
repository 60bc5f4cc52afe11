"""Endpoints: where other systems are told what happens. A secret is shown once, to whoever had it made."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from sqlalchemy import select
from starlette.responses import Response

from app.api.door import Visit, answered, door_of
from app.api.lists import Cursor, Limit, listed, must_be_one_of, page
from app.api.looking import Look, looking
from app.api.routes import told
from app.api.schemas import Body, EndpointChanges, EndpointRecovery, EndpointRegistration, NothingToSay
from app.api.schemas.answers import WebhookEndpoint, WebhookEndpointGiven, WebhookEndpointList
from app.database.tables import webhook_endpoints
from app.events.store import Cause
from app.operations import endpoints
from app.operations.acting import instant_of
from app.operations.desk import Desk
from app.operations.endpoint_document import endpoint_given, endpoint_shown, endpoints_shown
from app.operations.endpoints import Receiver
from app.operations.job import Answer, Show
from app.operations.outside import networks_of

router = APIRouter(prefix="/v1", tags=["webhooks"])
MANAGE = "webhooks:manage"
STATUSES = ("active", "degraded", "held")
Managing = Annotated[Look, Depends(looking(MANAGE))]


@router.post(
    "/webhook-endpoints",
    **told(MANAGE, WebhookEndpointGiven, status=201, body=EndpointRegistration, always_new=True),
)
async def register_endpoint(request: Request) -> Response:
    """Tell another system from now on what happens. The answer holds the secret that its messages are signed with,
    and the public key that checks them too; the secret is not shown again.
    """
    visit = await door_of(request).enter(request, MANAGE)
    said = (await visit.read(EndpointRegistration)).model_dump(exclude_none=True)
    must_be_allowed(visit, said)
    endpoint_id, given = endpoints.new_endpoint_id(), endpoints.fresh()
    return await visit.command(
        endpoint_id,
        lambda desk, cause: endpoints.register(desk, cause, endpoint_id, said, given),
        lambda reader, subject: endpoint_given(reader, subject, given),
        said,
        status=201,
    )


@router.get("/webhook-endpoints", **told(MANAGE, WebhookEndpointList))
def list_endpoints(
    look: Managing,
    request: Request,
    status: Annotated[str | None, Query(max_length=64)] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """The endpoints of the organisation, in every status, the newest first."""
    row = webhook_endpoints.c
    chosen = select(row.endpoint_id, row.sequence).where(row.organisation == look.organisation)
    must_be_one_of("status", status, STATUSES)
    chosen = chosen.where(row.status == status if status is not None else row.status != "deleted")
    with look.reader() as reader:
        found = reader.connection.execute(page(chosen, row.sequence, cursor, limit)).all()
        items = endpoints_shown(reader, [one.endpoint_id for one in found[:limit]])
    return listed(request, items, [one.sequence for one in found], limit)


@router.get("/webhook-endpoints/{endpoint_id}", **told(MANAGE, WebhookEndpoint, problems=["not-found"]))
def read_endpoint(look: Managing, endpoint_id: str) -> Response:
    """One endpoint as it stands."""
    with look.reader() as reader:
        return answered(Answer(200, endpoint_shown(reader, endpoint_id)))


@router.patch(
    "/webhook-endpoints/{endpoint_id}", **told(MANAGE, WebhookEndpoint, body=EndpointChanges, problems=["not-found"])
)
async def change_endpoint(request: Request, endpoint_id: str) -> Response:
    """Change where it is or what it wants. What happened before is owed as it was wanted then."""
    change = await changing(request, endpoint_id, EndpointChanges)

    def run(cause: Cause, receiver: Receiver) -> None:
        must_be_allowed(change.visit, change.said)
        endpoints.change(cause, receiver, change.said)

    return await change(run)


@router.delete(
    "/webhook-endpoints/{endpoint_id}",
    **told(
        MANAGE,
        problems=["not-found", "precondition-failed", "malformed-request"],
        also={204: {"description": "Nothing more is sent to it."}},
        status=204,
    ),
)
async def delete_endpoint(request: Request, endpoint_id: str) -> Response:
    """Send it nothing more. What it was owed stays to be seen in the lists of its deliveries, held for good."""
    visit = await door_of(request).enter(request, MANAGE)
    if_match = visit.if_match()

    def delete(desk: Desk, cause: Cause) -> None:
        endpoints.delete(cause, endpoints.load(desk, endpoint_id, if_match))

    return await visit.command(endpoint_id, delete, lambda _reader, _subject: {}, {}, status=204)


@router.post(
    "/webhook-endpoints/{endpoint_id}/rotate-secret",
    **told(MANAGE, WebhookEndpointGiven, body=NothingToSay, problems=["not-found"]),
)
async def rotate_secret(request: Request, endpoint_id: str) -> Response:
    """Give it another secret, shown in this answer only. The one before signs as well for 24 hours."""
    given = endpoints.fresh()
    change = await changing(request, endpoint_id, NothingToSay)
    return await change(
        lambda cause, receiver: endpoints.rotate_secret(cause, receiver, given),
        lambda reader, subject: endpoint_given(reader, subject, given),
    )


@router.post(
    "/webhook-endpoints/{endpoint_id}/test",
    **told(MANAGE, WebhookEndpoint, body=NothingToSay, problems=["not-found", "endpoint-held"]),
)
async def test_endpoint(request: Request, endpoint_id: str) -> Response:
    """Owe it a message of type `forewarn.test`, whatever it wants; its deliveries show how that went."""
    change = await changing(request, endpoint_id, NothingToSay)
    return await change(endpoints.send_test)


@router.post(
    "/webhook-endpoints/{endpoint_id}/enable",
    **told(MANAGE, WebhookEndpoint, body=NothingToSay, problems=["not-found"]),
)
async def enable_endpoint(request: Request, endpoint_id: str) -> Response:
    """Send to it again: everything that was held, in its order. One that is not held stays as it is."""
    change = await changing(request, endpoint_id, NothingToSay)
    return await change(endpoints.enable)


@router.post(
    "/webhook-endpoints/{endpoint_id}/recover",
    **told(MANAGE, WebhookEndpoint, body=EndpointRecovery, problems=["not-found"]),
)
async def recover_endpoint(request: Request, endpoint_id: str) -> Response:
    """Send again, now, what failed or was held since an instant; what was delivered is not sent again. An endpoint
    that is held is enabled by it, and what is older waits on.
    """
    change = await changing(request, endpoint_id, EndpointRecovery)

    def recover(cause: Cause, receiver: Receiver) -> None:
        endpoints.recover(cause, receiver, instant_of(receiver.desk.configuration, change.said["since"], "/since"))

    return await change(recover)


@dataclass(frozen=True, slots=True)
class Change:
    """A command on one endpoint, let in and read; calling it has it carried out."""

    visit: Visit
    endpoint_id: str
    said: Mapping[str, Any]

    async def __call__(self, run: Callable[[Cause, Receiver], None], show: Show = endpoint_shown) -> Response:
        if_match = self.visit.if_match()

        def carry_out(desk: Desk, cause: Cause) -> None:
            run(cause, endpoints.load(desk, self.endpoint_id, if_match))

        return await self.visit.command(self.endpoint_id, carry_out, show, self.said)


async def changing(request: Request, endpoint_id: str, model: type[Body]) -> Change:
    """A command on one endpoint; what was not said is not in `said`, for null says something."""
    visit = await door_of(request).enter(request, MANAGE)
    body = await visit.read(model, f"endpoint/{endpoint_id}")
    return Change(visit, endpoint_id, body.model_dump(exclude_unset=True))


def must_be_allowed(visit: Visit, said: Mapping[str, Any]) -> None:
    """Refuse an address that no webhook may go to."""
    if "url" in said:
        endpoints.must_be_allowed(said["url"], networks_of(visit.door.house.settings.webhook_allow_networks))
