"""A governance review as the API contract shows it, folded from the ledger as of a sequence."""

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

from app.domain import governance
from app.domain.decider import NotFound
from app.domain.governance import Assessed, Decided, Minuted, NoneRecommended, Opened, Review
from app.domain.governance_events import ActionRecommended, Closed
from app.domain.moment import format_instant
from app.events.envelope import Envelope, Told, instant
from app.operations.documents import Open, clear
from app.operations.governing import NO_SUCH_REVIEW
from app.operations.show import Reader


def show(reader: Reader, review_id: str) -> dict[str, Any]:
    """The governance review, or `NotFound`."""
    found = documents(reader, [review_id])
    if not found:
        raise NotFound(NO_SUCH_REVIEW)
    return found[0]


def documents(reader: Reader, ids: Sequence[str]) -> list[dict[str, Any]]:
    """The governance reviews of these ids that exist, in the order asked."""
    streams = {
        stream.removeprefix("governance_review/"): told
        for stream, told in reader.told([f"governance_review/{one}" for one in ids]).items()
        if told
    }
    agreed = [
        one.event.action_id
        for told in streams.values()
        for one in told
        if isinstance(one.event, ActionRecommended) and one.event.action_id is not None
    ]
    actions = {one["id"]: one["status"] for one in reader.actions(agreed)}
    names = reader.names({one.envelope.actor for told in streams.values() for one in told})
    opener = reader.opener(streams.values())
    return [_document(one, streams[one], actions, names, opener) for one in ids if one in streams]


def listed(document: Mapping[str, Any]) -> dict[str, Any]:
    """The same for a list, without the trends, which are long."""
    snapshot = {name: value for name, value in document["snapshot"].items() if name != "trends"}
    return {**document, "snapshot": snapshot}


def _document(
    review_id: str, told: Sequence[Told[Any]], actions: Mapping[str, str], names: Mapping[str, str], opened: Open
) -> dict[str, Any]:
    state = reduce(governance.evolve, (one.event for one in told), governance.UNOPENED)
    begun: Opened = told[0].event
    document: dict[str, Any] = {
        "id": review_id,
        "sequence": told[0].envelope.sequence,
        "title": begun.title,
        "from": begun.since,
        "to": begun.until,
        "from_at": format_instant(begun.since_at),
        "to_at": format_instant(begun.until_at),
        "services": list(begun.services),
        "localities": list(begun.localities),
        "chair": opened(begun.chair),
        "status": state.stage.value,
        "opened_at": instant(told[0].envelope.recorded_at),
        "snapshot": begun.snapshot,
        "recommended_actions": [],
        "decisions": [],
        **_overdue(state, told),
        "version": len(told),
    }
    for one in told:
        by = _who_and_when(one.envelope, names)
        match one.event:
            case ActionRecommended(action_id=action_id):
                status = actions.get(action_id or "")  # There is none as of this event: it is agreed on by the next.
                its = {"status": status} if status is not None else {}
                document["recommended_actions"].append({**clear(one.event, opened), **its, **by})
            case NoneRecommended(reason):
                document["no_action_recommended"] = {"reason": opened(reason), **by}
            case Decided(text, cites):
                document["decisions"].append({"text": opened(text), "cites": list(cites), **by})
            case Assessed():
                document["assessment"] = {**clear(one.event, opened), **by}
            case Minuted(text, present):
                document["minutes"] = {"text": opened(text), "present": [opened(ref) for ref in present], **by}
            case Closed(summary):
                document["closure"] = {"summary": opened(summary), **by}
            case _:
                pass
    return document


def _overdue(state: Review, told: Sequence[Told[Any]]) -> dict[str, str]:
    missed = [one.event for one in told if isinstance(one.event, governance.Overdue)]
    is_shown = missed and state.stage is not governance.Stage.CLOSED
    return {"overdue_since": format_instant(missed[0].scheduled_at)} if is_shown else {}


def _who_and_when(envelope: Envelope, names: Mapping[str, str]) -> dict[str, str]:
    return {"by": names.get(envelope.actor, envelope.actor), "at": instant(envelope.recorded_at)}
