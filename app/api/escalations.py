"""Escalations: what crossed a threshold, which near misses it holds, and where it stands."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from sqlalchemy import select
from starlette.responses import Response

from app.api.asof import AsOf, sequence_of
from app.api.door import answered
from app.api.lists import Cursor, Limit, listed, page
from app.api.looking import Reading
from app.api.routes import told
from app.api.schemas.answers import Escalation, EscalationList
from app.database.tables import escalations
from app.domain.decider import Fault, Invalid, NotFound
from app.domain.escalation import Status
from app.operations.job import Answer
from app.operations.show import Reader

router = APIRouter(prefix="/v1", tags=["escalations"])
READ = "near-misses:read"
STATUSES = tuple(status.value for status in Status if status is not Status.UNRAISED)


@router.get("/escalations", **told(READ, EscalationList))
def list_escalations(
    look: Reading,
    request: Request,
    status: Annotated[str | None, Query(max_length=64)] = None,
    service_id: Annotated[str | None, Query(max_length=128)] = None,
    rule_id: Annotated[str | None, Query(max_length=128)] = None,
    overdue: bool | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Every escalation, in every status, the newest first."""
    row = escalations.c
    chosen = select(row.escalation_id, row.sequence).where(row.organisation == look.organisation)
    if status is not None:
        if status not in STATUSES:
            raise Invalid(Fault("/query/status", "unknown-code", f"Use one of: {', '.join(STATUSES)}."))
        chosen = chosen.where(row.status == status)
    for column, wanted in ((row.service_id, service_id), (row.rule_id, rule_id), (row.overdue, overdue)):
        if wanted is not None:
            chosen = chosen.where(column == wanted)
    with look.reader() as reader:
        found = reader.connection.execute(page(chosen, row.sequence, cursor, limit)).all()
        items = reader.escalations([one.escalation_id for one in found[:limit]])
    return listed(request, items, [one.sequence for one in found], limit)


@router.get("/escalations/{escalation_id}", **told(READ, Escalation, problems=["not-found"]))
def read_escalation(look: Reading, escalation_id: str, as_of: AsOf = None) -> Response:
    """One escalation as it stands, or as it was known at `as_of`."""
    with look.reader() as reader:
        at = Reader(reader.connection, reader.vault, reader.organisation, sequence_of(reader, as_of))
        return answered(Answer(200, show(at, escalation_id)))


def show(reader: Reader, escalation_id: str) -> dict[str, Any]:
    """The escalation, or `NotFound`."""
    found = reader.escalations([escalation_id])
    if not found:
        raise NotFound("No escalation of that id belongs to this organisation: GET /v1/escalations lists them.")
    return found[0]
