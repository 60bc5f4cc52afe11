"""The 46 normative window cases of the design, against the pure rule."""

from typing import Any

import pytest

from app.domain.patterns import Attach, Raise, SupportLost
from app.domain.policy import Policy, parse_policy
from app.domain.similarity import Facts
from tests.cases import load
from tests.domain.remembering import Remembering, facts_of

CASES = load("window_cases.json")["cases"]
SUPPORTED = {
    "aliases",
    "calendar_window",
    "correct",
    "date_only",
    "distinct",
    "late",
    "policy",
    "temporal",
    "timezone",
    "weight",
    "withdraw",
}
OF_THE_OPERATION = {"id", "op", "at", "recorded_at", "type"}


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_the_rule_answers_a_case_of_the_design(case: dict[str, Any]) -> None:
    assert set(case.get("features", [])) <= SUPPORTED
    memory = Remembering(policy_of_case(case["rule"], version=1))
    told: dict[str, dict[str, Any]] = {}

    for operation in case["events"]:
        follow(memory, case["rule"], operation, told)

    assert firings(memory) == [expected_firing(firing) for firing in case["expected"]]
    for firing, raised in zip(case["expected"], raises(memory), strict=True):
        if "key" in firing:
            assert dict(raised.key) == {attribute(name): value for name, value in firing["key"].items()}
        assert raised.policy_version == firing.get("policy_version", raised.policy_version)
    assert attachments(memory) == [(one["event"], one["as"]) for one in case.get("attached", [])]
    assert flags(memory) == [(one["at_event"], one["flag"]) for one in case.get("flags", [])]


def follow(
    memory: Remembering, rule: dict[str, Any], operation: dict[str, Any], told: dict[str, dict[str, Any]]
) -> None:
    """Do what the operation says. `told` keeps each report as it came, for a correction changes only a part of it."""
    now = operation.get("recorded_at", operation["at"])
    match operation.get("op", "report"):
        case "report" if operation["id"] in memory.records:
            pass
        case "report":
            told[operation["id"]] = operation
            memory.report(facts_of_case(memory.policy, operation), now)
        case "withdraw":
            memory.withdraw(operation["target"], now, by=operation["id"])
        case "correct":
            facts = facts_of_case(memory.policy, {**told[operation["target"]], **operation["set"]})
            memory.correct(operation["target"], facts, now, by=operation["id"])
        case "close":
            key = tuple(operation["key"][name] for name in rule["group_by"])
            memory.close("case", key, now)
        case "policy":
            changed = policy_of_case({**rule, **operation["set"]}, memory.policy.version + 1)
            memory.adopt(changed, now, by=operation["id"])
        case "tick":
            memory.tick(now, by=operation["id"])
        case unknown:
            raise AssertionError(f"unknown operation {unknown}")


def policy_of_case(rule: dict[str, Any], version: int) -> Policy:
    """The case's own fields become attributes."""
    document = {"id": "case", **rule}
    time_zone = document.pop("timezone", "UTC")
    document["group_by"] = [attribute(name) for name in rule["group_by"]]
    for name in ("weight", "distinct"):
        if name in rule:
            document[name] = attribute(rule[name])
    if "aliases" in rule:
        document["aliases"] = {
            attribute(alias): {of: attribute(name) for of, name in targets.items()}
            for alias, targets in rule["aliases"].items()
        }
    return parse_policy({"rules": [document], "time_zone": time_zone}, version)


def facts_of_case(policy: Policy, operation: dict[str, Any]) -> Facts:
    attributes = {attribute(name): value for name, value in operation.items() if name not in OF_THE_OPERATION}
    return facts_of(
        policy, operation["id"], operation["at"], incident_type=operation.get("type", "other"), **attributes
    )


def attribute(name: str) -> str:
    return f"attributes.{name}"


def expected_firing(firing: dict[str, Any]) -> tuple[str, tuple[str, ...]]:
    return firing["fires_at_event"], tuple(firing["members"])


def raises(memory: Remembering) -> list[Raise]:
    return [effect for _, effect in memory.told if isinstance(effect, Raise)]


def firings(memory: Remembering) -> list[tuple[str, tuple[str, ...]]]:
    return [(by, effect.members) for by, effect in memory.told if isinstance(effect, Raise)]


def attachments(memory: Remembering) -> list[tuple[str, str]]:
    return [(by, effect.kind) for by, effect in memory.told if isinstance(effect, Attach)]


def flags(memory: Remembering) -> list[tuple[str, str]]:
    return [(by, "support_below_threshold") for by, effect in memory.told if isinstance(effect, SupportLost)]
