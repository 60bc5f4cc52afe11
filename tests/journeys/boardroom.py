"""Leadership's side of the ward: a governance review opened, walked through every gate, and closed."""

from collections.abc import Sequence
from typing import Any

from tests.journeys.ward import Ward

OPENING = {"title": "Near misses of the week", "from": "2026-02-23", "to": "2026-03-03", "chair": "nominated-1"}
ACTION = {"description": "A second senior at the evening handover.", "owner": "manager-2", "due": "2026-05-01"}
ASSESSMENT = {
    "determination": "emerging_risk",
    "intervention_required": True,
    "rationale": "Omitted doses at the evening handover have doubled.",
}
MINUTES = {"text": "The chair went through every escalation.", "present": ["nominated-1", "manager-2"]}
DECISION = "The evening round gets a second senior until May."
SUMMARY = {"summary": "One emerging risk; staffing changes until May."}
PATH = "/v1/governance-reviews"


def opened(ward: Ward, **changes: Any) -> dict[str, Any]:
    """A governance review that was opened."""
    return ward.post(PATH, {**OPENING, **changes}, expect=201)


def step(ward: Ward, review: dict[str, Any] | str, name: str, body: object, expect: int = 200) -> dict[str, Any]:
    """A step of a governance review."""
    review_id = review if isinstance(review, str) else review["id"]
    return ward.post(f"{PATH}/{review_id}/{name}", body, expect)


def decided(ward: Ward, review: dict[str, Any], *cites: str, text: str = DECISION, expect: int = 200) -> dict[str, Any]:
    return step(ward, review, "decisions", {"text": text, "cites": list(cites)}, expect)


def read(ward: Ward, review: dict[str, Any], **parameters: Any) -> dict[str, Any]:
    return ward.get(f"{PATH}/{review['id']}", **parameters)


def closed(ward: Ward, review: dict[str, Any], *cites: str) -> dict[str, Any]:
    """Walk through every gate and close it."""
    step(ward, review, "recommended-actions", ACTION)
    decided(ward, review, *cites or ("snapshot",))
    step(ward, review, "assessment", ASSESSMENT)
    step(ward, review, "minutes", MINUTES)
    return step(ward, review, "closure", SUMMARY)


def ids(documents: Sequence[dict[str, Any]]) -> list[str]:
    return [one["id"] for one in documents]
