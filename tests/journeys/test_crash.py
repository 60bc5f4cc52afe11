"""The power goes while people report: what was acknowledged is there, once, and the rest can be sent again."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import create_engine, func, select

from app.database.tables import near_misses
from app.operations.rebuild import NAMES, rebuild
from app.projections.inline import tables_of
from app.settings import Settings
from tests.journeys.ward import report
from tests.office import assert_intact, opened
from tests.rounds import rounds
from tests.service import RunningService, running_service

CYCLES = rounds(10) // 2
"""Two in `make test`, the stated five in `make soak`."""
SENDERS = 8
ENOUGH = 60
"""Acknowledged reports after which the process is killed, with more on their way."""


class Senders:
    """People and systems that go on reporting until the line goes dead, and note what was acknowledged."""

    def __init__(self, service: RunningService, cycle: int) -> None:
        self._service = service
        self._cycle = cycle
        self._lock = threading.Lock()
        self.enough = threading.Event()
        self.sent: dict[str, dict[str, Any]] = {}
        self.acknowledged: dict[str, str] = {}

    def send(self, sender: int) -> None:
        with self._service.client(connections=1) as client:
            for number in range(10_000):
                name = f"cycle-{self._cycle}-sender-{sender}-{number}"
                body = report(source="emar", source_event_id=name, service_id=f"service-{number % 7}")
                with self._lock:
                    self.sent[name] = body
                try:
                    answer = client.post("/v1/near-misses", json=body, headers={"Idempotency-Key": name})
                except httpx2.TransportError:
                    return
                if answer.status_code == httpx2.codes.CREATED:
                    with self._lock:
                        self.acknowledged[name] = answer.json()["id"]
                        if len(self.acknowledged) >= ENOUGH:
                            self.enough.set()


@pytest.mark.soak
def test_a_killed_process_loses_nothing_it_acknowledged_and_doubles_nothing(database_url: str, tmp_path: Path) -> None:
    sent: dict[str, dict[str, Any]] = {}
    acknowledged: dict[str, str] = {}
    for cycle in range(CYCLES):
        with running_service(database_url, tmp_path) as service, ThreadPoolExecutor(SENDERS) as pool:
            senders = Senders(service, cycle)
            working = [pool.submit(senders.send, number) for number in range(SENDERS)]
            assert senders.enough.wait(60)
            service.kill()
            for one in working:
                one.result()
        sent |= senders.sent
        acknowledged |= senders.acknowledged

    with running_service(database_url, tmp_path) as service, service.client() as client:
        for name, near_miss_id in acknowledged.items():
            assert client.get(f"/v1/near-misses/{near_miss_id}").json()["source_event_id"] == name
        for name, body in sent.items():
            again = client.post("/v1/near-misses", json=body, headers={"Idempotency-Key": name})
            assert again.status_code in {200, 201}
            assert again.json()["id"] == acknowledged.get(name, again.json()["id"])

    assert len(acknowledged) >= CYCLES * ENOUGH
    assert recorded(database_url) == len(sent)
    assert_ledger_is_whole(database_url)


def recorded(database_url: str) -> int:
    engine = create_engine(Settings(database_url=database_url).url)
    with engine.connect() as connection:
        count = connection.execute(select(func.count()).select_from(near_misses)).scalar_one()
    engine.dispose()
    return count


def assert_ledger_is_whole(database_url: str) -> None:
    """Gapless, every leaf the hash of its text, the root the one of its leaves; and the rows are what it tells."""
    with opened(database_url) as office:
        with office.house.database.read() as connection:
            assert_intact(connection)
        office.follow()
        for name in NAMES:
            lived = [office.rows(table) for table in tables_of(name)]
            rebuild(office.house, office.organisation, name)
            assert [office.rows(table) for table in tables_of(name)] == lived, name
