"""What a witness kept binds every command that opens the house, not the service alone."""

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from app.cli.commands import cli
from app.operations.checkpoints import checkpoint_of
from tests.office import opened
from tests.service import MASTER_KEY

PERIOD = ("--from", "2026-02-20", "--to", "2026-03-20")


@pytest.fixture
def file(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FOREWARN_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("FOREWARN_MASTER_KEY", MASTER_KEY)
    with opened(sqlite_url) as office:
        office.house.open_organisation("other", "Other")
        office.submit()
        office.follow()
        with office.house.database.read() as connection:
            note = checkpoint_of(office.house, connection, "default")["signed_note"]
    file = Path(sqlite_url.removeprefix("sqlite:///"))
    (file.parent / "witnessed.txt").write_text(note)
    return file


@pytest.fixture
def cut(file: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A database from before the note that the witness keeps, and a start that knows of it."""
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("DROP TRIGGER events_no_delete")
        connection.execute("DELETE FROM events WHERE organisation = 'default' AND sequence > 2")
        connection.execute("UPDATE ledgers SET position = 2 WHERE organisation = 'default'")
    monkeypatch.setenv("FOREWARN_EXPECTED_CHECKPOINTS", str(file.parent / "witnessed.txt"))
    return file


def typed(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


def events(file: Path) -> int:
    with closing(sqlite3.connect(file)) as connection:
        return int(connection.execute("SELECT count(*) FROM events").fetchone()[0])


COMMANDS: Sequence[Sequence[str]] = [
    ("checkpoint",),
    ("evidence-pack", *PERIOD, "--output", "pack.zip"),
    ("import", "rows.jsonl"),
    ("audit",),
    ("keys", "create", "--scopes", "near-misses:read"),
    ("keys", "list"),
    ("organisations", "create", "New"),
    ("organisations", "list"),
    ("signing-keys", "list"),
    ("signing-keys", "rotate"),
    ("rebuild", "register"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_on_a_ledger_that_is_not_what_was_witnessed_is_refused(
    command: Sequence[str], cut: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.jsonl").write_text("{}\n")
    before = events(cut)

    told = typed(*command)

    assert told.exit_code == 1
    assert "The ledger has 2 events, and a witnessed checkpoint was signed at" in str(told.exception)
    assert told.stdout == ""
    assert events(cut) == before


def test_a_command_about_another_organisation_goes_on(cut: Path) -> None:
    told = typed("checkpoint", "--organisation", "other")

    assert told.exit_code == 0
    assert told.stdout.startswith("forewarn/organisations/other\n")


def test_the_check_goes_on_and_reports(cut: Path) -> None:
    told = typed("check", "--json", "--quick")

    assert told.exit_code == 1
    assert not json.loads(told.stdout)["sound"]


def test_on_what_was_witnessed_every_command_goes_on(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOREWARN_EXPECTED_CHECKPOINTS", str(file.parent / "witnessed.txt"))

    assert typed("checkpoint").exit_code == 0
    assert typed("organisations", "list").exit_code == 0


def test_no_pack_is_asked_of_a_damaged_ledger(file: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("DROP TRIGGER events_no_delete")
        connection.execute("DELETE FROM events WHERE organisation = 'default' AND sequence = 3")
    before = events(file)

    told = typed("evidence-pack", *PERIOD, "--output", str(tmp_path / "pack.zip"))

    assert told.exit_code == 1
    assert "Event 3 is missing" in told.stderr
    assert "run `forewarn check`" in told.stderr
    assert "Traceback" not in told.output
    assert events(file) == before
    assert not (tmp_path / "pack.zip").exists()


def test_one_finding_is_one(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("DROP TRIGGER events_no_delete")

    assert "\n1 finding.\n" in typed("check", "--quick").stdout
