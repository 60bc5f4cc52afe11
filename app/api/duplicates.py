"""Duplicates over HTTP: pairs of records that look like one occurrence, with why, and what people say of each."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from sqlalchemy import select
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from app.api.door import Visit, answered, door_of
from app.api.lists import Cursor, Limit, listed, must_be_one_of, page
from app.api.looking import Reading
from app.api.routes import told
from app.api.schemas import Body, DuplicateConfirmation, DuplicateDismissal, DuplicateRuleDocument, DuplicateUndoing
from app.api.schemas.answers import DuplicateProposal, DuplicateProposalList, DuplicateRule
from app.database.tables import duplicate_proposals
from app.domain import duplicate_rule
from app.domain.decider import Invalid
from app.events.store import Cause
from app.operations import duplicating, settle
from app.operations.desk import Desk
from app.operations.duplicating import Pair
from app.operations.job import Answer
from app.projections.duplicates import STATUSES

router = APIRouter(prefix="/v1", tags=["duplicates"])
READ = "near-misses:read"
WRITE = "near-misses:write"
SETTLE = "policy:write"
DECIDED = ("not-found", "gate-not-met")


@router.get("/duplicate-rule", **told(READ, DuplicateRule))
def read_duplicate_rule(look: Reading) -> Response:
    """When two records look like one occurrence."""
    with look.reader() as reader:
        return answered(Answer(200, duplicate_rule.document(look.settled(reader).duplicate_rule)))


@router.put("/duplicate-rule", **told(SETTLE, DuplicateRule, body=DuplicateRuleDocument))
async def adopt_duplicate_rule(request: Request) -> Response:
    """Say how near in time, from which score people are asked, and from which the service confirms by itself."""
    visit = await door_of(request).enter(request, SETTLE)
    said = await visit.read(DuplicateRuleDocument)
    if_match = visit.if_match()
    command = duplicate_rule.Adopt(said.within, said.propose_at, said.confirm_at)
    return await visit.command(
        "duplicate_rule",
        lambda desk, cause: settle.adopt_duplicate_rule(desk, cause, command, if_match),
        lambda reader, _: duplicate_rule.document(reader.settled().duplicate_rule),
        said.model_dump(),
    )


@router.get("/duplicate-proposals", **told(READ, DuplicateProposalList))
def list_duplicate_proposals(
    look: Reading,
    request: Request,
    status: Annotated[str | None, Query(max_length=64)] = None,
    near_miss_id: Annotated[str | None, Query(max_length=128)] = None,
    service_id: Annotated[str | None, Query(max_length=128)] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Pairs that look like one occurrence, and those that were decided on; what changed last comes first."""
    row = duplicate_proposals.c
    chosen = select(*duplicating.COLUMNS).where(row.organisation == look.organisation)
    if status is not None:
        must_be_one_of("status", status, STATUSES)
        chosen = chosen.where(row.status == status)
    if near_miss_id is not None:
        chosen = chosen.where((row.near_miss_id == near_miss_id) | (row.other_id == near_miss_id))
    if service_id is not None:
        chosen = chosen.where(row.service_id == service_id)
    with look.caught_up("duplicates") as (reader, _):
        places = (row.sequence, cursor, limit, row.later_sequence, row.earlier_sequence)
        found = [duplicating.Proposal._make(one) for one in reader.connection.execute(page(chosen, *places))]
        items = duplicating.shown(reader, found[:limit])
    return listed(request, items, [(one.sequence, one.later_sequence, one.earlier_sequence) for one in found], limit)


@router.get("/duplicate-proposals/{proposal_id}", **told(READ, DuplicateProposal, problems=["not-found"]))
def read_duplicate_proposal(look: Reading, proposal_id: str) -> Response:
    """One pair, with every part of its score."""
    with look.caught_up("duplicates") as (reader, _):
        return answered(Answer(200, duplicating.show(reader, proposal_id)))


@router.post(
    "/duplicate-proposals/{proposal_id}/confirmation",
    **told(WRITE, DuplicateProposal, body=DuplicateConfirmation, problems=DECIDED),
)
async def confirm_duplicate(request: Request, proposal_id: str) -> Response:
    """They are one occurrence: the later record is counted as the earlier, which keeps every source reference."""
    decide = await deciding(request, proposal_id, DuplicateConfirmation)
    return await decide(
        lambda desk, cause, pair, said: duplicating.confirm(desk, cause, pair, said.get("master"), said.get("reason"))
    )


@router.post(
    "/duplicate-proposals/{proposal_id}/dismissal",
    **told(WRITE, DuplicateProposal, body=DuplicateDismissal, problems=DECIDED),
)
async def dismiss_duplicate(request: Request, proposal_id: str) -> Response:
    """They are two occurrences: nobody is asked about them again."""
    decide = await deciding(request, proposal_id, DuplicateDismissal)
    return await decide(lambda desk, cause, pair, said: duplicating.dismiss(desk, cause, pair, said["reason"]))


@router.post(
    "/duplicate-proposals/{proposal_id}/undo",
    **told(WRITE, DuplicateProposal, body=DuplicateUndoing, problems=DECIDED),
)
async def undo_duplicate(request: Request, proposal_id: str) -> Response:
    """They are two after all: the record that was counted as the other counts again, and its windows are checked."""
    decide = await deciding(request, proposal_id, DuplicateUndoing)
    return await decide(lambda desk, cause, pair, said: duplicating.undo(desk, cause, pair, said["reason"]))


Run = Callable[[Desk, Cause, Pair, Mapping[str, Any]], None]


async def deciding(request: Request, proposal_id: str, model: type[Body]) -> Callable[[Run], Awaitable[Response]]:
    """A command on one pair, let in and read; what is returned carries it out."""
    visit = await door_of(request).enter(request, WRITE)
    try:
        body = await visit.read(model)
    except Invalid:
        await run_in_threadpool(_must_exist, visit, proposal_id)
        raise
    said = body.model_dump(exclude_none=True)
    if_match = visit.if_match()

    async def decide(run: Run) -> Response:
        def carry_out(desk: Desk, cause: Cause) -> None:
            run(desk, cause, duplicating.load(desk, proposal_id, if_match), said)

        return await visit.command(proposal_id, carry_out, duplicating.show, said)

    return decide


def _must_exist(visit: Visit, proposal_id: str) -> None:
    with visit.door.house.database.read() as connection:
        duplicating.proposal_of(connection, visit.organisation, proposal_id)
