"""The door for routes that only read: they run in a thread, on a connection of their own."""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant

from app.api.door import Visit, door_of
from app.domain.decider import Fault, Invalid
from app.operations.configuration import Configuration
from app.operations.follow import catch_up
from app.operations.show import Reader


@dataclass(slots=True)
class Look:
    """A reader that was let in."""

    visit: Visit

    @property
    def organisation(self) -> str:
        """Whose records are read."""
        return self.visit.organisation

    @contextmanager
    def reader(self, as_of: int | None = None) -> Generator[Reader]:
        """Read the organisation, in one consistent state."""
        with self.visit.door.house.reader(self.organisation, as_of) as reader:
            yield reader

    @contextmanager
    def caught_up(self, name: str) -> Generator[tuple[Reader, int]]:
        """A reader whose follower has come as far as the ledger had when it was asked, and how far that is."""
        house = self.visit.door.house
        position = catch_up(house.database, house.batches.dialect, house.configurations, self.organisation, name)
        with self.reader() as reader:
            yield reader, position

    def settled(self, reader: Reader) -> Configuration:
        """What the organisation has settled."""
        return self.visit.door.house.configurations.now(reader.connection, self.organisation)

    def names_of(self, reader: Reader, service_id: str | None) -> tuple[str, ...] | None:
        """All that records may call a service, whichever of its names was asked for."""
        if service_id is None:
            return None
        settled = self.settled(reader)
        own = settled.service_of(service_id)[0] or service_id
        return own, *(alias for alias, its_own in settled.aliases.items() if its_own == own)


def looking(scope: str, *instead: str, any_parameter: bool = False) -> Callable[[Request], Look]:
    """A dependency that lets a reader in who has the scope, or one of those that do instead of it.

    It refuses query parameters that the route does not know.
    """

    def look(request: Request) -> Look:
        visit = door_of(request).look(request, scope, *instead)
        if not any_parameter:
            refuse_unknown(request)
        return Look(visit)

    return look


def refuse_unknown(request: Request) -> None:
    """A parameter that is not known is a mistake that would otherwise answer another question (422)."""
    known = set(_parameters(request.scope["route"].dependant))
    if unknown := request.query_params.keys() - known:
        detail = f"Take it out. This request knows: {', '.join(sorted(known)) or 'no parameters'}."
        raise Invalid(*(Fault("/query", "unknown-parameter", detail) for _ in unknown))


def _parameters(dependant: Dependant) -> Iterator[str]:
    yield from (parameter.alias for parameter in dependant.query_params)
    for part in dependant.dependencies:
        yield from _parameters(part)


Reading = Annotated[Look, Depends(looking("near-misses:read"))]
Auditing = Annotated[Look, Depends(looking("audit:read"))]
