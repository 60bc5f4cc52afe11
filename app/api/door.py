"""The door: who asks, whether they may, and what they say; in the order of the contract, 401 first.

Command routes take the raw request, so that nobody's body is read before their key is known. Refusals are
raised and become problem+json; nothing of the request is ever repeated in them.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar, cast
from uuid import uuid4

import msgspec
from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from app.api import strict_json
from app.api.rate import Rate
from app.api.schemas import Body, must_say, validate
from app.database.prefetch import CommandKey
from app.domain.decider import Fault, Invalid, NotFound, Refused
from app.events.canonical import canonical
from app.events.sealing import fingerprint, token
from app.events.store import Cause, read_stream
from app.operations.desk import Desk
from app.operations.house import House
from app.operations.job import Actor, Answer, Command, Idempotency, Job, Show, Withheld
from app.operations.keys import Principal

BODY_LIMIT = 256 * 1024
BATCH_LIMIT = 1024 * 1024

Model = TypeVar("Model", bound=Body)


class Unauthorized(Refused):
    """No key, or none that is known here (401)."""

    code = "unauthorized"


class Forbidden(Refused):
    """The key may not do this (403)."""

    code = "forbidden"


class BodyTooLarge(Refused):
    """More was sent than is taken at once (413)."""

    code = "body-too-large"


class UnsupportedMediaType(Refused):
    """The body is not sent as JSON (415)."""

    code = "unsupported-media-type"


class MalformedRequest(Refused):
    """A header cannot be read (400)."""

    code = "malformed-request"


class RateLimited(Refused):
    """The key has asked too often (429)."""

    code = "rate-limited"


@dataclass(slots=True)
class Mailbox:
    """Carries answers from the writer's thread to the event loop: one wake-up for a whole batch."""

    loop: asyncio.AbstractEventLoop
    _waiting: deque[tuple["asyncio.Future[Answer]", Answer | Exception]]
    _is_scheduled: bool = False

    def post(self, future: "asyncio.Future[Answer]", answer: Answer | Exception) -> None:
        """Called on the writer's thread."""
        self._waiting.append((future, answer))
        if not self._is_scheduled:
            self._is_scheduled = True
            self.loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        self._is_scheduled = False
        while self._waiting:
            future, answer = self._waiting.popleft()
            if future.done():
                continue  # Whoever asked has gone; what was stored stays.
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)


class Door:
    """The way in for requests: one for each app."""

    def __init__(self, house: House) -> None:
        self.house = house
        self._rate = Rate(house.settings.rate)
        self._mailbox: Mailbox | None = None

    async def enter(self, request: Request, scope: str) -> "Visit":
        """The visit of a request whose key has the scope."""
        secret = _secret(request)
        principal = self.house.keys.remembered(secret)
        if principal is None:
            principal = await run_in_threadpool(self.house.keys.recognise, secret)
        return self._admit(request, principal, scope)

    def look(self, request: Request, scope: str, *instead: str) -> "Visit":
        """The same for routes that run in a thread. `instead`: scopes that let a key in as well."""
        return self._admit(request, self.house.keys.recognise(_secret(request)), scope, *instead)

    def _admit(self, request: Request, principal: Principal | None, scope: str, *instead: str) -> "Visit":
        if principal is None:
            raise Unauthorized("Send a key that is valid here as `Authorization: Bearer <key>`.")
        if (why := self.house.withheld.get(principal.organisation)) is not None:
            raise Withheld(why)
        if not any(principal.may(one) for one in (scope, *instead)):
            raise Forbidden(f"This needs a key with the scope {scope}.")
        self.house.keys.note_use(principal)
        if not self._rate.allows(principal.key_id):
            raise RateLimited("This key has asked too often: wait as Retry-After says, then go on more slowly.")
        _refuse_nul(request)
        return Visit(self, request, principal)

    def mailbox(self) -> Mailbox:
        """The event loop's mailbox."""
        loop = asyncio.get_running_loop()
        if self._mailbox is None or self._mailbox.loop is not loop:
            self._mailbox = Mailbox(loop, deque())
        return self._mailbox

    async def ask(self, jobs: Sequence[Job]) -> "list[asyncio.Future[Answer]]":
        """Hand jobs to the writer; the futures hold their answers or raise what refused them."""
        mailbox = self.mailbox()
        futures = [mailbox.loop.create_future() for _ in jobs]

        def teller(future: "asyncio.Future[Answer]") -> Callable[[Answer | Exception], None]:
            return lambda answer: mailbox.post(future, answer)

        self.house.writer.put([(job, teller(future)) for job, future in zip(jobs, futures, strict=True)])
        return futures


@dataclass(slots=True)
class Visit:
    """One request that was let in."""

    door: Door
    request: Request
    principal: Principal

    @property
    def organisation(self) -> str:
        """Whose ledger the request is about."""
        return self.principal.organisation

    @property
    def now(self) -> datetime:
        """The current instant."""
        return self.door.house.clock()

    def is_welcome(self) -> bool:
        """Whether the key is still good: for answers that go on."""
        return self.door.house.keys.recognise(_secret(self.request)) is not None

    async def pepper(self) -> bytes:
        """What the organisation's tokens hang on."""
        vault = self.door.house.vault
        known = vault.known_pepper(self.organisation)
        return known if known is not None else await run_in_threadpool(self._fetch_pepper)

    def _fetch_pepper(self) -> bytes:
        with self.door.house.database.read() as connection:
            return self.door.house.vault.pepper(connection, self.organisation)

    async def actor(self) -> Actor:
        """Who acts: the key, or the person that a key which acts for people names."""
        ref = self.request.headers.get("forewarn-actor")
        if ref is None:
            return Actor(self.principal.actor)
        if not self.principal.acts_for_people:
            raise Forbidden("This key acts for itself: leave Forewarn-Actor out, or use a key that acts for people.")
        if not (1 <= len(ref) <= 128 and ref.isprintable() and ref.strip()):
            raise MalformedRequest("Forewarn-Actor takes a reference of 1 to 128 visible characters.")
        its_token = token(await self.pepper(), "staff", ref.strip())
        return Actor(f"staff/{its_token}", ref.strip(), its_token)

    @property
    def media_type(self) -> str:
        """What the body is said to be, without parameters; JSON has no charset parameter (RFC 8259): it is UTF-8."""
        return self.request.headers.get("content-type", "").partition(";")[0].strip().lower()

    async def document(self, limit: int = BODY_LIMIT, media_types: Sequence[str] = ("application/json",)) -> object:
        """The request's JSON document, parsed strictly."""
        return strict_json.parse(await self.body(limit, media_types))

    async def body(self, limit: int = BODY_LIMIT, media_types: Sequence[str] = ("application/json",)) -> bytes:
        """The request's body, if it is of one of these types; refused while it streams once it is too large."""
        request = self.request
        if self.media_type not in media_types:
            raise UnsupportedMediaType(f"Send it in UTF-8 as `Content-Type: {'` or `'.join(media_types)}`.")
        if request.headers.get("content-encoding", "identity").lower() != "identity":
            raise UnsupportedMediaType("Send the body as it is, without Content-Encoding.")
        length = request.headers.get("content-length", "0")
        if length.isascii() and length.isdigit() and int(length[:18]) > limit:
            raise _too_large(limit)
        chunks: list[bytes] = []
        size = 0
        try:
            async for chunk in request.stream():
                size += len(chunk)
                if size > limit:
                    raise _too_large(limit)
                chunks.append(chunk)
        except ClientDisconnect:
            raise MalformedRequest("The connection ended before the body did.") from None
        return b"".join(chunks)

    async def read(self, model: type[Model], subject: str | None = None, limit: int = BODY_LIMIT) -> Model:
        """The body as its model. `subject` (a stream): what the path names comes before what the body says.

        Where nothing needs to be said, nothing may be sent.
        """
        headers = self.request.headers
        sends_nothing = headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers
        document: object = {} if sends_nothing and not must_say(model) else await self.document(limit)
        try:
            return validate(model, document, self.now)
        except Invalid:
            if subject is not None:
                await run_in_threadpool(self._must_exist, subject)
            raise

    def _must_exist(self, stream: str) -> None:
        with self.door.house.database.read() as connection:
            if not read_stream(connection, self.organisation, stream):
                raise NotFound("Nothing of that id belongs to this organisation.")

    async def idempotency(self, route: str, document: object) -> Idempotency | None:
        """The request's Idempotency-Key with the keyed hash of what it asks, if it has one."""
        keys = self.request.headers.getlist("idempotency-key")
        if not keys:
            return None
        if len(keys) > 1 or not (1 <= len(keys[0]) <= 255 and all("!" <= one <= "~" for one in keys[0])):
            raise MalformedRequest("Idempotency-Key takes 1 to 255 visible ASCII characters, once.")
        hashed = fingerprint(await self.pepper(), canonical(document))
        return Idempotency(CommandKey(self.organisation, self.principal.key_id, route, keys[0]), hashed)

    def if_match(self) -> int | None:
        """The version that If-Match names; `*` and none ask for nothing."""
        wanted = self.request.headers.get("if-match")
        if wanted is None or wanted.strip() == "*":
            return None
        number = wanted.strip().removeprefix("W/").strip('"')
        return int(number) if number.isascii() and number.isdigit() and len(number) < 16 else -1

    async def command(
        self,
        subject: str,
        run: Callable[[Desk, Cause], None],
        show: Show,
        document: object,
        *,
        status: int = 200,
        command_id: str | None = None,
        beside: Callable[[], Mapping[str, Any]] | None = None,
    ) -> Response:
        """Have a command carried out, and answer with its subject; `beside`: what is read once it is stored."""
        request = self.request
        idempotency = None
        if request.method == "POST":
            idempotency = await self.idempotency(f"{request.method} {request.url.path}", document)
        job = Command(
            self.organisation,
            command_id or str(uuid4()),
            await self.actor(),
            subject,
            run,
            show,
            status,
            idempotency,
        )
        (future,) = await self.door.ask([job])
        answer = await future
        if beside is not None:
            answer = replace(answer, body={**answer.body, **await run_in_threadpool(beside)})
        return answered(answer)


def answered(answer: Answer, location: str | None = None) -> Response:
    """The response of an answer: JSON, its version as ETag, and whether it was given before."""
    headers: dict[str, str] = {}
    if "version" in answer.body:
        headers["ETag"] = f'"{answer.body["version"]}"'
    if location is not None and answer.status == 201:
        headers["Location"] = location
    if answer.replayed:
        headers["Idempotency-Replayed"] = "true"
    return shown(answer.body, answer.status, headers)


def shown(body: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON response; one that says nothing has no body."""
    if status == 204:
        return Response(status_code=status, headers=headers)
    return Response(msgspec.json.encode(body), status, headers, media_type="application/json")


def door_of(request: Request) -> Door:
    """The app's door."""
    return cast("Door", request.app.state.door)


def _secret(request: Request) -> str:
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret:
        raise Unauthorized("Send a key as `Authorization: Bearer <key>`.")
    return secret.strip()


def _refuse_nul(request: Request) -> None:
    """U+0000 is no text: nothing that is stored can have it in its name, and PostgreSQL does not even look."""
    faults = [
        Fault(f"/path/{name}", "not-text", _NO_NUL) for name, value in request.path_params.items() if "\0" in str(value)
    ]
    if any("\0" in name + value for name, value in request.query_params.multi_items()):
        faults.append(Fault("/query", "not-text", _NO_NUL))
    if faults:
        raise Invalid(*faults)


_NO_NUL = "Take out U+0000 (%00): it is not text."


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"Send at most {limit // 1024} KiB at once: split the request.")
