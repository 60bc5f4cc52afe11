"""What a governance review saw when it was opened: computed from what was known at one sequence, then frozen.

The same reader as of the same sequence gives the same snapshot again, whatever came since (S13). It holds ids, codes,
numbers and instants: no words of people, for those can be erased, and what is frozen cannot. The reason of a policy is
none of these: it stands in the ledger in clear.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import reduce
from typing import Any

from sqlalchemy import func, or_, select

from app.database.tables import actions, events, governance_carried, heatmap_facts
from app.domain import action, review
from app.domain.moment import format_instant, to_micros
from app.events.envelope import Told
from app.operations import outcomes, signalling
from app.operations.configuration import Configuration
from app.operations.governance_bounds import bounded
from app.operations.governance_carrying import carried_over
from app.operations.governance_period import (
    Period,
    Standing,
    concerned,
    escalations_in,
    facts_in,
    known_to,
    standings,
)
from app.operations.governance_policies import less_sensitive_policies
from app.operations.governance_trends import trends_in
from app.operations.show import Reader

MOST_SERVICES = 8
"""How many services are named of a contributing factor; the others are counted."""

_SIGNAL = (
    "id", "kind", "service_id", "source", "incident_type", "measure", "method", "raised_at", "since_week",
    "until_week", "recent", "baseline", "says",
)  # fmt: skip
_OUTCOME = (
    "action_id", "review_id", "actions", "service_id", "status", "verdict", "rate_ratio", "ci", "p", "before", "during",
    "after", "exposure", "reporting", "harm", "follow_up_ends", "assessed_at", "says",
)  # fmt: skip


def snapshot_at(reader: Reader, period: Period, now: datetime) -> dict[str, Any]:
    """The snapshot as of `reader.as_of`; `now` is when it was computed, and stands in it.

    Whoever asks has had the follower `heatmap` catch up before.
    """
    settled = reader.settled()
    found = escalations_in(reader, period)
    known = {one.escalation_id for one in found}
    carried = [one for one in carried_over(reader, period) if one.escalation_id not in known]
    reviews = _reviews(reader, [*carried, *found])
    affected = _services_affected(reader, settled, period, found)
    trends, left_out = trends_in(reader, settled, period, [one.get("service_id") for one in affected], now)
    seen = {
        "as_of_sequence": known_to(reader),
        "computed_at": format_instant(now),
        "trends": trends,
        "services_affected": affected,
        "contributing_factors": _factors(reader, settled, period),
        "escalations": [
            *({**_escalation(one, reviews), "carried": True} for one in carried),
            *(_escalation(one, reviews) for one in found),
        ],
        "open_actions": _open_actions(reader, period),
        "signals": [_named(_SIGNAL, one) for one in unanswered(reader, period)],
        "outcomes": _outcomes(reader, period),
        "system_risk_reviews": _system_risks(reader, period),
        "less_sensitive_policies": less_sensitive_policies(reader, period),
        "left_out": left_out,
    }
    return bounded(seen)


def unanswered(reader: Reader, period: Period) -> list[dict[str, Any]]:
    """The signals raised before the period's end that nobody had answered."""
    found = signalling.unanswered(reader, None, to_micros(period.until))
    return [one for one in found if period.is_about(one.get("service_id"), one.get("locality"))]


# What was reported


def _services_affected(
    reader: Reader, settled: Configuration, period: Period, found: Iterable[Standing]
) -> list[dict[str, Any]]:
    """Each service with what was reported of it in the period, the most first."""
    fact = heatmap_facts.c
    chosen = select(fact.service_id, fact.classification, func.count()).where(*facts_in(reader, period))
    by_service: dict[str | None, Counter[str]] = {}
    for service_id, classification, count in reader.connection.execute(
        chosen.group_by(fact.service_id, fact.classification)
    ):
        by_service.setdefault(service_id, Counter())[classification] += count
    raised = Counter(one.raised.service_id for one in found)
    for service_id in raised:
        by_service.setdefault(service_id, Counter())
    counted = settled.policy.counted
    shown = [
        _without_none(
            {
                "service_id": service_id,
                "name": _name(settled, service_id),
                "count": sum(count for name, count in counts.items() if name in counted),
                "by_classification": dict(sorted(counts.items())),
                "escalations": raised[service_id],
            }
        )
        for service_id, counts in by_service.items()
    ]
    return sorted(shown, key=lambda one: (-one["count"], -one["escalations"], one.get("service_id", "")))


def _name(settled: Configuration, service_id: str | None) -> str | None:
    particulars = settled.service_of(service_id)[1].particulars
    return particulars.name if particulars else None


def _factors(reader: Reader, settled: Configuration, period: Period) -> list[dict[str, Any]]:
    """How many of the near misses that are counted name a factor, in all and by service, the most named first."""
    fact = heatmap_facts.c
    counted = fact.classification.in_(sorted(settled.policy.counted))
    alike = select(fact.service_id, fact.contributing_factors, func.count()).where(*facts_in(reader, period), counted)
    grouped = alike.group_by(fact.service_id, fact.contributing_factors)
    named: dict[str, Counter[str | None]] = {}
    for service_id, factors, count in reader.connection.execute(grouped):
        for factor in json.loads(factors or "[]"):
            named.setdefault(factor, Counter())[service_id] += int(count)
    shown = [
        {
            "code": factor,
            "count": services.total(),
            "services": [
                _without_none({"service_id": service_id, "count": count})
                for service_id, count in sorted(services.items(), key=lambda one: (-one[1], one[0] or ""))[
                    :MOST_SERVICES
                ]
            ],
            **({"other_services": len(services) - MOST_SERVICES} if len(services) > MOST_SERVICES else {}),
        }
        for factor, services in named.items()
    ]
    return sorted(shown, key=lambda one: (-one["count"], one["code"]))


# Escalations, reviews, actions


def _reviews(reader: Reader, found: Iterable[Standing]) -> dict[str, review.Review]:
    """Review id → where it stood."""
    told = reader.told([f"review/{one.raised.review_id}" for one in found if one.raised.review_id is not None])
    return {
        stream.removeprefix("review/"): reduce(review.evolve, _events(its), review.UNOPENED)
        for stream, its in told.items()
    }


def _escalation(one: Standing, reviews: Mapping[str, review.Review]) -> dict[str, Any]:
    its = reviews.get(one.raised.review_id or "")
    kinds = Counter(one.state.members.values())
    return _without_none(
        {
            "id": one.escalation_id,
            "rule_id": one.raised.rule_id,
            "key": _without_none(dict(one.raised.key)),
            "service_id": one.raised.service_id,
            "raised_at": format_instant(one.raised_at),
            "crossed_at": format_instant(one.raised.crossed_at),
            "status": one.state.status.value,
            "review_id": one.raised.review_id,
            "review_status": its.stage.value if its else None,
            "determination": its.system_risk.determination if its and its.system_risk else None,
            "members": kinds["member"],
        }
    )


def _open_actions(reader: Reader, period: Period) -> list[dict[str, Any]]:
    """What was agreed on and not done, of the period's services; what leadership agreed on, always."""
    row, event, end = actions.c, events.c, known_to(reader)
    ended_since = select(event.stream).where(
        event.organisation == reader.organisation,
        event.sequence > end,
        event.type.in_(("action.completed", "action.cancelled")),
    )
    ended = [one.removeprefix("action/") for one in reader.connection.execute(ended_since).scalars()]
    chosen = select(row.action_id, row.review_id).where(
        row.organisation == reader.organisation,
        row.sequence <= end,
        or_(row.status.in_(("open", "overdue")), row.action_id.in_(ended)),
    )
    found = {one.action_id: one.review_id for one in reader.connection.execute(chosen.order_by(row.sequence))}
    about = _concerning(reader, period, found.values())
    told = reader.told([f"action/{one}" for one in found])
    shown: list[dict[str, Any]] = []
    for action_id, review_id in found.items():
        its = told[f"action/{action_id}"]
        state = reduce(action.evolve, _events(its), action.UNAGREED)
        if state.ended is None and (not review_id or review_id in about):
            agreed: action.Agreed = its[0].event
            shown.append(
                _without_none(
                    {
                        "id": action_id,
                        "review_id": review_id or None,
                        "governance_review_id": agreed.governance_review_id,
                        "service_id": about.get(review_id),
                        "status": state.status,
                        "due": agreed.due,
                        "due_at": format_instant(agreed.due_at),
                    }
                )
            )
    return shown


def _outcomes(reader: Reader, period: Period) -> list[dict[str, Any]]:
    """What was assessed in the period of the actions of its services."""
    found = outcomes.outcomes_between(reader, to_micros(period.since), to_micros(period.until))
    about = _concerning(reader, period, [one["review_id"] for one in found])
    return [_named(_OUTCOME, one) for one in found if one["review_id"] in about]


def _system_risks(reader: Reader, period: Period) -> list[dict[str, Any]]:
    """Reviews that were determined a system risk, and that no governance review that was closed has cited."""
    row, end = governance_carried.c, known_to(reader)
    chosen = select(row.review_id, row.escalation_id, row.valid_from).where(
        row.organisation == reader.organisation, row.valid_from <= end, row.valid_to > end
    )
    found = reader.connection.execute(chosen.order_by(row.valid_from, row.review_id)).all()
    about = _concerning(reader, period, [one.review_id for one in found])
    return [
        _without_none(
            {
                "review_id": one.review_id,
                "escalation_id": one.escalation_id,
                "service_id": about[one.review_id],
                "determined_sequence": one.valid_from,
            }
        )
        for one in found
        if one.review_id in about
    ]


def _concerning(reader: Reader, period: Period, review_ids: Iterable[str]) -> dict[str, str | None]:
    """Those of these reviews that are about a service of the period, with the service of each."""
    told = reader.told([f"review/{one}" for one in dict.fromkeys(review_ids) if one])
    escalation_of = {stream.removeprefix("review/"): its[0].event.escalation_id for stream, its in told.items() if its}
    found = concerned(reader, period, standings(reader, list(escalation_of.values())))
    service_of = {one.escalation_id: one.raised.service_id for one in found}
    return {one: service_of[its] for one, its in escalation_of.items() if its in service_of}


def _events(told: Iterable[Told[Any]]) -> Iterable[Any]:
    return (one.event for one in told)


def _named(names: Iterable[str], document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: document[name] for name in names if document.get(name) is not None}


def _without_none(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if value is not None}
