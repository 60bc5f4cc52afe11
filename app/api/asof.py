"""What was known then: `as_of` is a ledger sequence, or an instant that stands for the last one recorded by then.

One rule for every route that takes it: the answer is the one that was given then, and will be given ever after. There
is none for what the ledger does not hold: a sequence beyond its end, an instant to come, a time before its first event.
"""

from dataclasses import replace
from typing import Annotated

from fastapi import Query
from sqlalchemy import select

from app.api.looking import Look
from app.database.tables import ledgers
from app.domain.decider import Fault, Invalid
from app.domain.moment import parse_instant, to_micros
from app.events.store import position, sequence_at
from app.operations.show import Reader

POINTER = "/query/as_of"
AsOf = Annotated[
    str | None, Query(max_length=40, description="A ledger sequence, or an instant (RFC 3339 with an offset).")
]


def then(look: Look, reader: Reader, as_of: str | None) -> Reader:
    """The reader as of what is asked for; the same one when nothing is."""
    return reader if as_of is None else replace(reader, as_of=sequence_of(look, reader, as_of))


def sequence_of(look: Look, reader: Reader, as_of: str | None) -> int | None:
    """The sequence that `as_of` stands for; None when nothing is asked. `Invalid` where the ledger has no answer."""
    if as_of is None:
        return None
    sequence = _numbered(reader, as_of) if _is_number(as_of) else _recorded_by(look, reader, as_of)
    if sequence < 1:
        raise Invalid(Fault(POINTER, "out-of-range", "The ledger begins later: its first event is sequence 1."))
    return sequence


def _is_number(as_of: str) -> bool:
    return as_of.isascii() and as_of.isdigit() and len(as_of) < 19


def _numbered(reader: Reader, as_of: str) -> int:
    if int(as_of) > position(reader.connection, reader.organisation):
        raise Invalid(Fault(POINTER, "out-of-range", "The ledger has not come that far yet."))
    return int(as_of)


def _recorded_by(look: Look, reader: Reader, as_of: str) -> int:
    try:
        micros = to_micros(parse_instant(as_of.replace(" ", "+")))
    except ValueError as error:
        raise Invalid(Fault(POINTER, "not-an-instant", f"{error} Or give a ledger sequence.")) from None
    newest = select(ledgers.c.recorded_at).where(ledgers.c.organisation == reader.organisation)
    recorded_at = reader.connection.execute(newest).scalar() or 0
    if micros > max(to_micros(look.visit.now), recorded_at):  # A clock of another machine may be ahead of this one's.
        raise Invalid(Fault(POINTER, "in-the-future", "Give an instant that has come: what comes is not known yet."))
    return sequence_at(reader.connection, reader.organisation, micros)
