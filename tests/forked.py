"""A process of the service's own that has all of its imports done: forked from a server of forks that did them once.

To start is to import, for nearly four seconds of a processor, and tests start the service a hundred times. What is
forked is no less a process of its own: it has its session, its log and its surroundings, and dies of SIGKILL alone.
"""

import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from multiprocessing.forkserver import ensure_running
from pathlib import Path
from signal import SIGKILL
from subprocess import CompletedProcess, TimeoutExpired
from tempfile import TemporaryDirectory

PRELOADED = [
    "app.cli.commands",
    "app.cli.serving",
    "app.main",
    "app.worker",
    "tests.forked",
    "uvicorn.lifespan.on",
    "uvicorn.loops.auto",
    "uvicorn.protocols.http.auto",
    "uvicorn.protocols.websockets.auto",
]


@dataclass(frozen=True, slots=True)
class Forked:
    """Does what tests ask of a `subprocess.Popen`."""

    process: ForkServerProcess
    pid: int

    def poll(self) -> int | None:
        """Its exit code, or minus the signal that it died of; None while it lives."""
        return self.process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, once it has ended; `subprocess.TimeoutExpired` if it has not by then."""
        self.process.join(timeout)
        code = self.process.exitcode
        if code is None:
            raise TimeoutExpired("forewarn", timeout or 0.0)
        return code

    def send_signal(self, number: int) -> None:
        """Nothing once it has ended: its number may be another's."""
        if self.poll() is None:
            os.kill(self.pid, number)


def ran(arguments: Sequence[str], directory: Path, environment: Mapping[str, str]) -> "CompletedProcess[str]":
    """What came of `forewarn` with these arguments, within a minute."""
    with TemporaryDirectory() as folder:
        out, err = Path(folder) / "out", Path(folder) / "err"
        process = forewarn(arguments, directory, environment, out, err)
        try:
            code = process.wait(60.0)
        finally:
            process.send_signal(SIGKILL)
        return CompletedProcess(["forewarn", *arguments], code, out.read_text("utf-8"), err.read_text("utf-8"))


def forewarn(
    arguments: Sequence[str], directory: Path, environment: Mapping[str, str], out: Path, err: Path | None = None
) -> Forked:
    """`forewarn` with these arguments, at work in `directory`, its outputs in these files, or both in the one."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    _start_the_server(environment)
    process = context.Process(target=_live, args=(arguments, directory, dict(environment), (out, err or out)))
    process.start()
    assert process.pid is not None
    return Forked(process, process.pid)


def _start_the_server(environment: Mapping[str, str]) -> None:
    """It takes its surroundings from ours, and finds there what it is to import."""
    ours = dict(os.environ)
    os.environ["PYTHONPATH"] = environment["PYTHONPATH"]
    try:
        ensure_running()
    finally:
        os.environ.clear()
        os.environ.update(ours)


def _live(arguments: Sequence[str], directory: Path, environment: dict[str, str], outputs: tuple[Path, Path]) -> None:
    os.setsid()
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    for number, file in enumerate(outputs, start=1):
        opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(opened, number)
        os.close(opened)
    sys.argv = ["forewarn", *arguments]
    from app.cli import main

    main()
