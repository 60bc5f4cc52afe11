"""What a pack does not tell whoever may not read words, or small counts, of the documents that it shows.

Words that stand in clear in their events (the title of a governance review, the reason of a policy) are left out like
those that are sealed. Of counts none is told of what was frozen for leadership and of what came of actions, small or
not: their tables are summed in too many ways for one to be withheld alone. Only the members that show records are
meant; `ledger.jsonl` holds each event as it was recorded, or it would prove nothing.
"""

from collections.abc import Mapping
from typing import Any

from app.domain.small_cells import is_small
from app.operations.pack_case import LEFT_OUT, Case

WITHHELD = "withheld"
FEW = "fewer than 5"
_SNAPSHOT: Mapping[str, tuple[str, ...]] = {
    "services_affected": ("count", "by_classification", "escalations"),
    "contributing_factors": ("count", "other_services"),
    "escalations": ("members",),
    "signals": ("recent", "baseline", "says"),
    "less_sensitive_policies": ("lost",),
}
_OUTCOME = ("rate_ratio", "ci", "p", "before", "during", "after", "reporting", "harm", "says")


def governance(case: Case, document: Mapping[str, Any], instead: str | None = None) -> dict[str, Any]:
    """A governance review as this pack may tell it; `instead` stands in the place of counts."""
    told = dict(document)
    snapshot: dict[str, Any] = dict(told["snapshot"])
    if not case.has_words:
        told["title"] = LEFT_OUT
        snapshot["less_sensitive_policies"] = [
            {**one, "reason": LEFT_OUT} for one in snapshot.get("less_sensitive_policies", ())
        ]
    if not case.has_small_cells:
        snapshot |= {name: _without(snapshot.get(name, ()), names, instead) for name, names in _SNAPSHOT.items()}
        snapshot["outcomes"] = _without(snapshot["outcomes"], _OUTCOME, instead)
        for one in snapshot["contributing_factors"]:
            one["services"] = [{**its, "count": instead} for its in _by_id(one["services"])]
        for name in ("services_affected", "contributing_factors"):
            snapshot[name] = _by_id(snapshot[name])  # The most come first, which would tell of them.
        snapshot["trends"] = []
    return {**told, "snapshot": snapshot}


def outcome(case: Case, document: Mapping[str, Any]) -> dict[str, Any]:
    """What came of actions, with its verdict, and its counts where the pack tells small ones."""
    if case.has_small_cells or document["before"] is None:
        return dict(document)  # Before anything was counted there is nothing to withhold.
    (told,) = _without([document], _OUTCOME, None)
    return {**told, "says": "Counts are withheld.", "history": _without(document.get("history", ()), _OUTCOME, None)}


def policy(case: Case, document: Mapping[str, Any]) -> dict[str, Any]:
    """A policy with its reason where the pack tells words."""
    return dict(document) if case.has_words else {name: one for name, one in document.items() if name != "reason"}


def count(case: Case, number: int) -> str:
    """How many near misses, for people."""
    return FEW if is_small(number) and not case.has_small_cells else str(number)


def _without(documents: Any, names: tuple[str, ...], instead: str | None) -> list[dict[str, Any]]:
    return [{**one, **{name: instead for name in names if name in one}} for one in documents]


def _by_id(documents: Any) -> list[dict[str, Any]]:
    return sorted(documents, key=lambda one: one.get("service_id") or one.get("code") or "")
