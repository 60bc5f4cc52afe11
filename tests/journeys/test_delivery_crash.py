"""Power cuts and faults between us and a receiver: what is owed arrives, in order, however often it takes.

Takes a minute and a half, of which half a minute is the lease of a process that died over a PostgreSQL; alone on its
file, the next one knows that nobody is at it. The soak sends ten thousand messages, which takes minutes, and cuts the
power ten times.
"""

import random
import threading
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import create_engine, update

from app.database.tables import deliveries
from app.domain.webhook import TYPES
from app.settings import Settings
from tests import receivers
from tests.journeys.ward import report
from tests.operations.sending import Post, sending, until
from tests.receivers import Receiver, Reply, Request
from tests.rounds import FEW, LIMIT, rounds
from tests.service import RunningService, running_service

ALLOWED = {"FOREWARN_WEBHOOK_ALLOW_NETWORKS": "127.0.0.0/8"}
CUTS = rounds(10) if LIMIT > FEW else 2
MESSAGES = min(10_000, LIMIT * 40)
SUBJECTS = 40


@pytest.mark.soak
def test_a_message_whose_sender_was_killed_before_it_knew_the_answer_is_sent_again_under_its_id(
    database_url: str, tmp_path: Path
) -> None:
    current: list[RunningService] = []
    answered = threading.Event()

    def pull_the_plug(_request: Request) -> Reply:
        """It has the message, and answers a process that is no more."""
        current.pop().kill()
        answered.set()
        return Reply()

    with Receiver(pull_the_plug) as receiver:
        with running_service(database_url, tmp_path, environment=ALLOWED) as service, service.client() as client:
            said = {"url": receiver.url, "event_types": ["near_miss.recorded"]}
            assert client.post("/v1/webhook-endpoints", json=said).status_code == 201
        for cut in range(CUTS if database_url.startswith("sqlite") else (CUTS + 4) // 5):
            answered.clear()
            receiver.answer = pull_the_plug
            already = len(receiver.requests)
            with running_service(database_url, tmp_path, environment=ALLOWED) as service, service.client() as client:
                current.append(service)
                near_miss_id = submitted(client, cut)
                assert answered.wait(30)
                service.process.wait(10)
            receiver.answer = receivers.accepting
            if LIMIT <= FEW:
                let_leases_run_out(database_url)
            with running_service(database_url, tmp_path, environment=ALLOWED) as service:
                first, again = receiver.wait_for_count(already + 2, 60.0)[already:]
                service.stop()  # It has written down what it sent.
            assert near_miss_id is None or near_miss_id.encode() in first.body
            assert (again.webhook_id, again.body) == (first.webhook_id, first.body)


def let_leases_run_out(database_url: str) -> None:
    """As if the time had passed for which the process that died holds what it was sending."""
    engine = create_engine(Settings(database_url=database_url).url)
    with engine.begin() as connection:
        connection.execute(update(deliveries).where(deliveries.c.leased_until.is_not(None)).values(leased_until=0))
    engine.dispose()


def submitted(client: httpx2.Client, cut: int) -> str | None:
    """The near miss's id; None when the process was gone before it could say."""
    try:
        return client.post("/v1/near-misses", json=report(service_id=f"service-{cut}")).json()["id"]
    except httpx2.TransportError:
        return None


@pytest.fixture
def post(database_url: str) -> Iterator[Post]:
    with sending(database_url, deadline=0.5) as post:
        yield post


@pytest.mark.soak
def test_under_any_faults_none_is_missing_and_the_order_of_each_subject_is_kept(post: Post) -> None:
    chance = random.Random(4)
    faults: list[receivers.Misbehaviour] = [
        receivers.hanging_up,
        receivers.babbling,
        receivers.dripping,
        receivers.flooding_1xx,
    ]
    taken: dict[str, Request] = {}
    order: defaultdict[str, list[int]] = defaultdict(list)

    def fail_now_and_then(request: Request) -> "Reply | receivers.Misbehaviour":
        if chance.random() < 0.1:
            return chance.choice([Reply(500), Reply(429), *faults])
        if request.webhook_id not in taken:
            taken[request.webhook_id] = request
        return Reply()

    with Receiver(fail_now_and_then) as receiver:
        endpoint_id = post.register(receiver, *TYPES)
        post.office.do(post.office.adoption({"threshold": 1, "group_by": ["service_id"]}))
        number = 0
        while number < MESSAGES // 2:  # A report, and what it raises or is added to.
            jobs = [post.office.submission(service_id=f"service-{(number + one) % SUBJECTS}") for one in range(100)]
            post.office.house.ask_all(jobs[: MESSAGES // 2 - number])
            number += len(jobs)

        def none_waits() -> bool:
            """Time goes on only when nothing else does: it takes days of failing for the endpoint to be held."""
            if not post.is_idle():
                return False
            post.office.clock.go_on(minutes=10)
            return not post.waiting(endpoint_id)

        until(lambda: post.waiting(endpoint_id))
        until(none_waits, 60.0 + MESSAGES / 10)

    owed = post.owed(endpoint_id)
    assert len(owed) >= MESSAGES
    let_go = {one.delivery_id: one for one in owed if one.status == "superseded"}
    # One that was let go may have been taken, by a receiver whose answer came to nothing.
    assert set(taken) | let_go.keys() == {one.delivery_id for one in owed}
    subjects = {one.delivery_id: (one.subject, one.sequence) for one in owed}
    for one in let_go.values():
        subject, sequence = subjects[one.superseded_by]
        assert subject == one.subject
        assert sequence > one.sequence
    for webhook_id in taken:  # In the order in which each was taken first.
        subject, sequence = subjects[webhook_id]
        order[subject].append(sequence)
    assert all(sequences == sorted(sequences) for sequences in order.values())
