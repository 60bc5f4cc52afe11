"""Vendors' payloads as they send them: a mapping says what they are, the rules what they become."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from app.api import problems, strict_json
from app.api.door import UnsupportedMediaType, Visit, answered, door_of, shown
from app.api.looking import Look, looking, refuse_unknown
from app.api.receiving import checked, of_part, receive, receive_all, said_of
from app.api.routes import told
from app.api.schemas.adapters import VendorPayload
from app.api.schemas.answers import AdapterList, EventBatchAnswer, EventTaken, Preview
from app.domain.decider import Fault, Invalid, NotFound, Refused
from app.domain.identifiers import LONGEST, is_identifier
from app.domain.moment import format_instant
from app.domain.reading import without_absent
from app.intake.adapters import MOST_ITEMS, Adapter, Options, PayloadNotUnderstood, apply, each_payload
from app.intake.cloudevents import RawEvent
from app.operations.job import Answer
from app.operations.taking import Incoming, preview

router = APIRouter(prefix="/v1/adapters", tags=["intake"])
WRITE = "near-misses:write"

JSON = ("application/json", "application/cloudevents+json", "application/cloudevents-batch+json")
HL7 = ("application/hl7-v2", "x-application/hl7-v2+er7", "text/plain")
MEDIA_TYPES: Mapping[str, Sequence[str]] = {"json": JSON, "hl7v2": HL7}
CHARSETS = {"": "utf-8", "utf-8": "utf-8", "us-ascii": "utf-8", "iso-8859-1": "iso-8859-1"}

_ONE = {"$ref": "#/components/schemas/VendorPayload"}
_SEVERAL: dict[str, Any] = {"type": "array", "items": _ONE, "minItems": 1, "maxItems": MOST_ITEMS}
_BODY: dict[str, Any] = {
    "required": True,
    "description": "The payload as the vendor sends it, or an array of several.",
    "content": {
        "application/json": {
            "schema": {"oneOf": [_ONE, _SEVERAL]},
            "examples": {"VendorPayload": {"$ref": "#/components/examples/VendorPayload"}},
        },
        "application/hl7-v2": {"schema": {"type": "string", "description": "An HL7 v2 message."}},
    },
}
_PROBLEMS = ("not-found",)
_TEXT = {"minLength": 1, "maxLength": LONGEST}

Name = Annotated[str, Path(description="The adapter's name.")]
Source = Annotated[
    str | None,
    Query(description="The source's own name, in place of the adapter's: keep it stable.", json_schema_extra=_TEXT),
]
Service = Annotated[str | None, Query(description="The service of payloads that name none.", json_schema_extra=_TEXT)]


def _takes_payloads(route: dict[str, Any]) -> dict[str, Any]:
    return {**route, "openapi_extra": {**route["openapi_extra"], "requestBody": _BODY}}


@router.get("", **told(WRITE, AdapterList))
def list_adapters(look: Annotated[Look, Depends(looking(WRITE))]) -> Response:
    """Every adapter: the shipped ones, and the operator's own beside or in place of them."""
    return shown({"items": [_document(one) for one in look.visit.door.house.adapters.values()]})


@router.post(
    "/{name}",
    **_takes_payloads(
        told(
            WRITE,
            EventTaken,
            status=202,
            body=VendorPayload,
            problems=[*_PROBLEMS, "source-event-conflict"],
            also={207: {"model": EventBatchAnswer, "description": "Of several events: each one's own answer."}},
        )
    ),
)
async def post_payload(request: Request, name: Name, source: Source = None, service_id: Service = None) -> Response:
    """Take in a payload as the vendor sends it.

    One event is answered as by `POST /v1/events`, an array, or what holds several events, as its batch.
    """
    visit = await door_of(request).enter(request, WRITE)
    adapter, document, options = await _read(visit, name, source, service_id)
    incoming = _incoming(adapter, document, options)
    route, said = f"POST /v1/adapters/{name}", [document, said_of(options)]
    if isinstance(document, list) or len(incoming) > 1:
        answers = await receive_all(visit, incoming, route, said)
        replayed = any(isinstance(one, Answer) and one.replayed for one in answers)
        items = [_item(one, answer) for one, answer in zip(incoming, answers, strict=True)]
        return shown({"items": items}, 207, {"Idempotency-Replayed": "true"} if replayed else None)
    (only,) = incoming
    if isinstance(only, Refused):
        raise only
    return answered(await receive(visit, only, route, said))


@router.post("/{name}/preview", **_takes_payloads(told(WRITE, Preview, body=VendorPayload, problems=_PROBLEMS)))
async def preview_payload(request: Request, name: Name, source: Source = None, service_id: Service = None) -> Response:
    """Tell what a payload would become, and why; nothing of it is stored."""
    visit = await door_of(request).enter(request, WRITE)
    adapter, document, options = await _read(visit, name, source, service_id)
    incoming = _incoming(adapter, document, options)
    if not isinstance(document, list) and isinstance(incoming[0], Refused):
        raise incoming[0]
    return shown({"items": await run_in_threadpool(_previewed, visit, incoming)})


async def _read(visit: Visit, name: str, source: str | None, service_id: str | None) -> tuple[Adapter, object, Options]:
    """The adapter, the payload as JSON or text, and what the request says besides."""
    adapter = visit.door.house.adapters.get(name)
    body = await visit.body(media_types=(*JSON, *HL7) if adapter is None else MEDIA_TYPES[adapter.format])
    document: object = strict_json.parse(body) if visit.media_type in JSON else _text(visit, body)
    if adapter is None:
        raise NotFound("No adapter has this name: GET /v1/adapters lists them.")
    refuse_unknown(visit.request)
    for field, value in (("source", source), ("service_id", service_id)):
        if value is not None and not is_identifier(value):
            raise Invalid(Fault(f"/query/{field}", "not-visible", f"Use 1 to {LONGEST} visible characters."))
    return adapter, document, Options(source, service_id)


def _text(visit: Visit, body: bytes) -> str:
    _, _, parameters = visit.request.headers.get("content-type", "").lower().partition(";")
    charset = next((one.partition("=")[2] for one in parameters.split(";") if one.strip().startswith("charset=")), "")
    codec = CHARSETS.get(charset.strip().strip('"'))
    if codec is None:
        raise UnsupportedMediaType("Send the message in UTF-8, or in ISO-8859-1 and say so as its charset.")
    try:
        return body.decode(codec)
    except UnicodeDecodeError:
        detail = "Send the message in UTF-8, or name its charset in Content-Type."
        raise PayloadNotUnderstood(Fault("", "not-text", detail)) from None


def _incoming(adapter: Adapter, document: object, options: Options) -> list[Incoming | Refused]:
    """What came in, in order; a payload of an array that is not understood stands for itself."""
    found: list[Incoming | Refused] = []
    for payload in each_payload(adapter, document):
        try:
            found += [of_part(adapter, part, options) for part in apply(adapter, payload, options)]
        except Refused as refusal:
            found.append(refusal)
    return found


def _item(sent: Incoming | Refused, answer: Answer | Refused) -> dict[str, Any]:
    if isinstance(answer, Answer):
        return {**answer.body, "status": answer.status, "result": answer.body["status"]}
    problem = problems.document_of(answer)
    named = {"event_id": sent.raw.id} if isinstance(sent, Incoming) else {}
    return {"status": problem["status"], **named, "problem": problem}


def _previewed(visit: Visit, incoming: Sequence[Incoming | Refused]) -> list[dict[str, Any]]:
    with visit.door.house.reader(visit.organisation) as reader:
        settled = visit.door.house.configurations.now(reader.connection, visit.organisation)
    items: list[dict[str, Any]] = []
    for one in incoming:
        try:
            if isinstance(one, Refused):
                raise one
            would_be = preview(settled, one, visit.now, checked)
            items.append({"event": _event(one.raw), "mapping": one.mapping, **would_be})
        except Refused as refusal:
            items.append({"problem": problems.document_of(refusal)})
    return items


def _event(raw: RawEvent) -> dict[str, Any]:
    time = None if raw.time is None else format_instant(raw.time)
    return without_absent({"source": raw.source, "id": raw.id, "type": raw.type, "time": time, "data": dict(raw.data)})


def _document(adapter: Adapter) -> dict[str, Any]:
    return {
        "name": adapter.name,
        "version": adapter.version,
        "description": adapter.description,
        "event_types": list(adapter.types),
        "media_types": list(MEDIA_TYPES[adapter.format]),
    }
