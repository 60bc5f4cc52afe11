"""Statements compiled once for each process of tests, as a service does: an engine of its own for each test compiles
them anew, which took a quarter of the time of every test that has a database.

What a statement compiles to depends on its text and on the kind of database; SQLAlchemy also asks that the dialect be
the same object. Here two of a kind pass for one.
"""

from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

_COMPILED: dict[Any, Any] = {}


def share() -> None:
    """From now on, every engine of this process finds what another has compiled."""
    for kind in (SQLiteDialect_pysqlite, PGDialect_psycopg):
        kind.__eq__ = _is_of_the_same_kind
        kind.__hash__ = _hash_of_its_kind

    @event.listens_for(Engine, "engine_connect")
    def know_the_statements(connection: Connection) -> None:  # pyright: ignore[reportUnusedFunction]
        connection.execution_options(compiled_cache=_COMPILED)


def _is_of_the_same_kind(dialect: object, other: object) -> bool:
    return type(dialect) is type(other)


def _hash_of_its_kind(dialect: object) -> int:
    return hash(type(dialect))
