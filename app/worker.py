"""The worker: one loop that lets due timers go and moves followers on. Several processes share the work."""

import signal
import threading
from types import FrameType

import structlog

from app.clock import monotonic
from app.operations.follow import PAGE, lagging, step
from app.operations.house import House
from app.operations.tick import tick

PATIENCE = 0.25
"""Seconds between looks when nothing wakes the worker."""
PACE = 0.1
"""Seconds between two rounds: what is written meanwhile is followed together, and the writer is left to write."""
_USES_EVERY = 30.0

log = structlog.get_logger(__name__)


class Worker:
    """Runs in a thread of `serve`, or is all that `forewarn worker` does."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self.run, name="worker", daemon=True)
        self._saved_uses = monotonic()

    def start(self) -> None:
        """Work in a thread of its own, woken by every commit."""
        self._house.writer.committed = self._wake.set
        self._thread.start()

    def stop(self) -> None:
        """Finish the step that is being taken, then end."""
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(10)

    def run(self) -> None:
        """Work until told to stop; what fails is tried again, and nothing is lost by it."""
        while not self._stopping.is_set():
            try:
                caught_up = self.once()
            except Exception:
                log.warning("worker.step_failed", exc_info=True)
                caught_up = True
            if caught_up and not self._stopping.wait(PACE):
                self._wake.wait(PATIENCE - PACE)
                self._wake.clear()

    def run_until_signalled(self) -> None:
        """Work in this thread until SIGTERM or SIGINT."""

        def stop(_signal: int, _frame: FrameType | None) -> None:
            self._stopping.set()

        for one in (signal.SIGTERM, signal.SIGINT):
            signal.signal(one, stop)
        self.run()

    def once(self) -> bool:
        """One round; returns whether everything that there was to do is done."""
        house = self._house
        tick(house)
        with house.database.read() as connection:
            behind = lagging(connection)
        for organisation, name, _ in behind:
            step(house.database, house.batches.dialect, house.configurations, organisation, name)
        if monotonic() - self._saved_uses > _USES_EVERY:
            self._saved_uses = monotonic()
            house.keys.save_uses()
        return all(events <= PAGE for _, _, events in behind)
