"""Where the next page begins, as a cursor that says nothing else, with the link to it."""

import base64
import binascii

from fastapi import Request

from app.domain.decider import Fault, Invalid


def cursor_of(name: str, number: int) -> str:
    """The cursor of a place."""
    return base64.urlsafe_b64encode(f"{name}:{number}".encode()).decode()


def place_of(name: str, cursor: str | None) -> int | None:
    """The place that a cursor of that name tells; `Invalid` when it is none."""
    if cursor is None:
        return None
    try:
        told, number = base64.urlsafe_b64decode(cursor.encode("ascii")).decode("ascii").split(":")
        if told != name or not number.isdigit() or len(number) > 18:
            raise ValueError
        return int(number)
    except (ValueError, binascii.Error):
        fault = Fault("/query/cursor", "unknown-cursor", "Use `next_cursor` of the page before, as it stands.")
        raise Invalid(fault) from None


def link_to(request: Request, cursor: str | None) -> dict[str, str]:
    """The header that leads to the next page, where there is one."""
    if cursor is None:
        return {}
    following = request.url.include_query_params(cursor=cursor)
    return {"Link": f'<{following.path}?{following.query}>; rel="next"'}
