"""What the arms of an outcome hold: the near misses of its key, and what else was reported of the service beside them.

The facts that heatmaps count narrow it down; what the ledger tells after their follower's place is read from the ledger
itself, so that the count is as of one sequence under the head's lock too. Whether a near miss is of the key, only the
rule says: by the policy version that opened the escalation, also where a review consumed it, or the rule has changed.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from app.database.tables import FOR_EVER, events, followers, heatmap_facts, near_misses
from app.domain import near_miss
from app.domain.moment import to_micros
from app.domain.near_miss import UNRECORDED, NearMiss
from app.domain.outcome import Plan
from app.domain.rule import OWN_SOURCE, Rule
from app.domain.similarity import Facts, place
from app.events.catalogue import NAMES
from app.events.codec import decode
from app.events.store import read_streams
from app.operations.configuration import policy_at
from app.projections import heatmap
from app.projections.facts import facts_of

FOLLOWER = "heatmap"
MOST_BEHIND = 20_000
"""Events that the follower may be behind while the ledger after it is looked through under the head's lock."""
HARM = "harm_incident"
_HEEDED = [NAMES[kind][0] for kind in heatmap.HEEDS]
_FOLDED_AT_ONCE = 500


class Ledger(NamedTuple):
    """One organisation's, as known at a sequence. `is_past`: more was recorded since, which is not looked at."""

    connection: Connection
    organisation: str
    sequence: int
    is_past: bool = False


class Reported(NamedTuple):
    """A near miss that stands; `at` in microseconds, `source` where a system reported it."""

    near_miss_id: str
    at: int
    classification: str
    incident_type: str
    source: str | None


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
    followed = _followed(ledger)  # Before the rows: what is passed meanwhile is looked at twice.
    if ledger.sequence - followed > MOST_BEHIND:
        return None
    scope = _Scope(ledger, plan, rule, to_micros(plan.baseline_from), to_micros(until))
    unfollowed = _unfollowed(ledger, followed)
    rows = list(_own_rows(scope) if rule.own else _rows(scope))
    candidates = {one.near_miss_id for one, may_be in rows if may_be} | unfollowed
    standing = dict(_folded(scope, candidates))
    reported = [one for one, _ in rows if one.near_miss_id not in unfollowed]
    reported += [one for one in map(scope.reported, unfollowed, map(standing.get, unfollowed)) if one is not None]
    its = {one for one, facts in standing.items() if facts is not None and _is_of(plan, rule, facts)}
    return _in_arms(plan, reported, its, to_micros(until), ledger.sequence)


@dataclass(frozen=True, slots=True)
class _Scope:
    """Which near misses are looked at: of the service, or of everybody where the key names none, in a span."""

    ledger: Ledger
    plan: Plan
    rule: Rule
    since: int
    until: int

    def reported(self, near_miss_id: str, facts: Facts | None) -> Reported | None:
        """The near miss, if it is looked at."""
        if facts is None or not self.since <= facts.moment.at < self.until:
            return None
        values = facts.values
        source = values.get("source")
        if self.plan.service_id is not None and values.get("service_id") != self.plan.service_id:
            return None
        if self.rule.own is not (source == OWN_SOURCE):
            return None
        of, kind = str(values.get("incident_type", "")), str(values["classification"])
        return Reported(near_miss_id, facts.moment.at, kind, of, source if isinstance(source, str) else None)


def _rows(scope: _Scope) -> Iterator[tuple[Reported, bool]]:
    """What the facts tell, and of each whether it may be of the key."""
    fact = heatmap_facts.c
    chosen = select(heatmap_facts).where(
        fact.organisation == scope.ledger.organisation, fact.occurred_at >= scope.since, fact.occurred_at < scope.until
    )
    if scope.ledger.is_past:
        at = scope.ledger.sequence
        chosen = chosen.where(fact.valid_from <= at, fact.valid_to > at)
    else:
        chosen = chosen.where(fact.valid_to == FOR_EVER)
    if scope.plan.service_id is not None:
        chosen = chosen.where(fact.service_id == scope.plan.service_id)
    parts = {
        name: value
        for name, value in scope.plan.key
        if name in fact and name not in scope.rule.alias_of and value is not None
    }
    for row in scope.ledger.connection.execute(chosen).mappings():
        one = Reported(*(row[name] for name in ("near_miss_id", "occurred_at", *Reported._fields[2:])))
        yield one, one.classification in scope.rule.counted and _may_be(parts, row)


def _may_be(parts: Mapping[str, Any], row: Mapping[Any, Any]) -> bool:
    return all(row[name] == value for name, value in parts.items())


def _own_rows(scope: _Scope) -> Iterator[tuple[Reported, bool]]:
    """What the service recorded about itself is in no map: a late review is no care."""
    row = near_misses.c
    chosen = select(row.near_miss_id, row.occurred_at, row.classification, row.incident_type).where(
        row.organisation == scope.ledger.organisation, row.occurred_at >= scope.since, row.occurred_at < scope.until
    )
    if scope.plan.service_id is not None:
        chosen = chosen.where(row.service_id == scope.plan.service_id)
    found = {one.near_miss_id: one for one in scope.ledger.connection.execute(chosen)}
    for near_miss_id, facts in _folded(scope, found):
        if (one := scope.reported(near_miss_id, facts)) is not None:
            yield one, True


def _folded(scope: _Scope, ids: Collection[str]) -> Iterator[tuple[str, Facts | None]]:
    """Near misses from their streams, as of the sequence; None where one does not stand."""
    wanted = sorted(ids)
    for start in range(0, len(wanted), _FOLDED_AT_ONCE):
        streams = [f"near_miss/{one}" for one in wanted[start : start + _FOLDED_AT_ONCE]]
        found = read_streams(scope.ledger.connection, scope.ledger.organisation, streams, scope.ledger.sequence)
        for stream, envelopes in found.items():
            state: NearMiss = UNRECORDED
            for envelope in envelopes:
                state = near_miss.evolve(state, decode(envelope))
            near_miss_id = stream.removeprefix("near_miss/")
            stands = envelopes and state.counts
            yield near_miss_id, facts_of(near_miss_id, envelopes[0].sequence, state) if stands else None


def _is_of(plan: Plan, rule: Rule, facts: Facts) -> bool:
    placement = place(rule, facts)
    return placement is not None and placement.kind == "counted" and placement.key_text == plan.key_text


def _in_arms(plan: Plan, reported: Iterable[Reported], its: set[str], until: int, sequence: int) -> Counted:
    first, begins = to_micros(plan.baseline_to), to_micros(plan.follow_up_from)
    trigger, of_type = set(plan.trigger), dict(plan.key).get("incident_type")
    everything = list(reported)
    key = [one for one in everything if one.near_miss_id in its]
    rest = [one for one in everything if one.near_miss_id not in its]
    harm = [one for one in rest if one.classification == HARM and of_type in (None, one.incident_type)]
    others = [one for one in rest if one.classification != HARM]
    free = [one for one in key if one.near_miss_id not in trigger]
    before = _between(free, 0, first)
    after = _between(free, begins, until)
    return Counted(
        before,
        len(key) - before - after,
        after,
        _between(others, 0, first),
        _between(others, begins, until),
        _between(harm, 0, first),
        _between(harm, begins, until),
        _between(everything, begins, until),
        frozenset(one.source for one in everything if one.source is not None and one.at < first),
        sequence,
    )


def _between(reported: Sequence[Reported], since: int, until: int) -> int:
    return sum(since <= one.at < until for one in reported)


def _followed(ledger: Ledger) -> int:
    follower = followers.c
    chosen = select(follower.position).where(follower.organisation == ledger.organisation, follower.name == FOLLOWER)
    return ledger.connection.execute(chosen).scalar() or 0


def _unfollowed(ledger: Ledger, followed: int) -> set[str]:
    """Near misses that the ledger tells of after the follower's place."""
    if ledger.sequence <= followed:
        return set()
    event = events.c
    chosen = select(event.stream).where(
        event.organisation == ledger.organisation,
        event.sequence > followed,
        event.sequence <= ledger.sequence,
        event.type.in_(_HEEDED),
    )
    return {stream.removeprefix("near_miss/") for stream in ledger.connection.execute(chosen).scalars()}
