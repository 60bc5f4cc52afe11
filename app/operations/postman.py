"""Carries letters: an event loop in a thread of its own, in which every POST that is under way is a task.

It knows neither the ledger nor the database: it is handed letters and hands back what came of them. When it ends, what
is under way is given up and nothing is handed back for it, so that it is sent again.
"""

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from app.clock import monotonic
from app.operations.posting import Outside, Posted

try:
    from uvloop import new_event_loop
except ImportError:  # Not on Windows.
    from asyncio import new_event_loop

Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class Letter(Generic[Key]):
    """What is to be sent; `key` is the sender's own. The URL may hold a credential."""

    key: Key
    url: str = field(repr=False)
    headers: Mapping[str, str]
    body: bytes


class Postman(Generic[Key]):
    """Sends through an `Outside`, which it opens in its loop; `back` is called in its thread with what came of each."""

    def __init__(self, outside: Callable[[], Outside], back: Callable[[Key, Posted, float], None]) -> None:
        self._open = outside
        self._back = back
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._outside: Outside | None = None
        self._thread = threading.Thread(target=self._run, name="postman", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._loop = new_event_loop()
        self._thread.start()

    def send(self, letters: Sequence[Letter[Key]]) -> None:
        """Send them all, at once; from any thread, once it works."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._begin, letters)

    def stop(self, patience: float) -> None:
        """Give up what is under way."""
        if self._loop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(patience)

    def _run(self) -> None:
        assert self._loop is not None
        asyncio.set_event_loop(self._loop)
        self._outside = self._open()
        try:
            self._loop.run_forever()
            self._loop.run_until_complete(self._give_up())
        finally:
            self._loop.close()

    def _begin(self, letters: Sequence[Letter[Key]]) -> None:
        for letter in letters:
            task = asyncio.ensure_future(self._send(letter), loop=self._loop)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _send(self, letter: Letter[Key]) -> None:
        assert self._outside is not None
        began = monotonic()
        posted = await self._outside.post(letter.url, letter.headers, letter.body)
        self._back(letter.key, posted, monotonic() - began)

    async def _give_up(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._outside is not None:
            await self._outside.aclose()
