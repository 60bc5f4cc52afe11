"""A key that was retired signs nothing more: what it is said to have signed later is refused where a time is known."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from app.domain.moment import to_micros
from app.operations.checking import Asked, look
from app.operations.checkpoints import origin_of
from app.operations.expected import expected
from app.operations.house import CannotStart, House
from app.operations.signing_keys import SigningKey, retired_keys, rotate, signing_key
from app.proof.note import Checkpoint, sign_note
from app.settings import Settings
from tests.office import Office, opened
from tests.service import MASTER_KEY


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with opened(database_url) as office:
        office.submit()
        yield office


def signed(office: Office, key: SigningKey) -> str:
    """The ledger as it is, signed by whoever has the key."""
    with office.house.database.read() as connection:
        head = connection.execute(text("SELECT position, root FROM ledgers")).one()
    checkpoint = Checkpoint(origin_of(office.house, "default"), head.position, bytes(head.root))
    return sign_note(checkpoint, checkpoint.origin, key.sign, key.public_key)


def read(office: Office, folder: Path, *notes: str) -> int:
    """How many checkpoints a start heeds."""
    file = folder / "witnessed.txt"
    file.write_text("\n".join(notes))
    url = office.house.settings.database_url
    house = House(Settings(database_url=url, master_key=MASTER_KEY, expected_checkpoints=file), office.clock)
    try:
        return len(expected(house)["default"])
    finally:
        house.close()


def test_a_key_is_known_with_when_it_was_retired(office: Office) -> None:
    before = signing_key(office.house)
    office.clock.go_on(days=1)
    rotate(office.house)

    with office.house.database.read() as connection:
        assert retired_keys(connection) == {before.public_key: to_micros(office.clock())}


def test_a_key_is_retired_after_everything_that_is_recorded_though_the_clock_went_back(office: Office) -> None:
    before = signing_key(office.house)
    office.clock.go_on(days=1)
    office.submit()
    latest = to_micros(office.clock())
    office.clock.go_on(days=-1)

    rotate(office.house)

    with office.house.database.read() as connection:
        assert retired_keys(connection) == {before.public_key: latest}


def test_a_checkpoint_of_events_after_the_retirement_of_its_key_starts_nothing(office: Office, tmp_path: Path) -> None:
    leaked = signing_key(office.house)
    early = signed(office, leaked)
    rotate(office.house)
    assert read(office, tmp_path, early) == 1
    office.clock.go_on(hours=1)
    office.submit()

    with pytest.raises(CannotStart, match="retired") as refused:
        read(office, tmp_path, early, signed(office, leaked))

    assert leaked.key_id in str(refused.value)
    assert read(office, tmp_path, early, signed(office, signing_key(office.house))) == 2


def test_the_check_finds_it_in_a_note_from_outside(office: Office) -> None:
    leaked = signing_key(office.house)
    early = signed(office, leaked)
    rotate(office.house)
    office.clock.go_on(hours=1)
    office.submit()

    with office.house.database.aside() as connection:
        found = look(connection, office.house.master, Asked(notes=[early, signed(office, leaked)])).findings

    assert [one.kind for one in found] == ["checkpoint"]
    assert leaked.key_id in found[0].detail
    assert "retired" in found[0].detail
