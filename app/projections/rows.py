"""Rows on their way into the database: what is added or ended waits and goes out together, all else in order."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy import Connection, Executable, Table
from sqlalchemy.engine import CursorResult

from app.database.prefetch import Changes


class Write(Protocol):
    """A dialect's way to send everything that waits; `commit` ends the transaction with it."""

    def __call__(
        self, connection: Connection, changes: Changes, heads: Sequence[Mapping[str, Any]] = (), *, commit: bool = False
    ) -> None: ...


class Rows:
    """The writes of one transaction. A query through here sees everything that was written before it."""

    def __init__(self, connection: Connection, write: Write) -> None:
        self.connection = connection
        self._write = write
        self._changes = Changes()

    def insert(self, table: Table, row: tuple[Any, ...]) -> None:
        """Keep a row, its values in the table's column order, until the next flush."""
        waiting = self._changes.inserts.get(table)
        if waiting is None:
            self._changes.inserts[table] = [row]
        else:
            waiting.append(row)

    def end(self, table: Table, key: tuple[Any, ...], sequence: int) -> None:
        """Let the current row of a key (the primary key's first columns, up to `valid_to`) end at a sequence."""
        if any(row[: len(key)] == key for row in self._changes.inserts.get(table, ())):
            self.flush()
        self._changes.endings.setdefault(table, []).append((sequence, *key))

    def flush(self) -> None:
        """Send what waits."""
        if self._changes:
            changes, self._changes = self._changes, Changes()
            self._write(self.connection, changes)

    def finish(self, heads: Sequence[Mapping[str, Any]], *, commit: bool) -> None:
        """Send what waits with the heads of the ledgers, as they are to be from now on."""
        changes, self._changes = self._changes, Changes()
        self._write(self.connection, changes, heads, commit=commit)

    def execute(self, statement: Executable, parameters: Mapping[str, Any] | None = None) -> CursorResult[Any]:
        """Run a statement after everything that waits."""
        self.flush()
        return self.connection.execute(statement, parameters)
