"""A stranger's reading of the ledger: pages of the feed, server-sent events, and leaves by another's RFC 8785."""

import json
import socket
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Any

import rfc8785

from tests.journeys.ward import Ward

FEED = "/v1/ledger/events"
STREAM = "/v1/ledger/stream"


def feed(ward: Ward, after: int = 0, **parameters: Any) -> list[dict[str, Any]]:
    """All that follows a sequence, asked for page by page until the place stays where it is."""
    found: list[dict[str, Any]] = []
    while True:
        page = ward.get(FEED, after=after, **parameters)
        found += page["items"]
        if page["next_after"] == after:
            return found
        after = page["next_after"]


def leaf_of(event: Mapping[str, Any]) -> str:
    """SHA-256(0x00 ‖ RFC 8785 JSON of the event without `leafhash`), hex."""
    bare = {name: value for name, value in event.items() if name != "leafhash"}
    return sha256(b"\x00" + rfc8785.dumps(bare)).hexdigest()


def messages(lines: Iterable[str]) -> Iterator[dict[str, str]]:
    """Server-sent events as they come, field by field; comments and what has no data are none."""
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        if line == "":
            if "data" in fields:
                yield fields
            fields = {}
        elif name:
            fields[name] = value.removeprefix(" ")


def events(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The CloudEvents of a stream, each under its own id and type."""
    for message in messages(lines):
        event = json.loads(message["data"])
        assert message["id"] == str(event["sequence"])
        assert message["event"] == event["type"]
        yield event


def deaf(address: tuple[str, int], key: str, target: str = STREAM) -> socket.socket:
    """A connection that has asked for the stream, and takes as little of it as its system allows."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    listener.settimeout(20)
    listener.connect(address)
    head = f"GET {target} HTTP/1.1\r\nHost: ward\r\nAuthorization: Bearer {key}\r\n\r\n"
    listener.sendall(head.encode())
    return listener
