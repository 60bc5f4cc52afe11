"""What a message says: ids, codes and instants of what happened, never a name or a word of anybody."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from app.operations import climbing
from app.projections.deliveries import WEBHOOK_TYPES
from tests.office import Office, opened
from tests.operations.hearing import Owed, assert_thin, bodies, body, owed, register, three, ticked
from tests.operations.test_demo import told as demo_told
from tests.operations.test_quiet import declared
from tests.operations.undertakings import agreed


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with opened(database_url) as office:
        yield office


def test_an_escalation_is_told_with_its_level_its_deadline_and_how_it_stood_right_after(office: Office) -> None:
    endpoint_id = register(office, "escalation.raised", "escalation.level_entered", "escalation.acknowledged")
    escalation_id = three(office)
    office.clock.go_on(days=1, hours=2)
    ticked(office)

    def acknowledge(desk: Any, cause: Any) -> None:
        climbing.acknowledge(desk, cause, climbing.load(desk, escalation_id))

    office.do(office.command(acknowledge, actor=office.person("deputy-1")))

    raised, entered, taken = bodies(office, endpoint_id)
    (escalation,) = office.escalations()
    about = {"escalation_id": escalation_id, "review_id": escalation["review_id"], "service_id": "willow-house"}
    link = {"links": {"self": f"/v1/escalations/{escalation_id}"}}
    sequences = {one.type: one.sequence for one in office.ledger()}
    assert raised["data"] == {
        **about,
        **link,
        "level": 0,
        "status": "awaiting_ack",
        "respond_by": "2026-03-03T10:00:00.000000Z",
        "sequence": sequences["escalation.raised"],
    }
    # The timer was due at ten, and asked two hours late.
    assert entered == {
        "type": "escalation.level_entered",
        "timestamp": "2026-03-03T10:00:00.000000Z",
        "data": {
            **about,
            **link,
            "level": 1,
            "status": "awaiting_ack",
            "respond_by": "2026-03-04T10:00:00.000000Z",
            "scheduled_at": "2026-03-03T10:00:00.000000Z",
            "sequence": sequences["escalation.level_entered"],
        },
    }
    assert (taken["timestamp"], taken["data"]["status"]) == ("2026-03-03T12:00:00.000000Z", "acknowledged")


def test_an_added_member_names_the_near_miss(office: Office) -> None:
    endpoint_id = register(office, "escalation.member_added")
    three(office)

    fourth = office.submit()["id"]

    (message,) = bodies(office, endpoint_id)
    assert (message["data"]["near_miss_id"], message["data"]["kind"]) == (fourth, "member")


def test_an_overdue_action_and_a_closed_review_are_told_in_the_order_of_their_escalation(office: Office) -> None:
    endpoint_id = register(office, "review.closed", "action.overdue", "review.overdue")
    action_id = agreed(office)
    (escalation,) = office.escalations()
    office.clock.now += timedelta(days=31)
    ticked(office)
    office.do(office.review_closure(escalation["review_id"]))

    rows = owed(office, endpoint_id)
    messages = bodies(office, endpoint_id)

    assert {row.type: row.subject for row in rows} == {
        "review.overdue": escalation["id"],
        "review.closed": escalation["id"],
        "action.overdue": f"action/{action_id}",
    }
    closed = messages[-1]["data"]
    assert (closed["status"], closed["links"]["self"]) == ("closed", f"/v1/reviews/{escalation['review_id']}")
    late = next(one["data"] for one in messages if one["type"] == "action.overdue")
    assert (late["action_id"], late["status"], late["level"]) == (action_id, "overdue", 0)
    assert late["links"]["self"] == f"/v1/actions/{action_id}"


def test_a_silent_source_is_told_by_its_name_with_the_instant_at_which_it_should_have_spoken(office: Office) -> None:
    endpoint_id = register(office, "source.silent")
    declared(office, "urn:emar/site-1", "P1D", service_id="willow-house")

    office.clock.go_on(days=2)
    ticked(office)

    (message,) = bodies(office, endpoint_id)
    assert message["timestamp"] == message["data"]["scheduled_at"] == "2026-03-03T10:00:00.000000Z"
    assert message["data"] | {"sequence": 0} == {
        "source": "urn:emar/site-1",
        "service_id": "willow-house",
        "status": "silent",
        "since": "2026-03-02T10:00:00.000000Z",
        "scheduled_at": "2026-03-03T10:00:00.000000Z",
        "sequence": 0,
        "links": {"self": "/v1/sources/urn%3Aemar%2Fsite-1"},
    }


def test_a_message_is_the_same_bytes_at_every_try(office: Office) -> None:
    endpoint_id = register(office)
    three(office)
    before = [body(office, one) for one in owed(office, endpoint_id)]

    office.clock.go_on(days=40)
    ticked(office)

    assert [body(office, one) for one in owed(office, endpoint_id)][: len(before)] == before


def test_the_demo_is_told_without_a_name_or_a_word_of_anybody(sqlite_url: str) -> None:
    with opened(sqlite_url) as room:
        _, demo = demo_told(room)
        told = [one for one in demo.ledger() if one.type in WEBHOOK_TYPES]
        assert len(told) > 300
        for one in told:
            assert_thin(body(demo, Owed(one.sequence, WEBHOOK_TYPES[one.type])))
