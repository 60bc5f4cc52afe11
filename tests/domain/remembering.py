"""A memory for the rules that keeps everything in dictionaries and does what the effects say, nothing cleverer."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from app.domain.moment import parse_moment
from app.domain.patterns import (
    Attach,
    AttachHistorical,
    Closed,
    Detach,
    Effect,
    Episode,
    Judgement,
    Raise,
    RaiseHistorical,
    RuleCheck,
    SupportLost,
    SupportRegained,
    adopt,
    cooldown_over,
    judge,
)
from app.domain.policy import Policy, parse_policy
from app.domain.rule import Rule
from app.domain.similarity import Entry, Facts, Key, event_time, key_text, place

Where = tuple[str, str]


@dataclass
class Remembering:
    """`open`, `closures` and `history` by rule id and key text; `told` is every effect with what it followed from."""

    policy: Policy
    records: dict[str, Facts] = field(default_factory=dict)
    consumed: set[tuple[str, str]] = field(default_factory=set)
    opened: dict[Where, Episode] = field(default_factory=dict)
    closures: dict[Where, Closed] = field(default_factory=dict)
    past: dict[Where, list[Episode]] = field(default_factory=dict)
    told: list[tuple[str, Effect]] = field(default_factory=list)
    position: int = 0

    # What the rules ask

    def entries(self, rule: Rule, key: Key, low: int, high: int) -> Sequence[Entry]:
        return [
            placed.entry
            for placed in self._counted(rule)
            if placed.key_text == key_text(key) and low < placed.entry.moment.at <= high
        ]

    def episode(self, rule: Rule, key: Key) -> Episode | None:
        return self.opened.get((rule.id, key_text(key)))

    def closed(self, rule: Rule, key: Key) -> Closed | None:
        return self.closures.get((rule.id, key_text(key)))

    def historical(self, rule: Rule, key: Key) -> Sequence[Episode]:
        return self.past.get((rule.id, key_text(key)), [])

    def keys(self, rule: Rule, low: int, high: int) -> Iterable[tuple[Key, Sequence[Entry]]]:
        keys = {placed.key_text: placed.key for placed in self._counted(rule)}
        return [(key, self.entries(rule, key, low, high)) for key in keys.values()]

    # What happens

    def report(self, facts: Facts, now: str, as_history: bool = False) -> Judgement:
        facts = replace(facts, sequence=self._next())
        judgement = judge(self.policy, self, None, facts, self._at(now), self.policy.zone, as_history)
        self.records[facts.near_miss_id] = facts
        return self._tell(facts.near_miss_id, judgement)

    def correct(self, near_miss_id: str, facts: Facts, now: str, by: str = "") -> Judgement:
        self._next()
        before = self.records[near_miss_id]
        facts = replace(facts, sequence=before.sequence)
        judgement = judge(self.policy, self, before, facts, self._at(now), self.policy.zone)
        self.records[near_miss_id] = facts
        return self._tell(by or near_miss_id, judgement)

    def withdraw(self, near_miss_id: str, now: str, by: str = "") -> Judgement:
        self._next()
        before = self.records[near_miss_id]
        judgement = judge(self.policy, self, before, None, self._at(now), self.policy.zone)
        del self.records[near_miss_id]
        return self._tell(by or near_miss_id, judgement)

    def close(self, rule_id: str, key: Key, now: str) -> None:
        episode = self.opened.pop((rule_id, key_text(key)))
        self.consumed |= {(rule_id, member) for member, kind in episode.members.items() if kind == "member"}
        self.closures[rule_id, key_text(key)] = Closed(episode.escalation_id, self._at(now), self._next())

    def adopt(self, policy: Policy, now: str, by: str = "policy") -> None:
        self._next()
        self.policy = policy
        self._tell(by, Judgement((), adopt(policy, self, self._at(now), policy.zone)))

    def tick(self, now: str, by: str = "tick", deferred: Sequence[str] = ()) -> None:
        for (rule_id, _), key in self._cooling().items():
            raised = cooldown_over(self.policy, self, rule_id, key, self._at(now), self.policy.zone, deferred)
            self._tell(by, Judgement((), () if raised is None else (raised,)))

    def _cooling(self) -> dict[Where, Key]:
        found = {}
        for rule in self.policy.rules:
            for placed in self._counted(rule):
                if (rule.id, placed.key_text) in self.closures:
                    found[rule.id, placed.key_text] = placed.key
        return found

    def _counted(self, rule: Rule):
        placed = [
            place(rule, facts) for facts in self.records.values() if (rule.id, facts.near_miss_id) not in self.consumed
        ]
        counted = [one for one in placed if one is not None and one.kind == "counted"]
        return sorted(counted, key=lambda one: event_time(one.entry))

    def _tell(self, by: str, judgement: Judgement) -> Judgement:
        for effect in judgement.effects:
            self.told.append((by, effect))
            self._remember(effect)
        return judgement

    def _remember(self, effect: Effect) -> None:
        match effect:
            case Raise():
                name = f"episode-{self._next()}"
                where = (effect.rule_id, effect.key_text)
                assert where not in self.opened, "at most one is open for a rule and key"
                self.opened[where] = Episode(name, dict.fromkeys(effect.members, "member"))
            case RaiseHistorical():
                name = f"episode-{self._next()}"
                members = dict.fromkeys(effect.members, "member")
                self.past.setdefault((effect.rule_id, effect.key_text), []).append(Episode(name, members))
            case Attach():
                self._change(effect.escalation_id, **dict.fromkeys(effect.near_miss_ids, effect.kind))
            case AttachHistorical():
                for episodes in self.past.values():
                    for at, episode in enumerate(episodes):
                        if episode.escalation_id == effect.escalation_id:
                            grown = {**episode.members, **dict.fromkeys(effect.near_miss_ids, "member")}
                            episodes[at] = replace(episode, members=grown)
            case Detach():
                self._change(effect.escalation_id, **{effect.near_miss_id: "withdrawn"})
            case SupportLost() | SupportRegained():
                supported = isinstance(effect, SupportRegained)
                where, episode = self._open(effect.escalation_id)
                self.opened[where] = replace(episode, supported=supported)

    def _change(self, escalation_id: str, **kinds: Any) -> None:
        where, episode = self._open(escalation_id)
        self.opened[where] = replace(episode, members={**episode.members, **kinds})

    def _open(self, escalation_id: str) -> tuple[Where, Episode]:
        return next((where, one) for where, one in self.opened.items() if one.escalation_id == escalation_id)

    def _next(self) -> int:
        self.position += 1
        return self.position

    def _at(self, now: str) -> int:
        return parse_moment(now, self.policy.zone).at


def policy_of(*rules: Mapping[str, Any], version: int = 1, **rest: Any) -> Policy:
    """A policy of rules that need not name everything: three in P14D by service, unless they say otherwise."""
    usual = {"id": "rule", "group_by": ["service_id"], "threshold": 3, "window": "P14D"}
    return parse_policy({"rules": [{**usual, **rule} for rule in rules], **rest}, version)


def facts_of(policy: Policy, near_miss_id: str, at: str, **values: Any) -> Facts:
    """A near miss at elm in the policy's zone; `None` leaves a field out."""
    told = {"service_id": "elm", "incident_type": "medication", "classification": "near_miss", **values}
    fields = {name: value for name, value in told.items() if value is not None}
    return Facts(near_miss_id, 0, parse_moment(at, policy.zone), fields)


def the_check(judgement: Judgement, rule_id: str = "rule") -> RuleCheck:
    [check] = [check for check in judgement.checks if check.rule_id == rule_id]
    return check


def the_raise(judgement: Judgement) -> Raise:
    [raised] = [effect for effect in judgement.effects if isinstance(effect, Raise)]
    return raised
