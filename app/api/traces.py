"""Traces: everything that is tied to one thing, both ways, from a source's event to the outcome (S18)."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.api.asof import AsOf, sequence_of
from app.api.door import shown
from app.api.looking import Auditing, Look
from app.api.places import cursor_of, link_to, place_of
from app.api.routes import told
from app.api.schemas.answers import Trace
from app.events.store import position
from app.operations.trace_book import Node, source_event
from app.operations.tracing import Asked, trace

router = APIRouter(prefix="/v1", tags=["audit"])
AUDIT = "audit:read"
MESSAGES = "webhooks:manage"
BELOW = "before"
TELLS = told(AUDIT, Trace, problems=["not-found"])
Limit = Annotated[int, Query(ge=1, le=200, description="How many of the near misses that led to it a page has.")]
Cursor = Annotated[str | None, Query(max_length=64, description="`next_cursor` of the page before.")]
Named = Annotated[str, Query(min_length=1, max_length=128)]


@router.get("/near-misses/{near_miss_id}/trace", **TELLS)
def trace_near_miss(
    look: Auditing, request: Request, near_miss_id: str, as_of: AsOf = None, limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """What is tied to a near miss: who told of it, what it was compared with, and all that came of it."""
    return _trace(look, request, Node("near_miss", near_miss_id), as_of, limit, cursor)


@router.get("/escalations/{escalation_id}/trace", **TELLS)
def trace_escalation(
    look: Auditing, request: Request, escalation_id: str, as_of: AsOf = None, limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """What is tied to an escalation: the near misses that it holds with their sources, its review, what was decided."""
    return _trace(look, request, Node("escalation", escalation_id), as_of, limit, cursor)


@router.get("/reviews/{review_id}/trace", **TELLS)
def trace_review(
    look: Auditing, request: Request, review_id: str, as_of: AsOf = None, limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """What is tied to a manager review: what it was opened for, what it agreed on, what came of that."""
    return _trace(look, request, Node("review", review_id), as_of, limit, cursor)


@router.get("/actions/{action_id}/trace", **TELLS)
def trace_action(
    look: Auditing, request: Request, action_id: str, as_of: AsOf = None, limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """What is tied to an action: back to every source event that led to it, on to whether it worked."""
    return _trace(look, request, Node("action", action_id), as_of, limit, cursor)


@router.get("/governance-reviews/{governance_review_id}/trace", **TELLS)
def trace_governance_review(
    look: Auditing,
    request: Request,
    governance_review_id: str,
    as_of: AsOf = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """What is tied to a governance review: all that it saw and cited, down to the source events, and what it wants."""
    return _trace(look, request, Node("governance_review", governance_review_id), as_of, limit, cursor)


@router.get("/signals/{signal_id}/trace", **TELLS)
def trace_signal(
    look: Auditing, request: Request, signal_id: str, as_of: AsOf = None, limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """What is tied to a signal: the near misses of the rise that it told of, and who weighed it."""
    return _trace(look, request, Node("signal", signal_id), as_of, limit, cursor)


@router.get("/trace", **TELLS)
def trace_source_event(
    look: Auditing,
    request: Request,
    source: Named,
    source_event_id: Named,
    as_of: AsOf = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """What became of an event of a source, by the name that the source itself has for it."""
    return _trace(look, request, source_event(source, source_event_id), as_of, limit, cursor)


def _trace(look: Look, request: Request, subject: Node, as_of: str | None, limit: int, cursor: str | None) -> Response:
    below, with_messages = place_of(BELOW, cursor), look.visit.principal.may(MESSAGES)
    with look.reader() as reader:  # Before followers are asked how far they are, which then are at least as far.
        sequence = sequence_of(look, reader, as_of) or position(reader.connection, look.organisation)
    for follower in ("duplicates", "heatmap", *(("deliveries",) if with_messages else ())):
        with look.caught_up(follower):
            pass
    with look.reader() as reader:
        document, place = trace(reader, Asked(subject, sequence, limit, below, with_messages, as_of is None))
    following = cursor_of(BELOW, place) if place is not None else None
    return shown({**document, "next_cursor": following}, headers=link_to(request, following))
