"""Answers that go on: server-sent events of the ledger, for as long as somebody listens.

A page is read only once the one before it has been taken, so a reader who takes nothing costs one page of memory and
nobody's time. Every commit of this process wakes the listeners; they look by themselves each second besides, for other
processes write too. The server lets open answers finish before it tells the application to stop: they heed its signal.
"""

import asyncio
import signal
import threading
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from functools import partial

from anyio import CapacityLimiter, to_thread
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from app.api.door import RateLimited
from app.clock import monotonic
from app.database.engine import is_connection_lost
from app.events.envelope import cloud_event, type_of
from app.events.feed import Page
from app.operations.house import House

HEARTBEAT = 15.0
"""Seconds of silence after which a comment says that the stream is alive."""
POLL = 1.0
PACE = 0.1
"""Seconds between two looks at the ledger's end: what is written meanwhile is sent together."""
RETRY = b"retry: 2000\n\n"
"""Milliseconds that a client waits before it comes back."""
SILENCE = b":\n\n"
PIECE = 16 * 1024
READERS = 4
"""Threads in which pages are read: however many listen, routes that read have theirs."""

Read = Callable[[int], Page | None]
"""The page after a sequence; None once whoever listens may no longer."""


class Streams:
    """The open streams of one application: who listens, who wakes them, and when they are to end."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._of_key: Counter[str] = Counter()
        self._listeners: set[asyncio.Event] = set()
        self._readers = CapacityLimiter(READERS)
        self._is_ringing = False
        self.is_closing = False

    @contextmanager
    def open(self) -> Generator[None]:
        """Take listeners until the block ends, or the process is told to stop."""
        loop = asyncio.get_running_loop()

        def ring() -> None:  # On the writer's thread, after every commit.
            if self._listeners and not self._is_ringing:
                self._is_ringing = True
                loop.call_soon_threadsafe(self._wake)

        leave = self._house.bell.listen(ring)
        try:
            with _heeding_signals(partial(loop.call_soon_threadsafe, self.close)):
                yield
        finally:
            leave()
            self.close()

    def close(self) -> None:
        """Have every stream end."""
        self.is_closing = True
        self._wake()

    def _wake(self) -> None:
        self._is_ringing = False
        for listener in self._listeners:
            listener.set()

    @contextmanager
    def listening(self, key_id: str) -> Generator[asyncio.Event]:
        """A place for one more stream of the key, with what wakes it; refused when the key has as many as it may."""
        most = self._house.settings.streams_per_key
        if self._of_key[key_id] >= most:
            raise RateLimited(f"This key has {most} streams open: close one, or share one between those who read it.")
        woken = asyncio.Event()
        self._of_key[key_id] += 1
        self._listeners.add(woken)
        try:
            yield woken
        finally:
            self._listeners.discard(woken)
            self._of_key[key_id] -= 1
            self._of_key += Counter()  # Forgets keys that have none.

    async def read(self, read: Read, place: int) -> Page | None:
        """The page, read in a thread; while the database is away there is none to read and nothing new."""
        try:
            return await to_thread.run_sync(read, place, limiter=self._readers)
        except SQLAlchemyError as error:
            if not is_connection_lost(error):
                raise
            return Page((), place, True)


class EventStream(StreamingResponse):
    """The ledger after a sequence as server-sent events; without `follow`, up to its end as it is now."""

    media_type = "text/event-stream"

    def __init__(self, streams: Streams, key_id: str, read: Read, after: int, *, follow: bool) -> None:
        super().__init__(iter(()), headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._streams = streams
        self._key_id = key_id
        self._read = read
        self._after = after
        self._follow = follow

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream until nobody listens, the key is no longer good, or the service stops."""
        with self._streams.listening(self._key_id) as woken:
            self.body_iterator = self._chunks(woken)
            await super().__call__(scope, receive, send)

    async def _chunks(self, woken: asyncio.Event) -> AsyncGenerator[bytes]:
        yield RETRY
        place, said_at = self._after, monotonic()
        while not self._streams.is_closing:
            woken.clear()
            page = await self._streams.read(self._read, place)
            if page is None:
                return
            place = page.next_after
            if page.events:
                for chunk in _told(page):
                    yield chunk
                said_at = monotonic()
            elif monotonic() - said_at >= HEARTBEAT:
                yield SILENCE
                said_at = monotonic()
            if page.is_last:
                if not self._follow:
                    return
                await _rest(woken)


async def _rest(woken: asyncio.Event) -> None:
    await asyncio.sleep(PACE)
    with suppress(TimeoutError):
        async with asyncio.timeout(POLL - PACE):
            await woken.wait()


def _told(page: Page) -> Iterator[bytes]:
    """Its events as messages, joined into pieces that a connection takes at once."""
    piece = bytearray()
    for envelope in page.events:
        piece += f"id: {envelope.sequence}\nevent: {type_of(envelope)}\ndata: {cloud_event(envelope)}\n\n".encode()
        if len(piece) >= PIECE:
            yield bytes(piece)
            piece.clear()
    if piece:
        yield bytes(piece)


@contextmanager
def _heeding_signals(heed: Callable[[], object]) -> Generator[None]:
    """Have SIGTERM and SIGINT heeded before whoever handles them otherwise; only the main thread may."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    handled = {number: handler for number, handler in before.items() if callable(handler)}

    def handle(number: int, frame: object) -> None:
        heed()
        handled[signal.Signals(number)](number, frame)  # pyright: ignore[reportArgumentType]

    for number in handled:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in handled.items():
            signal.signal(number, handler)
