"""Every projection made once more from the ledger, beside what is stored, and the rows that differ.

The tables of the replay are temporary ones of the same names, which hide the stored ones from whatever reads or writes
by name; so the projections themselves do the work, in the transaction that also sees what is stored. Inline projections
are held against the ledger's end, each follower against the place that it has come to.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Connection, MetaData, Table, inspect, select, text
from sqlalchemy.schema import CreateIndex, CreateTable

from app.database.tables import FOR_EVER, deliveries, followers
from app.events.catalogue import NAMES
from app.events.codec import told
from app.events.envelope import Told
from app.events.store import read_all
from app.projections.context import Context
from app.projections.inline import FOLLOWERS, INLINE, finish, project, start_policy
from app.projections.rows import Rows, Write

SHOWN = 20
"""Rows of one table that are told one by one, of those that should not be there and of those that are missing."""

MODULES = INLINE | FOLLOWERS

_OWED = ("organisation", "delivery_id", "endpoint_id", "sequence", "subject", "type", "urgent", "created_at")
"""What a delivery owes to its event; how it fared stands in no event."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A row that is stored and should not be (`is_stored`), or that should be and is not; a changed one is both.

    `key`: its primary key without the organisation. `sequence`: the latest place in the ledger that it names.
    """

    projection: str
    table: str
    key: tuple[Any, ...]
    is_stored: bool
    sequence: int | None = None


class ReplayBroken(Exception):
    """The ledger cannot be replayed: one of its events fits no rule. `sequence`: the event that was tried last."""

    def __init__(self, sequence: int, cause: Exception) -> None:
        super().__init__(f"{type(cause).__name__} at event {sequence}")
        self.sequence = sequence


class Replay:
    """What the projections of one organisation should hold, in temporary tables of one connection."""

    def __init__(self, connection: Connection, write: Write, organisation: str, end: int) -> None:
        self._connection = connection
        self._organisation = organisation
        self._end = end
        self._stored = inspect(connection).default_schema_name
        places = connection.execute(select(followers).where(followers.c.organisation == organisation))
        self._places = {row.name: min(row.position, end) for row in places}
        self._contexts = {
            name: Context(Rows(connection, write), organisation, organisation, start_policy())
            for name in ("inline", *FOLLOWERS)
        }
        self._tried = 0

    def run(self, heard: Callable[[int], None]) -> None:
        """Replay the whole ledger; `heard` is told after each page how far it has come. Raises `ReplayBroken`.

        What another replay on this connection has left is gone afterwards.
        """
        for statement in _preparing(self._connection.dialect.name):
            self._connection.exec_driver_sql(statement)
        try:
            for page in read_all(self._connection, self._organisation, up_to=self._end):
                self._project([told(envelope) for envelope in page])
                heard(page[-1].sequence)
        except Exception as error:  # A ledger that was rewritten may break any rule.
            raise ReplayBroken(self._tried, error) from error

    def differences(self) -> Iterator[Difference]:
        """The rows that differ."""
        for name, module in MODULES.items():
            for one in module.TABLES:
                yield from self._of_table(name, one, is_stored=True)
                yield from self._of_table(name, one, is_stored=False)

    def _project(self, page: Sequence[Told[Any]]) -> None:
        inline = self._contexts["inline"]
        for one in page:
            self._tried = one.envelope.sequence
            project(inline, one)
        for name in INLINE:
            finish(name, inline)
        for name, module in FOLLOWERS.items():
            context, place = self._contexts[name], self._places.get(name, 0)
            heeded = _heeded(name)
            for one in page:
                self._tried = one.envelope.sequence
                if one.envelope.sequence <= place:
                    context.move_on(one)
                    if one.envelope.type in heeded:
                        module.apply(context, one)
            finish(name, context)

    def _of_table(self, name: str, of: Table, *, is_stored: bool) -> Iterator[Difference]:
        columns = ", ".join(f'"{column}"' for column in (_OWED if of is deliveries else of.c.keys()))
        stored = self._rows_of(f'"{self._stored}"."{of.name}"', columns)
        shadow = self._rows_of(f'{_temporary(self._connection.dialect.name)}."{of.name}"', columns)
        mine, other = (stored, shadow) if is_stored else (shadow, stored)
        key = [column.name for column in of.primary_key.columns][1:]
        places = [column.name for column in of.c if _is_place(column.name)]
        shown = ", ".join(f'"{column}"' for column in (*key, *places))
        statement = f"SELECT {shown} FROM ({mine} EXCEPT {other}) AS d ORDER BY {shown} LIMIT {SHOWN + 1}"  # noqa: S608
        for row in self._connection.execute(text(statement), {"organisation": self._organisation}):
            named = [one for one in row[len(key) :] if isinstance(one, int) and one < FOR_EVER]
            yield Difference(name, of.name, tuple(row[: len(key)]), is_stored, max(named, default=None))

    @staticmethod
    def _rows_of(source: str, columns: str) -> str:
        return f"SELECT {columns} FROM {source} WHERE organisation = :organisation"  # noqa: S608


def _is_place(column: str) -> bool:
    """Whether a column names a place in the ledger."""
    return column in {"sequence", "valid_from", "valid_to"} or column.endswith("_sequence")


def _temporary(dialect: str) -> str:
    return "temp" if dialect == "sqlite" else "pg_temp"


@cache
def _heeded(name: str) -> frozenset[str]:
    return frozenset(NAMES[event][0] for event in FOLLOWERS[name].HEEDS)


@cache
def _preparing(dialect: str) -> tuple[str, ...]:
    """What makes the temporary tables anew, with their indexes."""
    from sqlalchemy.dialects import postgresql, sqlite

    spoken = sqlite.dialect() if dialect == "sqlite" else postgresql.dialect()
    statements: list[str] = []
    kept = MetaData()
    for module in MODULES.values():
        for one in module.TABLES:
            shadow: Table = one.to_metadata(kept)
            created = CreateTable(shadow).compile(dialect=spoken).string.strip()
            statements.append(f"DROP TABLE IF EXISTS {_temporary(dialect)}.{one.name}")
            statements.append(created.replace("CREATE TABLE", "CREATE TEMPORARY TABLE", 1))
            statements += [CreateIndex(index).compile(dialect=spoken).string for index in shadow.indexes]
    return tuple(statements)
