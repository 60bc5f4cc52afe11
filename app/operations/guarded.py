"""Connections to somebody we do not know: only to addresses that were judged, and only so much is read of each answer.

A name is resolved once for each connection, every address of the answer is judged, and the connection goes to an
address that was judged; a second question could be answered otherwise. Where TLS is to be spoken nothing is read before
it is. What is no part of an answer is never read as one, and the connection over which it came is used no more.
"""

# ruff: noqa: ASYNC109 - httpcore hands its timeouts on so.

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from ipaddress import ip_address
from typing import Any, Self, SupportsIndex

import httpcore2
import structlog

from app.operations.outside import Address, Networks, NotAllowed, Where, judge_answer

CONNECTING = 5.0
"""Seconds to resolve a name and connect; and again, to shake hands."""
HEAD_AT_MOST = 32 * 1024
"""Bytes that are read of one answer, interim answers and headers included."""
_TRIED_ADDRESSES = 4

log = structlog.get_logger(__name__)

Resolver = Callable[[str, int], list[str]]
"""The addresses of a name, for a port; blocks, and raises OSError where there are none."""


class NameNotResolved(Exception):
    """Nobody knows the name, or the answer takes too long."""


class TooMuch(httpcore2.ReadError):
    """The head of an answer does not end."""


class Unasked(httpcore2.ReadError):
    """Something came before anything was asked."""


def resolve(host: str, port: int) -> list[str]:
    """Ask the system's resolver."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[4][0]) for address in found]


class Lookups:
    """Asks the resolver in threads that nobody waits for longer than the time to connect, nor the process when it ends.

    Who asks for a name that is being asked for gets the same answer: a server that does not answer holds one thread.
    """

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._asked: dict[tuple[str, int], asyncio.Future[list[str]]] = {}

    async def addresses(self, host: str, port: int) -> list[Address]:
        asked = self._asked.get((host, port)) or self._ask(host, port)
        return [ip_address(address) for address in dict.fromkeys(await asyncio.shield(asked))]

    def _ask(self, host: str, port: int) -> asyncio.Future[list[str]]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[str]] = loop.create_future()

        def tell(answer: list[str] | Exception) -> None:
            if future.done():
                return
            if isinstance(answer, Exception):
                future.set_exception(answer)
                future.exception()  # Seen, though whoever asked may have given up.
            else:
                future.set_result(answer)

        def look() -> None:
            try:
                answer: list[str] | Exception = self._resolver(host, port)
            except Exception as error:  # noqa: BLE001 - Who asked is told; also of a name that no resolver takes.
                answer = error
            try:
                loop.call_soon_threadsafe(tell, answer)
            except RuntimeError:
                return  # The loop has ended; nobody waits.

        threading.Thread(target=look, name="lookup", daemon=True).start()
        # Not before: when no thread is to be had, nobody else waits for an answer that never comes.
        self._asked[host, port] = future
        future.add_done_callback(lambda _: self._asked.pop((host, port)))
        return future


class Guarded(httpcore2.AsyncNetworkBackend):
    """Connects to addresses that were judged, and to nothing else."""

    def __init__(self, scheme: str, allowed: Networks, lookups: Lookups) -> None:
        self._scheme = scheme
        self._allowed = allowed
        self._lookups = lookups

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Resolve, judge all of the answer, then try it in order within the time."""
        loop = asyncio.get_running_loop()
        until = loop.time() + (timeout or CONNECTING)
        where = Where(self._scheme, host, port, "", None)
        try:
            async with asyncio.timeout_at(until):
                addresses = await self._resolved(host, port)
        except TimeoutError:
            raise NameNotResolved from None
        try:
            judge_answer(where, addresses, self._allowed)
        except NotAllowed as refused:
            # A literal address was judged with its URL; who wrote a name is not told what our resolver knows of it.
            log.warning("guarded.not_allowed", host=host, reason=str(refused))
            raise NotAllowed("The endpoint's name leads to an address that is not allowed.") from None
        tried = addresses[:_TRIED_ADDRESSES]
        failed: tuple[type[Exception], Exception] = (httpcore2.ConnectError, NameNotResolved())
        for left, address in zip(range(len(tried), 0, -1), tried, strict=True):
            try:
                its_share = max(0.01, (until - loop.time()) / left)
                async with asyncio.timeout(its_share):
                    connected = await _connect(address, port)
                    return Silent(connected) if self._scheme == "https" else await Bounded.over(connected)
            except TimeoutError as error:
                failed = httpcore2.ConnectTimeout, error
            except OSError as error:
                failed = httpcore2.ConnectError, error
        raise failed[0] from failed[1]

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore2.AsyncNetworkStream:
        """Nothing of this machine is outside."""
        raise NotAllowed("A webhook goes to no socket of this machine.")

    async def _resolved(self, host: str, port: int) -> list[Address]:
        try:
            return [ip_address(host)]
        except ValueError:
            pass
        try:
            return await self._lookups.addresses(host, port)
        except (OSError, UnicodeError):
            raise NameNotResolved from None


async def _connect(address: Address, port: int) -> socket.socket:
    connection = socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_STREAM)
    try:
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, (str(address), port))
    except BaseException:
        connection.close()
        raise
    return connection


class Silent(httpcore2.AsyncNetworkStream):
    """A connection on which nothing is read or written but TLS: what comes before it is no beginning of an answer."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.AsyncNetworkStream:
        try:
            return await Bounded.over(
                self._connection,
                ssl=ssl_context,
                server_hostname=server_hostname,
                ssl_handshake_timeout=timeout or CONNECTING,
            )
        except OSError as error:
            raise httpcore2.ConnectError from error

    async def aclose(self) -> None:
        self._connection.close()


class _Counting(asyncio.StreamReader):
    """Knows how much of what has come nobody has read."""

    unread = 0

    def feed_data(self, data: Iterable[SupportsIndex]) -> None:
        data = bytes(data)
        self.unread += len(data)
        super().feed_data(data)

    async def read(self, n: int = -1) -> bytes:
        data = await super().read(n)
        self.unread -= len(data)
        return data


class Bounded(httpcore2.AsyncNetworkStream):
    """A connection of which only so much is read for each request, and nothing that is no part of its answer.

    It is read line by line, since a head ends with a line, and so does a body in chunks; a body of a known length is
    told by `expect`. What is left when the answer has ended answers nothing that was asked. No timeouts are needed: one
    deadline stands around everything.
    """

    def __init__(self, reader: _Counting, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._read = b""
        """Read, and not handed on."""
        self._left = HEAD_AT_MOST
        self._body: int | None = None
        self._asking = False

    @classmethod
    async def over(cls, connection: socket.socket, **tls: Any) -> Self:
        """Take over a connection; with `tls`, what `create_connection` wants to know for it."""
        loop = asyncio.get_running_loop()
        reader = _Counting(loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        try:
            transport, _ = await loop.create_connection(lambda: protocol, sock=connection, **tls)
        finally:
            if not isinstance(loop, asyncio.BaseEventLoop):
                # uvloop closes the number itself, and forgets to say so when the other side resets at once. Closed a
                # second time, it would be whatever has that number by then: a database's, or another connection.
                connection.detach()
        return cls(reader, asyncio.StreamWriter(transport, protocol, reader, loop))

    def expect(self, length: int) -> None:
        """So many bytes follow the head."""
        self._body = length

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self._asking = False
        if self._left <= 0:
            raise TooMuch
        try:
            self._read = self._read or await self._reader.read(min(max_bytes, self._left))
        except OSError as error:
            raise httpcore2.ReadError from error
        end = self._read.find(b"\n") + 1 or len(self._read)
        if self._body is not None:
            end = min(self._body, len(self._read))
            self._body -= end
        data, self._read = self._read[:end], self._read[end:]
        self._left -= len(data)
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if not self._asking and self._is_readable():
            await self.aclose()
            raise Unasked
        self._asking = True
        self._body = None
        self._left = HEAD_AT_MOST
        try:
            self._writer.write(buffer)
            await self._writer.drain()
        except OSError as error:
            raise httpcore2.WriteError from error

    async def aclose(self) -> None:
        self._writer.transport.abort()  # What it still has to say is of no interest.

    def get_extra_info(self, info: str) -> Any:
        return self._is_readable() if info == "is_readable" else self._writer.get_extra_info(info)

    def _is_readable(self) -> bool:
        """While nothing is asked: the other side has closed, or says what it should not."""
        return bool(self._read or self._reader.unread) or self._reader.at_eof() or self._writer.is_closing()
