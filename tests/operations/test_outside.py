"""Nobody who can name a URL can make the service reach what they may not, or spend more on them than it means to."""

import asyncio
import json
import socket
import struct
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from time import monotonic
from typing import Any

import httpcore2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from app.operations.guarded import Bounded
from app.operations.outside import Networks, judge_address, judge_url, networks_of
from app.operations.posting import KEPT, Outside, Posted
from app.operations.postman import new_event_loop
from tests import receivers
from tests.cases import CASES
from tests.receivers import Authority, Receiver, Reply

VECTORS: dict[str, Any] = json.loads((CASES / "ssrf_vectors.json").read_text(encoding="utf-8"))
HERE = networks_of("127.0.0.0/8")
SHORT = 0.5
ANSWER = b"HTTP/1.1 204 X\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n3\r\na\nb\r\n0\r\n\r\n"
OF_A_LENGTH = b"HTTP/1.1 200 X\r\ncontent-length: 3\r\n\r\na\nb"
Loop = Callable[[], asyncio.AbstractEventLoop]
on_both_loops = pytest.mark.parametrize("loop", [asyncio.new_event_loop, new_event_loop], ids=["asyncio", "ours"])
HEADERS = {"content-type": "application/json", "webhook-id": "msg_1"}


def post(
    url: str,
    *,
    allowed: Networks = HERE,
    names: Callable[[str, int], list[str]] | None = None,
    authority: Authority | None = None,
    deadline: float = 10.0,
    times: int = 1,
    loop: Loop = new_event_loop,
) -> list[Posted]:
    """What came of posting so many times, one after the other, in a loop of its own."""

    async def carry() -> list[Posted]:
        others = {"resolver": names} if names else {}
        outside = Outside(allowed, tls=authority.client() if authority else None, deadline=deadline, **others)
        try:
            return [await outside.post(url, HEADERS, b"{}") for _ in range(times)]
        finally:
            await outside.aclose()

    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(carry())


def code(posted: Posted) -> str:
    return (posted.error or "").partition(":")[0]


# Addresses and URLs


@pytest.mark.parametrize(
    "address", [*VECTORS["deny"], "3fff::1", "2001::1", "2001:2::1", "168.63.129.16", "::", "::8.8.8.8"]
)
def test_an_address_that_is_not_global_is_refused(address: str) -> None:
    assert judge_address(address) is not None


@pytest.mark.parametrize("address", [*VECTORS["allow"], "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"])
def test_an_address_that_is_global_is_not(address: str) -> None:
    assert judge_address(address) is None


@pytest.mark.parametrize("inner", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "192.0.0.8", "224.0.0.1"])
@pytest.mark.parametrize("spelt", ["::ffff:{}", "64:ff9b::{}", "2002:{}::1"])
def test_no_address_hides_in_another(inner: str, spelt: str) -> None:
    if spelt.startswith("2002"):
        octets = ip_address(inner).packed.hex()
        inner = f"{octets[:4]}:{octets[4:]}"

    assert judge_address(spelt.format(inner)) is not None


def test_what_the_operator_names_is_allowed_and_nothing_beside_it() -> None:
    allowed = networks_of("10.1.0.0/16, fd00::/8")

    assert judge_address("10.1.2.3", allowed) is None
    assert judge_address("::ffff:10.1.2.3", allowed) is None
    assert judge_address("fd00::7", allowed) is None
    assert judge_address("10.2.0.1", allowed) is not None
    assert judge_address("fe80::1", allowed) is not None


@given(st.ip_addresses(v=4))
def test_nothing_that_python_holds_for_private_is_let_through(address: Any) -> None:
    if not address.is_global:
        assert judge_address(address) is not None


@given(st.ip_addresses(v=6))
def test_nothing_outside_of_global_unicast_is_let_through(address: Any) -> None:
    if not address.is_global and address.ipv4_mapped is None and address.sixtofour is None:
        assert judge_address(address) is not None


@pytest.mark.parametrize(
    "url",
    [
        *VECTORS["urls_deny"],
        "https://①②⑦.⓪.⓪.①/",
        "https://１２７．０．０．１/",
        "https://127。0。0。1/",
        "https://017700000001/",
        "https://0x7f.1/",
        "https://0/",
        "https://127.0.0.1./",
        "https://[::1]/",
        "https://[fe80::1%25eth0]/",
        "https://[::ffff:169.254.169.254]/",
        "https://[v1.fe80::1]/",
        "https://256.1.1.1/",
        "https://1.2.3.4.5/",
        "https://example.0x7f/",
        "https://api.localhost/",
        "https://LOCALHOST/",
        "https://localhost.localdomain/",
        "https://metadata/",
        "https://metadata.google.internal/",
        "https://printer.local/",
        "https://ex%61mple.org/",
        "https://exämple.org/",
        "https://-x.org/",
        "https://example.org:0/",
        "https://example.org:5a/",
        "https://example.org:99999/",
        "https://example.org/#fragment",
        "https://example.org/\r\nhost: x",
        "https://example.org\\@127.0.0.1/",
        "https://example.org/" + "x" * 2048,
        "https:///hook",
        "//example.org/",
        "http://example.org/",
        "file:///etc/passwd",
        "",
    ],
)
def test_a_url_that_leads_elsewhere_than_it_says_is_refused(url: str) -> None:
    assert judge_url(url) is not None


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org",
        "https://example.org/hook?tenant=7&x",
        "https://EXAMPLE.org.:8443/hook",
        "https://xn--exmple-cua.org/",
        "https://8.8.8.8/",
        "https://[2606:4700::1111]:8443/",
        "https://example.org:443/",
    ],
)
def test_a_url_of_somebody_outside_is_not(url: str) -> None:
    assert judge_url(url) is None


def test_inside_allowed_networks_plain_http_and_local_names_go_too() -> None:
    for url in ("http://127.0.0.1:9000/", "http://localhost:9000/", "http://receiver:9000/", "http://127.1:9000/"):
        assert judge_url(url, HERE) is None

    assert judge_url("http://8.8.8.8/", HERE) is not None
    assert judge_url("https://localhost/", networks_of("10.0.0.0/8")) is not None


# Names


def test_a_name_is_asked_for_once_and_the_connection_goes_to_the_address_that_was_judged() -> None:
    asked: list[str] = []

    def names(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    with Receiver() as receiver:
        (first, second) = post(f"http://hooks.example.org:{receiver.port}/", names=names, times=2)

    assert (first.status_code, first.error) == (204, None)
    assert second.status_code == 204  # Over the connection that is there.
    assert asked == ["hooks.example.org"]
    assert receiver.requests[0].headers["host"] == f"hooks.example.org:{receiver.port}"


def test_a_name_whose_answer_changes_is_judged_at_every_connection() -> None:
    answers = iter((["127.0.0.1"], ["10.0.0.1"]))

    with Receiver(lambda _request: Reply(204, headers={"connection": "close"})) as receiver:
        first, second = post(f"http://hooks.example.org:{receiver.port}/", names=lambda *_: next(answers), times=2)

    assert first.status_code == 204
    assert code(second) == "not-allowed"
    assert receiver.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        ["127.0.0.1", "10.0.0.1"],
        ["10.0.0.1", "127.0.0.1"],
        ["127.0.0.1", "::1"],
        ["8.8.8.8", "127.0.0.1"],  # Plain http goes to allowed networks only.
        [],
    ],
)
def test_one_address_that_is_not_allowed_spoils_the_name(answer: list[str]) -> None:
    with Receiver() as receiver:
        (posted,) = post(f"http://hooks.example.org:{receiver.port}/", names=lambda *_: answer)

    assert code(posted) == "not-allowed"
    assert receiver.connections == 0


def test_who_names_a_host_is_not_told_what_address_our_resolver_knows_of_it() -> None:
    with capture_logs() as logged:
        (posted,) = post("https://hooks.example.org/", names=lambda *_: ["10.1.2.3"])

    assert posted.error == "not-allowed: The endpoint's name leads to an address that is not allowed."
    assert [(one["host"], one["reason"]) for one in logged] == [
        ("hooks.example.org", "The address 10.1.2.3 is private.")
    ]


def test_the_next_address_is_tried_when_one_takes_no_connection() -> None:
    with Receiver() as receiver:
        answer = ["127.77.0.1", "127.0.0.1"]
        (posted,) = post(f"http://hooks.example.org:{receiver.port}/", names=lambda *_: answer)

    assert posted.status_code == 204


def test_a_name_that_nobody_knows_is_told_as_such() -> None:
    def unknown(host: str, _port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, host)

    (posted,) = post("https://hooks.example.org/", names=unknown)

    assert code(posted) == "name-not-resolved"


def test_a_name_server_that_does_not_answer_costs_one_thread_and_the_deadline() -> None:
    asked: list[str] = []
    answers = threading.Event()

    def silent(host: str, _port: int) -> list[str]:
        asked.append(host)
        answers.wait(10)
        return []

    began = monotonic()

    async def carry() -> list[Posted]:
        outside = Outside((), resolver=silent, deadline=SHORT)
        try:
            return await asyncio.gather(*(outside.post("https://hooks.example.org/", HEADERS, b"{}") for _ in range(8)))
        finally:
            answers.set()
            await outside.aclose()

    all_of_them = asyncio.run(carry())

    assert {code(one) for one in all_of_them} == {"timeout"}
    assert len(asked) == 1
    assert monotonic() - began < 4 * SHORT


def test_a_lookup_for_which_no_thread_is_to_be_had_fails_at_once_and_the_next_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def exhausted(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def carry(url: str) -> tuple[Posted, Posted]:
        outside = Outside(HERE, resolver=lambda *_: ["127.0.0.1"], deadline=SHORT)
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", exhausted)
            first = await outside.post(url, HEADERS, b"{}")
        second = await outside.post(url, HEADERS, b"{}")
        await outside.aclose()
        return first, second

    with Receiver() as receiver:
        first, second = asyncio.run(carry(f"http://hooks.example.org:{receiver.port}/"))

    assert (first.status_code, code(first)) == (None, "failed")
    assert second.status_code == 204


# Receivers


def test_a_redirect_to_what_may_not_be_reached_is_not_followed_and_fails() -> None:
    with Receiver() as inside, Receiver() as receiver:
        receiver.answer = lambda _request: Reply(302, headers={"location": inside.url})
        (posted,) = post(receiver.url)

    assert (posted.status_code, code(posted)) == (302, "redirect")
    assert inside.connections == 0


def test_nothing_of_the_environment_is_heeded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text("default login somebody password secret\n", encoding="utf-8")
    monkeypatch.setenv("HOME", str(tmp_path))
    with Receiver() as proxy, Receiver() as receiver:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        monkeypatch.delenv("no_proxy", raising=False)

        (posted,) = post(receiver.url)

    assert posted.status_code == 204
    assert proxy.connections == 0
    assert "authorization" not in receiver.requests[0].headers


@pytest.mark.parametrize(
    ("misbehaves", "told"),
    [
        (receivers.hanging, "timeout"),
        (receivers.dripping, "timeout"),
        (receivers.dripping_headers, "timeout"),
        (receivers.dripping_1xx, "timeout"),
        (receivers.flooding_1xx, "answer-too-large"),
        (receivers.flooding_headers, "answer-too-large"),
        (receivers.babbling, "protocol-error"),
        (receivers.hanging_up, "connection-lost"),
    ],
)
def test_a_receiver_that_wishes_us_harm_costs_little_and_is_told_what_it_does(
    misbehaves: receivers.Misbehaviour, told: str
) -> None:
    deadline = SHORT if told == "timeout" else 10.0

    with Receiver(lambda _request: misbehaves) as receiver:
        tracemalloc.start()  # It is slow, and slower still beside others.
        began = monotonic()
        (posted,) = post(receiver.url, deadline=deadline)
        took, (_, peak) = monotonic() - began, tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert code(posted) == told
    assert took < deadline + 1
    assert peak < 8 * 1024 * 1024


def test_of_a_body_without_end_a_kilobyte_is_read_and_the_connection_is_closed() -> None:
    with Receiver(lambda _request: receivers.endless) as receiver:
        first, second = post(receiver.url, times=2, deadline=5.0)

    assert (first.status_code, first.error) == (200, None)
    assert first.response == "z" * KEPT
    assert second.status_code == 200
    assert receiver.connections == 2


def test_what_an_answer_says_is_kept_as_text_that_controls_nothing() -> None:
    said = b"no \x1b[2J\x00 such\r\ntenant \xff\xe2\x80\xae."

    with Receiver(lambda _request: Reply(404, said)) as receiver:
        (posted,) = post(receiver.url)

    assert posted.response == "no \\x1b[2J\\x00 such\\r\ntenant \ufffd\\u202e."
    assert (posted.status_code, posted.error) == (404, "status: The endpoint answered 404.")


def test_a_port_where_nobody_listens_is_told_as_such() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))

        (posted,) = post(f"http://127.0.0.1:{reserved.getsockname()[1]}/")

    assert code(posted) == "connection-failed"


# Answers that nobody asked for


@on_both_loops
@pytest.mark.parametrize("answer", [ANSWER, OF_A_LENGTH, CHUNKED])
def test_a_connection_is_used_again_after_an_answer_that_ends_where_it_should(answer: bytes, loop: Loop) -> None:
    async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(answer)
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(len(b"{}"))

    with Receiver(lambda _request: answering) as receiver:
        posted = post(receiver.url, times=3, loop=loop)

    assert {one.response for one in posted} == {"" if answer is ANSWER else "a\nb"}
    assert receiver.connections == 1


@on_both_loops
@pytest.mark.parametrize("answer", [ANSWER, OF_A_LENGTH, CHUNKED])
def test_an_answer_glued_to_another_answers_nothing(answer: bytes, loop: Loop) -> None:
    async def gluing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer + ANSWER.removesuffix(b"\r\n"))  # A line that could wait where nobody sees it.
        await reader.readuntil(b"{}")
        writer.write(b"\r\n")
        await reader.read()

    with Receiver(lambda _request: gluing) as receiver:
        posted = post(receiver.url, times=3, loop=loop, deadline=2.0)

    assert all(one.error is None for one in posted)
    assert len(receiver.requests) == receiver.connections == 3


@on_both_loops
def test_an_answer_that_comes_while_nothing_is_asked_answers_nothing(loop: Loop) -> None:
    asked, told = threading.Event(), threading.Event()

    async def repeating(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(ANSWER)
        await asyncio.to_thread(asked.wait, 10)
        writer.write(ANSWER)
        told.set()
        await reader.read()

    async def carry(url: str) -> list[Posted]:
        outside = Outside(HERE, deadline=10.0)
        first = await outside.post(url, HEADERS, b"{}")
        asked.set()
        await asyncio.to_thread(told.wait, 10)
        await asyncio.sleep(0)  # What is there is read.
        second = await outside.post(url, HEADERS, b"{}")
        await outside.aclose()
        return [first, second]

    with Receiver(lambda _request: repeating) as receiver, asyncio.Runner(loop_factory=loop) as runner:
        posted = runner.run(carry(receiver.url))

    assert [one.status_code for one in posted] == [204, 204]
    assert len(receiver.requests) == receiver.connections == 2


@on_both_loops
def test_nothing_is_asked_over_a_connection_on_which_something_waits(loop: Loop) -> None:
    async def carry() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            ours = socket.create_connection(listening.getsockname())
            theirs, _ = listening.accept()
        with theirs:
            ours.setblocking(False)
            bounded = await Bounded.over(ours)
            theirs.sendall(ANSWER)
            async with asyncio.timeout(10):
                while not bounded.get_extra_info("is_readable"):  # noqa: ASYNC110 - It tells nobody.
                    await asyncio.sleep(0)

            with pytest.raises(httpcore2.ReadError):
                await bounded.write(b"POST / HTTP/1.1\r\n\r\n")

            await asyncio.sleep(0)
            theirs.settimeout(10)
            with suppress(ConnectionResetError):
                assert await asyncio.to_thread(theirs.recv, 1) == b""

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(carry())


# TLS


@contextmanager
def interfering(speak: Callable[[socket.socket], None]) -> Iterator[str]:
    """The URL of somebody who speaks as told on each connection, in a thread; it hears when the connection ends."""

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listening.accept()
                connection.settimeout(10)
                with suppress(OSError), connection:
                    speak(connection)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{listening.getsockname()[1]}/hook"
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(10)


@on_both_loops
def test_what_is_said_before_tls_is_no_answer_over_tls(authority: Authority, tmp_path: Path, loop: Loop) -> None:
    context = authority.server(tmp_path, "127.0.0.1")
    heard: list[bytes] = []

    def speak(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        with context.wrap_socket(connection, server_side=True) as encrypted:
            heard.append(encrypted.recv(1024))

    with interfering(speak) as url:
        posted = post(url, authority=authority, times=20, loop=loop)

    assert {(one.status_code, code(one)) for one in posted} == {(None, "tls-failed")}
    assert heard == []


@on_both_loops
@pytest.mark.parametrize("with_tls", [True, False], ids=["TLS", "plain"])
def test_a_connection_that_was_reset_is_closed_once_for_its_number_may_be_another_s_by_then(
    authority: Authority, loop: Loop, with_tls: bool
) -> None:
    tls = {"ssl": authority.client(), "server_hostname": "127.0.0.1"} if with_tls else {}

    async def carry() -> int:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            ours = socket.create_connection(listening.getsockname())
            theirs, _ = listening.accept()
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        theirs.close()
        ours.setblocking(False)
        with suppress(OSError):
            bounded = await Bounded.over(ours, **tls)
            await bounded.aclose()
        for _ in range(10):  # It is let go of within a few turns of the loop.
            await asyncio.sleep(0)
        return ours.fileno()

    with asyncio.Runner(loop_factory=loop) as runner:
        assert runner.run(carry()) == -1


@on_both_loops
def test_a_receiver_that_never_shakes_hands_is_left_at_the_deadline(authority: Authority, loop: Loop) -> None:
    left = threading.Event()

    def speak(connection: socket.socket) -> None:
        with suppress(ConnectionResetError):
            while connection.recv(65536):
                pass
        left.set()

    with interfering(speak) as url:
        (posted,) = post(url, authority=authority, deadline=SHORT / 2, loop=loop)

        assert code(posted) == "timeout"
        assert left.wait(5)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.new()


def test_tls_speaks_to_the_name_although_the_connection_goes_to_the_address(
    authority: Authority, tmp_path: Path
) -> None:
    context = authority.server(tmp_path, "hooks.example.org")
    asked_for: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: asked_for.append(name)

    with Receiver(tls=context) as receiver:
        url = f"https://hooks.example.org.:{receiver.port}/hook"
        (posted,) = post(url, authority=authority, names=lambda *_: ["127.0.0.1"])

    assert (posted.status_code, posted.error) == (204, None)
    assert asked_for == ["hooks.example.org"]


def test_a_certificate_for_an_address_serves_where_the_url_names_the_address(
    authority: Authority, tmp_path: Path
) -> None:
    with Receiver(tls=authority.server(tmp_path, "127.0.0.1")) as receiver:
        (posted,) = post(receiver.url, authority=authority)

    assert posted.status_code == 204


def test_a_certificate_that_does_not_prove_the_name_is_refused(authority: Authority, tmp_path: Path) -> None:
    another = authority.server(tmp_path, "other.example.org")
    expired = authority.server(tmp_path, "hooks.example.org", valid=timedelta(days=-1))
    unknown = Authority.new().server(tmp_path, "hooks.example.org")

    told: list[Posted] = []
    for context in (another, expired, unknown):
        with Receiver(tls=context) as receiver:
            told += post(
                f"https://hooks.example.org:{receiver.port}/", authority=authority, names=lambda *_: ["127.0.0.1"]
            )
            assert receiver.requests == []

    assert [code(one) for one in told] == ["tls-failed"] * 3


def test_a_receiver_that_speaks_no_tls_is_told_so(authority: Authority) -> None:
    with Receiver() as receiver:
        (posted,) = post(f"https://127.0.0.1:{receiver.port}/", authority=authority, deadline=2.0)

    assert code(posted) in {"tls-failed", "timeout", "connection-failed"}
