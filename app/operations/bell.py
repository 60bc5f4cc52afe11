"""Rings after every commit of this process. Whoever listens is woken, not told what for: it looks for itself."""

from collections.abc import Callable
from contextlib import suppress


class Bell:
    """Listeners come and go on any thread; a ring calls each of them on the writer's, so they only set a flag."""

    def __init__(self) -> None:
        self._listeners: tuple[Callable[[], None], ...] = ()

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Have it called from now on; returns what ends that."""
        self._listeners = (*self._listeners, listener)

        def leave() -> None:
            self._listeners = tuple(one for one in self._listeners if one is not listener)

        return leave

    def ring(self) -> None:
        """Wake everybody; one that cannot be woken (its event loop has ended) keeps nobody else asleep."""
        for listener in self._listeners:
            with suppress(RuntimeError):
                listener()
