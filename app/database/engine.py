"""The database behind everything: one way to read, one way to write, on SQLite and on PostgreSQL.

Reads run on their own connections and never wait for writers. On SQLite every write transaction begins
IMMEDIATE and takes one lock of the process first, so that writers queue in order instead of polling.
"""

import sqlite3
import threading
from collections.abc import Generator
from contextlib import contextmanager, nullcontext, suppress
from typing import Any
from uuid import uuid4

import psycopg
from sqlalchemy import Connection, Engine, create_engine, delete, event, insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as SQLAlchemyTimeout
from sqlalchemy.pool import QueuePool

from app.database.tables import installation
from app.settings import Settings


class Database:
    """One database, opened for this process. `dialect` is "sqlite" or "postgresql"."""

    def __init__(self, settings: Settings) -> None:
        self.dialect = settings.dialect
        self._refuses_writes = False
        self._write_lock = threading.Lock() if self.dialect == "sqlite" else None
        if self.dialect == "sqlite":
            self._reader = _sqlite_engine(settings, begin="BEGIN", size=16)
            self._writer = _sqlite_engine(settings, begin="BEGIN IMMEDIATE", size=4)
        else:
            one_state = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
            reader = create_engine(settings.url, pool_size=16, max_overflow=8, pool_pre_ping=True, hide_parameters=True)
            self._reader = reader.execution_options(**one_state)
            self._writer = _by_index(create_engine(settings.url, pool_size=4, max_overflow=4, hide_parameters=True))

    @contextmanager
    def read(self) -> Generator[Connection]:
        """A connection that sees one consistent state and changes nothing."""
        with self._reader.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Generator[Connection]:
        """A transaction that is committed when the block ends, and rolled back when it raises."""
        try:
            with self._write_lock or nullcontext(), self._writer.connect() as connection, connection.begin():
                yield connection
        except Exception as error:
            self._refuses_writes = self._refuses_writes or is_connection_lost(error)
            raise
        self._refuses_writes = False

    @contextmanager
    def aside(self) -> Generator[Connection]:
        """One consistent state with room for temporary tables over it, which hide stored ones of their name.

        Whatever is written is rolled back and its connection closed; nobody waits for it, and a kill leaves nothing.
        """
        engine = self._reader if self.dialect == "sqlite" else self._writer
        with engine.connect() as connection:
            if self.dialect == "postgresql":
                connection.execution_options(isolation_level="REPEATABLE READ")
            try:
                with connection.begin() as transaction:
                    yield connection
                    transaction.rollback()
            finally:
                connection.invalidate()

    def takes_writes(self) -> bool:
        """Whether the last write went well; after one that did not, whether another does: a full disk can be read."""
        if self._refuses_writes:
            with suppress(DBAPIError), self.write() as connection:
                row = {"name": f"probe {uuid4()}", "value": ""}
                connection.execute(insert(installation), row)
                connection.execute(delete(installation).where(installation.c.name == row["name"]))
        return not self._refuses_writes

    def renew(self) -> None:
        """After the database went away: connect anew from now on, whatever the old connections are good for.

        A SQLite file goes nowhere; on a full disk, those who have it open can read it and nobody else can open it.
        """
        if self.dialect == "postgresql":
            self.close()

    def close(self) -> None:
        """Give every connection back."""
        self._reader.dispose()
        self._writer.dispose()


def is_connection_lost(error: Exception) -> bool:
    """Whether a statement failed because the database went away or is full, rather than because it is wrong."""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or (isinstance(error.orig, _AWAY) and not isinstance(error.orig, _CROSSED))
    return isinstance(error, (*_AWAY, SQLAlchemyTimeout))


_AWAY = (psycopg.OperationalError, psycopg.InterfaceError, sqlite3.OperationalError)
_CROSSED = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)
"""Two transactions were in each other's way: nobody went away, and trying again is right."""


_BY_INDEX = """
SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_bitmapscan = off;
SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_material = off; SET enable_memoize = off;
SET enable_sort = off; SET jit = off
"""


def _by_index(engine: Engine) -> Engine:
    """Writers ask for few rows by their keys, however large the tables are.

    A plan is made once for each statement of a connection: chosen by statistics, one made while the tables were
    nearly empty would read all of them for as long as the connection lives.
    """

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:  # pyright: ignore[reportUnusedFunction]
        connection.execute(_BY_INDEX)
        connection.commit()

    return engine


def _sqlite_engine(settings: Settings, *, begin: str, size: int) -> Engine:
    engine = create_engine(
        settings.url,
        poolclass=QueuePool,
        pool_size=size,
        max_overflow=size,
        hide_parameters=True,  # What a statement carries may be about persons, and its error goes into the log.
        connect_args={"check_same_thread": False, "timeout": 10, "isolation_level": None},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:  # pyright: ignore[reportUnusedFunction]
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA cache_size=-65536")

    @event.listens_for(engine, "begin")
    def begin_as_told(connection: Connection) -> None:  # pyright: ignore[reportUnusedFunction]
        connection.exec_driver_sql(begin)

    return engine
