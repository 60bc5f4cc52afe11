"""Lists: newest first, page by page, with a cursor that says only where the last page ended; filters by time."""

import base64
import binascii
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Query, Request
from sqlalchemy import Column, tuple_
from sqlalchemy.sql import Select
from starlette.responses import Response

from app.api.door import shown
from app.domain.decider import Fault, Invalid
from app.domain.moment import parse_moment
from app.domain.spelling import instead_of
from app.domain.zones import zone

Limit = Annotated[int, Query(ge=1, le=200, description="How many at most.")]
Cursor = Annotated[str | None, Query(max_length=64, description="`next_cursor` of the page before.")]


def before(cursor: str | None) -> int | None:
    """The sequence below which the page begins."""
    place = places_below(cursor, 1)
    return None if place is None else place[0]


def places_below(cursor: str | None, parts: int) -> tuple[int, ...] | None:
    """The place below which the page begins, of a list whose places are of so many numbers."""
    if cursor is None:
        return None
    try:
        kind, *numbers = base64.urlsafe_b64decode(cursor.encode("ascii")).decode("ascii").split(":")
        if kind != "before" or len(numbers) != parts or not all(one.isdigit() and len(one) < 19 for one in numbers):
            raise ValueError
        return tuple(int(one) for one in numbers)
    except (ValueError, binascii.Error):
        fault = Fault("/query/cursor", "unknown-cursor", "Use `next_cursor` of the page before, as it stands.")
        raise Invalid(fault) from None


def instant_of(name: str, text: str, zone_name: str) -> int:
    """The instant that the filter of that name means, in microseconds: a date is the start of that day in the zone."""
    try:
        return parse_moment(text.replace(" ", "+"), zone(zone_name)).at
    except ValueError as error:
        raise Invalid(Fault(f"/query/{name}", "not-a-moment", str(error))) from None


def must_be_one_of(name: str, said: str | None, known: Sequence[str]) -> None:
    """Refuse a filter's code that there is not, naming the nearest (422)."""
    if said is not None and said not in known:
        raise Invalid(Fault(f"/query/{name}", "unknown-code", f"There is no such {name}: {instead_of(said, known)}"))


def day_of(name: str, text: str) -> int:
    """The day (a proleptic ordinal) that the filter of that name means: a date, without a time."""
    try:
        moment = parse_moment(text, zone("UTC"))
    except ValueError as error:
        raise Invalid(Fault(f"/query/{name}", "not-a-date", str(error))) from None
    if not moment.date_only:
        raise Invalid(Fault(f"/query/{name}", "not-a-date", "Give a date as YYYY-MM-DD, without a time."))
    return moment.day


def page(
    chosen: "Select[*tuple[Any, ...]]", sequence: "Column[int]", cursor: str | None, limit: int, *within: "Column[int]"
) -> "Select[*tuple[Any, ...]]":
    """One page of a selection, newest first; one row more than asked tells whether another follows.

    `within`: what tells rows of one sequence apart.
    """
    columns = (sequence, *within)
    below = places_below(cursor, len(columns))
    if below is not None:
        chosen = chosen.where(tuple_(*columns) < below)
    return chosen.order_by(*(column.desc() for column in columns)).limit(limit + 1)


def listed(request: Request, items: Sequence[Any], places: Sequence[int | Sequence[int]], limit: int) -> Response:
    """The answer of a page: at most `limit` items, and where the next page begins. `places`: of each row that was
    found its sequence, with what tells it apart within that.
    """
    next_cursor = None
    headers: dict[str, str] = {}
    if len(places) > limit:
        last = places[limit - 1]
        numbers = ":".join(str(number) for number in ((last,) if isinstance(last, int) else last))
        next_cursor = base64.urlsafe_b64encode(f"before:{numbers}".encode()).decode()
        following = request.url.include_query_params(cursor=next_cursor)
        headers["Link"] = f'<{following.path}?{following.query}>; rel="next"'
    return shown({"items": list(items[:limit]), "next_cursor": next_cursor}, headers=headers)
