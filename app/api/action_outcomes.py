"""Whether an action worked: the verdict that it shares with the other actions of its review, and what that rests on."""

from fastapi import APIRouter
from starlette.responses import Response

from app.api.asof import AsOf, then
from app.api.door import shown
from app.api.looking import Reading
from app.api.routes import told
from app.api.schemas.answers import ActionOutcome
from app.domain.decider import NotFound
from app.operations.acting import NO_SUCH_ACTION
from app.operations.outcome_counting import FOLLOWER
from app.operations.outcome_document import of_action

router = APIRouter(prefix="/v1", tags=["actions"])
READ = "near-misses:read"


@router.get("/actions/{action_id}/outcome", **told(READ, ActionOutcome, problems=["not-found"]))
def read_outcome(look: Reading, action_id: str, as_of: AsOf = None) -> Response:
    """Whether the rate fell, rose, or cannot be told, and why; before the follow-up has ended, how it stands so far.

    An action that is not done yet has no verdict, and says what is waited for.
    """
    with look.caught_up(FOLLOWER) as (reader, _):
        at = then(look, reader, as_of, f"action/{action_id}")
        found = of_action(at, action_id, look.visit.door.house.clock() if at.as_of is None else None)
    if found is None:
        raise NotFound(NO_SUCH_ACTION)
    return shown(found)
