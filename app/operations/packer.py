"""Builds evidence packs in a thread of its own, one at a time, so that nothing else of the worker waits for it.

A pack is built into a file of the system's temporary folder that has no name, so that whatever ends the process leaves
nothing of it. What fails for the moment is tried again, what cannot succeed is told; told to stop, it hands back what
it holds, and whoever comes next begins anew.
"""

import tempfile
import threading
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from typing import IO
from uuid import uuid4

import structlog
from sqlalchemy.exc import DBAPIError

from app.clock import monotonic, system_clock
from app.domain import evidence_pack
from app.domain.decider import Refused
from app.domain.evidence_pack import UNASKED
from app.operations.evidence_jobs import (
    MOST_TRIES,
    LeaseLost,
    Taken,
    give_up,
    hand_in,
    put_off,
    release,
    store,
    sweep,
    take,
    tell,
)
from app.operations.house import House
from app.operations.job import Unavailable
from app.operations.pack_building import Pictures, build
from app.operations.pack_case import Case
from app.operations.pack_ledger import LedgerChanged
from app.operations.soundness import ADVICE, damage
from app.proof.pack_format import PackTooLarge

PATIENCE = 0.5
"""Seconds between looks for a pack that is asked for."""
_TELLING = 2.0
"""Seconds between two words on how far a build has come."""
_SWEEPING = 3600.0
_FINISHING = 2.0
_LETTING_BE = timedelta(hours=1)

log = structlog.get_logger(__name__)


class _Stopping(Exception):
    """The process is to end."""


class Packer:
    """Builds packs for one house; `pictures` draws what is drawn a floor above."""

    def __init__(self, house: House, pictures: Pictures) -> None:
        self._house = house
        self._pictures = pictures
        self._holder = uuid4().hex
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="packer", daemon=True)
        self._next_sweep = 0.0
        self._turn: str | None = None

    def start(self, *, alone: bool = False) -> None:
        """Work in a thread of its own. `alone`: what is on lease was taken by one that died."""
        if alone:
            release(self._house)
        self._thread.start()

    def stop(self) -> None:
        """Break off what is being built, and hand it back."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(_FINISHING)

    def once(self, only: str | None = None) -> bool:
        """Build one pack, if any waits (`only`: that one); returns whether there was one."""
        self._sweep()
        taken = take(self._house, self._holder, system_clock(), only, self._turn)
        if taken is None:
            return False
        self._turn = taken.organisation
        try:
            self._build(taken)
        except _Stopping:
            put_off(self._house, taken, system_clock(), timedelta(0), counts=False)
        except LeaseLost:
            log.warning("evidence_pack.lease_lost", organisation=taken.organisation, pack_id=taken.pack_id)
        except PackTooLarge as problem:
            give_up(self._house, taken, str(problem))
        except LedgerChanged as problem:
            give_up(self._house, taken, f"{problem} {ADVICE}")
        except Exception as error:
            if (why := self._damage(taken)) is not None:
                give_up(self._house, taken, f"{why} {ADVICE}")
                return True
            log.warning("evidence_pack.failed", organisation=taken.organisation, pack_id=taken.pack_id, exc_info=True)
            self._try_again(taken, error)
        return True

    def _run(self) -> None:
        while not self._stopping.wait(PATIENCE):
            try:
                while not self._stopping.is_set() and self.once():
                    pass
            except Exception:
                log.warning("evidence_pack.not_looked", exc_info=True)

    def _sweep(self) -> None:
        if monotonic() >= self._next_sweep:
            self._next_sweep = monotonic() + _SWEEPING
            sweep(self._house)

    def _build(self, taken: Taken) -> None:
        house = self._house
        with house.reader(taken.organisation) as reader:
            stream = f"evidence_pack/{taken.pack_id}"
            state = UNASKED
            for one in reader.told([stream])[stream]:
                state = evidence_pack.evolve(state, one.event)
        if state.requested is None:  # Its row is there and its event is not: nothing can be told of it in the ledger.
            log.error("evidence_pack.not_in_the_ledger", organisation=taken.organisation, pack_id=taken.pack_id)
            put_off(house, taken, system_clock(), _LETTING_BE, counts=False)
            return
        if taken.tries > MOST_TRIES:
            give_up(
                house, taken, f"Its building ended {MOST_TRIES} times without a result: see the log of the workers."
            )
            return
        with tempfile.TemporaryFile() as file:
            case = Case(house, taken.organisation, taken.pack_id, state.requested, self._teller(taken))
            members = build(case, file, self._pictures)
            size, digest = _digest(file)
            store(house, taken, file, size, system_clock)
            hand_in(house, taken, size, digest, tuple(members))

    def _teller(self, taken: Taken) -> Callable[[str, int, int], None]:
        said, at = "", 0.0

        def told(what: str, done: int, total: int) -> None:
            nonlocal said, at
            if self._stopping.is_set():
                raise _Stopping
            if what != said or monotonic() - at > _TELLING:
                said, at = what, monotonic()
                tell(self._house, taken, system_clock(), what, done, total)

        return told

    def _damage(self, taken: Taken) -> str | None:
        """What is wrong with the ledger itself: then no further try will succeed."""
        try:
            return damage(self._house, taken.organisation)
        except DBAPIError:  # It cannot be told just now.
            return None

    def _try_again(self, taken: Taken, error: Exception) -> None:
        if isinstance(error, Refused) and not isinstance(error, Unavailable):
            give_up(self._house, taken, str(error))
        elif taken.tries >= MOST_TRIES:
            give_up(self._house, taken, f"It failed {MOST_TRIES} times ({type(error).__name__}): see the log.")
        else:
            put_off(self._house, taken, system_clock(), timedelta(seconds=2**taken.tries), counts=True)


def _digest(file: IO[bytes]) -> tuple[int, str]:
    """Size and SHA-256 of what was written."""
    file.seek(0)
    size, hashed = 0, sha256()
    for data in iter(lambda: file.read(1 << 20), b""):
        size += len(data)
        hashed.update(data)
    return size, hashed.hexdigest()
