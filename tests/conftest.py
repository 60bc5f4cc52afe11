"""A fresh database for every test that asks for one, on SQLite and on PostgreSQL.

`database_url` and `empty_database_url` run their test once per database; `sqlite_url`, `postgresql_url` and
their empty kind name one. The migrated ones are copies of a template that is migrated once per process.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from tests import postgres, rounds, statements

DATABASES = ["sqlite", "postgresql"]

# Two busy cores make a slow example, not a wrong one.
# Explaining a failure takes minutes where examples are costly; a shrunk one says enough.
PHASES = [phase for phase in hypothesis.Phase if phase is not hypothesis.Phase.explain]
hypothesis.settings.register_profile("forewarn", deadline=None, phases=PHASES)
hypothesis.settings.load_profile("forewarn")

statements.share()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[postgres.Server]:
    """The PostgreSQL of this test process; without one its tests are skipped, and fail in CI."""
    try:
        with postgres.running_server() as server:
            yield server
    except postgres.Unavailable as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The SQLite file that every migrated one is a copy of."""
    from app.database.migrate import upgrade

    file = tmp_path_factory.mktemp("template") / "forewarn.db"
    upgrade(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def migrated_postgresql(postgresql: postgres.Server) -> Iterator[postgres.Copies]:
    """The PostgreSQL databases that are copies of a migrated one."""
    from app.database.migrate import upgrade

    template = postgresql.create()
    upgrade(template)
    copies = postgres.Copies(postgresql, template)
    yield copies
    copies.close()
    postgresql.drop(template)


@pytest.fixture
def sqlite_url(migrated_sqlite: Path, tmp_path: Path) -> str:
    """A migrated SQLite database of the test's own."""
    return f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path)}"


@pytest.fixture
def postgresql_url(migrated_postgresql: postgres.Copies) -> Iterator[str]:
    """A migrated PostgreSQL database of the test's own."""
    url = migrated_postgresql.lend()
    yield url
    migrated_postgresql.take_back(url)


@pytest.fixture
def empty_sqlite_url(tmp_path: Path) -> str:
    """A SQLite file that is not there yet."""
    return f"sqlite:///{tmp_path / 'empty.db'}"


@pytest.fixture
def empty_postgresql_url(postgresql: postgres.Server) -> Iterator[str]:
    """A PostgreSQL database without a table."""
    url = postgresql.create()
    yield url
    postgresql.drop(url)


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest) -> str:
    """A migrated database of the test's own, on each of the two in turn."""
    return request.getfixturevalue(f"{request.param}_url")


@pytest.fixture(params=DATABASES)
def empty_database_url(request: pytest.FixtureRequest) -> str:
    """A database without a table, on each of the two in turn."""
    return request.getfixturevalue(f"empty_{request.param}_url")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones first, so that at the end no process waits for the other's longest story."""
    items.sort(key=lambda item: item.get_closest_marker("soak") is None)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how often tests repeated themselves, and loudly when a database was missing."""
    terminalreporter.write_line(f"FOREWARN_ROUNDS: no test repeated itself more than {rounds.LIMIT} times.")
    missing = [
        report
        for report in terminalreporter.stats.get("skipped", [])
        if "PostgreSQL is not available" in str(report.longrepr)
    ]
    if missing:
        terminalreporter.section("POSTGRESQL WAS NOT TESTED", red=True)
        terminalreporter.write_line(
            f"{len(missing)} tests did not run for want of a PostgreSQL. Name one in FOREWARN_TEST_POSTGRES_URL."
        )
