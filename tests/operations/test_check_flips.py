"""A disk that forgets a bit: what a flip in the SQLite file changes is found, and what it does not change is not."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest

from app.database.engine import Database
from app.events.sealing import MasterKey
from app.operations.checking import Asked, CouldNotLook, check
from app.operations.finding import Finding
from app.settings import Settings
from tests.operations.conftest import Lived
from tests.rounds import rounds
from tests.service import MASTER_KEY

FLIPS = rounds(3200, few=10)

UNGUARDED: Mapping[str, frozenset[str]] = {
    "api_keys": frozenset({"prefix", "actor", "created_at", "last_used_at", "revoked_at", "hash"}),
    "commands": frozenset({"fingerprint", "status", "subject", "route", "key_id", "idempotency_key"}),
    "deliveries": frozenset({"status", "attempts", "begun_after", "due_at", "first_tried_at", "done_at"}),
    "organisations": frozenset({"created_at"}),
    "signing_keys": frozenset({"created_at", "retired_at"}),
}
"""What stands in no event and is sealed by nothing (docs/operations.md says so): there a flip may go unseen."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A database as it was closed, its bytes and what they say."""

    bytes: bytes
    content: Mapping[str, list[dict[str, Any]]]
    note: str


@pytest.fixture(scope="module")
def stored(lived_sqlite: Lived) -> Stored:
    with lived_sqlite.copy() as url:
        file = Path(url.removeprefix("sqlite:///"))
        return Stored(file.read_bytes(), content_of(file), lived_sqlite.told.note)


def content_of(file: Path) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table, read without an index; raises `sqlite3.DatabaseError` when it cannot be read."""
    with closing(sqlite3.connect(file)) as connection:
        connection.row_factory = sqlite3.Row
        connection.text_factory = bytes
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()
        names = [one[0].decode(errors="replace") for one in tables]
        return {
            "schema": [_shape(connection, name) for name in names],
            **{name: _rows(connection, name) for name in names},
        }


def _shape(connection: sqlite3.Connection, table: str) -> dict[str, Any]:
    """Columns, keys and indexes: what the words of the schema mean, whatever a constraint or an index goes by."""
    indexes = connection.execute(f"PRAGMA index_list({table})").fetchall()
    return {
        "columns": [tuple(one) for one in connection.execute(f"PRAGMA table_xinfo({table})")],
        "indexes": [
            (
                *tuple(one)[2:],
                *(tuple(part) for part in connection.execute("SELECT * FROM pragma_index_xinfo(?)", [one[1]])),
            )
            for one in indexes
        ],
    }


def _rows(connection: sqlite3.Connection, table: str) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(f"SELECT * FROM {table} NOT INDEXED")]


def found_in(file: Path, note: str) -> list[Finding] | None:
    """What a check says; None when it could not look, which says enough."""
    with closing(Database(Settings(database_url=f"sqlite:///{file}", master_key=MASTER_KEY))) as database:
        try:
            return check(database, MasterKey.from_base64(MASTER_KEY), Asked(notes=(note,))).findings
        except CouldNotLook:
            return None


def flipped(stored: Stored, file: Path, seed: int) -> int:
    """The file with one bit of it another; at which byte."""
    chance = Random(seed)
    at = chance.randrange(len(stored.bytes))
    changed = bytearray(stored.bytes)
    changed[at] ^= 1 << chance.randrange(8)
    for beside in file.parent.glob(f"{file.name}-*"):
        beside.unlink()
    file.write_bytes(changed)
    return at


def changes(stored: Stored, file: Path) -> Iterator[tuple[str, str, int]]:
    """Which columns of which rows are not what they were: table, column, and the place of the row in its table."""
    now = content_of(file)
    for table, rows in stored.content.items():
        if len(now.get(table, [])) != len(rows):
            yield table, "rows", 0
            continue
        for place, (before, after) in enumerate(zip(rows, now[table], strict=True)):
            yield from ((table, name, place) for name, value in before.items() if after.get(name, b"gone") != value)


@pytest.mark.soak
def test_a_bit_that_flipped_is_found_unless_nothing_hangs_on_it(stored: Stored, tmp_path: Path) -> None:
    assert_found = 0
    file = tmp_path / "forewarn.db"
    for seed in range(FLIPS):
        at = flipped(stored, file, seed)

        found = found_in(file, stored.note)

        if found is None or found:
            assert_found += 1
            assert_in_place(stored, file, found or [], seed)
            continue
        told = f"seed {seed}, byte {at}"
        changed = list(changes(stored, file))
        assert all(name in UNGUARDED.get(table, ()) for table, name, _ in changed), f"{told}: {changed[:5]}"
    assert assert_found


def assert_in_place(stored: Stored, file: Path, found: list[Finding], seed: int) -> None:
    """Where one event alone is another one, the first finding about events names it, to within one."""
    named = [one for one in found if one.kind == "event" and one.sequence == one.until]
    try:
        places = {place for table, _, place in changes(stored, file) if table == "events"}
    except sqlite3.DatabaseError:
        return
    if named and len(places) == 1:
        sequence = stored.content["events"][places.pop()]["sequence"]
        assert abs((named[0].sequence or 0) - sequence) <= 1, f"seed {seed}: event {sequence}: {named[0]}"


def test_a_file_that_is_no_database_any_more_is_a_finding(stored: Stored, tmp_path: Path) -> None:
    file = tmp_path / "forewarn.db"
    file.write_bytes(bytes(100) + stored.bytes[100:])

    found = found_in(file, stored.note)

    assert found is not None
    assert [one.kind for one in found] == ["file"]


def test_a_file_that_lost_its_end_is_a_finding(stored: Stored, tmp_path: Path) -> None:
    file = tmp_path / "forewarn.db"
    file.write_bytes(stored.bytes[: len(stored.bytes) // 2 // 4096 * 4096])

    found = found_in(file, stored.note)

    assert found is not None
    assert "file" in {one.kind for one in found}
