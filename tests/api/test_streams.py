"""A stream that has nothing to tell says that it is alive; one that cannot read waits."""

import asyncio

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from app.api import streams
from app.api.streams import RETRY, SILENCE, EventStream, Streams
from app.events.feed import Page
from tests.office import opened

QUIET = Page((), 7, True)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HEARTBEAT", "POLL", "PACE"):
        monkeypatch.setattr(streams, name, 0.01)


async def first_pieces(stream: EventStream, count: int) -> list[bytes]:
    """The first so many pieces that it sends; then whoever listened has gone."""
    sent: list[bytes] = []
    gone = asyncio.Event()

    async def send(message: dict[str, object]) -> None:
        if isinstance(body := message.get("body"), bytes) and len(sent) < count:
            sent.append(body)
        if len(sent) == count:
            gone.set()

    async def receive() -> dict[str, str]:
        await gone.wait()
        return {"type": "http.disconnect"}

    async with asyncio.timeout(10):
        await stream({"type": "http", "asgi": {"spec_version": "2.3"}}, receive, send)
    return sent


async def test_a_silent_stream_says_that_it_is_alive(hasty: None, sqlite_url: str) -> None:
    with opened(sqlite_url) as office:
        stream = EventStream(Streams(office.house), "key", lambda _: QUIET, 7, follow=True)

        assert await first_pieces(stream, 3) == [RETRY, SILENCE, SILENCE]


async def test_a_stream_outlives_a_database_that_goes_away(hasty: None, sqlite_url: str) -> None:
    asked: list[int] = []

    def read(place: int) -> Page | None:
        asked.append(place)
        if len(asked) < 3:
            raise OperationalError("SELECT", {}, psycopg.OperationalError("gone"))
        return None

    with opened(sqlite_url) as office:
        stream = EventStream(Streams(office.house), "key", read, 7, follow=True)

        assert (await first_pieces(stream, 9))[0] == RETRY
    assert asked == [7, 7, 7]


async def test_a_stream_that_ended_gives_its_place_back(sqlite_url: str) -> None:
    with opened(sqlite_url, streams_per_key=1) as office:
        held = Streams(office.house)
        for _ in range(3):
            assert await first_pieces(EventStream(held, "key", lambda _: QUIET, 7, follow=True), 1) == [RETRY]
