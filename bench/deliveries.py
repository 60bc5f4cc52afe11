"""Webhooks: from a commit to the receiver, beside receivers that hang, fail and drip, and as many as there may be.

The receiver is a process of its own on loopback. How long a message takes is counted from the instant that its
event was recorded at, which it carries, and which is a little before the commit. The throughput is that of messages
that are owed already: taken, signed, posted and written down, against a bare httpx2 client that posts as much with 64
requests open.
"""

import asyncio
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import httpx2

from app.main import HANDING_OVER
from app.operations import endpoints
from app.operations.deliver import Deliverer
from app.operations.follow import catch_up
from app.operations.house import House
from app.operations.job import Actor, Command, Submit
from app.operations.submit import job_of
from app.settings import Settings
from bench.databases import API_KEY, MASTER_KEY, CannotMeasure, migrated, new_database, postgresql
from bench.http_submit import ROOT, forewarn, free_port, running
from bench.measure import Aim, Line, Scale, compare
from bench.submissions import document

P99_AIM = 0.25
ENDPOINTS = 64
BAD = 8
OPEN = 64
NETWORK = "127.0.0.0/8"


def on_sqlite(scale: Scale) -> list[Line]:
    """Everything on SQLite."""
    with _receiver(scale.folder) as receiver:
        folder = scale.folder
        lines = _latencies("sqlite", receiver, scale, lambda name: f"sqlite:///{folder / name}.db")
        lines.append(_throughput("sqlite", receiver, scale, migrated(f"sqlite:///{folder / 'owed.db'}")))
        return lines


def on_postgresql(scale: Scale) -> list[Line]:
    """Everything on PostgreSQL."""
    with postgresql(scale.folder) as server, _receiver(scale.folder) as receiver:
        lines = _latencies("postgresql", receiver, scale, lambda _name: new_database(server))
        lines.append(_throughput("postgresql", receiver, scale, migrated(new_database(server))))
        return lines


def _latencies(database: str, receiver: int, scale: Scale, url: Callable[[str], str]) -> list[Line]:
    allowed = {"FOREWARN_WEBHOOK_ALLOW_NETWORKS": NETWORK}
    with forewarn(scale.folder, url("one"), allowed) as ours:
        _register(ours, receiver, ["/ok/0"])
        took = _submit(ours, receiver, scale.pick(500, 50), 1, 0.0)
    line = _line(f"commit_to_receiver_p99_{database}", _p99(took), P99_AIM, 1.0)
    line.notes["median"] = round(statistics.median(took), 4)
    medians: dict[str, tuple[float, float]] = {}
    paths = [f"/ok/{number}" for number in range(ENDPOINTS - 3 * BAD)]
    for name, bad in (("well", ("ok", "ok", "ok")), ("bad", ("hang", "fail", "drip"))):
        others = [f"/{kind}/{name}-{place}-{number}" for place, kind in enumerate(bad) for number in range(BAD)]
        with forewarn(scale.folder, url(name), allowed) as ours:
            _register(ours, receiver, [*paths, *others])
            took = _submit(ours, receiver, scale.pick(100, 20), len(paths), 0.25)
            medians[name] = (statistics.median(took), _p99(took))
    beside = _line(f"beside_bad_receivers_{database}", medians["bad"][0], medians["well"][0], 2.0)
    beside.notes["p99"] = {name: round(p99, 4) for name, (_, p99) in medians.items()}
    return [line, beside]


def _throughput(database: str, receiver: int, scale: Scale, url: str) -> Line:
    count = scale.pick(4000, 400)
    sys.setswitchinterval(HANDING_OVER)  # As `serve` does.
    house = House(
        Settings(database_url=url, master_key=MASTER_KEY, webhook_allow_networks=NETWORK, environment="production")
    )
    try:
        house.open_organisation("default", "default", API_KEY)
        house.start()
        for number in range(8):
            _register_inside(house, f"http://127.0.0.1:{receiver}/ok/{number}")
        body = b'{"data":' + b"x" * 260 + b"}"
        return compare(
            f"deliveries_{database}",
            "deliveries/s",
            lambda: asyncio.run(_bare(receiver, body, count)),
            lambda: _ours(house, receiver, count),
            Aim("at least", 0.8),
            scale.rounds,
        )
    finally:
        house.close()


async def _bare(receiver: int, body: bytes, count: int) -> float:
    limits = httpx2.Limits(max_connections=OPEN, max_keepalive_connections=OPEN)
    headers = {"content-type": "application/json"}
    left = iter(range(count))
    async with httpx2.AsyncClient(limits=limits, trust_env=False, headers=headers) as client:

        async def send() -> None:
            for number in left:
                answer = await client.post(f"http://127.0.0.1:{receiver}/ok/{number % 8}", content=body)
                assert answer.status_code == 204

        began = time.perf_counter()
        await asyncio.gather(*(send() for _ in range(OPEN)))
        took = time.perf_counter() - began
    _arrived(receiver)
    return count / took


def _ours(house: House, receiver: int, count: int) -> float:
    house.ask_all([_job(house, number) for number in range(count // 8)])
    catch_up(house.database, house.batches.dialect, house.configurations, "default", "deliveries")
    deliverer = Deliverer(house)
    before = house.sent.attempts
    began = time.perf_counter()
    deliverer.start()
    while house.sent.attempts - before < count:
        if time.perf_counter() - began > 120:
            raise CannotMeasure("What is owed is not sent.")
        time.sleep(0.005)
    took = time.perf_counter() - began
    deliverer.stop()
    if (arrived := len(_arrived(receiver))) != count or house.sent.failed:
        raise CannotMeasure(f"{arrived} of {count} arrived, {house.sent.failed} failed.")
    return count / took


def _submit(ours: int, receiver: int, count: int, each: int, pause: float) -> list[float]:
    """Seconds from the record of each submission until it came to each of so many paths that answer."""
    arrived: dict[tuple[str, str], float] = {}
    headers = {"Authorization": f"Bearer {API_KEY}"}
    _arrived(receiver)
    with httpx2.Client(base_url=f"http://127.0.0.1:{ours}", headers=headers, trust_env=False, timeout=30) as client:
        for number in range(count):
            answer = client.post("/v1/near-misses", json=document(number, datetime.now(UTC)))
            assert answer.status_code == 201, answer.text
            time.sleep(pause)
    until = time.monotonic() + 60
    while len(arrived) < count * each:
        if time.monotonic() > until:
            raise CannotMeasure(f"{len(arrived)} of {count * each} messages arrived.")
        for path, near_miss, after in _arrived(receiver):
            if path in _COUNTED[:each]:
                arrived.setdefault((path, near_miss), after)
        time.sleep(0.02)
    return list(arrived.values())


_COUNTED = [f"/ok/{number}" for number in range(ENDPOINTS)]


def _register(ours: int, receiver: int, paths: Sequence[str]) -> None:
    headers = {"Authorization": f"Bearer {API_KEY}"}
    with httpx2.Client(base_url=f"http://127.0.0.1:{ours}", headers=headers, trust_env=False, timeout=30) as client:
        for path in paths:
            said = {"url": f"http://127.0.0.1:{receiver}{path}", "event_types": ["near_miss.recorded"]}
            assert client.post("/v1/webhook-endpoints", json=said).status_code == 201


def _register_inside(house: House, url: str) -> None:
    endpoint_id, given = endpoints.new_endpoint_id(), endpoints.fresh()
    said = {"url": url, "event_types": ["near_miss.recorded"]}
    house.ask(
        Command(
            "default",
            str(uuid4()),
            BENCH,
            endpoint_id,
            lambda desk, cause: endpoints.register(desk, cause, endpoint_id, said, given),
            lambda _reader, subject: {"id": subject},
        )
    )


def _job(house: House, number: int) -> Submit:
    with house.database.read() as connection:
        pepper = house.vault.pepper(connection, "default")
    now = datetime.now(UTC)
    said = {**document(number, now), "source_event_id": uuid4().hex}
    return job_of("default", BENCH, pepper, said, now)


BENCH = Actor("key/bench")


def _arrived(receiver: int) -> list[tuple[str, str, float]]:
    answer = httpx2.get(f"http://127.0.0.1:{receiver}/arrived", trust_env=False, timeout=30)
    return [tuple(one) for one in answer.json()]


def _p99(took: Sequence[float]) -> float:
    return sorted(took)[max(0, -(-len(took) * 99 // 100) - 1)]


def _line(name: str, ours: float, yardstick: float, at_most: float) -> Line:
    ratio = ours / yardstick
    return Line(name, "seconds", ours, yardstick, ratio, ratio, ratio, Aim("at most", at_most), 1)


@contextmanager
def _receiver(folder: Path) -> Iterator[int]:
    port = free_port()
    command = [sys.executable, "-m", "bench.receiver", str(port)]
    with running(command, ROOT, os.environ, folder / "receiver.log", port, "/arrived"):
        yield port
