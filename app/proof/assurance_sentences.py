"""The three validations in words: the same in `verify`, in `audit` and on the page of an evidence pack."""

from collections.abc import Mapping
from typing import Any

VALIDATIONS = {
    "repeated_near_misses_escalated": "Every crossing of a threshold led to a review in time",
    "linked_to_workflow": "Every near miss is linked to the work that allowed it",
    "used_in_governance": "Governance weighed every escalation, on records",
}
REASONS = {
    "review_missing": "the threshold was crossed and there is no review",
    "review_overdue": "the review was not closed by its deadline",
    "determination_missing": "the review was closed without saying whether it is a system risk",
    "timer_without_event": "a deadline passed and nothing was told of it",
    "source_silent": "a source that was expected to speak fell silent",
    "not_linked": "not linked by its deadline",
    "closed_in_isolation": "closed by itself while an open escalation held it",
    "escalation_in_no_governance_review": "no closed governance review weighed it",
    "governance_review_missing": "no governance review was closed by its deadline",
    "decision_cites_nothing": "a decision cites no record, or one that does not exist",
    "snapshot_unresolved": "what it was shown cannot be found in the ledger",
}


def sentence(validation: Mapping[str, Any]) -> str:
    """What is stated, by the id of the validation; a newer release may have others."""
    return VALIDATIONS.get(validation["id"], str(validation["id"]))


def verdict(validation: Mapping[str, Any]) -> str:
    """Whether it is confirmed; of nothing it confirms nothing, and what is pending is not missing."""
    if validation["confirmed"] is None:
        return "not decided here" if "why" in validation else "nothing to confirm"
    if validation["confirmed"]:
        return "confirmed"
    return "NOT confirmed" if validation["exceptions_total"] else "not yet confirmed"


def counts(validation: Mapping[str, Any]) -> str:
    """How many there are in all, missing and pending."""
    missing, pending = validation["exceptions_total"], validation["pending_total"]
    return f"{validation['population']} in all, {several(missing, 'exception')}, {pending} inside the deadline"


def reason(code: str) -> str:
    """Why something is an exception."""
    return REASONS.get(code, code.replace("_", " "))


def several(count: int, one: str, many: str | None = None) -> str:
    """A number of things, as it is said of one and of more."""
    return f"{count} {one if count == 1 else many or one + 's'}"
