"""What was told about the things of a trace, and when all of it happened: notices, messages, and the timeline.

A notice and a message hang on the event that tells of them, so they are worked out from the events themselves; how a
message has fared stands in no ledger, and is only said of now.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import msgspec
from sqlalchemy import func, select

from app.database.tables import deliveries, events, webhook_endpoints
from app.domain.action import ActionOverdue
from app.domain.notice import Notice, coalesced, notices_of
from app.events.catalogue import NAMES
from app.events.codec import told as decoded
from app.events.envelope import Envelope, Told, instant, type_of
from app.operations.trace_book import STREAMLESS, Book, Link, Node, parts, stream_of
from app.projections.deliveries import WEBHOOK_TYPES, delivery_id_of
from app.projections.notices import HEEDS, notice_id_of

MOST_EVENTS = 1000
"""Of the timeline, the newest."""
MOST_TOLD = 100
"""Notices, and messages, that are shown, the newest."""
_NOTIFYING = [NAMES[one][0] for one in HEEDS]
_NAMED = ("near_miss_id", "duplicate_of", "other_id", "escalation_id", "review_id", "action_id", "into")
_KINDS = {"intake": "intake_record"}
Shown = tuple[dict[str, Any], Link]


def timeline(book: Book, nodes: Iterable[Node]) -> tuple[list[dict[str, Any]], int]:
    """What happened to these things, oldest first, and how much that was earlier is left out."""
    found, in_all = _newest(book, nodes, MOST_EVENTS)
    return [_entry(one) for one in reversed(found)], in_all - len(found)


def notices(book: Book, nodes: Iterable[Node]) -> tuple[list[Shown], int]:
    """Whom the events of these things told, each as a node with the link to what it is about; and how many are not
    shown.
    """
    found, in_all = _newest(book, nodes, MOST_TOLD, _NOTIFYING)
    made: dict[str, tuple[Notice, Envelope]] = {}
    for envelope in reversed(found):
        for one in notices_of([(envelope.stream, _with_owner(book, decoded(envelope)))]):
            notice_id = notice_id_of(envelope.correlation_id, one)
            if notice_id in made:
                earlier, first = made[notice_id]
                made[notice_id] = coalesced(earlier, one), first
            else:
                made[notice_id] = one, envelope
    return [_notice(notice_id, *one) for notice_id, one in made.items()], in_all - len(found)


def messages(book: Book, nodes: Iterable[Node], *, is_now: bool) -> tuple[list[Shown], int]:
    """What endpoints were owed of the events of these things. Without `is_now` nothing is said of how it fared."""
    endpoint = webhook_endpoints.c
    known = select(endpoint.endpoint_id).where(endpoint.organisation == book.organisation)
    endpoints = [one.endpoint_id for one in book.rows(known)]
    if not endpoints:
        return [], 0
    found, in_all = _newest(book, nodes, MOST_TOLD, list(WEBHOOK_TYPES))
    of = {delivery_id_of(one.event_id, its): one for one in found for its in endpoints}
    row = deliveries.c
    shown: list[Shown] = []
    for some in parts(list(of)):
        chosen = select(deliveries).where(row.organisation == book.organisation, row.delivery_id.in_(some))
        shown += (_message(one, of[one.delivery_id], is_now=is_now) for one in book.rows(chosen))
    return shown, in_all - len(found)


def _newest(
    book: Book, nodes: Iterable[Node], most: int, types: Sequence[str] | None = None
) -> tuple[list[Envelope], int]:
    """The newest events of these things, the newest first, and how many there are."""
    row = events.c
    streams = [stream_of(node) for node in nodes if node.kind not in STREAMLESS]
    found: list[Envelope] = []
    in_all = 0
    for some in parts(streams):
        of = (row.organisation == book.organisation, row.stream.in_(some), row.sequence <= book.as_of)
        its = (*of, row.type.in_(types)) if types is not None else of
        in_all += book.reader.connection.execute(select(func.count()).select_from(events).where(*its)).scalar_one()
        chosen = select(events).where(*its).order_by(row.sequence.desc()).limit(most)
        found += (Envelope._make(one) for one in book.rows(chosen))
    return sorted(found, key=lambda one: -one.sequence)[:most], in_all


def _entry(envelope: Envelope) -> dict[str, Any]:
    entry = {
        "sequence": envelope.sequence,
        "at": instant(envelope.recorded_at),
        "type": type_of(envelope),
        "subject": _subject(envelope).ref,
        "actor": envelope.actor,
    }
    data: Any = msgspec.json.decode(envelope.payload)
    names = dict.fromkeys([*(data[name] for name in _NAMED if data.get(name)), *data.get("cites", ())])
    return {**entry, "names": list(names)} if names else entry


def _subject(envelope: Envelope) -> Node:
    return Node(_KINDS.get(envelope.kind, envelope.kind), envelope.subject)


def _with_owner(book: Book, told: Told[Any]) -> object:
    """The event; of an overdue action with its owner, whom the ladder does not name."""
    if not isinstance(told.event, ActionOverdue):
        return told.event
    (agreed, *_) = book.told("action", [told.envelope.subject])[told.envelope.subject]
    return replace(told.event, notify=(*told.event.notify, f"staff/{agreed.event.owner.token}"))


def _notice(notice_id: str, notice: Notice, first: Envelope) -> Shown:
    document = {
        "kind": "notice",
        "id": notice_id,
        "sequence": first.sequence,
        "at": instant(first.recorded_at),
        "details": {"to": notice.to, "why": notice.why, "whys": list(notice.whys)},
        "links": {"self": f"/v1/notices?after={first.sequence - 1}"},
    }
    return document, Link(_subject(first), Node("notice", notice_id), "told", first.sequence)


def _message(row: Any, told: Envelope, *, is_now: bool) -> Shown:
    document: dict[str, Any] = {
        "kind": "delivery",
        "id": row.delivery_id,
        "sequence": row.sequence,
        "at": instant(row.created_at),
        "details": {"type": row.type, "endpoint_id": row.endpoint_id},
        "links": {"self": f"/v1/deliveries/{row.delivery_id}"},
    }
    if is_now:
        document = {**document, "status": row.status}
    return document, Link(_subject(told), Node("delivery", row.delivery_id), "told", row.sequence)
