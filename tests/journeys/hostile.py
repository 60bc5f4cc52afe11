"""The requests of `bad_inputs.json` as bytes: what no client library would send, over a socket of our own.

The document describes its own format; what is named there and nowhere explained is read as its name says.
"""

import gzip
import http.client
import json
import re
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

CLOSED = 0
"""The status of a connection that was closed without an answer."""
_CHUNK = 64 * 1024
_NOW = re.compile(r"@now([+-])(\d+)([hmd])")
_UNITS = {"h": "hours", "m": "minutes", "d": "days"}


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, and how many seconds it took from the last byte sent, or from the first refusal to read on."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float

    @property
    def document(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it goes over the wire; `body` is sent piece by piece."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: list[bytes]
    is_chunked: bool = False


class Placeholders:
    """What stands in braces: dates, fresh tokens, and what the surroundings know."""

    def __init__(self, known: Mapping[str, str]) -> None:
        self._known = known
        self._now = datetime.now(UTC)

    def fill(self, value: Any) -> Any:
        """The value with every placeholder in it filled, however deep."""
        match value:
            case str():
                return self._text(value)
            case dict():
                return {self._text(name): self.fill(item) for name, item in value.items()}
            case list():
                return [self.fill(item) for item in value]
            case _:
                return value

    def _text(self, text: str) -> str:
        if at := _NOW.fullmatch(text):
            sign = 1 if at[1] == "+" else -1
            moved = self._now + sign * timedelta(**{_UNITS[at[3]]: int(at[2])})
            return moved.isoformat(timespec="seconds").replace("+00:00", "Z")
        text = re.sub(r"\{D-(\d+)\}", lambda days: f"{self._now.date() - timedelta(days=int(days[1]))}", text)
        text = re.sub(r"\{([^{}\s])\*(\d+)\}", lambda run: run[1] * int(run[2]), text)
        text = text.replace("{UNIQUE}", uuid4().hex)
        for name, known in self._known.items():
            text = text.replace("{" + name + "}", known)
        return text


def body_of(said: Mapping[str, Any], valid: dict[str, Any], policy: Callable[[], dict[str, Any]]) -> list[bytes]:
    """The body that a case describes, in pieces."""
    match said["kind"]:
        case "patch":
            return [dumped(patched(valid, said.get("set", {}), said.get("drop", [])))]
        case "token":
            return [with_token(valid, said["field"], said["token"])]
        case "text":
            return [said["text"].encode("utf-8", "surrogatepass")]
        case "json":
            return [dumped(valid_in(said["json"], valid))]
        case "gen":
            return list(generated(said, valid, policy))
        case unknown:
            raise AssertionError(f"unknown kind of body {unknown}")


def generated(said: Mapping[str, Any], valid: dict[str, Any], policy: Callable[[], dict[str, Any]]) -> Iterator[bytes]:
    match said["what"]:
        case "text_field":
            text = said.get("prefix", "") + said["unit"] * said["repeat"] + said.get("suffix", "")
            yield dumped({**valid, said["field"]: text})
        case "token_repeat":
            token = said.get("prefix", "") + said["unit"] * said["repeat"] + said.get("suffix", "")
            yield with_token(valid, said["field"], token)
        case "dup_key":
            rest = {name: value for name, value in valid.items() if name != said["field"]}
            members = [f"{json.dumps(said['field'])}:{value}" for value in said["values"]]
            yield ("{" + ",".join([*members, dumped(rest)[1:].decode()])).encode()
        case "nest":
            depth = said["depth"]
            yield with_token(valid, said["field"], said["open"] * depth + said.get("inner", "") + said["close"] * depth)
        case "many_keys":
            yield dumped({**valid, said["field"]: {f"k{n}": n for n in range(said["n"])}})
        case "raw_bytes_field":
            written = said.get("bytes", said.get("hex", ""))
            raw = bytes(written) if isinstance(written, list) else bytes.fromhex(written)
            before, after = dumped({**valid, said["field"]: "@@"}).split(b"@@")
            yield before + raw + after
        case "valid_encoded":
            yield json.dumps(valid).encode(said["encoding"])
        case "valid_twice":
            yield dumped(valid) * 2
        case "repeat":
            yield (said.get("prefix", "") + said["unit"] * said["repeat"] + said.get("suffix", "")).encode()
        case "multipart":
            boundary = said.get("boundary", "boundary")
            part = f'--{boundary}\r\nContent-Disposition: form-data; name="report"\r\n\r\n'
            yield part.encode() + dumped(valid) + f"\r\n--{boundary}--\r\n".encode()
        case "crlf_preamble":
            yield b"\r\n" * said.get("repeat", 1) + dumped(valid)
        case "gzip_bomb":
            yield gzip.compress(bytes(said["bytes"]), 9)
        case "chunked_stream":
            for _ in range(0, said["bytes"], _CHUNK):
                yield b" " * _CHUNK
        case "batch":
            yield dumped({"items": list(batch_items(said, valid))})
        case "ce_batch":
            yield dumped([cloud_event(valid) for _ in range(said["repeat"])])
        case "policy":
            yield dumped({"policy": policy_with(said, policy())})
        case unknown:
            raise AssertionError(f"unknown way to make a body {unknown}")


def batch_items(said: Mapping[str, Any], valid: dict[str, Any]) -> Iterator[Any]:
    padded = {**valid, "narrative": valid["narrative"].ljust(said["pad"], "x")} if "pad" in said else valid
    for patch in said.get("patches") or [{}] * said["repeat"]:
        yield None if patch == "@null" else {**padded, **patch}


def cloud_event(valid: dict[str, Any]) -> dict[str, Any]:
    named = {"specversion": "1.0", "id": f"ce-{uuid4().hex}", "source": "urn:emar:site-1"}
    return {**named, "type": "care.near_miss.reported.v1", "data": valid}


def policy_with(said: Mapping[str, Any], policy: dict[str, Any]) -> dict[str, Any]:
    first, *rest = policy["rules"]
    first = {**first, **said.get("rule", {})}
    rules = [first, first, *rest] if said.get("twice") else [first, *rest]
    return {**policy, "rules": rules, **said.get("top", {})}


def patched(valid: dict[str, Any], laid_over: Mapping[str, Any], dropped: list[str]) -> dict[str, Any]:
    return {name: value for name, value in {**valid, **laid_over}.items() if name not in dropped}


def with_token(valid: dict[str, Any], field: str, token: str) -> bytes:
    """The field's value as raw JSON, whatever it says."""
    return dumped({**valid, field: "@@"}).replace(b'"@@"', token.encode("utf-8", "surrogatepass"))


def valid_in(document: Any, valid: dict[str, Any]) -> Any:
    match document:
        case "@valid":
            return valid
        case dict():
            return {name: valid_in(value, valid) for name, value in document.items()}
        case list():
            return [valid_in(item, valid) for item in document]
        case _:
            return document


def dumped(document: Any) -> bytes:
    return json.dumps(document).encode()


def header_lines(said: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in said.items():
        match value:
            case str():
                yield name, value
            case {"gen": text, "repeat": repeat}:
                yield name, text + value["pad"] * repeat if "pad" in value else text * repeat
            case int() if name == "$many":
                yield from ((f"X-Many-{n}", "x") for n in range(value))
            case [str(twice), *values] if name == "$dup":
                yield from ((twice, one) for one in values)
            case _:
                raise AssertionError(f"unknown header {name}")


# Over the wire


def send(address: tuple[str, int], request: Request) -> Reply:
    """Send the request, and read what comes even when the service stops reading before the end."""
    lines = [f"{request.method} {request.target} HTTP/1.1", f"Host: {address[0]}:{address[1]}"]
    lines += [f"{name}: {value}" for name, value in request.headers]
    if request.is_chunked:
        lines.append("Transfer-Encoding: chunked")
    elif request.body or request.method in {"POST", "PUT", "PATCH"}:
        lines.append(f"Content-Length: {sum(map(len, request.body))}")
    head = "\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1")
    return exchange(address, [head, *framed(request)], request.method)


def framed(request: Request) -> Iterator[bytes]:
    if not request.is_chunked:
        yield from request.body
        return
    for piece in request.body:
        yield f"{len(piece):x}\r\n".encode() + piece + b"\r\n"
    yield b"0\r\n\r\n"


def exchange(address: tuple[str, int], pieces: list[bytes], method: str, *, half_close: bool = False) -> Reply:
    with socket.create_connection(address, timeout=10) as connection:
        try:
            for piece in pieces:
                connection.sendall(piece)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass  # It has refused already: what it said is still to be read.
        began = time.monotonic()
        response = http.client.HTTPResponse(connection, method=method)
        try:
            response.begin()
            body = response.read()
        except (http.client.HTTPException, ConnectionError):
            return Reply(CLOSED, {}, b"", time.monotonic() - began)
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Reply(response.status, headers, body, time.monotonic() - began)
