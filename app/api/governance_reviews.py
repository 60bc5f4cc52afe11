"""Governance reviews of leadership: opened on a frozen snapshot, worked through, closed once every gate is met."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import APIRouter, Query, Request
from sqlalchemy import Select, or_, select
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from app.api.asof import AsOf, then
from app.api.door import Visit, answered, door_of
from app.api.drawing import HTML, MARKDOWN, drawn
from app.api.lists import Cursor, Limit, instant_of, listed, must_be_one_of, page
from app.api.looking import Look, Reading
from app.api.minutes_drawing import markdown
from app.api.minutes_drawing import page as minutes_page
from app.api.routes import told
from app.api.schemas import (
    Body,
    GovernanceAssessment,
    GovernanceClosure,
    GovernanceDecision,
    GovernanceMinutes,
    GovernanceOpening,
    GovernanceRecommendation,
)
from app.api.schemas.answers import GovernanceReview, GovernanceReviewList
from app.database.tables import governance_review_places, governance_reviews
from app.domain.governance import Stage
from app.events.store import Cause
from app.operations import governance_document, governing
from app.operations.desk import Desk
from app.operations.governance_document import documents, show
from app.operations.governance_minutes import minutes
from app.operations.governance_period import Period
from app.operations.governance_snapshot import snapshot_at
from app.operations.governing import Case
from app.operations.job import Answer
from app.operations.show import Reader

router = APIRouter(prefix="/v1", tags=["governance"])
READ = "near-misses:read"
ACT = "governance:act"
STATUSES = tuple(stage.value for stage in Stage if stage is not Stage.UNOPENED)
OPEN_ONLY = ("not-found", "governance-review-not-open")


def _text_of(media_type: str, says: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"content": {media_type: {"schema": {"type": "string"}}}, "description": says}}


@router.post("/governance-reviews", **told(ACT, GovernanceReview, status=201, body=GovernanceOpening, always_new=True))
async def open_governance_review(request: Request) -> Response:
    """Open the review of a period; what the service knows of it by now is computed and frozen."""
    visit = await door_of(request).enter(request, ACT)
    body = await visit.read(GovernanceOpening)
    said = body.model_dump(exclude_none=True, by_alias=True)
    period, snapshot = await run_in_threadpool(_seen, visit, said)
    command_id = str(uuid4())
    review_id = f"gov_{UUID(command_id).hex}"

    def open_it(desk: Desk, cause: Cause) -> None:
        governing.open_review(desk, cause, review_id, said, period, snapshot)

    return await visit.command(review_id, open_it, show, said, status=201, command_id=command_id)


def _seen(visit: Visit, said: Mapping[str, Any]) -> tuple[Period, dict[str, Any]]:
    """The period that is asked for and what is known of it, before anything is locked."""
    with Look(visit).caught_up("heatmap") as (reader, position):
        at = Reader(reader.connection, reader.vault, reader.organisation, position)
        settled = at.settled()
        period = governing.asked_for(settled, said)
        governing.must_be_known(at, settled, said)
        return period, snapshot_at(at, period, visit.now)


@router.get("/governance-reviews", **told(READ, GovernanceReviewList))
def list_governance_reviews(
    look: Reading,
    request: Request,
    status: Annotated[str | None, Query(max_length=64)] = None,
    since: Annotated[
        str | None, Query(alias="from", max_length=40, description="Periods that end after this date or instant.")
    ] = None,
    until: Annotated[
        str | None, Query(alias="to", max_length=40, description="Periods that begin before this date or instant.")
    ] = None,
    service_id: Annotated[
        str | None, Query(max_length=128, description="Reviews of this service, and those of all services.")
    ] = None,
    locality: Annotated[
        str | None, Query(max_length=128, description="Reviews of this locality, and those of all services.")
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Every governance review, the newest first, without its trends."""
    row = governance_reviews.c
    chosen: Select[*tuple[Any, ...]] = select(row.governance_review_id, row.sequence).where(
        row.organisation == look.organisation
    )
    if status is not None:
        must_be_one_of("status", status, STATUSES)
        chosen = chosen.where(row.status == status)
    with look.reader() as reader:
        settled = look.settled(reader)
        if since is not None:
            chosen = chosen.where(row.until > instant_of("from", since, settled.policy.time_zone))
        if until is not None:
            chosen = chosen.where(row.since < instant_of("to", until, settled.policy.time_zone))
        if service_id is not None:
            own = settled.service_of(service_id)[0]
            chosen = _about(chosen, look.organisation, "service", own or service_id)
        if locality is not None:
            chosen = _about(chosen, look.organisation, "locality", locality)
        found = reader.connection.execute(page(chosen, row.sequence, cursor, limit)).all()
        shown = documents(reader, [one.governance_review_id for one in found[:limit]])
    items = [governance_document.listed(one) for one in shown]
    return listed(request, items, [one.sequence for one in found], limit)


def _about(chosen: "Select[*tuple[Any, ...]]", organisation: str, kind: str, place: str) -> "Select[*tuple[Any, ...]]":
    """Those that name the place, and those that name none: they are about all."""
    row, place_row = governance_reviews.c, governance_review_places.c
    named = select(place_row.governance_review_id).where(place_row.organisation == organisation)
    its = named.where(place_row.kind == kind, place_row.place == place)
    return chosen.where(or_(row.governance_review_id.in_(its), row.governance_review_id.not_in(named)))


@router.get("/governance-reviews/{governance_review_id}", **told(READ, GovernanceReview, problems=["not-found"]))
def read_governance_review(look: Reading, governance_review_id: str, as_of: AsOf = None) -> Response:
    """One governance review as it stands, or as it was known at `as_of`."""
    with look.reader() as reader:
        at = then(look, reader, as_of, f"governance_review/{governance_review_id}")
        return answered(Answer(200, show(at, governance_review_id)))


@router.get(
    "/governance-reviews/{governance_review_id}/minutes.html",
    **told(READ, problems=["not-found"], also=_text_of(HTML, "The minutes as a page.")),
)
def read_minutes_page(look: Reading, governance_review_id: str, as_of: AsOf = None) -> Response:
    """The minutes as a page to be printed: the snapshot in tables, the decisions with what they rest on."""
    with look.reader() as reader:
        at = then(look, reader, as_of, f"governance_review/{governance_review_id}")
        return drawn(HTML, minutes_page(minutes(at, show(at, governance_review_id))))


@router.get(
    "/governance-reviews/{governance_review_id}/minutes.md",
    **told(READ, problems=["not-found"], also=_text_of(MARKDOWN, "The minutes as Markdown.")),
)
def read_minutes_markdown(look: Reading, governance_review_id: str, as_of: AsOf = None) -> Response:
    """The same minutes as Markdown."""
    with look.reader() as reader:
        at = then(look, reader, as_of, f"governance_review/{governance_review_id}")
        return drawn(MARKDOWN, markdown(minutes(at, show(at, governance_review_id))))


@router.post(
    "/governance-reviews/{governance_review_id}/recommended-actions",
    **told(ACT, GovernanceReview, body=GovernanceRecommendation, problems=OPEN_ONLY),
)
async def recommend_action(request: Request, governance_review_id: str) -> Response:
    """Recommend an action, or say that there is none and why. With an owner and a due date it is followed up."""
    change = await changing(request, governance_review_id, GovernanceRecommendation)
    return await change(governing.recommend)


@router.post(
    "/governance-reviews/{governance_review_id}/decisions",
    **told(ACT, GovernanceReview, body=GovernanceDecision, problems=OPEN_ONLY),
)
async def record_decision(request: Request, governance_review_id: str) -> Response:
    """Record a decision, with the records that it rests on."""
    change = await changing(request, governance_review_id, GovernanceDecision)
    return await change(
        lambda desk, cause, case, said: governing.decide(desk, cause, case, said["text"], said["cites"])
    )


@router.post(
    "/governance-reviews/{governance_review_id}/assessment",
    **told(ACT, GovernanceReview, body=GovernanceAssessment, problems=OPEN_ONLY),
)
async def assess_emerging_risk(request: Request, governance_review_id: str) -> Response:
    """Say whether the patterns indicate an emerging risk that requires intervention, and why."""
    change = await changing(request, governance_review_id, GovernanceAssessment)
    return await change(governing.assess)


@router.post(
    "/governance-reviews/{governance_review_id}/minutes",
    **told(ACT, GovernanceReview, body=GovernanceMinutes, problems=OPEN_ONLY),
)
async def record_minutes(request: Request, governance_review_id: str) -> Response:
    """Record the minutes and who was present; they replace the former ones."""
    change = await changing(request, governance_review_id, GovernanceMinutes)
    return await change(
        lambda desk, cause, case, said: governing.minute(desk, cause, case, said["text"], said["present"])
    )


@router.post(
    "/governance-reviews/{governance_review_id}/closure",
    **told(ACT, GovernanceReview, body=GovernanceClosure, problems=[*OPEN_ONLY, "gate-not-met"]),
)
async def close_governance_review(request: Request, governance_review_id: str) -> Response:
    """Close the review, or be told at once every gate that is not met."""
    change = await changing(request, governance_review_id, GovernanceClosure)
    return await change(lambda desk, cause, case, said: governing.close(desk, cause, case, said["summary"]))


Run = Callable[[Desk, Cause, Case, Mapping[str, Any]], None]


async def changing(request: Request, review_id: str, model: type[Body]) -> Callable[[Run], Awaitable[Response]]:
    """A command on one governance review, let in and read; what is returned carries it out."""
    visit = await door_of(request).enter(request, ACT)
    body = await visit.read(model, f"governance_review/{review_id}")
    said = body.model_dump(exclude_none=True)
    if_match = visit.if_match()

    async def change(run: Run) -> Response:
        def carry_out(desk: Desk, cause: Cause) -> None:
            run(desk, cause, governing.load(desk, review_id, if_match), said)

        return await visit.command(review_id, carry_out, show, said)

    return change
