"""The whole application in the test's own process, over HTTP without a socket, its clock in the test's hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from starlette.testclient import TestClient

from app.domain.moment import parse_instant
from app.main import create_app
from app.operations import keys
from app.operations.house import SYSTEM, House
from app.operations.job import Command
from app.operations.keys import NewKey
from app.settings import Settings
from tests.journeys.ward import Clock, Ward
from tests.service import API_KEY, MASTER_KEY


@dataclass(slots=True)
class Inside:
    """An application with two organisations: `default`, which `ward` belongs to, and the one of `other`."""

    house: House
    clock: Clock
    client: TestClient
    ward: Ward
    other: Ward

    def holding(self, *scopes: str, **particulars: Any) -> Ward:
        """The ward of `default` with a key that has these scopes only."""
        return Ward(self.client, bearer(self.key(*scopes, **particulars).secret))

    def key(self, *scopes: str, **particulars: Any) -> NewKey:
        """A key of `default`, as `forewarn keys create` gives it out."""
        return given_key(self.house, *scopes, **particulars)


@contextmanager
def opened(database_url: str, *, at: str | None = None, **settings: Any) -> Iterator[Inside]:
    """The application on a migrated database, started and stopped as `serve` does, worker and all.

    Whoever wants another time than Monday's names it here: to a clock that is set later the worker answers when it
    likes, and what fell due meanwhile comes into the ledger amid the test.
    """
    clock = Clock() if at is None else Clock(parse_instant(at))
    asked: dict[str, Any] = {"checkpoint_every": "off", **settings}  # A ledger that signs itself is another story.
    house = House(Settings(database_url=database_url, master_key=MASTER_KEY, **asked), clock)
    house.open_organisation("default", "default", API_KEY)
    other = house.open_organisation("other", "other")
    assert other is not None
    with _at_work(house, clock, bearer(other.secret)) as inside:
        yield inside


@contextmanager
def reopened(database_url: str, former: Inside) -> Iterator[Inside]:
    """The application on a copy of a former one's database, at the instant at which that one ended."""
    clock = Clock(former.clock())
    settings = Settings(database_url=database_url, master_key=MASTER_KEY, checkpoint_every="off")
    with _at_work(House(settings, clock), clock, former.other.headers) as inside:
        yield inside


@contextmanager
def _at_work(house: House, clock: Clock, others: dict[str, str]) -> Iterator[Inside]:
    with TestClient(create_app(house)) as client:
        yield Inside(house, clock, client, Ward(client, bearer(API_KEY)), Ward(client, others))


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def given_key(house: House, *scopes: str, **particulars: Any) -> NewKey:
    """A key of `default` from a house that is at work."""
    key = keys.new_key(scopes, **particulars)
    house.ask(
        Command(
            "default",
            str(uuid4()),
            SYSTEM,
            "default",
            lambda desk, cause: keys.create(desk, cause, key),
            lambda _reader, subject: {"id": subject},
        )
    )
    return key
