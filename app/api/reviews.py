"""Manager reviews: begun, their findings recorded, closed once every gate is met, reopened."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from sqlalchemy import select
from starlette.responses import Response

from app.api.asof import AsOf, then
from app.api.door import answered, door_of
from app.api.groups import Locality, ServiceId, reviews_of
from app.api.lists import Cursor, Limit, listed, must_be_one_of, page
from app.api.looking import Reading
from app.api.routes import told
from app.api.schemas import (
    ActionAgreed,
    Body,
    Causes,
    Countersignature,
    Reopening,
    ReviewClosure,
    Safeguarding,
    Start,
    SystemRisk,
    WorkflowLinks,
)
from app.api.schemas.answers import Review, ReviewList
from app.database.tables import reviews
from app.domain.decider import NotFound
from app.domain.review import Stage
from app.events.store import Cause
from app.operations import reviewing
from app.operations.desk import Desk
from app.operations.job import Answer
from app.operations.reviewing import NO_SUCH_REVIEW, Case
from app.operations.show import Reader

router = APIRouter(prefix="/v1", tags=["reviews"])
READ = "near-misses:read"
ACT = "reviews:act"
STATUSES = tuple(stage.value for stage in Stage if stage is not Stage.UNOPENED)
CHANGED = ("not-found", "gate-not-met", "review-merged")


@router.get("/reviews", **told(READ, ReviewList))
def list_reviews(
    look: Reading,
    request: Request,
    status: Annotated[str | None, Query(max_length=64)] = None,
    escalation_id: Annotated[str | None, Query(max_length=128)] = None,
    service_id: ServiceId = None,
    locality: Locality = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Every review, the newest first."""
    row = reviews.c
    chosen = select(row.review_id, row.sequence).where(row.organisation == look.organisation)
    if status is not None:
        must_be_one_of("status", status, STATUSES)
        chosen = chosen.where(row.status == status)
    if escalation_id is not None:
        chosen = chosen.where(row.escalation_id == escalation_id)
    with look.reader() as reader:
        if (of_group := reviews_of(look.organisation, look.names_of(reader, service_id), locality)) is not None:
            chosen = chosen.where(row.review_id.in_(of_group))
        found = reader.connection.execute(page(chosen, row.sequence, cursor, limit)).all()
        items = reader.reviews([one.review_id for one in found[:limit]])
    return listed(request, items, [one.sequence for one in found], limit)


@router.get("/reviews/{review_id}", **told(READ, Review, problems=["not-found"]))
def read_review(look: Reading, review_id: str, as_of: AsOf = None) -> Response:
    """One review as it stands, or as it was known at `as_of`."""
    with look.reader() as reader:
        at = then(look, reader, as_of, f"review/{review_id}")
        return answered(Answer(200, show(at, review_id)))


@router.post("/reviews/{review_id}/start", **told(ACT, Review, body=Start, problems=CHANGED))
async def start_review(request: Request, review_id: str) -> Response:
    """Take the review on; that acknowledges its escalation."""
    change = await changing(request, review_id, Start)
    return await change(lambda desk, cause, case, _: reviewing.start(desk, cause, case))


@router.post("/reviews/{review_id}/causes", **told(ACT, Review, body=Causes, problems=CHANGED))
async def identify_causes(request: Request, review_id: str) -> Response:
    """Say what allowed the near misses to repeat; closing needs at least one cause in the system."""
    change = await changing(request, review_id, Causes)
    return await change(lambda desk, cause, case, said: reviewing.identify_causes(desk, cause, case, said["causes"]))


@router.post("/reviews/{review_id}/system-risk", **told(ACT, Review, body=SystemRisk, problems=CHANGED))
async def determine_system_risk(request: Request, review_id: str) -> Response:
    """Determine whether the pattern is a system risk, with a rationale."""
    change = await changing(request, review_id, SystemRisk)
    return await change(
        lambda desk, cause, case, said: reviewing.determine_system_risk(
            desk, cause, case, said["determination"], said["rationale"]
        )
    )


@router.post("/reviews/{review_id}/safeguarding", **told(ACT, Review, body=Safeguarding, problems=CHANGED))
async def consider_safeguarding(request: Request, review_id: str) -> Response:
    """Say whether safeguarding was considered, and whether a concern was raised."""
    change = await changing(request, review_id, Safeguarding)
    return await change(reviewing.consider_safeguarding)


@router.post(
    "/reviews/{review_id}/workflow-links",
    **told(ACT, Review, body=WorkflowLinks, problems=[*CHANGED, "level-above-needed"]),
)
async def link_members(request: Request, review_id: str) -> Response:
    """Lay one workflow link over several of the escalation's near misses; one event each."""
    change = await changing(request, review_id, WorkflowLinks)
    return await change(
        lambda desk, cause, case, said: reviewing.link_members(desk, cause, case, said["near_miss_ids"], said["link"])
    )


@router.post("/reviews/{review_id}/actions", **told(ACT, Review, body=ActionAgreed, problems=CHANGED))
async def agree_action(request: Request, review_id: str) -> Response:
    """Agree on an action with an owner and a due date."""
    change = await changing(request, review_id, ActionAgreed)
    return await change(reviewing.agree_action)


@router.post(
    "/reviews/{review_id}/countersignature",
    **told("governance:act", Review, body=Countersignature, problems=CHANGED),
)
async def countersign_review(request: Request, review_id: str) -> Response:
    """Leadership stands for closing the review as `not_a_pattern` or `duplicate`."""
    change = await changing(request, review_id, Countersignature, "governance:act")
    return await change(lambda desk, cause, case, said: reviewing.countersign(desk, cause, case, said["rationale"]))


@router.post(
    "/reviews/{review_id}/closure",
    **told(ACT, Review, body=ReviewClosure, problems=[*CHANGED, "reviewer-involved"]),
)
async def close_review(request: Request, review_id: str) -> Response:
    """Close the review, or be told at once every gate that is not met. Its members are consumed and closed."""
    change = await changing(request, review_id, ReviewClosure)
    return await change(
        lambda desk, cause, case, said: reviewing.close(desk, cause, case, said["code"], said["summary"])
    )


@router.post("/reviews/{review_id}/reopening", **told(ACT, Review, body=Reopening, problems=CHANGED))
async def reopen_review(request: Request, review_id: str) -> Response:
    """Go on with a closed review: its escalation asks again from level 0, what was closed with it is open again."""
    change = await changing(request, review_id, Reopening)
    return await change(lambda desk, cause, case, said: reviewing.reopen(desk, cause, case, said["reason"]))


Run = Callable[[Desk, Cause, Case, Mapping[str, Any]], None]


async def changing(
    request: Request, review_id: str, model: type[Body], scope: str = ACT
) -> Callable[[Run], Awaitable[Response]]:
    """A command on one review, let in and read; what is returned carries it out."""
    visit = await door_of(request).enter(request, scope)
    body = await visit.read(model, f"review/{review_id}")
    said = body.model_dump(exclude_none=True)
    if_match = visit.if_match()

    async def change(run: Run) -> Response:
        def carry_out(desk: Desk, cause: Cause) -> None:
            run(desk, cause, reviewing.load(desk, review_id, if_match), said)

        return await visit.command(review_id, carry_out, show, said)

    return change


def show(reader: Reader, review_id: str) -> dict[str, Any]:
    """The review, or `NotFound`."""
    found = reader.reviews([review_id])
    if not found:
        raise NotFound(NO_SUCH_REVIEW)
    return found[0]
