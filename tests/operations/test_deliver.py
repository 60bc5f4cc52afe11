"""Messages arrive: in order, signed, under one id however often they are sent, and none is ever dropped.

The clock stands still until a test moves it; receivers are real ones. Takes a minute and a half, on both databases.
"""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from app.domain.delivery import STANDARD
from app.domain.moment import from_micros
from app.events.store import Cause
from app.operations import climbing, endpoints, unreached
from app.operations.desk import Desk
from app.operations.owed import lag
from app.operations.rooms import AT_FIRST
from tests import receivers
from tests.office import Office
from tests.operations.hearing import statuses, ticked
from tests.operations.sending import Post, sending, until
from tests.receivers import Receiver, Reply, Request, receiving

LADDER = {
    "steps": [
        {"to": ["manager"], "timeout": "PT1H"},
        {"to": ["deputy"], "timeout": "PT1H"},
        {"to": ["operations"], "timeout": "PT1H"},
    ]
}


@pytest.fixture
def post(database_url: str) -> Iterator[Post]:
    with sending(database_url) as post:
        yield post


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def alarming(office: Office) -> str:
    """From now on one near miss raises; the id of the escalation that one has raised."""
    office.do(office.adoption({"threshold": 1, "ladder": LADDER}))
    office.submit()
    return office.escalations()[-1]["id"]


def events(office: Office, name: str) -> list[dict[str, Any]]:
    return [json.loads(one.payload) for one in office.ledger() if one.type == name]


def message(request: Request) -> dict[str, Any]:
    return json.loads(request.body)


NOT_NOW = Reply(503, b"not now")


def failing_first(times: int, reply: Reply = NOT_NOW) -> Callable[[Request], Reply]:
    """Refuses so many requests, then takes everything."""
    left = [reply] * times
    return lambda _request: left.pop() if left else Reply()


def try_again(post: Post, delivery_id: str, attempts: int) -> None:
    """Let its time come, and wait until it has been tried."""
    post.go_on_until_due(delivery_id)
    until(lambda: len(post.attempts(delivery_id)) >= attempts)


# Sent


def test_what_happens_is_told_at_once_and_another_library_knows_whom_it_comes_from(
    post: Post, receiver: Receiver
) -> None:
    endpoint_id = post.register(receiver)

    near_miss = post.office.submit()

    (request,) = receiver.wait_for_count(1)
    said = Webhook(post.secrets[endpoint_id]).verify(request.body, dict(request.headers))
    assert (said["type"], said["data"]["near_miss_id"]) == ("near_miss.recorded", near_miss["id"])
    assert request.headers["user-agent"].startswith("forewarn/")
    assert request.headers["content-type"] == "application/json"
    until(lambda: post.statuses() == ["delivered"])
    (attempt,) = post.attempts(request.webhook_id)
    assert (attempt.number, attempt.status_code, attempt.error) == (1, 204, None)
    assert attempt.latency > 0


def test_a_message_that_fails_is_sent_again_under_its_id_and_every_try_is_written_down(
    post: Post, receiver: Receiver
) -> None:
    receiver.answer = failing_first(2)
    endpoint_id = post.register(receiver)
    post.office.submit()
    (first,) = receiver.wait_for_count(1)
    until(lambda: len(post.attempts(first.webhook_id)) == 1)

    try_again(post, first.webhook_id, 2)
    try_again(post, first.webhook_id, 3)

    assert receiver.ids == [first.webhook_id] * 3
    assert len({request.body for request in receiver.requests}) == 1
    for request in receiver.requests:
        Webhook(post.secrets[endpoint_id]).verify(request.body, dict(request.headers))
    assert [(one.number, one.status_code, one.response) for one in post.attempts(first.webhook_id)] == [
        (1, 503, "not now"),
        (2, 503, "not now"),
        (3, 204, ""),
    ]
    (row,) = post.owed()
    assert (row.status, row.attempts, row.last_status, row.last_error) == ("delivered", 3, 204, None)


def test_messages_about_one_escalation_keep_their_order_and_hold_up_nobody_else(post: Post, receiver: Receiver) -> None:
    refused: list[str] = []

    def refuse_raised_once(request: Request) -> Reply:
        if message(request)["type"] == "escalation.raised" and not refused:
            refused.append(request.webhook_id)
            return Reply(500)
        return Reply()

    receiver.answer = refuse_raised_once
    post.register(receiver)
    escalation_id = alarming(post.office)
    until(lambda: refused and post.attempts(refused[0]))

    post.office.do(acknowledgement(post.office, escalation_id))
    post.office.submit(service_id="elm-house")

    receiver.wait_for(lambda requests: sum("elm-house" in str(one.body) for one in requests) == 2)
    about = [one for one in receiver.requests if message(one)["data"].get("escalation_id") == escalation_id]
    assert [message(one)["type"] for one in about] == ["escalation.raised"]

    try_again(post, refused[0], 2)

    until(lambda: set(post.statuses()) == {"delivered"})
    about = [one for one in receiver.requests if message(one)["data"].get("escalation_id") == escalation_id]
    assert [message(one)["type"] for one in about] == [
        "escalation.raised",
        "escalation.raised",
        "escalation.acknowledged",
    ]


def acknowledgement(office: Office, escalation_id: str) -> Any:
    return office.command(
        lambda desk, cause: climbing.acknowledge(desk, cause, climbing.load(desk, escalation_id)),
        escalation_id,
        lambda reader, subject: reader.escalations([subject])[0],
    )


def test_a_receiver_is_given_the_time_that_it_asks_for(post: Post, receiver: Receiver) -> None:
    receiver.answer = failing_first(1, Reply(429, headers={"retry-after": "3600"}))
    post.register(receiver)
    post.office.submit()
    (first,) = receiver.wait_for_count(1)

    (row,) = until(lambda: [one for one in post.owed() if one.attempts])

    assert from_micros(row.due_at) == post.office.clock() + timedelta(hours=1)
    assert first.webhook_id == row.delivery_id


def test_a_redirect_is_a_failure(post: Post, receiver: Receiver) -> None:
    with Receiver() as inside:
        receiver.answer = lambda _request: Reply(307, headers={"location": inside.url})
        post.register(receiver)
        post.office.submit()

        (row,) = until(lambda: [one for one in post.owed() if one.attempts])

        assert (row.status, row.last_status) == ("pending", 307)
        assert row.last_error.startswith("redirect: ")
        assert inside.connections == 0


# Held


def test_an_endpoint_that_is_gone_is_held_and_what_it_is_owed_goes_in_order_once_it_is_enabled(
    post: Post, receiver: Receiver
) -> None:
    receiver.answer = failing_first(1, Reply(410))
    endpoint_id = post.register(receiver)
    post.office.submit()
    until(lambda: post.status(endpoint_id) == "held")

    for _ in range(5):
        post.office.submit(service_id="elm-house")

    assert set(statuses(post.office, endpoint_id)) == {"held"}
    assert len(receiver.requests) == 1
    (held,) = events(post.office, "endpoint.held")
    assert held["why"] == "gone"

    post.enable(endpoint_id)

    until(lambda: set(post.statuses(endpoint_id)) == {"delivered"})
    owed = post.owed(endpoint_id)
    assert receiver.ids[0] == owed[0].delivery_id
    assert sorted(receiver.ids[1:]) == sorted(one.delivery_id for one in owed)
    of_escalation = [one.delivery_id for one in owed if one.type.startswith("escalation")]
    assert [one for one in receiver.ids[1:] if one in of_escalation] == of_escalation


def test_an_endpoint_that_fails_for_days_is_warned_of_then_held_and_told_to_the_others(post: Post) -> None:
    with receiving(lambda _request: Reply(500), receivers.accepting) as (broken, well):
        endpoint_id = post.register(broken, "near_miss.recorded")
        post.register(well, "endpoint.degraded", "endpoint.held")
        post.office.submit()
        (row,) = until(lambda: post.owed(endpoint_id))
        until(lambda: post.attempts(row.delivery_id))

        for attempts in range(2, len(STANDARD)):
            try_again(post, row.delivery_id, attempts)
        until(lambda: post.status(endpoint_id) == "degraded")
        try_again(post, row.delivery_id, len(STANDARD))
        until(lambda: post.status(endpoint_id) == "held")

        well.wait_for_count(2)
        assert [message(one)["type"] for one in well.requests] == ["endpoint.degraded", "endpoint.held"]
        assert post.statuses(endpoint_id) == ["held"]
        assert [(one.number, one.status_code) for one in post.attempts(row.delivery_id)] == [
            (number + 1, 500) for number in range(len(STANDARD))
        ]
        (held,) = events(post.office, "endpoint.held")
        assert held["why"] == "failing"


def test_an_endpoint_that_is_warned_of_is_well_again_as_soon_as_it_answers(post: Post, receiver: Receiver) -> None:
    receiver.answer = failing_first(4)
    endpoint_id = post.register(receiver)
    post.office.submit()
    (row,) = until(lambda: post.owed(endpoint_id))
    for attempts in (1, 2, 3):
        try_again(post, row.delivery_id, attempts)
    post.office.clock.go_on(days=2)
    try_again(post, row.delivery_id, 4)
    until(lambda: post.status(endpoint_id) == "degraded")

    try_again(post, row.delivery_id, 5)

    until(lambda: post.status(endpoint_id) == "active")
    assert post.statuses(endpoint_id) == ["delivered"]


def test_nothing_is_sent_to_an_endpoint_that_is_deleted(post: Post, receiver: Receiver) -> None:
    receiver.answer = failing_first(1)
    endpoint_id = post.register(receiver)
    post.office.submit()
    (row,) = until(lambda: [one for one in post.owed() if one.attempts])

    post.tell(endpoint_id, endpoints.delete)
    post.go_on_until_due(row.delivery_id)
    with Receiver() as another:
        post.register(another)
        post.office.submit()
        another.wait_for_count(1)

    assert len(receiver.requests) == 1
    assert post.statuses(endpoint_id) == ["held"]


# Superseded


def test_a_level_whose_message_failed_gives_way_to_the_next_and_says_so(post: Post, receiver: Receiver) -> None:
    receiver.answer = lambda request: Reply(500 if message(request)["data"].get("level") == 1 else 204)
    post.register(receiver, "escalation.raised", "escalation.level_entered", "escalation.acknowledged")
    escalation_id = alarming(post.office)
    escalate = partial(post.office.command, subject=escalation_id)
    until(lambda: post.statuses() == ["delivered"])
    post.office.do(escalate(lambda desk, cause: up(desk, cause, escalation_id)))
    until(lambda: [one for one in post.owed() if one.attempts and one.last_status == 500])

    post.office.do(escalate(lambda desk, cause: up(desk, cause, escalation_id)))

    until(lambda: post.statuses() == ["delivered", "superseded", "delivered"])
    _, former, newer = post.owed()
    assert former.superseded_by == newer.delivery_id
    assert [message(one)["data"].get("level") for one in receiver.requests] == [0, 1, 2]


def up(desk: Desk, cause: Cause, escalation_id: str) -> None:
    standing = climbing.load(desk, escalation_id)
    climbing.escalate(desk, cause, standing, standing.state.epoch)


# Contacts that fail


def test_the_next_contact_is_asked_once_when_the_message_to_the_first_has_failed_three_times(
    post: Post, receiver: Receiver
) -> None:
    receiver.answer = lambda _request: Reply(500)
    endpoint_id = post.register(receiver, "escalation.raised", "escalation.level_entered")
    alarming(post.office)
    (row,) = until(post.owed)

    for attempts in (1, 2, 3):
        try_again(post, row.delivery_id, attempts)

    until(lambda: "escalation.level_entered" in post.office.types())
    try_again(post, row.delivery_id, 4)
    assert events(post.office, "escalation.contact_failed") == [{"level": 0, "endpoint_id": endpoint_id, "attempts": 3}]
    (entered,) = events(post.office, "escalation.level_entered")
    assert (entered["level"], entered["notify"], entered["why"]) == (1, ["deputy"], "escalated")


def test_a_minute_of_failing_is_enough(post: Post, receiver: Receiver) -> None:
    receiver.answer = lambda _request: Reply(503, headers={"retry-after": "86400"})
    post.register(receiver, "escalation.raised")
    alarming(post.office)
    (row,) = until(lambda: [one for one in post.owed() if one.attempts])

    post.office.clock.go_on(seconds=60)

    until(lambda: "escalation.contact_failed" in post.office.types())
    assert len(post.attempts(row.delivery_id)) == 1


def test_whoever_is_asked_by_a_held_endpoint_is_passed_over_after_a_minute(post: Post, receiver: Receiver) -> None:
    receiver.answer = lambda _request: Reply(410)
    endpoint_id = post.register(receiver)
    post.office.submit()
    until(lambda: post.status(endpoint_id) == "held")
    alarming(post.office)
    until(lambda: "escalation.raised" in [one.type for one in post.owed()])

    post.office.clock.go_on(seconds=59)
    post.deliverer.once()
    before = events(post.office, "escalation.contact_failed")
    post.office.clock.go_on(seconds=1)

    until(lambda: "escalation.contact_failed" in post.office.types())
    assert before == []
    assert events(post.office, "escalation.contact_failed")[0] == {
        "level": 0,
        "endpoint_id": endpoint_id,
        "attempts": 0,
    }


def test_whoever_is_asked_behind_a_message_that_fails_is_passed_over_too(post: Post, receiver: Receiver) -> None:
    receiver.answer = lambda _request: Reply(503, headers={"retry-after": "86400"})
    post.register(receiver, "escalation.raised", "escalation.level_entered")
    alarming(post.office)
    until(lambda: [one for one in post.owed() if one.attempts])

    for level in (1, 2):
        post.office.clock.go_on(seconds=60)
        until(lambda: len(events(post.office, "escalation.level_entered")) == level)  # noqa: B023 - asked at once
        until(lambda: len(post.owed()) == 1 + level)  # noqa: B023

    assert [one["level"] for one in events(post.office, "escalation.contact_failed")] == [0, 1]
    assert [one["attempts"] for one in events(post.office, "escalation.contact_failed")] == [1, 0]


def test_a_clock_that_was_set_back_withholds_no_message(post: Post, receiver: Receiver) -> None:
    post.register(receiver, "near_miss.recorded")
    post.office.clock.go_on(hours=-1)

    post.office.submit(occurred_at="2026-03-02T08:00:00Z")

    until(lambda: post.statuses() == ["delivered"])


def test_an_endpoint_is_warned_of_once_for_a_try_however_often_others_are_taken(post: Post, receiver: Receiver) -> None:
    receiver.answer = lambda request: Reply(503) if b"near_miss_id" in request.body else Reply(204)
    endpoint_id = post.register(receiver, "near_miss.recorded")
    post.office.submit()
    (row,) = until(post.owed)
    for attempts in range(1, 10):
        try_again(post, row.delivery_id, attempts)
    until(lambda: post.status(endpoint_id) == "degraded")

    post.tell(endpoint_id, endpoints.send_test)
    until(lambda: post.status(endpoint_id) == "active")
    with post.office.house.database.read() as connection:
        (failing,) = unreached.failing(connection, post.office.clock())
    for command in unreached.follow_up(failing, post.office.clock()):
        post.office.house.ask(command)

    assert post.office.types().count("endpoint.degraded") == 1
    assert post.office.house.writer.counts.failed == 0


def test_nobody_is_passed_over_when_another_endpoint_took_the_message_or_somebody_has_answered(post: Post) -> None:
    broken: Callable[[Request], Reply] = lambda _request: Reply(500)  # noqa: E731
    with receiving(broken, receivers.accepting) as (failing, well):
        post.register(failing, "escalation.raised", services=["willow-house"])
        post.register(well, "escalation.raised", services=["willow-house"])
        post.register(failing, "escalation.raised", services=["elm-house"])
        alarming(post.office)
        post.office.submit(service_id="elm-house")
        (_, acknowledged) = post.office.escalations()
        post.office.do(acknowledgement(post.office, acknowledged["id"]))
        until(lambda: len([one for one in post.owed() if one.attempts]) == 3)

        for attempts in (2, 3):
            for row in post.owed():
                if row.status == "pending":
                    try_again(post, row.delivery_id, attempts)

        seen = len(post.office.ledger())
        post.office.clock.go_on(minutes=1)
        until(lambda: sum(len(post.attempts(one.delivery_id)) for one in post.owed()) >= 9)
        assert len(post.office.ledger()) == seen
        assert "escalation.contact_failed" not in post.office.types()


def test_the_level_after_the_last_contact_is_the_backstop(post: Post, receiver: Receiver) -> None:
    receiver.answer = lambda _request: Reply(410)
    post.register(receiver, "escalation.raised")
    post.office.do(
        post.office.adoption({"threshold": 1, "ladder": {"steps": [{"to": ["manager"], "timeout": "PT1H"}]}})
    )

    post.office.submit()

    until(lambda: "escalation.chain_exhausted" in post.office.types())
    (exhausted,) = events(post.office, "escalation.chain_exhausted")
    assert exhausted["notify"] == ["admin"]
    ticked(post.office)


# Many


def test_endpoints_that_hang_keep_nobody_waiting_and_are_not_flooded(database_url: str) -> None:
    hanging: list[receivers.Answer] = [lambda _request: receivers.hanging] * 3
    with sending(database_url, deadline=15.0) as post, receiving(*hanging, receivers.accepting) as many:
        *hung, well = many
        for one in hung:
            post.register(one, "near_miss.recorded")
        post.register(well, "near_miss.recorded")
        for _ in range(30):
            post.office.submit()

        well.wait_for_count(30, 10.0)

        assert [one.connections for one in hung] == [AT_FIRST] * 3


def test_two_workers_share_what_is_owed_and_send_nothing_twice(post: Post, receiver: Receiver) -> None:
    post.register(receiver, "near_miss.recorded")
    another = post.another()
    another.start()
    try:
        for _ in range(60):
            post.office.submit()
        until(lambda: post.statuses() == ["delivered"] * 60)
    finally:
        another.stop()

    assert len(receiver.ids) == len(set(receiver.ids)) == 60


def test_who_stops_gives_up_what_is_under_way_and_another_sends_it_again(post: Post, receiver: Receiver) -> None:
    receiver.answer = lambda _request: receivers.hanging
    post.register(receiver)
    post.office.submit()
    (first,) = receiver.wait_for_count(1)

    post.deliverer.stop()

    (row,) = post.owed()
    assert (row.status, row.holder, row.leased_until, row.attempts) == ("pending", None, None, 0)
    receiver.answer = receivers.accepting
    another = post.another()
    another.start()
    try:
        until(lambda: post.statuses() == ["delivered"])
    finally:
        another.stop()
    assert receiver.ids == [first.webhook_id] * 2


def test_what_waits_can_be_seen(post: Post, receiver: Receiver) -> None:
    receiver.answer = failing_first(1)
    post.register(receiver)
    post.office.submit()
    (row,) = until(lambda: [one for one in post.owed() if one.attempts])

    now = from_micros(row.due_at) + timedelta(seconds=90)
    with post.office.house.database.read() as connection:
        seen = lag(connection, now)

    assert seen == {"pending": 1, "failing": 1, "held": 0, "oldest_due_seconds": 90.0}
    assert (post.office.house.sent.attempts, post.office.house.sent.failed) == (1, 1)
