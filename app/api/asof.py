"""What was known then: `as_of` is a ledger sequence, or an instant that stands for the last one recorded by then.

One rule for every route that takes it: the answer is the one that was given then, and will be given ever after. There
is none for what is not known yet: a sequence beyond the ledger's end, an instant to come. Before its first event (0)
nothing was known, and that is an answer.
"""

from dataclasses import replace
from datetime import datetime
from typing import Annotated

from fastapi import Query
from sqlalchemy import select

from app.api.looking import Look
from app.database.tables import events, ledgers
from app.domain.decider import Fault, Invalid, NotFound
from app.domain.moment import from_micros, parse_instant, to_micros
from app.events.store import position, sequence_at
from app.operations.show import Reader

POINTER = "/query/as_of"
AsOf = Annotated[
    str | None, Query(max_length=40, description="A ledger sequence, or an instant (RFC 3339 with an offset).")
]


def then(look: Look, reader: Reader, as_of: str | None, stream: str | None = None) -> Reader:
    """The reader as of what is asked for; the same one when nothing is.

    `stream`: of the thing that is asked about. `NotFound` when it began later.
    """
    if as_of is None:
        return reader
    at = replace(reader, as_of=sequence_of(look, reader, as_of))
    if stream is not None and _began_since(at, stream):
        raise NotFound(f"It did not exist yet as of sequence {at.as_of}: ask as of a later one, or without `as_of`.")
    return at


def when(look: Look, reader: Reader, as_of: str | None) -> datetime:
    """The instant that is asked about: now, the one that `as_of` is, or when the event of its sequence was recorded.

    Raises `Invalid` where `sequence_of` does.
    """
    sequence = sequence_of(look, reader, as_of)
    if as_of is None or sequence is None:
        return look.visit.now
    if not _is_number(as_of):
        return _instant(as_of)
    row = events.c
    chosen = select(row.recorded_at).where(row.organisation == reader.organisation, row.sequence == max(1, sequence))
    return from_micros(reader.connection.execute(chosen).scalar_one())


def _began_since(at: Reader, stream: str) -> bool:
    row = events.c
    first = select(row.sequence).where(row.organisation == at.organisation, row.stream == stream, row.version == 1)
    began = at.connection.execute(first).scalar()
    return began is not None and at.as_of is not None and began > at.as_of


def sequence_of(look: Look, reader: Reader, as_of: str | None) -> int | None:
    """The sequence that `as_of` stands for; None when nothing is asked. `Invalid` where the ledger has no answer."""
    if as_of is None:
        return None
    return _numbered(reader, as_of) if _is_number(as_of) else _recorded_by(look, reader, as_of)


def _is_number(as_of: str) -> bool:
    return as_of.isascii() and as_of.isdigit() and len(as_of) < 19


def _numbered(reader: Reader, as_of: str) -> int:
    if int(as_of) > position(reader.connection, reader.organisation):
        raise Invalid(Fault(POINTER, "out-of-range", "The ledger has not come that far yet."))
    return int(as_of)


def _recorded_by(look: Look, reader: Reader, as_of: str) -> int:
    try:
        micros = to_micros(_instant(as_of))
    except ValueError as error:
        raise Invalid(Fault(POINTER, "not-an-instant", f"{error} Or give a ledger sequence.")) from None
    newest = select(ledgers.c.recorded_at).where(ledgers.c.organisation == reader.organisation)
    recorded_at = reader.connection.execute(newest).scalar() or 0
    if micros > max(to_micros(look.visit.now), recorded_at):  # A clock of another machine may be ahead of this one's.
        raise Invalid(Fault(POINTER, "in-the-future", "Give an instant that has come: what comes is not known yet."))
    return sequence_at(reader.connection, reader.organisation, micros)


def _instant(as_of: str) -> datetime:
    """An instant of the query, whose plus has come as a space."""
    return parse_instant(as_of.replace(" ", "+"))
