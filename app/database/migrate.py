"""Bringing a database to the schema that this code expects; under a lock, so that two processes may try at once.

All of an upgrade is one transaction on both databases: it is there whole, or not at all. On SQLite that transaction
is the lock; Python's driver would otherwise commit each statement by itself.
"""

from functools import cache
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.pool import NullPool

from app.settings import Settings

_LOCK = 0x666F7265  # "fore": the advisory lock that migrations take on PostgreSQL


def _configuration() -> Config:
    here = Path(__file__).resolve()
    scripts = next(path for path in (here.parents[1] / "_alembic", here.parents[2] / "alembic") if path.is_dir())
    configuration = Config()
    configuration.set_main_option("script_location", str(scripts))
    return configuration


@cache
def head() -> str:
    """The revision that this code expects."""
    revision = ScriptDirectory.from_config(_configuration()).get_current_head()
    assert revision is not None
    return revision


def current(connection: Connection) -> str | None:
    """The revision that the database has, or None when it is empty."""
    return MigrationContext.configure(connection).get_current_revision()


def upgrade(url: str) -> None:
    """Bring the database at `url` (as in FOREWARN_DATABASE_URL) to the newest schema; create it when empty."""
    settings = Settings(database_url=url)
    if settings.sqlite_path is not None:
        settings.sqlite_path.parent.mkdir(parents=True, exist_ok=True)
    engine = _sqlite_engine(settings) if settings.dialect == "sqlite" else create_engine(settings.url)
    try:
        with engine.connect() as connection:
            if engine.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": _LOCK})
                connection.commit()
            try:
                configuration = _configuration()
                configuration.attributes["connection"] = connection
                command.upgrade(configuration, "head")
                connection.commit()
            finally:
                if engine.dialect.name == "postgresql":
                    connection.rollback()
                    connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": _LOCK})
                    connection.commit()
    finally:
        engine.dispose()


def _sqlite_engine(settings: Settings) -> Engine:
    patient = {"timeout": 60, "isolation_level": None}
    engine = create_engine(settings.url, poolclass=NullPool, connect_args=patient)

    @event.listens_for(engine, "connect")
    def be_durable(connection: Any, _record: Any) -> None:  # pyright: ignore[reportUnusedFunction]
        connection.execute("PRAGMA synchronous=FULL")

    @event.listens_for(engine, "begin")
    def lock(connection: Connection) -> None:  # pyright: ignore[reportUnusedFunction]
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine
