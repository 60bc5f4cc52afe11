"""Signals over HTTP: what rises below the threshold or falls silent, and how it was answered."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from sqlalchemy import select
from starlette.responses import Response

from app.api.asof import AsOf, then
from app.api.door import answered, door_of
from app.api.groups import Locality, ServiceId
from app.api.lists import Cursor, Limit, listed, must_be_one_of, page
from app.api.looking import Reading
from app.api.routes import told
from app.api.schemas import SignalAcknowledgement
from app.api.schemas.answers import Signal, SignalList
from app.database.tables import signals
from app.domain.signal import KINDS
from app.operations import signalling
from app.operations.job import Answer

router = APIRouter(prefix="/v1", tags=["signals"])
READ = "near-misses:read"
ACT = "reviews:act"
STATUSES = ("open", "acknowledged")


@router.get("/signals", **told(READ, SignalList))
def list_signals(
    look: Reading,
    request: Request,
    status: Annotated[str | None, Query(max_length=64, description=f"One of: {', '.join(STATUSES)}.")] = None,
    kind: Annotated[str | None, Query(max_length=64, description=f"One of: {', '.join(KINDS)}.")] = None,
    service_id: ServiceId = None,
    locality: Locality = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Every signal, answered or not, the newest first."""
    row = signals.c
    chosen = select(row.signal_id, row.sequence).where(row.organisation == look.organisation)
    must_be_one_of("status", status, STATUSES)
    must_be_one_of("kind", kind, KINDS)
    with look.reader() as reader:
        for column, wanted in (
            (row.status, status),
            (row.kind, kind),
            (row.locality, locality),
        ):
            if wanted is not None:
                chosen = chosen.where(column == wanted)
        if (names := look.names_of(reader, service_id)) is not None:
            chosen = chosen.where(row.service_id.in_(names))
        found = reader.connection.execute(page(chosen, row.sequence, cursor, limit)).all()
        items = signalling.documents(reader, [one.signal_id for one in found[:limit]])
    return listed(request, items, [one.sequence for one in found], limit)


@router.get("/signals/{signal_id}", **told(READ, Signal, problems=["not-found"]))
def read_signal(look: Reading, signal_id: str, as_of: AsOf = None) -> Response:
    """One signal with the numbers that it was told by, as it stands, or as it was known at `as_of`."""
    with look.reader() as reader:
        at = then(look, reader, as_of, f"signal/{signal_id}")
        return answered(Answer(200, signalling.show(at, signal_id)))


@router.post(
    "/signals/{signal_id}/acknowledgement",
    **told(ACT, Signal, body=SignalAcknowledgement, problems=["not-found", "signal-not-open", "precondition-failed"]),
)
async def acknowledge_signal(request: Request, signal_id: str) -> Response:
    """Answer for the service: what is known of it, and what is going to be done. Once; it holds for eight weeks."""
    visit = await door_of(request).enter(request, ACT)
    said = await visit.read(SignalAcknowledgement, f"signal/{signal_id}")
    if_match = visit.if_match()
    return await visit.command(
        signal_id,
        lambda desk, cause: signalling.acknowledge(desk, cause, signal_id, said.note, if_match),
        signalling.show,
        said.model_dump(),
    )
