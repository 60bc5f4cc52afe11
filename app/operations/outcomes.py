"""Outcomes: followed up once the last open action of a review is completed, assessed by a timer, and again when what
comes late changes a number.

What is counted is counted under the head's lock, so that an assessment says as of which sequence it is true.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import select

from app.database.tables import events
from app.domain import action, escalation, near_miss, outcome, review
from app.domain.action import Completed
from app.domain.escalation import Raised
from app.domain.moment import from_micros, parse_moment, to_micros
from app.domain.outcome import Outcome, Plan
from app.domain.zones import zone
from app.events.store import Cause, Draft
from app.operations import outcome_document
from app.operations.desk import Desk
from app.operations.job import Unavailable
from app.operations.outcome_counting import Ledger
from app.operations.outcome_finding import finding
from app.operations.show import Reader
from app.operations.timing import timer_cause
from app.projections.timers import OUTCOME


class Agreed(NamedTuple):
    """The actions of a review: those that are open, and of those that were completed since when each works."""

    open_ones: tuple[str, ...]
    effective: dict[str, datetime]


# Commands


def follow_up(desk: Desk, cause: Cause, review_id: str) -> None:
    """Plan the outcome of a review, if no action of it is open any more and at least one was completed."""
    opened, *_ = desk.read(f"review/{review_id}") or [None]
    if opened is None:
        return
    agreed = _agreed(desk, review_id)
    if agreed.open_ones or not agreed.effective:
        return
    state, version = _answered(desk, review_id)
    plan = _plan(desk, review_id, opened.event.escalation_id, agreed)
    decided = outcome.decide(outcome.Schedule(plan), state, from_micros(desk.micros))
    desk.append(cause, [Draft(f"outcome/{review_id}", version, decided)])


def reassess(desk: Desk, cause: Cause, review_id: str) -> None:
    """Look again at what was assessed; told only if a number or the verdict changed.

    Raises `Unavailable` while the facts are too far behind to tell: what came late is not looked at by that.
    """
    state, version = _answered(desk, review_id)
    now = from_micros(desk.micros)
    if state.plan is None or not outcome.may_change(state, now):
        return
    found = finding(_ledger(desk), state.counted or state.plan, now)
    if found is None:
        raise Unavailable("The facts have not come far enough: ask again in a moment.")
    decided = outcome.decide(outcome.Reassess(found), state, now)
    desk.append(cause, [Draft(f"outcome/{review_id}", version, decided)])


# The timer


def fire(desk: Desk, review_id: str) -> None:
    """A timer asks; what has been reported answers."""
    _answered(desk, review_id)


def _answered(desk: Desk, review_id: str) -> tuple[Outcome, int]:
    """The outcome with all answered that is due, and its version."""
    stream = f"outcome/{review_id}"
    state, version = desk.fold(stream, outcome.UNPLANNED, outcome.evolve)
    now = from_micros(desk.micros)
    if state.plan is None or state.due_at is None or now < state.due_at:
        return state, version
    open_ones = _agreed(desk, review_id).open_ones
    found = None if open_ones else finding(_ledger(desk), state.next or state.plan, state.due_at)
    decided = outcome.decide(outcome.Check(found, open_ones), state, now)
    cause = timer_cause(desk.organisation, OUTCOME, review_id, to_micros(state.due_at), version)
    desk.append(cause, [Draft(stream, version, decided)])
    for event in decided:
        state = outcome.evolve(state, event)
    return state, version + len(decided)


def _ledger(desk: Desk) -> Ledger:
    return Ledger(desk.connection, desk.organisation, desk.head.position)


# What is planned


def _agreed(desk: Desk, review_id: str) -> Agreed:
    state, _ = desk.fold(f"review/{review_id}", review.UNOPENED, review.evolve)
    folded = {one: desk.fold(f"action/{one}", action.UNAGREED, action.evolve)[0] for one in state.actions}
    ended = {one: its.ended for one, its in folded.items()}
    return Agreed(
        tuple(one for one, how in ended.items() if how is None),
        {one: how.effective_at for one, how in ended.items() if isinstance(how, Completed)},
    )


def _plan(desk: Desk, review_id: str, escalation_id: str, agreed: Agreed) -> Plan:
    told = desk.read(f"escalation/{escalation_id}")
    raised: Raised = told[0].event
    state, _ = desk.fold(f"escalation/{escalation_id}", escalation.UNRAISED, escalation.evolve)
    times = _times(desk, [one.near_miss_id for one in raised.members], state.members)
    spans = outcome.planned_spans(min(times.values()), raised.crossed_at, max(agreed.effective.values()))
    first = {one.near_miss_id for one in raised.members if one.kind == "member"}
    return Plan(
        review_id,
        escalation_id,
        raised.rule_id,
        raised.policy_version,
        raised.key,
        raised.key_text,
        tuple(agreed.effective),
        tuple(sorted(one for one, at in times.items() if one in first or at < spans["follow_up_from"])),
        **spans,
        time_zone=desk.configuration.zone.key,
        service_id=raised.service_id,
    )


def _times(desk: Desk, raised_with: Sequence[str], standing: Any) -> dict[str, datetime]:
    """When each member of the cluster happened; if none of them is one any more, those that it was raised with."""
    members = [one for one, kind in standing.items() if kind == "member"] or raised_with
    states = {one: desk.fold(f"near_miss/{one}", near_miss.UNRECORDED, near_miss.evolve)[0] for one in members}
    reports = {one: state.report for one, state in states.items() if state.report is not None}
    return {one: from_micros(parse_moment(it.occurred_at, zone(it.zone)).at) for one, it in reports.items()}


# What is shown


def outcome_of(reader: Reader, review_id: str, now: datetime | None = None) -> dict[str, Any] | None:
    """The outcome of a review as it was known at the reader's sequence; None when it agreed on nothing.

    Without `now`, as of the instant of the last event that the reader knows of.
    """
    return outcome_document.of_review(reader, review_id, now)


def outcomes_between(reader: Reader, since: int, until: int) -> list[dict[str, Any]]:
    """The outcomes that were assessed, first or again, in a span (microseconds, `until` exclusive), oldest first."""
    event = events.c
    chosen = select(event.stream, event.sequence).where(
        event.organisation == reader.organisation,
        event.stream > "outcome/",
        event.stream < "outcome0",
        event.type == "outcome.assessed",
        event.recorded_at >= since,
        event.recorded_at < until,
    )
    if reader.as_of is not None:
        chosen = chosen.where(event.sequence <= reader.as_of)
    found = reader.connection.execute(chosen.order_by(event.sequence)).all()
    reviews = dict.fromkeys(one.stream.removeprefix("outcome/") for one in found)
    shown = (outcome_of(reader, one) for one in reviews)
    return [one for one in shown if one is not None]
