"""By which rules a near miss is recognised in what care systems send: read, and followed by the next version."""

from typing import Any, cast

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.api.door import answered, door_of
from app.api.lists import Cursor, Limit, before, listed
from app.api.looking import Reading
from app.api.routes import told
from app.api.schemas.answers import Recognition, RecognitionVersions
from app.api.schemas.recognition import RecognitionDocument
from app.domain import recognition_document
from app.domain.decider import Fault, Invalid
from app.domain.recognition_document import INITIAL, Adopt
from app.domain.recognition_rules import Recognition as Rules
from app.events.codec import decode
from app.events.envelope import instant
from app.events.store import read_stream
from app.operations import settle
from app.operations.configuration import RECOGNITION_STREAM
from app.operations.job import Answer

router = APIRouter(prefix="/v1", tags=["settings"])
READ = "near-misses:read"
WRITE = "policy:write"


@router.get("/recognition", **told(READ, Recognition))
def read_recognition(look: Reading) -> Response:
    """The rules in force by which a near miss is recognised in a dose or a visit."""
    with look.reader() as reader:
        return answered(Answer(200, show_recognition(look.settled(reader).recognition)))


@router.put("/recognition", **told(WRITE, Recognition, body=RecognitionDocument))
async def adopt_recognition(request: Request) -> Response:
    """Put the whole of the rules in force, for what is taken in from now on; a replay judges older records by them."""
    visit = await door_of(request).enter(request, WRITE)
    said = await visit.document()
    if not isinstance(said, dict):
        raise Invalid(Fault("", "wrong-type", "Send the rules as an object."))
    document = cast("dict[str, Any]", said)
    recognition_document.decide(Adopt(document), INITIAL)  # What is wrong with it is told without the lock.
    if_match = visit.if_match()
    return await visit.command(
        "recognition",
        lambda desk, cause: settle.adopt_recognition(desk, cause, document, if_match),
        lambda reader, _: show_recognition(reader.settled().recognition),
        document,
    )


@router.get("/recognition/versions", **told(READ, RecognitionVersions))
def list_recognition_versions(look: Reading, request: Request, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """All rules of recognition that were in force, the newest first; every organisation begins with version 1."""
    items: list[dict[str, Any]] = [{**show_recognition(INITIAL), "adopted_at": None}]
    with look.reader() as reader:
        for envelope in read_stream(reader.connection, look.organisation, RECOGNITION_STREAM):
            rules = recognition_document.evolve(INITIAL, decode(envelope))
            by = {"adopted_at": instant(envelope.recorded_at), "adopted_by": envelope.actor}
            items.append({**show_recognition(rules), **by})
    below = before(cursor)
    older = [one for one in reversed(items) if below is None or one["version"] < below]
    return listed(request, older[:limit], [one["version"] for one in older[: limit + 1]], limit)


def show_recognition(rules: Rules) -> dict[str, Any]:
    """The rules as the contract shows them."""
    return {"version": rules.version, **recognition_document.recognition_document(rules)}
