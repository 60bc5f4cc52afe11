"""The table cases of the ladder, each against the pure rule: minutes since opening become instants."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import Any

import pytest

from app.domain import escalation
from app.domain.decider import Refused
from app.domain.escalation import Escalation, Status
from app.domain.ladder import Rung, Terms
from tests.cases import load

CASES = load("lifecycle_cases.json")["cases"]
OPENED = datetime(2026, 3, 2, 8, tzinfo=UTC)

LOGGED = {
    escalation.StepSkipped: "step_unreachable",
    escalation.AckOverdue: "ack_overdue",
    escalation.AckExpired: "ack_expired",
}


def instant(minute: int) -> datetime:
    return OPENED + timedelta(minutes=minute)


def minute_of(at: datetime) -> int:
    return int((at - OPENED) / timedelta(minutes=1))


def terms(policy: dict[str, Any]) -> Terms:
    def span(name: str) -> str | None:
        return f"PT{policy[name]}M" if name in policy else None

    return Terms(
        tuple(Rung(tuple(step["to"]), f"PT{step['timeout']}M") for step in policy["steps"]),
        policy.get("repeat", 0),
        policy.get("backstop", "admin"),
        ack_remind=span("ack_remind"),
        ack_confirm=span("ack_confirm"),
        max_snooze=span("max_snooze"),
    )


def crossing(policy: dict[str, Any]) -> escalation.Raise:
    members = (escalation.Member("nm-1", "member"),)
    return escalation.Raise("rule", 1, (), "[]", 1, "P14D", members, OPENED, terms=terms(policy))


class Walk:
    """One case walked through, timers first; `seen` binds an idempotency key to the epoch that its asker saw."""

    def __init__(self, policy: dict[str, Any]) -> None:
        self.standing = escalation.UNRAISED
        self.notifications: list[dict[str, Any]] = []
        self.log: list[dict[str, Any]] = []
        self.seen: dict[str, int] = {}
        self.follow(0, escalation.decide(crossing(policy), self.standing, OPENED))

    def run_timers(self, minute: int) -> None:
        _, events = escalation.run_due(self.standing, instant(minute), {})
        self.follow(minute, events)

    def ask(self, command: dict[str, Any]) -> None:
        minute = command["at"]
        self.run_timers(minute)
        key = command.get("idempotency_key", "")
        epoch = self.seen.setdefault(key, self.standing.epoch) if key else self.standing.epoch
        try:
            asked = ASKED[command["op"]](command, epoch)
            events = escalation.decide(asked, self.standing, instant(minute))
        except escalation.StaleEpoch:
            self.log.append({"at": minute, "event": "duplicate_ignored"})
        except Refused:
            self.log.append({"at": minute, "event": "rejected", "op": command["op"]})
        else:
            self.follow(minute, events)

    def follow(self, minute: int, events: list[escalation.Event]) -> None:
        for event in events:
            scheduled_at = getattr(event, "scheduled_at", None)
            at = minute if scheduled_at is None else minute_of(scheduled_at)
            self.notifications += [{"at": at, "to": to, "why": event.why} for to in getattr(event, "notify", ())]
            if type(event) in LOGGED:
                level = {"level": event.level} if hasattr(event, "level") else {}
                self.log.append({"at": at, "event": LOGGED[type(event)], **level})
        self.standing = reduce(escalation.evolve, events, self.standing)


ASKED: dict[str, Callable[[dict[str, Any], int], escalation.Command]] = {
    "ack": lambda told, _: escalation.Acknowledge(told["by"]),
    "escalate": lambda _, epoch: escalation.EscalateManually(epoch, "somebody"),
    "reassign_policy": lambda told, _: escalation.ReassignPolicy(2, terms(told["policy"]), "somebody"),
    "snooze": lambda told, _: escalation.Snooze(instant(told["until"]), "somebody"),
    "grow": lambda told, _: escalation.Attach(f"nm at {told['at']}", "member", int(told.get("more_severe", False))),
    "merge_into": lambda told, _: escalation.Merge("esc-1", "esc-2", Status(told["target_state"]), "somebody"),
    "close": lambda _told, _: escalation.Close("no_action_needed"),
    "reopen": lambda _told, _: escalation.Reopen(),
    "withdraw_support": lambda _told, _: escalation.LoseSupport(),
    "reassign_owner": lambda told, _: escalation.HandOver(told["to"], "somebody"),
}


def walked(case: dict[str, Any]) -> Walk:
    walk = Walk(case["policy"])
    for command in case["commands"]:
        walk.ask(command)
    walk.run_timers(case["run_until"])
    return walk


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in CASES])
def test_the_ladder_is_climbed_as_the_case_says(case: dict[str, Any]) -> None:
    walk = walked(case)

    expected = case["expected"]
    assert walk.notifications == expected["notifications"]
    assert [event for event in expected.get("events", []) if event not in walk.log] == []
    if "final" in expected:
        assert final(walk.standing) == expected["final"]


def final(standing: Escalation) -> dict[str, Any]:
    return {"state": standing.status.value, "level": standing.level}
