"""What became of a report, told to whoever made it: how it was checked, who looks into it, what came of that.

It is read together with one near miss, as of the same sequence, and says nothing of any other record but how many.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from typing import Any

from app.domain import action, escalation, review
from app.domain.moment import Span
from app.events.envelope import Told, instant
from app.operations.show import Reader


def feedback_on(reader: Reader, near_miss: Mapping[str, Any]) -> dict[str, Any]:
    """The feedback of the API contract, for a near miss as the same reader shows it."""
    followed = list(_followed(reader, near_miss["escalation_ids"]))
    said = [_checked(near_miss["similarity_check"]["rules"]), *map(_reviewed, followed), *_standing(near_miss)]
    feedback = {"message": " ".join(said), "similar": near_miss["frequency"], "escalations": followed}
    if (outcome := _outcome(near_miss.get("closure"), followed)) is not None:
        feedback["outcome"] = outcome
    return feedback


def _followed(reader: Reader, ids: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The escalations that it stands in, with their reviews and what these agreed on."""
    if not ids:
        return
    raised = reader.told([f"escalation/{one}" for one in ids])
    review_ids = {one: told[0].event.review_id for one, told in raised.items()}
    reviews = reader.told([f"review/{one}" for one in review_ids.values() if one is not None])
    states = {stream: reduce(review.evolve, _events(told), review.UNOPENED) for stream, told in reviews.items()}
    actions = reader.told([f"action/{one}" for state in states.values() for one in state.actions])
    for stream, told in raised.items():
        standing = reduce(escalation.evolve, _events(told), escalation.UNRAISED)
        document: dict[str, Any] = {"id": stream.removeprefix("escalation/"), "status": standing.status.value}
        its_review = f"review/{review_ids[stream]}"
        if reviews.get(its_review):
            state = states[its_review]
            document |= {"review_id": review_ids[stream], "review_status": state.stage.value}
            if state.stage is review.Stage.CLOSED:
                document |= {"closed_as": state.closed_as, "closed_at": _closed_at(reviews[its_review])}
            document["actions"] = [
                {"id": one, "status": reduce(action.evolve, _events(actions[f"action/{one}"]), action.UNAGREED).status}
                for one in state.actions
                if actions[f"action/{one}"]
            ]
        yield {"actions": [], **document}


def _checked(rules: Sequence[Mapping[str, Any]]) -> str:
    comparable = [one for one in rules if one["outcome"] != "unkeyed"]
    if not comparable:
        return "It was checked, and lacks what it could be compared with others by."
    widest = max(comparable, key=lambda one: len(one["matched_ids"]))
    others = len(widest["matched_ids"])
    number = f"{others} others" if others > 1 else "1 other" if others else "no other"
    return f"It was checked against similar records: {number} within {_in_words(widest['window'])}."


def _reviewed(followed: Mapping[str, Any]) -> str:
    match followed.get("review_status"):
        case "open":
            return "A manager review is open."
        case "under_review":
            return "A manager review is under way."
        case "closed":
            ended = f"A manager review was closed as {followed['closed_as'].replace('_', ' ')}"
            agreed = [one["status"] for one in followed["actions"]]
            done = f" (actions completed: {agreed.count('completed')} of {len(agreed)})" if agreed else ""
            return f"{ended}{done}."
        case "merged":
            return "A manager review goes on together with another one."
        case _:
            return "It belongs to a pattern that was found in history."


def _standing(near_miss: Mapping[str, Any]) -> Iterator[str]:
    match near_miss["status"]:
        case "awaiting_details":
            yield f"It awaits details: {', '.join(near_miss['awaiting'])}."
        case "awaiting_workflow_link":
            yield "It awaits the link to the stage of work that allowed it."
        case "withdrawn":
            yield "It was withdrawn and counts no more."
        case "duplicate":
            yield f"The same occurrence is counted as {near_miss['duplicate_of']}."
        case "closed":
            yield "It is closed."
        case _:
            pass


def _outcome(closure: Mapping[str, Any] | None, followed: Sequence[Mapping[str, Any]]) -> Any:
    """The words that the record was closed with, or else the code of the review that it was closed with."""
    if closure is None or "outcome" in closure:
        return closure and closure["outcome"]
    return next((one["closed_as"] for one in followed if one.get("review_id") == closure["review_id"]), None)


def _closed_at(told: Sequence[Told[Any]]) -> str:
    return next(instant(one.envelope.recorded_at) for one in reversed(told) if isinstance(one.event, review.Closed))


def _in_words(window: str) -> str:
    span = Span.parse(window)
    if span.months or span.microseconds:
        return window
    return "1 day" if span.days == 1 else f"{span.days} days"


def _events(told: Sequence[Told[Any]]) -> Iterator[Any]:
    return (one.event for one in told)
