"""A receiver of webhooks in a process of its own: `/ok` answers at once, `/hang`, `/fail` and `/drip` do as they say.

`GET /arrived` gives what came to `/ok` since it was last asked.
"""

import asyncio
import json
import sys
import time
from datetime import datetime
from typing import Any

import uvloop

OK = b"HTTP/1.1 204 No Content\r\n\r\n"
FAIL = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n"
DRIP = b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n"

arrivals: list[tuple[str, str, float]] = []
"""The path, the near miss, and how many seconds after it was recorded it came."""


class Receiver(asyncio.Protocol):
    """One connection; requests come one after the other."""

    def __init__(self) -> None:
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: Any) -> None:
        """Keep what answers go through."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 : at + 30].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self._buffer) < end + 4 + length:
                return
            body = self._buffer[end + 4 : end + 4 + length]
            self._buffer = self._buffer[end + 4 + length :]
            self._answer(head.split(b" ", 2)[1].decode(), body)

    def _answer(self, path: str, body: bytes) -> None:
        assert self._transport is not None
        match path.split("/")[1]:
            case "ok":
                arrivals.append((path, _said(body, b"near_miss_id"), time.time() - _recorded(body)))
                self._transport.write(OK)
            case "fail":
                self._transport.write(FAIL)
            case "drip":
                self._transport.write(DRIP)
                self._drip()
            case "hang":
                pass
            case _:
                said = json.dumps(arrivals).encode()
                arrivals.clear()
                head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(said)}\r\n\r\n"
                self._transport.write(head.encode() + said)

    def _drip(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"x")
            asyncio.get_running_loop().call_later(0.5, self._drip)


def _said(body: bytes, name: bytes) -> str:
    at = body.find(b'"' + name + b'":"')
    begin = at + len(name) + 4
    return body[begin : body.find(b'"', begin)].decode() if at >= 0 else ""


def _recorded(body: bytes) -> float:
    at = _said(body, b"timestamp")
    return datetime.fromisoformat(at).timestamp() if at else 0.0


async def serve(port: int) -> None:
    """Until the process ends."""
    server = await asyncio.get_running_loop().create_server(Receiver, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
