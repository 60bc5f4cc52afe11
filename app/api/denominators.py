"""Denominators over HTTP: how much there was to do in a service on a day, so that counts can become rates."""

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from sqlalchemy import ColumnElement, and_, false, or_, select
from starlette.responses import Response

from app.api.door import BATCH_LIMIT, door_of
from app.api.groups import Locality, ServiceId
from app.api.lists import Cursor, Limit, day_of, listed, page
from app.api.looking import Reading
from app.api.routes import told
from app.api.schemas import Denominators
from app.api.schemas.answers import DenominatorList, DenominatorsStated
from app.database.tables import denominators as rows
from app.operations import denominators
from app.operations.configuration import Configuration
from app.operations.show import Reader

router = APIRouter(prefix="/v1", tags=["sources"])
READ = "near-misses:read"
WRITE = "near-misses:write"


@router.put("/denominators", **told(WRITE, DenominatorsStated, body=Denominators))
async def state_denominators(request: Request) -> Response:
    """State how much there was to do, day by day and service by service. Saying the same again changes nothing."""
    visit = await door_of(request).enter(request, WRITE)
    said = await visit.read(Denominators, limit=BATCH_LIMIT)
    items = said.stated()

    def show(reader: Reader, _: str) -> dict[str, Any]:
        settled = reader.settled()
        return {"items": denominators.as_stored(reader.connection, reader.organisation, settled, items)}

    return await visit.command(
        "denominators", lambda desk, cause: denominators.state(desk, cause, items), show, said.model_dump()
    )


@router.get("/denominators", **told(READ, DenominatorList))
def list_denominators(
    look: Reading,
    request: Request,
    service_id: ServiceId = None,
    locality: Locality = None,
    since: Annotated[str | None, Query(alias="from", max_length=40, description="A date; this day and later.")] = None,
    until: Annotated[str | None, Query(alias="to", max_length=40, description="A date; earlier than this day.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """What was stated last of each service and day, the newest day first."""
    row = rows.c
    chosen = select(rows).where(row.organisation == look.organisation)
    if since is not None:
        chosen = chosen.where(row.day >= day_of("from", since))
    if until is not None:
        chosen = chosen.where(row.day < day_of("to", until))
    with look.reader() as reader:
        settled = look.settled(reader)
        if service_id is not None:
            chosen = chosen.where(row.service_id == settled.service_of(service_id)[0])
        if locality is not None:
            chosen = chosen.where(or_(false(), *_belonging(settled, locality)))
        found = reader.connection.execute(page(chosen, row.day, cursor, limit, row.sequence)).all()
    items = [denominators.shown(one.service_id, denominators.amounts_of(one), settled) for one in found[:limit]]
    return listed(request, items, [(one.day, one.sequence) for one in found], limit)


def _belonging(settled: Configuration, locality: str) -> Iterator["ColumnElement[bool]"]:
    """The services of the register that belong to the locality, each on the days on which it does."""
    row = rows.c
    for service_id, service in settled.services.items():
        for period in service.particulars.localities if service.particulars else ():
            if period.locality == locality:
                days = [row.day >= period.since.toordinal()]
                days += [row.day < period.until.toordinal()] if period.until else []
                yield and_(row.service_id == service_id, *days)
