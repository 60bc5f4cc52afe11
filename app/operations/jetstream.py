"""The way to a stream of NATS JetStream: made when it is not there, published to one event at a time.

Each event goes under the id organisation:sequence, once the one before it was acknowledged. So what was stored without
our hearing of it is known by its id when it comes again, and nothing stands in another order than the ledger's. As ids
are forgotten in time, whoever was held up for long while it had its turn publishes nothing more in it.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from app.events.envelope import Envelope, cloud_event

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.js import JetStreamContext

STREAM = "FOREWARN"
PREFIX = "forewarn"
REPLICAS = 3
REMEMBERS = 600.0
"""Seconds for which a stream that is made here knows the ids of messages."""
LONGEST_TURN = 60.0
"""Seconds after which nothing more is published in a turn; a quarter of what the stream remembers if that is less."""
ACKNOWLEDGED_WITHIN = 2.0
_NOT_CLUSTERED = 10074
_NO_MESSAGE = 10037


class HeldUp(Exception):
    """The turn has lasted so long that another process may have had the next, and the stream have forgotten the ids."""


def is_of_all(error: Exception) -> bool:
    """Whether what failed for one organisation would fail for the next: nobody answers, or the stream is gone."""
    from nats import errors
    from nats.js.errors import NoStreamResponseError, NotFoundError, ServiceUnavailableError

    gone = (NoStreamResponseError, NotFoundError, ServiceUnavailableError, errors.NoRespondersError)
    cut_off = (
        errors.ConnectionClosedError,
        errors.ConnectionDrainingError,
        errors.ConnectionReconnectingError,
        errors.NoServersError,
        errors.OutboundBufferLimitError,
        errors.StaleConnectionError,
    )
    return isinstance(error, (OSError, *gone, *cut_off))  # Every timeout is an OSError.


class Post:
    """The way to the stream; `servers` are its addresses. Everything here happens on one event loop."""

    def __init__(self, servers: Sequence[str], credentials: Path | None = None) -> None:
        self._servers = list(servers)
        self._credentials = credentials
        self._client: Client | None = None
        self._stream: JetStreamContext | None = None
        self._asked: set[str] = set()
        self._longest_turn = LONGEST_TURN

    async def open(self) -> None:
        """Be connected, and have the stream; raises what prevents it."""
        import nats

        if self._client is None or self._client.is_closed:
            self.doubt()
            self._client = await nats.connect(  # pyright: ignore[reportUnknownMemberType]
                self._servers,
                name="forewarn",
                connect_timeout=2,
                max_reconnect_attempts=2,
                reconnect_time_wait=0.2,  # pyright: ignore[reportArgumentType] - seconds, whatever its type says
                error_cb=_quiet,
                user_credentials=None if self._credentials is None else str(self._credentials),
            )
        if self._stream is None:
            self._stream = await self._with_stream(self._client)

    async def _with_stream(self, client: "Client") -> "JetStreamContext":
        from nats.js.api import StreamConfig
        from nats.js.errors import APIError, NotFoundError

        stream = client.jetstream(timeout=ACKNOWLEDGED_WITHIN)  # pyright: ignore[reportUnknownMemberType]
        try:
            found = (await stream.stream_info(STREAM)).config.duplicate_window
            self._longest_turn = min(LONGEST_TURN, (found or REMEMBERS) / 4)
        except NotFoundError:
            self._longest_turn = LONGEST_TURN
            made = StreamConfig(
                name=STREAM, subjects=[f"{PREFIX}.>"], num_replicas=REPLICAS, duplicate_window=REMEMBERS
            )
            try:
                await stream.add_stream(made)  # pyright: ignore[reportUnknownMemberType]
            except APIError as error:
                if error.err_code != _NOT_CLUSTERED:
                    raise
                made.num_replicas = 1
                await stream.add_stream(made)  # pyright: ignore[reportUnknownMemberType]
        return stream

    def doubt(self) -> None:
        """Something went wrong: see anew whether the stream is there, and how far it has come."""
        self._asked.clear()
        self._stream = None

    def forget(self, organisation: str) -> None:
        """Ask anew how far the stream has come with an organisation."""
        self._asked.discard(organisation)

    async def known(self, organisation: str) -> tuple[int, str] | None:
        """Sequence and id of the last event that the stream has of an organisation; None if it was asked already."""
        from nats.js.errors import NotFoundError

        if organisation in self._asked:
            return None
        assert self._stream is not None
        try:
            last = await self._stream.get_last_msg(STREAM, f"{PREFIX}.{_token(organisation)}.>")
        except NotFoundError as error:
            if error.err_code != _NO_MESSAGE:
                raise
            self._asked.add(organisation)
            return None
        event: dict[str, Any] = json.loads(last.data or b"{}")
        reached = int(event["sequence"]), str(event["id"])
        self._asked.add(organisation)
        return reached

    async def send(self, found: Sequence[Envelope], elapsed: Callable[[], float]) -> int:
        """Publish events, each once the one before is acknowledged; returns how far that went.

        Raises when not even the first was. `elapsed`: seconds since the turn began.
        """
        from nats.errors import Error

        assert self._stream is not None
        place = None
        for envelope in found:
            headers = {
                "Nats-Msg-Id": f"{envelope.organisation}:{envelope.sequence}",
                "Content-Type": "application/cloudevents+json",
            }
            body = cloud_event(envelope).encode()
            try:
                if elapsed() > self._longest_turn:
                    raise HeldUp(f"A turn of {elapsed():.0f} s: the next one asks the stream how far it has come.")
                await self._stream.publish(subject_of(envelope), body, ACKNOWLEDGED_WITHIN, STREAM, headers)
            except (Error, OSError, HeldUp):
                if place is None:
                    raise
                self.doubt()
                return place
            place = envelope.sequence
        assert place is not None
        return place

    async def close(self) -> None:
        """Give the connection back."""
        if self._client is not None:
            await self._client.close()


def subject_of(envelope: Envelope) -> str:
    """forewarn.ORGANISATION.STREAM.EVENT; what may not stand in a token of a subject is percent-encoded."""
    return f"{PREFIX}.{_token(envelope.organisation)}.{envelope.type}"


def _token(text: str) -> str:
    return quote(text, safe="").replace(".", "%2E").replace("~", "%7E")


async def _quiet(_error: Exception) -> None:
    """What the client says of its own attempts: the relay tells of each that fails."""
