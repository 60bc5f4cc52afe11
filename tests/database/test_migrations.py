"""The schema: from nothing to what the code expects, on both databases, with the ledger refusing every change."""

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Engine, create_engine, inspect, text
from sqlalchemy.exc import DBAPIError

from app.database import migrate
from app.database.tables import metadata
from app.settings import Settings
from tests.service import ROOT, surroundings

ROW = """
INSERT INTO events VALUES
('o', 1, 'id', 'near_miss/a', 1, 'near_miss.closed', 1, 0, 0, 'key/a', 'c', NULL, '{}', :leaf)
"""
UPSERT = "ON CONFLICT (organisation, sequence) DO UPDATE SET payload = 'forged'"


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(Settings(database_url=database_url).url)
    yield engine
    engine.dispose()


def test_an_empty_database_is_brought_to_the_newest_schema(empty_database_url: str) -> None:
    engine = create_engine(Settings(database_url=empty_database_url).url)

    migrate.upgrade(empty_database_url)

    with engine.connect() as connection:
        assert migrate.current(connection) == migrate.head()
        assert set(inspect(connection).get_table_names()) == {*metadata.tables, "alembic_version"}
    engine.dispose()


def test_migrating_again_changes_nothing(engine: Engine, database_url: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(ROW), {"leaf": bytes(32)})

    migrate.upgrade(database_url)

    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM events")).scalar() == 1


def test_the_migrations_make_exactly_the_tables_of_the_code(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})

        assert compare_metadata(context, metadata) == []


def test_every_primary_key_begins_with_the_organisation() -> None:
    keys = {table.name: [column.name for column in table.primary_key.columns] for table in metadata.sorted_tables}

    assert keys.pop("installation") == ["name"]
    assert keys.pop("signing_keys") == ["generation"]  # The service signs for every organisation.
    assert {name for name, columns in keys.items() if columns[0] != "organisation"} == set()


def test_text_is_compared_byte_by_byte_on_both_databases(engine: Engine) -> None:
    names = ["b", "B", "a", "Z", "é", "_", "😀"]

    with engine.begin() as connection:
        for name in names:
            connection.execute(text("INSERT INTO followers VALUES (:name, 'x', 0)"), {"name": name})
        found = connection.execute(text("SELECT organisation FROM followers ORDER BY organisation")).scalars()

        assert list(found) == sorted(names, key=lambda name: name.encode())


def test_the_triggers_of_the_ledger_are_there_and_no_others(engine: Engine) -> None:
    with engine.connect() as connection:
        assert (
            triggers(connection)
            == {
                "sqlite": {"events_no_update", "events_no_delete", "events_no_replace"},
                "postgresql": {"events_append_only"},
            }[engine.dialect.name]
        )


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET payload = 'forged'",
        "UPDATE events SET actor = actor",
        "DELETE FROM events",
        "TRUNCATE events",
        "INSERT OR REPLACE INTO events SELECT * FROM events",
        "INSERT INTO events SELECT * FROM events WHERE true " + UPSERT,
    ],
    ids=["update", "update of nothing", "delete", "truncate", "insert or replace", "upsert"],
)
def test_the_database_itself_refuses_to_change_an_event(engine: Engine, statement: str) -> None:
    if statement.startswith({"sqlite": "TRUNCATE", "postgresql": "INSERT OR"}[engine.dialect.name]):
        pytest.skip(f"{engine.dialect.name} has no such statement")
    with engine.begin() as connection:
        connection.execute(text(ROW), {"leaf": bytes(32)})

    with engine.connect() as connection, pytest.raises(DBAPIError, match="events are append-only"):
        connection.execute(text(statement))

    with engine.connect() as connection:
        assert connection.execute(text("SELECT payload, actor FROM events")).all() == [("{}", "key/a")]


def test_a_schema_is_never_taken_back(database_url: str) -> None:
    from alembic import command

    configuration = migrate._configuration()
    engine = create_engine(Settings(database_url=database_url).url)
    with engine.connect() as connection:
        configuration.attributes["connection"] = connection
        with pytest.raises(RuntimeError, match="never taken back"):
            command.downgrade(configuration, "base")
    engine.dispose()


PLACED = """
INSERT INTO events VALUES
('o', :sequence, :id, :stream, :sequence, :type, 1, 0, 0, 'key/a', 'c', NULL, :payload, :leaf)
"""
RECORD = """
INSERT INTO near_misses VALUES ('o', :id, :sequence, 'linked', 's', 'visit', NULL, 'near_miss', 0, 0)
"""


def test_records_from_before_belong_where_their_last_report_says(empty_database_url: str) -> None:
    from alembic import command

    engine = create_engine(Settings(database_url=empty_database_url).url)
    configuration = migrate._configuration()
    with engine.begin() as connection:
        configuration.attributes["connection"] = connection
        command.upgrade(configuration, "0008")
        for sequence, (record, kind, locality) in enumerate(
            [("a", "recorded", "north"), ("b", "recorded", None), ("a", "corrected", "south"), ("a", "closed", None)], 1
        ):
            report = {"report": {"locality": locality} if locality else {}}
            row = {"sequence": sequence, "id": f"{sequence}", "stream": f"near_miss/{record}", "leaf": bytes(32)}
            connection.execute(text(PLACED), {**row, "type": f"near_miss.{kind}", "payload": json.dumps(report)})
        for sequence, record in enumerate(["a", "b"], 1):
            connection.execute(text(RECORD), {"id": record, "sequence": sequence})

    migrate.upgrade(empty_database_url)

    with engine.connect() as connection:
        placed = connection.execute(text("SELECT near_miss_id, locality FROM near_misses ORDER BY near_miss_id"))
        assert placed.all() == [("a", "south"), ("b", None)]
    engine.dispose()


UPGRADE = """
import sys
from app.database.migrate import upgrade

print("ready", flush=True)
sys.stdin.readline()
upgrade(sys.argv[1])
"""


def test_processes_that_migrate_at_once_make_one_schema(empty_database_url: str) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", UPGRADE, empty_database_url],
            cwd=ROOT,
            env=surroundings(empty_database_url, {}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"

    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=60) for process in processes]

    assert [process.returncode for process in processes] == [0, 0, 0], answers
    engine = create_engine(Settings(database_url=empty_database_url).url)
    with engine.connect() as connection:
        assert migrate.current(connection) == migrate.head()
    engine.dispose()


def triggers(connection: Connection) -> set[str]:
    if connection.dialect.name == "sqlite":
        return set(connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars())
    return set(connection.execute(text("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal")).scalars())
