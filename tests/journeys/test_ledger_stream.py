"""The stream over a socket: it goes on where it broke off, ends when it should, and waits for nobody."""

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from app.api.streams import POLL
from app.cli.within import settle
from app.database.migrate import upgrade
from app.operations import keys
from app.operations.house import House
from app.operations.keys import NewKey
from app.settings import Settings
from tests.conftest import DATABASES
from tests.journeys.inside import bearer, given_key
from tests.journeys.listening import STREAM, deaf, events, feed
from tests.journeys.test_bad_inputs import resident
from tests.journeys.ward import Ward, report
from tests.service import API_KEY, MASTER_KEY, RunningService, plain_client, running_service

DEAF = 8
"""Streams that a key may have open here."""
SOON = timedelta(seconds=2)
REPORTS = 200
TIMES = 5
LONG = "€" * 8000
"""The longest narrative; sealed, an event with it has some 32 kB."""
MOST_MEMORY = 32 * 1024 * 1024
"""Bytes by which the service may have grown; what the deaf were told, held for each of them, would be twice that."""


@dataclass
class Air:
    """A service on its own socket, the ward that speaks to it, and a house beside it for keys."""

    service: RunningService
    client: httpx2.Client
    house: House

    @property
    def ward(self) -> Ward:
        return Ward(self.client)

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.service.base_url)
        return parts.hostname or "", parts.port or 0

    @contextmanager
    def listening(self, key: str = API_KEY, last: int | None = None, **parameters: Any) -> Iterator[httpx2.Response]:
        headers = bearer(key) | ({} if last is None else {"Last-Event-ID": str(last)})
        with (
            plain_client(self.service.base_url, timeout=20.0) as client,
            client.stream("GET", STREAM, params=parameters, headers=headers) as response,
        ):
            yield response

    def key(self, **particulars: Any) -> NewKey:
        """A fresh key that may listen."""
        return given_key(self.house, "audit:read", **particulars)


@pytest.fixture(scope="module", params=DATABASES)
def database_of_all(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('stream') / 'forewarn.db'}"
        return
    server = request.getfixturevalue("postgresql")
    url = server.create()
    yield url
    server.drop(url)


@pytest.fixture(scope="module")
def air(database_of_all: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Air]:
    upgrade(database_of_all)
    directory = tmp_path_factory.mktemp("air")
    environment = {"FOREWARN_STREAMS_PER_KEY": str(DEAF)}
    with ExitStack() as stack:
        service = stack.enter_context(running_service(database_of_all, directory, environment=environment))
        client = stack.enter_context(service.client())
        house = House(Settings(database_url=database_of_all, master_key=MASTER_KEY))
        house.start()
        stack.callback(house.close)
        yield Air(service, client, house)


def test_whoever_lost_the_line_goes_on_where_they_were(air: Air) -> None:
    air.ward.submit()
    with air.listening() as response:
        heard = list(islice(events(response.iter_lines()), 3))
    air.ward.submit()

    with air.listening(last=heard[-1]["sequence"]) as response:
        air.ward.submit(deviation="late")
        for event in events(response.iter_lines()):
            heard.append(event)
            if event["type"] == "forewarn.near_miss.recorded.v1" and len(heard) >= len(feed(air.ward)):
                break

    assert heard == feed(air.ward)


def test_what_is_recorded_is_heard_at_once(air: Air) -> None:
    with air.listening(after="end") as response:
        lines = response.iter_lines()
        assert next(lines) == "retry: 2000"  # It listens.
        heard, began = events(lines), time.monotonic()
        for house in range(TIMES):
            recorded = air.ward.submit(service_id=f"house-{house}")
            assert next(heard)["subject"] == f"near_miss/{recorded['id']}"

    assert time.monotonic() - began < TIMES * 0.6 * POLL


def test_what_another_process_recorded_is_heard(air: Air) -> None:
    with air.listening(after="end") as response:
        lines = response.iter_lines()
        next(lines)
        air.key()

        assert next(events(lines))["type"] == "forewarn.organisation.key_created.v1"


def test_who_takes_nothing_keeps_nobody_waiting_and_takes_no_room(air: Air) -> None:
    submit_many(air, REPORTS)
    before, sequence = resident(air.service), feed(air.ward)[-1]["sequence"]
    target = f"{STREAM}?after={sequence}"
    listeners = [deaf(air.address, API_KEY, target) for _ in range(DEAF)]

    spent = submit_many(air, REPORTS)

    after = resident(air.service)
    assert spent < REPORTS * 0.1
    if before is not None and after is not None and "sqlite" not in air.house.settings.database_url:
        assert after - before < MOST_MEMORY  # SQLite keeps the pages of its file in the process as well.
    told = [one["sequence"] for one in feed(air.ward, sequence)]
    for listener in listeners[1:]:
        listener.close()
    with listeners[0], listeners[0].makefile(encoding="utf-8", newline="\n") as text:
        heard = [int(line[4:]) for line in islice(ids(text), len(told))]
    assert heard == told
    assert air.service.process.poll() is None


def test_a_key_has_only_so_many_streams(air: Air) -> None:
    key = air.key().secret
    with ExitStack() as stack:
        lines = [stack.enter_context(air.listening(key)).iter_lines() for _ in range(DEAF)]
        assert {next(one) for one in lines} == {"retry: 2000"}
        refused = air.client.get(STREAM, params={"follow": "false"}, headers=bearer(key))
        others = air.client.get(STREAM, params={"follow": "false"})

        assert refused.status_code == 429
        assert refused.json()["type"].endswith(":rate-limited")
        assert refused.headers["Retry-After"]
        assert others.status_code == 200

    def is_let_in_again() -> bool:
        return air.client.get(STREAM, params={"follow": "false"}, headers=bearer(key)).status_code == 200

    eventually(is_let_in_again)


def test_a_stream_ends_when_its_key_is_revoked(air: Air) -> None:
    key = air.key()
    with air.listening(key.secret, after="end") as response:
        lines = response.iter_lines()
        next(lines)

        settle(air.house, "default", lambda desk, cause: keys.revoke(desk, cause, key.key_id))

        assert all("near_miss" not in line for line in to_the_end(lines))
    assert air.client.get(STREAM, headers=bearer(key.secret)).status_code == 401


def test_a_stream_ends_when_its_key_expires(air: Air) -> None:
    key = air.key(expires_at=air.house.clock().replace(microsecond=0) + SOON)
    with air.listening(key.secret, after="end") as response:
        lines = response.iter_lines()

        assert next(to_the_end(lines)) == "retry: 2000"
        assert list(to_the_end(lines)) == [""]


def test_a_service_that_is_told_to_stop_ends_its_streams_first(database_url: str, tmp_path: Path) -> None:
    with running_service(database_url, tmp_path) as service, service.client() as client, ExitStack() as stack:
        streams = [stack.enter_context(client.stream("GET", STREAM)) for _ in range(3)]
        lines = [one.iter_lines() for one in streams]
        assert {next(one) for one in lines} == {"retry: 2000"}

        began = time.monotonic()
        service.stop()

        assert time.monotonic() - began < 5.0
        assert all("id" in line or "data" in line or "event" in line for one in lines for line in one if line)
        assert "Traceback" not in service.log
        assert "Cancel" not in service.log


def submit_many(air: Air, count: int) -> float:
    """Seconds in which so many long reports were taken."""
    began = time.monotonic()
    with ThreadPoolExecutor(8) as senders:
        answers = senders.map(lambda _: air.client.post("/v1/near-misses", json=report(narrative=LONG)), range(count))
        assert {answer.status_code for answer in answers} == {201}
    return time.monotonic() - began


def to_the_end(lines: Iterator[str]) -> Iterator[str]:
    """The lines of a stream that ends soon: before it would say for a second time that it is alive."""
    deadline = time.monotonic() + 20
    for line in lines:
        assert time.monotonic() < deadline
        yield line


def ids(lines: Iterable[str]) -> Iterator[str]:
    return (line for line in lines if line.startswith("id: "))


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)
