"""Notices: what each command told people, coalesced for each of them and each stream.

A follower: it reads the ledger after the fact. A page may end in the middle of a command, so a row takes up the events
of its command one by one, and its id hangs on the command, the stream and the addressee: wherever pages end, and
however often it is made anew, it is the same row.
"""

from dataclasses import dataclass, fields, replace
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from sqlalchemy import and_, bindparam, select, update

from app.database.tables import notices
from app.domain import near_miss
from app.domain.action import ActionOverdue, Agreed
from app.domain.escalation import Raised
from app.domain.moment import from_micros, to_micros
from app.domain.notice import Notice, coalesced, notices_of
from app.domain.review import Opened
from app.events.catalogue import CATALOGUE
from app.events.envelope import Envelope, Told
from app.projections.context import Context

TABLES = (notices,)
HEEDS = tuple(one.event for one in CATALOGUE.values() if "notify" in {field.name for field in fields(one.event)})


@dataclass(frozen=True, slots=True)
class About:
    """What a stream is about."""

    service_id: str | None
    escalation_id: str | None = None
    review_id: str | None = None


def apply(context: Context, told: Told[Any]) -> None:
    """What the event does to the rows of notices."""
    made = notices_of([(told.envelope.stream, _with_owner(context, told))])
    if not made:
        return
    about = _about(context, told)
    for place, one in enumerate(made):
        _take_up(context, told.envelope, about, place, one)


def _take_up(context: Context, envelope: Envelope, about: About, place: int, notice: Notice) -> None:
    notice_id = notice_id_of(envelope.correlation_id, notice)
    standing = context.rows.execute(_STANDING, {"of": context.organisation, "its_id": notice_id}).one_or_none()
    if standing is None:
        first = (envelope.sequence, place, envelope.sequence, envelope.recorded_at, notice.to, notice.subject)
        of = (about.escalation_id, about.review_id, about.service_id)
        changing = _changing(notice)
        context.rows.insert(notices, (context.organisation, notice_id, *first, *of, *changing.values()))
    else:
        values = _changing(coalesced(_read(standing), notice))
        its = {"of": context.organisation, "its_id": notice_id}
        context.rows.execute(_COALESCE, {**its, "last_sequence": envelope.sequence, **values})


_ITS = and_(notices.c.organisation == bindparam("of"), notices.c.notice_id == bindparam("its_id"))
_STANDING = select(notices).where(_ITS)
_COALESCE = (
    update(notices)
    .where(_ITS)
    .values({name: bindparam(name) for name in (
        "last_sequence", "why", "whys", "events", "level", "respond_by", "scheduled_at", "first_scheduled_at",
    )})
)  # fmt: skip


def notice_id_of(correlation_id: str, notice: Notice) -> str:
    """The id of the notice that a command makes."""
    return "ntc_" + uuid5(NAMESPACE_URL, f"forewarn notice {correlation_id} {notice.subject} {notice.to}").hex


def _changing(notice: Notice) -> dict[str, Any]:
    """What every event of a command may change, in the order of the table's last columns."""
    return {
        "why": notice.why,
        "whys": " ".join(notice.whys),
        "events": notice.events,
        "level": notice.level,
        "respond_by": to_micros(notice.respond_by) if notice.respond_by else None,
        "scheduled_at": to_micros(notice.scheduled_at) if notice.scheduled_at else None,
        "first_scheduled_at": to_micros(notice.first_scheduled_at) if notice.first_scheduled_at else None,
    }


def _read(row: Any) -> Notice:
    return Notice(
        row.subject,
        row.addressee,
        row.why,
        tuple(row.whys.split()),
        row.events,
        row.level,
        *(None if at is None else from_micros(at) for at in (row.respond_by, row.scheduled_at, row.first_scheduled_at)),
    )


def _with_owner(context: Context, told: Told[Any]) -> object:
    """The event; of an overdue action with its owner, whom the ladder does not name, among those who are told."""
    if not isinstance(told.event, ActionOverdue):
        return told.event
    agreed: Agreed = context.beginning(told.envelope.stream)
    return replace(told.event, notify=(*told.event.notify, f"staff/{agreed.owner.token}"))


def _about(context: Context, told: Told[Any]) -> About:
    stream = told.envelope.stream
    match told.envelope.kind:
        case "action":
            agreed: Agreed = context.beginning(stream)
            if agreed.governance_review_id is not None:
                return About(None)
            opened: Opened = context.beginning(f"review/{agreed.review_id}")
            raised: Raised = context.beginning(f"escalation/{opened.escalation_id}")
            return About(raised.service_id, opened.escalation_id, agreed.review_id)
        case "near_miss":
            state = context.folded(told, near_miss.UNRECORDED, near_miss.evolve)
            return About(state.report.service_id if state.report else None)
        case "source" | "signal":
            return About(told.event.service_id)
        case "governance_cadence":
            return About(None)
        case _:
            raised = context.beginning(stream)
            return About(raised.service_id, told.envelope.subject, raised.review_id)
