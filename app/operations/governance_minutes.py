"""The minutes of a governance review, ready to be drawn: what it saw in tables, what was decided, and on what.

A cited record is described by codes, ids and times. The narrative of a near miss never comes into minutes.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from app.operations.show import Reader

ERASED = "(erased)"
_NONE = "—"


def minutes(reader: Reader, document: Mapping[str, Any]) -> dict[str, Any]:
    """What the templates `minutes.*` draw, of a governance review as the same reader shows it."""
    decisions: list[dict[str, Any]] = document["decisions"]
    actions = {one["id"]: one for one in reader.actions([one["id"] for one in document["snapshot"]["open_actions"]])}
    described = dict(_described(reader, {cite for one in decisions for cite in one["cites"]}, document))
    present: list[Any] = document["minutes"]["present"] if "minutes" in document else []
    return {
        "review": document,
        "chair": _words(document["chair"]),
        "places": ", ".join([*document["services"], *document["localities"]]) or "all services",
        "present": [_words(one) for one in present],
        "text": _words(document["minutes"]["text"]) if "minutes" in document else "",
        "tables": list(_tables(document["snapshot"], actions)),
        "says": _says(document["snapshot"]),
        "decisions": [
            {
                "text": _words(one["text"]),
                "cites": [{"id": cite, "says": described.get(cite, "")} for cite in one["cites"]],
            }
            for one in decisions
        ],
        "assessment": _assessment(document.get("assessment")),
        "recommended": [
            {name: _words(one.get(name, "")) for name in ("description", "owner", "due", "status")}
            for one in document["recommended_actions"]
        ],
        "no_action": _words(document["no_action_recommended"]["reason"]) if "no_action_recommended" in document else "",
        "summary": _words(document["closure"]["summary"]) if "closure" in document else "",
        "closed_at": _minute(document["closure"]["at"]) if "closure" in document else "",
    }


def _tables(snapshot: Mapping[str, Any], actions: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Each part of the snapshot as a caption, heads and rows."""
    yield _table(
        "Services affected",
        ("Service", "Near misses", "Escalations"),
        (
            (one.get("name") or one.get("service_id") or "not named", one["count"], one["escalations"])
            for one in snapshot["services_affected"]
        ),
    )
    yield _table(
        "Contributing factors",
        ("Factor", "Near misses", "By service"),
        (
            (
                _code(one["code"]),
                one["count"],
                ", ".join(_by_service(one)),
            )
            for one in snapshot["contributing_factors"]
        ),
    )
    yield _table(
        "Escalations",
        ("Escalation", "Rule", "About", "Raised", "Near misses", "Status", "Review found"),
        (
            (
                one["id"],
                one["rule_id"],
                _about(one["key"]),
                _minute(one["raised_at"]) + ", carried" * one.get("carried", False),
                one["members"],
                _code(one["status"]),
                _code(one.get("determination", _NONE)),
            )
            for one in snapshot["escalations"]
        ),
    )
    yield _table(
        "System risks that no decision has answered",
        ("Review", "Escalation", "Service"),
        (
            (one["review_id"], one["escalation_id"], one.get("service_id", _NONE))
            for one in snapshot["system_risk_reviews"]
        ),
    )
    yield _table(
        "Signals that nobody has answered",
        ("Signal", "Kind", "Service", "Raised", "What it says"),
        (
            (
                one["id"],
                _code(one["kind"]),
                one.get("service_id", _NONE),
                _minute(one["raised_at"]),
                one.get("says", ""),
            )
            for one in snapshot["signals"]
        ),
    )
    yield _table(
        "Open actions",
        ("Action", "What", "Owner", "Due", "Status"),
        (
            (
                one["id"],
                _words(actions[one["id"]]["description"]) if one["id"] in actions else _NONE,
                _words(actions[one["id"]]["owner"]) if one["id"] in actions else _NONE,
                one["due"],
                _code(one["status"]),
            )
            for one in snapshot["open_actions"]
        ),
    )
    yield _table(
        "Outcomes of earlier actions",
        ("Review", "Verdict", "What it says"),
        (
            (one.get("review_id", _NONE), _code(one.get("verdict", _NONE)), one.get("says", ""))
            for one in snapshot["outcomes"]
        ),
    )


def _table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> dict[str, Any]:
    return {"caption": caption, "heads": heads, "rows": [[str(cell) for cell in row] for row in rows]}


def _says(snapshot: Mapping[str, Any]) -> list[str]:
    """What the trends say in a sentence each, once."""
    told: dict[str, None] = {}
    for one in snapshot["trends"]:
        for series in one.get("series", ()):
            if isinstance(said := series.get("says"), str):
                told[said] = None
    return list(told)


def _described(reader: Reader, cites: set[str], document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What each cited id stands for, in codes."""
    of = {kind: sorted(one for one in cites if one.startswith(kind)) for kind in ("nm_", "esc_", "rev_", "act_")}
    if "snapshot" in cites:
        yield "snapshot", f"what was known at sequence {document['snapshot']['as_of_sequence']}"
    for one in reader.near_misses(of["nm_"]):
        what = " ".join(_code(one[name]) for name in ("incident_type", "deviation") if one.get(name))
        yield one["id"], f"near miss: {what}, {one.get('service_id', 'no service named')}, {one['occurred_at']}"
    for one in reader.escalations(of["esc_"]):
        yield one["id"], f"escalation: {_about(one['key'])}, {_code(one['status'])}"
    for one in reader.reviews(of["rev_"]):
        found = one.get("system_risk", {}).get("determination", "not determined")
        yield one["id"], f"review: {_code(found)}, {_code(one['status'])}"
    for one in reader.actions(of["act_"]):
        yield one["id"], f"action: {_code(one['status'])}, due {one['due']}"
    for one in document["snapshot"]["signals"]:
        if one["id"] in cites:
            yield one["id"], f"signal: {_code(one['kind'])}, {one.get('service_id', _NONE)}"


def _assessment(document: Mapping[str, Any] | None) -> dict[str, str] | None:
    if document is None:
        return None
    return {
        "determination": "Emerging risk" if document["determination"] == "emerging_risk" else "No emerging risk",
        "intervention": "required" if document["intervention_required"] else "not required",
        "rationale": _words(document["rationale"]),
    }


def _about(key: Mapping[str, Any]) -> str:
    return ", ".join(_code(value) for name, value in key.items() if value is not None and not name.endswith("_ref"))


def _by_service(factor: Mapping[str, Any]) -> Iterator[str]:
    for one in factor["services"]:
        yield f"{one.get('service_id', 'not named')} {one['count']}"
    if others := factor.get("other_services"):
        yield f"{others} more"


def _code(code: Any) -> str:
    return str(code).replace("_", " ")


def _words(value: Any) -> str:
    """Words of people, unless they were erased."""
    return value if isinstance(value, str) else ERASED


def _minute(at: str) -> str:
    return f"{at[:10]} {at[11:16]} UTC"
