"""A service with a past, an action against a pattern, and what is reported after it; told through HTTP."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from app.operations.attending import Attendant
from app.operations.follow import catch_up
from tests.journeys.inside import Inside
from tests.journeys.ladder import let_pass
from tests.journeys.ward import ACTION, LINK, Ward, report, text

RULE: Mapping[str, Any] = {
    "id": "repeated",
    "group_by": ["service_id", "incident_type", "deviation"],
    "threshold": 3,
    "window": "P2D",
    "ladder": {"steps": [{"to": ["manager"], "timeout": "P2Y"}]},
    "review_due": "P2Y",
}
"""Nobody is asked again meanwhile: it is about what comes of it."""
FIRST = datetime.fromisoformat("2026-03-02T06:00:00+00:00")
"""The first of the three that set the review off; the clock stands at ten of that day."""
EFFECTIVE = datetime.fromisoformat("2026-03-03T00:00:00+00:00")
ENDS = EFFECTIVE + timedelta(days=90)
COMPLETION = {"effective_from": "2026-03-03", "evidence": "Sheet of 2 March, signed by both shifts."}
OTHERS: Mapping[str, Any] = {"deviation": "wrong_dose"}


def spread(number: int, since: datetime, days: float) -> list[datetime]:
    """So many instants, as far from each other as they can be within a span."""
    return [since + timedelta(days=days * (place + 0.5) / number) for place in range(number)]


def reported(ward: Ward, at: list[datetime], **changes: Any) -> list[str]:
    """Near misses of these instants; their ids."""
    ids: list[str] = []
    for start in range(0, len(at), 100):
        items = [report(occurred_at=text(one), workflow_link=LINK, **changes) for one in at[start : start + 100]]
        if items:
            taken = ward.post("/v1/near-misses:batch", {"items": items}, expect=207)
            ids += [one["near_miss"]["id"] for one in taken["items"]]
    return ids


def past(inside: Inside, events: int, others: int = 12) -> None:
    """What was reported in the half year before, of the key and of anything else."""
    ward = inside.ward
    ward.put("/v1/policy", {"rules": [RULE]})
    reported(ward, spread(events, FIRST - timedelta(days=179), 170))
    reported(ward, spread(others, FIRST - timedelta(days=179), 170), **OTHERS)


def pattern(inside: Inside) -> dict[str, Any]:
    """Three in a morning: the escalation."""
    for hour in range(3):
        told = inside.ward.submit(workflow_link=LINK, occurred_at=text(FIRST + timedelta(hours=hour)))
    return inside.ward.escalation(told["escalation_ids"][0])


def agreed(ward: Ward, escalation: Mapping[str, Any]) -> str:
    """An action of its review."""
    return ward.review(escalation["review_id"], "actions", ACTION)["actions"][-1]["id"]


def complete(ward: Ward, action_id: str, **changes: Any) -> dict[str, Any]:
    return ward.post(f"/v1/actions/{action_id}/completion", {**COMPLETION, **changes})


def acted(inside: Inside) -> str:
    """A pattern, and an action that was completed on the same day."""
    action_id = agreed(inside.ward, pattern(inside))
    complete(inside.ward, action_id)
    return action_id


def future(inside: Inside, events: int, others: int = 6) -> list[str]:
    """Ninety days in which so much is reported, to their end; the ids of those of the key."""
    inside.clock.set(text(ENDS - timedelta(hours=1)))
    ids = reported(inside.ward, spread(events, EFFECTIVE, 89))
    reported(inside.ward, spread(others, EFFECTIVE, 89), **OTHERS)
    let_pass(inside, hours=1)
    return ids


def outcome(ward: Ward, action_id: str, **parameters: Any) -> dict[str, Any]:
    return ward.get(f"/v1/actions/{action_id}/outcome", **parameters)


def attend(inside: Inside) -> int:
    """What a worker notices behind the ledger, and has done; how much it asked for."""
    house = inside.house
    catch_up(house.database, house.batches.dialect, house.configurations, "default", "outcomes")
    return Attendant(house).attend()
