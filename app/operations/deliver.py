"""Messages are sent: what the ledger owes is taken, signed, posted, and how it fared is written down.

A message is owed if its event is in the ledger, and it is sent until somebody takes it; so it may arrive twice, under
the same id, but never not at all. Who dies between the POST and its record sends again; who cannot record keeps what it
knows until it can. One turn does for all messages what one message needs: what has come back is written down and what
is due is taken in the same transaction, and sending itself waits for nobody.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from uuid import uuid4

import structlog
from sqlalchemy import Connection, and_, func, select
from sqlalchemy.exc import DBAPIError

from app.clock import monotonic, system_clock
from app.database.tables import followers, ledgers, webhook_endpoints
from app.domain.delivery import outcome
from app.operations import unreached
from app.operations.fared import Recorded, Tried, record
from app.operations.follow import step
from app.operations.house import House
from app.operations.job import Command, Unavailable
from app.operations.letters import Letters, Sending
from app.operations.outside import networks_of
from app.operations.owed import Live, Owed, due_ids, live_endpoints, release, take, take_stock
from app.operations.posting import Outside, Posted
from app.operations.postman import Postman
from app.operations.rooms import Rooms
from app.operations.superseding import is_called_for, supersede

FOLLOWER = "deliveries"
PATIENCE = 0.25
"""Seconds between looks when nothing wakes the sender."""
IDLE = 0.1
"""Seconds between looks for an endpoint while there is none: what is written wakes nobody then."""
PACE = 0.02
"""Seconds between two turns: what comes meanwhile is done together."""
LOOKING_AFTER = 1.0
"""Seconds between two looks at what has been failing."""
_FIRST_STOCK = 100
"""Attempts after which the database is told of its tables; then each time that they have doubled."""
_FINISHING = 2.0
_ANSWERING = 10.0
NOT_MADE = "not-made: The message could not be made: its event or its endpoint can no longer be read."

log = structlog.get_logger(__name__)


class Deliverer:
    """Sends in a thread of `serve`, or of `forewarn worker`; several processes share what is due."""

    def __init__(self, house: House, outside: Callable[[], Outside] | None = None) -> None:
        allowed = networks_of(house.settings.webhook_allow_networks)
        self._house = house
        self._holder = uuid4().hex
        self._letters = Letters(house)
        self._postman: Postman[Sending] = Postman(outside or (lambda: Outside(allowed)), self._take_back)
        self._back: deque[Tried] = deque()
        self._rooms = Rooms()
        self._live: list[Live] = []
        self._followed_up: set[str] = set()
        self._next_look = 0.0
        self._next_stock = _FIRST_STOCK
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="deliverer", daemon=True)
        self._leave: Callable[[], None] = lambda: None

    def start(self, *, alone: bool = False) -> None:
        """Send in a thread of its own, woken by every commit. `alone`: what is on lease was taken by one that died."""
        if alone:
            with self._house.database.write() as connection:
                release(connection)
        self._postman.start()
        self._leave = self._house.bell.listen(self._wake.set)
        self._thread.start()

    def stop(self) -> None:
        """Give up what is under way, within seconds, and hand it back; what has been answered is written down."""
        self._stopping.set()
        self._leave()
        self._wake.set()
        self._postman.stop(_FINISHING)
        if self._thread.is_alive():
            self._thread.join(_FINISHING)

    def once(self) -> bool:
        """One turn; returns whether there was anything to do, so that another one should follow at once."""
        house = self._house
        with house.database.read() as connection:
            self._live = [one for one in live_endpoints(connection) if one.organisation not in house.withheld]
            behind = [one for one in _behind(connection) if one[0] not in house.withheld]
        is_behind = self._follow(behind)
        now, real_now = house.clock(), system_clock()
        if not self._live and not self._back:
            self._look_after(now, real_now)  # Somebody may be asked by one that is held.
            return is_behind
        self._make_room(list(self._back))
        recorded, taken = self._exchange(now, real_now)
        self._send(taken, now, real_now)
        self._follow_up(recorded)
        self._look_after(now, real_now)
        return is_behind or bool(recorded or taken)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                goes_on = self.once()
            except Exception:
                log.warning("deliveries.turn_failed", exc_info=True)
                goes_on = False
                self._stopping.wait(PATIENCE)
            if not self._live and not self._stopping.wait(IDLE):
                continue
            if not goes_on:
                self._wake.wait(PATIENCE)
            self._wake.clear()
            self._stopping.wait(PACE)
        self._hand_back()

    def _hand_back(self) -> None:
        try:
            with self._house.database.write() as connection:
                record(connection, self._holder, list(self._back), self._house.clock())
                release(connection, self._holder)
        except Exception:  # The database is away: the leases run out by themselves.
            log.warning("deliveries.leases_not_handed_back", exc_info=True)

    def _follow(self, behind: Iterable[tuple[str, int]]) -> bool:
        """Owe what was recorded since; returns whether anything is left, as when another worker is at it."""
        house, is_left = self._house, False
        for organisation, end in behind:
            try:
                come_to = step(house.database, house.batches.dialect, house.configurations, organisation, FOLLOWER)
            except DBAPIError:
                raise
            except Exception:  # What is wrong in one organisation's ledger keeps no other's messages back.
                log.exception("deliveries.not_followed", organisation=organisation)
                continue
            is_left = is_left or come_to < end
        return is_left

    def _exchange(self, now: datetime, real_now: datetime) -> tuple[list[Recorded], list[Owed]]:
        """Write down what has come back, and take what is due."""
        database, rooms = self._house.database, self._rooms.of([one.key for one in self._live], monotonic())
        tried = [self._back.popleft() for _ in range(len(self._back))]
        try:
            if not tried and database.dialect == "sqlite":  # Who would only look takes the one lock from nobody.
                with database.read() as connection:
                    if not due_ids(connection, rooms, now, real_now, 1):
                        return [], []
            with database.write() as connection:
                recorded = record(connection, self._holder, tried, now)
                ids = due_ids(connection, rooms, now, real_now, self._rooms.left)
                taken = take(connection, self._holder, ids, now, real_now)
        except BaseException:
            self._back.extendleft(reversed(tried))  # Nobody else knows it.
            raise
        self._make_room(tried)
        for one in taken:
            self._rooms.begin(one, monotonic())
        self._house.sent.attempts += len(recorded)
        self._house.sent.failed += sum(one.outcome != "delivered" for one in recorded)
        return recorded, taken

    def _make_room(self, tried: Iterable[Tried]) -> None:
        """What has come back makes way for others, though it is still to be written down."""
        for one in tried:
            self._rooms.end(one.owed, taken=outcome(one.posted.status_code) == "delivered")

    # What is sent

    def _send(self, taken: Sequence[Owed], now: datetime, real_now: datetime) -> None:
        if not taken:
            return
        try:
            letters = self._letters.write(taken, now, real_now)
        except BaseException:
            for owed in taken:  # Their leases run out, and they are taken again.
                self._rooms.end(owed)
            raise
        written = {one.key[0] for one in letters}
        self._back.extend(Tried(one, now, 0.0, Posted(error=NOT_MADE)) for one in taken if one not in written)
        self._postman.send(letters)

    def _take_back(self, key: Sending, posted: Posted, took: float) -> None:
        self._back.append(Tried(*key, took, posted))
        self._wake.set()

    # What follows

    def _follow_up(self, recorded: Sequence[Recorded]) -> None:
        """Hold what is to be held; what was failing and answers is well again."""
        degraded = {one.key for one in self._live if one.status == "degraded"}
        commands = [command for one in recorded for command in unreached.ended(one)]
        commands += [
            unreached.well_again(one.owed)
            for one in recorded
            if one.outcome == "delivered" and (one.owed.organisation, one.owed.endpoint_id) in degraded
        ]
        self._ask(commands)

    def _look_after(self, now: datetime, real_now: datetime) -> None:
        """See to what has been failing: at most once a second, for it hangs on time and not on what happens."""
        if monotonic() < self._next_look:
            return
        self._next_look = monotonic() + LOOKING_AFTER
        with self._house.database.read() as connection:
            found = unreached.failing(connection, now)
            failing = [one for one in found if one.owed.organisation not in self._house.withheld]
            has_newer = is_called_for(connection)
        if self._house.sent.attempts >= self._next_stock:
            self._next_stock = 2 * max(self._house.sent.attempts, _FIRST_STOCK)
            with self._house.database.write() as connection:
                take_stock(connection)
        if has_newer:
            with self._house.database.write() as connection:
                supersede(connection, now, real_now)
        commands = {one.command_id: one for each in failing for one in unreached.follow_up(each, now)}
        self._followed_up &= commands.keys()
        self._followed_up |= self._ask([one for one in commands.values() if one.command_id not in self._followed_up])

    def _ask(self, commands: Sequence[Command]) -> set[str]:
        """Have commands carried out; returns which were. The others are asked for again when it is seen that they
        should be.
        """
        if not commands:
            return set()
        try:
            answers = self._house.try_all(commands, _ANSWERING)
        except Unavailable:
            return set()
        for command, answer in zip(commands, answers, strict=True):
            if isinstance(answer, Exception):
                log.warning("deliveries.not_followed_up", endpoint_id=command.subject, error=type(answer).__name__)
        told = zip(commands, answers, strict=True)
        return {one.command_id for one, answer in told if not isinstance(answer, Unavailable | TimeoutError)}


def _behind(connection: Connection) -> list[tuple[str, int]]:
    """Where something happened that is not owed yet, and the ledger's end; only where anybody wants to hear of it."""
    mine = and_(followers.c.organisation == ledgers.c.organisation, followers.c.name == FOLLOWER)
    chosen = (
        select(ledgers.c.organisation, ledgers.c.position)
        .outerjoin(followers, mine)
        .where(
            ledgers.c.organisation.in_(select(webhook_endpoints.c.organisation)),
            ledgers.c.position > func.coalesce(followers.c.position, 0),
        )
        .order_by(ledgers.c.organisation)
    )
    return [(one[0], one[1]) for one in connection.execute(chosen)]
