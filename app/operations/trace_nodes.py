"""What a trace says of each thing it leads to: ids, codes, numbers and instants; of people tokens, and no words."""

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any
from urllib.parse import quote, urlencode

from app.database.tables import escalation_members
from app.domain import action, escalation, governance, intake, near_miss, outcome, review, signal
from app.domain.escalation import OPEN
from app.domain.moment import format_instant
from app.events.envelope import Told, instant
from app.operations.trace_beside import checks_of
from app.operations.trace_book import STREAMLESS, Book, Node, pair_of
from app.operations.trace_links import memberships

MOST_CHECKS = 20
"""Similarity checks that are shown of a near miss, the newest."""
COUNTED = frozenset({"below_threshold", "escalated", "attached", "related", "cooling_down", "would_escalate"})
PATHS = {
    "near_miss": "near-misses",
    "escalation": "escalations",
    "review": "reviews",
    "action": "actions",
    "governance_review": "governance-reviews",
    "signal": "signals",
    "intake_record": "intake-records",
}
TRACED = frozenset(PATHS) - {"intake_record"}
"""Kinds with a route of their own that traces them."""

Story = Sequence[Told[Any]]


def documents(book: Book, nodes: Sequence[Node]) -> dict[Node, dict[str, Any]]:
    """Node → what is said of it, of those that there were."""
    found: dict[Node, dict[str, Any]] = {}
    kinds: dict[str, list[str]] = {}
    for node in nodes:
        kinds.setdefault(node.kind, []).append(node.id)
    open_for = _under_review(book, kinds.get("near_miss", ()))
    for kind, ids in kinds.items():
        if kind in STREAMLESS:
            continue
        for one, told in book.told(kind, ids).items():
            said = _SAID[kind](told)
            if kind == "near_miss" and said["status"] == "linked" and one in open_for:
                said["status"] = "in_review"
            first = told[0].envelope
            found[Node(kind, one)] = {
                "kind": kind,
                "id": one,
                "sequence": first.sequence,
                "at": instant(first.recorded_at),
                **said,
                "links": _links(kind, one, told),
            }
    return found


def source_event_document(node: Node, sequence: int, at: str) -> dict[str, Any]:
    """A source's own name for something, told since a sequence."""
    source, its_id = pair_of(node.id)
    return {
        "kind": node.kind,
        "id": node.id,
        "sequence": sequence,
        "at": at,
        "details": {"source": source, "source_event_id": its_id},
        "links": {"self": trace_of_source(source, its_id), "trace": trace_of_source(source, its_id)},
    }


def trace_of_source(source: str, source_event_id: str) -> str:
    """Where a source event is traced."""
    return "/v1/trace?" + urlencode({"source": source, "source_event_id": source_event_id})


def _links(kind: str, one: str, told: Story) -> dict[str, str]:
    if kind == "outcome":
        scheduled: outcome.Scheduled = told[0].event
        return {"self": f"/v1/actions/{quote(scheduled.action_ids[0], safe='')}/outcome"}
    path = f"/v1/{PATHS[kind]}/{quote(one, safe='')}"
    if kind == "intake_record":
        return {"self": path, "trace": trace_of_source(told[0].event.source, told[0].event.source_event_id)}
    return {"self": path, "trace": f"{path}/trace", "history": f"{path}/history"}


def _under_review(book: Book, near_miss_ids: Sequence[str]) -> set[str]:
    """Those that stand in an escalation that is open."""
    row = escalation_members.c
    found = memberships(book, row.near_miss_id.in_(near_miss_ids), row.kind != "withdrawn") if near_miss_ids else []
    told = book.told("escalation", {link.effect.id for link in found})
    is_open = {one for one, its in told.items() if _fold(escalation.evolve, escalation.UNRAISED, its).status in OPEN}
    return {link.cause.id for link in found if link.effect.id in is_open}


# One kind after the other


def _near_miss(told: Story) -> dict[str, Any]:
    state = _fold(near_miss.evolve, near_miss.UNRECORDED, told)
    report, checks = state.report, checks_of(told)
    assert report is not None
    details = {
        "incident_type": report.incident_type,
        "deviation": report.deviation,
        "classification": report.classification,
        "occurred_at": report.occurred_at,
        "service_id": report.service_id,
        "stage_allowed": state.workflow_link.stage_allowed if state.workflow_link else report.stage_allowed,
        "source": state.source.source if state.source else None,
        "source_event_id": state.source.source_event_id if state.source else None,
        "taken_back_by": [one.source for one in state.taken_back] or None,
        "closed_by_review": state.closed_by_review,
        "counted_by": list(
            dict.fromkeys(rule.rule_id for _, check in checks for rule in check.rules if rule.outcome in COUNTED)
        ),
        "checks": [
            {
                "sequence": sequence,
                "checked_at": format_instant(check.checked_at),
                "policy_version": check.policy_version,
                "rules": [
                    {
                        "rule_id": rule.rule_id,
                        "outcome": rule.outcome,
                        "count": rule.count,
                        "threshold": rule.threshold,
                        "window": rule.window,
                        "matched": len(rule.matched_ids),
                    }
                    for rule in check.rules
                ],
            }
            for sequence, check in checks[-MOST_CHECKS:]
        ],
        "checks_in_all": len(checks),
    }
    return {"status": state.stage.value, "details": _known(details)}


def _intake_record(told: Story) -> dict[str, Any]:
    state = _fold(intake.evolve, intake.UNRECEIVED, told)
    received, found = state.received, state.finding
    assert received is not None
    assert found is not None
    details = {
        "source": received.source,
        "source_event_id": received.source_event_id,
        "event_type": received.event_type,
        "via": received.via,
        "time": format_instant(received.time) if received.time else None,
        "reason": found.reason,
        "rule": found.rule,
        "recognition_version": found.recognition_version,
        "mapping": found.mapping,
    }
    return {"status": str(found.outcome), "details": _known(details)}


def _escalation(told: Story) -> dict[str, Any]:
    state, raised = _fold(escalation.evolve, escalation.UNRAISED, told), told[0].event
    details = {
        "rule_id": raised.rule_id,
        "policy_version": state.policy_version,
        "service_id": raised.service_id,
        "threshold": raised.threshold,
        "window": raised.window,
        "crossed_at": format_instant(raised.crossed_at),
        "detected_late": raised.detected_late or None,
        "level": state.level,
        "owner": state.owner,
        "flags": list(state.flags) or None,
        "closed_as": state.closed_as,
    }
    return {"status": state.status.value, "details": _known(details)}


def _review(told: Story) -> dict[str, Any]:
    state = _fold(review.evolve, review.UNOPENED, told)
    safeguarding = state.safeguarding
    details = {
        "causes": [{"code": one.code, "kind": one.kind} for one in state.causes.causes] if state.causes else None,
        "determination": state.system_risk.determination if state.system_risk else None,
        "safeguarding_considered": safeguarding.considered if safeguarding else None,
        "countersigned_by": state.countersignature.by if state.countersignature else None,
        "closed_as": state.closed_as if state.stage is review.Stage.CLOSED else None,
    }
    return {"status": state.stage.value, "details": _known(details)}


def _action(told: Story) -> dict[str, Any]:
    state, agreed = _fold(action.evolve, action.UNAGREED, told), told[0].event
    checked = [one.event for one in told if isinstance(one.event, action.EffectivenessChecked)]
    completed = [one.event for one in told if isinstance(one.event, action.Completed)]
    details = {
        "owner": f"staff/{agreed.owner.token}",
        "due": agreed.due,
        "effective_from": completed[-1].effective_from if completed else None,
        "effectiveness_checks": len(checked) or None,
    }
    return {"status": str(state.status), "details": _known(details)}


def _outcome(told: Story) -> dict[str, Any]:
    state = _fold(outcome.evolve, outcome.UNPLANNED, told)
    assessed = [one.event for one in told if isinstance(one.event, outcome.Assessed)]
    plan = [one.event for one in told if isinstance(one.event, outcome.Scheduled)][-1]
    details: dict[str, Any] = {
        "due_at": format_instant(state.due_at) if state.due_at else None,
        "follow_up_from": format_instant(plan.follow_up_from),
        "follow_up_to": format_instant(plan.follow_up_to),
    }
    if assessed:
        last = assessed[-1]
        details |= {
            "rate_ratio": last.rate_ratio,
            "before": last.before.events,
            "after": last.after.events,
            "assessments": len(assessed),
        }
    return {"status": assessed[-1].verdict if assessed else "awaited", "details": _known(details)}


def _signal(told: Story) -> dict[str, Any]:
    state, first = _fold(signal.evolve, signal.UNTOLD, told), told[0].event
    details = {
        "kind": signal.kind_of(first),
        "service_id": first.service_id,
        "incident_type": getattr(first, "incident_type", None),
        "source": getattr(first, "source", None),
        "since": format_instant(first.since),
        "until_week": getattr(first, "until_week", None),
        "answered_by": state.answered.by if state.answered else None,
    }
    return {"status": state.status, "details": _known(details)}


def _governance_review(told: Story) -> dict[str, Any]:
    state, opened = _fold(governance.evolve, governance.UNOPENED, told), told[0].event
    assessed = [one.event for one in told if isinstance(one.event, governance.Assessed)]
    details = {
        "from": opened.since,
        "to": opened.until,
        "services": list(opened.services) or None,
        "localities": list(opened.localities) or None,
        "chair": f"staff/{opened.chair.token}",
        "snapshot_as_of_sequence": opened.snapshot["as_of_sequence"],
        "decisions": [
            {"sequence": one.envelope.sequence, "at": instant(one.envelope.recorded_at), "cites": list(one.event.cites)}
            for one in told
            if isinstance(one.event, governance.Decided)
        ],
        "determination": assessed[-1].determination if assessed else None,
        "intervention_required": assessed[-1].intervention_required if assessed else None,
    }
    return {"status": state.stage.value, "details": _known(details)}


_SAID: Mapping[str, Callable[[Story], dict[str, Any]]] = {
    "near_miss": _near_miss,
    "intake_record": _intake_record,
    "escalation": _escalation,
    "review": _review,
    "action": _action,
    "outcome": _outcome,
    "signal": _signal,
    "governance_review": _governance_review,
}


def _fold(evolve: Callable[[Any, Any], Any], state: Any, told: Story) -> Any:
    return reduce(evolve, (one.event for one in told), state)


def _known(details: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in details.items() if value is not None}
