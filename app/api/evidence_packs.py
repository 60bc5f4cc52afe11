"""Evidence packs over HTTP: asked for, watched while they are built, downloaded (S16)."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import APIRouter, Query, Request
from sqlalchemy import select
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from app.api.door import Visit, answered, door_of
from app.api.lists import Cursor, Limit, listed, must_be_one_of, page
from app.api.looking import Auditing, Look
from app.api.routes import told
from app.api.schemas import EvidencePackRequest
from app.api.schemas.answers import EvidencePack, EvidencePackList
from app.database.tables import evidence_packs
from app.events.store import Cause
from app.operations import evidence_packs as packs
from app.operations.desk import Desk
from app.operations.governance_period import Period
from app.operations.job import Answer

router = APIRouter(prefix="/v1", tags=["evidence"])
AUDIT = "audit:read"
STATUSES = ("pending", "ready", "failed")
ZIP = "application/zip"
_BYTES: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {ZIP: {"schema": {"type": "string", "format": "binary"}}},
        "description": "The pack.",
        "headers": {"ETag": {"description": "The SHA-256 of the zip, quoted.", "schema": {"type": "string"}}},
    },
}


@router.post(
    "/evidence-packs",
    **told(
        AUDIT, EvidencePack, status=202, body=EvidencePackRequest, problems=["evidence-packs-pending"], always_new=True
    ),
)
async def ask_for_evidence_pack(request: Request) -> Response:
    """Have a pack made of the ledger as it is now. It is built behind the service: read it until it is ready."""
    visit = await door_of(request).enter(request, AUDIT)
    body = await visit.read(EvidencePackRequest)
    said = body.model_dump(exclude_none=True, by_alias=True)
    period = await run_in_threadpool(_asked, visit, said)
    command_id = str(uuid4())
    pack_id = f"pack_{UUID(command_id).hex}"

    def ask(desk: Desk, cause: Cause) -> None:
        packs.ask(desk, cause, pack_id, said, period)

    return await visit.command(pack_id, ask, packs.show, said, status=202, command_id=command_id)


def _asked(visit: Visit, said: Mapping[str, Any]) -> Period:
    with Look(visit).caught_up("heatmap") as (reader, _):
        return packs.asked_for(reader, reader.settled(), said, visit.now)


@router.get("/evidence-packs", **told(AUDIT, EvidencePackList))
def list_evidence_packs(
    look: Auditing,
    request: Request,
    status: Annotated[str | None, Query(max_length=64, description=f"One of: {', '.join(STATUSES)}.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Every pack, the newest first."""
    row = evidence_packs.c
    chosen = select(row.pack_id, row.sequence).where(row.organisation == look.organisation)
    if status is not None:
        must_be_one_of("status", status, STATUSES)
        chosen = chosen.where(row.status == status)
    with look.reader() as reader:
        found = reader.connection.execute(page(chosen, row.sequence, cursor, limit)).all()
        shown = packs.documents(reader, [one.pack_id for one in found[:limit]])
    return listed(request, [packs.listed(one) for one in shown], [one.sequence for one in found], limit)


@router.get("/evidence-packs/{evidence_pack_id}", **told(AUDIT, EvidencePack, problems=["not-found"]))
def read_evidence_pack(look: Auditing, evidence_pack_id: str) -> Response:
    """One pack: how far its building has come, and once it is ready, what is in it."""
    with look.reader() as reader:
        return answered(Answer(200, packs.show(reader, evidence_pack_id)))


@router.get(
    "/evidence-packs/{evidence_pack_id}/download",
    **told(AUDIT, problems=["not-found", "evidence-pack-not-ready", "evidence-pack-not-kept"], also=_BYTES),
)
def download_evidence_pack(look: Auditing, evidence_pack_id: str) -> Response:
    """The zip itself. `forewarn verify` checks it without this service; docs/evidence.md says how others can."""
    with look.reader() as reader:
        document = packs.must_be_there(reader, evidence_pack_id)
    headers = {
        "ETag": f'"{document["sha256"]}"',
        "Content-Length": str(document["size"]),
        "Content-Disposition": f'attachment; filename="{_file_name(document)}"',
        "X-Content-Type-Options": "nosniff",
    }
    return StreamingResponse(_bytes_of(look, evidence_pack_id), media_type=ZIP, headers=headers)


def _bytes_of(look: Look, pack_id: str) -> Iterator[bytes]:
    """The pack's bytes, a piece in memory at a time, each read on a connection that is given back at once."""
    number = 0
    while True:
        with look.reader() as reader:
            data = packs.piece(reader.connection, look.organisation, pack_id, number)
        if data is None:
            return
        yield data
        number += 1


def _file_name(document: Mapping[str, Any]) -> str:
    return f"evidence-{document['from_at'][:10]}-to-{document['to_at'][:10]}-{document['id'][-8:]}.zip"
