"""Timers that are due: each asks the rule that it belongs to, and the facts answer, early, late or twice."""

from app.database.prefetch import TimerRow
from app.operations import acting, chasing, climbing, cooling, governance_cadence, outcomes, quiet
from app.operations.desk import Desk
from app.projections.timers import ACTION, COOLDOWN, ESCALATION, GOVERNANCE, NEAR_MISS, OUTCOME, SOURCE, due_of

_ASKED = {
    COOLDOWN: cooling.fire,
    ESCALATION: climbing.fire,
    ACTION: acting.fire,
    NEAR_MISS: chasing.fire,
    SOURCE: quiet.fire,
    OUTCOME: outcomes.fire,
    GOVERNANCE: governance_cadence.fire,
}


def fire(desk: Desk, timer: TimerRow) -> None:
    """Ask the rule whose timer is due; one that was answered meanwhile is passed over."""
    standing = due_of(desk.rows, timer.organisation, timer.kind, timer.subject)
    if standing == timer.due_at:
        _ASKED[timer.kind](desk, timer.subject)
