"""The keys that sign for the ledgers: made once, whoever needs one first; rotated, and known for good."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import select, update

from app.database.tables import signing_keys
from app.events.sealing import SealBroken
from app.operations.house import House
from app.operations.signing_keys import known_keys, public_keys, rotate, signing_key
from app.proof.note import key_id_of
from app.settings import Settings
from tests.office import Office, opened
from tests.service import MASTER_KEY


def documents(office: Office) -> list[dict[str, str]]:
    with office.house.database.read() as connection:
        return public_keys(connection)


def test_the_first_need_makes_the_key_and_every_later_one_finds_it(database_url: str) -> None:
    with opened(database_url) as office:
        first = signing_key(office.house)

        second = signing_key(office.house)

        assert (first.key_id, first.public_key) == (second.key_id, second.public_key)
        assert first.key_id == key_id_of(first.public_key)
        Ed25519PublicKey.from_public_bytes(first.public_key).verify(second.sign(b"said"), b"said")
        assert [one["key_id"] for one in documents(office)] == [first.key_id]
        assert "retired_at" not in documents(office)[0]


def test_processes_that_need_it_at_once_go_on_with_the_same_one(database_url: str) -> None:
    with opened(database_url) as office:
        houses = [House(Settings(database_url=database_url, master_key=MASTER_KEY)) for _ in range(4)]
        with ThreadPoolExecutor(4) as pool:
            made = list(pool.map(signing_key, houses))
        for house in houses:
            house.close()

        assert len({one.key_id for one in made}) == 1
        assert len(documents(office)) == 1


def test_after_a_rotation_another_key_signs_and_the_one_before_is_known(database_url: str) -> None:
    with opened(database_url) as office:
        before = signing_key(office.house)
        office.clock.go_on(days=30)

        after = rotate(office.house)

        assert signing_key(office.house).key_id == after.key_id != before.key_id
        retired, current = documents(office)
        assert (retired["key_id"], retired["retired_at"]) == (before.key_id, "2026-04-01T10:00:00.000000Z")
        assert (current["key_id"], current["created_at"]) == (after.key_id, "2026-04-01T10:00:00.000000Z")
        assert "retired_at" not in current
        with office.house.database.read() as connection:
            assert known_keys(connection) == [before.public_key, after.public_key]
        with pytest.raises(InvalidSignature):
            Ed25519PublicKey.from_public_bytes(before.public_key).verify(after.sign(b"said"), b"said")


def test_a_rotation_before_the_first_need_makes_the_first_key(database_url: str) -> None:
    with opened(database_url) as office:
        assert rotate(office.house).key_id == signing_key(office.house).key_id
        assert len(documents(office)) == 1


def test_two_rotations_at_once_leave_one_key_that_signs(database_url: str) -> None:
    with opened(database_url) as office:
        signing_key(office.house)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(rotate, [office.house] * 2))

        assert [one for one in documents(office) if "retired_at" not in one] == documents(office)[-1:]


def test_the_private_key_is_stored_wrapped_and_only_where_it_belongs(database_url: str) -> None:
    with opened(database_url) as office:
        first, second = signing_key(office.house), rotate(office.house)
        row = signing_keys.c
        with office.house.database.write() as connection:
            wrapped = {one[0]: one[1] for one in connection.execute(select(row.key_id, row.wrapped))}
            connection.execute(
                update(signing_keys).where(row.key_id == second.key_id).values(wrapped=wrapped[first.key_id])
            )

        assert {len(bytes(one)) for one in wrapped.values()} == {60}
        with pytest.raises(SealBroken):
            signing_key(office.house)


def test_a_key_tells_its_id_and_nothing_else_of_itself(database_url: str) -> None:
    with opened(database_url) as office:
        key = signing_key(office.house)

        assert repr(key) == f"SigningKey({key.key_id})"
