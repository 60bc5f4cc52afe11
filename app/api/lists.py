"""Lists: newest first, page by page, with a cursor that says only where the last page ended."""

import base64
import binascii
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Query, Request
from sqlalchemy import Column
from sqlalchemy.sql import Select
from starlette.responses import Response

from app.api.door import shown
from app.domain.decider import Fault, Invalid

Limit = Annotated[int, Query(ge=1, le=200, description="How many at most.")]
Cursor = Annotated[str | None, Query(max_length=64, description="`next_cursor` of the page before.")]


def before(cursor: str | None) -> int | None:
    """The sequence below which the page begins."""
    if cursor is None:
        return None
    try:
        kind, _, number = base64.urlsafe_b64decode(cursor.encode("ascii")).decode("ascii").partition(":")
        if kind != "before" or not (number.isdigit() and len(number) < 19):
            raise ValueError
        return int(number)
    except (ValueError, binascii.Error):
        fault = Fault("/query/cursor", "unknown-cursor", "Use `next_cursor` of the page before, as it stands.")
        raise Invalid(fault) from None


def page(
    chosen: "Select[*tuple[Any, ...]]", sequence: "Column[int]", cursor: str | None, limit: int
) -> "Select[*tuple[Any, ...]]":
    """One page of a selection, newest first; one row more than asked tells whether another follows."""
    below = before(cursor)
    if below is not None:
        chosen = chosen.where(sequence < below)
    return chosen.order_by(sequence.desc()).limit(limit + 1)


def listed(request: Request, items: Sequence[Any], sequences: Sequence[int], limit: int) -> Response:
    """The answer of a page: at most `limit` items, and where the next page begins."""
    next_cursor = None
    headers: dict[str, str] = {}
    if len(sequences) > limit:
        next_cursor = base64.urlsafe_b64encode(f"before:{sequences[limit - 1]}".encode()).decode()
        following = request.url.include_query_params(cursor=next_cursor)
        headers["Link"] = f'<{following.path}?{following.query}>; rel="next"'
    return shown({"items": list(items[:limit]), "next_cursor": next_cursor}, headers=headers)
