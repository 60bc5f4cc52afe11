"""Whatever is changed behind the ledger's back is found, and where it is, on both databases."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

import pytest
from sqlalchemy import Connection, text

from app.database.tables import FOR_EVER
from app.operations.checking import Asked, look
from app.operations.finding import Finding
from app.operations.house import House
from app.operations.replaying import MODULES, Difference, Replay
from tests.conftest import DATABASES
from tests.operations.conftest import Lived
from tests.operations.tampering import (
    CAREFUL,
    PLAIN,
    Change,
    Told,
    agree,
    delete,
    undone,
    unguarded,
)
from tests.rounds import rounds

PLAINLY = rounds(1600, few=14)
CAREFULLY = rounds(800, few=10)
BY_ROW = rounds(1400)


@dataclass
class Scene:
    """A ledger with its story told, on a connection of which nothing stays."""

    house: House
    connection: Connection
    told: Told

    def found(self, *, quick: bool = False) -> list[Finding]:
        asked = Asked(quick=quick, notes=(self.told.note,))
        return look(self.connection, self.house.master, asked).findings


@pytest.fixture(scope="module", params=DATABASES)
def staged(request: pytest.FixtureRequest) -> Iterator[Scene]:
    """One for all tests: nobody leaves anything in it."""
    lived: Lived = request.getfixturevalue(f"lived_{request.param}")
    with lived.opened() as office, office.house.database.aside() as connection:
        yield Scene(office.house, connection, lived.told)


@pytest.fixture
def scene(staged: Scene) -> Iterator[Scene]:
    with undone(staged.connection):
        yield staged


def test_nothing_is_found_where_nothing_was_changed(scene: Scene) -> None:
    assert scene.found() == []


@pytest.mark.soak
def test_an_event_that_was_changed_is_named(scene: Scene) -> None:
    for seed in range(PLAINLY):
        change, place = None, 0
        with undone(scene.connection):
            change, place = done(scene, PLAIN, seed)

            found = [one for one in scene.found(quick=True) if one.kind == "event"]

        assert found, f"seed {seed}: {change.__name__} at {place} was not found"
        assert abs((found[0].sequence or 0) - place) <= 1, f"seed {seed}: {change.__name__} at {place}: {found[0]}"


@pytest.mark.soak
def test_a_ledger_that_was_computed_anew_is_found_within_what_is_known_of_it(scene: Scene) -> None:
    for seed in range(CAREFULLY):
        with undone(scene.connection):
            change, place = done(scene, CAREFUL, seed)

            found = scene.found(quick=True)

        assert found, f"seed {seed}: {change.__name__} at {place} was not found"
        placed = [one for one in found if one.sequence is not None]
        assert all(holds(one, place) for one in placed if one.kind != "ahead"), f"seed {seed}: {place}: {placed}"
        assert placed, f"seed {seed}: {change.__name__} at {place}: {found}"


def done(scene: Scene, changes: Sequence[Change], seed: int) -> tuple[Change, int]:
    """One of the changes, as the seed will have it; and where."""
    chance = Random(seed)
    change = chance.choice(changes)
    with unguarded(scene.connection):
        return change, change(scene.connection, scene.told.events, chance)


def holds(finding: Finding, place: int) -> bool:
    """Whether the finding names a place, or a stretch that it lies in; to within one event."""
    first = finding.sequence or 0
    return first - 1 <= place <= (finding.until or first) + 1


def test_a_tail_that_is_gone_with_all_who_signed_it_is_told_by_whoever_has_come_further(scene: Scene) -> None:
    """No checkpoint is left that counts as many: followers and projections know more than the ledger does."""
    end = len(scene.told.events)
    with unguarded(scene.connection):
        delete(scene.connection, end, end)
        agree(scene.connection)

    found = look(scene.connection, scene.house.master, Asked()).findings

    assert {one.kind for one in found} >= {"ahead"}
    assert {one.sequence for one in found if one.kind == "ahead"} == {end}
    assert not any("rebuild windows" in one.to_do for one in found)


@pytest.mark.soak
def test_every_row_of_a_projection_that_is_not_what_the_ledger_makes_it_is_named(scene: Scene) -> None:
    replay = replayed(scene)
    tables = [table for module in MODULES.values() for table in module.TABLES]
    full = [one for one in tables if scene.connection.execute(one.select().limit(1)).first() is not None]
    assert list(replay.differences()) == []
    for seed in range(max(BY_ROW, len(full))):
        table = full[seed % len(full)]
        with undone(scene.connection):
            meddled = Meddling(scene, table.name, Random(seed))

            found = list(replay.differences())

        assert found, f"seed {seed}: {meddled} was not found"
        assert {(one.table, one.key) for one in found} <= meddled.keys, f"seed {seed}: {meddled}: {found}"


def replayed(scene: Scene) -> Replay:
    """The replay's tables, made once."""
    replay = Replay(scene.connection, scene.house.batches.dialect.write, "default", len(scene.told.events))
    replay.run(lambda _: None)
    return replay


class Meddling:
    """One row of a table changed, dropped or added; `keys`: under which keys that shows."""

    def __init__(self, scene: Scene, name: str, chance: Random) -> None:
        (self.table,) = [one for module in MODULES.values() for one in module.TABLES if one.name == name]
        self._connection = scene.connection
        self._stored = f'"{"main" if scene.connection.dialect.name == "sqlite" else "public"}"."{name}"'
        self._key = [column.name for column in self.table.primary_key.columns]
        rows = self._connection.execute(text(f"SELECT * FROM {self._stored}")).all()
        self._row = dict(chance.choice(rows)._mapping)
        self.what = chance.choice(["changed", "dropped", "added"])
        self.keys = {(name, self._named())}
        getattr(self, f"_{self.what}")(chance)

    def __repr__(self) -> str:
        return f"{self.what} row {self._row} of {self.table.name}"

    def _named(self) -> tuple[object, ...]:
        return tuple(self._row[one] for one in self._key[1:])

    def _changed(self, chance: Random) -> None:
        column = chance.choice(self._guarded())
        self._write(column, another(self._row[column], chance))
        self.keys.add((self.table.name, self._named()))

    def _dropped(self, _chance: Random) -> None:
        self._connection.execute(text(f"DELETE FROM {self._stored} WHERE {self._its()}"), self._row)

    def _added(self, chance: Random) -> None:
        for column in self.table.c:
            if column.name != "organisation" and (column.name in self._key or column.name in self._unique()):
                self._row[column.name] = another(self._row[column.name], chance)
        columns = ", ".join(f":{one}" for one in self._row)
        self._connection.execute(text(f"INSERT INTO {self._stored} VALUES ({columns})"), self._row)
        self.keys = {(self.table.name, self._named())}

    def _write(self, column: str, value: object) -> None:
        self._connection.execute(
            text(f"UPDATE {self._stored} SET {column} = :new_value WHERE {self._its()}"),
            {**self._row, "new_value": value},
        )
        self._row[column] = value

    def _its(self) -> str:
        return " AND ".join(f"{one} = :{one}" for one in self._key)

    def _guarded(self) -> list[str]:
        """How a message fared stands in no event."""
        unheard_of = {"status", "attempts", "begun_after", "due_at"} if self.table.name == "deliveries" else set[str]()
        named = {"organisation", *unheard_of}
        return [one for one in self._row if one not in named and self._row[one] is not None]

    def _unique(self) -> set[str]:
        return {column.name for index in self.table.indexes if index.unique for column in index.columns}


def another(value: object, chance: Random) -> object:
    match value:
        case bool():
            return not value
        case int():
            return value - 1 if value == FOR_EVER else value + chance.randint(1, 1000)
        case bytes():
            return bytes([value[0] ^ 1]) + value[1:]
        case _:
            return f"{value}{chance.choice('abc')}"


def test_a_difference_says_whether_the_row_is_there_and_should_not_be_or_the_other_way_round(scene: Scene) -> None:
    replay = replayed(scene)
    scene.connection.execute(text(f"DELETE FROM {stored(scene, 'services')}"))

    (found,) = replay.differences()

    assert found == Difference("services", "services", ("willow-house",), is_stored=False, sequence=found.sequence)


def stored(scene: Scene, table: str) -> str:
    return f"{'main' if scene.connection.dialect.name == 'sqlite' else 'public'}.{table}"
