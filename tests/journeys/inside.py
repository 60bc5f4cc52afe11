"""The whole application in the test's own process, over HTTP without a socket, its clock in the test's hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx2
from starlette.testclient import TestClient

from app.main import create_app
from app.operations.house import House
from app.settings import Settings
from tests.journeys.ward import Clock, Ward
from tests.service import API_KEY, MASTER_KEY


@dataclass(slots=True)
class Inside:
    """An application with two organisations: `default`, which the ward belongs to, and another."""

    house: House
    clock: Clock
    client: TestClient
    ward: Ward
    other: Ward
    key: str = field(default=API_KEY, repr=False)


@contextmanager
def opened(database_url: str, **settings: object) -> Iterator[Inside]:
    """The application on a migrated database, started and stopped as `serve` does, worker and all."""
    clock = Clock()
    house = House(
        Settings.model_validate({"database_url": database_url, "master_key": MASTER_KEY, **settings}),
        clock,
    )
    house.open_organisation("default", "default", API_KEY)
    other = house.open_organisation("other", "other")
    assert other is not None
    with TestClient(create_app(house)) as client:
        yield Inside(house, clock, client, Ward(client, bearer(API_KEY)), Ward(client, bearer(other.secret)))


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def given_key(inside: Inside, *scopes: str, **particulars: object) -> Ward:
    """A ward whose key has these scopes only."""
    from app.operations import keys
    from app.operations.house import SYSTEM
    from app.operations.job import Command

    key = keys.new_key(scopes, **particulars)
    inside.house.ask(
        Command(
            "default",
            str(httpx2.__name__ and __import__("uuid").uuid4()),
            SYSTEM,
            "default",
            lambda desk, cause: keys.create(desk, cause, key),
            lambda _reader, subject: {"id": subject},
        )
    )
    return Ward(inside.client, bearer(key.secret))
