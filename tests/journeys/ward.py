"""A service as a ward uses it: reports as a carer sends them, a review as a manager walks through it.

`Ward` speaks HTTP through any client: one over a socket to a process of its own, or one straight to the application.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2

from app.domain.moment import parse_instant

MONDAY = datetime(2026, 3, 2, 10, tzinfo=UTC)

REPORT: Mapping[str, Any] = {
    "occurred_at": "2026-03-02T09:00:00Z",
    "service_id": "willow-house",
    "incident_type": "medication",
    "deviation": "omitted",
    "classification": "near_miss",
    "contributing_factors": ["workload"],
    "staff_involved": [{"ref": "staff-7", "role": "senior carer"}],
    "narrative": "The night carer saw that the evening dose was not signed for.",
}

LINK: Mapping[str, Any] = {
    "stage_affected": "administer",
    "stage_allowed": "handover",
    "system_used": "eMAR",
    "deviation_from_plan": "Offered 40 minutes after the time on the chart.",
    "corrective_action": "The evening handover now names every time-critical dose.",
}

MAPPED: Mapping[str, Any] = {
    "scheduling": {"planned": "2026-03-02T08:00:00Z", "actual": "2026-03-02T08:40:00Z"},
    "staff_allocation": {"planned": 3, "actual": 2},
    "travel_time": {"status": "not_applicable"},
}

CAUSES = {"causes": [{"code": "rota_pressure", "kind": "system", "note": "One senior for two floors."}]}
SYSTEM_RISK = {"determination": "system_risk", "rationale": "The same handover was involved each time."}
NO_SYSTEM_RISK = {"determination": "not_system_risk", "rationale": "Three unrelated rounds."}
SAFEGUARDING = {"considered": True, "note": "No person was affected twice."}
ACTION = {"description": "Name time-critical doses at every handover.", "owner": "manager-2", "due": "2026-04-01"}


def report(**changes: Any) -> dict[str, Any]:
    """A submission that is taken; None takes a field out."""
    return {name: value for name, value in {**REPORT, **changes}.items() if value is not None}


def text(instant: datetime) -> str:
    """An instant as RFC 3339 says it."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self, instant: datetime = MONDAY) -> None:
        self.instant = instant

    def __call__(self) -> datetime:
        return self.instant

    def set(self, instant: str) -> None:
        self.instant = parse_instant(instant)

    def advance(self, **by: float) -> None:
        self.instant += timedelta(**by)


class Ward:
    """One organisation's service behind a client whose key may do everything."""

    def __init__(self, client: httpx2.Client, headers: Mapping[str, str] | None = None) -> None:
        self.client = client
        self.headers = dict(headers or {})

    def ask(self, method: str, path: str, body: object = None, *, expect: int, **headers: str) -> dict[str, Any]:
        """The body of an answer that has the status `expect`."""
        response = self.client.request(method, path, json=body, headers={**self.headers, **headers})
        assert response.status_code == expect, response.text
        return response.json()

    def get(self, path: str, expect: int = 200, **parameters: Any) -> dict[str, Any]:
        response = self.client.get(path, params=parameters, headers=self.headers)
        assert response.status_code == expect, response.text
        return response.json()

    def post(self, path: str, body: object, expect: int = 200) -> dict[str, Any]:
        return self.ask("POST", path, body, expect=expect)

    def put(self, path: str, body: object, expect: int = 200) -> dict[str, Any]:
        return self.ask("PUT", path, body, expect=expect)

    # Near misses

    def submit(self, **changes: Any) -> dict[str, Any]:
        """A near miss that was recorded."""
        return self.post("/v1/near-misses", report(**changes), expect=201)

    def near_miss(self, near_miss_id: str, **parameters: Any) -> dict[str, Any]:
        """The record as every answer shows it, without what only its reader is told beside it: see `feedback`."""
        shown = self.get(f"/v1/near-misses/{near_miss_id}", **parameters)
        return {name: value for name, value in shown.items() if name != "feedback"}

    def feedback(self, near_miss_id: str, **parameters: Any) -> dict[str, Any]:
        """What became of the report."""
        return self.get(f"/v1/near-misses/{near_miss_id}", **parameters)["feedback"]

    def link(self, near_miss_id: str, **changes: Any) -> dict[str, Any]:
        return self.put(f"/v1/near-misses/{near_miss_id}/workflow-link", {**LINK, **changes})

    def correct(self, near_miss_id: str, **changes: Any) -> dict[str, Any]:
        body = {"reason": "The chart says otherwise.", "changes": changes}
        return self.post(f"/v1/near-misses/{near_miss_id}/corrections", body)

    def withdraw(self, near_miss_id: str) -> dict[str, Any]:
        body = {"reason": "Entered for the wrong service.", "kind": "withdrawn"}
        return self.post(f"/v1/near-misses/{near_miss_id}/withdrawal", body)

    def mark_duplicate(self, near_miss_id: str, of: str) -> dict[str, Any]:
        body = {"reason": "Both systems told of it.", "kind": "duplicate", "duplicate_of": of}
        return self.post(f"/v1/near-misses/{near_miss_id}/withdrawal", body)

    # Escalations and reviews

    def escalations(self, **parameters: Any) -> list[dict[str, Any]]:
        """Every escalation, the oldest first."""
        return self.get("/v1/escalations", limit=200, **parameters)["items"][::-1]

    def escalation(self, escalation_id: str, **parameters: Any) -> dict[str, Any]:
        return self.get(f"/v1/escalations/{escalation_id}", **parameters)

    def review(self, review_id: str, step: str, body: object, expect: int = 200) -> dict[str, Any]:
        """A step of a review."""
        return self.post(f"/v1/reviews/{review_id}/{step}", body, expect)

    def close(self, escalation: Mapping[str, Any], link: Mapping[str, Any] = LINK) -> dict[str, Any]:
        """Walk through every gate of the escalation's review and close it, without an action."""
        review_id = escalation["review_id"]
        members = [one["near_miss_id"] for one in escalation["members"] if one["kind"] == "member"]
        self.review(review_id, "start", {})
        self.review(review_id, "causes", CAUSES)
        self.review(review_id, "system-risk", NO_SYSTEM_RISK)
        self.review(review_id, "safeguarding", SAFEGUARDING)
        self.review(review_id, "workflow-links", {"near_miss_ids": members, "link": link})
        return self.review(review_id, "closure", {"code": "no_action_needed", "summary": "Nothing in common."})


def gates(problem: Mapping[str, Any]) -> dict[str, list[str]]:
    """Code → ids of a refusal that names gates."""
    return {gate["code"]: gate["ids"] for gate in problem["gates"]}


def pointers(problem: Mapping[str, Any]) -> set[str]:
    """What the errors of a refusal point to."""
    return {error["pointer"] for error in problem["errors"]}


def kinds(escalation: Mapping[str, Any]) -> dict[str, str]:
    """Near miss → how it stands in the escalation, in event-time order."""
    return {one["near_miss_id"]: one["kind"] for one in escalation["members"]}
