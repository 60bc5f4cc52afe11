"""The shape of the database: its tables as this release knows them, and what keeps events from being changed."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, inspect, text

from app.database.tables import metadata
from app.operations.finding import Finding

_SQLITE_TRIGGERS = {
    "events_no_update": "BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events are append-only'); END",
    "events_no_delete": "BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'events are append-only'); END",
    "events_no_replace": (
        "BEFORE INSERT ON events WHEN EXISTS (SELECT 1 FROM events WHERE organisation = NEW.organisation AND sequence "
        "= NEW.sequence) BEGIN SELECT RAISE(ABORT, 'events are append-only'); END"
    ),
}
_POSTGRESQL_TRIGGERS = text("""
SELECT count(*) FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
WHERE t.tgrelid = 'events'::regclass AND t.tgname = 'events_append_only' AND t.tgenabled IN ('O', 'A')
  AND t.tgtype = 58 AND p.prosrc LIKE '%RAISE EXCEPTION%'
""")  # 58: before a statement that updates, deletes or truncates.


def triggers(connection: Connection) -> Iterator[Finding]:
    """Whether the database itself still refuses to change events."""
    if connection.dialect.name == "postgresql":
        missing = [] if connection.execute(_POSTGRESQL_TRIGGERS).scalar() == 1 else ["events_append_only"]
    else:
        found = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'events'"
        there = {name: " ".join(str(sql).split()) for name, sql in connection.exec_driver_sql(found)}
        missing = [
            name for name, does in _SQLITE_TRIGGERS.items() if there.get(name) != f"CREATE TRIGGER {name} {does}"
        ]
    for name in missing:
        yield Finding("triggers", f"The trigger {name} is not there, or is another one: events can be changed.")


def columns(connection: Connection) -> Iterator[Finding]:
    """Whether every table has the columns that this release writes; on SQLite, whose types only advise, also those."""
    is_sqlite = connection.dialect.name == "sqlite"
    found = {name: its for (_, name), its in inspect(connection).get_multi_columns().items()}

    def shape(name: Any, kind: Any, nullable: Any) -> tuple[Any, ...]:
        return (name, str(kind) if is_sqlite else None, bool(nullable))

    for table in metadata.sorted_tables:
        there = {shape(one["name"], one["type"], one["nullable"]) for one in found.get(table.name, ())}
        due = {shape(one.name, one.type.compile(connection.dialect), one.nullable) for one in table.c}
        if there != due:
            names = ", ".join(sorted({str(one[0]) for one in there ^ due}))
            yield Finding("file", f"The table {table.name} has another shape than it was made with: {names}.")
