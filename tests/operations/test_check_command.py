"""`forewarn check` as it is typed: sentences or one document, and an exit code that scripts can rely on."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from app.cli.commands import cli
from tests.office import opened
from tests.service import MASTER_KEY


@pytest.fixture
def file(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FOREWARN_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("FOREWARN_MASTER_KEY", MASTER_KEY)
    with opened(sqlite_url) as office:
        office.submit()
        office.follow()
    return Path(sqlite_url.removeprefix("sqlite:///"))


def typed(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["check", *arguments])


def said(file: Path, statement: str) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(statement)


def test_a_sound_database_is_told_in_a_sentence_with_its_root(file: Path) -> None:
    told = typed()

    assert told.exit_code == 0
    assert "Everything is as it was stored." in told.stdout
    assert "default: 3 events, root " in told.stdout


def test_a_finding_says_what_to_do_and_the_exit_code_is_one(file: Path) -> None:
    said(file, "DELETE FROM near_misses")

    told = typed()

    assert told.exit_code == 1
    assert "1 missing (near_misses" in told.stdout
    assert "forewarn rebuild register --organisation default" in told.stdout


def test_a_script_reads_one_document(file: Path) -> None:
    said(file, "DROP TRIGGER events_no_delete")

    told = typed("--json", "--quick", "--organisation", "default")

    document = json.loads(told.stdout)
    assert told.exit_code == 1
    assert document["sound"] is False
    assert [one["kind"] for one in document["findings"]] == ["triggers"]
    assert document["organisations"][0]["as_of_sequence"] == 3


def test_a_file_that_is_no_database_is_a_finding_without_a_traceback(file: Path) -> None:
    file.write_bytes(b"It was a database once." * 500)

    told = typed()

    assert told.exit_code == 1
    assert "file is not a database" in told.stdout


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("FOREWARN_DATABASE_URL", "sqlite:///nowhere/forewarn.db", "There is no database"),
        ("FOREWARN_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing", "cannot be read"),
        ("FOREWARN_MASTER_KEY", "A" * 43 + "=", "not the key that this database was made with"),
        ("FOREWARN_MASTER_KEY", "short", "FOREWARN_MASTER_KEY must hold"),
        ("FOREWARN_MASTER_KEY", None, "There is no master key"),
        ("FOREWARN_EXPECTED_CHECKPOINTS", "nowhere", "there is none of that name"),
    ],
)
def test_what_cannot_be_looked_at_is_no_finding(
    file: Path, variable: str, value: str | None, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sorted(one.name for one in file.parent.iterdir())
    monkeypatch.setenv(variable, value) if value else monkeypatch.delenv(variable)

    told = typed()

    assert told.exit_code == 2
    assert sentence in told.stderr
    assert "Traceback" not in told.output
    assert sorted(one.name for one in file.parent.iterdir()) == before


def test_an_organisation_that_is_not_there_cannot_be_looked_at(file: Path) -> None:
    assert typed("--organisation", "nobody").exit_code == 2
