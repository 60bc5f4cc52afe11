"""One POST to somebody we do not know: what it may reach is judged, and what it may cost is bounded.

No redirect is followed and nothing of the environment (proxies, .netrc) is heeded; TLS speaks to the name in the URL.
One deadline stands around all of it, since a receiver that sends one byte a second breaks no timeout of a read; of what
it answers hardly more is read than is kept.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

import httpcore2

from app.operations.guarded import CONNECTING, Bounded, Guarded, Lookups, NameNotResolved, Resolver, TooMuch, resolve
from app.operations.outside import Networks, NotAllowed, Where, where_of

DEADLINE = 15.0
CONNECTIONS = 16
"""Of one URL: endpoints share none, for whose connection it is says who speaks."""
KEPT = 1024
"""Bytes of an answer's body that are read and kept."""
_IDLE = 4.0
"""Seconds a connection is kept for the next message: less than the five after which common servers close theirs."""


@dataclass(frozen=True, slots=True)
class Posted:
    """What came of a POST: a status when there was an answer, `error` (`code: sentence`) when it was no success."""

    status_code: int | None = None
    error: str | None = None
    response: str | None = None
    retry_after: str | None = None


class Outside:
    """Posts, over connections that it keeps for a moment; belongs to one event loop."""

    def __init__(
        self,
        allowed: Networks = (),
        *,
        resolver: Resolver = resolve,
        tls: ssl.SSLContext | None = None,
        deadline: float = DEADLINE,
    ) -> None:
        self._allowed = allowed
        self._deadline = deadline
        self._lookups = Lookups(resolver)
        self._tls = tls
        self._lines: dict[str, _Line] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Posted:
        """POST once; whatever goes wrong is in what is returned."""
        try:
            line = self._line(url)
            async with line.busy(), asyncio.timeout(self._deadline):
                return await _post(line, headers, body)
        except Exception as error:  # noqa: BLE001 - A stranger may do anything, and it is told below.
            return Posted(error=_told(error))

    async def aclose(self) -> None:
        """Close every connection."""
        for line in self._lines.values():
            await line.pool.aclose()

    def _line(self, url: str) -> "_Line":
        line = self._lines.get(url)
        if line is None:
            where = where_of(url, self._allowed)
            if where.scheme == "https" and self._tls is None:
                self._tls = httpcore2.default_ssl_context()
            pool = httpcore2.AsyncConnectionPool(
                ssl_context=self._tls,
                max_connections=CONNECTIONS,
                keepalive_expiry=_IDLE,
                network_backend=Guarded(where.scheme, self._allowed, self._lookups),
            )
            line = self._lines[url] = _Line(where, pool, lambda: self._forget(url))
        return line

    def _forget(self, url: str) -> None:
        task = asyncio.ensure_future(self._lines.pop(url).pool.aclose())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


@dataclass(slots=True)
class _Line:
    """A URL that was judged, and the connections to it; closed once it has been idle."""

    where: Where
    pool: httpcore2.AsyncConnectionPool
    close: Callable[[], None]
    _open: int = 0
    _closing: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def busy(self) -> AsyncGenerator[None]:
        """While something is under way it stays."""
        self._open += 1
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None
        try:
            yield
        finally:
            self._open -= 1
            if not self._open:
                self._closing = asyncio.get_running_loop().call_later(_IDLE, self.close)


async def _post(line: _Line, headers: Mapping[str, str], body: bytes) -> Posted:
    where = line.where
    request = httpcore2.Request(
        "POST",
        httpcore2.URL(scheme=where.scheme, host=where.host, port=where.port, target=where.target),
        headers={"host": where.authority, **headers, "content-length": str(len(body))},
        content=body,
        extensions={"timeout": {"connect": CONNECTING}},
    )
    answer = await line.pool.handle_async_request(request)
    try:
        _expect(answer)
        kept = bytearray()
        async with aclosing(_chunks(answer)) as chunks:
            async for chunk in chunks:
                kept += chunk
                if len(kept) >= KEPT:
                    break
    finally:
        await answer.aclose()
    retry_after = next((value for name, value in answer.headers if name.lower() == b"retry-after"), None)
    return Posted(
        answer.status,
        _judged(answer.status),
        _readable(bytes(kept[:KEPT])),
        None if retry_after is None else retry_after.decode("latin-1"),
    )


def _expect(answer: httpcore2.Response) -> None:
    """Tell the connection how much of what comes is the answer's body, unless its chunks do."""
    headers = {name.lower(): value for name, value in answer.headers}
    stream = cast("Any", answer).extensions["network_stream"]
    if isinstance(stream, Bounded) and b"content-length" in headers and b"transfer-encoding" not in headers:
        stream.expect(int(headers[b"content-length"]))


def _chunks(answer: httpcore2.Response) -> AsyncGenerator[bytes]:
    return cast("AsyncGenerator[bytes]", aiter(cast("AsyncIterable[bytes]", answer.stream)))


def _judged(status: int) -> str | None:
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        return f"redirect: The endpoint answered {status}, and no redirect is followed."
    return f"status: The endpoint answered {status}."


def _told(error: Exception) -> str:
    """What went wrong, as a code and a sentence for whoever runs the receiver: never where in our code."""
    match error:
        case NotAllowed():
            return f"not-allowed: {error}"
        case NameNotResolved():
            return "name-not-resolved: The endpoint's name has no address, or its name server does not answer."
        case TooMuch():
            return "answer-too-large: The head of the answer does not end."
        case httpcore2.ConnectError() if isinstance(error.__context__, ssl.SSLError):
            return f"tls-failed: {_tls_reason(error.__context__)}"
        case httpcore2.ConnectTimeout():
            return "connect-timeout: The endpoint does not take connections in time."
        case httpcore2.ConnectError():
            return "connection-failed: The endpoint takes no connection."
        case TimeoutError() | httpcore2.TimeoutException():
            return "timeout: The endpoint did not answer in time, or did not end its answer."
        case httpcore2.ProtocolError() if error.__context__ is not None:
            return "protocol-error: The endpoint does not answer in HTTP/1.1."
        case httpcore2.NetworkError() | httpcore2.ProtocolError():
            return "connection-lost: The endpoint closed the connection without an answer."
        case _:
            return f"failed: The message could not be sent ({type(error).__name__})."


def _tls_reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"The endpoint's certificate is not accepted ({error.verify_message})."
    return "The endpoint does not speak TLS as it should."


def _readable(body: bytes) -> str:
    """The body's beginning as text that harms nobody who looks at it: what controls a terminal is spelt out."""
    text = body.decode("utf-8", errors="replace")
    shown = (one if one.isprintable() or one in "\n\t" else one.encode("unicode_escape").decode() for one in text)
    return "".join(shown)[:KEPT]
