"""What waits for an endpoint while it is held goes on once it is enabled, and what is needed to send is sealed."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from app.database.tables import deliveries
from app.domain.decider import NotFound
from app.domain.endpoint import EndpointHeld
from app.domain.webhook import TYPES
from app.operations import endpoints, signing
from tests.office import Office, opened
from tests.operations.hearing import (
    URL,
    hold,
    owed,
    register,
    status,
    statuses,
    tell,
)


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with opened(database_url) as office:
        yield office


# Held, and sent again


def test_what_an_endpoint_is_owed_while_it_is_held_waits_and_goes_in_its_order_once_it_is_enabled(
    office: Office,
) -> None:
    endpoint_id = register(office)
    office.submit()
    assert statuses(office, endpoint_id) == ["pending"]

    hold(office, endpoint_id)
    office.submit()

    assert statuses(office, endpoint_id) == ["held", "held"]
    office.clock.go_on(hours=5)
    tell(office, endpoint_id, endpoints.enable)
    rows = owed(office, endpoint_id)
    assert [one.status for one in rows] == ["pending", "pending"]
    assert {one.due_at for one in rows} == {int(office.clock().timestamp() * 1_000_000)}
    assert status(office, endpoint_id) == "active"
    office.submit()
    assert statuses(office, endpoint_id)[-2:] == ["pending", "pending"]


def test_enabling_begins_the_schedule_anew_and_keeps_the_count_of_all_tries(office: Office) -> None:
    endpoint_id = register(office)
    office.submit()
    fared(office, endpoint_id, attempts=9, first_tried_at=1, last_status=500)

    hold(office, endpoint_id)
    tell(office, endpoint_id, endpoints.enable)

    (row,) = owed(office, endpoint_id)
    assert (row.attempts, row.begun_after, row.first_tried_at, row.last_status) == (9, 9, None, 500)


def test_recovering_sends_again_what_failed_or_was_held_since_and_nothing_else(office: Office) -> None:
    endpoint_id = register(office)
    office.submit()
    office.clock.go_on(hours=1)
    since = office.clock()
    office.submit()
    office.submit()
    office.submit(deviation="late")
    later = int((since + timedelta(days=1)).timestamp() * 1_000_000)
    ids = [one.delivery_id for one in owed(office, endpoint_id)]
    fared(office, endpoint_id, ids[0], attempts=1, due_at=later)
    fared(office, endpoint_id, ids[1], attempts=1, due_at=later)
    fared(office, endpoint_id, ids[2], attempts=1, status="delivered", done_at=later, due_at=later)

    tell(office, endpoint_id, lambda cause, it: endpoints.recover(cause, it, since))

    now = int(since.timestamp() * 1_000_000)
    by_id = {one.delivery_id: one for one in owed(office, endpoint_id)}
    first, failed, delivered, untried = (by_id[one] for one in ids[:4])
    assert (first.due_at, first.begun_after) == (later, 0)  # It is older.
    assert (failed.due_at, failed.begun_after, failed.status) == (now, 1, "pending")
    assert (delivered.due_at, delivered.status) == (later, "delivered")
    assert (untried.due_at, untried.status) == (now, "pending")


def test_recovering_a_held_endpoint_enables_it_and_lets_what_is_older_wait(office: Office) -> None:
    endpoint_id = register(office)
    office.submit()
    office.clock.go_on(hours=1)
    since = office.clock()
    office.submit()
    owed(office)
    hold(office, endpoint_id)

    tell(office, endpoint_id, lambda cause, it: endpoints.recover(cause, it, since))

    assert statuses(office, endpoint_id) == ["held", "pending"]
    assert status(office, endpoint_id) == "active"


def test_one_message_is_sent_again_with_its_id_however_it_ended(office: Office) -> None:
    endpoint_id = register(office)
    office.submit()
    (row,) = owed(office, endpoint_id)
    fared(office, endpoint_id, attempts=1, status="delivered", done_at=1)

    office.do(office.command(lambda desk, cause: endpoints.replay(desk, cause, row.delivery_id)))

    (again,) = owed(office, endpoint_id)
    assert (again.delivery_id, again.status, again.done_at, again.begun_after) == (row.delivery_id, "pending", None, 1)
    hold(office, endpoint_id)
    with pytest.raises(EndpointHeld):
        office.do(office.command(lambda desk, cause: endpoints.replay(desk, cause, row.delivery_id)))
    with pytest.raises(NotFound):
        office.do(office.command(lambda desk, cause: endpoints.replay(desk, cause, "msg_none")))


def test_what_a_deleted_endpoint_was_owed_stays_to_be_seen_and_it_is_owed_nothing_more(office: Office) -> None:
    endpoint_id = register(office)
    office.submit()

    tell(office, endpoint_id, endpoints.delete)
    office.submit()

    assert statuses(office, endpoint_id) == ["held"]
    with pytest.raises(NotFound):
        tell(office, endpoint_id, endpoints.enable)


def fared(office: Office, endpoint_id: str, delivery_id: str | None = None, **values: Any) -> None:
    """As the sending of messages would have written it down."""
    owed(office)
    its = update(deliveries).where(deliveries.c.endpoint_id == endpoint_id)
    if delivery_id is not None:
        its = its.where(deliveries.c.delivery_id == delivery_id)
    with office.house.database.write() as connection:
        connection.execute(its.values(**values))


# What is needed to send


def test_the_address_and_the_secrets_are_sealed_and_opened_for_the_sending_alone(office: Office) -> None:
    endpoint_id = register(office, description="The managers' rota.")
    given = endpoints.fresh()
    tell(office, endpoint_id, lambda cause, it: endpoints.rotate_secret(cause, it, given))
    house = office.house

    with house.database.read() as connection:
        target = endpoints.target_of(connection, house.vault, "default", endpoint_id)

    assert target.url == URL
    assert [one.valid_until is None for one in target.secrets.symmetric] == [True, False]
    assert target.secrets.symmetric[0].key == signing.symmetric(given.secret)
    for shown in (repr(target), *(one.payload for one in office.ledger())):
        assert not re.search("a-credential-in-the-path|managers|whsec_|whsk_", shown)


def test_a_target_is_opened_anew_only_when_its_endpoint_has_changed(office: Office) -> None:
    endpoint_id = register(office)
    targets = endpoints.Targets(office.house.vault)

    def at_present() -> endpoints.Target:
        with office.house.database.read() as connection:
            return targets.at(connection, "default", endpoint_id)

    first = at_present()
    assert at_present() is first
    changes = {"url": "https://other.example.org/"}
    tell(office, endpoint_id, lambda cause, it: endpoints.change(cause, it, changes))

    assert at_present().url == "https://other.example.org/"


def test_saying_the_same_again_is_no_change(office: Office) -> None:
    endpoint_id = register(office, description="The managers' rota.", services=["willow-house"])
    before = office.types()

    same = {"url": URL, "description": "The managers' rota.", "event_types": list(TYPES), "services": ["willow-house"]}
    tell(office, endpoint_id, lambda cause, it: endpoints.change(cause, it, same))

    assert office.types() == before
