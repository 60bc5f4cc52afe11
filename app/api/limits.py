"""What is refused before anything reads it: a target or headers that are too long."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from app.api.problems import problem

LONGEST_TARGET = 8 * 1024
MOST_HEADERS = 32 * 1024

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Limits:
    """ASGI middleware, and nothing but two sums on the way of every request."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 414 or 431, or pass the request on."""
        if scope["type"] == "http":
            if len(scope["raw_path"]) + len(scope["query_string"]) > LONGEST_TARGET:
                detail = f"Use a request target of at most {LONGEST_TARGET} bytes."
                refusal = problem("uri-too-long", detail, path=scope["path"])
                await refusal(scope, receive, send)
                return
            if sum(len(name) + len(value) for name, value in scope["headers"]) > MOST_HEADERS:
                detail = f"Send at most {MOST_HEADERS} bytes of headers."
                refusal = problem("headers-too-large", detail, path=scope["path"])
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)
