"""What a message says: its type, when it happened, and ids; never a name, a word or a staff token.

The body is made from the ledger's event and what stood right after it, so it is the same bytes at every try, for every
endpoint. Whoever wants to know more follows the link with a key of their own.
"""

from collections.abc import Collection
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Row, select

from app.database.tables import events
from app.domain import action, adoption, endpoint, governance, near_miss, review
from app.domain.endpoint import Degraded, Held
from app.domain.escalation import MemberAdded, Raised
from app.domain.moment import format_instant
from app.domain.signal import DroughtSignalled, TrendSignalled
from app.events.canonical import canonical
from app.events.codec import told as decoded
from app.events.envelope import Envelope, Told, instant
from app.operations.checkpoints import document_of
from app.projections.context import Context
from app.projections.deliveries import About, about
from app.projections.rows import Rows


def body_of(connection: Connection, organisation: str, row: Row[Any]) -> bytes:
    """The JSON {type, timestamp, data} of an owed delivery; `row` tells its `sequence` and `type`."""
    return canonical(message_of(connection, organisation, row)).encode()


def message_of(connection: Connection, organisation: str, row: Row[Any]) -> dict[str, Any]:
    """The same as an object."""
    envelope = envelopes_at(connection, organisation, [row.sequence])[row.sequence]
    return message(context_of(connection, organisation), decoded(envelope), row.type)


def envelopes_at(connection: Connection, organisation: str, sequences: Collection[int]) -> dict[int, Envelope]:
    """The ledger's events of these sequences."""
    event = events.c
    chosen = select(events).where(event.organisation == organisation, event.sequence.in_(sorted(sequences)))
    envelopes = [Envelope._make(one) for one in connection.execute(chosen)]
    return {one.sequence: one for one in envelopes}


def context_of(connection: Connection, organisation: str, known: Context | None = None) -> Context:
    """What messages of an organisation are made in: what one has read, the next need not. `known`: an earlier one."""
    rows = Rows(connection, _nothing_to_write)
    return known.going_on(rows) if known is not None else Context(rows, organisation, organisation, adoption.INITIAL)


def message(context: Context, told: Told[Any], told_as: str) -> dict[str, Any]:
    """The event as a message of that type."""
    scheduled_at = getattr(told.event, "scheduled_at", None)
    happened = instant(told.envelope.recorded_at) if scheduled_at is None else format_instant(scheduled_at)
    data = {
        **_ids(about(context, told)),
        **_standing(context, told),
        "respond_by": _instant(getattr(told.event, "respond_by", None)),
        "scheduled_at": _instant(scheduled_at),
        "sequence": told.envelope.sequence,
    }
    return {
        "type": told_as,
        "timestamp": happened,
        "data": {
            **{name: value for name, value in data.items() if value is not None},
            "links": {"self": _link(told)},
        },
    }


def _ids(what: About) -> dict[str, str | None]:
    return {
        "near_miss_id": what.near_miss_id,
        "escalation_id": what.escalation_id,
        "review_id": what.review_id,
        "governance_review_id": what.governance_review_id,
        "action_id": what.action_id,
        "endpoint_id": what.endpoint_id,
        "signal_id": what.signal_id,
        "service_id": what.service_id,
    }


def _standing(context: Context, told: Told[Any]) -> dict[str, Any]:
    """How it stood right after the event, and what the event says besides."""
    match told.envelope.kind:
        case "near_miss":
            state = context.folded(told, near_miss.UNRECORDED, near_miss.evolve)
            return {"status": state.stage.value}
        case "escalation":
            return {"status": context.escalation(told).status.value, **_of_escalation(told.event)}
        case "review":
            return {"status": context.folded(told, review.UNOPENED, review.evolve).stage.value}
        case "action":
            return {
                "status": context.folded(told, action.UNAGREED, action.evolve).status,
                "level": told.event.level,
            }
        case "endpoint":
            return {
                "status": context.folded(told, endpoint.UNREGISTERED, endpoint.evolve).status,
                **_of_endpoint(told.event),
            }
        case "governance_review":
            return {"status": context.folded(told, governance.UNOPENED, governance.evolve).stage.value}
        case "governance_cadence":
            return {"status": "overdue", "level": told.event.level}
        case "outcome":
            return {"status": told.event.verdict}
        case "source":
            return {"source": told.envelope.subject, "status": "silent", "since": _instant(told.event.silent_since)}
        case "signal":
            return {"status": "open", "since": _instant(told.event.since), **_of_signal(told.event)}
        case "ledger":
            return {"checkpoint": document_of(told.event)}
        case _:
            return {}


def _of_escalation(event: Any) -> dict[str, Any]:
    match event:
        case Raised():
            return {"level": 0}
        case MemberAdded(near_miss_id, kind):
            return {"near_miss_id": near_miss_id, "kind": kind}
        case _:
            return {"level": getattr(event, "level", None)}


def _of_endpoint(event: Any) -> dict[str, Any]:
    match event:
        case Held(why, since):
            return {"why": why, "since": format_instant(since)}
        case Degraded(failing_since, hold_at):
            return {"failing_since": format_instant(failing_since), "hold_at": format_instant(hold_at)}
        case _:
            return {}


def _of_signal(event: TrendSignalled | DroughtSignalled) -> dict[str, Any]:
    match event:
        case TrendSignalled(kind=kind, incident_type=incident_type):
            return {"kind": kind, "incident_type": incident_type}
        case DroughtSignalled(source=its_source):
            return {"kind": "drought", "source": its_source}


def _link(told: Told[Any]) -> str:
    envelope = told.envelope
    if envelope.kind == "governance_cadence":  # What is late may be open, or not be there at all.
        open_ones: tuple[str, ...] = told.event.governance_review_ids
        return "/".join(("/v1/governance-reviews", *open_ones[:1]))
    if envelope.kind == "outcome":
        return f"/v1/actions/{quote(told.event.action_ids[0], safe='')}/outcome"
    if envelope.kind == "ledger":
        return f"/v1/ledger/checkpoint?size={told.event.size}"
    return f"/v1/{_PATHS[envelope.kind]}/{quote(envelope.subject, safe='')}"


_PATHS = {
    "near_miss": "near-misses",
    "escalation": "escalations",
    "review": "reviews",
    "action": "actions",
    "endpoint": "webhook-endpoints",
    "source": "sources",
    "signal": "signals",
    "governance_review": "governance-reviews",
}


def _instant(at: Any) -> str | None:
    return None if at is None else format_instant(at)


def _nothing_to_write(*_: Any, **__: Any) -> None:
    raise AssertionError("A message is only read.")
