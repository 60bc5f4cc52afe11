"""An action as the API contract shows it: what was agreed, how it went, and how it ended."""

from collections.abc import Sequence
from typing import Any

from app.domain import action
from app.domain.action import Agreed, Cancelled, Completed, EffectivenessChecked, Progressed
from app.domain.moment import format_instant
from app.events.envelope import Envelope, Told, instant
from app.operations.documents import Open, clear


def action_document(action_id: str, told: Sequence[Told[Any]], escalation_id: str, opened: Open) -> dict[str, Any]:
    """An action of the API contract. `opened` gives the words and references that are sealed in it."""
    agreed: Agreed = told[0].event
    state = action.UNAGREED
    for one in told:
        state = action.evolve(state, one.event)
    document: dict[str, Any] = {
        "id": action_id,
        "sequence": told[0].envelope.sequence,
        "review_id": agreed.review_id,
        "escalation_id": escalation_id,
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
    return document


def _show_overdue(document: dict[str, Any], told: Sequence[Told[Any]]) -> None:
    overdue: list[action.ActionOverdue] = [one.event for one in told if isinstance(one.event, action.ActionOverdue)]
    if overdue:
        document["flags"] = ["overdue", *(["nobody_reachable"] if overdue[-1].nobody_reachable else [])]
        document["overdue_since"] = format_instant(overdue[0].scheduled_at)


def _who_and_when(by: str, envelope: Envelope) -> dict[str, str]:
    return {"by": by, "at": instant(envelope.recorded_at)}
