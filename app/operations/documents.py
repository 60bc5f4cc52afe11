"""The shapes of the API contract, made from folded state: one function for an answer and for its every replay."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from functools import cache
from typing import Any, cast

from app.domain.escalation import OPEN, Deadline, Escalation, Raised, Status
from app.domain.moment import format_instant
from app.domain.near_miss import (
    Corrected,
    DetailsCompleted,
    NearMiss,
    SourceAdded,
)
from app.domain.plan import ON_PLAN, deviation_of
from app.domain.report import (
    Check,
)
from app.domain.review import Review, Stage, prompts
from app.domain.review_causes import suggested_causes
from app.domain.sealed import Reference, SealedText
from app.events.codec import values_of
from app.events.envelope import Told, instant

Open = Callable[[Reference | SealedText], Any]
_COUNTED = frozenset({"below_threshold", "escalated", "attached", "related", "cooling_down", "would_escalate"})


def near_miss_document(
    near_miss_id: str,
    state: NearMiss,
    told: Sequence[Told[Any]],
    escalation_ids: Sequence[str],
    *,
    in_review: bool,
    opened: Open,
) -> dict[str, Any]:
    """A NearMiss of the API contract. `opened` gives the words and references that are sealed in it."""
    report, check = state.report, state.check
    assert report is not None
    assert check is not None
    status = state.stage.value
    document: dict[str, Any] = {
        "id": near_miss_id,
        "sequence": told[0].envelope.sequence,
        "status": "in_review" if in_review and status == "linked" else status,
        "version": len(told),
    }
    if state.source is not None:
        document["source"] = state.source.source
        if state.source.source_event_id is not None:
            document["source_event_id"] = state.source.source_event_id
    shown = clear(report, opened)
    if state.workflow_link is not None:
        shown.pop("stage_allowed", None)
        shown.pop("stage_affected", None)
    document.update(shown)
    document["time_zone"] = document.pop("zone")
    document["recorded_at"] = instant(told[0].envelope.recorded_at)
    if state.reported_at is not None:
        document["reported_at"] = format_instant(state.reported_at)
    document["taxonomy_version"] = state.taxonomy_version
    document.setdefault("shift_bracket", None)
    document["frequency"] = frequency(check)
    document["similarity_check"] = check_document(check)
    document["escalation_ids"] = sorted(escalation_ids)
    if state.workflow_link is not None:
        document["workflow_link"] = clear(state.workflow_link, opened)
    if state.prefilled is not None:
        document["workflow_prefill"] = clear(state.prefilled, opened)
    link = state.workflow_link
    off = deviation_of(link.mapped_against if link and link.mapped_against else state.prefilled)
    if off != ON_PLAN:
        document["plan_deviation"] = clear(off, opened)
    if state.joined:
        document |= _persons(state, opened)
    if state.awaiting:
        document["awaiting"] = list(state.awaiting)
    if flags := _flags(state):
        document["flags"] = flags
    if state.duplicate_of is not None:
        document["duplicate_of"] = state.duplicate_of
    if state.other_sources or state.joined:
        document["other_sources"] = [
            *(_source_document(other) for other in state.other_sources),
            *(clear(one.source, opened) for one in state.joined if one.source in state.supporters),
        ]
    if state.closed:
        document["closure"] = _without_none(
            {
                "outcome": opened(state.outcome) if state.outcome else None,
                "review_id": state.closed_by_review,
            }
        )
    document["next_deadlines"] = [{"kind": one.kind, "due_at": format_instant(one.due_at)} for one in state.owed]
    document["revisions"] = [_revision(one, opened) for one in told if isinstance(one.event, _REVISING)]
    return document


def _persons(state: NearMiss, opened: Open) -> dict[str, Any]:
    """Whom a late round or run was late for, beside the person of the report."""
    first = 1 if state.report is not None and state.report.person_ref is not None else 0
    further = state.further_persons
    return {"persons_affected": first + len(further), "further_persons": [opened(one) for one in further]}


def _flags(state: NearMiss) -> list[str]:
    flags = ["unregistered_service"] if state.unregistered_service else []
    return [*flags, "overdue"] if any(one.times for one in state.owed) else flags


def check_document(check: Check) -> dict[str, Any]:
    """The similarity check as the contract shows it."""
    return {
        "checked_at": format_instant(check.checked_at),
        "policy_version": check.policy_version,
        "rules": [
            _without_none(
                {
                    "rule_id": rule.rule_id,
                    "mode": rule.mode,
                    "key": dict(rule.key),
                    "window": rule.window,
                    "threshold": rule.threshold,
                    "count": rule.count,
                    "matched_ids": list(rule.matched_ids),
                    "outcome": rule.outcome,
                    "historical": rule.historical,
                    "cooldown_until": format_instant(rule.cooldown_until) if rule.cooldown_until else None,
                }
            )
            for rule in check.rules
        ],
    }


def frequency(check: Check) -> float | int:
    """How often it happened, the record itself included: the largest count of the rules that count it (S1)."""
    return max((rule.count for rule in check.rules if rule.outcome in _COUNTED and not rule.uncounted), default=1)


def clear(value: Any, opened: Open) -> Any:
    """A domain value as JSON-like data, sealed words opened, absent values left out."""
    return _clearing(value.__class__)(value, opened)


_PLAIN = frozenset({str, int, float, bool})


@cache
def _clearing(kind: type[Any]) -> Callable[[Any, Open], Any]:
    """How values of one type are cleared: asked once for each, for an answer is made of many."""
    if issubclass(kind, Reference | SealedText):
        return lambda value, opened: opened(value)
    if issubclass(kind, datetime):
        return lambda value, _: format_instant(value)
    if issubclass(kind, tuple | list):
        return lambda value, opened: [one if one.__class__ in _PLAIN else clear(one, opened) for one in value]
    if issubclass(kind, Mapping):
        return lambda value, _: dict(value)
    if not is_dataclass(kind):
        return lambda value, _: value
    names = [field.name for field in fields(kind)]
    values = values_of(names)

    def of_fields(value: Any, opened: Open) -> dict[str, Any]:
        document: dict[str, Any] = {}
        for name, one in zip(names, values(value), strict=True):
            if one is not None and one != ():
                document[name] = one if one.__class__ in _PLAIN else _clearing(one.__class__)(one, opened)
        return document

    return of_fields


def keyed(document: Any) -> Any:
    """A document in which the keys of rules are told field by field, as everywhere but in the ledger itself."""
    if isinstance(document, list):
        return [keyed(one) for one in cast("list[Any]", document)]
    if not isinstance(document, dict):
        return document
    return {
        name: dict(value) if name == "key" and _is_of_pairs(value) else keyed(value)
        for name, value in cast("dict[str, Any]", document).items()
    }


def _is_of_pairs(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(one, list) and len(cast("list[Any]", one)) == 2 for one in cast("list[Any]", value)
    )


def keys_in(value: Any) -> Iterable[str]:
    match value:
        case Reference(key=key) | SealedText(key=key):
            yield key
        case tuple() | list():
            for item in value:  # pyright: ignore[reportUnknownVariableType]
                yield from keys_in(item)
        case _ if is_dataclass(value):
            for field in fields(value):
                yield from keys_in(getattr(value, field.name))
        case _:
            pass


def escalation_document(
    escalation_id: str,
    state: Escalation,
    told: Sequence[Told[Any]],
    times: Mapping[str, tuple[int, int]],
    names: Mapping[str, str],
) -> dict[str, Any]:
    """An escalation of the API contract. `times`: event time and sequence of its near misses, for their order;
    `names`: persons, told from the tokens that stand for them.
    """
    raised: Raised = told[0].event
    members = sorted(state.members.items(), key=lambda member: times.get(member[0], (0, 0)))
    return _without_none(
        {
            "id": escalation_id,
            "sequence": told[0].envelope.sequence,
            "rule_id": raised.rule_id,
            "policy_version": state.policy_version,
            "key": dict(raised.key),
            "service_id": raised.service_id,
            "threshold": raised.threshold,
            "window": raised.window,
            "status": state.status.value,
            "level": state.level,
            "epoch": state.epoch,
            "owner": names.get(state.owner, state.owner) if state.owner else None,
            "contacts": [names.get(one, one) for one in state.contacts],
            "raised_at": instant(told[0].envelope.recorded_at),
            "crossed_at": format_instant(raised.crossed_at),
            "detected_late": raised.detected_late,
            "detection_delay": raised.detection_delay or "PT0S",
            "members": [{"near_miss_id": near_miss_id, "kind": kind} for near_miss_id, kind in members],
            "flags": list(state.flags),
            "review_id": raised.review_id,
            "previous_episode_id": raised.previous_episode_id,
            "closed_as": state.closed_as,
            "snoozed_until": format_instant(state.snoozed_until) if state.snoozed_until else None,
            "merged_into": state.merged_into,
            "next_deadlines": [_deadline(one) for one in state.deadlines],
            "version": len(told),
        }
    )


def _deadline(deadline: Deadline) -> dict[str, Any]:
    document: dict[str, Any] = {"kind": deadline.kind, "due_at": format_instant(deadline.due_at)}
    return document if deadline.level is None else {**document, "level": deadline.level}


def review_document(
    review_id: str,
    state: Review,
    told: Sequence[Told[Any]],
    actions: Sequence[Mapping[str, Any]],
    factors: Mapping[str, Sequence[str]],
    names: Mapping[str, str],
    opened: Open,
) -> dict[str, Any]:
    """A manager review: its findings, how it was closed, and `actions`, as they are shown.

    `factors`: contributing factors of each member; `names`: persons, told from the tokens that stand for them.
    """
    closed = next((one.event for one in reversed(told) if one.envelope.type == "review.closed"), None)
    signed = state.countersignature
    is_open = state.stage in (Stage.OPEN, Stage.UNDER_REVIEW)
    return _without_none(
        {
            "id": review_id,
            "sequence": told[0].envelope.sequence,
            "escalation_id": told[0].event.escalation_id,
            "status": state.stage.value,
            "opened_at": instant(told[0].envelope.recorded_at),
            "causes": clear(state.causes.causes, opened) if state.causes else [],
            "system_risk": clear(state.system_risk, opened),
            "safeguarding": clear(state.safeguarding, opened),
            "actions": list(actions),
            "countersignature": {**clear(signed, opened), "by": names.get(signed.by, signed.by)} if signed else None,
            "closure": clear(closed, opened) if state.stage is Stage.CLOSED else None,
            "prompts": [prompt._asdict() for prompt in prompts(state)] if is_open else None,
            "suggested_causes": [
                {"code": one.code, "count": one.count, "near_miss_ids": list(one.near_miss_ids)}
                for one in suggested_causes(factors)
            ],
            "reopened": _reopened([one for one in told if one.envelope.type == "review.reopened"], names, opened),
            "merged_into": state.merged_into,
            "version": len(told),
        }
    )


def _reopened(told: Sequence[Told[Any]], names: Mapping[str, str], opened: Open) -> dict[str, Any] | None:
    if not told:
        return None
    envelope, last = told[-1].envelope, told[-1].event
    return {
        "times": len(told),
        "reason": opened(last.reason),
        "by": names.get(envelope.actor, envelope.actor),
        "at": instant(envelope.recorded_at),
    }


def is_open(status: str) -> bool:
    """Whether an escalation of this status still asks for somebody."""
    return Status(status) in OPEN


def _source_document(added: SourceAdded) -> dict[str, Any]:
    source = added.source
    return _without_none(
        {
            "near_miss_id": added.near_miss_id,
            "source": source.source if source else None,
            "source_event_id": source.source_event_id if source else None,
        }
    )


_REVISING = Corrected | DetailsCompleted


def _revision(told: Told[Any], opened: Open) -> dict[str, Any]:
    event = told.event
    return _without_none(
        {
            "version": told.envelope.version,
            "recorded_at": instant(told.envelope.recorded_at),
            "actor": told.envelope.actor,
            "changed": list(event.changed if isinstance(event, Corrected) else event.completed),
            "reason": opened(event.reason) if isinstance(event, Corrected) else None,
            "revised_by": clear(event.revised_by, opened) if isinstance(event, Corrected) else None,
        }
    )


def _without_none(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if value is not None}
