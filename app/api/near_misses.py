"""Near misses: submitted one by one or in batches, read, corrected, completed, linked, withdrawn, closed."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, cast

from fastapi import APIRouter, Query, Request
from sqlalchemy import and_, exists, select
from sqlalchemy.sql import Select
from starlette.responses import Response
from starlette.routing import Route

from app.api import problems
from app.api.asof import AsOf, then
from app.api.batches import REUSED, of_item, refuse_reused
from app.api.door import BATCH_LIMIT, answered, door_of, shown
from app.api.groups import Locality, ServiceId
from app.api.lists import Cursor, Limit, instant_of, listed, must_be_one_of, page
from app.api.looking import Reading
from app.api.routes import told
from app.api.schemas import (
    Batch,
    Body,
    Closure,
    Corrections,
    Details,
    Submission,
    Withdrawal,
    WorkflowLink,
    validate,
)
from app.api.schemas.answers import BatchAnswer, NearMiss, NearMissList
from app.database.tables import FOR_EVER, escalation_members, escalations, near_misses
from app.domain.decider import NotFound, Refused
from app.domain.near_miss import (
    Stage,
)
from app.events.store import Cause
from app.operations import duplicating, revise
from app.operations.desk import Desk
from app.operations.feedback import feedback_on
from app.operations.job import Answer, IdempotencyKeyReused, Submit
from app.operations.revise import NO_SUCH_NEAR_MISS, Record
from app.operations.show import Reader
from app.operations.submit import job_of

router = APIRouter(prefix="/v1", tags=["near misses"])
WRITE = "near-misses:write"
CHANGED = ("not-found", "gate-not-met")
MOST_ITEMS = 1000
STATUSES = (*(stage.value for stage in Stage), "in_review")


@router.post("/near-misses", **told(WRITE, NearMiss, status=201, body=Submission, problems=["source-event-conflict"]))
async def submit_near_miss(request: Request) -> Response:
    """Record a near miss. It is checked against similar ones first; at the threshold one manager review opens.

    The same `source` and `source_event_id` with the same content is answered 200 with the original.
    """
    visit = await door_of(request).enter(request, WRITE)
    submission = await visit.read(Submission)
    document = submission.model_dump(exclude_none=True)
    idempotency = await visit.idempotency("POST /v1/near-misses", document)
    pepper, actor = await visit.pepper(), await visit.actor()
    job = job_of(visit.organisation, actor, pepper, document, visit.now, idempotency)
    (future,) = await visit.door.ask([job])
    answer = await future
    return answered(answer, f"/v1/near-misses/{answer.body['id']}")  # A replay's is the first one's.


DIRECT = Route("/v1/near-misses", submit_near_miss, methods=["POST"])
"""The way that submissions go: the same route without the framework's preparations, which cost as much as recording."""


@router.post("/near-misses:batch", **told(WRITE, BatchAnswer, status=207, body=Batch))
async def submit_batch(request: Request) -> Response:
    """Record up to 1,000 near misses, each answered for itself, in order: one bad item never loses the others."""
    visit = await door_of(request).enter(request, WRITE)
    batch = await visit.read(Batch, limit=BATCH_LIMIT)
    pepper, actor = await visit.pepper(), await visit.actor()
    whole = await visit.idempotency("POST /v1/near-misses:batch", cast("list[Any]", batch.items))
    await refuse_reused(visit, whole, MOST_ITEMS)
    answers: list[Answer | Refused | None] = [None] * len(batch.items)
    jobs: list[tuple[int, Submit]] = []
    for index, item in enumerate(batch.items):
        try:
            document = validate(Submission, item, visit.now).model_dump(exclude_none=True)
        except Refused as refusal:
            answers[index] = refusal
            continue
        jobs.append((index, job_of(visit.organisation, actor, pepper, document, visit.now, of_item(whole, index))))
    futures = await visit.door.ask([job for _, job in jobs]) if jobs else []
    for (index, _), answer in zip(jobs, await asyncio.gather(*futures, return_exceptions=True), strict=True):
        if isinstance(answer, BaseException) and not isinstance(answer, Refused):
            raise answer
        answers[index] = answer
    if any(isinstance(answer, IdempotencyKeyReused) for answer in answers):
        raise IdempotencyKeyReused(REUSED)
    replayed = any(isinstance(answer, Answer) and answer.replayed for answer in answers)
    headers = {"Idempotency-Replayed": "true"} if replayed else None
    return shown({"items": [_item(answer) for answer in answers]}, 207, headers)


@router.get("/near-misses", **told("near-misses:read", NearMissList))
def list_near_misses(
    look: Reading,
    request: Request,
    service_id: ServiceId = None,
    locality: Locality = None,
    incident_type: Annotated[str | None, Query(max_length=128)] = None,
    deviation: Annotated[str | None, Query(max_length=128)] = None,
    status: Annotated[str | None, Query(max_length=64)] = None,
    occurred_from: Annotated[str | None, Query(max_length=40)] = None,
    occurred_to: Annotated[str | None, Query(max_length=40)] = None,
    escalation_id: Annotated[str | None, Query(max_length=128)] = None,
    recorded_after: Annotated[str | None, Query(max_length=40)] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """The organisation's near misses, the newest record first."""
    row = near_misses.c
    with look.reader() as reader:
        zone_name = look.settled(reader).policy.time_zone
        chosen = select(row.near_miss_id, row.sequence).where(row.organisation == look.organisation)
        for column, wanted in (
            (row.locality, locality),
            (row.incident_type, incident_type),
            (row.deviation, deviation),
        ):
            if wanted is not None:
                chosen = chosen.where(column == wanted)
        if (names := look.names_of(reader, service_id)) is not None:
            chosen = chosen.where(row.service_id.in_(names))
        if status is not None:
            chosen = _of_status(chosen, status)
        if occurred_from is not None:
            chosen = chosen.where(row.occurred_at >= instant_of("occurred_from", occurred_from, zone_name))
        if occurred_to is not None:
            chosen = chosen.where(row.occurred_at < instant_of("occurred_to", occurred_to, zone_name))
        if recorded_after is not None:
            chosen = chosen.where(row.recorded_at > instant_of("recorded_after", recorded_after, zone_name))
        if escalation_id is not None:
            member = escalation_members.c
            chosen = chosen.where(
                row.near_miss_id.in_(
                    select(member.near_miss_id).where(
                        member.organisation == look.organisation,
                        member.escalation_id == escalation_id,
                        member.valid_to == FOR_EVER,
                    )
                )
            )
        found = reader.connection.execute(page(chosen, row.sequence, cursor, limit)).all()
        items = reader.near_misses([one.near_miss_id for one in found[:limit]])
    return listed(request, items, [one.sequence for one in found], limit)


@router.get("/near-misses/{near_miss_id}", **told("near-misses:read", NearMiss, problems=["not-found"]))
def read_near_miss(look: Reading, near_miss_id: str, as_of: AsOf = None) -> Response:
    """One near miss as it stands, or as it was known at `as_of`; with what became of it, for whoever reported it."""
    with look.reader() as reader:
        at = then(look, reader, as_of, f"near_miss/{near_miss_id}")
        near_miss = show(at, near_miss_id)
        return answered(Answer(200, {**near_miss, "feedback": feedback_on(at, near_miss)}))


@router.put(
    "/near-misses/{near_miss_id}/workflow-link",
    **told(WRITE, NearMiss, body=WorkflowLink, problems=[*CHANGED, "level-above-needed"]),
)
async def link_near_miss(request: Request, near_miss_id: str) -> Response:
    """Tie the near miss to the stage of work that allowed it; it is checked again, and may raise."""
    change = await changing(request, near_miss_id, WRITE, WorkflowLink)
    return await change(revise.link)


@router.post("/near-misses/{near_miss_id}/corrections", **told(WRITE, NearMiss, body=Corrections, problems=CHANGED))
async def correct_near_miss(request: Request, near_miss_id: str) -> Response:
    """Correct fields of the report, with a reason; windows of its former and its new key are checked again."""
    change = await changing(request, near_miss_id, WRITE, Corrections, exclude_none=False)
    return await change(
        lambda desk, cause, record, said: revise.correct(desk, cause, record, said["reason"], said["changes"])
    )


@router.post("/near-misses/{near_miss_id}/withdrawal", **told(WRITE, NearMiss, body=Withdrawal, problems=CHANGED))
async def withdraw_near_miss(request: Request, near_miss_id: str) -> Response:
    """Take the record out of every count: it was none, or another record holds the same occurrence. It is kept."""
    change = await changing(request, near_miss_id, WRITE, Withdrawal)

    def run(desk: Desk, cause: Cause, record: Record, said: Mapping[str, Any]) -> None:
        if said["kind"] == "duplicate":
            revise.mark_duplicate(desk, cause, record, said["reason"], said["duplicate_of"])
        else:
            duplicating.withdraw(desk, cause, record, said["reason"])

    return await change(run)


@router.post("/near-misses/{near_miss_id}/details", **told(WRITE, NearMiss, body=Details, problems=CHANGED))
async def complete_details(request: Request, near_miss_id: str) -> Response:
    """Complete a record that a system posted without its details; what is still missing is named."""
    change = await changing(request, near_miss_id, WRITE, Details)
    return await change(revise.complete_details)


@router.post(
    "/near-misses/{near_miss_id}/closure",
    **told("reviews:act", NearMiss, body=Closure, problems=[*CHANGED, "gate-not-met"]),
)
async def close_near_miss(request: Request, near_miss_id: str) -> Response:
    """Close a near miss that stands in no open escalation, once it is linked; every missing gate is named at once."""
    change = await changing(request, near_miss_id, "reviews:act", Closure)
    return await change(lambda desk, cause, record, said: revise.close(desk, cause, record, said["outcome"]))


Run = Callable[[Desk, Cause, Record, Mapping[str, Any]], None]


async def changing(
    request: Request, near_miss_id: str, scope: str, model: type[Body], *, exclude_none: bool = True
) -> Callable[[Run], Awaitable[Response]]:
    """A command on one near miss, let in and read; what is returned carries it out."""
    visit = await door_of(request).enter(request, scope)
    body = await visit.read(model, f"near_miss/{near_miss_id}")
    said = body.model_dump(exclude_none=exclude_none, exclude_unset=True)
    if_match = visit.if_match()

    async def change(run: Run) -> Response:
        def carry_out(desk: Desk, cause: Cause) -> None:
            run(desk, cause, revise.load(desk, near_miss_id, if_match), said)

        return await visit.command(near_miss_id, carry_out, show, said)

    return change


def show(reader: Reader, near_miss_id: str) -> dict[str, Any]:
    """The near miss, or `NotFound`."""
    found = reader.near_misses([near_miss_id])
    if not found:
        raise NotFound(NO_SUCH_NEAR_MISS)
    return found[0]


def _item(answer: Answer | Refused | None) -> dict[str, Any]:
    if isinstance(answer, Answer):
        return {"status": answer.status, "near_miss": answer.body}
    assert answer is not None
    problem = problems.document_of(answer)
    return {"status": problem["status"], "problem": problem}


def _of_status(chosen: Select[*tuple[Any, ...]], status: str) -> Select[*tuple[Any, ...]]:
    must_be_one_of("status", status, STATUSES)
    row, member, raised = near_misses.c, escalation_members.c, escalations.c
    under_review = exists().where(
        and_(
            member.organisation == row.organisation,
            member.near_miss_id == row.near_miss_id,
            member.valid_to == FOR_EVER,
            member.kind != "withdrawn",
            raised.organisation == row.organisation,
            raised.escalation_id == member.escalation_id,
            raised.is_open,
        )
    )
    match status:
        case "in_review":
            return chosen.where(row.state == Stage.LINKED.value, under_review)
        case Stage.LINKED.value:
            return chosen.where(row.state == status, ~under_review)
        case _:
            return chosen.where(row.state == status)
