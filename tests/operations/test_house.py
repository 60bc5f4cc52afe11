"""What a process insists on before it serves, and that organisations never meet."""

import base64
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import create_engine, insert, text

from app.database.tables import installation
from app.events.sealing import MasterKey, check_value
from app.operations.configuration import load
from app.operations.house import CannotStart, House
from app.settings import Settings
from tests.office import Clock, opened
from tests.service import MASTER_KEY, ROOT, surroundings

BEGIN = """
from app.cli.serving import bootstrap, migrate, Settings
settings = Settings()
migrate.upgrade(settings.database_url)
bootstrap(settings)
"""
OTHER_KEY = base64.b64encode(b"another master key of 32 bytes!!").decode()


def test_a_process_with_another_master_key_does_not_start(database_url: str) -> None:
    with opened(database_url):
        pass

    with pytest.raises(CannotStart, match="not the key that this database was made with"):
        House(Settings(database_url=database_url, master_key=OTHER_KEY), Clock())


def test_a_process_does_not_start_on_a_database_without_its_schema(empty_database_url: str) -> None:
    with pytest.raises(CannotStart, match="schema"):
        House(Settings(database_url=empty_database_url, master_key=MASTER_KEY), Clock())


def test_a_master_key_that_is_none_is_refused_with_a_sentence(database_url: str) -> None:
    with pytest.raises(CannotStart, match="base64"):
        House(Settings(database_url=database_url, master_key="too short"), Clock())


def test_production_on_postgresql_makes_no_key_of_its_own(postgresql_url: str) -> None:
    with pytest.raises(CannotStart, match="FOREWARN_MASTER_KEY"):
        House(Settings(database_url=postgresql_url, environment="production"), Clock())


def test_sqlite_keeps_its_master_key_beside_the_file_for_its_owner_only(sqlite_url: str) -> None:
    with opened(sqlite_url, master_key=None):
        pass

    path = Path(sqlite_url.removeprefix("sqlite:///") + ".key")
    assert path.stat().st_mode & 0o777 == 0o600
    assert MasterKey.from_base64(path.read_text(encoding="ascii").strip())


def test_an_organisation_is_made_once(database_url: str) -> None:
    with opened(database_url) as office:
        assert office.house.open_organisation("second", "Second") is not None
        assert office.house.open_organisation("second", "Second") is None
        assert office.house.organisations() == ["default", "second"]


def test_organisations_have_ledgers_peppers_and_policies_of_their_own(database_url: str) -> None:
    with opened(database_url) as office:
        office.house.open_organisation("second", "Second")
        second = type(office)(office.house, office.clock, "second")
        office.do(office.adoption({"threshold": 2}))
        for _ in range(2):
            office.submit(person_ref="resident-31")
            second.submit(person_ref="resident-31")

        assert len(office.open_escalations()) == 1
        assert second.open_escalations() == []
        assert [one.sequence for one in second.ledger()] == list(range(1, len(second.ledger()) + 1))
        with office.house.database.read() as connection:
            assert load(connection, "second").policy.version == 1
            peppers = {office.house.vault.pepper(connection, one) for one in ("default", "second")}
        assert len(peppers) == 2


def test_the_configuration_of_then_can_be_read_again(database_url: str) -> None:
    with opened(database_url) as office:
        before = len(office.ledger())
        office.do(office.adoption({"threshold": 2}))
        office.do(office.registration("willow-house", aliases=("WILLOW-01",)))

        with office.house.database.read() as connection:
            then, now = load(connection, "default", before), load(connection, "default")

    assert (then.policy.version, now.policy.version) == (1, 2)
    assert now.service_of("WILLOW-01")[0] == "willow-house"
    assert then.service_of("WILLOW-01")[0] == "WILLOW-01"


def test_two_processes_that_start_at_once_on_an_empty_database_make_one_organisation(
    empty_postgresql_url: str,
) -> None:
    environment = surroundings(empty_postgresql_url, {})
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", BEGIN], cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(2)
    ]

    ended = [(process.communicate(timeout=60)[1], process.returncode) for process in processes]

    assert ended == [(b"", 0), (b"", 0)]
    with opened(empty_postgresql_url) as office:
        assert office.house.organisations() == ["default"]
        assert office.types()[:2] == ["organisation.opened", "organisation.key_created"]


def test_a_process_that_starts_while_another_one_begins_waits_for_it(postgresql_url: str) -> None:
    settings = Settings(database_url=postgresql_url, master_key=MASTER_KEY)
    started: list[House | CannotStart] = []

    def start() -> None:
        try:
            started.append(House(settings))
        except CannotStart as refusal:
            started.append(refusal)

    first = create_engine(settings.url)
    waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    with (
        first.connect() as beginning,
        first.connect() as watching,
        watching.execution_options(isolation_level="AUTOCOMMIT"),
    ):
        mine = check_value(MasterKey.from_base64(MASTER_KEY))
        beginning.execute(insert(installation).values(name="master_key", value=mine))
        starting = threading.Thread(target=start)
        starting.start()
        while watching.execute(waiting).scalar_one() == 0:
            assert starting.is_alive()
        beginning.commit()
        starting.join()
    first.dispose()

    (house,) = started
    assert isinstance(house, House)
    house.close()
