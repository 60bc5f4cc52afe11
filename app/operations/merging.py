"""One escalation goes on in another: its near misses become members there, and its review ends with a pointer.

Whoever closes the review that goes on looks at all of them; so none is closed, or forgotten, by being merged.
"""

from app.domain import escalation
from app.domain.decider import Fault, Invalid, NotFound
from app.domain.escalation import Escalation
from app.events.store import Cause
from app.operations import climbing, reviewing
from app.operations.climbing import Standing
from app.operations.desk import Desk


def merge(desk: Desk, cause: Cause, standing: Standing, into: str) -> None:
    """Let an escalation go on in another one that is open."""
    target = _target(desk, standing, into)
    command = escalation.Merge(standing.escalation_id, into, target.state.status, cause.actor)
    merged = standing.draft(command)
    if not merged.events:
        return
    joining = [escalation.Attach(one, "member") for one in _members(standing.state)]
    drafts = [merged, target.draft(*joining)]
    if target.raised.review_id is not None:
        ended = reviewing.merge(desk, standing, target.raised.review_id)
        drafts += [ended] if ended is not None else []
    desk.append(cause, drafts)


def _target(desk: Desk, standing: Standing, into: str) -> Standing:
    if into == standing.escalation_id:
        return standing
    try:
        return climbing.load(desk, into)
    except NotFound as missing:
        raise Invalid(Fault("/into", "unknown-id", "Name an escalation that is open.")) from missing


def _members(state: Escalation) -> list[str]:
    return [one for one, kind in state.members.items() if kind == "member"]
