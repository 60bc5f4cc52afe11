"""Notices: what each command told whom, for systems that ask for it. A role's stand under the role."""

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from sqlalchemy import Row, select
from starlette.responses import Response

from app.api.lists import Cursor, Limit, instant_of, listed, page
from app.api.looking import Reading
from app.api.routes import told
from app.api.schemas.answers import NoticeList
from app.api.schemas.fields import LARGEST_INTEGER
from app.database.tables import notices
from app.events.envelope import instant
from app.events.sealing import token
from app.operations.show import Reader

router = APIRouter(prefix="/v1", tags=["notices"])
READ = "near-misses:read"
INSTANTS = ("first_scheduled_at", "scheduled_at", "respond_by", "recorded_at")
PATHS = {
    "escalation": "escalations",
    "action": "actions",
    "near_miss": "near-misses",
    "source": "sources",
    "signal": "signals",
}
After = Annotated[int | None, Query(ge=0, le=LARGEST_INTEGER, description="A ledger sequence; told later than it.")]
To = Annotated[str | None, Query(max_length=128, description="A role, a person's reference, or the name of a key.")]


@router.get("/notices", **told(READ, NoticeList))
def list_notices(
    look: Reading,
    request: Request,
    to: To = None,
    escalation_id: Annotated[str | None, Query(max_length=128)] = None,
    service_id: Annotated[str | None, Query(max_length=128)] = None,
    recorded_after: Annotated[str | None, Query(max_length=40)] = None,
    after: After = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """What people were told, the newest first: all that one command told one addressee of one thing is one notice."""
    row = notices.c
    with look.caught_up("notices") as (reader, position):
        # What the follower has gone on with since may be half a command.
        chosen = select(notices).where(row.organisation == look.organisation, row.sequence <= position)
        if to is not None:
            chosen = chosen.where(row.addressee.in_([to, _person(reader, to)]))
        if escalation_id is not None:
            chosen = chosen.where(row.escalation_id == escalation_id)
        if service_id is not None:
            chosen = chosen.where(row.service_id == service_id)
        if recorded_after is not None:
            zone_name = look.settled(reader).policy.time_zone
            chosen = chosen.where(row.recorded_at > instant_of("recorded_after", recorded_after, zone_name))
        if after is not None:
            chosen = chosen.where(row.sequence > after)
        found = reader.connection.execute(page(chosen, row.sequence, cursor, limit, row.place)).all()
        names = reader.names({one.addressee for one in found})
    items = [_shown(one, names) for one in found[:limit]]
    return listed(request, items, [(one.sequence, one.place) for one in found], limit)


def _person(reader: Reader, ref: str) -> str:
    """The person of that reference, as events name them."""
    return f"staff/{token(reader.vault.pepper(reader.connection, reader.organisation), 'staff', ref)}"


def _shown(row: Row[Any], names: Mapping[str, str]) -> dict[str, Any]:
    """A notice of the API contract: ids, codes and instants, and of persons whom it is for alone."""
    kind, subject_id = row.subject.split("/", 1)
    document: dict[str, Any] = {
        "id": row.notice_id,
        "sequence": row.sequence,
        "to": names.get(row.addressee, row.addressee),
        "why": row.why,
        "whys": row.whys.split(),
        "subject": {"kind": kind, "id": subject_id},
        "escalation_id": row.escalation_id,
        f"{kind}_id": subject_id,
        "review_id": row.review_id,
        "service_id": row.service_id,
        "level": row.level,
        "coalesced": row.events,
        **{name: instant(at) for name in INSTANTS if (at := getattr(row, name)) is not None},
        "links": {"self": _link(kind, subject_id)},
    }
    return {name: value for name, value in document.items() if value is not None}


def _link(kind: str, subject_id: str) -> str:
    if kind == "governance_cadence":
        return "/v1/governance-reviews"
    return f"/v1/{PATHS[kind]}/{quote(subject_id, safe='/:')}"
