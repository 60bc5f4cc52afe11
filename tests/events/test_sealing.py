"""Sealing: what is sealed opens in its own place only, and an installation never has two master keys."""

import hashlib
import hmac
import os
import stat
import subprocess
import sys
from base64 import b64decode, b64encode, urlsafe_b64encode
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.events.sealing import (
    MasterKey,
    SealBroken,
    check_value,
    fingerprint,
    master_key_for,
    new_key,
    open_sealed,
    seal,
    token,
)

DATA_KEY = bytes(range(32))
PEPPER = b"pepper of one organisation......"
NAME = "carer-17, Zoë 👩‍⚕️"


def flipped(data: bytes, position: int) -> bytes:
    return data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]


# Sealed text


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_is_sealed_opens_as_it_was(text: str) -> None:
    key_id, data_key = new_key()

    sealed = seal(data_key, key_id, text, "default")

    assert open_sealed(data_key, key_id, sealed, "default") == text


def test_sealing_the_same_text_twice_shows_no_likeness() -> None:
    first, second = (b64decode(seal(DATA_KEY, "k_1", NAME, "default")) for _ in range(2))

    assert first[:12] != second[:12]
    assert first[12:] != second[12:]


@pytest.mark.parametrize("part", ["nonce", "ciphertext", "tag"])
def test_one_flipped_bit_breaks_the_seal(part: str) -> None:
    data = b64decode(seal(DATA_KEY, "k_1", NAME, "default"))
    position = {"nonce": 0, "ciphertext": 12, "tag": len(data) - 1}[part]

    tampered = b64encode(flipped(data, position)).decode()

    with pytest.raises(SealBroken):
        open_sealed(DATA_KEY, "k_1", tampered, "default")


@pytest.mark.parametrize(
    ("data_key", "key_id", "context"),
    [
        (bytes(32), "k_1", "default"),
        (DATA_KEY, "k_2", "default"),
        (DATA_KEY, "k_1", "elsewhere"),
        (DATA_KEY, "k_", "1default"),
    ],
    ids=["another key", "another key id", "another place", "the same letters, parted differently"],
)
def test_sealed_text_opens_with_its_own_key_in_its_own_place_only(data_key: bytes, key_id: str, context: str) -> None:
    sealed = seal(DATA_KEY, "k_1", NAME, "default")

    with pytest.raises(SealBroken):
        open_sealed(data_key, key_id, sealed, context)


@pytest.mark.parametrize("sealed", ["", "AAAA", "no base64!", "é", b64encode(bytes(27)).decode()])
def test_what_was_never_sealed_does_not_open(sealed: str) -> None:
    with pytest.raises(SealBroken):
        open_sealed(DATA_KEY, "k_1", sealed, "default")


def test_every_new_key_has_an_id_of_26_letters_and_32_bytes_of_its_own() -> None:
    keys = [new_key() for _ in range(1000)]

    assert all(len(key_id) == 28 and key_id.startswith("k_") and len(key) == 32 for key_id, key in keys)
    assert len({key_id for key_id, _ in keys}) == len({key for _, key in keys}) == 1000
    assert {letter for key_id, _ in keys for letter in key_id[2:]} == set("abcdefghijklmnopqrstuvwxyz234567")


# Tokens and fingerprints


@given(
    st.binary(min_size=32, max_size=32),
    st.sampled_from(["staff", "person"]),
    st.text(st.characters(exclude_categories=["Cs"])),
)
def test_a_token_is_the_hmac_of_the_house(pepper: bytes, kind: str, ref: str) -> None:
    mac = hmac.new(pepper, kind.encode() + b"\x00" + ref.encode(), hashlib.sha256).digest()

    assert token(pepper, kind, ref) == urlsafe_b64encode(mac).rstrip(b"=").decode()


def test_a_reference_has_another_token_for_each_kind_and_each_pepper() -> None:
    tokens = {token(pepper, kind, "17") for pepper in (PEPPER, bytes(32)) for kind in ("staff", "person")}

    assert len(tokens) == 4


def test_a_fingerprint_is_no_token_of_the_same_text() -> None:
    tokens = {token(PEPPER, kind, "17") for kind in ("staff", "person", "fingerprint")}

    assert fingerprint(PEPPER, "17") not in tokens
    assert fingerprint(PEPPER, "17") != fingerprint(bytes(32), "17")
    assert fingerprint(PEPPER, "17") == fingerprint(PEPPER, "17")


# The master key


def test_a_wrapped_key_unwraps_for_its_own_organisation_and_id() -> None:
    master = MasterKey(os.urandom(32))

    wrapped = master.wrap(DATA_KEY, "default", "k_1")

    assert len(wrapped) == 60
    assert DATA_KEY not in wrapped
    assert master.unwrap(wrapped, "default", "k_1") == DATA_KEY


@pytest.mark.parametrize(("organisation", "key_id"), [("other", "k_1"), ("default", "k_2")])
def test_a_wrapped_key_does_not_unwrap_under_another_name(organisation: str, key_id: str) -> None:
    master = MasterKey(bytes(32))
    wrapped = master.wrap(DATA_KEY, "default", "k_1")

    with pytest.raises(SealBroken):
        master.unwrap(wrapped, organisation, key_id)


@pytest.mark.parametrize("position", [0, 12, 59])
def test_a_tampered_wrapped_key_does_not_unwrap(position: int) -> None:
    master = MasterKey(bytes(32))
    wrapped = master.wrap(DATA_KEY, "default", "k_1")

    with pytest.raises(SealBroken):
        master.unwrap(flipped(wrapped, position), "default", "k_1")


def test_another_master_key_does_not_unwrap() -> None:
    wrapped = MasterKey(bytes(32)).wrap(DATA_KEY, "default", "k_1")

    with pytest.raises(SealBroken):
        MasterKey(DATA_KEY).unwrap(wrapped, "default", "k_1")


def test_the_check_value_knows_its_key_again_and_no_other() -> None:
    key = os.urandom(32)

    assert check_value(MasterKey(key)) == check_value(MasterKey(key))
    assert check_value(MasterKey(key)) != check_value(MasterKey(flipped(key, 0)))
    assert b64encode(key).decode() not in check_value(MasterKey(key))


@pytest.mark.parametrize("text", ["", "hello", b64encode(bytes(31)).decode(), b64encode(bytes(33)).decode(), "é" * 44])
def test_a_setting_that_is_no_key_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ValueError, match=r"^FOREWARN_MASTER_KEY must hold the base64 of 32 bytes") as refusal:
        MasterKey.from_base64(text)

    assert not text or text not in str(refusal.value)


def test_a_master_key_does_not_show_itself() -> None:
    key = os.urandom(32)

    assert repr(key) not in repr(MasterKey(key))
    assert key.hex() not in repr(MasterKey(key))


# Where the master key is kept


def test_the_setting_is_used_and_no_file_is_made(tmp_path: Path) -> None:
    setting = b64encode(DATA_KEY).decode() + "\n"

    master = master_key_for(setting, "sqlite", tmp_path / "forewarn.db", "production", tmp_path)

    assert check_value(master) == check_value(MasterKey(DATA_KEY))
    assert list(tmp_path.iterdir()) == []


def test_sqlite_keeps_a_private_key_file_beside_the_database(tmp_path: Path) -> None:
    database = tmp_path / "data" / "forewarn.db"
    database.parent.mkdir()

    made = master_key_for(None, "sqlite", database, "production", tmp_path)
    found = master_key_for(None, "sqlite", database, "production", tmp_path)

    assert [file.name for file in database.parent.iterdir()] == ["forewarn.db.key"]
    assert stat.S_IMODE((database.parent / "forewarn.db.key").stat().st_mode) == 0o600
    assert check_value(made) == check_value(found)


def test_a_key_file_holds_what_the_setting_takes(tmp_path: Path) -> None:
    made = master_key_for(None, "sqlite", tmp_path / "forewarn.db", "production", tmp_path)

    written = (tmp_path / "forewarn.db.key").read_text()

    assert check_value(MasterKey.from_base64(written)) == check_value(made)


def test_a_database_in_memory_has_a_fresh_key_each_time(tmp_path: Path) -> None:
    first, second = (master_key_for(None, "sqlite", None, "test", tmp_path) for _ in range(2))

    assert check_value(first) != check_value(second)
    assert list(tmp_path.iterdir()) == []


def test_postgresql_keeps_its_key_in_the_working_directory_in_development(tmp_path: Path) -> None:
    made = master_key_for(None, "postgresql", None, "development", tmp_path)
    found = master_key_for(None, "postgresql", None, "development", tmp_path)

    assert stat.S_IMODE((tmp_path / "forewarn.key").stat().st_mode) == 0o600
    assert check_value(made) == check_value(found)


def test_postgresql_outside_development_wants_the_setting(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Set FOREWARN_MASTER_KEY"):
        master_key_for(None, "postgresql", None, "production", tmp_path)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"hello", b64encode(bytes(16)), b"\xff" * 44])
def test_a_malformed_key_file_is_refused_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    key_file = tmp_path / "forewarn.db.key"
    key_file.write_bytes(content)

    with pytest.raises(ValueError, match=r"master key file .*forewarn\.db\.key must hold the base64 of 32 bytes"):
        master_key_for(None, "sqlite", tmp_path / "forewarn.db", "production", tmp_path)

    assert key_file.read_bytes() == content


@pytest.mark.parametrize("obstacle", ["directory", "dangling link"])
def test_a_key_file_that_cannot_be_read_is_refused_and_not_replaced(tmp_path: Path, obstacle: str) -> None:
    key_file = tmp_path / "forewarn.db.key"
    if obstacle == "directory":
        key_file.mkdir()
    else:
        key_file.symlink_to(tmp_path / "unmounted" / "secret")

    with pytest.raises(ValueError, match=r"forewarn\.db\.key cannot be read"):
        master_key_for(None, "sqlite", tmp_path / "forewarn.db", "production", tmp_path)

    assert list(tmp_path.iterdir()) == [key_file]


def test_a_directory_that_takes_no_key_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"No master key file can be made at .*forewarn\.db\.key"):
        master_key_for(None, "sqlite", tmp_path / "missing" / "forewarn.db", "production", tmp_path)


START = """
import sys
from pathlib import Path
from app.events.sealing import check_value, master_key_for

print("ready", flush=True)
for place in sys.stdin.readline().split():
    print(check_value(master_key_for(None, "sqlite", Path(place), "production", Path(place).parent)))
"""


def test_processes_that_start_at_once_agree_on_one_key(tmp_path: Path) -> None:
    places = [str(tmp_path / f"{number}.db") for number in range(100)]
    processes = [
        subprocess.Popen([sys.executable, "-c", START], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"

    for process in processes:
        assert process.stdin is not None
        process.stdin.write(" ".join(places) + "\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=60)[0].split() for process in processes]

    assert [process.returncode for process in processes] == [0, 0]
    assert len(answers[0]) == len(set(answers[0])) == 100
    assert answers[0] == answers[1]
    assert {file.suffix for file in tmp_path.iterdir()} == {".key"}
