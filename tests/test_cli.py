"""The ways in: the console script, `python -m`, and what uvicorn is told to make in each process."""

import os
import pkgutil
import subprocess
import sys
import tomllib
from pathlib import Path

import httpx2

from app import cli
from tests.service import ROOT, RunningService, free_port, surroundings, wait_until_ready


def test_the_console_script_is_the_command_line() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]

    assert pkgutil.resolve_name(scripts["forewarn"]) is cli.main


def test_a_command_that_is_not_there_is_told_in_words(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", "surf"],
        cwd=tmp_path,
        env=surroundings("sqlite:///unused.db", {}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert "No such command 'surf'" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_api_alone_is_served_by_as_many_processes_as_are_asked_for(postgresql_url: str, tmp_path: Path) -> None:
    port = free_port()
    log_file = tmp_path / "api.log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "api", "--port", str(port), "--workers", "2"],
            cwd=tmp_path,
            env=surroundings(postgresql_url, {}),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    service = RunningService(f"http://127.0.0.1:{port}", process, log_file)
    try:
        wait_until_ready(service)

        with service.client() as client:
            refused = client.get("/v1/near-misses")

        assert refused.status_code == httpx2.codes.UNAUTHORIZED
        assert service.stop() == os.EX_OK, service.log
    finally:
        if process.poll() is None:
            service.kill()
