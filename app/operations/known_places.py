"""Which services and localities are known: those of the register, and those that something was reported under.

A name that nobody knows is most often one that was mistyped: it is refused with the nearest, wherever it is asked for,
for an empty answer would look like a quiet place.
"""

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches

from sqlalchemy import Column, ColumnElement, select

from app.database.tables import FOR_EVER, heatmap_facts
from app.domain.decider import Fault
from app.operations.configuration import Configuration
from app.operations.show import Reader

Named = Sequence[tuple[str, str]]
"""JSON pointer and name."""


def unknown(reader: Reader, settled: Configuration, services: Named = (), localities: Named = ()) -> Iterator[Fault]:
    """What is wrong with names that nobody knows. Whoever asks has had the follower `heatmap` catch up before."""
    fact = heatmap_facts.c
    for pointer, name in services:
        service_id = settled.service_of(name)[0] or name
        if service_id not in settled.services and not _is_reported(reader, fact.service_id == service_id):
            near = {*settled.services, *settled.aliases, *_reported(reader, fact.service_id)}
            yield Fault(pointer, "unknown-code", unheard("service", service_id, near))
    registered = [one.particulars for one in settled.services.values() if one.particulars is not None]
    known = {place.locality for particulars in registered for place in particulars.localities}
    for pointer, name in localities:
        if name not in known and not _is_reported(reader, fact.locality == name):
            yield Fault(pointer, "unknown-code", unheard("locality", name, {*known, *_reported(reader, fact.locality)}))


def unheard(what: str, said: str, known: Iterable[str]) -> str:
    """That nothing is known of it, and what is spelt most like it."""
    near = get_close_matches(said, sorted(known), n=3, cutoff=0.5)
    told = f"Nothing is known of such a {what}"
    return f"{told}; the nearest: {', '.join(near)}." if near else f"{told}."


def _is_reported(reader: Reader, there: ColumnElement[bool]) -> bool:
    """Whether something stands there now, or stood at the reader's sequence: what was answered then still is."""
    fact, as_of = heatmap_facts.c, reader.as_of
    stands = [_standing(reader)]
    if as_of is not None:
        superseded = (fact.valid_to < FOR_EVER, fact.valid_to > as_of, fact.valid_from <= as_of)
        stands.append((fact.organisation == reader.organisation, *superseded))
    chosen = (select(fact.near_miss_id).where(*one, there).limit(1) for one in stands)
    return any(reader.connection.execute(one).first() is not None for one in chosen)


def _reported(reader: Reader, name: Column[str | None]) -> set[str]:
    """Every name that something was reported under."""
    found = reader.connection.execute(select(name).where(*_standing(reader)).distinct()).scalars()
    return {one for one in found if one is not None}


def _standing(reader: Reader) -> tuple[ColumnElement[bool], ...]:
    fact = heatmap_facts.c
    return fact.organisation == reader.organisation, fact.valid_to == FOR_EVER
