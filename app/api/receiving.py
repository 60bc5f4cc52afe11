"""What every way in for systems shares: `/v1/events`, `/v1/adapters` and `/v1/fhir` take in through here."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from app.api.batches import REUSED, of_item, refuse_reused
from app.api.door import Visit
from app.api.schemas import IntakeSubmission, validate
from app.domain.decider import Refused
from app.domain.reading import without_absent
from app.intake.adapters import Adapter, Options, Part, apply
from app.intake.care import TYPES
from app.intake.cloudevents import RawEvent
from app.operations.job import Answer, Command, IdempotencyKeyReused
from app.operations.taking import Incoming, job_of

MOST_EVENTS = 100
VIA_EVENTS = "events"


def checked(document: object, now: datetime) -> dict[str, Any]:
    """The intake submission that a document is, without absent values; `Invalid` otherwise."""
    return validate(IntakeSubmission, document, now).model_dump(exclude_none=True)


def of_event(visit: Visit, raw: RawEvent, sent: object) -> Incoming:
    """A CloudEvent on its way in; one of a vendor's own type is read by the adapter that knows the type."""
    if raw.type not in TYPES:
        for adapter in visit.door.house.adapters.values():
            if raw.type in adapter.cloud_types:
                (part,) = apply(adapter, sent)
                return of_part(adapter, part, Options())
    return Incoming(raw, VIA_EVENTS, sent)


def of_part(adapter: Adapter, part: Part, options: Options) -> Incoming:
    """What an adapter made of a payload, on its way in."""
    return Incoming(
        part.raw,
        f"adapter/{adapter.name}",
        part.sent,
        part.mapping,
        part.ignored_fields,
        options=said_of(options),
        set_aside=part.set_aside,
    )


def said_of(options: Options) -> dict[str, Any]:
    """What a request says besides its payload, as it is kept."""
    return without_absent({"source": options.source, "service_id": options.service_id})


async def receive(visit: Visit, incoming: Incoming, route: str, said: object) -> Answer:
    """Have it taken in. `route` and `said` (the request's document) are what an Idempotency-Key holds for."""
    idempotency = await visit.idempotency(route, said)
    job = job_of(visit.organisation, await visit.actor(), incoming, visit.now, checked, idempotency)
    (future,) = await visit.door.ask([job])
    return await future


async def receive_all(
    visit: Visit, incoming: Sequence[Incoming | Refused], route: str, said: object
) -> list[Answer | Refused]:
    """Have several taken in, each answered for itself, in order; what was refused before stays so."""
    actor = await visit.actor()
    whole = await visit.idempotency(route, said)
    await refuse_reused(visit, whole, len(incoming))
    answers: list[Answer | Refused | None] = [None] * len(incoming)
    jobs: list[tuple[int, Command]] = []
    for index, item in enumerate(incoming):
        try:
            if isinstance(item, Refused):
                raise item
            jobs.append((index, job_of(visit.organisation, actor, item, visit.now, checked, of_item(whole, index))))
        except Refused as refusal:
            answers[index] = refusal
    futures = await visit.door.ask([job for _, job in jobs]) if jobs else []
    for (index, _), answer in zip(jobs, await asyncio.gather(*futures, return_exceptions=True), strict=True):
        if isinstance(answer, BaseException) and not isinstance(answer, Refused):
            raise answer
        if isinstance(answer, IdempotencyKeyReused):
            raise IdempotencyKeyReused(REUSED)
        answers[index] = answer
    return [one for one in answers if one is not None]
