"""Events of care systems: CloudEvents 1.0, one by one or in batches; what they become is decided by rules."""

from collections.abc import Mapping
from typing import Any, cast

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.api import problems
from app.api.door import BATCH_LIMIT, BODY_LIMIT, BodyTooLarge, Visit, answered, door_of, shown
from app.api.receiving import MOST_EVENTS, of_event, receive, receive_all
from app.api.routes import told
from app.api.schemas.answers import EventBatchAnswer, EventTaken
from app.api.schemas.events import EventSent
from app.domain.decider import Fault, Invalid, Refused
from app.intake.cloudevents import binary, structured
from app.operations.job import Answer
from app.operations.taking import Incoming, envelope_of

router = APIRouter(prefix="/v1", tags=["intake"])
WRITE = "near-misses:write"
ROUTE = "POST /v1/events"

JSON = "application/json"
STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
_ONE = {"$ref": "#/components/schemas/EventSent"}
_EXAMPLE = {"EventSent": {"$ref": "#/components/examples/EventSent"}}


@router.post(
    "/events",
    **told(
        WRITE,
        EventTaken,
        status=202,
        body=EventSent,
        problems=["source-event-conflict"],
        also={207: {"model": EventBatchAnswer, "description": "Of a batch: each event's own answer, in order."}},
        content={
            STRUCTURED: {"schema": _ONE, "examples": _EXAMPLE},
            BATCH: {"schema": {"type": "array", "items": _ONE, "maxItems": MOST_EVENTS}},
        },
    ),
)
async def post_events(request: Request) -> Response:
    """Take in CloudEvents 1.0: structured, binary (`ce-*` headers, the data as body), or a batch of up to 100.

    The same source and id with the same content is a duplicate, for ever; a newer `time` for the same dose or visit
    revises what an earlier event made. What is no near miss is kept as an intake record, with the reason. A vendor's
    own type is read by the adapter that knows it.
    """
    visit = await door_of(request).enter(request, WRITE)
    limit = BATCH_LIMIT if visit.media_type == BATCH else BODY_LIMIT
    document = await visit.document(limit, (JSON, STRUCTURED, BATCH))
    if visit.media_type == BATCH:
        events = _several(document)
        answers = await receive_all(visit, [_each(visit, one) for one in events], ROUTE, document)
        replayed = any(isinstance(one, Answer) and one.replayed for one in answers)
        headers = {"Idempotency-Replayed": "true"} if replayed else None
        items = [_item(one, answer) for one, answer in zip(events, answers, strict=True)]
        return shown({"items": items}, 207, headers)
    if visit.media_type == JSON and any(name.startswith("ce-") for name in request.headers):
        raw = binary(request.headers, document)
        incoming = of_event(visit, raw, envelope_of(raw))
    else:
        incoming = of_event(visit, structured(document), document)
    return answered(await receive(visit, incoming, ROUTE, incoming.sent))


def _several(document: object) -> list[Any]:
    if not isinstance(document, list):
        raise Invalid(Fault("", "wrong-type", "Send the batch as an array of events."))
    events = cast("list[Any]", document)
    if len(events) > MOST_EVENTS:
        raise BodyTooLarge(f"Send at most {MOST_EVENTS} events at once: split the batch.")
    return events


def _each(visit: Visit, document: object) -> Incoming | Refused:
    try:
        return of_event(visit, structured(document), document)
    except Refused as refusal:
        return refusal


def _item(event: object, answer: Answer | Refused) -> dict[str, Any]:
    """One event's answer; its id beside a problem, when it has one that could be read."""
    if isinstance(answer, Answer):
        return {**answer.body, "status": answer.status, "result": answer.body["status"]}
    problem = problems.document_of(answer)
    event_id = cast("Mapping[str, Any]", event).get("id") if isinstance(event, dict) else None
    named = {"event_id": event_id} if isinstance(event_id, str) else {}
    return {"status": problem["status"], **named, "problem": problem}
