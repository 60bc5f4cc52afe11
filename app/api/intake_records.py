"""What came in and is kept: listed with the reason, opened, and read again once a mapping or the rules are mended."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from sqlalchemy import select
from starlette.responses import Response

from app.api.door import answered, door_of
from app.api.lists import Cursor, Limit, listed, must_be_one_of, page
from app.api.looking import Reading
from app.api.receiving import checked
from app.api.routes import told
from app.api.schemas import NothingToSay
from app.api.schemas.answers import IntakeRecordList, IntakeRecordRead, IntakeRecordReplayed
from app.database.tables import intake_records
from app.domain.intake import Outcome
from app.domain.moment import to_micros
from app.operations import intake_records as kept
from app.operations.ids import new_command_id
from app.operations.job import Answer

router = APIRouter(prefix="/v1/intake-records", tags=["intake"])
READ = "near-misses:read"
WRITE = "near-misses:write"
STATUSES = tuple(one.value for one in Outcome)
Text = Annotated[str | None, Query(max_length=128)]


@router.get("", **told(READ, IntakeRecordList))
def list_intake_records(
    look: Reading,
    request: Request,
    status: Text = None,
    source: Text = None,
    via: Text = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """What came in, the newest first, with what it was taken for and why."""
    must_be_one_of("status", status, STATUSES)
    row = intake_records.c
    chosen = select(row.intake_id, row.sequence).where(row.organisation == look.organisation)
    for column, wanted in ((row.status, status), (row.source, source), (row.via, via)):
        if wanted is not None:
            chosen = chosen.where(column == wanted)
    with look.reader() as reader:
        found = reader.connection.execute(page(chosen, row.sequence, cursor, limit)).all()
        items = kept.records(reader, [one.intake_id for one in found[:limit]])
    return listed(request, items, [one.sequence for one in found], limit)


@router.get("/{intake_record_id}", **told(READ, IntakeRecordRead, problems=["not-found"]))
def read_intake_record(look: Reading, intake_record_id: str) -> Response:
    """One record, with what was sent."""
    with look.reader() as reader:
        return answered(Answer(200, kept.record(reader, intake_record_id)))


@router.post(
    "/{intake_record_id}/replay", **told(WRITE, IntakeRecordReplayed, body=NothingToSay, problems=["not-found"])
)
async def replay_intake_record(request: Request, intake_record_id: str) -> Response:
    """Read it again by today's mapping and rules: it may be a near miss now. What has had its effect stays as it is."""
    visit = await door_of(request).enter(request, WRITE)
    await visit.read(NothingToSay, f"intake/{intake_record_id}")
    command_id = new_command_id(to_micros(visit.now))
    again = kept.Replay(intake_record_id, command_id, visit.door.house.adapters, checked)
    return await visit.command(intake_record_id, again.run, again.show, {}, command_id=command_id)
