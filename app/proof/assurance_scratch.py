"""Where an assurance keeps what it has read: a private temporary SQLite database, so that memory does not grow with
the ledger. It is made empty for one pass, and gone with it; no database of the service is opened.
"""

import sqlite3
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Any

CACHE = 32 * 1024
"""KiB of pages that are held in memory; what does not fit there lies in a temporary file."""

Row = tuple[Any, ...]


class Scratch:
    """One pass's notes. Statements are written where they are asked."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._run = connection.execute
        self._run_many = connection.executemany

    def do(self, statement: str, values: Iterable[Any] = ()) -> None:
        """Change notes."""
        self._run(statement, tuple(values))

    def do_each(self, statement: str, rows: Iterable[Row]) -> None:
        """Change notes, for every row."""
        self._run_many(statement, rows)

    def one(self, statement: str, *values: Any) -> Row | None:
        """The first row that is found."""
        return self._run(statement, values).fetchone()

    def all(self, statement: str, *values: Any) -> list[Row]:
        """Every row that is found: for what is bounded."""
        return self._run(statement, values).fetchall()

    def each(self, statement: str, *values: Any) -> Iterator[Row]:
        """Every row that is found, one after the other; nothing that is looked at may be changed meanwhile."""
        yield from self._run(statement, values)

    def count(self, statement: str, *values: Any) -> int:
        """The number that a statement selects."""
        row = self.one(statement, *values)
        return 0 if row is None or row[0] is None else int(row[0])


@contextmanager
def opened() -> Generator[Scratch]:
    """An empty notebook, thrown away at the end."""
    with closing(sqlite3.connect("", isolation_level=None, check_same_thread=False)) as connection:
        for setting in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{CACHE}", "temp_store = FILE"):
            connection.execute(f"PRAGMA {setting}")
        connection.executescript(TABLES)
        connection.execute("BEGIN")
        yield Scratch(connection)


TABLES = """
CREATE TABLE records (
  sequence INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, at INTEGER, day INTEGER, date_only INTEGER, service TEXT,
  locality TEXT, facts TEXT, counts INTEGER, linked INTEGER, awaiting TEXT, exempt TEXT, time_zone TEXT,
  link_due INTEGER, link_every TEXT, details_due INTEGER, details_every TEXT, due INTEGER, isolated TEXT);
CREATE TABLE entries (
  rule TEXT, key TEXT, at INTEGER, sequence INTEGER, day INTEGER, date_only INTEGER, weight, distinct_value TEXT,
  incident_type TEXT, PRIMARY KEY (rule, key, at, sequence)) WITHOUT ROWID;
CREATE TABLE consumed (rule TEXT, id TEXT, PRIMARY KEY (id, rule)) WITHOUT ROWID;
CREATE TABLE ended (id TEXT, escalation TEXT, rule TEXT, PRIMARY KEY (escalation, id)) WITHOUT ROWID;
CREATE INDEX ended_by_id ON ended (id);
CREATE TABLE waits (
  rule TEXT, key TEXT, named TEXT, until INTEGER, crossed_at INTEGER, PRIMARY KEY (rule, key)) WITHOUT ROWID;
CREATE TABLE deferred (rule TEXT, key TEXT, record INTEGER, sequence INTEGER,
  PRIMARY KEY (rule, key, record)) WITHOUT ROWID;
CREATE TABLE escalations (
  number INTEGER PRIMARY KEY, sequence INTEGER, id TEXT NOT NULL UNIQUE, rule TEXT, key TEXT, named TEXT, service TEXT,
  crossed_at INTEGER, recomputed_at INTEGER, raised_at INTEGER, historical INTEGER, missing TEXT, review TEXT,
  late INTEGER, is_open INTEGER, acknowledged_at INTEGER, closed_at INTEGER, closed_sequence INTEGER, merged TEXT,
  review_due INTEGER, standing TEXT, due INTEGER, due_kind TEXT);
CREATE INDEX escalations_of_key ON escalations (rule, key, is_open, sequence);
CREATE TABLE members (id TEXT, escalation TEXT, kind TEXT, PRIMARY KEY (escalation, id)) WITHOUT ROWID;
CREATE INDEX members_by_id ON members (id);
CREATE TABLE unanswered (escalation TEXT, kind TEXT, due INTEGER, PRIMARY KEY (escalation, kind, due)) WITHOUT ROWID;
CREATE TABLE reviews (id TEXT PRIMARY KEY, escalation TEXT, determination TEXT, closed_at INTEGER, code TEXT)
  WITHOUT ROWID;
CREATE TABLE others (id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE governance (
  sequence INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, opened_at INTEGER, since INTEGER, until INTEGER,
  services TEXT, localities TEXT, resolved INTEGER, closed_at INTEGER, closed_sequence INTEGER);
CREATE TABLE decisions (governance TEXT, sequence INTEGER, cites INTEGER, unknown TEXT,
  PRIMARY KEY (governance, sequence)) WITHOUT ROWID;
CREATE TABLE cites (id TEXT, governance TEXT, PRIMARY KEY (id, governance)) WITHOUT ROWID;
"""
