"""Rows on their way into the database: inserts wait and go out together, everything else goes out in order."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Executable, Table
from sqlalchemy.engine import CursorResult

Insert = Callable[[Connection, Iterable[tuple[Table, Sequence[Sequence[Any]]]]], None]


class Rows:
    """The writes of one transaction. A query through here sees everything that was written before it."""

    def __init__(self, connection: Connection, insert: Insert) -> None:
        self.connection = connection
        self._insert = insert
        self._waiting: dict[Table, list[tuple[Any, ...]]] = {}

    def insert(self, table: Table, row: tuple[Any, ...]) -> None:
        """Keep a row, its values in the table's column order, until the next flush."""
        waiting = self._waiting.get(table)
        if waiting is None:
            self._waiting[table] = [row]
        else:
            waiting.append(row)

    def flush(self) -> None:
        """Send what waits."""
        if self._waiting:
            waiting, self._waiting = self._waiting, {}
            self._insert(self.connection, waiting.items())

    def execute(self, statement: Executable, parameters: Mapping[str, Any] | None = None) -> CursorResult[Any]:
        """Run a statement after everything that waits."""
        self.flush()
        return self.connection.execute(statement, parameters)
