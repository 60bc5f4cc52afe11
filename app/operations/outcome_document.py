"""An outcome as the API contract shows it: its verdict, what that rests on, and every verdict that was told before.

What was assessed is shown as it was told, from the ledger. Before the follow-up has ended it is counted anew at every
look, and called provisional. A review whose actions are not all done has no verdict yet, and no refusal either: whoever
looks at an action is told what is waited for.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select

from app.database.tables import events
from app.domain import action, outcome, review
from app.domain.action import Action
from app.domain.moment import format_instant, from_micros
from app.domain.outcome import Arm, Assessed, Finding, Plan
from app.domain.zones import zone
from app.events.envelope import Told, instant
from app.events.store import position
from app.operations import outcome_saying
from app.operations.outcome_counting import Ledger
from app.operations.outcome_finding import METHOD, PARAMETERS, SOONEST, finding
from app.operations.show import Reader

NOTHING: Mapping[str, Any] = dict.fromkeys(
    (
        *("verdict", "rate_ratio", "ci", "p", "before", "during", "after", "exposure", "reporting", "harm"),
        *("follow_up_ends", "assessed_at", "looks_again_at"),
    )
)
"""What is null until something can be said."""


def of_action(reader: Reader, action_id: str, now: datetime | None = None) -> dict[str, Any] | None:
    """The outcome of an action, which it shares with the others of its review; None when there is no such action."""
    stream = f"action/{action_id}"
    told = reader.told([stream])[stream]
    if not told:
        return None
    agreed: action.Agreed = told[0].event
    if agreed.governance_review_id is not None:
        return _waiting(action_id, None, [action_id], outcome_saying.GOVERNANCE)
    shared = of_review(reader, agreed.review_id, now)
    assert shared is not None, "A review tells of each action that it agreed on."
    if shared["status"] == "not_completed" and _folded(told).status == "cancelled":
        return {**shared, "action_id": action_id, "says": outcome_saying.CANCELLED}
    return {**shared, "action_id": action_id}


def of_review(reader: Reader, review_id: str, now: datetime | None = None) -> dict[str, Any] | None:
    """The outcome of a review's actions; None when it agreed on none, or is no manager's review.

    Without `now`, as of the instant of the last event that the reader knows of.
    """
    its = reader.told([f"review/{review_id}", f"outcome/{review_id}"])
    agreed: list[str] = [
        one.event.action_id for one in its[f"review/{review_id}"] if isinstance(one.event, review.ActionAgreed)
    ]
    if not agreed:
        return None
    told = its[f"outcome/{review_id}"]
    state = outcome.UNPLANNED
    for one in told:
        state = outcome.evolve(state, one.event)
    if state.plan is None or (state.status != "assessed" and _any_open(reader, agreed)):
        return _waiting(agreed[0], review_id, agreed, outcome_saying.NOT_COMPLETED, _history(told))
    if state.status == "assessed":
        return _assessed(state, told)
    return _followed_up(reader, state.plan, told, now)


def _waiting(
    action_id: str, review_id: str | None, actions: Sequence[str], says: str, history: Sequence[Any] = ()
) -> dict[str, Any]:
    return {
        "action_id": action_id,
        "review_id": review_id,
        "actions": list(actions),
        "status": "not_completed",
        **NOTHING,
        "provisional": False,
        **_method(),
        "says": says,
        "history": list(history),
    }


def _assessed(state: outcome.Outcome, told: Sequence[Told[Any]]) -> dict[str, Any]:
    plan = state.counted
    assert plan is not None, "What was assessed was planned."
    *former, latest = _history(told)
    if state.due_at is not None:
        latest["says"] += outcome_saying.AGAIN.format(at=_day(plan, state.due_at))
    last = next(one.event for one in reversed(told) if isinstance(one.event, Assessed))
    return {
        **_planned(plan, last.action_ids),
        "status": "assessed",
        **latest,
        "follow_up_ends": format_instant(plan.follow_up_to),
        "looks_again_at": None if state.due_at is None else format_instant(state.due_at),
        "provisional": False,
        **_method(),
        "history": former,
    }


def _followed_up(reader: Reader, plan: Plan, told: Sequence[Told[Any]], now: datetime | None) -> dict[str, Any]:
    """How it stands before the follow-up has ended."""
    sequence = reader.as_of if reader.as_of is not None else position(reader.connection, reader.organisation)
    at = now or _recorded(reader, sequence)
    ends = _day(plan, plan.follow_up_to)
    shown = {
        **_planned(plan, plan.action_ids),
        "status": "follow_up",
        **NOTHING,
        "follow_up_ends": format_instant(plan.follow_up_to),
        "provisional": True,
        **_method(),
        "says": outcome_saying.NOT_YET.format(begins=_day(plan, plan.follow_up_from), ends=ends),
        "history": _history(told),
    }
    found = finding(Ledger(reader.connection, reader.organisation, sequence, reader.as_of is not None), plan, at)
    if found is None:
        return shown
    numbers = _numbers(plan, found, min(max(at, plan.follow_up_from), plan.follow_up_to))
    if at - plan.follow_up_from < SOONEST:
        untold = dict.fromkeys(("verdict", "rate_ratio", "ci", "p"))
        return {**shown, **numbers, **untold, "says": shown["says"]}
    return {**shown, **numbers, "says": outcome_saying.so_far(found.says, ends)}


def _planned(plan: Plan, action_ids: Sequence[str]) -> dict[str, Any]:
    return {
        "action_id": action_ids[0],
        "review_id": plan.review_id,
        "escalation_id": plan.escalation_id,
        "service_id": plan.service_id,
        "key": dict(plan.key),
        "actions": list(action_ids),
    }


def _history(told: Sequence[Told[Any]]) -> list[dict[str, Any]]:
    """Every assessment, the oldest first, each by the plan that it was made for."""
    shown: list[dict[str, Any]] = []
    plan: Plan | None = None
    for one in told:
        match one.event:
            case outcome.Scheduled():
                plan = one.event
            case Assessed() if plan is not None:
                assessed_at = instant(one.envelope.recorded_at)
                ended = one.event.follow_up_to or plan.follow_up_to
                shown.append({**_numbers(plan, one.event, ended), "assessed_at": assessed_at})
            case _:
                pass
    return shown


def _numbers(plan: Plan, found: Finding, until: datetime) -> dict[str, Any]:
    return {
        "verdict": found.verdict,
        "rate_ratio": found.rate_ratio,
        "ci": None if found.low is None and found.high is None else [found.low, found.high],
        "p": found.p,
        "before": _arm(found.before, plan.baseline_from, plan.baseline_to),
        "during": _arm(found.during, plan.baseline_to, plan.follow_up_from),
        "after": _arm(found.after, plan.follow_up_from, until),
        "exposure": found.exposure_kind,
        "reporting": {
            "before": found.reporting.before,
            "after": found.reporting.after,
            "p": found.reporting.p,
            "silent_sources": list(found.reporting.silent),
            "nothing_reported": bool(found.reporting.nothing_reported),
        },
        "harm": {"before": found.harm.before, "after": found.harm.after},
        "as_of_sequence": found.as_of_sequence,
        "says": found.says,
    }


def _arm(arm: Arm, since: datetime, until: datetime) -> dict[str, Any]:
    return {
        "events": arm.events,
        "exposure": arm.exposure,
        "from": format_instant(since),
        "to": format_instant(until),
    }


def _method() -> dict[str, Any]:
    return {"method": METHOD, "parameters": dict(PARAMETERS)}


def _any_open(reader: Reader, action_ids: Sequence[str]) -> bool:
    told = reader.told([f"action/{one}" for one in action_ids])
    return any(_folded(of_one).ended is None for of_one in told.values())


def _folded(told: Sequence[Told[Any]]) -> Action:
    state = action.UNAGREED
    for one in told:
        state = action.evolve(state, one.event)
    return state


def _day(plan: Plan, at: datetime) -> str:
    return at.astimezone(zone(plan.time_zone)).date().isoformat()


def _recorded(reader: Reader, sequence: int) -> datetime:
    event = events.c
    chosen = select(event.recorded_at).where(event.organisation == reader.organisation, event.sequence == sequence)
    return from_micros(reader.connection.execute(chosen).scalar() or 0)
