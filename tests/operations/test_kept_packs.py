"""Nobody's packs crowd out anybody else's; their bytes are kept for a time, then they are let go, and it is told."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from pydantic import ValidationError
from sqlalchemy import delete, insert, text, update

from app.api.pack_pictures import PICTURES
from app.clock import system_clock
from app.database.tables import evidence_pack_pieces
from app.events.store import Cause
from app.operations import evidence_packs as packs
from app.operations.checking import Asked, look
from app.operations.desk import Desk
from app.operations.evidence_jobs import sweep, take
from app.operations.finding import Finding
from app.operations.house import SYSTEM
from app.operations.job import Command
from app.operations.packer import Packer
from app.settings import Settings
from tests.office import Office, opened
from tests.operations.packing import SAID, ask, show
from tests.operations.witnessing import tamper


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with opened(database_url) as office:
        office.submit()
        yield office


def ask_elsewhere(office: Office, organisation: str, pack_id: str) -> None:
    """A pack of another organisation's ledger, which is shorter."""
    with office.house.reader(organisation) as reader:
        period = packs.asked_for(reader, reader.settled(), SAID, office.clock())

    def run(desk: Desk, cause: Cause) -> None:
        packs.ask(desk, cause, pack_id, SAID, period)

    office.house.ask(Command(organisation, str(uuid4()), SYSTEM, pack_id, run, packs.show))


def build(office: Office) -> None:
    assert Packer(office.house, PICTURES).once()


def findings(office: Office, *, quick: bool = False) -> list[Finding]:
    with office.house.database.aside() as connection:
        return look(connection, office.house.master, Asked(quick=quick)).findings


def download(office: Office, pack_id: str = "pack_1") -> dict[str, Any]:
    with office.house.reader(office.organisation) as reader:
        return packs.must_be_there(reader, pack_id)


# Whose turn it is


def test_an_organisation_has_no_more_packs_waiting_than_a_few(office: Office) -> None:
    for n in range(packs.MOST_PENDING):
        ask(office, f"pack_{n}")
    before = office.types()

    with pytest.raises(packs.PacksPending, match="3 evidence packs of this organisation are being built"):
        ask(office, "pack_more")

    assert office.types() == before
    build(office)
    ask(office, "pack_more")


def test_packs_are_built_in_the_order_in_which_they_were_asked_for(office: Office) -> None:
    office.house.open_organisation("other", "Other")
    ask(office, "pack_z")
    office.clock.go_on(minutes=1)
    ask_elsewhere(office, "other", "pack_a")

    taken = take(office.house, "one", system_clock())

    assert taken is not None
    assert taken.pack_id == "pack_z"


def test_whose_pack_was_built_last_lets_the_others_go_first(office: Office) -> None:
    office.house.open_organisation("other", "Other")
    ask(office, "pack_1")
    ask(office, "pack_2")
    office.clock.go_on(minutes=1)
    ask_elsewhere(office, "other", "pack_3")
    worker = Packer(office.house, PICTURES)

    built: list[str] = []
    while worker.once():
        built += [one for one in office.types() if one == "evidence_pack.ready"][len(built) :]
        if len(built) == 1 and show(office, "pack_2")["status"] == "pending":
            with office.house.reader("other") as reader:
                other = packs.show(reader, "pack_3")["status"]

    assert other == "ready"
    assert show(office, "pack_2")["status"] == "ready"


# How long it is kept


def test_the_bytes_of_a_pack_are_let_go_after_their_time_and_it_is_told(office: Office) -> None:
    ask(office)
    build(office)
    office.clock.go_on(days=89)
    sweep(office.house)
    assert download(office)["status"] == "ready"

    office.clock.go_on(days=2)
    sweep(office.house)

    assert office.rows(evidence_pack_pieces) == []
    shown = show(office)
    assert shown["status"] == "ready"
    assert "download" not in shown["links"]
    assert "no longer kept" in shown["progress"]["what"]
    with pytest.raises(packs.PackNotKept, match="ask for another one"):
        download(office)
    assert findings(office) == []


def test_bytes_that_are_kept_for_good_stay(database_url: str) -> None:
    with opened(database_url, evidence_kept="off") as office:
        ask(office)
        build(office)
        office.clock.go_on(days=4000)
        sweep(office.house)

        assert download(office)["status"] == "ready"


def test_nothing_of_an_organisation_that_is_withheld_is_let_go(office: Office) -> None:
    ask(office)
    build(office)
    office.clock.go_on(days=100)
    office.house.withheld["default"] = "Compare it with what the witness holds."

    sweep(office.house)

    assert len(office.rows(evidence_pack_pieces)) == 1


@pytest.mark.parametrize("kept", ["90", "P3M", "PT1S", "never"])
def test_a_time_that_is_none_is_refused(kept: str) -> None:
    with pytest.raises(ValidationError, match="FOREWARN_EVIDENCE_KEPT takes off, or"):
        Settings(evidence_kept=kept)
    assert Settings().evidence_interval == timedelta(days=90)


# What `forewarn check` makes of it


@pytest.mark.parametrize("damage", ["flipped", "shortened", "renumbered", "gone"])
def test_bytes_that_are_not_those_that_were_built_are_found(office: Office, damage: str) -> None:
    ask(office)
    build(office)
    assert findings(office) == []
    ((_, _, _, data),) = office.rows(evidence_pack_pieces)
    changed: dict[str, Any] = {
        "flipped": update(evidence_pack_pieces).values(data=bytes([data[0] ^ 1]) + bytes(data[1:])),
        "shortened": update(evidence_pack_pieces).values(data=bytes(data[:-1])),
        "renumbered": update(evidence_pack_pieces).values(number=1),
        "gone": delete(evidence_pack_pieces),
    }
    with office.house.database.write() as connection:
        connection.execute(changed[damage])

    (found,) = findings(office)

    assert (found.kind, found.name, found.organisation) == ("evidence_pack", "pack_1", "default")
    assert "Ask for another pack" in found.to_do
    assert findings(office, quick=True) == []


def test_pieces_of_a_pack_that_nobody_asked_for_are_found(office: Office) -> None:
    with office.house.database.write() as connection:
        row = {"organisation": "default", "pack_id": "pack_lost", "number": 0, "data": b"left"}
        connection.execute(insert(evidence_pack_pieces), row)

    (found,) = findings(office)

    assert (found.kind, found.name) == ("stray", "evidence_pack_pieces")


def test_what_a_build_has_stored_so_far_is_no_finding(office: Office) -> None:
    ask(office)
    with office.house.database.write() as connection:
        row = {"organisation": "default", "pack_id": "pack_1", "number": 0, "data": b"so far"}
        connection.execute(insert(evidence_pack_pieces), row)

    assert findings(office) == []


# A ledger that is damaged


def test_a_build_that_fails_on_a_damaged_ledger_is_not_tried_again(office: Office) -> None:
    ask(office)
    tamper(office.house, "UPDATE events SET payload = '{' WHERE sequence = 3")

    build(office)

    with office.house.database.read() as connection:
        said = text("SELECT payload FROM events WHERE type = 'evidence_pack.failed'")
        payload = str(connection.execute(said).scalar())
    assert "Event 3 " in payload
    assert "run `forewarn check`" in payload


def test_a_pack_whose_asking_is_lost_from_the_ledger_is_let_be(office: Office) -> None:
    ask(office)
    tamper(office.house, "DELETE FROM events WHERE type = 'evidence_pack.requested'")
    worker = Packer(office.house, PICTURES)

    assert worker.once()

    assert not worker.once()
    assert "evidence_pack.failed" not in office.types()


def test_an_altered_event_is_told_without_consequences_that_are_not_true(office: Office) -> None:
    for _ in range(3):
        office.submit()
    office.follow()
    tamper(office.house, "UPDATE events SET actor = 'key/other' WHERE sequence = 4")

    found = [one for one in findings(office) if one.kind != "triggers"]

    assert [(one.kind, one.sequence) for one in found] == [("event", 4)]


def test_a_ledger_that_did_lose_its_end_is_told_so(office: Office) -> None:
    office.follow()
    tamper(office.house, "DELETE FROM events WHERE sequence > 2")

    assert "ahead" in {one.kind for one in findings(office)}
