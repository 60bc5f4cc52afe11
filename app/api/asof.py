"""What was known then: `as_of` is a ledger sequence, or an instant that stands for the last one recorded by then."""

from typing import Annotated

from fastapi import Query

from app.domain.decider import Fault, Invalid
from app.domain.moment import parse_instant, to_micros
from app.events.store import position, sequence_at
from app.operations.show import Reader

AsOf = Annotated[
    str | None, Query(max_length=40, description="A ledger sequence, or an instant (RFC 3339 with an offset).")
]


def sequence_of(reader: Reader, as_of: str | None) -> int | None:
    """The sequence that `as_of` stands for; None when nothing is asked."""
    if as_of is None:
        return None
    if as_of.isascii() and as_of.isdigit() and len(as_of) < 19:
        if int(as_of) > position(reader.connection, reader.organisation):
            raise Invalid(Fault("/query/as_of", "out-of-range", "The ledger has not come that far yet."))
        return int(as_of)
    try:
        return sequence_at(reader.connection, reader.organisation, to_micros(parse_instant(as_of.replace(" ", "+"))))
    except ValueError as error:
        raise Invalid(Fault("/query/as_of", "not-an-instant", f"{error} Or give a ledger sequence.")) from None
