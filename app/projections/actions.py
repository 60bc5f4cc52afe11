"""Where each action stands, for lists: open, overdue, completed or cancelled."""

from sqlalchemy import and_, update

from app.database.tables import actions
from app.domain.action import UNAGREED, Action, ActionOverdue, Agreed, Cancelled, Completed, evolve
from app.domain.moment import to_micros
from app.events.envelope import Told
from app.projections.context import Context

TABLES = (actions,)


def apply(context: Context, told: Told[object]) -> None:
    """What the event does to the rows of actions."""
    envelope, event = told.envelope, told.event
    match event:
        case Agreed(review_id, due_at=due_at, governance_review_id=agreed_by):
            status = evolve(UNAGREED, event).status
            where = (context.organisation, envelope.subject, envelope.sequence)
            context.rows.insert(actions, (*where, review_id, status, to_micros(due_at), agreed_by))
        case ActionOverdue() | Completed() | Cancelled():
            state: Action = context.folded(told, UNAGREED, evolve)
            context.rows.execute(
                update(actions)
                .where(and_(actions.c.organisation == context.organisation, actions.c.action_id == envelope.subject))
                .values(status=state.status)
            )
        case _:
            pass
