"""One POST to somebody we do not know: what it may reach is judged, and what it may cost is bounded.

No redirect is followed and nothing of the environment (proxies, .netrc) is heeded; TLS speaks to the name in the URL.
One deadline stands around all of it, since a receiver that sends one byte a second breaks no timeout of a read; of what
it answers hardly more is read than is kept.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import cast

import httpcore2

from app.operations.guarded import CONNECTING, Guarded, Lookups, NameNotResolved, Resolver, TooMuch, resolve
from app.operations.outside import Networks, NotAllowed, Where, where_of

DEADLINE = 15.0
OPEN_AT_MOST = 64
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
        self._pools: dict[str, httpcore2.AsyncConnectionPool] = {}

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Posted:
        """POST once; whatever goes wrong is in what is returned."""
        try:
            where = where_of(url, self._allowed)
            async with asyncio.timeout(self._deadline):
                return await self._post(where, headers, body)
        except Exception as error:  # noqa: BLE001 - A stranger may do anything, and it is told below.
            return Posted(error=_told(error))

    async def aclose(self) -> None:
        """Close every connection."""
        for pool in self._pools.values():
            await pool.aclose()

    async def _post(self, where: Where, headers: Mapping[str, str], body: bytes) -> Posted:
        request = httpcore2.Request(
            "POST",
            httpcore2.URL(scheme=where.scheme, host=where.host, port=where.port, target=where.target),
            headers={"host": where.authority, **headers, "content-length": str(len(body))},
            content=body,
            extensions={"timeout": {"connect": CONNECTING}},
        )
        answer = await self._pool(where.scheme).handle_async_request(request)
        try:
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

    def _pool(self, scheme: str) -> httpcore2.AsyncConnectionPool:
        if scheme not in self._pools:
            self._pools[scheme] = httpcore2.AsyncConnectionPool(
                ssl_context=self._tls,
                max_connections=OPEN_AT_MOST,
                max_keepalive_connections=OPEN_AT_MOST,
                keepalive_expiry=_IDLE,
                network_backend=Guarded(scheme, self._allowed, self._lookups),
            )
        return self._pools[scheme]


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
