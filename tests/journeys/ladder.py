"""What the tests of the escalation ladder share: a crossing, what is said to it, who says it, what the ledger tells."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from tests.journeys.inside import Inside
from tests.journeys.ward import MONDAY, Ward
from tests.office import ledger_of

BYSTANDER = {"name": "Elm House", "service_type": "care_home"}


def crossing(ward: Ward, **changes: Any) -> dict[str, Any]:
    """An escalation that three similar near misses have opened."""
    for _ in range(3):
        told = ward.submit(**changes)
    return ward.escalation(told["escalation_ids"][0])


def say(
    ward: Ward, escalation: Mapping[str, Any], step: str, body: object = None, expect: int = 200, **headers: str
) -> dict[str, Any]:
    """A command on an escalation; without `body` nothing is sent but the request itself."""
    return ward.ask("POST", f"/v1/escalations/{escalation['id']}/{step}", body, expect=expect, **headers)


def person(inside: Inside, ref: str) -> Ward:
    """Somebody who acts through a key that acts for people."""
    ward = inside.holding("near-misses:read", "reviews:act", acts_for_people=True)
    ward.headers["Forewarn-Actor"] = ref
    return ward


def let_pass(inside: Inside, **by: float) -> None:
    """The time, and what came due in it: what is due goes before any command, here one about somebody else."""
    inside.clock.advance(**by)
    inside.ward.put("/v1/services/elm-house", BYSTANDER)


def deadlines(escalation: Mapping[str, Any]) -> dict[str, str]:
    return {one["kind"]: one["due_at"] for one in escalation["next_deadlines"]}


def after(**duration: float) -> str:
    """The instant so long after Monday at ten, as the service writes it."""
    return (MONDAY + timedelta(**duration)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def told(inside: Inside, escalation: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """An escalation's events in order: name and data."""
    with inside.house.reader("default") as reader:
        history = reader.history(f"escalation/{escalation['id']}")
    return [(one["type"].split(".")[2], one["data"]) for one in history]


def story(inside: Inside, escalation: Mapping[str, Any]) -> list[str]:
    """The names of an escalation's events, in order."""
    return [name for name, _ in told(inside, escalation)]


def ledger_text(inside: Inside) -> str:
    """All that the ledger holds, as it is stored."""
    with inside.house.database.read() as connection:
        return "\n".join(f"{one.actor} {one.payload}" for one in ledger_of(connection))


def adopt(ward: Ward, steps: list[dict[str, Any]], **ladder: Any) -> dict[str, Any]:
    """A policy whose one rule is the default one, with another ladder."""
    rule = {
        "id": "similar",
        "group_by": ["service_id", "incident_type", "deviation"],
        "threshold": 3,
        "window": "P14D",
        "ladder": {"steps": steps, **ladder},
    }
    return ward.put("/v1/policy", {"rules": [rule]})
