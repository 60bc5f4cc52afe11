"""Fifty people report at once: one review opens, every time, and everybody's report stands in it (S3)."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.journeys.ward import report
from tests.rounds import rounds
from tests.service import RunningService, running_service

AT_ONCE = 50
ROUNDS = rounds(200)


@pytest.fixture
def two_on_postgresql(postgresql_url: str, tmp_path: Path) -> Iterator[list[RunningService]]:
    """Two processes that serve one PostgreSQL."""
    with ExitStack() as stack:
        services: list[RunningService] = []
        for name in ("first", "second"):
            (tmp_path / name).mkdir()
            services.append(stack.enter_context(running_service(postgresql_url, tmp_path / name)))
        yield services


@pytest.fixture
def one_on_sqlite(sqlite_url: str, tmp_path: Path) -> Iterator[list[RunningService]]:
    """The one process that may serve a SQLite file."""
    with running_service(sqlite_url, tmp_path) as service:
        yield [service]


def fifty_at_once(services: list[RunningService]) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(service.client()) for service in services]
        pool = stack.enter_context(ThreadPoolExecutor(AT_ONCE))
        for number in range(ROUNDS):
            service_id = f"round-{number}"
            told = list(pool.map(lambda n: submit(clients[n % len(clients)], service_id), range(AT_ONCE)))  # noqa: B023
            raised = escalations(clients[0], service_id)

            assert len(raised) == 1, f"round {number}: {len(raised)} escalations"
            members = {one["near_miss_id"]: one["kind"] for one in raised[0]["members"]}
            assert members == dict.fromkeys([one["id"] for one in told], "member")
            outcomes = sorted(outcome(one) for one in told)
            assert outcomes == ["attached"] * (AT_ONCE - 3) + ["below_threshold"] * 2 + ["escalated"]
            assert sorted(one["frequency"] for one in told) == list(range(1, AT_ONCE + 1))


def submit(client: httpx2.Client, service_id: str) -> dict[str, Any]:
    answer = client.post("/v1/near-misses", json=report(service_id=service_id))
    assert answer.status_code == 201, answer.text
    return answer.json()


def escalations(client: httpx2.Client, service_id: str) -> list[dict[str, Any]]:
    return client.get("/v1/escalations", params={"service_id": service_id}).json()["items"]


def outcome(near_miss: dict[str, Any]) -> str:
    return next(rule["outcome"] for rule in near_miss["similarity_check"]["rules"] if rule["rule_id"] == "similar")


@pytest.mark.soak
def test_fifty_reports_at_once_to_two_processes_open_exactly_one_review(
    two_on_postgresql: list[RunningService],
) -> None:
    fifty_at_once(two_on_postgresql)


@pytest.mark.soak
def test_fifty_reports_at_once_to_one_process_open_exactly_one_review(one_on_sqlite: list[RunningService]) -> None:
    fifty_at_once(one_on_sqlite)
