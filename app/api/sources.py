"""Sources over HTTP: which are known, how often each is expected to speak, and which have gone quiet."""

from typing import Any

from fastapi import APIRouter, Request
from sqlalchemy import select
from starlette.responses import Response

from app.api.door import answered, door_of
from app.api.lists import Cursor, Limit, listed, page
from app.api.looking import Reading
from app.api.routes import told
from app.api.schemas import SourceDeclaration
from app.api.schemas.answers import Source, SourceList
from app.database.tables import heard_sources
from app.domain.decider import Fault, Invalid
from app.domain.identifiers import is_identifier
from app.domain.source import Declare
from app.operations import quiet
from app.operations.job import Answer
from app.operations.quiet import NEVER, Hearing

router = APIRouter(prefix="/v1", tags=["sources"])
READ = "near-misses:read"
WRITE = "policy:write"


@router.get("/sources", **told(READ, SourceList))
def list_sources(look: Reading, request: Request, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """Every source that was declared or heard, the newest first: when it spoke last, and whether it is silent."""
    row = heard_sources.c
    with look.caught_up(quiet.FOLLOWER) as (reader, _):
        chosen = select(heard_sources).where(row.organisation == look.organisation)
        found = reader.connection.execute(page(chosen, row.sequence, cursor, limit)).all()
        streams = reader.told([f"source/{one.source}" for one in found[:limit]])
    items = [quiet.shown(one.source, streams[f"source/{one.source}"], _heard(one)) for one in found[:limit]]
    return listed(request, items, [one.sequence for one in found], limit)


@router.get("/sources/{source:path}", **told(READ, Source, problems=["not-found"]))
def read_source(look: Reading, source: str) -> Response:
    """One source. Its name may have slashes in it."""
    with look.reader() as reader:
        return answered(Answer(200, quiet.show(reader, source)))


@router.put("/sources/{source:path}", **told(WRITE, Source, body=SourceDeclaration))
async def declare_source(request: Request, source: str) -> Response:
    """Say how often a source is expected to speak. One that goes quiet is told to managers, once for each silence."""
    visit = await door_of(request).enter(request, WRITE)
    if not is_identifier(source):
        raise Invalid(Fault("/path/source", "not-visible", "Use 1 to 128 visible characters."))
    said = await visit.read(SourceDeclaration)
    if_match = visit.if_match()
    command = Declare(source, said.expected_every, said.service_id, said.description)
    return await visit.command(
        source,
        lambda desk, cause: quiet.declare(desk, cause, source, command, if_match),
        quiet.show,
        said.model_dump(),
    )


@router.delete("/sources/{source:path}", **told(WRITE, Source, problems=["not-found", "precondition-failed"]))
async def expect_source_no_more(request: Request, source: str) -> Response:
    """End the expectation: the source may fall silent from now on. What was heard of it stays."""
    visit = await door_of(request).enter(request, WRITE)
    if_match = visit.if_match()
    return await visit.command(
        source, lambda desk, cause: quiet.expect_no_more(desk, cause, source, if_match), quiet.show, {}
    )


def _heard(row: Any) -> Hearing:
    return NEVER if row.heard_at is None else Hearing(row.heard_at, row.heard_sequence)
