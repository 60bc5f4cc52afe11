"""Who builds which evidence pack: taken on lease, told on, and handed in.

A worker takes one pack at a time; what a worker that died had taken is free again once its lease has run out. What was
asked for first is built first, but whoever's pack was built last lets the others go first. Whoever
writes anything of a pack proves in the same transaction that the lease is still theirs, so of two who build one only
one hands it in. Pieces are written only of a finished file, and whoever takes a pack on clears away what an earlier try
has left. Leases run in real time, for they are about processes and not about records.

The bytes of a pack are kept for `FOREWARN_EVIDENCE_KEPT` after it was ready. Then they are let go, and a row of its job
says so for good: a pack whose bytes are gone without one was damaged.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import IO, Any
from uuid import NAMESPACE_URL, uuid5

from sqlalchemy import Connection, and_, case, delete, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from app.database.tables import events, evidence_pack_jobs, evidence_pack_pieces, evidence_packs, ledgers
from app.domain import evidence_pack
from app.domain.decider import Refused
from app.domain.evidence_pack import UNASKED, Finish, GiveUp, PackMember
from app.domain.moment import from_micros, to_micros
from app.events.store import Cause, Draft
from app.operations.desk import Desk
from app.operations.evidence_packs import NOT_KEPT, show
from app.operations.house import SYSTEM, House
from app.operations.job import Command

LEASE = timedelta(minutes=2)
MOST_TRIES = 5
PIECE = 1 << 20
_AT_ONCE = 100

job = evidence_pack_jobs.c
pack = evidence_packs.c


class LeaseLost(Refused):
    """Somebody else builds the pack by now."""

    code = "unavailable"


@dataclass(frozen=True, slots=True)
class Taken:
    """A pack on lease; `tries`: with this one."""

    organisation: str
    pack_id: str
    holder: str
    tries: int


def any_pending(connection: Connection) -> bool:
    """Whether any pack waits, or is being built."""
    return connection.execute(_pending().limit(1)).first() is not None


def take(house: House, holder: str, now: datetime, only: str | None = None, after: str | None = None) -> Taken | None:
    """Take the oldest pack that nobody builds, or the one that is named; nothing of an earlier try is left then.

    `after`: the organisation whose turn it was; its packs are taken when no other's wait.
    """
    with house.database.read() as connection:
        if not any_pending(connection):
            return None
    same = and_(job.organisation == pack.organisation, job.pack_id == pack.pack_id)
    chosen = (
        _pending()
        .outerjoin(evidence_pack_jobs, same)
        .outerjoin(events, and_(events.c.organisation == pack.organisation, events.c.sequence == pack.sequence))
        .where(or_(job.until.is_(None), job.until <= to_micros(now)))
        .order_by(
            case((pack.organisation == (after or ""), 1), else_=0),
            func.coalesce(events.c.recorded_at, 0),
            pack.organisation,
            pack.sequence,
        )
        .limit(1)
        .with_for_update(of=evidence_packs, skip_locked=True)
    )
    if only is not None:
        chosen = chosen.where(pack.pack_id == only)
    if house.withheld:
        chosen = chosen.where(pack.organisation.not_in(list(house.withheld)))
    with house.database.write() as connection:
        found = connection.execute(chosen).first()
        if found is None:
            return None
        until = to_micros(now + LEASE)
        into: Any = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(evidence_pack_jobs)
        taking = into.on_conflict_do_update(
            index_elements=[job.organisation, job.pack_id],
            set_={"holder": holder, "until": until, "tries": job.tries + 1, "what": "beginning", "done": 0},
            where=job.until <= to_micros(now),  # Another worker may have taken it while this one was looking.
        ).returning(job.tries)
        row = {"organisation": found.organisation, "pack_id": found.pack_id, "holder": holder, "until": until}
        tries = connection.execute(taking.values(**row, tries=1, what="beginning", done=0, total=1)).scalar()
        if tries is None:
            return None
        connection.execute(delete(evidence_pack_pieces).where(*_pieces_of(found.organisation, found.pack_id)))
        return Taken(found.organisation, found.pack_id, holder, tries)


def tell(house: House, taken: Taken, now: datetime, what: str, done: int, total: int) -> None:
    """Say how far it has come, and go on holding it; `LeaseLost`."""
    with house.database.write() as connection:
        _hold(connection, taken, now, what=what, done=done, total=total)


def store(house: House, taken: Taken, file: IO[bytes], size: int, clock: Any) -> None:
    """Write the finished file into the database, a piece a transaction; `LeaseLost`."""
    file.seek(0)
    for number, data in enumerate(iter(lambda: file.read(PIECE), b"")):
        with house.database.write() as connection:
            _hold(connection, taken, clock(), what="storing", done=number * PIECE, total=size)
            row = {"organisation": taken.organisation, "pack_id": taken.pack_id, "number": number, "data": data}
            connection.execute(insert(evidence_pack_pieces), row)


def hand_in(house: House, taken: Taken, size: int, sha256: str, members: tuple[PackMember, ...]) -> None:
    """Everything is stored: tell that the pack is ready; `LeaseLost`."""
    _end(house, taken, Finish(size, sha256, members), size)


def give_up(house: House, taken: Taken, reason: str) -> None:
    """It cannot be built: tell why, and leave nothing of it; `LeaseLost`."""
    _end(house, taken, GiveUp(reason), None)


def put_off(house: House, taken: Taken, now: datetime, wait: timedelta, *, counts: bool) -> None:
    """Let it be tried again after a while; `counts`: as a try that failed."""
    values = {"until": to_micros(now + wait), "holder": "", "what": "waiting to be tried again"}
    if not counts:
        values["tries"] = taken.tries - 1
    with house.database.write() as connection:
        connection.execute(update(evidence_pack_jobs).where(*_mine(taken)).values(**values))


def release(house: House) -> None:
    """Free every pack: whoever held one has died, for there is one process only."""
    with house.database.write() as connection:
        connection.execute(update(evidence_pack_jobs).values(holder="", until=0))


def sweep(house: House) -> None:
    """Let go of the pieces of packs whose time is over, and of those that nobody builds and that are not ready."""
    _let_go(house)
    piece = evidence_pack_pieces.c
    ready = select(pack.pack_id).where(pack.organisation == piece.organisation, pack.status == "ready")
    held = select(job.pack_id).where(job.organisation == piece.organisation, job.holder != "")
    with house.database.read() as connection:
        if connection.execute(select(piece.pack_id).where(_orphaned(ready, held)).limit(1)).first() is None:
            return
    with house.database.write() as connection:
        connection.execute(delete(evidence_pack_pieces).where(_orphaned(ready, held)))


def _let_go(house: House) -> None:
    kept = house.settings.evidence_interval
    if kept is None:
        return
    piece = evidence_pack_pieces.c
    is_first = and_(piece.organisation == pack.organisation, piece.pack_id == pack.pack_id, piece.number == 0)
    was_ready = and_(events.c.organisation == pack.organisation, events.c.sequence == pack.ready_sequence)
    chosen = (
        select(pack.organisation, pack.pack_id)
        .join(evidence_pack_pieces, is_first)
        .join(events, was_ready)
        .where(events.c.recorded_at <= to_micros(house.clock() - kept))
        .where(pack.organisation.not_in(sorted(house.withheld)))
        .order_by(pack.organisation, pack.pack_id)
        .limit(_AT_ONCE)
    )
    with house.database.read() as connection:
        over = connection.execute(chosen).all()
    for organisation, pack_id in over:
        with house.database.write() as connection:
            said = {"holder": "", "until": 0, "tries": 0, "what": NOT_KEPT, "done": 1, "total": 1}
            if connection.execute(delete(evidence_pack_pieces).where(*_pieces_of(organisation, pack_id))).rowcount:
                connection.execute(
                    insert(evidence_pack_jobs), {"organisation": organisation, "pack_id": pack_id, **said}
                )


def _orphaned(ready: Any, held: Any) -> Any:
    piece = evidence_pack_pieces.c
    return and_(piece.pack_id.not_in(ready), piece.pack_id.not_in(held))


def _end(house: House, taken: Taken, command: Finish | GiveUp, size: int | None) -> None:
    def run(desk: Desk, cause: Cause) -> None:
        held = delete(evidence_pack_jobs).where(*_mine(taken))
        if not desk.rows.execute(held).rowcount:
            raise LeaseLost("Another worker builds the pack by now.")
        of_it = _pieces_of(taken.organisation, taken.pack_id)
        if size is None:
            desk.rows.execute(delete(evidence_pack_pieces).where(*of_it))
        else:
            stored = select(func.sum(func.length(evidence_pack_pieces.c.data))).where(*of_it)
            assert desk.rows.execute(stored).scalar() == size, "Every piece was stored under this lease."
        stream = f"evidence_pack/{taken.pack_id}"
        state, version = desk.fold(stream, UNASKED, evidence_pack.evolve)
        decided = evidence_pack.decide(command, state, from_micros(desk.micros))
        desk.append(cause, [Draft(stream, version, decided)])

    named = f"forewarn {taken.organisation} evidence pack {taken.pack_id} {type(command).__name__}"
    command_id = str(uuid5(NAMESPACE_URL, named))  # Whoever hands it in, and however often, it is ended once.
    house.ask(Command(taken.organisation, command_id, SYSTEM, taken.pack_id, run, show))


def _hold(connection: Connection, taken: Taken, now: datetime, **values: Any) -> None:
    holding = update(evidence_pack_jobs).where(*_mine(taken)).values(until=to_micros(now + LEASE), **values)
    if not connection.execute(holding).rowcount:
        raise LeaseLost("Another worker builds the pack by now.")


def _mine(taken: Taken) -> Iterator[Any]:
    yield job.organisation == taken.organisation
    yield job.pack_id == taken.pack_id
    yield job.holder == taken.holder
    yield job.tries == taken.tries


def _pieces_of(organisation: str, pack_id: str) -> tuple[Any, Any]:
    piece = evidence_pack_pieces.c
    return piece.organisation == organisation, piece.pack_id == pack_id


def _pending() -> Any:
    """Packs that are to be built; not of those organisations that are only being rebuilt."""
    return (
        select(pack.organisation, pack.pack_id)
        .select_from(evidence_packs)
        .join(ledgers, ledgers.c.organisation == pack.organisation)
        .where(pack.status == "pending")
    )
