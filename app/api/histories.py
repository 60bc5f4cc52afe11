"""Histories: every event of one thing, in order, with its words opened: who, when, and what.

Read from the ledger alone, so what is shown as of a sequence is the beginning of what is shown later.
"""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.api.asof import AsOf, then
from app.api.door import shown
from app.api.looking import Auditing, Look
from app.api.places import cursor_of, link_to, place_of
from app.api.routes import told
from app.api.schemas.answers import History
from app.domain.decider import NotFound
from app.operations.acting import NO_SUCH_ACTION
from app.operations.climbing import NO_SUCH_ESCALATION
from app.operations.governing import NO_SUCH_REVIEW as NO_SUCH_GOVERNANCE_REVIEW
from app.operations.reviewing import NO_SUCH_REVIEW
from app.operations.revise import NO_SUCH_NEAR_MISS
from app.operations.signalling import NO_SUCH_SIGNAL

router = APIRouter(prefix="/v1", tags=["audit"])
AUDIT = "audit:read"
AFTER = "after"
TELLS = told(AUDIT, History, problems=["not-found"])
Limit = Annotated[int, Query(ge=1, le=200, description="How many events at most.")]
Cursor = Annotated[str | None, Query(max_length=64, description="`next_cursor` of the page before.")]


@router.get("/near-misses/{near_miss_id}/history", **TELLS)
def read_history(
    look: Auditing, request: Request, near_miss_id: str, as_of: AsOf = None, limit: Limit = 200, cursor: Cursor = None
) -> Response:
    """Every event of a near miss, in order: who, when, and what."""
    return _history(look, request, f"near_miss/{near_miss_id}", NO_SUCH_NEAR_MISS, as_of, limit, cursor)


@router.get("/escalations/{escalation_id}/history", **TELLS)
def read_escalation_history(
    look: Auditing, request: Request, escalation_id: str, as_of: AsOf = None, limit: Limit = 200, cursor: Cursor = None
) -> Response:
    """Every event of an escalation, in order: whom it held, whom it asked, and who answered."""
    return _history(look, request, f"escalation/{escalation_id}", NO_SUCH_ESCALATION, as_of, limit, cursor)


@router.get("/reviews/{review_id}/history", **TELLS)
def read_review_history(
    look: Auditing, request: Request, review_id: str, as_of: AsOf = None, limit: Limit = 200, cursor: Cursor = None
) -> Response:
    """Every event of a manager review, in order: what was found, former words included, and how it ended."""
    return _history(look, request, f"review/{review_id}", NO_SUCH_REVIEW, as_of, limit, cursor)


@router.get("/actions/{action_id}/history", **TELLS)
def read_action_history(
    look: Auditing, request: Request, action_id: str, as_of: AsOf = None, limit: Limit = 200, cursor: Cursor = None
) -> Response:
    """Every event of an action, in order: agreed, told how it goes, overdue, done, looked at again."""
    return _history(look, request, f"action/{action_id}", NO_SUCH_ACTION, as_of, limit, cursor)


@router.get("/governance-reviews/{governance_review_id}/history", **TELLS)
def read_governance_review_history(
    look: Auditing,
    request: Request,
    governance_review_id: str,
    as_of: AsOf = None,
    limit: Limit = 200,
    cursor: Cursor = None,
) -> Response:
    """Every event of a governance review, in order; the first holds the snapshot, former minutes are there too."""
    stream = f"governance_review/{governance_review_id}"
    return _history(look, request, stream, NO_SUCH_GOVERNANCE_REVIEW, as_of, limit, cursor)


@router.get("/signals/{signal_id}/history", **TELLS)
def read_signal_history(
    look: Auditing, request: Request, signal_id: str, as_of: AsOf = None, limit: Limit = 200, cursor: Cursor = None
) -> Response:
    """Every event of a signal, in order: how it was told, and how it was answered."""
    return _history(look, request, f"signal/{signal_id}", NO_SUCH_SIGNAL, as_of, limit, cursor)


def _history(
    look: Look, request: Request, stream: str, missing: str, as_of: str | None, limit: int, cursor: str | None
) -> Response:
    after = place_of(AFTER, cursor) or 0
    with look.reader() as reader:
        events = then(look, reader, as_of, stream).history(stream, after, limit + 1)
    if not events and not after:
        raise NotFound(missing)
    following = cursor_of(AFTER, events[limit - 1]["version"]) if len(events) > limit else None
    return shown({"items": events[:limit], "next_cursor": following}, headers=link_to(request, following))
