"""The ledger passed on to NATS JetStream: a follower whose effect stands outside of the database.

Its place moves only past what the stream acknowledged, and after every break the stream itself is asked how far it has
come. So whatever breaks off, and however many processes pass the same events on, the stream has each of them once and
in order. An organisation that cannot be passed on rests; the others go on. What is published is the CloudEvent of the
feed.
"""

import asyncio
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import structlog
from sqlalchemy import Connection, and_, func, select, update

from app.clock import monotonic, stopwatch
from app.database.tables import events, followers, ledgers
from app.events.feed import page
from app.operations.follow import claim
from app.operations.house import House
from app.operations.jetstream import STREAM, Post, is_of_all

NAME = "nats"
"""The follower's name."""
PAGE = 200
POLL = 1.0
PACE = 0.05
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 30.0
"""Seconds until the next try after what failed once, and at most."""
_FINISHING = 2.0

log = structlog.get_logger(__name__)


class OtherLedger(Exception):
    """The stream holds events of an organisation of the same name that are not ours."""


class Relay:
    """Passes every organisation's ledger on, in a thread of its own."""

    def __init__(self, house: House, servers: Sequence[str], credentials: Path | None = None) -> None:
        self._house = house
        self._post = Post(servers, credentials)
        self._resting: dict[str, tuple[float, float]] = {}
        self._stopping = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._woken, self._ended = asyncio.Event(), asyncio.Event()
        self._thread = threading.Thread(target=self.run, name="relay", daemon=True)

    def start(self) -> None:
        """Begin, woken by every commit of this process."""
        self._thread.start()

    def stop(self) -> None:
        """End after the page that is under way."""
        self._stopping.set()
        self._set(self._ended)
        self._set(self._woken)
        if self._thread.is_alive():
            self._thread.join(_FINISHING)

    def run(self) -> None:
        """Pass on until told to stop; what fails is tried again, ever more slowly, and nothing is lost by it."""
        with asyncio.Runner() as runner:
            self._loop = runner.get_loop()
            leave = self._house.bell.listen(lambda: self._set(self._woken))
            pause = FIRST_PAUSE
            while not self._stopping.is_set():
                try:
                    self.once(runner)
                except Exception:
                    log.warning("relay.failed", again_in_seconds=pause, exc_info=True)
                    self._post.doubt()
                    runner.run(_waited(self._ended, pause))
                    pause = min(2 * pause, LONGEST_PAUSE)
                else:
                    pause = FIRST_PAUSE
                    runner.run(self._rest())
            leave()
            runner.run(self._post.close())

    def _set(self, event: asyncio.Event) -> None:
        """From any thread; a loop that has ended wakes nobody."""
        with suppress(RuntimeError):
            if self._loop is not None:
                self._loop.call_soon_threadsafe(event.set)

    async def _rest(self) -> None:
        await _waited(self._ended, PACE)
        await _waited(self._woken, POLL)
        self._woken.clear()

    def once(self, runner: asyncio.Runner) -> None:
        """Pass on what there is, a page of each organisation in turn; raises what concerns all of them."""
        while not self._stopping.is_set() and (behind := self._awake()):
            moved = 0
            for organisation in behind:
                runner.run(self._post.open())
                try:
                    moved += self._step(runner, organisation)
                except Exception as error:
                    if is_of_all(error):
                        raise
                    pause = self._let_rest(organisation)
                    log.warning("relay.failed", organisation=organisation, again_in_seconds=pause, exc_info=True)
                else:
                    self._resting.pop(organisation, None)
            if not moved:
                return

    def _awake(self) -> list[str]:
        """Those behind, without those that rest after what failed."""
        now = monotonic()
        return [one for one in self._behind() if self._resting.get(one, (now, 0.0))[0] <= now]

    def _let_rest(self, organisation: str) -> float:
        """What failed for one organisation is tried again, ever more slowly; returns the seconds until then."""
        _, before = self._resting.get(organisation, (0.0, FIRST_PAUSE / 2))
        pause = min(2 * before, LONGEST_PAUSE)
        self._resting[organisation] = (monotonic() + pause, pause)
        self._post.forget(organisation)
        return pause

    def _behind(self) -> list[str]:
        """The organisations whose ledgers have gone on."""
        place = followers.c.position
        reached = and_(followers.c.organisation == ledgers.c.organisation, followers.c.name == NAME)
        chosen = (
            select(ledgers.c.organisation)
            .outerjoin(followers, reached)
            .where((place < ledgers.c.position) | (place.is_(None) & (ledgers.c.position > 0)))
            .order_by(ledgers.c.organisation)
        )
        with self._house.database.read() as connection:
            return [one for one in connection.execute(chosen).scalars() if one not in self._house.withheld]

    def _step(self, runner: asyncio.Runner, organisation: str) -> bool:
        """One page of an organisation; returns whether its place has moved."""
        elapsed = stopwatch()  # Of the whole turn: what was seen at its beginning may not be so any more.
        with self._turn(organisation) as turn:
            if turn is None:
                return False
            place, move = turn
            known = runner.run(self._post.known(organisation))
            if known is not None:
                place = self._agreed(organisation, place, *known)
            with self._house.database.read() as connection:
                found = page(connection, organisation, place, PAGE).events
            if found:
                place = runner.run(self._post.send(found, elapsed))
            move(place)
            return True

    @contextmanager
    def _turn(self, organisation: str) -> Generator[tuple[int, Callable[[int], None]] | None]:
        """The follower's place and what moves it; None while another process has its turn.

        Where one process serves there is no other, and a transaction that waits for a network would stop its writer.
        """
        database = self._house.database
        if database.dialect == "sqlite":
            with database.write() as connection:
                place = claim(connection, organisation, NAME, wait=True)

            def move(place: int) -> None:
                with database.write() as connection:
                    _move(connection, organisation, place)

            yield None if place is None else (place, move)
            return
        with database.write() as connection:
            place = claim(connection, organisation, NAME, wait=False)
            yield None if place is None else (place, lambda place: _move(connection, organisation, place))

    def _agreed(self, organisation: str, place: int, reached: int, event_id: str) -> int:
        """The place to go on from when the stream has come to a sequence; `OtherLedger` if not with our event."""
        chosen = select(events.c.event_id).where(events.c.organisation == organisation, events.c.sequence == reached)
        with self._house.database.read() as connection:
            ours = connection.execute(chosen).scalar()
        if ours != event_id:
            raise OtherLedger(
                f"The stream {STREAM} has another event {reached} of an organisation {organisation}: "
                "give each database a NATS account of its own, and begin a new stream after a restore."
            )
        return max(place, reached)


def relay_of(house: House) -> Relay | None:
    """The relay that the settings ask for."""
    settings = house.settings
    if not settings.nats_servers:
        return None
    return Relay(house, settings.nats_servers, settings.nats_credentials)


def lag(connection: Connection) -> int:
    """How many events the furthest organisation has that are not passed on yet."""
    reached = and_(followers.c.organisation == ledgers.c.organisation, followers.c.name == NAME)
    behind = func.max(ledgers.c.position - func.coalesce(followers.c.position, 0))
    return connection.execute(select(behind).select_from(ledgers).outerjoin(followers, reached)).scalar() or 0


def _move(connection: Connection, organisation: str, place: int) -> None:
    connection.execute(
        update(followers)
        .where(followers.c.organisation == organisation, followers.c.name == NAME)
        .values(position=place)
    )


async def _waited(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
