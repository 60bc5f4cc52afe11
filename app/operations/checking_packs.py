"""The bytes of evidence packs, held against what the ledger says that was built.

They are in no event, only their size and their SHA-256 are. That they are no longer kept is said by a row of the pack's
job, so that bytes which are gone without it are told from those that were let go.
"""

import json
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, text

from app.operations.evidence_packs import NOT_KEPT
from app.operations.finding import Finding

_READY = text(
    "SELECT stream, payload FROM events WHERE organisation = :organisation AND type = 'evidence_pack.ready' "
    "ORDER BY sequence"
)
_LET_GO = text("SELECT pack_id FROM evidence_pack_jobs WHERE organisation = :organisation AND what = :what")
_NUMBERS = text(
    "SELECT number FROM evidence_pack_pieces WHERE organisation = :organisation AND pack_id = :pack_id ORDER BY number"
)
_PIECE = text(
    "SELECT data FROM evidence_pack_pieces "
    "WHERE organisation = :organisation AND pack_id = :pack_id AND number = :number"
)
_STRAYS = text(
    "SELECT DISTINCT pack_id FROM evidence_pack_pieces WHERE organisation = :organisation "
    "AND pack_id NOT IN (SELECT pack_id FROM evidence_packs WHERE organisation = :organisation) "
    "ORDER BY pack_id LIMIT 20"
)


def packs(connection: Connection, organisation: str) -> Iterator[Finding]:
    """Packs whose bytes are not those that were built, and bytes of packs that nobody asked for."""
    of = {"organisation": organisation}
    let_go = set(connection.execute(_LET_GO, {**of, "what": NOT_KEPT}).scalars())
    for stream, payload in connection.execute(_READY, of).all():
        pack_id = str(stream).removeprefix("evidence_pack/")
        if (said := _said(payload)) is None:
            continue  # The event itself is damaged, which its walk tells.
        why = _wrong(connection, {**of, "pack_id": pack_id}, *said, may_be_gone=pack_id in let_go)
        if why is not None:
            detail = f"The bytes of the evidence pack {pack_id} are not those that were built: {why}."
            yield Finding("evidence_pack", detail, organisation, name=pack_id)
    for pack_id in connection.execute(_STRAYS, of).scalars():
        detail = f"Bytes are kept of the evidence pack {pack_id!r}, which nobody asked for."
        yield Finding("stray", detail, organisation, name="evidence_pack_pieces")


def _said(payload: Any) -> tuple[int, str] | None:
    try:
        document = json.loads(payload)
        return int(document["size"]), str(document["sha256"])
    except (ValueError, TypeError, KeyError):
        return None


def _wrong(connection: Connection, of: dict[str, str], size: int, digest: str, *, may_be_gone: bool) -> str | None:
    numbers = list(connection.execute(_NUMBERS, of).scalars())
    if not numbers:
        return None if may_be_gone else "none of them is there"
    if numbers != list(range(len(numbers))):
        return "a piece of them is missing"
    hashed, length = sha256(), 0
    for number in numbers:
        data = connection.execute(_PIECE, {**of, "number": number}).scalar()
        if not isinstance(data, bytes):
            return f"piece {number} holds none"
        hashed.update(data)
        length += len(data)
    if length != size:
        return f"there are {length} of {size}"
    return None if hashed.hexdigest() == digest else "their SHA-256 is another one"
