"""The records of a pack as the service shows them, as of its sequence: near misses, escalations, reviews, actions,
governance reviews, and what came of the actions.

Records that only bear on the period, such as those of a window that reaches out of it, are in too, and marked.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from app.domain.moment import parse_instant, parse_moment, to_micros
from app.domain.zones import zone
from app.operations import governance_document, pack_withheld
from app.operations.governance_minutes import minutes
from app.operations.outcome_document import of_review
from app.operations.pack_case import AT_ONCE, Case, line, page, shown
from app.operations.pack_scope import Scope
from app.operations.pack_tables import Sheet
from app.operations.show import Reader
from app.proof.pack_format import PackWriter

_TAKEN_BACK = ("withdrawn", "duplicate")
MOST_TOLD = 500
"""Rows of each table of the page for people; the members have them all."""

NEAR_MISS = (
    "id", "in_period", "recorded_at", "occurred_at", "service_id", "locality", "incident_type", "deviation",
    "classification", "status", "shift_bracket", "recovery_barrier", "potential_harm", "contributing_factors",
    "stage_allowed", "stage_affected", "system_used", "deviation_from_plan", "corrective_action", "source",
    "source_event_id", "staff_involved", "person_ref", "narrative", "checked", "escalation_ids", "duplicate_of",
    "version",
)  # fmt: skip

Drawn = Callable[[Mapping[str, Any]], str]


@dataclass(slots=True)
class Counted:
    """What the page for people tells of the records: each table up to `MOST_TOLD` rows, and how many there are.

    Of the near misses of the period `near_misses` still stand, in `by_kind` too; those withdrawn, or marked as a
    duplicate of another, are `taken_back`.
    """

    near_misses: int = 0
    taken_back: int = 0
    around: int = 0
    by_kind: dict[tuple[str | None, str | None], int] = field(default_factory=dict[tuple[str | None, str | None], int])
    escalations: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    escalation_count: int = 0
    actions: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    outcomes: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    counts: dict[str, int] = field(default_factory=dict[str, int])


def write_records(case: Case, scope: Scope, pack: PackWriter, page_of: Drawn, markdown_of: Drawn) -> Counted:
    """Write every member that shows records; `page_of` and `markdown_of` draw minutes."""
    counted = Counted()
    _near_misses(case, scope, pack, counted)
    _escalations(case, scope, pack, counted)
    counted.counts["reviews"] = _lines(case, scope, pack, "review", lambda reader, ids: reader.reviews(ids))
    counted.counts["actions"] = _lines(case, scope, pack, "action", partial(_actions, counted))
    _governance(case, scope, pack, page_of, markdown_of, counted)
    _outcomes(case, scope, pack, counted)
    return counted


# Near misses


def _near_misses(case: Case, scope: Scope, pack: PackWriter, counted: Counted) -> None:
    """Twice: as lines for machines, as a table for people; read twice, so that neither waits in memory."""
    with pack.member("near_misses.jsonl") as lines:
        for document in _shown_near_misses(case, scope, "writing near misses"):
            lines.write(line(document))
            if document["in_period"] and document["status"] in _TAKEN_BACK:
                counted.taken_back += 1
            elif document["in_period"]:
                counted.near_misses += 1
                kind = document.get("service_id"), document["incident_type"]
                counted.by_kind[kind] = counted.by_kind.get(kind, 0) + 1
            else:
                counted.around += 1
    with pack.member("near_misses.csv") as table:
        sheet = Sheet(table, NEAR_MISS)
        for document in _shown_near_misses(case, scope, "writing the log of near misses"):
            sheet.add(_row(document))


def _shown_near_misses(case: Case, scope: Scope, what: str) -> Iterator[dict[str, Any]]:
    for one in _read(case, scope, what, "near_miss", lambda reader, ids: reader.near_misses(ids)):
        yield {**shown(one), "in_period": is_in_period(case, one)}


def is_in_period(case: Case, document: Mapping[str, Any]) -> bool:
    """Whether a near miss happened in the period, or was recorded in it."""
    happened = parse_moment(document["occurred_at"], zone(document["time_zone"])).at
    return case.is_in_period(happened) or case.is_in_period(to_micros(parse_instant(document["recorded_at"])))


def _row(document: Mapping[str, Any]) -> dict[str, Any]:
    link: Mapping[str, Any] = document.get("workflow_link") or {}
    rules = document["similarity_check"]["rules"]
    return {
        **document,
        **{name: link[name] for name in NEAR_MISS if name in link},
        "staff_involved": [one.get("ref", one.get("role", "")) for one in document.get("staff_involved", ())],
        "checked": [f"{one['rule_id']}: {one['outcome']} ({one['count']} of {one['threshold']})" for one in rules],
    }


# Escalations, reviews, actions


Read = Callable[[Reader, Sequence[str]], list[dict[str, Any]]]


def _lines(case: Case, scope: Scope, pack: PackWriter, kind: str, read: Read) -> int:
    with pack.member(f"{kind}s.jsonl") as lines:
        for document in _read(case, scope, f"writing {kind}s", kind, read):
            lines.write(line(document))
    return scope.count(kind)


def _actions(counted: Counted, reader: Reader, ids: Sequence[str]) -> list[dict[str, Any]]:
    found = reader.actions(ids)
    names = ("id", "review_id", "governance_review_id", "description", "due", "status")
    room = max(0, MOST_TOLD - len(counted.actions))
    counted.actions += [{name: _erased(one.get(name)) for name in names} for one in found[:room]]
    return found


def _erased(value: Any) -> Any:
    return "(erased)" if isinstance(value, Mapping) else value


def _read(case: Case, scope: Scope, what: str, kind: str, read: Read) -> Iterator[dict[str, Any]]:
    total, done = scope.count(kind), 0
    for ids in scope.pages(kind, AT_ONCE):
        case.told(what, done, total)
        done += len(ids)
        with case.reader() as reader:
            found = read(reader, ids)
        yield from found


def _escalations(case: Case, scope: Scope, pack: PackWriter, counted: Counted) -> None:
    counted.escalation_count = scope.count("escalation")
    with pack.member("escalations.jsonl") as lines:
        for document in _read(
            case, scope, "writing escalations", "escalation", lambda reader, ids: reader.escalations(ids)
        ):
            lines.write(line(document))
            if len(counted.escalations) < MOST_TOLD:
                members = sum(one["kind"] == "member" for one in document["members"])
                counted.escalations.append(
                    {name: document.get(name) for name in ("id", "service_id", "status", "raised_at", "closed_as")}
                    | {
                        "about": ", ".join(str(value) for value in document["key"].values() if value is not None),
                        "members": pack_withheld.count(case, members),
                    }
                )


# Governance


def _governance(
    case: Case, scope: Scope, pack: PackWriter, page_of: Drawn, markdown_of: Drawn, counted: Counted
) -> None:
    counted.counts["governance_reviews"] = total = scope.count("governance_review")
    for n, (review_id,) in enumerate(scope.pages("governance_review", 1)):
        case.told("writing governance reviews", n, total)
        with case.reader() as reader:
            document = governance_document.show(reader, review_id)
            drawn = minutes(reader, pack_withheld.governance(case, document, pack_withheld.WITHHELD))
        pack.add(f"governance/{review_id}.json", page(pack_withheld.governance(case, document)))
        pack.add(f"governance/{review_id}.html", page_of(drawn).encode())
        pack.add(f"governance/{review_id}.md", markdown_of(drawn).encode())


# Outcomes


def _outcomes(case: Case, scope: Scope, pack: PackWriter, counted: Counted) -> None:
    """What came of the actions of each review, as it stood when the pack was asked for."""
    counted.counts["outcomes"] = 0
    with pack.member("outcomes.json") as member:
        member.write('{"items":[')
        for document in _read(case, scope, "writing outcomes", "review", partial(_outcomes_of, case)):
            member.write(("," if counted.counts["outcomes"] else "") + line(document).rstrip("\n"))
            counted.counts["outcomes"] += 1
            if len(counted.outcomes) < MOST_TOLD:
                told = {name: document.get(name) for name in ("review_id", "status", "verdict", "says")}
                counted.outcomes.append(told)
        member.write("]}")


def _outcomes_of(case: Case, reader: Reader, ids: Sequence[str]) -> list[dict[str, Any]]:
    found = (of_review(reader, one, case.asked.made_at) for one in ids)
    return [pack_withheld.outcome(case, one) for one in found if one is not None]
