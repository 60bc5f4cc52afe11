"""What is owed to whom: a message is there if its event is, and only where it was wanted when that happened.

Takes a quarter of a minute, on both databases.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from app.domain.webhook import TEST
from app.operations import endpoints
from app.operations.follow import lagging, step
from app.projections.deliveries import WEBHOOK_TYPES, delivery_id_of
from tests.office import Office, opened
from tests.operations.hearing import (
    assert_thin,
    bodies,
    body,
    hold,
    owed,
    register,
    statuses,
    tell,
    three,
    ticked,
    types,
)
from tests.operations.walking import Walk


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with opened(database_url) as office:
        yield office


# A message is owed if its event is in the ledger


def test_a_crossing_is_told_event_by_event_in_the_order_of_the_ledger(office: Office) -> None:
    endpoint_id = register(office)

    three(office)
    office.submit()

    assert types(office, endpoint_id) == [
        "near_miss.recorded",
        "near_miss.recorded",
        "near_miss.recorded",
        "escalation.raised",
        "near_miss.recorded",
        "escalation.member_added",
    ]
    assert set(statuses(office, endpoint_id)) == {"pending"}


def test_an_endpoint_is_owed_nothing_that_happened_before_it_was_registered(office: Office) -> None:
    first = register(office)
    three(office)

    second = register(office)
    office.submit()

    assert types(office, second) == ["near_miss.recorded", "escalation.member_added"]
    assert types(office, first)[-2:] == types(office, second)


def test_what_happened_is_owed_as_it_was_wanted_then(office: Office) -> None:
    endpoint_id = register(office, "near_miss.recorded")
    office.submit()
    tell(office, endpoint_id, lambda cause, it: endpoints.change(cause, it, {"event_types": ["review.closed"]}))
    office.submit()

    # The follower comes late: what it finds is the same as if it had come at once.
    assert types(office, endpoint_id) == ["near_miss.recorded"]


def test_the_id_of_a_message_hangs_on_its_event_and_its_endpoint(office: Office) -> None:
    first, second = register(office), register(office)
    office.submit()

    rows = owed(office)

    (recorded,) = (one for one in office.ledger() if one.type == "near_miss.recorded")
    assert {one.delivery_id for one in rows} == {delivery_id_of(recorded.event_id, one) for one in (first, second)}
    assert len(rows) == 2


def test_a_follower_that_was_stopped_between_owes_nothing_twice_and_forgets_nothing(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint_id = register(office)
    three(office)
    house = office.house

    def stopped(*_: object) -> str:
        raise RuntimeError

    monkeypatch.setattr("app.projections.deliveries.delivery_id_of", stopped)
    with pytest.raises(RuntimeError):
        step(house.database, house.batches.dialect, house.configurations, "default", "deliveries")
    monkeypatch.undo()

    assert len(owed(office, endpoint_id)) == 4
    assert len(owed(office, endpoint_id)) == 4


def test_an_organisation_without_endpoints_costs_nothing(office: Office) -> None:
    three(office)

    with office.house.database.read() as connection:
        assert [one for one in lagging(connection) if one[1] == "deliveries"] == []

    assert owed(office) == []
    register(office)
    with office.house.database.read() as connection:
        assert [one for one in lagging(connection) if one[1] == "deliveries"] == []
    office.submit()
    with office.house.database.read() as connection:
        assert [one[1] for one in lagging(connection)].count("deliveries") == 1


def test_history_is_told_to_nobody(office: Office) -> None:
    endpoint_id = register(office)

    for _ in range(3):
        office.submit(as_history=True, intake=True, occurred_at="2025-06-01T09:00:00Z")

    assert [one["status"] for one in office.escalations()] == ["historical"]
    assert types(office, endpoint_id) == []


def test_a_random_month_owes_each_endpoint_exactly_what_happened_since(office: Office) -> None:
    def settle(walk: Walk, pause: timedelta) -> None:
        walk.office.clock.now += pause
        ticked(walk.office)

    walk = Walk(office, 7, settle)
    walk.begin()
    first = register(office)
    for _ in range(40):
        walk.step()
    second = register(office)
    for _ in range(30):
        walk.step()

    ledger = office.ledger()
    began = {one.subject: one.sequence for one in ledger if one.type == "endpoint.registered"}
    for endpoint_id in (first, second):
        expected = [one for one in ledger if one.type in WEBHOOK_TYPES and one.sequence > began[endpoint_id]]
        rows = owed(office, endpoint_id)
        assert len(rows) > 30
        assert [(one.sequence, one.type) for one in rows] == [
            (one.sequence, WEBHOOK_TYPES[one.type]) for one in expected
        ]
        assert [one.created_at for one in rows] == [one.recorded_at for one in expected]
    of = owed(office, first)
    assert {one.type for one in of} >= {"escalation.level_entered", "review.overdue", "action.overdue"}
    assert {one.urgent for one in of if one.type.startswith("escalation.") or one.type.endswith(".overdue")} == {True}
    for one in of:
        assert_thin(body(office, one))


# Who wants it


def test_an_endpoint_of_a_service_hears_of_that_service_alone(office: Office) -> None:
    willow = register(office, services=("willow-house",))
    anybody = register(office)

    office.submit()
    office.submit(service_id="elm-house")

    assert [one["data"]["service_id"] for one in bodies(office, willow)] == ["willow-house"]
    assert [one["data"]["service_id"] for one in bodies(office, anybody)] == ["willow-house", "elm-house"]


def test_an_endpoint_of_a_role_hears_what_tells_that_role_and_what_tells_nobody_in_particular(office: Office) -> None:
    deputy = register(office, "escalation.raised", "escalation.level_entered", "near_miss.recorded", roles=("deputy",))
    three(office)

    office.clock.go_on(days=1)
    ticked(office)

    assert types(office, deputy) == [*["near_miss.recorded"] * 3, "escalation.level_entered"]


def test_a_test_is_owed_to_the_endpoint_that_was_asked_for_alone_whatever_it_wants(office: Office) -> None:
    asked, other = register(office, "review.closed"), register(office)

    tell(office, asked, endpoints.send_test)

    assert (types(office, asked), types(office, other)) == ([TEST], [])


def test_that_an_endpoint_is_held_or_about_to_be_is_told_to_the_others(office: Office) -> None:
    failing, other = register(office), register(office)
    now = office.clock()

    def degrade(desk: Any, cause: Any) -> None:
        endpoints.degrade(desk, cause, failing, now, now + timedelta(hours=38))

    office.do(office.command(degrade))
    hold(office, failing)

    assert types(office, failing) == []
    warned, held = bodies(office, other)
    assert (warned["type"], warned["data"]["endpoint_id"], warned["data"]["status"]) == (
        "endpoint.degraded",
        failing,
        "degraded",
    )
    assert (held["type"], held["data"]["why"], held["data"]["links"]) == (
        "endpoint.held",
        "gone",
        {"self": f"/v1/webhook-endpoints/{failing}"},
    )
