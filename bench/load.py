"""A load generator that costs little: preformatted requests, keep-alive, one read and one write a request.

It runs in a process of its own and shares two cores with what it measures, so an ordinary client would be most of
the measurement. Every answer's status is looked at; its body is counted by Content-Length and thrown away.
"""

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import cast

import uvloop

from bench.submissions import bodies


class Client(asyncio.Protocol):
    """One connection in a closed loop: the next request goes out when the last answer is whole."""

    def __init__(self, requests: Iterator[bytes], statuses: Counter[str], latencies: list[float]) -> None:
        self._requests = requests
        self._statuses = statuses
        self._latencies = latencies
        self._transport: asyncio.Transport | None = None
        self._begun = 0.0
        self._due = 0
        self._received = b""
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for `go`."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own class is none by name.

    def go(self) -> None:
        """Send the next request, or end."""
        assert self._transport is not None
        request = next(self._requests, None)
        if request is None:
            self._transport.close()
            if not self.done.done():
                self.done.set_result(None)
            return
        self._begun = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Count an answer in."""
        if not self._due:
            self._received += data
            head, blank, rest = self._received.partition(b"\r\n\r\n")
            if not blank:
                return
            self._received = b""
            self._statuses[head[9:12].decode()] += 1
            low = head.lower()
            start = low.index(b"content-length:") + 15
            self._due = int(low[start : (low.find(b"\r", start) + 1 or len(low) + 1) - 1])
            data = rest
        self._due -= len(data)
        if not self._due:
            self._latencies.append(time.perf_counter() - self._begun)
            self.go()

    def connection_lost(self, exc: Exception | None) -> None:
        """An answer that never came is no answer."""
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("The server closed the connection."))


async def run(port: int, connections: int, requests: list[bytes]) -> dict[str, object]:
    """Send all requests over so many connections; what came of it."""
    loop = asyncio.get_running_loop()
    statuses, latencies, left = Counter[str](), list[float](), iter(requests)
    clients: list[Client] = []
    for _ in range(connections):
        _, client = await loop.create_connection(lambda: Client(left, statuses, latencies), "127.0.0.1", port)
        clients.append(client)
    busy = time.process_time()
    begun = time.perf_counter()
    for client in clients:
        client.go()
    await asyncio.gather(*(client.done for client in clients))
    seconds = time.perf_counter() - begun
    latencies.sort()
    return {
        "rate": len(latencies) / seconds,
        "statuses": statuses,
        "p50_ms": latencies[len(latencies) // 2] * 1000,
        "p99_ms": latencies[len(latencies) * 99 // 100] * 1000,
        "client_busy": (time.process_time() - busy) / seconds,
    }


def main() -> None:
    """Make the requests first, then send them, then say in one line of JSON how it went."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", required=True)
    parser.add_argument("--key", default="")
    parser.add_argument("--connections", type=int, required=True)
    parser.add_argument("--first", type=int, required=True)
    parser.add_argument("--count", type=int, required=True)
    said = parser.parse_args()
    head = f"POST {said.path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {said.key}\r\n"
    head += "Content-Type: application/json\r\nContent-Length: "
    requests = [head.encode() + b"%d\r\n\r\n" % len(body) + body for body in bodies(said.first, said.count)]
    outcome = uvloop.run(run(said.port, said.connections, requests))
    json.dump(outcome, sys.stdout)


if __name__ == "__main__":
    main()
