"""An action as the API contract shows it: what was agreed, how it went, and how it ended."""

from collections.abc import Sequence
from typing import Any

from app.domain import action, outcome
from app.domain.action import Agreed, Cancelled, Completed, EffectivenessChecked, Progressed
from app.domain.moment import format_instant
from app.events.envelope import Envelope, Told, instant
from app.operations.documents import Open, clear


def action_document(
    action_id: str,
    told: Sequence[Told[Any]],
    escalation_id: str | None,
    opened: Open,
    followed_up: Sequence[Told[Any]] = (),
) -> dict[str, Any]:
    """An action of the API contract. `opened` gives the words and references that are sealed in it.

    `escalation_id`: of the review that agreed on it; None where a governance review did. `followed_up`: the outcome
    that it shares with the other actions of its review.
    """
    agreed: Agreed = told[0].event
    state = action.UNAGREED
    for one in told:
        state = action.evolve(state, one.event)
    document: dict[str, Any] = {
        "id": action_id,
        "sequence": told[0].envelope.sequence,
        **_agreed_by(agreed, escalation_id),
        "status": state.status,
        "description": opened(agreed.description),
        "owner": opened(agreed.owner),
        "due": agreed.due,
        "due_at": format_instant(agreed.due_at),
        "progress": [],
        "effectiveness_checks": [],
        "flags": [],
        "next_deadlines": [],
        "version": len(told),
    }
    for one in told:
        match one.event:
            case Progressed(note, by):
                document["progress"].append({"note": opened(note), **_who_and_when(by, one.envelope)})
            case EffectivenessChecked():
                document["effectiveness_checks"].append(clear(one.event, opened))
            case Completed(by=by):
                document["completion"] = {**clear(one.event, opened), **_who_and_when(by, one.envelope)}
            case Cancelled(reason, by):
                document["cancellation"] = {"reason": opened(reason), **_who_and_when(by, one.envelope)}
            case _:
                pass
    if state.due_at is not None:
        document["next_deadlines"] = [{"kind": "action_due", "due_at": format_instant(state.due_at)}]
        _show_overdue(document, told)
    document |= _outcome(action_id, followed_up)
    return document


def _outcome(action_id: str, told: Sequence[Told[Any]]) -> dict[str, Any]:
    """What came of it, in short; nothing while it is not followed up."""
    state = outcome.UNPLANNED
    for one in told:
        state = outcome.evolve(state, one.event)
    if state.plan is None or action_id not in state.plan.action_ids:
        return {}
    return {
        "outcome": {
            "status": state.status,
            **({"verdict": state.assessments[-1].verdict} if state.status == "assessed" else {}),
            "follow_up_ends": format_instant(state.plan.follow_up_to),
            "links": {"self": f"/v1/actions/{action_id}/outcome"},
        }
    }


def _agreed_by(agreed: Agreed, escalation_id: str | None) -> dict[str, Any]:
    if agreed.governance_review_id is not None:
        return {"governance_review_id": agreed.governance_review_id}
    return {"review_id": agreed.review_id, "escalation_id": escalation_id}


def _show_overdue(document: dict[str, Any], told: Sequence[Told[Any]]) -> None:
    overdue: list[action.ActionOverdue] = [one.event for one in told if isinstance(one.event, action.ActionOverdue)]
    if overdue:
        document["flags"] = ["overdue", *(["nobody_reachable"] if overdue[-1].nobody_reachable else [])]
        document["overdue_since"] = format_instant(overdue[0].scheduled_at)


def _who_and_when(by: str, envelope: Envelope) -> dict[str, str]:
    return {"by": by, "at": instant(envelope.recorded_at)}
