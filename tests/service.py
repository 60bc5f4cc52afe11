"""The real service in a process of its own, for tests that start it, talk to it over HTTP and kill it."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from tests.forked import Forked, forewarn

ROOT = Path(__file__).resolve().parents[1]
API_KEY = "bootstrap-key-of-the-tests-and-nothing-else"
MASTER_KEY = "Zm9yZXdhcm4gdGVzdHMgYW5kIG5vdGhpbmcgZWxzZSE="
START_SECONDS = 30.0
STOP_SECONDS = 20.0
POLL_SECONDS = 0.02


class NotReady(Exception):
    """The service ended or stayed silent instead of becoming ready; `str()` holds its log."""


@dataclass(frozen=True, slots=True)
class RunningService:
    """A service that answered `/readyz`: where it listens, its process and what it logged."""

    base_url: str
    process: "subprocess.Popen[bytes] | Forked"
    log_file: Path

    @property
    def log(self) -> str:
        """Everything that it has written to its outputs so far."""
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def client(self, api_key: str = API_KEY, connections: int = 64) -> httpx2.Client:
        """A client with the key in its header, for as many threads as it may open connections; the caller closes it."""
        limits = httpx2.Limits(max_connections=connections, max_keepalive_connections=connections)
        headers = {"Authorization": f"Bearer {api_key}"}
        return plain_client(self.base_url, headers=headers, timeout=30.0, limits=limits)

    def kill(self) -> None:
        """End it as a power cut would, with no chance to tidy up."""
        os.killpg(self.process.pid, signal.SIGKILL)  # Its own session: the workers that it started go with it.
        self.process.wait(STOP_SECONDS)

    def stop(self) -> int:
        """Ask it to end, wait until it has, and give its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS)


def plain_client(base_url: str, **more: Any) -> httpx2.Client:
    """A client for plain HTTP: reading every authority of the machine for each one would take its time."""
    return httpx2.Client(base_url=base_url, trust_env=False, verify=False, **more)


@contextmanager
def running_service(
    database_url: str,
    directory: Path,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
) -> Iterator[RunningService]:
    """`forewarn serve` on a free port, ready; killed on the way out unless it has ended by itself.

    `directory` is where it works and logs; `arguments` follow `serve --host … --port …`.
    """
    port = free_port()
    base_url = f"http://127.0.0.1:{port}"
    log_file = directory / f"service-{port}.log"
    log_file.touch()
    process = _started(
        ["serve", "--host", "127.0.0.1", "--port", str(port)], arguments, database_url, environment or {}, log_file
    )
    service = RunningService(base_url, process, log_file)
    try:
        wait_until_ready(service)
        yield service
    finally:
        if process.poll() is None:
            service.kill()


def _started(
    serve: list[str], more: tuple[str, ...], database_url: str, environment: Mapping[str, str], log_file: Path
) -> "subprocess.Popen[bytes] | Forked":
    """Forked, unless it is to have more arguments: processes that it starts itself are to be real ones."""
    around, directory = surroundings(database_url, environment), log_file.parent
    if not more:
        return forewarn(serve, directory, around, log_file)
    with log_file.open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "app.cli", *serve, *more],
            cwd=directory,
            env=around,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def surroundings(database_url: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a service under test: the machine's, none of its forewarn settings, then ours.

    Each may keep what it compiles: a third of a start is compiling what the one before it has compiled.
    """
    machine = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("FOREWARN_") and name != "PYTHONDONTWRITEBYTECODE"
    }
    return {
        **machine,
        "PYTHONPATH": str(ROOT),
        "FOREWARN_DATABASE_URL": database_url,
        "FOREWARN_BOOTSTRAP_API_KEY": API_KEY,
        "FOREWARN_MASTER_KEY": MASTER_KEY,
        "FOREWARN_CHECKPOINT_EVERY": "off",
        **environment,
    }


def wait_until_ready(service: RunningService) -> None:
    """Ask `/readyz` until it says 200; give up when the process ends or the time is over."""
    deadline = time.monotonic() + START_SECONDS
    with plain_client(service.base_url, timeout=5.0) as client:
        while time.monotonic() < deadline:
            if answers_ready(client):
                return
            try:
                code = service.process.wait(POLL_SECONDS)
            except subprocess.TimeoutExpired:
                continue
            raise NotReady(f"The service ended with {code} before it was ready:\n{service.log}")
    raise NotReady(f"The service was not ready after {START_SECONDS:.0f} s:\n{service.log}")


def answers_ready(client: httpx2.Client) -> bool:
    """Whether `/readyz` says 200 just now."""
    try:
        return client.get("/readyz").status_code == httpx2.codes.OK
    except httpx2.TransportError:
        return False


def free_port() -> int:
    """A port that nobody listens on, below those that the system hands to outgoing connections."""
    while True:
        port = random.randint(20_000, 32_000)
        with socket.socket() as candidate:
            if candidate.connect_ex(("127.0.0.1", port)) != 0:
                return port
