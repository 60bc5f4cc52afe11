"""The ledger's head is signed from time to time, when something happened; what is signed is what was there."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from app.domain.decider import NotFound
from app.events.envelope import Envelope
from app.operations import checkpoints
from app.operations.attending import Attendant
from app.operations.checkpoint_watch import CheckpointWatch
from app.operations.checkpoints import STREAM, checkpoint_of, taking
from app.operations.signing_keys import known_keys, rotate, signing_key
from app.proof.note import Checkpoint, read_note
from tests.office import Office, opened
from tests.operations.sending import Post
from tests.operations.witnessing import fill
from tests.proof.rfc9162 import Tree
from tests.receivers import Receiver

ORIGIN = "forewarn/organisations/default"


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with opened(database_url, checkpoint_every="PT1H", webhook_allow_networks="127.0.0.0/8") as office:
        yield office


def attend(office: Office) -> None:
    """As a worker that has just begun, and remembers nothing."""
    Attendant(office.house).attend()


def taken(office: Office) -> list[Envelope]:
    return [one for one in office.ledger() if one.stream == STREAM]


def said(envelope: Envelope) -> dict[str, Any]:
    return json.loads(envelope.payload)


def read(office: Office, note: str) -> Checkpoint:
    with office.house.database.read() as connection:
        return read_note(note, known_keys(connection))


def asked_for(office: Office, size: int | None = None) -> dict[str, Any]:
    with office.house.database.read() as connection:
        return checkpoint_of(office.house, connection, office.organisation, size)


# From time to time


def test_a_ledger_is_signed_as_its_event_finds_it(office: Office) -> None:
    office.submit()
    leaves = [one.leaf for one in office.ledger()]

    attend(office)

    (event,) = taken(office)
    assert (event.sequence, event.version, event.actor) == (len(leaves) + 1, 1, "system/forewarn")
    root = Tree(leaves).mth(0, len(leaves))
    assert read(office, said(event)["signed_note"]) == Checkpoint(ORIGIN, len(leaves), root)
    assert said(event)["size"] == len(leaves)
    assert base64.b64decode(said(event)["root"]) == root
    assert said(event)["key_id"] == signing_key(office.house).key_id


def test_it_is_signed_again_once_an_hour_has_passed_and_something_came(office: Office) -> None:
    attend(office)
    office.submit()
    office.clock.go_on(minutes=59, seconds=59)
    attend(office)
    assert len(taken(office)) == 1

    office.clock.go_on(seconds=1)
    attend(office)
    attend(office)

    first, second = taken(office)
    assert said(second)["size"] == second.sequence - 1
    assert second.recorded_at - first.recorded_at == 3_600_000_000


def test_a_ledger_in_which_nothing_happens_is_not_signed_again(office: Office) -> None:
    attend(office)
    for _ in range(5):
        office.clock.go_on(days=1)
        attend(office)

    assert len(taken(office)) == 1


def test_one_attendant_goes_on_from_what_it_has_seen(office: Office) -> None:
    attendant = Attendant(office.house)
    for _ in range(3):
        office.submit()
        attendant.attend()
        attendant.attend()
        office.clock.go_on(hours=1)

    assert [said(one)["size"] for one in taken(office)] == [one.sequence - 1 for one in taken(office)]
    assert len(taken(office)) == 3


def test_a_clock_that_was_set_back_signs_nothing_twice(office: Office) -> None:
    attend(office)
    office.submit()
    office.clock.go_on(days=-2)

    attend(office)

    assert len(taken(office)) == 1


def test_two_workers_that_see_the_same_sign_once(office: Office) -> None:
    office.submit()
    first, second = CheckpointWatch(office.house).look(), CheckpointWatch(office.house).look()

    answers = office.house.try_all([*first, *second])

    assert len(answers) == 2
    assert not [one for one in answers if isinstance(one, Exception)]
    assert len(taken(office)) == 1


def test_a_worker_that_died_before_it_heard_the_answer_signs_nothing_anew(office: Office) -> None:
    (command,) = CheckpointWatch(office.house).look()
    office.house.ask(command)
    ledger = office.ledger()

    office.house.ask(command)
    attend(office)

    assert office.ledger() == ledger


def test_what_came_in_the_same_transaction_is_signed_too(office: Office) -> None:
    every = office.house.settings.checkpoint_interval
    assert every is not None
    command = taking(office.house, office.organisation, signing_key(office.house), every, 0)

    office.house.try_all([*(office.submission() for _ in range(20)), command])

    (event,) = taken(office)
    assert said(event)["size"] == event.sequence - 1
    root = Tree([one.leaf for one in office.ledger()]).mth(0, event.sequence - 1)
    assert read(office, said(event)["signed_note"]).root == root


def test_each_organisation_is_signed_for_itself(office: Office) -> None:
    office.house.open_organisation("other", "Other")
    attend(office)

    other = Office(office.house, office.clock, "other")
    (mine,), (its,) = taken(office), taken(other)
    assert read(office, said(its)["signed_note"]).origin == "forewarn/organisations/other"
    assert read(office, said(mine)["signed_note"]).origin == ORIGIN


def test_after_a_rotation_the_new_key_signs_and_the_old_signature_still_verifies(office: Office) -> None:
    attend(office)
    key = rotate(office.house)
    office.submit()
    office.clock.go_on(hours=1)

    attend(office)

    first, second = taken(office)
    assert said(first)["key_id"] != said(second)["key_id"] == key.key_id
    assert [read(office, said(one)["signed_note"]).size for one in (first, second)] == [
        one.sequence - 1 for one in (first, second)
    ]


def test_nobody_signs_where_it_is_switched_off(database_url: str) -> None:
    with opened(database_url, checkpoint_every="off") as office:
        office.submit()
        attend(office)

        assert taken(office) == []


def test_how_often_is_a_setting(database_url: str) -> None:
    with opened(database_url, checkpoint_every="P1D") as office:
        attend(office)
        office.submit()
        office.clock.go_on(hours=23)
        attend(office)
        assert len(taken(office)) == 1

        office.clock.go_on(hours=1)
        attend(office)

        assert len(taken(office)) == 2


# On demand


def test_a_checkpoint_on_demand_is_of_the_ledger_as_it_is_and_writes_nothing(office: Office) -> None:
    ledger = office.ledger()

    document = asked_for(office)

    assert office.ledger() == ledger
    assert document["origin"] == ORIGIN
    assert read(office, document["signed_note"]) == Checkpoint(ORIGIN, len(ledger), office.root())
    assert (document["size"], base64.b64decode(document["root"])) == (len(ledger), office.root())


def test_a_checkpoint_of_a_former_size_is_the_one_of_then(office: Office) -> None:
    tree = Tree(fill(office, 300))
    for size in (1, 64, 100, 299, 300):
        assert read(office, asked_for(office, size)["signed_note"]) == Checkpoint(ORIGIN, size, tree.mth(0, size))


def test_what_is_beyond_the_ledger_is_not_signed(office: Office) -> None:
    for size in (len(office.ledger()) + 1, -1):
        with pytest.raises(LookupError, match=f"The ledger has {len(office.ledger())} events"):
            asked_for(office, size)


def test_an_organisation_that_does_not_exist_has_no_checkpoint(office: Office) -> None:
    with office.house.database.read() as connection, pytest.raises(NotFound):
        checkpoint_of(office.house, connection, "nobody")


def test_the_ledgers_name_and_an_odd_organisations_are_in_the_note(database_url: str) -> None:
    with opened(database_url, ledger_name="ledger.care.example/forewarn") as office:
        office.house.open_organisation("St Anne's + friends", "St Anne's")

        with office.house.database.read() as connection:
            note = checkpoint_of(office.house, connection, "St Anne's + friends")["signed_note"]

        assert read(office, note).origin == "ledger.care.example/forewarn/organisations/St%20Anne%27s%20%2B%20friends"


# Told


def test_a_witness_is_sent_what_was_signed(office: Office) -> None:
    post = Post(office)
    with Receiver() as receiver:
        post.register(receiver, "ledger.checkpoint")
        post.deliverer.start()
        attend(office)

        (request,) = receiver.wait_for(lambda requests: len(requests) == 1)
        post.deliverer.stop()

    message = json.loads(request.body)
    (event,) = taken(office)
    assert message["type"] == "ledger.checkpoint"
    assert message["data"] == {
        "checkpoint": {"origin": ORIGIN, **said(event)},
        "sequence": event.sequence,
        "links": {"self": f"/v1/ledger/checkpoint?size={said(event)['size']}"},
    }
    assert read(office, message["data"]["checkpoint"]["signed_note"]).size == event.sequence - 1


def test_a_recorded_checkpoint_is_shown_with_its_place(office: Office) -> None:
    attend(office)

    (event,) = taken(office)

    assert checkpoints.show(event) == {
        "origin": ORIGIN,
        **said(event),
        "sequence": event.sequence,
        "recorded_at": "2026-03-02T10:00:00.000000Z",
    }
