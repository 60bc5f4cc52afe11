"""The rhythm of governance reviews: a timer asks, and what leadership has closed answers (S12).

However late it is asked, it writes one event of the rhythm.
"""

from sqlalchemy import select

from app.database.tables import governance_reviews
from app.domain import governance
from app.domain.governance_cadence import STREAM, ask
from app.domain.moment import from_micros
from app.events.store import Draft, version_of
from app.operations.asking import reach_anywhere
from app.operations.desk import Desk
from app.operations.timing import timer_cause
from app.projections.governance import cadence_at
from app.projections.timers import GOVERNANCE, due_of


def fire(desk: Desk, subject: str) -> None:
    """Tell that the rhythm was missed, as often as it was by now; reviews that are open are overdue from then on."""
    due_at = due_of(desk.rows, desk.organisation, GOVERNANCE, subject)
    if due_at is None or due_at > desk.micros:
        return
    now, open_ones = from_micros(desk.micros), open_reviews(desk)
    cadence = cadence_at(desk.context, desk.head.position, from_micros(due_at))
    missed = ask(cadence, reach_anywhere(desk), open_ones, now)
    version = version_of(desk.connection, desk.organisation, STREAM)
    drafts = [Draft(STREAM, version, missed)]
    for one in open_ones:
        stream = f"governance_review/{one}"
        state, at = desk.fold(stream, governance.UNOPENED, governance.evolve)
        overdue = governance.decide(governance.MarkOverdue(missed[0].scheduled_at), state, now)
        drafts.append(Draft(stream, at, overdue))
    desk.append(timer_cause(desk.organisation, GOVERNANCE, subject, due_at, version), drafts)


def open_reviews(desk: Desk) -> tuple[str, ...]:
    """Those that are not closed, the oldest first."""
    row = governance_reviews.c
    chosen = select(row.governance_review_id).where(
        row.organisation == desk.organisation, row.closed_sequence.is_(None)
    )
    return tuple(desk.connection.execute(chosen.order_by(row.sequence)).scalars())
