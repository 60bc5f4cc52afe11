"""What a near miss owes and nobody has given: its details, its workflow link. The ladder is told, level by level.

What is due runs before any command on the record, in the same transaction, under its own name and id.
"""

from app.domain import chase, near_miss
from app.domain.moment import from_micros, to_micros
from app.domain.near_miss import (
    NearMiss,
)
from app.events.store import Draft
from app.operations.asking import reach_of
from app.operations.desk import Desk
from app.operations.timing import timer_cause
from app.projections.timers import NEAR_MISS


def fire(desk: Desk, near_miss_id: str) -> None:
    """A timer asks; what is due by the facts answers."""
    state, version = desk.fold(f"near_miss/{near_miss_id}", near_miss.UNRECORDED, near_miss.evolve)
    run_due(desk, near_miss_id, state, version)


def is_due(desk: Desk, state: NearMiss) -> bool:
    """Whether a deadline of what it owes has passed."""
    owed = state.owed
    return bool(owed) and to_micros(owed[0].due_at) <= desk.micros


def run_due(desk: Desk, near_miss_id: str, state: NearMiss, version: int) -> tuple[NearMiss, int]:
    """Answer what is due, as much as is answered at once; where the near miss stands after that, and its version."""
    if state.report is None or not is_due(desk, state):
        return state, version
    due_at = to_micros(state.owed[0].due_at)
    events = chase.run_due(state.owed, from_micros(desk.micros), reach_of(desk, state.report.service_id))
    cause = timer_cause(desk.organisation, NEAR_MISS, near_miss_id, due_at, version)
    desk.append(cause, [Draft(f"near_miss/{near_miss_id}", version, events)])
    for event in events:
        state = near_miss.evolve(state, event)
    return state, version + len(events)
