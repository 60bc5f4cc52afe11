"""What a watcher is told: how long timers wait, and when all that is open was last found to have its deadline."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import delete
from starlette.testclient import TestClient

from app.clock import system_clock
from app.database.tables import timers
from app.main import create_app
from app.operations.audit import Auditor
from tests.office import Office, answers_of
from tests.office import opened as office_on
from tests.operations.hearing import owed, register


@dataclass(slots=True)
class Watched:
    """The API alone, as a watcher sees it; audits come when the test says so."""

    office: Office
    client: TestClient

    def audit(self) -> None:
        for _ in Auditor(self.office.house).audit(system_clock()):
            pass

    def ready(self) -> dict[str, Any]:
        answer = self.client.get("/readyz")
        assert answer.status_code == 200
        return answer.json()

    def metrics(self) -> dict[str, float]:
        lines = self.client.get("/metrics").text.splitlines()
        return {name: float(value) for name, value in (line.split() for line in lines if not line.startswith("#"))}


@pytest.fixture
def watched(database_url: str) -> Iterator[Watched]:
    with office_on(database_url) as office:
        yield Watched(office, TestClient(create_app(office.house, with_worker=False)))


def test_before_the_first_audit_a_watcher_is_alarmed_and_the_service_is_ready(watched: Watched) -> None:
    assert watched.ready()["audit"] == {"findings": 0}
    assert watched.metrics()["forewarn_audit_heartbeat_seconds"] == float("inf")


def test_the_heartbeat_of_the_audit_is_there_for_watchers(watched: Watched) -> None:
    watched.audit()

    audit = watched.ready()["audit"]

    assert audit["findings"] == 0
    assert 0 <= audit["age_seconds"] < 60
    assert 0 <= watched.metrics()["forewarn_audit_heartbeat_seconds"] < 60


def test_what_an_audit_found_is_counted_and_the_heartbeat_stays_as_it_was(watched: Watched) -> None:
    watched.audit()
    at = watched.ready()["audit"]["at"]
    answers_of(watched.office.house.try_all([watched.office.submission() for _ in range(3)]))
    with watched.office.house.database.write() as connection:
        connection.execute(delete(timers).where(timers.c.kind == "escalation"))

    watched.audit()

    assert (watched.ready()["audit"]["at"], watched.ready()["audit"]["findings"]) == (at, 1)
    assert watched.metrics()["forewarn_audit_findings"] == 1


def test_how_long_the_oldest_due_timer_has_waited_is_told(watched: Watched) -> None:
    answers_of(watched.office.house.try_all([watched.office.submission() for _ in range(3)]))

    watched.office.clock.go_on(days=1, seconds=90)

    assert watched.ready()["oldest_due_timer_seconds"] == 90
    assert watched.metrics()["forewarn_oldest_due_timer_seconds"] == 90


def test_what_is_owed_to_endpoints_is_told(watched: Watched) -> None:
    register(watched.office, "near_miss.recorded")
    watched.office.submit()
    owed(watched.office)

    watched.office.clock.go_on(seconds=90)

    told = {"pending": 1, "failing": 0, "held": 0, "oldest_due_seconds": 90}
    assert watched.ready()["deliveries"] == told
    assert watched.metrics()["forewarn_oldest_due_delivery_seconds"] == 90
    assert watched.metrics()["forewarn_delivery_attempts_total"] == 0
