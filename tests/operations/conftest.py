"""A ledger with a year's story, lived once for each kind of database and process: whoever wants one has a copy."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from tests import postgres
from tests.conftest import DATABASES
from tests.office import Clock, Office, opened
from tests.operations.tampering import Told, a_story


@dataclass(frozen=True, slots=True)
class Lived:
    """What was told, until when, and as many databases as one likes in which it was."""

    told: Told
    end: datetime
    copy: Callable[[], AbstractContextManager[str]]

    @contextmanager
    def opened(self) -> Iterator[Office]:
        """An office of one's own that goes on from there."""
        with self.copy() as url, opened(url, Clock(self.end)) as office:
            yield office


@pytest.fixture(scope="session")
def lived_sqlite(migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Lived:
    file = Path(shutil.copy(migrated_sqlite, tmp_path_factory.mktemp("lived")))

    @contextmanager
    def copy() -> Iterator[str]:
        yield f"sqlite:///{shutil.copy(file, tmp_path_factory.mktemp('copy'))}"

    with opened(f"sqlite:///{file}") as office:
        told = a_story(office)
    return Lived(told, office.clock(), copy)


@pytest.fixture(scope="session")
def lived_postgresql(postgresql: postgres.Server, migrated_postgresql: postgres.Copies) -> Iterator[Lived]:
    template = migrated_postgresql.lend()

    @contextmanager
    def copy() -> Iterator[str]:
        url = postgresql.create(template)
        yield url
        postgresql.drop(url)

    with opened(template) as office:
        told = a_story(office)
    yield Lived(told, office.clock(), copy)
    migrated_postgresql.take_back(template)


@pytest.fixture(params=DATABASES)
def lived(request: pytest.FixtureRequest) -> Lived:
    """On each of the two in turn."""
    return request.getfixturevalue(f"lived_{request.param}")
