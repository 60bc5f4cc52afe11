"""A submission over HTTP, with everything it does, against a bare route that does one INSERT.

Both are one uvicorn process (httptools, uvloop) on the same database server; the same requests come from the same
load generator. `forewarn serve` carries out its follower's work in the same process meanwhile.
"""

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from bench.databases import API_KEY, CannotMeasure, new_database, postgresql, surroundings
from bench.measure import Aim, Line, Scale, compare
from bench.submissions import SERVICES

ROOT = Path(__file__).resolve().parents[1]
READY_SECONDS = 60.0


def on_postgresql(scale: Scale) -> list[Line]:
    """32 clients, then one."""
    with postgresql(scale.folder) as server, ExitStack() as stack:
        bare_url, our_url = new_database(server), new_database(server)
        bare = stack.enter_context(_bare(scale.folder, "on_postgresql", bare_url))
        ours = stack.enter_context(forewarn(scale.folder, our_url))
        return _measure("postgresql", bare, ours, scale, {32: 1.0, 1: 0.6})


def on_sqlite(scale: Scale) -> list[Line]:
    """32 clients, then one."""
    with ExitStack() as stack:
        bare = stack.enter_context(_bare(scale.folder, "on_sqlite", str(scale.folder / "bare.db")))
        ours = stack.enter_context(forewarn(scale.folder, f"sqlite:///{scale.folder / 'forewarn.db'}"))
        return _measure("sqlite", bare, ours, scale, {32: 1.0, 1: 0.6})


def _measure(database: str, bare: int, ours: int, scale: Scale, aims: Mapping[int, float]) -> list[Line]:
    _register_services(ours)
    sent = 0
    said: dict[str, Any] = {}

    def send(port: int, path: str, connections: int, count: int) -> dict[str, Any]:
        nonlocal sent
        outcome = _send(port, path, connections, sent, count)
        sent += count
        return outcome

    # Windows that hold something before anything is measured.
    send(ours, "/v1/near-misses", 32, scale.pick(8000, 1000))
    lines: list[Line] = []
    for connections, aim in aims.items():
        count = scale.pick(6000, 1000) if connections > 1 else scale.pick(1000, 200)

        def rate(port: int, path: str, connections: int = connections, count: int = count) -> float:
            outcome = send(port, path, connections, count)
            said[path] = outcome
            return float(outcome["rate"])

        line = compare(
            f"http_submit_{database}_{connections}",
            "submissions/s",
            lambda: rate(bare, "/near-misses"),
            lambda: rate(ours, "/v1/near-misses"),
            Aim("at least", aim),
            scale.rounds,
        )
        line.notes["ours_last_round"] = said["/v1/near-misses"]
        line.notes["yardstick_last_round"] = said["/near-misses"]
        lines.append(line)
    return lines


def _send(port: int, path: str, connections: int, first: int, count: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.load", "--port", str(port), "--path", path, "--key", API_KEY]
    command += ["--connections", str(connections), "--first", str(first), "--count", str(count)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise CannotMeasure(f"The load generator ended with {ended.returncode}:\n{ended.stderr}")
    outcome = json.loads(ended.stdout)
    if set(outcome["statuses"]) != {"201"}:
        raise CannotMeasure(f"Not every submission was recorded: {outcome['statuses']}.")
    return outcome


@contextmanager
def _bare(folder: Path, factory: str, database_url: str) -> Iterator[int]:
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "--factory", f"bench.bare:{factory}", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--http", "httptools", "--loop", "uvloop", "--no-access-log"]
    command += ["--log-level", "warning", "--no-server-header"]
    environment = {**surroundings("sqlite://"), "BENCH_DATABASE_URL": database_url}
    with running(command, ROOT, environment, folder / "bare.log", port, "/openapi.json"):
        yield port


@contextmanager
def forewarn(folder: Path, database_url: str, environment: Mapping[str, str] | None = None) -> Iterator[int]:
    """`forewarn serve`, ready, on this port."""
    port = free_port()
    command = [sys.executable, "-m", "app.cli", "serve", "--host", "127.0.0.1", "--port", str(port)]
    every = {**surroundings(database_url), "PYTHONPATH": str(ROOT), **(environment or {})}
    with running(command, folder, every, folder / "forewarn.log", port, "/readyz"):
        yield port


@contextmanager
def running(
    command: list[str], folder: Path, environment: Mapping[str, str], log_file: Path, port: int, path: str
) -> Iterator[None]:
    """A process that answers at this path."""
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=dict(environment), stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + READY_SECONDS
        while not _answers(port, path):
            if process.poll() is not None or time.monotonic() > deadline:
                raise CannotMeasure(f"{command[2]} did not start:\n{log_file.read_text(errors='replace')}")
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(30)


def _answers(port: int, path: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def _register_services(port: int) -> None:
    for number in range(SERVICES):
        body = {
            "name": f"Service {number}",
            "service_type": "home_care" if number % 2 else "care_home",
            "time_zone": "Europe/London",
            "localities": [{"locality": f"locality-{number % 4}", "from": "2020-01-01"}],
        }
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/v1/services/service-{number}",
            json.dumps(body).encode(),
            {"Authorization": f"Bearer {API_KEY}", "Content-Type": "application/json"},
            method="PUT",
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 200


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as candidate:
        candidate.bind(("127.0.0.1", 0))
        return int(candidate.getsockname()[1])
