"""What a ledger was, signed: on demand for whoever asks, and from time to time in the ledger itself.

Both say the same of the same size, but for the key that signs. One on demand is nothing that happened, so it is in no
event; one in the ledger also goes to whoever subscribed to `ledger.checkpoint`, and so out of our hands.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

from sqlalchemy import Connection, select

from app.database.tables import events, ledgers
from app.domain import checkpoint
from app.domain.checkpoint import UNSIGNED, Checkpointed, Signed
from app.domain.decider import NotFound
from app.domain.moment import from_micros
from app.events.codec import decode
from app.events.envelope import Envelope, instant
from app.events.store import Cause, Draft
from app.operations.desk import Desk
from app.operations.house import SYSTEM, House
from app.operations.job import Command
from app.operations.signing_keys import SigningKey, signing_key
from app.operations.tree_nodes import node_of
from app.proof.note import Checkpoint, base64_of, sign_note, unsigned
from app.proof.tree import root_of

STREAM = "ledger/checkpoint"


def origin_of(house: House, organisation: str) -> str:
    """What the ledger is called in its notes, which is also the name that its key signs in."""
    return f"{house.settings.ledger_name}/organisations/{quote(organisation, safe='')}"


def checkpoint_of(house: House, connection: Connection, organisation: str, size: int | None = None) -> dict[str, Any]:
    """{origin, size, root, key_id, signed_note} of the ledger as it was at a size, or as it is.

    Not within a transaction of the writer, for the first need of a key makes one. NotFound: no such organisation;
    LookupError: the ledger is shorter.
    """
    chosen = select(ledgers.c.position, ledgers.c.root).where(ledgers.c.organisation == organisation)
    head = connection.execute(chosen).first()
    if head is None:
        raise NotFound("There is no such organisation.")
    at: int = head.position if size is None else size
    if not 0 <= at <= head.position:
        raise LookupError(f"The ledger has {head.position} events.")
    root = bytes(head.root) if at == head.position else root_of(at, node_of(connection, organisation))
    signed = Checkpoint(origin_of(house, organisation), at, root)
    return _document(_signed(signed, signing_key(house, connection)))


def document_of(event: Checkpointed) -> dict[str, Any]:
    """A checkpoint of the ledger in the same shape."""
    return _document(event)


def show(envelope: Envelope) -> dict[str, Any]:
    """One that was recorded, with its place in the ledger."""
    return {
        **document_of(decode(envelope)),
        "sequence": envelope.sequence,
        "recorded_at": instant(envelope.recorded_at),
    }


def last_of(connection: Connection, organisation: str) -> tuple[Signed, int, int]:
    """The last checkpoint in the ledger, its version and its sequence; 0 before the first."""
    row = events.c
    chosen = select(events).where(row.organisation == organisation, row.stream == STREAM)
    found = connection.execute(chosen.order_by(row.version.desc()).limit(1)).first()
    if found is None:
        return UNSIGNED, 0, 0
    envelope = Envelope._make(found)
    state = checkpoint.evolve(UNSIGNED, decode(envelope), from_micros(envelope.recorded_at))
    return state, envelope.version, envelope.sequence


def taking(house: House, organisation: str, key: SigningKey, every: timedelta, former: int) -> Command:
    """The command that takes the checkpoint after the one at a sequence; asked for twice it is taken once."""
    origin = origin_of(house, organisation)

    def run(desk: Desk, cause: Cause) -> None:
        last, version, _ = last_of(desk.connection, organisation)
        event = _signed(Checkpoint(origin, desk.head.position, desk.head.root()), key)
        take = checkpoint.Take(event.size, event.root, event.key_id, event.signed_note, every)
        decided = checkpoint.decide(take, last, from_micros(desk.micros))
        if decided:
            desk.append(cause, [Draft(STREAM, version, decided)])

    command_id = str(uuid5(NAMESPACE_URL, f"forewarn {organisation} checkpoint after {former}"))
    return Command(organisation, command_id, SYSTEM, STREAM, run, _nothing)


def _signed(signed: Checkpoint, key: SigningKey) -> Checkpointed:
    note = sign_note(signed, signed.origin, key.sign, key.public_key)
    return Checkpointed(signed.size, base64_of(signed.root), key.key_id, note)


def _document(event: Checkpointed) -> dict[str, Any]:
    return {
        "origin": unsigned(event.signed_note).origin,
        "size": event.size,
        "root": event.root,
        "key_id": event.key_id,
        "signed_note": event.signed_note,
    }


def _nothing(_reader: object, subject: str) -> Mapping[str, Any]:
    return {"id": subject}
