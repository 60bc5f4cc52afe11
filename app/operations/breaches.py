"""A review that nobody closed in time is a near miss of the service itself: an escalation that nearly came too late.

It is recorded once for each review, born with its details and judged by the service's own rule (S20). A breach of a
review about such records climbs its ladder like any other and records nothing more, so no loop can grow from it.
"""

from collections.abc import Iterable
from uuid import UUID, uuid5

from app.domain import chase, escalation, review
from app.domain.escalation import Event, Raised, ReviewOverdue
from app.domain.moment import format_instant
from app.domain.own_rule import BREACHED_REVIEWS
from app.domain.rule import OWN_SOURCE
from app.events.store import Cause
from app.operations.desk import Desk
from app.operations.ids import near_miss_id_of
from app.operations.job import Actor, Submit
from app.operations.reporting import Sealer, place_document
from app.operations.submit import LATEST, Breach
from app.operations.submit import record as record_near_miss

NOBODY_INVOLVED = "Recorded by the service: a deadline was breached, nobody's work was looked at."


def record(desk: Desk, cause: Cause, escalation_id: str, raised: Raised, events: Iterable[Event]) -> None:
    """Record what the first breach of a review's deadline says about how the service answers."""
    rule = desk.configuration.policy.rule(raised.rule_id)
    if raised.rule_id == BREACHED_REVIEWS.id or (rule is not None and rule.own):
        return
    for event in events:
        if isinstance(event, ReviewOverdue) and event.times == 1:
            _record(desk, cause, escalation_id, raised, event)


def _record(desk: Desk, cause: Cause, escalation_id: str, raised: Raised, breach: ReviewOverdue) -> None:
    scheduled_at = format_instant(breach.scheduled_at)
    document = {
        "source": OWN_SOURCE,
        "source_event_id": f"{escalation_id}/{scheduled_at}",
        "occurred_at": scheduled_at,
        "incident_type": "escalation",
        "deviation": "late",
        "classification": "near_miss",
        "contributing_factors": ["lines_of_responsibility"],
        "staff_not_known_reason": NOBODY_INVOLVED,
        "recovery_barrier": "system_alert",
        "attributes": {"escalation_id": escalation_id, "review_id": raised.review_id or ""},
    }
    if raised.service_id is not None:
        document["service_id"] = raised.service_id
    near_miss_id = near_miss_id_of(str(uuid5(UUID(cause.command_id), f"breach {scheduled_at}")))
    job = Submit(desk.organisation, cause.command_id, Actor(cause.actor), near_miss_id, document)
    placed = place_document(near_miss_id, LATEST, document, None, desk.configuration)
    told_up_to = chase.BACKSTOP if breach.level is None else breach.level
    owner = _owner(desk, escalation_id, breach)
    record_near_miss(desk, job, placed, Sealer(desk), Breach(told_up_to, owner))
    desk.memory.forget()


def _owner(desk: Desk, escalation_id: str, breach: ReviewOverdue) -> str | None:
    """The person who had taken the escalation on when its review was found to be late; a key by itself is nobody."""
    state = escalation.UNRAISED
    for one in desk.read(f"escalation/{escalation_id}"):
        if one.event == breach:
            break
        state = escalation.evolve(state, one.event)
    return state.owner if state.owner is not None and state.owner.startswith(review.STAFF) else None
