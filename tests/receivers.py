"""Receivers of webhooks, real ones on real sockets: those that answer as told, and those that wish us harm."""

import asyncio
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from time import monotonic, time
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DEADLINE = 20.0


@dataclass(frozen=True)
class Request:
    """What came in, and when by the wall clock; header names are lower-case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float

    @property
    def webhook_id(self) -> str:
        return self.headers["webhook-id"]


@dataclass(frozen=True)
class Reply:
    status: int = 204
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Misbehaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Answer = Callable[[Request], "Reply | Misbehaviour"]


def accepting(_request: Request) -> Reply:
    return Reply()


class Receiver:
    """Listens on a port of its own; `requests` are those that came, in order."""

    def __init__(self, answer: Answer = accepting, tls: ssl.SSLContext | None = None) -> None:
        self.answer = answer
        self.requests: list[Request] = []
        self.connections = 0
        self.port = 0
        self._tls = tls
        self._changed = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._ready = threading.Event()
        self._serving: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}/hook"

    @property
    def ids(self) -> list[str]:
        return [one.webhook_id for one in self.requests]

    def wait_for(self, is_so: Callable[[list[Request]], bool], seconds: float = DEADLINE) -> list[Request]:
        """The requests, once they are so; fails after a deadline."""
        with self._changed:
            assert self._changed.wait_for(lambda: is_so(self.requests), seconds), [one.path for one in self.requests]
            return list(self.requests)

    def wait_for_count(self, count: int, seconds: float = DEADLINE) -> list[Request]:
        return self.wait_for(lambda requests: len(requests) >= count, seconds)

    def __enter__(self) -> "Receiver":
        self._thread.start()
        assert self._ready.wait(DEADLINE)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(DEADLINE)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._take, "127.0.0.1", 0, ssl=self._tls))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for task in self._serving:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*self._serving, return_exceptions=True))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        self.connections += 1
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError):
                while await self._serve(reader, writer):
                    pass
        finally:
            self._serving.discard(task)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.split("\r\n")
        method, path, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        request = Request(method, path, headers, body, time())
        reply = self.answer(request)
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()
        if not isinstance(reply, Reply):
            await reply(reader, writer)
            return False
        lines = [f"HTTP/1.1 {reply.status} X", f"content-length: {len(reply.body)}"]
        if reply.status == 204:
            lines.pop()
        lines += [f"{name}: {value}" for name, value in reply.headers.items()]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + reply.body)
        await writer.drain()
        return True


# Those that wish us harm. Each goes on until it is cut off.


async def hanging(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Says nothing."""
    await reader.read()


async def dripping(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Says yes, and then a byte every now and then."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
    await _for_ever(writer, b"x", 0.02)


async def dripping_headers(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Never comes to the end of a header."""
    writer.write(b"HTTP/1.1 200 OK\r\nx-long: ")
    await _for_ever(writer, b"x", 0.02)


async def flooding_headers(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One header after the other."""
    writer.write(b"HTTP/1.1 200 OK\r\n")
    await _for_ever(writer, b"x-header: " + b"y" * 1000 + b"\r\n", 0)


async def flooding_1xx(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Promises that an answer will come."""
    await _for_ever(writer, b"HTTP/1.1 102 Processing\r\n\r\n" * 100, 0)


async def dripping_1xx(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The same, without haste."""
    await _for_ever(writer, b"HTTP/1.1 103 Early Hints\r\n\r\n", 0.02)


async def endless(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Says yes, and then a body without end."""
    writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    await _for_ever(writer, b"10000\r\n" + b"z" * 65536 + b"\r\n", 0)


async def babbling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Does not speak HTTP."""
    writer.write(b"SSH-2.0-OpenSSH_9.9\r\n\r\n")
    await reader.read()


async def hanging_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Closes without a word."""
    writer.transport.abort()


async def _for_ever(writer: asyncio.StreamWriter, data: bytes, pause: float) -> None:
    while not writer.is_closing():
        writer.write(data)
        await writer.drain()
        await asyncio.sleep(pause)


# TLS


@dataclass(frozen=True)
class Authority:
    """A certificate authority of the tests' own, and what makes a client trust it."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def new(cls) -> "Authority":
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("authority of the tests")
        certificate = (
            _certificate(name, name, key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_KEY_USAGE, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        return cls(certificate, key)

    def client(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        context.load_verify_locations(cadata=self.certificate.public_bytes(serialization.Encoding.PEM).decode())
        return context

    def server(self, directory: Path, *names: str, valid: timedelta = timedelta(days=1)) -> ssl.SSLContext:
        """A server's context with a certificate for these names and addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            _certificate(_name(names[0]), self.certificate.subject, key, valid)
            .add_extension(x509.SubjectAlternativeName([_alternative(name) for name in names]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        path = directory / f"{names[0]}-{monotonic()}.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context


_KEY_USAGE = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: Any, valid: timedelta = timedelta(days=1)
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=30))
        .not_valid_after(now + valid)
    )


@contextmanager
def receiving(*answers: Answer) -> Iterator[list[Receiver]]:
    """Several receivers at once."""
    receivers = [Receiver(answer) for answer in answers]
    try:
        for one in receivers:
            one.__enter__()
        yield receivers
    finally:
        for one in receivers:
            one.__exit__()
