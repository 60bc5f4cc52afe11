"""The relay against real NATS servers: nothing lost, nothing doubled, nothing out of order, whatever dies meanwhile."""

import asyncio
import json
import os
import shutil
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import nats
import pytest
from nats.aio.client import Client
from nats.js.api import StreamConfig
from nats.js.errors import NotFoundError
from pydantic import ValidationError
from sqlalchemy import select, update

from app.database.tables import followers
from app.events.envelope import Envelope, cloud_event
from app.operations import relay
from app.operations.jetstream import LONGEST_TURN, STREAM, HeldUp, Post, subject_of
from app.operations.relay import NAME, Relay
from app.settings import Settings
from tests.journeys import inside
from tests.journeys.listening import leaf_of
from tests.nats import Cluster, Unavailable, running_cluster
from tests.office import Office, answers_of, opened

PATIENCE = 20.0


class Message(NamedTuple):
    """What the stream holds."""

    subject: str
    message_id: str
    body: str


@pytest.fixture(scope="module")
def one() -> Iterator[Cluster]:
    with available(1) as cluster:
        yield cluster


@pytest.fixture
def server(one: Cluster) -> Cluster:
    """A single server without a stream."""
    asyncio.run(clear(one))
    return one


@pytest.mark.soak
def test_nothing_is_lost_or_doubled_when_the_leader_of_the_stream_is_killed(sqlite_url: str) -> None:
    with available(3) as cluster, opened(sqlite_url) as office:
        with relaying(office, cluster):
            submit(office, 20)
            eventually(lambda: place(office) == end(office))
            leader = asyncio.run(leader_of(cluster))
            publishing = threading.Thread(target=lambda: [submit(office, 5) for _ in range(60)])
            publishing.start()
            eventually(lambda: place(office) > 60)
            cluster.kill(leader)
            assert publishing.is_alive()
            publishing.join()
            eventually(lambda: place(office) == end(office))

        assert end(office) > 300
        assert asyncio.run(stored(cluster)) == published(office)


def test_every_event_is_published_as_the_feed_has_it(server: Cluster, database_url: str) -> None:
    with opened(database_url) as office:
        with relaying(office, server):
            submit(office, 5)
            eventually(lambda: place(office) == end(office))

        found = asyncio.run(stored(server))

        assert found == published(office)
    event = json.loads(found[-1].body)
    assert found[-1].subject == f"forewarn.default.{event['type'].removeprefix('forewarn.').removesuffix('.v1')}"
    assert event["leafhash"] == leaf_of(event)


@pytest.mark.parametrize("older", [0, 4])
def test_a_relay_that_was_killed_before_it_kept_its_place_doubles_nothing(
    server: Cluster, database_url: str, older: int
) -> None:
    with opened(database_url) as office:
        with relaying(office, server):
            submit(office, 5)
            eventually(lambda: place(office) == end(office))
        with office.house.database.write() as connection:
            connection.execute(update(followers).where(followers.c.name == NAME).values(position=older))
        submit(office, 2)

        with relaying(office, server):
            eventually(lambda: place(office) == end(office))

        assert asyncio.run(stored(server)) == published(office)


def test_what_is_published_again_under_its_id_is_stored_once(server: Cluster, sqlite_url: str) -> None:
    with opened(sqlite_url) as office:
        submit(office, 5)

        async def twice() -> None:
            post = Post([server.url])
            await post.open()
            assert await post.send(office.ledger()[:6], at_once) == 6
            assert await post.send(office.ledger(), at_once) == end(office)
            await post.close()

        asyncio.run(twice())

        assert asyncio.run(stored(server)) == published(office)


def test_a_stream_that_has_forgotten_the_ids_is_asked_how_far_it_has_come(server: Cluster, sqlite_url: str) -> None:
    memory = 0.1
    asyncio.run(make(server, StreamConfig(STREAM, subjects=["forewarn.>"], duplicate_window=memory)))
    with opened(sqlite_url) as office:
        with relaying(office, server):
            submit(office, 5)
            eventually(lambda: place(office) == end(office))
        with office.house.database.write() as connection:
            connection.execute(update(followers).where(followers.c.name == NAME).values(position=0))
        told = time.monotonic()
        eventually(lambda: time.monotonic() - told > 2 * memory)

        with relaying(office, server):
            eventually(lambda: place(office) == end(office))

        assert asyncio.run(stored(server)) == published(office)


def test_a_page_that_breaks_off_went_as_far_as_it_was_acknowledged(sqlite_url: str) -> None:
    with available(1) as cluster, opened(sqlite_url) as office:
        submit(office, 8)
        events = office.ledger()

        class UntilThePowerFails(list[Envelope]):
            def __iter__(self) -> Iterator[Envelope]:
                yield from events[:6]
                cluster.kill(0)
                yield from events[6:]

        async def sent() -> int:
            post = Post([cluster.url])
            await post.open()
            try:
                return await post.send(UntilThePowerFails(events), at_once)
            finally:
                await post.close()

        assert asyncio.run(sent()) == 6
        cluster.start(0)
        assert asyncio.run(stored(cluster)) == published(office)[:6]


def test_two_processes_share_the_work_and_double_nothing(server: Cluster, postgresql_url: str) -> None:
    with opened(postgresql_url) as office, opened(postgresql_url) as beside:
        with relaying(office, server), relaying(beside, server):
            submit(office, 20)
            submit(beside, 20)
            eventually(lambda: place(office) == end(office))

        assert asyncio.run(stored(server)) == published(office)


def test_what_is_recorded_while_there_is_no_server_is_published_once_there_is(sqlite_url: str) -> None:
    with available(1) as cluster, opened(sqlite_url) as office:
        cluster.kill(0)
        with relaying(office, cluster):
            submit(office, 3)
            behind = lagging(office)
            cluster.start(0)
            eventually(lambda: place(office) == end(office))

        assert (behind, lagging(office)) == (end(office), 0)

        assert asyncio.run(stored(cluster)) == published(office)


def test_a_stream_of_another_ledger_is_let_be_and_other_organisations_go_on(
    server: Cluster, sqlite_url: str, migrated_sqlite: Path, tmp_path: Path
) -> None:
    another = f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path / 'another.db')}"
    with opened(sqlite_url) as office:
        with relaying(office, server):
            eventually(lambda: place(office) == end(office))
        before = asyncio.run(stored(server))
    with opened(another) as restored:
        restored.house.open_organisation("fresh", "fresh")
        with relaying(restored, server):
            eventually(lambda: place(restored, "fresh") == 2)

        assert place(restored) == 0
        found = asyncio.run(stored(server))
        assert [one for one in found if ".default." in one.subject] == before
        assert [one.message_id for one in found if ".fresh." in one.subject] == ["fresh:1", "fresh:2"]


def test_what_cannot_be_passed_on_of_one_organisation_holds_up_no_other(server: Cluster, sqlite_url: str) -> None:
    asyncio.run(make(server, StreamConfig(STREAM, subjects=["forewarn.>"], max_msg_size=20_000)))
    with opened(sqlite_url) as office:
        for name in ("aaa", "zzz"):
            office.house.open_organisation(name, name)
        office.submit(narrative="x" * 20_000)
        office.submit()
        asyncio.run(publish(server, "forewarn.aaa.near_miss.recorded", b'{"made": "elsewhere"}'))
        asyncio.run(publish(server, "forewarn.aab", b"[]"))

        with relaying(office, server) as relay:
            eventually(lambda: place(office, "zzz") == 2)
            eventually(lambda: "default" in relay._resting)
            office.house.open_organisation("zzzz", "zzzz")
            eventually(lambda: place(office, "zzzz") == 2)

            assert relay._resting.keys() == {"aaa", "default"}
        assert place(office, "aaa") == 0
        assert place(office) == next(one.sequence for one in office.ledger() if len(one.payload) > 20_000) - 1


@pytest.mark.parametrize(("held_up_before", "gone"), [(0, None), (3, 3)])
def test_whoever_was_held_up_in_the_middle_of_a_turn_publishes_nothing_more_in_it(
    server: Cluster, sqlite_url: str, held_up_before: int, gone: int | None
) -> None:
    with opened(sqlite_url) as office:
        submit(office, 5)

        async def sent() -> int | None:
            post = Post([server.url])
            await post.open()
            ticks = iter([0.0] * held_up_before)
            try:
                return await post.send(office.ledger(), lambda: next(ticks, LONGEST_TURN + 1))
            except HeldUp:
                return None
            finally:
                await post.close()

        assert asyncio.run(sent()) == gone

        assert asyncio.run(stored(server)) == published(office)[:held_up_before]


def test_a_turn_ends_long_before_a_stream_of_somebody_else_forgets(server: Cluster, sqlite_url: str) -> None:
    asyncio.run(make(server, StreamConfig(STREAM, subjects=["forewarn.>"], duplicate_window=20)))
    with opened(sqlite_url) as office:

        async def sent() -> None:
            post = Post([server.url])
            await post.open()
            with pytest.raises(HeldUp):
                await post.send(office.ledger(), lambda: 6.0)
            assert await post.send(office.ledger(), lambda: 4.0) == end(office)
            await post.close()

        asyncio.run(sent())


def test_a_service_with_the_setting_passes_its_ledger_on(server: Cluster, sqlite_url: str) -> None:
    with inside.opened(sqlite_url, nats_url=f" {server.url} , {server.url}") as application:
        submitted = application.ward.submit()

        def is_stored() -> bool:
            with suppress(NotFoundError):  # The stream is made by then, or soon.
                return any(submitted["id"] in one.body for one in asyncio.run(stored(server)))
            return False

        eventually(is_stored)
        eventually(lambda: application.client.get("/readyz").json()["relay_lag"] == 0)
        assert "forewarn_relay_lag_events 0.0" in application.client.get("/metrics").text


def test_a_name_is_one_token_of_a_subject(sqlite_url: str) -> None:
    with opened(sqlite_url) as office:
        event = office.ledger()[0]

    named = [subject_of(event._replace(organisation=name)) for name in ("a.b", "a *>", "ä", "a-b_c")]

    assert named == [f"forewarn.{token}.organisation.opened" for token in ("a%2Eb", "a%20%2A%3E", "%C3%A4", "a-b_c")]


@pytest.mark.parametrize("url", ["localhost:4222", "http://localhost", "nats://a,", "nats://"])
def test_an_address_that_is_none_is_refused_with_a_sentence(url: str) -> None:
    with pytest.raises(ValidationError, match="FOREWARN_NATS_URL takes nats://host:4222"):
        Settings(nats_url=url)


def test_without_the_package_the_setting_is_refused_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nats", None)

    with pytest.raises(ValidationError, match="install forewarn"):
        Settings(nats_url="nats://localhost:4222")


def test_credentials_that_are_not_there_are_refused_with_a_sentence() -> None:
    with pytest.raises(ValidationError, match="there is none of that name"):
        Settings(nats_url="nats://localhost:4222", nats_credentials="no-such-file")  # pyright: ignore[reportArgumentType]


# What there is


@contextmanager
def available(size: int) -> Iterator[Cluster]:
    """A cluster; without one its tests are skipped, and fail in CI."""
    try:
        with running_cluster(size) as cluster:
            yield cluster
    except Unavailable as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))


@contextmanager
def relaying(office: Office, cluster: Cluster) -> Iterator[Relay]:
    relay = Relay(office.house, cluster.url.split(","))
    relay.start()
    try:
        yield relay
    finally:
        relay.stop()


def at_once() -> float:
    """Seconds that a turn has lasted."""
    return 0.0


def submit(office: Office, count: int) -> None:
    answers_of(office.house.try_all([office.submission(service_id=f"s{n}") for n in range(count)]))


def end(office: Office) -> int:
    return len(office.ledger())


def place(office: Office, organisation: str = "default") -> int:
    chosen = select(followers.c.position).where(followers.c.name == NAME, followers.c.organisation == organisation)
    with office.house.database.read() as connection:
        return connection.execute(chosen).scalar() or 0


def published(office: Office) -> list[Message]:
    """What the stream is to hold: every event of the ledger once, in order."""
    return [message_of(one) for one in office.ledger()]


def message_of(envelope: Envelope) -> Message:
    return Message(subject_of(envelope), f"{envelope.organisation}:{envelope.sequence}", cloud_event(envelope))


def lagging(office: Office) -> int:
    with office.house.database.read() as connection:
        return relay.lag(connection)


@asynccontextmanager
async def connected(cluster: Cluster) -> AsyncIterator[Client]:
    async def say_nothing(_: Exception) -> None: ...

    client = await nats.connect(cluster.url.split(","), error_cb=say_nothing, connect_timeout=1)
    try:
        yield client
    finally:
        await client.close()


async def stored(cluster: Cluster) -> list[Message]:
    """Everything in the stream, in its order."""
    async with connected(cluster) as client:
        stream = client.jetstream()
        last = (await stream.stream_info(STREAM)).state.last_seq
        found = [await stream.get_msg(STREAM, sequence) for sequence in range(1, last + 1)]
    return [Message(one.subject, one.headers["Nats-Msg-Id"], one.data.decode()) for one in found]


async def leader_of(cluster: Cluster) -> int:
    async with connected(cluster) as client:
        told = await client.jetstream().stream_info(STREAM)
    assert told.config.num_replicas == 3
    return int(told.cluster.leader.removeprefix("n"))


async def make(cluster: Cluster, stream: StreamConfig) -> None:
    async with connected(cluster) as client:
        await client.jetstream().add_stream(stream)


async def publish(cluster: Cluster, subject: str, body: bytes) -> None:
    async with connected(cluster) as client:
        await client.jetstream().publish(subject, body)


async def clear(cluster: Cluster) -> None:
    async with connected(cluster) as client:
        with suppress(NotFoundError):
            await client.jetstream().delete_stream(STREAM)


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)
