"""One escalation goes on in another: its near misses become members there, and its review ends with a pointer.

Whoever closes the review that goes on looks at all of them; so none is closed, or forgotten, by being merged.
"""

from collections.abc import Iterator

from app.domain import escalation
from app.domain.decider import Fault, Invalid, NotFound
from app.events.store import Cause
from app.operations import climbing, reviewing
from app.operations.climbing import Standing
from app.operations.desk import Desk
from app.operations.judging import gravities


def merge(desk: Desk, cause: Cause, standing: Standing, into: str) -> None:
    """Let an escalation go on in another one that is open."""
    target = _target(desk, standing, into)
    standing = climbing.read(desk, standing.escalation_id)  # What was due there may have come to this one.
    command = escalation.Merge(standing.escalation_id, into, target.state.status, cause.actor)
    merged = standing.draft(command)
    if not merged.events:
        return
    drafts = [merged, target.draft(*_joining(desk, standing))]
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


def _joining(desk: Desk, standing: Standing) -> Iterator[escalation.Attach]:
    """What it held goes on as what it was; the gravest first, so that people there answer anew once, if at all."""
    weights = gravities(desk, [one for one, kind in standing.state.members.items() if kind != "withdrawn"])
    for one in sorted(weights, key=lambda one: -weights[one]):
        kind = standing.state.members[one]
        if kind != "withdrawn":
            yield escalation.Attach(one, kind, weights[one])
