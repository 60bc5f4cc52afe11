"""The PostgreSQL databases of the tests: what one test leaves behind, no other finds."""

from collections.abc import Iterator

import psycopg
import pytest

from app.database.migrate import upgrade
from app.database.tables import metadata
from tests.office import opened
from tests.postgres import Copies, Server


@pytest.fixture(scope="module")
def copies(postgresql: Server) -> Iterator[Copies]:
    template = postgresql.create()
    upgrade(template)
    copies = Copies(postgresql, template)
    yield copies
    copies.close()
    postgresql.drop(template)


def test_what_a_test_wrote_is_gone_when_its_database_is_lent_again(copies: Copies) -> None:
    lent = copies.lend()
    with opened(lent) as room:
        for number in range(60):
            room.submit(narrative=f"{number} " * 1000)
    copies.take_back(lent)

    again = copies.lend()

    with psycopg.connect(again) as connection:
        rows = {name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone() for name in metadata.tables}
        kept = connection.execute("SELECT count(*) FROM alembic_version").fetchone()
    assert set(rows.values()) == {(0,)}
    assert kept == (1,)
    with opened(again) as room:
        room.submit()
        with pytest.raises(psycopg.errors.RaiseException), psycopg.connect(again) as connection:
            connection.execute("DELETE FROM events")


def test_whoever_is_still_connected_is_cut_off_and_finds_the_database_no_more(copies: Copies) -> None:
    lent = copies.lend()
    with psycopg.connect(lent, autocommit=True) as left_behind:
        copies.take_back(lent)

        with pytest.raises(psycopg.OperationalError):
            left_behind.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(lent)


@pytest.mark.parametrize(
    "change",
    [
        "DROP INDEX ix_deliveries_status_due_at",
        "ALTER TABLE api_keys ADD COLUMN colour text",
        "DROP TRIGGER events_append_only ON events",
        "UPDATE alembic_version SET version_num = '0001'",
        "DROP TABLE notices",
    ],
)
def test_a_database_that_is_not_like_the_others_any_more_is_lent_to_nobody(copies: Copies, change: str) -> None:
    lent = copies.lend()
    with psycopg.connect(lent, autocommit=True) as connection:
        before = connection.execute("SELECT oid FROM pg_database WHERE datname = current_database()").fetchone()
        connection.execute(change)
    copies.take_back(lent)

    with psycopg.connect(copies.lend()) as connection:
        after = connection.execute("SELECT oid FROM pg_database WHERE datname = current_database()").fetchone()

    assert after != before
