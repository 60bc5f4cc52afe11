"""What the arms of an outcome hold: the near misses of its key, and what else was reported of the service beside them.

The facts that heatmaps count are summed, those that are alike together, and the rule is asked of each sum: by the
policy version that opened the escalation, also where a review consumed a near miss, or the rule has changed. What the
ledger tells after their follower's place is read from the ledger itself, so that the count is as of one sequence under
the head's lock too; streams are read only for that, and where a rule looks at what no fact tells.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, case, func, literal, select

from app.database.tables import events, heatmap_facts, near_misses, standing
from app.domain import near_miss
from app.domain.moment import Moment, to_micros
from app.domain.near_miss import UNRECORDED, NearMiss
from app.domain.outcome import Plan
from app.domain.rule import GROUPABLE, OWN_SOURCE, Rule
from app.domain.similarity import Facts, place
from app.events.catalogue import NAMES
from app.events.codec import decode
from app.events.store import read_streams
from app.operations.configuration import policy_at
from app.operations.follow import place_of
from app.projections import heatmap
from app.projections.facts import facts_of

FOLLOWER = "heatmap"
MOST_BEHIND = 20_000
"""Events that the follower may be behind while the ledger after it is looked through under the head's lock."""
HARM = "harm_incident"
COLUMNS = frozenset({
    "service_id", "locality", "source", "incident_type", "deviation", "classification", "stage_allowed",
    "stage_affected", "recovery_barrier", "shift_bracket",
})  # fmt: skip
"""What a fact tells of a near miss as the rules see it."""
_ALWAYS = ("classification", "incident_type", "source")
_HEEDED = [NAMES[kind][0] for kind in heatmap.HEEDS]
_AT_ONCE = 500
_BEFORE, _DURING, _AFTER = range(3)


class Ledger(NamedTuple):
    """One organisation's, as known at a sequence. `is_past`: more was recorded since, which is not looked at."""

    connection: Connection
    organisation: str
    sequence: int
    is_past: bool = False


class Alike(NamedTuple):
    """So many near misses that stand and are alike. `arm`: the one that they happened in; `source`: who reported them.

    `is_trigger`: they are of the cluster that set the review off.
    """

    arm: int
    is_of_key: bool
    is_trigger: bool
    classification: str
    incident_type: str
    source: str | None
    number: int


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted up to an instant: of the key in each arm, and beside it. `sources`: who reported before."""

    before: int
    during: int
    after: int
    others_before: int
    others_after: int
    harm_before: int
    harm_after: int
    reported_after: int
    sources: frozenset[str]
    as_of_sequence: int


def counted(ledger: Ledger, plan: Plan, until: datetime) -> Counted | None:
    """What the arms hold, the last one up to an instant; None while the facts are too far behind to tell."""
    policy = policy_at(ledger.connection, ledger.organisation, plan.policy_version)
    rule = policy.rule(plan.rule_id) if policy is not None else None
    assert rule is not None, "The rule that opened the escalation is in the version that it was opened by."
    # Before the rows: what is passed meanwhile is looked at twice.
    followed = place_of(ledger.connection, ledger.organisation, FOLLOWER)
    if ledger.sequence - followed > MOST_BEHIND:
        return None
    scope = _Scope(ledger, plan, rule, followed, to_micros(plan.baseline_from), to_micros(until))
    if rule.own:
        found = list(_folded(scope, _own(scope) | _unfollowed(scope)))
    elif (fields := _fields(rule)) <= COLUMNS:
        found = [*_summed(scope, sorted(fields)), *_folded(scope, _unfollowed(scope))]
    else:
        may_be = _may_be(scope)
        rest = _summed(scope, _ALWAYS, but=may_be)
        found = [*rest, *_folded(scope, may_be | _unfollowed(scope))]
    return _in_arms(plan, found, ledger.sequence)


@dataclass(frozen=True, slots=True)
class _Scope:
    """Which near misses are looked at: of the service, or of everybody where the key names none, in a span.

    `followed`: how far the facts have come.
    """

    ledger: Ledger
    plan: Plan
    rule: Rule
    followed: int
    since: int
    until: int

    @property
    def cuts(self) -> tuple[int, int]:
        """Where the trigger window begins and ends."""
        return to_micros(self.plan.baseline_to), to_micros(self.plan.follow_up_from)

    def is_of_key(self, facts: Facts) -> bool:
        """Whether the rule counts it under the plan's key."""
        placement = place(self.rule, facts)
        return placement is not None and placement.kind == "counted" and placement.key_text == self.plan.key_text

    def looks_at(self, facts: Facts) -> bool:
        """Whether it happened in the span and is of whom is looked at."""
        values = facts.values
        return (
            self.since <= facts.moment.at < self.until
            and self.plan.service_id in (None, values.get("service_id"))
            and self.rule.own is (values.get("source") == OWN_SOURCE)
        )


# From the facts


def _fields(rule: Rule) -> set[str]:
    """Everything of a near miss that decides whether the rule counts it, and under which key."""
    tested = {name for tests in (rule.tests, *rule.alternatives) for name, _ in tests}
    keyed = {name for name in rule.group_by if name not in rule.alias_of or _is_field(name)}
    targets = {target for name in rule.group_by for target in rule.alias_of.get(name, {}).values()}
    return {*_ALWAYS, *tested, *keyed, *targets}


def _is_field(name: str) -> bool:
    """Whether an alias has the name of a field, which it then stands for with the types that it does not tell of."""
    return name in GROUPABLE or name.startswith("attributes.")


def _summed(scope: _Scope, fields: Sequence[str], but: Collection[str] = ()) -> Iterator[Alike]:
    """What the facts tell, those together that are alike in these fields; without those that are looked at singly."""
    fact = heatmap_facts.c
    by = [_arm(scope).label("arm"), *(fact[name] for name in fields)]
    everything = _chosen(scope).with_only_columns(*by, func.count().label("number")).group_by(*by)
    for row in scope.ledger.connection.execute(everything).mappings():
        yield _alike(scope, row, fields, int(row["number"]))
    apart = _chosen(scope).with_only_columns(fact.near_miss_id, *by)
    for row in _of_these(scope, apart, {*scope.plan.trigger, *but}):
        alike = _alike(scope, row, fields, 1)
        yield alike._replace(number=-1)
        if row["near_miss_id"] not in but:
            yield alike._replace(is_trigger=True)


def _alike(scope: _Scope, row: Mapping[Any, Any], fields: Sequence[str], number: int) -> Alike:
    values: dict[str, str] = {name: row[name] for name in fields if row[name] is not None}
    decides = _fields(scope.rule) <= set(fields)
    is_of_key = decides and scope.is_of_key(Facts("", 0, Moment(scope.since, 0, date_only=False), values))
    classification, incident_type, source = (row[name] for name in _ALWAYS)
    return Alike(row["arm"], is_of_key, False, classification, incident_type, source, number)


def _may_be(scope: _Scope) -> set[str]:
    """Those that may be of the key, as far as the facts tell."""
    fact, rule = heatmap_facts.c, scope.rule
    chosen = _chosen(scope).where(fact.classification.in_(sorted(rule.counted)))
    for name, value in scope.plan.key:
        if name in COLUMNS and name not in rule.alias_of and value is not None:
            chosen = chosen.where(fact[name] == value)
    for name, allowed in rule.tests:
        if name in COLUMNS:
            chosen = chosen.where(fact[name].in_(sorted(map(str, allowed))))
    return set(scope.ledger.connection.execute(chosen.with_only_columns(fact.near_miss_id)).scalars())


def _chosen(scope: _Scope) -> "Select[*tuple[Any, ...]]":
    """Selects the facts that are looked at, as of the sequence; none of what the ledger has told of since."""
    fact, ledger = heatmap_facts.c, scope.ledger
    chosen = select(heatmap_facts).where(
        fact.organisation == ledger.organisation, fact.occurred_at >= scope.since, fact.occurred_at < scope.until
    )
    chosen = chosen.where(*standing(heatmap_facts, ledger.sequence if ledger.is_past else None))
    if scope.plan.service_id is not None:
        chosen = chosen.where(fact.service_id == scope.plan.service_id)
    if ledger.sequence > scope.followed:
        chosen = chosen.where(literal("near_miss/").concat(fact.near_miss_id).not_in(_told_since(scope)))
    return chosen


def _arm(scope: _Scope) -> "ColumnElement[int]":
    first, begins = scope.cuts
    at = heatmap_facts.c.occurred_at
    return case((at < first, literal(_BEFORE)), (at < begins, literal(_DURING)), else_=literal(_AFTER))


def _of_these(scope: _Scope, chosen: "Select[*tuple[Any, ...]]", ids: Collection[str]) -> Iterator[Mapping[Any, Any]]:
    wanted = sorted(ids)
    for start in range(0, len(wanted), _AT_ONCE):
        these = heatmap_facts.c.near_miss_id.in_(wanted[start : start + _AT_ONCE])
        yield from scope.ledger.connection.execute(chosen.where(these)).mappings()


# From the ledger


def _own(scope: _Scope) -> set[str]:
    """What the service recorded about itself is in no map: a late review is no care."""
    row = near_misses.c
    chosen = select(row.near_miss_id).where(
        row.organisation == scope.ledger.organisation, row.occurred_at >= scope.since, row.occurred_at < scope.until
    )
    if scope.plan.service_id is not None:
        chosen = chosen.where(row.service_id == scope.plan.service_id)
    return set(scope.ledger.connection.execute(chosen).scalars())


def _folded(scope: _Scope, ids: Collection[str]) -> Iterator[Alike]:
    """Near misses from their streams, as of the sequence, one by one: those that stand and are looked at."""
    first, begins = scope.cuts
    trigger = set(scope.plan.trigger)
    wanted = sorted(ids)
    for start in range(0, len(wanted), _AT_ONCE):
        streams = [f"near_miss/{one}" for one in wanted[start : start + _AT_ONCE]]
        found = read_streams(scope.ledger.connection, scope.ledger.organisation, streams, scope.ledger.sequence)
        for stream, envelopes in found.items():
            state: NearMiss = UNRECORDED
            for envelope in envelopes:
                state = near_miss.evolve(state, decode(envelope))
            if not envelopes or not state.counts:
                continue
            facts = facts_of(stream.removeprefix("near_miss/"), envelopes[0].sequence, state)
            if scope.looks_at(facts):
                at, source = facts.moment.at, facts.values.get("source")
                yield Alike(
                    _BEFORE if at < first else _DURING if at < begins else _AFTER,
                    scope.is_of_key(facts),
                    facts.near_miss_id in trigger,
                    str(facts.values["classification"]),
                    str(facts.values.get("incident_type", "")),
                    source if isinstance(source, str) else None,
                    1,
                )


def _in_arms(plan: Plan, found: Sequence[Alike], sequence: int) -> Counted:
    of_type = dict(plan.key).get("incident_type")
    key = [one for one in found if one.is_of_key]
    rest = [one for one in found if not one.is_of_key]
    harm = [one for one in rest if one.classification == HARM and of_type in (None, one.incident_type)]
    others = [one for one in rest if one.classification != HARM]
    free = [one for one in key if not one.is_trigger]
    before, after = _of_arm(free, _BEFORE), _of_arm(free, _AFTER)
    return Counted(
        before,
        sum(one.number for one in key) - before - after,
        after,
        _of_arm(others, _BEFORE),
        _of_arm(others, _AFTER),
        _of_arm(harm, _BEFORE),
        _of_arm(harm, _AFTER),
        _of_arm(found, _AFTER),
        frozenset(source for source, number in _sources(found).items() if number > 0),
        sequence,
    )


def _of_arm(found: Iterable[Alike], arm: int) -> int:
    return sum(one.number for one in found if one.arm == arm)


def _sources(found: Iterable[Alike]) -> Counter[str]:
    numbers = Counter[str]()
    for one in found:
        if one.source is not None and one.arm == _BEFORE:
            numbers[one.source] += one.number
    return numbers


def _unfollowed(scope: _Scope) -> set[str]:
    """Near misses that the ledger tells of after the facts' place."""
    if scope.ledger.sequence <= scope.followed:
        return set()
    streams: set[str] = set(scope.ledger.connection.execute(_told_since(scope)).scalars())
    return {stream.removeprefix("near_miss/") for stream in streams}


def _told_since(scope: _Scope) -> "Select[Any]":
    event = events.c
    return select(event.stream).where(
        event.organisation == scope.ledger.organisation,
        event.sequence > scope.followed,
        event.sequence <= scope.ledger.sequence,
        event.type.in_(_HEEDED),
    )
