"""The ledger and what hangs on it, against what the database can do at its best with the same bytes.

append: the store alone, many commands in a transaction, against pgbench's single inserts and against one sqlite3
commit for each event. Import: submissions with everything they do, against COPY of their payloads. Replay: every
event read, decoded and folded into the windows, against COPY out. Window: one key's neighbours among few rows and many.
"""

import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import psycopg
from sqlalchemy import select

from app.database.prefetch import NOTHING, Ask, Changes, Range
from app.database.tables import FOR_EVER, events
from app.domain.moment import to_micros
from app.domain.organisation import KeyCreated
from app.events.store import Cause, Draft, Head
from app.operations.house import House
from app.operations.job import Actor, Answer, Submit
from app.operations.rebuild import rebuild
from app.operations.submit import job_of
from app.settings import Settings
from bench.databases import MASTER_KEY, migrated, new_database, pgbench, postgresql
from bench.measure import Aim, Line, Scale, compare
from bench.submissions import document

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
EVENT = KeyCreated("0123456789ab", ("near-misses:write", "near-misses:read"), "reporter", False, NOON)
TOGETHER = 32
KEY = Actor("key/bench")


@contextmanager
def opened_house(url: str) -> Iterator[House]:
    """A house on a new database, its writer at work and nobody following."""
    house = House(Settings(database_url=migrated(url), master_key=MASTER_KEY, queue_limit=100_000), lambda: NOON)
    house.open_organisation("default", "default")
    house.start()
    try:
        yield house
    finally:
        house.close()


def append_on_postgresql(scale: Scale) -> list[Line]:
    """Commands of one event each from 32 that wait, against 32 pgbench clients that insert one row each."""
    count = scale.pick(8000, 1000)
    with postgresql(scale.folder) as server, opened_house(new_database(server)) as house:
        bare = new_database(server)
        with psycopg.connect(bare, autocommit=True) as connection:
            connection.execute("CREATE TABLE e (id bigserial PRIMARY KEY, payload text NOT NULL)")
        script = scale.folder / "insert.sql"
        script.write_text(f"INSERT INTO e (payload) VALUES ('{'x' * 300}');\n", encoding="utf-8")
        command = [
            pgbench(),
            "-n",
            "-M",
            "prepared",
            "-c",
            "32",
            "-j",
            "2",
            "-t",
            str(count // 32),
            "-f",
            str(script),
            bare,
        ]

        def yardstick() -> float:
            began = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            return count / (time.perf_counter() - began)

        ours = appending(house, count)
        return [compare("append_postgresql_32", "events/s", yardstick, ours, Aim("at least", 1.0), scale.rounds)]


def append_on_sqlite(scale: Scale) -> list[Line]:
    """The same against one sqlite3 commit for each event, as durable."""
    count = scale.pick(4000, 500)
    bare = sqlite3.connect(scale.folder / "bare.db", isolation_level=None)
    bare.execute("PRAGMA journal_mode=WAL")
    bare.execute("PRAGMA synchronous=FULL")
    bare.execute("CREATE TABLE e (id integer PRIMARY KEY, payload text NOT NULL)")

    def yardstick() -> float:
        began = time.perf_counter()
        for _ in range(count):
            bare.execute("INSERT INTO e (payload) VALUES (?)", ("x" * 300,))
        return count / (time.perf_counter() - began)

    with opened_house(f"sqlite:///{scale.folder / 'forewarn.db'}") as house:
        ours = appending(house, count)
        return [compare("append_sqlite_32", "events/s", yardstick, ours, Aim("at least", 3.0), scale.rounds)]


def imports(scale: Scale) -> list[Line]:
    """Submissions in batches, checked and projected, against COPY of payloads of their size."""
    count = scale.pick(6000, 600)
    with postgresql(scale.folder) as server, opened_house(new_database(server)) as house:
        bare = new_database(server)
        sent = 0

        def ours() -> float:
            nonlocal sent
            jobs = [submission(house, number) for number in range(sent, sent + count)]
            sent += count
            began = time.perf_counter()
            all_recorded(house.try_all(jobs))
            return count / (time.perf_counter() - began)

        ours()
        line = compare("import_postgresql", "records/s", lambda: _copied_in(bare, count), ours, None, scale.rounds)
        return [line]


def replay(scale: Scale) -> list[Line]:
    """Every event read in order, decoded and folded into the windows, against COPY of the same rows out."""
    count = scale.pick(20_000, 2000)
    with postgresql(scale.folder) as server:
        url = new_database(server)
        with opened_house(url) as house:
            for first in range(0, count, 2000):
                jobs = [submission(house, number) for number in range(first, first + min(2000, count - first))]
                all_recorded(house.try_all(jobs))
            with house.database.read() as connection:
                total = len(connection.execute(select(events.c.sequence)).all())

            def yardstick() -> float:
                began = time.perf_counter()
                everything = "COPY (SELECT * FROM events ORDER BY organisation, sequence) TO STDOUT"
                with psycopg.connect(url) as connection, connection.cursor().copy(everything) as rows:
                    for _ in rows:
                        pass
                return total / (time.perf_counter() - began)

            def ours() -> float:
                began = time.perf_counter()
                rebuild(house, "default", "windows")
                return total / (time.perf_counter() - began)

            line = compare("replay_windows_postgresql", "events/s", yardstick, ours, Aim("at least", 0.5), scale.rounds)
            return [line]


def windows(scale: Scale) -> list[Line]:
    """One key's fortnight among many rows, against the same among few: it must not matter how many there are."""
    few, many = scale.pick(100_000, 10_000), scale.pick(10_000_000, 200_000)
    with (
        postgresql(scale.folder) as server,
        opened_house(new_database(server)) as small,
        opened_house(new_database(server)) as large,
    ):
        for house, rows in ((small, few), (large, many)):
            _fill_windows(house, rows)
        line = compare(
            f"window_query_{many}_against_{few}_rows",
            "queries/s",
            lambda: _asked(small, few),
            lambda: _asked(large, many),
            Aim("at least", 1 / 1.3),
            scale.rounds,
        )
        return [line]


def appending(house: House, count: int, kind: type[Head] = Head) -> Callable[[], float]:
    """What the writer does with 32 commands that wait together, less the rules: lock, append, write, commit."""
    hot = house.batches.dialect

    def ours() -> float:
        began = time.perf_counter()
        for _ in range(0, count, TOGETHER):
            with house.database.write() as connection:
                (row,), _, _ = hot.begin_batch(connection, ["default"], 0, NOTHING)
                head = kind(row)
                appended: list[Any] = []
                for _ in range(TOGETHER):
                    draft = Draft(f"organisation/{uuid4()}", 0, [EVENT])
                    appended += head.append(Cause(str(uuid4()), KEY.name), [draft], to_micros(NOON))
                changes = Changes(inserts={events: [told.envelope for told in appended]})
                hot.write(connection, changes, [head.values()], commit=True)
        return count / (time.perf_counter() - began)

    return ours


def submission(house: House, number: int) -> Submit:
    """The job of one of the benchmarks' submissions."""
    with house.database.read() as connection:
        pepper = house.vault.pepper(connection, "default")
    return job_of("default", KEY, pepper, document(number, NOON), NOON, None)


def all_recorded(answers: list[Answer | Exception]) -> None:
    """Raise what refused any of them."""
    for one in answers:
        if isinstance(one, Exception):
            raise one


def _copied_in(url: str, count: int) -> float:
    payload = "x" * 1200
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS e (id bigserial PRIMARY KEY, payload text NOT NULL)")
        began = time.perf_counter()
        with connection.cursor().copy("COPY e (payload) FROM STDIN") as rows:
            for _ in range(count):
                rows.write_row((payload,))
        return count / (time.perf_counter() - began)


KEYS = 1000
WEEK = 7 * 86_400_000_000


def _fill_windows(house: House, rows: int) -> None:
    """A thousand keys, their records spread so that a fortnight of one key holds about three."""
    step = 14 * 86_400_000_000 // 3
    with house.database.write() as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        driver.execute(
            """
            INSERT INTO window_entries
            SELECT 'default', 'similar', '["service-' || n %% %(keys)s || '"]', %(for_ever)s, n / %(keys)s * %(step)s,
                   'nm_' || n, n, n, 1, false, 1, NULL, 'medication'
            FROM generate_series(0, %(rows)s - 1) AS n
            """,
            {"keys": KEYS, "for_ever": FOR_EVER, "step": step, "rows": rows},
        )
    with house.database.write() as connection:
        connection.exec_driver_sql("ANALYZE window_entries")


def _asked(house: House, rows: int) -> float:
    queries = 400
    middle = rows // KEYS // 2 * (14 * 86_400_000_000 // 3)
    with house.database.write() as connection:
        began = time.perf_counter()
        for number in range(queries):
            one = Range("default", "similar", f'["service-{number * 7 % KEYS}"]', middle - 2 * WEEK, middle + 2 * WEEK)
            told = house.batches.dialect.prefetch(connection, Ask(ranges=[one]))
            assert len(told.entries) in {5, 6, 7}
        return queries / (time.perf_counter() - began)
