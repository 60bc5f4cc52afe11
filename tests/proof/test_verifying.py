"""`forewarn verify`: what it says, how it ends, and that it needs nothing but the file."""

import json
import os
import random
import subprocess
import sys
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from app.cli.ending import EXCEPTIONS, NOT_INTACT, UNUSABLE, WELL
from app.cli.verifying import verify_pack
from tests.proof.packs import (
    OURS,
    THEIRS,
    Recipe,
    a_ledger,
    encoded,
    flipped,
    of_service,
    packed_anew,
    resealed,
    unpacked,
)
from tests.service import ROOT

COMMAND = typer.Typer()
COMMAND.command()(verify_pack)


def run(data: bytes, folder: Path, *options: str) -> Result:
    path = folder / "pack.zip"
    path.write_bytes(data)
    return CliRunner().invoke(COMMAND, [str(path), *options])


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    path = tmp_path / "keys.json"
    keys = [{"key_id": "x", "algorithm": "Ed25519", "public_key": encoded(key.public)} for key in (THEIRS, OURS)]
    path.write_text(json.dumps({"keys": keys}))
    return path


def test_an_intact_pack_is_told_in_sentences(tmp_path: Path, keys_file: Path) -> None:
    scoped = Recipe(holds=of_service("ash-court"), services=("ash-court", "willow-house"), previous=7)

    done = run(scoped.written(), tmp_path, "--keys-file", str(keys_file))

    assert done.exit_code == WELL
    assert "INTACT" in done.stdout
    assert "a key that you trust" in done.stdout
    assert f"Events: 19 of {len(a_ledger())}; 6 are left out" in done.stdout
    assert "Every crossing of a threshold led to a review in time: not yet confirmed (" in done.stdout
    assert "Reading events" in done.stderr


@pytest.mark.parametrize("retired_at", ["soon", 3, True])
def test_a_keys_file_that_does_not_say_when_a_key_was_retired_is_refused(retired_at: object, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"keys": [{"public_key": encoded(OURS.public), "retired_at": retired_at}]}))

    assert run(Recipe().written(), tmp_path, "--keys-file", str(path)).exit_code == UNUSABLE


def test_a_pack_of_all_services_that_leaves_out_something_of_its_period_is_not_taken_for_whole(tmp_path: Path) -> None:
    hidden = [one for one in a_ledger() if one.kind in ("escalation", "review", "action")]
    outs = {one.stream for one in hidden}
    last = Recipe(holds=lambda one: one.sequence < len(a_ledger()))

    for recipe, count in ((Recipe(holds=lambda one: one.stream not in outs), len(hidden)), (last, 1)):
        done = run(recipe.written(), tmp_path, "--json")
        said = run(recipe.written(), tmp_path)

        assert (done.exit_code, json.loads(done.stdout)["verdict"]) == (EXCEPTIONS, "exceptions")
        assert json.loads(done.stdout)["facts"]["events"]["left_out_in_period"] == count
        assert "NOT WHOLE" in said.stdout


def test_what_a_pack_of_some_services_leaves_undecided_is_told_as_such(tmp_path: Path) -> None:
    done = run(Recipe(services=("willow-house",)).written(), tmp_path)

    assert "Governance weighed every escalation, on records: not decided here (" in done.stdout
    assert "only the whole ledger can tell" in done.stdout
    assert "NOT WHOLE" not in done.stdout


def test_without_a_trusted_key_the_reader_is_told_to_compare_it(tmp_path: Path) -> None:
    done = run(Recipe().written(), tmp_path)

    assert done.exit_code == WELL
    assert "compare it with /.well-known/forewarn-keys.json" in done.stdout


def test_exceptions_are_named_and_have_an_exit_code_of_their_own(tmp_path: Path) -> None:
    suppressed = resealed(one for one in a_ledger() if one.kind not in ("escalation", "review", "action"))

    done = run(Recipe(suppressed).written(), tmp_path)

    assert done.exit_code == EXCEPTIONS
    assert "NOT confirmed" in done.stdout
    assert "- review_missing: nm_" in done.stdout
    assert "(the threshold was crossed and there is no review)" in done.stdout


def test_a_pack_that_is_not_intact_is_told_with_the_place(tmp_path: Path) -> None:
    parts = Recipe().parts()
    lines = parts.members["ledger.jsonl"].splitlines(keepends=True)
    dropped = {**unpacked(parts.written()), "ledger.jsonl": b"".join(lines[:8] + lines[9:])}

    done = run(packed_anew(dropped), tmp_path)

    assert done.exit_code == NOT_INTACT
    assert "NOT INTACT" in done.stdout
    assert "Event 9 is missing" in done.stdout
    assert "Where: member ledger.jsonl, line 9, sequence 9." in done.stdout


def test_the_verdict_is_there_as_json(tmp_path: Path) -> None:
    said: list[dict[str, Any]] = []
    for data in (Recipe().written(), Recipe(key=THEIRS).written(), b"no zip"):
        done = run(data, tmp_path, "--json", "--key", encoded(OURS.public))
        said.append(json.loads(done.stdout))

    assert [one["verdict"] for one in said] == ["intact", "not_intact", "unusable"]
    assert [one.get("problem", {}).get("code") for one in said] == [None, "untrusted-key", "no-zip"]
    assert said[0]["facts"]["validations"][0]["id"] == "repeated_near_misses_escalated"


def test_checkpoints_are_read_as_notes_or_as_the_service_answers_them(tmp_path: Path) -> None:
    recipe = Recipe()
    notes, answer = tmp_path / "notes.txt", tmp_path / "checkpoint.json"
    notes.write_text(recipe.note(5) + "\n" + recipe.note(9))
    answer.write_text(json.dumps({"signed_note": recipe.note(12)}))

    done = run(recipe.written(), tmp_path, "--json", "--checkpoint", str(notes), "--checkpoint", str(answer))

    assert [(one["size"], one["held"]) for one in json.loads(done.stdout)["facts"]["earlier"]] == [
        (5, True),
        (9, True),
        (12, True),
    ]


def test_options_that_cannot_be_used_are_said_and_nothing_is_verified(tmp_path: Path) -> None:
    garbage, empty, deep = tmp_path / "garbage", tmp_path / "empty.json", tmp_path / "deep.json"
    garbage.write_bytes(b"\xff\xfe")
    empty.write_text('{"keys": []}')
    deep.write_text("[" * 100_000)
    for options in (
        ("--key", "AAAA"),
        ("--key", "!"),
        ("--keys-file", str(garbage)),
        ("--keys-file", str(empty)),
        ("--keys-file", str(deep)),
        ("--keys-file", str(tmp_path / "nothing")),
        ("--checkpoint", str(garbage)),
        ("--checkpoint", str(tmp_path)),
        ("--surf",),
    ):
        done = run(Recipe().written(), tmp_path, *options)

        assert (done.exit_code, done.stdout) == (UNUSABLE, ""), options
        assert done.stderr


def test_a_checkpoint_that_cannot_be_decided_is_not_taken_for_well(tmp_path: Path) -> None:
    note = tmp_path / "note.txt"
    note.write_text(Recipe().note(20))

    done = run(Recipe(a_ledger()[:16]).written(), tmp_path, "--checkpoint", str(note))

    assert done.exit_code == EXCEPTIONS
    assert "It cannot be decided" in done.stdout


PROGRAM = """
import sys

touched = []

def listen(event, arguments):
    if event.startswith("socket.") or event == "subprocess.Popen":
        touched.append(event)
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        touched.append(str(arguments))
    if event == "sqlite3.connect" and arguments[0] not in ("", ":memory:"):
        touched.append(str(arguments))

sys.addaudithook(listen)
from app.cli import main
try:
    main()
finally:
    assert not touched, touched
    assert not {"sqlalchemy", "fastapi", "app.settings", "app.operations", "app.database"} & set(sys.modules)
"""


def test_it_needs_no_setting_no_database_no_network_and_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "pack.zip"
    path.write_bytes(Recipe().written())
    broken = {"FOREWARN_DATABASE_URL": "nonsense", "FOREWARN_MASTER_KEY": "?", "FOREWARN_ENVIRONMENT": "?"}

    done = subprocess.run(
        [sys.executable, "-B", "-c", PROGRAM, "verify", str(path), "--key", b64encode(OURS.public).decode()],
        cwd=tmp_path,
        env={**os.environ, **broken, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout[:6]) == (WELL, "INTACT"), done.stderr
    assert [one.name for one in tmp_path.iterdir()] == ["pack.zip"]


def test_a_pack_made_long_after_is_judged_as_of_then_and_not_as_of_today(tmp_path: Path) -> None:
    done = run(Recipe(made_after=60).written(), tmp_path, "--json")

    facts = json.loads(done.stdout)["facts"]
    assert done.exit_code == EXCEPTIONS
    assert facts["validations"][1]["exceptions"][0]["reason"] == "not_linked"
    assert facts["as_known_then"][1]["exceptions_total"] == 0


def test_a_flipped_bit_ends_with_another_code(tmp_path: Path) -> None:
    assert run(flipped(Recipe().written(), random.Random(1)), tmp_path).exit_code in (NOT_INTACT, UNUSABLE)


def test_one_of_something_is_not_said_as_several(tmp_path: Path) -> None:
    done = run(Recipe(holds=lambda one: one.sequence != len(a_ledger())).written(), tmp_path)

    assert "; 1 is left out, proven to exist by hashes alone." in done.stdout
    assert "1 exceptions" not in done.stdout


def test_a_key_that_was_retired_signs_nothing_that_was_made_after(tmp_path: Path) -> None:
    codes: list[int] = []
    for retired_at in ("2099-01-01T00:00:00.000000Z", "2020-01-01T00:00:00.000000Z"):
        path = tmp_path / "keys.json"
        path.write_text(json.dumps({"keys": [{"public_key": encoded(OURS.public), "retired_at": retired_at}]}))
        done = run(Recipe().written(), tmp_path, "--keys-file", str(path))
        codes.append(done.exit_code)

    assert codes == [WELL, NOT_INTACT]
    assert "was retired before that" in done.stdout
