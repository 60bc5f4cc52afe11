"""Who kept a checkpoint outside is heeded: a ledger that is not what it says is not served, and the others are."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import text

from app.operations.attending import Attendant
from app.operations.checkpoints import checkpoint_of
from app.operations.expected import expected, hold_back
from app.operations.house import CannotStart, House
from app.operations.job import Unavailable
from app.operations.signing_keys import rotate
from app.operations.tick import claim
from app.settings import Settings
from tests.office import Office, opened
from tests.operations.test_audit import NOW
from tests.operations.witnessing import tamper
from tests.service import MASTER_KEY


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with opened(database_url, checkpoint_every="PT1H") as office:
        office.house.open_organisation("other", "Other")
        for _ in range(5):
            office.submit()
        yield office


def witnessed(office: Office, organisation: str = "default", size: int | None = None) -> str:
    with office.house.database.read() as connection:
        return checkpoint_of(office.house, connection, organisation, size)["signed_note"]


def started(office: Office, path: Path, **settings: Any) -> House:
    """Another process of the same database, told what to expect."""
    url = office.house.settings.database_url
    asked: dict[str, Any] = {"master_key": MASTER_KEY, "checkpoint_every": "PT1H", **settings}
    house = House(Settings(database_url=url, expected_checkpoints=path, **asked), office.clock)
    try:
        hold_back(house)
    finally:
        house.close()
    return house


def in_a_file(tmp_path: Path, *notes: str) -> Path:
    path = tmp_path / "witnessed.txt"
    path.write_text("\n".join(notes), encoding="utf-8")
    return path


def why_not(office: Office, path: Path) -> str:
    with pytest.raises(CannotStart) as refused:
        started(office, path)
    return str(refused.value)


def test_a_ledger_that_went_on_since_is_served(office: Office, tmp_path: Path) -> None:
    notes = [witnessed(office), witnessed(office, "other")]
    rotate(office.house)
    office.submit()
    notes.append(witnessed(office))
    office.submit()

    assert started(office, in_a_file(tmp_path, *notes)).withheld == {}


def test_a_ledger_that_was_cut_short_is_withheld_and_the_other_served(office: Office, tmp_path: Path) -> None:
    path = in_a_file(tmp_path, witnessed(office), witnessed(office, "other"))
    size = len(office.ledger())
    tamper(office.house, "DELETE FROM events WHERE organisation = 'default' AND sequence > 4")
    tamper(office.house, "UPDATE ledgers SET position = 4 WHERE organisation = 'default'")

    withheld = started(office, path).withheld

    assert withheld.keys() == {"default"}
    assert withheld["default"].startswith(f"The ledger has 4 events, and a witnessed checkpoint was signed at {size}.")
    assert "restored" in withheld["default"]


def test_a_ledger_whose_head_alone_remembers_what_was_cut_off_is_withheld(office: Office, tmp_path: Path) -> None:
    path = in_a_file(tmp_path, witnessed(office))
    tamper(office.house, "DELETE FROM events WHERE organisation = 'default' AND sequence > 4")

    assert "has lost events after 4" in started(office, path).withheld["default"]


def test_a_ledger_with_a_hole_is_withheld(office: Office, tmp_path: Path) -> None:
    path = in_a_file(tmp_path, witnessed(office))
    tamper(office.house, "DELETE FROM events WHERE organisation = 'default' AND sequence = 3")

    assert "has lost events" in started(office, path).withheld["default"]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE events SET payload = replace(payload, 'near_miss', 'near_hit') WHERE type = 'near_miss.recorded'",
        "UPDATE events SET recorded_at = recorded_at - 1 WHERE sequence = 5",
        "UPDATE events SET actor = 'key/nobody' WHERE sequence = 2",
    ],
    ids=["what was said", "when", "by whom"],
)
def test_an_event_that_was_rewritten_is_found_though_its_leaf_stands(
    change: str, office: Office, tmp_path: Path
) -> None:
    path = in_a_file(tmp_path, witnessed(office))
    tamper(office.house, change)

    assert "not those that a witnessed checkpoint was signed for" in started(office, path).withheld["default"]


def test_a_rewritten_event_with_its_leaf_and_the_ledgers_root_made_anew_is_found(
    office: Office, tmp_path: Path
) -> None:
    """Whoever owns the database can make all of it fit, but for what was signed and kept elsewhere."""
    path = in_a_file(tmp_path, witnessed(office), witnessed(office, "other"))
    make_it_fit(office)

    assert started(office, path).withheld.keys() == {"default"}


def make_it_fit(office: Office) -> None:
    from app.events.envelope import sealed_with_leaf
    from app.events.merkle import Frontier

    tamper(office.house, "UPDATE events SET actor = 'key/nobody' WHERE organisation = 'default' AND sequence = 2")
    leaves = [sealed_with_leaf(one).leaf for one in office.ledger()]
    for sequence, leaf in enumerate(leaves, 1):
        change = "UPDATE events SET leaf = :leaf WHERE organisation = 'default' AND sequence = :sequence"
        tamper(office.house, change, leaf=leaf, sequence=sequence)
    tree = Frontier().extend(leaves)
    change = "UPDATE ledgers SET root = :root, frontier = :frontier WHERE organisation = 'default'"
    tamper(office.house, change, root=tree.root(), frontier=tree.to_bytes())


def test_what_came_after_the_last_checkpoint_is_not_vouched_for_by_it(office: Office, tmp_path: Path) -> None:
    path = in_a_file(tmp_path, witnessed(office, size=4))
    tamper(office.house, "UPDATE events SET actor = 'key/nobody' WHERE organisation = 'default' AND sequence = 5")

    assert started(office, path).withheld == {}


def test_two_checkpoints_of_one_size_that_differ_cannot_both_be_met(office: Office, tmp_path: Path) -> None:
    before = witnessed(office)
    make_it_fit(office)

    assert started(office, in_a_file(tmp_path, witnessed(office))).withheld == {}
    assert started(office, in_a_file(tmp_path, witnessed(office), before)).withheld.keys() == {"default"}


def test_notes_of_a_directory_are_all_heeded(office: Office, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "2026-03-01.txt").write_text(witnessed(office, size=3))
    (kept / "2026-03-02.txt").write_text(witnessed(office) + witnessed(office, "other"))
    (kept / ".gitignore").write_text("*.tmp")

    settings = Settings(
        database_url=office.house.settings.database_url, master_key=MASTER_KEY, expected_checkpoints=kept
    )

    with closing(House(settings)) as house:
        read = expected(house)

    assert {organisation: [one.size for one in its] for organisation, its in read.items()} == {
        "default": [3, len(office.ledger())],
        "other": [2],
    }


# Where nothing starts


def test_an_emptied_database_does_not_start(office: Office, tmp_path: Path) -> None:
    path = in_a_file(tmp_path, witnessed(office))
    for table in ("events", "ledgers", "organisations", "signing_keys"):
        tamper(office.house, f"DELETE FROM {table}")

    assert "there is no such ledger here" in why_not(office, path)


def test_a_note_of_an_organisation_that_is_not_here_starts_nothing(office: Office, tmp_path: Path) -> None:
    path = in_a_file(tmp_path, witnessed(office, "other"))
    tamper(office.house, "DELETE FROM ledgers WHERE organisation = 'other'")

    assert "forewarn/organisations/other, and there is no such ledger here" in why_not(office, path)


def test_a_note_that_nobody_here_signed_starts_nothing(office: Office, tmp_path: Path) -> None:
    path = in_a_file(tmp_path, witnessed(office))
    tamper(office.house, "DELETE FROM signing_keys")

    assert "None of the known keys signed the note" in why_not(office, path)


def test_a_ledger_by_another_name_starts_nothing(office: Office, tmp_path: Path) -> None:
    path = in_a_file(tmp_path, witnessed(office))

    with pytest.raises(CannotStart, match="set FOREWARN_LEDGER_NAME as it was"):
        started(office, path, ledger_name="renamed")


@pytest.mark.parametrize("content", [b"", b"\n\n", b"see the other file\n", b"\xff\xfe", b"a\n1\nAA==\n\n- a b\n"])
def test_a_file_without_a_note_starts_nothing(content: bytes, office: Office, tmp_path: Path) -> None:
    path = tmp_path / "witnessed.txt"
    path.write_bytes(content)

    assert str(path) in why_not(office, path)


def test_an_empty_directory_starts_nothing(office: Office, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()

    assert "no signed note" in why_not(office, kept)


def test_a_file_that_is_not_there_is_a_setting_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="there is none of that name"):
        Settings(expected_checkpoints=tmp_path / "gone")


# What is withheld


def test_nothing_is_written_for_an_organisation_that_is_withheld_and_its_timers_rest(office: Office) -> None:
    office.clock.go_on(days=7)
    ledger = office.ledger()
    assert claim(office.house, "worker", NOW, most=1)
    office.house.withheld["default"] = "Compare it with what the witness holds."

    (answer,) = office.house.try_all([office.submission()])
    Attendant(office.house).attend()

    assert isinstance(answer, Unavailable)
    assert answer.detail == "Compare it with what the witness holds."
    assert claim(office.house, "another", NOW) == []
    assert office.ledger() == ledger
    with office.house.database.read() as connection:
        told = text("SELECT count(*) FROM events WHERE organisation = 'other' AND type = 'ledger.checkpointed'")
        assert connection.execute(told).scalar() == 1
