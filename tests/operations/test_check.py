"""`check` says nothing of a database that is as it was stored, whatever its story, and for all else what to do."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from sqlalchemy import Connection, text

from app.clock import system_clock
from app.events.envelope import sealed_with_leaf
from app.events.sealing import MasterKey
from app.operations.checking import Asked, CouldNotLook, Report, check, look
from app.operations.finding import Finding
from app.operations.tick import tick
from tests.conftest import DATABASES
from tests.office import Office, opened
from tests.operations.conftest import Lived
from tests.operations.tampering import (
    agree,
    follow_all,
    new_database,
    note_of,
    take_checkpoint,
    undone,
    unguarded,
    write,
)
from tests.operations.test_ladder_walk import now_and_then
from tests.operations.walking import Walk
from tests.rounds import rounds

WALKS = rounds(200, few=3)
LOOKS = rounds(3, few=2)


def checked(office: Office, **asked: object) -> Report:
    return check(office.house.database, office.house.master, Asked(**asked))  # pyright: ignore[reportArgumentType]


@pytest.mark.soak
def test_nothing_is_found_whatever_people_did(database_url: str) -> None:
    with opened(database_url) as office:
        walk = Walk(office, 11, now_and_then(11))
        walk.begin()
        for round_ in range(WALKS):
            walk.chance.seed(round_)
            for _ in range(6):
                walk.step()
            if round_ % 3 == 0:
                take_checkpoint(office.house)

            report = checked(office, notes=(note_of(office.house),))

            assert report.findings == [], f"round {round_}"
            assert report.organisations[0]["as_of_sequence"] == len(office.ledger())


def test_an_empty_database_and_one_without_a_story_are_sound(database_url: str) -> None:
    with opened(database_url) as office:
        office.house.open_organisation("willow", "Willow group")

        report = checked(office)

        assert report.document()["sound"] is True
        assert [one["organisation"] for one in report.organisations] == ["default", "willow"]


def test_one_organisation_is_checked_by_itself(database_url: str) -> None:
    with opened(database_url) as office:
        office.house.open_organisation("willow", "Willow group")

        report = checked(office, organisation="willow")

        assert [one["organisation"] for one in report.organisations] == ["willow"]
        with pytest.raises(CouldNotLook, match="no such organisation"):
            checked(office, organisation="elsewhere")


def test_the_service_goes_on_beside_a_check_and_its_state_is_one(lived: Lived) -> None:
    with lived.opened() as office:
        stop, told = threading.Event(), list[int]()

        def report() -> None:
            while not stop.is_set():
                office.submit(service_id="ash-court")
                told.append(1)
                tick(office.house, "worker", system_clock())

        reporting = threading.Thread(target=report)
        reporting.start()
        try:
            reports = [checked(office) for _ in range(LOOKS)]
        finally:
            stop.set()
            reporting.join()

        assert [one.findings for one in reports] == [[]] * LOOKS
        assert told, "Nobody could report meanwhile."


def test_a_check_leaves_nothing_behind(lived: Lived) -> None:
    with lived.opened() as office:
        before = everything(office)

        checked(office)

        assert everything(office) == before


def everything(office: Office) -> dict[str, int]:
    from app.database.tables import metadata

    with office.house.database.read() as connection:
        return {
            table.name: connection.execute(text(f"SELECT count(*) FROM {table.name}")).scalar_one()
            for table in metadata.sorted_tables
        }


@dataclass
class Scene:
    office: Office
    connection: Connection

    def found(self, *, quick: bool = False) -> list[Finding]:
        return look(self.connection, self.office.house.master, Asked(quick=quick)).findings

    def say(self, statement: str) -> None:
        self.connection.execute(text(statement))


@pytest.fixture(scope="module", params=DATABASES)
def staged(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with new_database(request, tmp_path_factory) as url, opened(url) as office:
        office.do(office.registration("willow-house"))
        office.submit(idempotency_key="once", actor=office.person("manager-2"))
        follow_all(office)
        take_checkpoint(office.house)
        with office.house.database.aside() as connection:
            yield Scene(office, connection)


@pytest.fixture
def scene(staged: Scene) -> Iterator[Scene]:
    with undone(staged.connection):
        yield staged


BESIDE = {
    "UPDATE commands SET last_sequence = first_sequence - 1": "command",
    "UPDATE commands SET first_sequence = 1": "command",
    "UPDATE commands SET last_sequence = 1000": "ahead",
    "UPDATE followers SET position = 1000 WHERE name = 'heatmap'": "ahead",
    "UPDATE followers SET position = 1 WHERE name = 'heatmap'": "projection",
    "DELETE FROM followers WHERE name = 'notices'": None,
    "UPDATE data_keys SET key_id = 'k_' || substr(key_id, 4)": "key",
    "UPDATE organisations SET pepper = substr(pepper, 2)": "key",
    "UPDATE organisations SET name = 'another'": "organisation",
    "DELETE FROM subjects": "subject",
    "UPDATE subjects SET token = 'x' || token": "subject",
    "UPDATE signing_keys SET public_key = substr(public_key, 2)": "key",
    "UPDATE api_keys SET scopes = 'admin near-misses:write'": "api_key",
    "UPDATE api_keys SET revoked_at = 1": "api_key",
    "UPDATE api_keys SET key_id = 'another'": "api_key",
    "DELETE FROM api_keys": "api_key",
    "UPDATE ledgers SET recorded_at = recorded_at + 1": "head",
    "UPDATE ledgers SET configured_at = configured_at + 1": "head",
    "UPDATE ledgers SET position = position - 1": "event",
    "UPDATE services SET organisation = 'nobody'": "stray",
    "UPDATE ledgers SET organisation = 'nobody'": "stray",
    "UPDATE alembic_version SET version_num = '0001'": "schema",
}


def test_nothing_is_found_before_anybody_touched_it(scene: Scene) -> None:
    assert scene.found() == []


@pytest.mark.parametrize("statement", BESIDE)
def test_what_stands_beside_the_ledger_is_looked_at_too(scene: Scene, statement: str) -> None:
    kind = BESIDE[statement]
    scene.say(statement)

    found = scene.found(quick=kind not in {None, "projection"})  # What needs no replay is found without one.

    assert {one.kind for one in found} >= ({kind} if kind else set()), found
    assert all(one.to_do and one.detail for one in found)
    if kind is None:
        assert found == []


def test_triggers_that_let_events_be_changed_are_a_finding(scene: Scene) -> None:
    with unguarded(scene.connection):
        assert {one.kind for one in scene.found(quick=True)} == {"triggers"}

    assert scene.found(quick=True) == []


def test_an_erased_person_is_no_finding(scene: Scene) -> None:
    scene.say("DELETE FROM data_keys")

    report = look(scene.connection, scene.office.house.master, Asked())

    assert report.findings == []
    assert report.organisations[0]["erased_keys"] > 0


def test_another_master_key_finds_nothing_wrong_with_the_keys(scene: Scene) -> None:
    with pytest.raises(CouldNotLook, match="FOREWARN_MASTER_KEY"):
        look(scene.connection, MasterKey(bytes(32)), Asked())


def test_an_event_of_a_newer_release_asks_for_the_newer_release(scene: Scene) -> None:
    ledger = scene.office.ledger()
    with unguarded(scene.connection):
        newer = sealed_with_leaf(ledger[-1]._replace(schema_version=9))
        write(scene.connection, newer, newer.sequence)
        agree(scene.connection)

    found = scene.found()

    assert [one.kind for one in found] == ["newer"]
    assert found[0].sequence == newer.sequence
    assert "Update forewarn" in found[0].to_do
