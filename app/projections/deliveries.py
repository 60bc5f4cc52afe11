"""What is owed to whom: one message for each event and each endpoint that wanted to hear of it when it happened.

A follower: a message is owed if its event is in the ledger, and its id hangs on the event and the endpoint, so that it
is the same message however often it is owed or sent. An endpoint is owed nothing that happened before it was
registered. How a message fares afterwards is no projection: these rows are never made anew.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from sqlalchemy import Connection, func, select

from app.database.tables import deliveries, events, webhook_endpoints
from app.domain import endpoint
from app.domain.action import Agreed
from app.domain.endpoint import UNREGISTERED, Changed, Deleted, Endpoint, Registered
from app.domain.escalation import Raised
from app.domain.near_miss import Recorded
from app.domain.review import Opened
from app.domain.webhook import TEST, TYPES
from app.events.catalogue import CATALOGUE, NAMES
from app.events.codec import decode
from app.events.envelope import Envelope, Told
from app.projections.context import Context

TABLES = (deliveries,)

WEBHOOK_TYPES: dict[str, str] = {
    "near_miss.recorded": "near_miss.recorded",
    "escalation.raised": "escalation.raised",
    "escalation.member_added": "escalation.member_added",
    "escalation.level_entered": "escalation.level_entered",
    "escalation.acknowledged": "escalation.acknowledged",
    "escalation.chain_exhausted": "escalation.chain_exhausted",
    "escalation.review_overdue": "review.overdue",
    "review.closed": "review.closed",
    "governance_cadence.missed": "governance_review.overdue",
    "governance_review.closed": "governance_review.closed",
    "action.overdue": "action.overdue",
    "outcome.assessed": "action.outcome_assessed",
    "source.silent": "source.silent",
    "signal.trend_signalled": "trend.signalled",
    "signal.drought_signalled": "reporting.drought",
    "ledger.checkpointed": "ledger.checkpoint",
    "endpoint.degraded": "endpoint.degraded",
    "endpoint.held": "endpoint.held",
    "endpoint.tested": TEST,
}
"""The type of message that an event of the ledger is told as."""

GOVERNANCE = "governance"
"""What leadership's reviews are told under, one after the other."""

HEEDS = tuple(CATALOGUE[name].event for name in WEBHOOK_TYPES if name in CATALOGUE)


@dataclass(frozen=True, slots=True)
class About:
    """What an event is about. `subject`: within it messages keep their order."""

    subject: str
    service_id: str | None = None
    near_miss_id: str | None = None
    escalation_id: str | None = None
    review_id: str | None = None
    action_id: str | None = None
    endpoint_id: str | None = None
    signal_id: str | None = None
    is_history: bool = False
    governance_review_id: str | None = None


def begins(connection: Connection, organisation: str | None = None) -> dict[str, int]:
    """The sequence of each organisation's first endpoint, before which nothing is owed; one without is not there."""
    row = webhook_endpoints.c
    chosen = select(row.organisation, func.min(row.sequence)).group_by(row.organisation)
    if organisation is not None:
        chosen = chosen.where(row.organisation == organisation)
    return {one[0]: one[1] for one in connection.execute(chosen)}


def apply(context: Context, told: Told[Any]) -> None:
    """Owe the message that tells of the event to whoever wants it."""
    wanting = list(_wanting(context, told))
    if not wanting:
        return
    envelope, told_as = told.envelope, WEBHOOK_TYPES[told.envelope.type]
    standing = _standing(context)
    for endpoint_id in wanting:
        is_held = standing.get(endpoint_id) in {"held", "deleted"}
        context.rows.insert(
            deliveries,
            (
                context.organisation,
                delivery_id_of(envelope.event_id, endpoint_id),
                endpoint_id,
                envelope.sequence,
                about(context, told).subject,
                told_as,
                TYPES[told_as].urgent,
                "held" if is_held else "pending",
                0,
                0,
                envelope.recorded_at,
                envelope.recorded_at,
                *(None,) * 7,
            ),
        )


def delivery_id_of(event_id: str, endpoint_id: str) -> str:
    """What the receiver knows as webhook-id."""
    return "msg_" + uuid5(NAMESPACE_URL, f"forewarn delivery {event_id} {endpoint_id}").hex


def about(context: Context, told: Told[Any]) -> About:
    """What the event is about; what belongs to an escalation or its review is told in the order of the escalation."""
    context.begin(told)
    stream, subject = told.envelope.stream, told.envelope.subject
    match told.envelope.kind:
        case "near_miss":
            recorded: Recorded = context.beginning(stream)
            is_history = bool(recorded.as_history)
            return About(stream, recorded.report.service_id, near_miss_id=subject, is_history=is_history)
        case "escalation":
            return _of_escalation(context, subject)
        case "review":
            opened: Opened = context.beginning(stream)
            return _of_escalation(context, opened.escalation_id)
        case "action":
            agreed: Agreed = context.beginning(stream)
            if agreed.governance_review_id is not None:
                return About(stream, action_id=subject, governance_review_id=agreed.governance_review_id)
            opened = context.beginning(f"review/{agreed.review_id}")
            of = _of_escalation(context, opened.escalation_id)
            return About(stream, of.service_id, None, of.escalation_id, of.review_id, subject)
        case "outcome":
            of = _of_escalation(context, context.beginning(stream).escalation_id)
            return About(of.subject, of.service_id, None, of.escalation_id, subject, told.event.action_ids[0])
        case "endpoint":
            return About(stream, endpoint_id=subject)
        case "signal":
            return About(stream, told.event.service_id, signal_id=subject)
        case "governance_review":
            return About(GOVERNANCE, governance_review_id=subject)
        case "governance_cadence":
            return About(GOVERNANCE, governance_review_id=next(iter(told.event.governance_review_ids), None))
        case _:
            return About(stream, getattr(told.event, "service_id", None))


def _of_escalation(context: Context, escalation_id: str) -> About:
    raised: Raised = context.beginning(f"escalation/{escalation_id}")
    return About(
        escalation_id,
        raised.service_id,
        escalation_id=escalation_id,
        review_id=raised.review_id,
        is_history=raised.historical,
    )


def _wanting(context: Context, told: Told[Any]) -> Iterator[str]:
    envelope = told.envelope
    told_as = WEBHOOK_TYPES[envelope.type]
    if told_as == TEST:
        yield envelope.subject
        return
    known = _endpoints_at(context, envelope.sequence)
    if not known:
        return
    what = about(context, told)
    if what.is_history:
        return
    addressed = getattr(told.event, "notify", ())
    for endpoint_id, state in known.items():
        if endpoint_id != what.endpoint_id and state.wants(told_as, what.service_id, addressed):
            yield endpoint_id


# What the endpoints wanted, as of an event

_WISHES = tuple(NAMES[event][0] for event in (Registered, Changed, Deleted))


@dataclass(slots=True)
class _Course:
    """What the endpoints wished, the newest first, and what each wanted after what has been taken from it."""

    coming: list[Envelope]
    states: dict[str, Endpoint]


def _endpoints_at(context: Context, sequence: int) -> dict[str, Endpoint]:
    """Where each endpoint stood when the event of a sequence was recorded; sequences are asked for in their order."""
    course = context.kept.get("endpoints")
    if course is None:
        course = context.kept["endpoints"] = _Course(_recorded(context), {})
    while course.coming and course.coming[-1].sequence < sequence:
        envelope = course.coming.pop()
        state = course.states.get(envelope.subject, UNREGISTERED)
        course.states[envelope.subject] = endpoint.evolve(state, decode(envelope))
    return course.states


def _recorded(context: Context) -> list[Envelope]:
    """All of them."""
    context.rows.flush()
    row = events.c
    chosen = (
        select(events)
        .where(row.organisation == context.ledger, row.stream > "endpoint/", row.stream < "endpoint0")
        .where(row.type.in_(_WISHES))
        .order_by(row.sequence.desc())
    )
    return [Envelope._make(one) for one in context.rows.connection.execute(chosen)]


def _standing(context: Context) -> dict[str, str]:
    """How each endpoint stands now; none of them is held, or enabled, before what is owed here is stored."""
    standing = context.kept.get("standing")
    if standing is None:
        row = webhook_endpoints.c
        chosen = select(row.endpoint_id, row.status).where(row.organisation == context.organisation)
        found = context.rows.execute(chosen.with_for_update(read=True))
        standing = context.kept["standing"] = {one.endpoint_id: one.status for one in found}
    return standing
