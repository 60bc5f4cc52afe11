"""What the page for people tells: what was asked and what can be relied on first, then what the records say.

Its numbers are those of the members: near misses that stand are counted apart from those that were taken back, as the
validations and the trends count them. An exception is told with what it is about, when that was, and when it was due.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from app.domain.moment import format_instant
from app.domain.small_cells import withheld
from app.operations import governance_document, pack_withheld
from app.operations.pack_case import Case
from app.operations.pack_described import described
from app.operations.pack_mapping import mapping
from app.operations.pack_records import Counted
from app.operations.pack_scope import Scope
from app.operations.show import Reader
from app.proof.assurance_sentences import reason, sentence, verdict

MOST_EXCEPTIONS = 200
"""Of each validation; assurance.json has a thousand of each, and how many there are."""


def index(
    case: Case,
    scope: Scope,
    fields: Mapping[str, Any],
    checkpoint: Mapping[str, Any],
    assurance: Mapping[str, Any],
    counted: Counted,
    shares: list[dict[str, Any]],
    members: Iterable[str],
) -> dict[str, Any]:
    """What the template draws; `fields`: the manifest's, `members`: those that are written."""
    asked = case.asked
    return {
        "pack": fields,
        "title": f"Evidence of near misses, {_day(asked.since_at)} to before {_day(asked.until_at)}",
        "services": ", ".join(asked.services) or "all services",
        "checkpoint": checkpoint,
        "previous": asked.previous,
        "validations": [_validation(case, one) for one in assurance["validations"]],
        "near_misses": pack_withheld.count(case, counted.near_misses),
        "taken_back": pack_withheld.count(case, counted.taken_back) if counted.taken_back else "",
        "around": pack_withheld.count(case, counted.around) if counted.around else "",
        "by_kind": list(_by_kind(case, counted)),
        "escalations": counted.escalations,
        "escalation_count": counted.escalation_count,
        "actions": [{**one, "outcome": _outcome_of(one, counted.outcomes)} for one in counted.actions],
        "outcomes": counted.outcomes,
        "counts": counted.counts,
        "shares": shares,
        "overdue": reason("review_overdue"),
        "governance_of_others": scope.governance_of_others(),
        "members": list(described(members)),
        "mapping": mapping(),
    }


def _by_kind(case: Case, counted: Counted) -> Iterator[dict[str, Any]]:
    hidden = frozenset[tuple[str | None, str | None]]() if case.has_small_cells else withheld(counted.by_kind)
    for at in sorted(counted.by_kind, key=lambda one: (one[0] or "", one[1] or "")):
        yield {
            "service_id": at[0] or "not named",
            "incident_type": (at[1] or "").replace("_", " "),
            "count": "below 5, or withheld" if at in hidden else counted.by_kind[at],
        }


def _outcome_of(action: Mapping[str, Any], outcomes: Sequence[Mapping[str, Any]]) -> str:
    """What came of an action, which is told of the review that agreed on it."""
    found = next((one for one in outcomes if one["review_id"] == action["review_id"]), None)
    if action["review_id"] is None or found is None:
        return ""
    return found["verdict"] or found["status"]


# Exceptions


def _validation(case: Case, one: Mapping[str, Any]) -> dict[str, Any]:
    some = one["exceptions"][:MOST_EXCEPTIONS]
    with case.reader() as reader:
        found = dict(_particulars(reader, {record for each in some for record in each["ids"]})) if some else {}
    exceptions = [_exception(each, found) for each in some]
    return {**one, "title": sentence(one), "verdict": verdict(one), "exceptions": exceptions}


def _exception(one: Mapping[str, Any], found: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    detail: Mapping[str, Any] = one.get("detail", {})
    places = dict.fromkeys(found[record][0] for record in one["ids"] if record in found)
    days = [found[record][1] for record in one["ids"] if record in found]
    named = detail.get("key")
    place = named.get("service_id") if isinstance(named, Mapping) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    since = detail.get("crossed_at") or detail.get("silent_since") or ""
    return {
        "says": reason(one["reason"]),
        "reason": one["reason"],
        "service": ", ".join(filter(None, places)) or place or "",
        "when": min(days, default="") or _minute(since),
        "due": _minute(detail.get("due") or ""),
        "ids": one["ids"],
    }


def _particulars(reader: Reader, ids: set[str]) -> Iterator[tuple[str, tuple[str, str]]]:
    """Of each record its service and its day; all of them are in the pack, or no exception would name them."""
    of = {kind: sorted(one for one in ids if one.startswith(kind)) for kind in ("nm_", "esc_", "rev_", "gov_")}
    for one in reader.near_misses(of["nm_"]):
        yield one["id"], (one.get("service_id") or "", one["occurred_at"][:10])
    for one in reader.escalations(of["esc_"]):
        yield one["id"], (one.get("service_id") or "", one["raised_at"][:10])
    for one in governance_document.documents(reader, of["gov_"]):
        yield one["id"], (", ".join(one["services"]) or "all services", one["from"][:10])


def _minute(at: str) -> str:
    return at[:16].replace("T", " ") + " UTC" if at else ""


def _day(at: datetime) -> str:
    return format_instant(at)[:16].replace("T", " ") + " UTC"
