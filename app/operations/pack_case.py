"""What a pack is built of: what was asked, as of when, and a reader who opens no more than its audience may read.

Every part is read as of the sequence that was fixed when the pack was asked for, in transactions of its own: a long
build holds nothing up, and what is recorded meanwhile changes nothing.
"""

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

from app.domain.evidence_pack import Requested
from app.domain.moment import to_micros
from app.domain.sealed import Reference, SealedText
from app.events.canonical import canonical
from app.operations.house import House
from app.operations.service_names import names_of
from app.operations.show import Reader

AT_ONCE = 200
"""Records that are read together."""

LEFT_OUT = "(left out)"
"""Stands where words or a person would: told by identity, so that nobody's words are taken for it."""

Told = Callable[[str, int, int], None]
"""Is told what is being made, how much of it is done, and of how much; raises when the build is to stop."""


@dataclass(frozen=True, slots=True)
class ClosedReader(Reader):
    """A reader who opens nothing that is sealed: neither anybody's words nor who anybody is."""

    def names(self, actors: Iterable[str]) -> dict[str, str]:
        """Nobody is named: tokens stay tokens."""
        return {}

    def opener_of(self, values: Iterable[Any]) -> Any:
        """What leaves everything closed."""
        return _closed


def _closed(_: Reference | SealedText) -> str:
    return LEFT_OUT


@dataclass(frozen=True, slots=True)
class Case:
    """One pack that is being built."""

    house: House
    organisation: str
    pack_id: str
    asked: Requested
    told: Told

    @property
    def size(self) -> int:
        """How many events of the ledger it is made of."""
        return self.asked.as_of_sequence

    @property
    def since(self) -> int:
        """The period's beginning, in microseconds."""
        return to_micros(self.asked.since_at)

    @property
    def until(self) -> int:
        """The period ends before it."""
        return to_micros(self.asked.until_at)

    @property
    def services(self) -> tuple[str, ...]:
        """All names of the services that it is about, as the register had them then; empty when it is about all."""
        if not self.asked.services:
            return ()
        with self.reader() as reader:
            return names_of(reader, self.asked.services)

    @property
    def has_words(self) -> bool:
        """Whether narratives and persons are in it."""
        return "narratives" in self.asked.includes

    @property
    def has_small_cells(self) -> bool:
        """Whether counts of one to four are told in tables."""
        return "small_cells" in self.asked.includes

    def is_in_period(self, micros: int) -> bool:
        """Whether an instant lies in the period."""
        return self.since <= micros < self.until

    @contextmanager
    def reader(self) -> Generator[Reader]:
        """Read what was known then, as far as the audience may."""
        with self.house.reader(self.organisation, self.size) as reader:
            if self.has_words:
                yield reader
            else:
                yield ClosedReader(reader.connection, reader.vault, reader.organisation, reader.as_of)


def shown(document: Any) -> Any:
    """A document without what was left out of it."""
    if isinstance(document, Mapping):
        found = cast("Mapping[str, Any]", document)
        return {name: shown(value) for name, value in found.items() if value is not LEFT_OUT}
    if isinstance(document, list | tuple):
        return [shown(value) for value in cast("Sequence[Any]", document) if value is not LEFT_OUT]
    return document


def line(document: Any) -> str:
    """A document as a line of a member."""
    return canonical(shown(document)) + "\n"


def page(document: Any) -> bytes:
    """A document as a member of its own."""
    return canonical(shown(document)).encode()
