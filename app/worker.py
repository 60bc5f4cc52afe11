"""The worker: one loop that asks due timers, moves followers on and audits; beside it messages are sent, in a loop of
their own, for receivers may be slow. Several processes share the work.

Each round is short, and what it does can be left undone at any point: whoever comes next finds it still to do.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from uuid import uuid4

import structlog

from app.clock import monotonic, system_clock
from app.operations.attending import Attendant
from app.operations.audit import Auditor
from app.operations.deliver import FOLLOWER, Deliverer
from app.operations.follow import PAGE, lagging, step
from app.operations.house import House
from app.operations.pack_building import Pictures
from app.operations.packer import Packer
from app.operations.relay import relay_of
from app.operations.tick import AT_ONCE, release, sweep, tick
from app.projections.inline import UNHURRIED

PATIENCE = 0.25
"""Seconds between looks when nothing wakes the worker."""
EASE = 1.0
"""Seconds between two looks at what is in no hurry: followers whose readers have them catch up, and what follows."""
PACE = 0.1
"""Seconds between two rounds: what is written meanwhile is followed together, and the writer is left to write."""
AUDIT_EVERY = 300.0
_FIRST_AUDIT = 2.0
_AUDITING = 0.1
"""Seconds of a round that an audit takes at most, or a page: due timers need not wait for it."""
_USES_EVERY = 30.0
_FINISHING = 4.0
_HANDING_BACK = 1.0
"""Seconds in which the step that is being taken may end once the worker is to stop, and its leases be handed back."""

log = structlog.get_logger(__name__)


class Worker:
    """Runs in a thread of `serve`, or is all that `forewarn worker` does.

    Without `pictures` it builds no evidence packs.
    """

    def __init__(self, house: House, pictures: Pictures | None = None) -> None:
        self._house = house
        self._holder = uuid4().hex
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self.run, name="worker", daemon=True)
        self._saved_uses = monotonic()
        self._attended = -EASE
        self._attendant = Attendant(house)
        self._auditor = Auditor(house)
        self._deliverer = Deliverer(house)
        self._packer = None if pictures is None else Packer(house, pictures)
        self._relay = relay_of(house)
        self._auditing: Iterator[int] | None = None
        self._next_audit = monotonic() + _FIRST_AUDIT
        self._leave: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Work in a thread of its own, woken by every commit."""
        self._leave = self._house.bell.listen(self._wake.set)
        self._thread.start()
        alone = self._house.settings.dialect == "sqlite"  # It bears one process.
        self._deliverer.start(alone=alone)
        if self._packer is not None:
            self._packer.start(alone=alone)
        if self._relay is not None:
            self._relay.start()

    def stop(self) -> None:
        """Finish the step that is being taken, then end; if it takes too long, hand back what it holds."""
        self._stopping.set()
        self._leave()
        self._wake.set()
        self._deliverer.stop()
        if self._packer is not None:
            self._packer.stop()
        if self._relay is not None:
            self._relay.stop()
        if not self._thread.is_alive():
            return
        self._thread.join(_FINISHING)
        if self._thread.is_alive():
            log.warning("worker.step_left_undone")
            handing_back = threading.Thread(target=self._hand_back, daemon=True)
            handing_back.start()
            handing_back.join(_HANDING_BACK)

    def run(self) -> None:
        """Work until told to stop; what fails is tried again, and nothing is lost by it."""
        while not self._stopping.is_set():
            caught_up = self._try(self.once)
            self._try(self.audit)
            if caught_up and not self._stopping.wait(PACE):
                self._wake.wait(PATIENCE - PACE)
                self._wake.clear()
        self._hand_back()

    def run_until_signalled(self) -> None:
        """Work until SIGTERM or SIGINT."""
        signalled: SimpleQueue[int] = SimpleQueue()  # A handler may interrupt any line; this is safe on every one.
        for one in (signal.SIGTERM, signal.SIGINT):
            signal.signal(one, lambda number, _frame: signalled.put(number))
        self.start()
        signalled.get()
        self.stop()

    def once(self) -> bool:
        """One round; returns whether everything that there was to do is done."""
        house = self._house
        asked = tick(house, self._holder, system_clock())
        with house.database.read() as connection:
            # What is owed is followed by who sends it, at once; two would only wait for each other.
            behind = [one for one in lagging(connection) if one[1] != FOLLOWER and one[0] not in house.withheld]
        at_ease = monotonic() - self._attended < EASE
        for organisation, name, events in behind:
            if not (at_ease and name in UNHURRIED and events <= PAGE):
                step(house.database, house.batches.dialect, house.configurations, organisation, name)
        if not at_ease:
            self._attended = monotonic()
            self._attendant.attend()
        if monotonic() - self._saved_uses > _USES_EVERY:
            self._saved_uses = monotonic()
            house.keys.save_uses()
        return asked < AT_ONCE and all(events <= PAGE for _, _, events in behind)

    def audit(self) -> bool:
        """Go on with the audit that is under way, or begin one when it is time; returns whether none is left to do."""
        if self._auditing is None:
            if monotonic() < self._next_audit:
                return True
            self._next_audit = monotonic() + AUDIT_EVERY
            sweep(self._house, system_clock())
            self._auditing = self._auditor.audit(system_clock())
        going_on, self._auditing = self._auditing, None  # One that fails is not gone on with.
        until = monotonic() + _AUDITING
        for _ in going_on:
            if monotonic() > until:
                self._auditing = going_on
                return False
        return True

    @staticmethod
    def _try(part: Callable[[], bool]) -> bool:
        try:
            return part()
        except Exception:
            log.warning("worker.step_failed", exc_info=True)
            return True

    def _hand_back(self) -> None:
        try:
            release(self._house, self._holder)
        except Exception:  # The database is away: the leases run out by themselves.
            log.warning("worker.leases_not_handed_back", exc_info=True)
