"""An endpoint and a message that it is owed, as the API contract shows them: no secret, but for whom it was made."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select

from app.database.tables import deliveries
from app.domain import endpoint
from app.domain.decider import NotFound
from app.domain.endpoint import NO_SUCH_ENDPOINT, UNREGISTERED, Degraded, Endpoint, Held, SecretRotated
from app.domain.moment import format_instant
from app.events.envelope import Told, instant
from app.operations.documents import Open
from app.operations.endpoints import NO_SUCH_DELIVERY, Fresh
from app.operations.messages import message_of
from app.operations.show import Reader


def endpoints_shown(reader: Reader, ids: Sequence[str]) -> list[dict[str, Any]]:
    """The endpoints of these ids that live, in the order asked."""
    streams = reader.told([f"endpoint/{one}" for one in ids])
    opener = reader.opener(streams.values())
    shown: list[dict[str, Any]] = []
    for one in ids:
        told = streams[f"endpoint/{one}"]
        state = _folded(told)
        if state.is_live:
            shown.append(endpoint_document(one, told, state, opener))
    return shown


def endpoint_shown(reader: Reader, endpoint_id: str) -> dict[str, Any]:
    """The endpoint, or `NotFound`: also when it was deleted."""
    found = endpoints_shown(reader, [endpoint_id])
    if not found:
        raise NotFound(NO_SUCH_ENDPOINT)
    return found[0]


def endpoint_given(reader: Reader, endpoint_id: str, given: Fresh) -> dict[str, Any]:
    """The endpoint with its secret, for whom it was made: an answer that is given again finds another one there."""
    document = endpoint_shown(reader, endpoint_id)
    told = reader.told([f"endpoint/{endpoint_id}"])[f"endpoint/{endpoint_id}"]
    newest = _folded(told).secrets[0].secret
    if reader.opener_of([newest])(newest) == given.secret:
        document["secret"] = given.secret
    return document


def endpoint_document(endpoint_id: str, told: Sequence[Told[Any]], state: Endpoint, opened: Open) -> dict[str, Any]:
    """An endpoint of the API contract. `opened` gives its address and its description."""
    wanted = state.wanted
    assert wanted is not None
    rotated = [one for one in told if isinstance(one.event, SecretRotated)]
    document: dict[str, Any] = {
        "id": endpoint_id,
        "sequence": told[0].envelope.sequence,
        "url": opened(wanted.url),
        "event_types": list(wanted.event_types),
        "services": list(wanted.services),
        "roles": list(wanted.roles),
        "description": None if wanted.description is None else opened(wanted.description),
        "status": state.status,
        "public_key": state.public_key,
        "created_at": instant(told[0].envelope.recorded_at),
        "secret_rotated_at": instant(rotated[-1].envelope.recorded_at) if rotated else None,
        "previous_secret_valid_until": _instant(state.secrets[1].valid_until) if rotated else None,
        **_standing(state.standing),
        "version": len(told),
    }
    return {name: value for name, value in document.items() if value is not None}


def delivery_document(row: Row[Any]) -> dict[str, Any]:
    """A message that is owed, or was."""
    document: dict[str, Any] = {
        "id": row.delivery_id,
        "endpoint_id": row.endpoint_id,
        "sequence": row.sequence,
        "type": row.type,
        "urgent": bool(row.urgent),
        "subject": row.subject,
        "status": row.status,
        "attempts": row.attempts,
        "created_at": instant(row.created_at),
        "next_attempt_at": instant(row.due_at) if row.status == "pending" else None,
        "first_tried_at": None if row.first_tried_at is None else instant(row.first_tried_at),
        "done_at": None if row.done_at is None else instant(row.done_at),
        "superseded_by": row.superseded_by,
        "last_status_code": row.last_status,
        "last_error": row.last_error,
    }
    return {name: value for name, value in document.items() if value is not None}


def delivery_shown(reader: Reader, delivery_id: str) -> dict[str, Any]:
    """The delivery with its message, as it is sent, or `NotFound`."""
    row = deliveries.c
    chosen = select(deliveries).where(row.organisation == reader.organisation, row.delivery_id == delivery_id)
    found = reader.connection.execute(chosen).one_or_none()
    if found is None:
        raise NotFound(NO_SUCH_DELIVERY)
    return {**delivery_document(found), "message": message_of(reader.connection, reader.organisation, found)}


def attempt_document(row: Row[Any]) -> dict[str, Any]:
    """One try: when, how long it took, and what came back."""
    document: dict[str, Any] = {
        "number": row.number,
        "at": instant(row.at),
        "latency_ms": row.latency / 1000,
        "status_code": row.status_code,
        "error": row.error,
        "response": row.response,
    }
    return {name: value for name, value in document.items() if value is not None}


def _folded(told: Sequence[Told[Any]]) -> Endpoint:
    state = UNREGISTERED
    for one in told:
        state = endpoint.evolve(state, one.event)
    return state


def _standing(standing: Degraded | Held | None) -> dict[str, Any]:
    match standing:
        case Degraded(failing_since, hold_at):
            return {"failing_since": format_instant(failing_since), "hold_at": format_instant(hold_at)}
        case Held(why, since):
            return {"held_because": why, "failing_since": format_instant(since)}
        case None:
            return {}


def _instant(at: datetime | None) -> str | None:
    return None if at is None else format_instant(at)
