"""What lets others hold the ledger to its word: signed checkpoints, and proofs that need no trust in who serves them.

An inclusion proof shows an event under the root of a checkpoint; a consistency proof shows that one checkpoint's ledger
is the beginning of another's, so that nothing was taken out or rewritten in between. `app/proof/tree.py` checks both,
and docs/transparency.md says how anybody can.
"""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from sqlalchemy import select
from starlette.responses import Response

from app.api.door import door_of, shown
from app.api.lists import Cursor, Limit, listed, page
from app.api.looking import Auditing
from app.api.routes import told
from app.api.schemas.answers import (
    Checkpoint,
    CheckpointList,
    ConsistencyProof,
    InclusionProof,
    SigningKeys,
)
from app.api.schemas.fields import LARGEST_INTEGER
from app.database.tables import events
from app.domain.decider import Fault, Invalid
from app.events.envelope import Envelope
from app.events.store import position
from app.operations import checkpoints
from app.operations.show import Reader
from app.operations.signing_keys import public_keys, signing_key
from app.operations.tree_nodes import node_of
from app.proof.note import base64_of
from app.proof.tree import consistency, inclusion

AUDIT = "audit:read"

router = APIRouter(tags=["ledger"])

_FROM_ONE = {"minimum": 1, "maximum": LARGEST_INTEGER}

Size = Annotated[
    int | None,
    Query(json_schema_extra=_FROM_ONE, description="The ledger as it was at so many events; left out, as it is."),
]
Sequence = Annotated[int, Query(json_schema_extra=_FROM_ONE, description="The event's place in the ledger.")]
From = Annotated[int, Query(alias="from", json_schema_extra=_FROM_ONE, description="The earlier size.")]
To = Annotated[
    int | None, Query(json_schema_extra=_FROM_ONE, description="The later size; left out, the ledger as it is.")
]


@router.get("/v1/ledger/checkpoint", **told(AUDIT, Checkpoint))
def read_checkpoint(look: Auditing, size: Size = None) -> Response:
    """The root of the ledger, signed (C2SP signed-note): keep it elsewhere, and it cannot be rewritten unnoticed."""
    house = look.visit.door.house
    with look.reader() as reader:
        _size(reader, "size", size)
        return shown(checkpoints.checkpoint_of(house, reader.connection, look.organisation, size))


@router.get("/v1/ledger/checkpoints", **told(AUDIT, CheckpointList))
def list_checkpoints(look: Auditing, request: Request, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """Those that the ledger itself holds: one an hour while something happens, the newest first."""
    row = events.c
    chosen = select(events).where(row.organisation == look.organisation, row.stream == checkpoints.STREAM)
    with look.reader() as reader:
        found = [Envelope._make(one) for one in reader.connection.execute(page(chosen, row.sequence, cursor, limit))]
    return listed(request, [checkpoints.show(one) for one in found], [one.sequence for one in found], limit)


@router.get("/v1/ledger/proofs/inclusion", **told(AUDIT, InclusionProof))
def prove_inclusion(look: Auditing, sequence: Sequence, size: Size = None) -> Response:
    """That the event of a sequence is in the ledger of a size: its leaf, and the path from there to the root."""
    with look.reader() as reader:
        whole = _size(reader, "size", size)
        if not 1 <= sequence <= whole:
            raise Invalid(Fault("/query/sequence", "out-of-range", f"Give a sequence from 1 to {whole}, the size."))
        node = node_of(reader.connection, look.organisation)
        path = inclusion(sequence, whole, node)
        leaf = node(0, sequence - 1)
    hashes = {"leaf_hash": base64_of(leaf), "path": [base64_of(one) for one in path]}
    return shown({"sequence": sequence, "size": whole, **hashes})


@router.get("/v1/ledger/proofs/consistency", **told(AUDIT, ConsistencyProof))
def prove_consistency(look: Auditing, first: From, to: To = None) -> Response:
    """That the ledger of one size is the beginning of the ledger of another: it was only ever added to."""
    with look.reader() as reader:
        second = _size(reader, "to", to)
        if not 1 <= first <= second:
            raise Invalid(Fault("/query/from", "out-of-range", f"Give a size from 1 to {second}, the later one."))
        path = consistency(first, second, node_of(reader.connection, look.organisation))
    return shown({"from": first, "to": second, "path": [base64_of(one) for one in path]})


@router.get("/.well-known/forewarn-keys.json", responses={200: {"model": SigningKeys}}, response_model=None)
def read_signing_keys(request: Request) -> Response:
    """The public keys that checkpoints and evidence packs are signed with, those of before among them."""
    house = door_of(request).house
    signing_key(house)  # Whoever asks before the first signature is told with which key it will be made.
    with house.database.read() as connection:
        return shown({"keys": public_keys(connection)})


def _size(reader: Reader, name: str, size: int | None) -> int:
    """The size that is asked for, or the ledger's own."""
    end = position(reader.connection, reader.organisation)
    if size is None:
        return end
    if not 1 <= size <= end:
        raise Invalid(Fault(f"/query/{name}", "out-of-range", f"Give a size from 1 to {end}, the ledger's own."))
    return size
