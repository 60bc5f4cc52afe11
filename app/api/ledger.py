"""The ledger as CloudEvents: page by page for those who ask, as a stream for those who wait."""

from typing import Annotated, cast

from fastapi import APIRouter, Header, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from app.api.door import MalformedRequest
from app.api.lists import Limit
from app.api.looking import Auditing, Look
from app.api.routes import told
from app.api.schemas.answers import LedgerPage
from app.api.schemas.fields import LARGEST_INTEGER
from app.api.streams import EventStream, Streams
from app.domain.decider import Fault, Invalid
from app.events import feed
from app.events.envelope import cloud_event
from app.events.feed import Page, UnknownType, Wanted
from app.events.store import position

router = APIRouter(prefix="/v1/ledger", tags=["ledger"])
AUDIT = "audit:read"
END = "end"
PAGE = 25
"""Events that a stream reads at once, and holds until they are taken."""

After = Annotated[int, Query(ge=0, le=LARGEST_INTEGER, description="A sequence; what comes after it.")]
Begin = Annotated[
    str,
    Query(
        pattern=r"^([0-9]{1,16}|end)$",
        description="A sequence, from which on it goes on; `end`: only what is recorded from now on.",
    ),
]
Types = Annotated[
    str | None,
    Query(
        max_length=4000,
        description="Only these, separated by commas: `forewarn.near_miss.recorded.v1`, or without the version.",
    ),
]
LastEventId = Annotated[
    str | None,
    Header(alias="Last-Event-ID", description="The `id` that came last; it stands over `after`."),
]
Follow = Annotated[bool, Query(description="`false`: end when the ledger's end is reached.")]


@router.get("/events", **told(AUDIT, LedgerPage))
def read_ledger(look: Auditing, after: After = 0, limit: Limit = 100, types: Types = None) -> Response:
    """The organisation's ledger after a sequence, oldest first.

    Ask on with `after` = `next_after`: nothing is missed and nothing comes twice. There is no more for now once it
    stays what was sent; a page of rare types may be empty before.
    """
    wanted = _wanted(types)
    with look.reader() as reader:
        page = feed.page(reader.connection, look.organisation, after, limit, wanted)
    items = ",".join(map(cloud_event, page.events))  # As stored: every character stands as the leaf has hashed it.
    return Response(f'{{"items":[{items}],"next_after":{page.next_after}}}', media_type="application/json")


@router.get("/stream", **told(AUDIT, problems=["malformed-request"]), response_class=EventStream)
async def stream_ledger(
    look: Auditing,
    request: Request,
    after: Begin = "0",
    types: Types = None,
    follow: Follow = True,
    last_event_id: LastEventId = None,
) -> Response:
    """The same as server-sent events, for as long as you listen: `id` is the sequence, `event` the type.

    After a break go on with `Last-Event-ID`, as every EventSource does by itself. A comment comes after 15 seconds
    without an event.
    """
    wanted = _wanted(types)
    place = await _place(look, after, last_event_id)
    key_id = look.visit.principal.key_id

    def read(place: int) -> Page | None:
        if not look.visit.is_welcome():
            return None
        with look.reader() as reader:
            return feed.page(reader.connection, look.organisation, place, PAGE, wanted)

    return EventStream(cast("Streams", request.app.state.streams), key_id, read, place, follow=follow)


async def _place(look: Look, after: str, last_event_id: str | None) -> int:
    """The sequence after which a stream begins."""
    if last_event_id:
        number = last_event_id.strip()
        if not (number.isascii() and number.isdigit() and len(number) <= 16 and int(number) <= LARGEST_INTEGER):
            raise MalformedRequest("Last-Event-ID takes the `id` of an event of this stream, a whole number.")
        return int(number)
    if after == END:
        return await run_in_threadpool(_end, look)
    if int(after) > LARGEST_INTEGER:
        raise Invalid(Fault("/query/after", "too-large", f"Give a sequence of at most {LARGEST_INTEGER}."))
    return int(after)


def _end(look: Look) -> int:
    with look.reader() as reader:
        return position(reader.connection, look.organisation)


def _wanted(types: str | None) -> list[Wanted]:
    if types is None:
        return []
    try:
        return [feed.wanted(name.strip()) for name in types.split(",")]
    except UnknownType:
        detail = "Name types as docs/events.md lists them, separated by commas: forewarn.near_miss.recorded.v1."
        raise Invalid(Fault("/query/types", "unknown-code", detail)) from None
