"""The table cases of re-notification, each against the pure rule."""

from datetime import timedelta
from typing import Any

import pytest

from app.domain.notify import Group, renotification
from tests.cases import load

CASES = load("notify_cases.json")["cases"]


def group(stated: dict[str, list[Any]]) -> Group:
    return Group(frozenset(map(str, stated["open"])), frozenset(map(str, stated["resolved"])))


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in CASES])
def test_people_are_told_again_when_there_is_something_to_say(case: dict[str, Any]) -> None:
    reason = renotification(
        group(case["previous"]),
        group(case["now"]),
        timedelta(minutes=case["minutes_since_last"]),
        timedelta(minutes=case["repeat_minutes"]),
        case["notify_on_resolve"],
    )

    assert (reason is not None) == case["notify"], reason


OPEN = Group(frozenset({"nm-1"}))
GONE = Group(resolved=frozenset({"nm-1"}))
TEN = timedelta(minutes=10)


@pytest.mark.parametrize(
    ("told", "now", "since", "repeat", "reason"),
    [
        pytest.param(None, OPEN, TEN, None, "first", id="never told"),
        pytest.param(None, GONE, TEN, None, None, id="never told and ended"),
        pytest.param(GONE, OPEN, TEN, None, "members_changed", id="open again"),
        pytest.param(OPEN, GONE, TEN, None, "all_resolved", id="ended"),
        pytest.param(OPEN, OPEN, TEN, TEN, "repeat_interval_elapsed", id="the repeat interval to the minute"),
        pytest.param(OPEN, OPEN, TEN, TEN + timedelta(microseconds=1), None, id="the repeat interval is not over"),
        pytest.param(OPEN, OPEN, TEN, None, None, id="never repeated"),
        pytest.param(OPEN, OPEN, TEN, timedelta(0), None, id="no repeat interval"),
    ],
)
def test_the_reason_is_told(
    told: Group | None, now: Group, since: timedelta, repeat: timedelta | None, reason: str | None
) -> None:
    assert renotification(told, now, since, repeat) == reason
