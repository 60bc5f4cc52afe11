"""Evidence packs as they are asked for and shown; their bytes, piece by piece (S16)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import reduce
from typing import Any, get_args

from sqlalchemy import Connection, func, select

from app.database.tables import evidence_pack_jobs, evidence_pack_pieces, evidence_packs
from app.domain import evidence_pack
from app.domain.decider import Fault, Invalid, NotFound, Refused
from app.domain.evidence_pack import UNASKED, Ask, Audience, Pack, Previous, Ready, Requested
from app.domain.moment import format_instant, from_micros
from app.events.envelope import Told, instant
from app.events.store import Cause, Draft
from app.operations import governing
from app.operations.configuration import Configuration
from app.operations.desk import Desk
from app.operations.governance_period import Period
from app.operations.known_places import unknown
from app.operations.show import Reader

NO_SUCH_PACK = "No evidence pack of that id belongs to this organisation: GET /v1/evidence-packs lists them."
AUDIENCES: tuple[str, ...] = get_args(Audience)


MOST_PENDING = 3
"""Packs of one organisation that may wait: each is several walks over its whole ledger."""
NOT_KEPT = "no longer kept"


class PackNotReady(Refused):
    """The pack is still being built, or could not be."""

    code = "evidence-pack-not-ready"


class PackNotKept(Refused):
    """The pack was built, and its bytes are no longer there."""

    code = "evidence-pack-not-kept"


class PacksPending(Refused):
    """As many packs of the organisation wait as may."""

    code = "evidence-packs-pending"


# What is asked


def asked_for(reader: Reader, settled: Configuration, document: Mapping[str, Any], now: datetime) -> Period:
    """The period and the services that are asked for; `Invalid` tells everything that is wrong with them.

    Whoever asks has had the follower `heatmap` catch up before.
    """
    named = [(f"/services/{n}", one) for n, one in enumerate(document.get("services") or ())]
    faults = list(unknown(reader, settled, named))
    try:
        period = governing.asked_for(settled, document)
    except Invalid as invalid:
        raise Invalid(*invalid.faults, *faults) from None
    if period.since >= now:
        faults.append(
            Fault("/from", "in-the-future", "Give a period that has begun: nothing has happened in this one.")
        )
    if faults:
        raise Invalid(*faults)
    return period


def ask(desk: Desk, cause: Cause, pack_id: str, document: Mapping[str, Any], period: Period) -> None:
    """Have a pack made of the ledger as it is now; it follows the newest that is ready, or the one that is named.

    Refused with `PacksPending` while as many as may wait do.
    """
    _must_have_room(desk)
    asked = Ask(
        document["from"],
        document["to"],
        period.since,
        period.until,
        desk.head.position,
        period.services,
        document.get("audience", "regulator"),
        tuple(document.get("include", ())),
        _previous(desk, document.get("previous")),
    )
    stream = f"evidence_pack/{pack_id}"
    state, version = desk.fold(stream, UNASKED, evidence_pack.evolve)
    desk.append(cause, [Draft(stream, version, evidence_pack.decide(asked, state, from_micros(desk.micros)))])


def _must_have_room(desk: Desk) -> None:
    row = evidence_packs.c
    chosen = select(func.count()).where(row.organisation == desk.organisation, row.status == "pending")
    if (waiting := desk.rows.execute(chosen).scalar_one()) >= MOST_PENDING:
        raise PacksPending(
            f"{waiting} evidence packs of this organisation are being built: wait until one of them is ready, as "
            "GET /v1/evidence-packs?status=pending tells, then ask again."
        )


def _previous(desk: Desk, pack_id: str | None) -> Previous | None:
    row = evidence_packs.c
    chosen = select(row.pack_id, row.status, row.as_of_sequence).where(row.organisation == desk.organisation)
    if pack_id is None:
        newest = chosen.where(row.status == "ready").order_by(row.sequence.desc()).limit(1)
        found = desk.connection.execute(newest).first()
        return None if found is None else Previous(found.pack_id, found.as_of_sequence)
    found = desk.connection.execute(chosen.where(row.pack_id == pack_id)).first()
    if found is None:
        raise Invalid(Fault("/previous", "unknown-id", "Name an evidence pack of this organisation, or leave it out."))
    if found.status != "ready":
        raise Invalid(Fault("/previous", "not-ready", "Name an evidence pack that is ready, or leave it out."))
    return Previous(found.pack_id, found.as_of_sequence)


# What is shown


def show(reader: Reader, pack_id: str) -> dict[str, Any]:
    """The pack, or `NotFound`."""
    found = documents(reader, [pack_id])
    if not found:
        raise NotFound(NO_SUCH_PACK)
    return found[0]


def documents(reader: Reader, ids: Sequence[str]) -> list[dict[str, Any]]:
    """The packs of these ids that exist, in the order asked; how far a build has come is told now only."""
    told = reader.told([f"evidence_pack/{one}" for one in ids])
    progress = _progress(reader, ids) if reader.as_of is None else {}
    actors = {one.envelope.actor for its in told.values() for one in its[:1]}
    names = reader.names(actors)
    return [_document(one, its, names, progress.get(one)) for one in ids if (its := told[f"evidence_pack/{one}"])]


def _progress(reader: Reader, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    row = evidence_pack_jobs.c
    chosen = select(evidence_pack_jobs).where(row.organisation == reader.organisation, row.pack_id.in_(ids))
    return {
        one.pack_id: {"done": one.done, "of": one.total, "what": one.what} for one in reader.connection.execute(chosen)
    }


def _document(
    pack_id: str, told: Sequence[Told[Any]], names: Mapping[str, str], progress: Mapping[str, Any] | None
) -> dict[str, Any]:
    pack: Pack = reduce(evidence_pack.evolve, (one.event for one in told), UNASKED)
    first = told[0]
    asked: Requested = first.event
    path = f"/v1/evidence-packs/{pack_id}"
    document: dict[str, Any] = {
        "id": pack_id,
        "sequence": first.envelope.sequence,
        "status": pack.status,
        "from": asked.since,
        "to": asked.until,
        "from_at": format_instant(asked.since_at),
        "to_at": format_instant(asked.until_at),
        "services": list(asked.services),
        "audience": asked.audience,
        "include": list(asked.includes),
        "as_of_sequence": asked.as_of_sequence,
        "made_at": format_instant(asked.made_at),
        "requested_by": names.get(first.envelope.actor, first.envelope.actor),
        "progress": _come_to(pack, progress),
        "links": {"self": path},
        "version": len(told),
    }
    if asked.previous is not None:
        document["previous"] = asked.previous.pack_id
    if pack.ready is not None:
        document |= _ready(pack.ready)
        document["ready_at"] = instant(told[-1].envelope.recorded_at)
        if progress is None:
            document["links"]["download"] = f"{path}/download"
    if pack.problem is not None:
        document["problem"] = pack.problem
    return document


def _ready(ready: Ready) -> dict[str, Any]:
    members = [{"name": one.name, "size": one.size, "sha256": one.sha256} for one in ready.members]
    return {"size": ready.size, "sha256": ready.sha256, "members": members}


def _come_to(pack: Pack, progress: Mapping[str, Any] | None) -> dict[str, Any]:
    match pack.status:
        case "ready":
            return {"done": 1, "of": 1, "what": "built" if progress is None else f"built, {NOT_KEPT}"}
        case "failed":
            return {"done": 0, "of": 1, "what": "failed"}
        case _:
            return dict(progress) if progress is not None else {"done": 0, "of": 1, "what": "waiting for a worker"}


def listed(document: Mapping[str, Any]) -> dict[str, Any]:
    """The same for a list, without the members."""
    return {name: value for name, value in document.items() if name != "members"}


# The bytes


def must_be_there(reader: Reader, pack_id: str) -> dict[str, Any]:
    """The pack whose bytes can be had; `NotFound`, `PackNotReady` or `PackNotKept`."""
    document = show(reader, pack_id)
    if document["status"] == "pending":
        raise PackNotReady(f"The pack is being built: ask GET {document['links']['self']} until it is ready.")
    if document["status"] == "failed":
        raise PackNotReady("The pack could not be built, GET tells why: ask for another one.")
    if piece(reader.connection, reader.organisation, pack_id, 0) is None:
        raise PackNotKept(
            "The pack was built, and its bytes are no longer kept: ask for another one of the same period, with POST "
            "/v1/evidence-packs."
        )
    return document


def piece(connection: Connection, organisation: str, pack_id: str, number: int) -> bytes | None:
    """A piece of a pack's bytes, counted from 0; None after the last."""
    row = evidence_pack_pieces.c
    chosen = select(row.data).where(row.organisation == organisation, row.pack_id == pack_id, row.number == number)
    found = connection.execute(chosen).scalar()
    return None if found is None else bytes(found)
