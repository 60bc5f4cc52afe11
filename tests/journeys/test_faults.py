"""The database goes, the disk fills, the service is told to end: nothing half-stored, and no restart to recover."""

import json
import os
import resource
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import httpx2
import psycopg
import pytest
from psycopg import sql
from sqlalchemy.engine import make_url

from tests import postgres
from tests.forked import ran
from tests.journeys.ward import Ward, report
from tests.service import RunningService, running_service, surroundings

PATIENCE = 20.0
POLL_SECONDS = 0.05
SENDERS = 6
A_WHILE = 40
"""Acknowledged reports after which the service is told to end, with more on their way."""


def test_while_the_database_is_gone_the_service_says_so_and_goes_on_when_it_is_back(
    postgresql: postgres.Server, postgresql_url: str, tmp_path: Path
) -> None:
    with running_service(postgresql_url, tmp_path) as service, service.client() as client:
        before = Ward(client).submit()

        with gone(postgresql, postgresql_url):
            unavailable(client, "POST", "/v1/near-misses", report())
            unavailable(client, "POST", "/v1/near-misses:batch", {"items": [report()]})
            unavailable(client, "GET", "/v1/near-misses")
            unavailable(client, "GET", f"/v1/near-misses/{before['id']}")
            unavailable(client, "GET", "/v1/heatmaps/workflow")
            unready(client)

        eventually(lambda: client.get("/readyz").status_code == httpx2.codes.OK)
        after = Ward(client).submit()
        assert stored(client) == {before["id"], after["id"]}
        assert after["frequency"] == 2
        assert service.process.poll() is None


def test_a_request_that_was_refused_for_want_of_a_database_can_be_sent_again_with_its_key(
    postgresql: postgres.Server, postgresql_url: str, tmp_path: Path
) -> None:
    headers = {"Idempotency-Key": "7f2c"}
    with running_service(postgresql_url, tmp_path) as service, service.client() as client:
        Ward(client).submit()
        with gone(postgresql, postgresql_url):
            unavailable(client, "POST", "/v1/near-misses", report(), headers)

        eventually(lambda: client.post("/v1/near-misses", json=report(), headers=headers).status_code == 201)

        assert len(stored(client)) == 2


def test_connections_that_are_cut_cost_no_acknowledged_report_and_double_none(
    postgresql: postgres.Server, postgresql_url: str, tmp_path: Path
) -> None:
    with running_service(postgresql_url, tmp_path) as service, service.client() as client:
        acknowledged: set[str] = set()
        for cut in range(30):
            if cut % 10 == 5:
                cut_connections(postgresql, postgresql_url)
            answer = client.post("/v1/near-misses", json=report(deviation=None, incident_type="other"))
            assert answer.status_code in {201, 503}
            if answer.status_code == 201:
                acknowledged.add(answer.json()["id"])

        assert len(acknowledged) >= 27
        eventually(lambda: client.get("/v1/near-misses").status_code == httpx2.codes.OK)
        assert stored(client) == acknowledged


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="No other process's limits can be set on this system.")
def test_while_the_disk_is_full_nothing_is_half_stored_and_reading_goes_on(sqlite_url: str, tmp_path: Path) -> None:
    with running_service(sqlite_url, tmp_path) as service, service.client() as client:
        before = Ward(client).submit()

        with full_disk(service):
            unavailable(client, "POST", "/v1/near-misses", report())
            unavailable(client, "PUT", "/v1/services/ash-court", {"name": "Ash Court", "service_type": "care_home"})
            unready(client)
            assert stored(client) == {before["id"]}

        eventually(lambda: client.get("/readyz").status_code == httpx2.codes.OK)
        after = Ward(client).submit()
        assert stored(client) == {before["id"], after["id"]}
        assert after["sequence"] == before["sequence"] + 1
        assert client.get("/v1/services").json()["items"] == []


@dataclass(frozen=True, slots=True)
class Served:
    """A SQLite database that a service holds."""

    url: str
    directory: Path
    service: RunningService

    def beside(self, *arguments: str) -> "CompletedProcess[str]":
        """Run a command beside the service, on the same database."""
        return ran(arguments, self.directory, surroundings(self.url, {}))


@pytest.fixture(scope="module")
def served(migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    directory = tmp_path_factory.mktemp("served")
    url = f"sqlite:///{shutil.copy(migrated_sqlite, directory)}"
    with running_service(url, directory) as service:
        yield Served(url, directory, service)


@pytest.mark.parametrize(
    "arguments",
    [("serve", "--port", "20001"), ("serve", "--port", "20001", "--workers", "2"), ("api",), ("worker",)],
    ids=" ".join,
)
def test_sqlite_is_served_by_one_process_and_others_are_told_so_in_a_sentence(
    served: Served, arguments: tuple[str, ...]
) -> None:
    second = served.beside(*arguments)

    assert second.returncode != os.EX_OK
    assert "PostgreSQL" in second.stderr
    assert len(second.stderr.splitlines()) == 1
    with served.service.client() as client:
        assert client.get("/readyz").status_code == httpx2.codes.OK


def test_keys_are_given_out_beside_a_service_on_sqlite(served: Served) -> None:
    made = served.beside("keys", "create", "--scopes", "near-misses:read")

    with served.service.client(json.loads(made.stdout)["key"]) as reader, served.service.client() as client:
        near_miss = Ward(client).submit()
        assert near_miss["id"] in stored(reader)


def test_told_to_end_the_service_finishes_what_it_has_begun(database_url: str, tmp_path: Path) -> None:
    acknowledged: list[str] = []
    broken: list[str] = []
    enough = threading.Event()

    def send(service: RunningService) -> None:
        with service.client(connections=1) as client:
            while True:
                try:
                    answer = client.post("/v1/near-misses", json=report())
                except httpx2.ConnectError:
                    return  # Nobody listens any more.
                except httpx2.TransportError as error:
                    broken.append(type(error).__name__)
                    return
                if answer.status_code != httpx2.codes.CREATED:
                    assert answer.status_code == httpx2.codes.SERVICE_UNAVAILABLE
                    return
                acknowledged.append(answer.json()["id"])
                if len(acknowledged) >= A_WHILE:
                    enough.set()

    with running_service(database_url, tmp_path) as service, ThreadPoolExecutor(SENDERS) as pool:
        sending = [pool.submit(send, service) for _ in range(SENDERS)]
        assert enough.wait(PATIENCE)
        code = service.stop()
        for one in sending:
            one.result(PATIENCE)
    with running_service(database_url, tmp_path) as again, again.client() as client:
        found = stored(client)

    assert code in {os.EX_OK, -signal.SIGTERM}  # Uvicorn ends by the signal that it was sent, once all is done.
    assert "Traceback" not in service.log
    assert set(acknowledged) <= found
    assert len(found) <= len(acknowledged) + len(broken)


# Faults


@contextmanager
def gone(server: postgres.Server, url: str) -> Iterator[None]:
    """The database lets nobody in, and throws out who is there."""
    name = sql.Identifier(make_url(url).database or "")
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(name))
        cut_connections(server, url)
        try:
            yield
        finally:
            connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(name))


def cut_connections(server: postgres.Server, url: str) -> None:
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [make_url(url).database]
        )


@contextmanager
def full_disk(service: RunningService) -> Iterator[None]:
    """The process may write into no file beyond its first bytes: not the database's, and not its log."""
    _, most = resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (1, most))
    try:
        yield
    finally:
        resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (most, most))


# What is seen of them


def unavailable(
    client: httpx2.Client, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
) -> None:
    answer = client.request(method, path, json=body, headers=headers)
    if answer.status_code == httpx2.codes.MULTI_STATUS:
        assert [item["problem"]["type"] for item in answer.json()["items"]] == ["urn:forewarn:problem:unavailable"]
        return
    assert answer.status_code == httpx2.codes.SERVICE_UNAVAILABLE, answer.text
    assert answer.json()["type"].endswith("unavailable")
    assert int(answer.headers["retry-after"]) > 0


def unready(client: httpx2.Client) -> None:
    """It lives, and says itself that it cannot serve."""
    ready = client.get("/readyz")
    assert ready.status_code == httpx2.codes.SERVICE_UNAVAILABLE
    assert int(ready.headers["retry-after"]) > 0
    assert client.get("/livez").status_code == httpx2.codes.OK
    assert client.get("/metrics").status_code == httpx2.codes.OK


def stored(client: httpx2.Client) -> set[str]:
    """The ids of every near miss; each stands in the list once."""
    found: list[str] = []
    path: str | None = "/v1/near-misses?limit=200"
    while path is not None:
        page = client.get(path)
        assert page.status_code == httpx2.codes.OK, page.text
        found += [one["id"] for one in page.json()["items"]]
        path = page.links["next"]["url"] if "next" in page.links else None
    assert len(set(found)) == len(found)
    return set(found)


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "It did not come about in time."
        threading.Event().wait(POLL_SECONDS)
