"""What an assurance costs: a key with thousands of reports in one window is counted in one pass, whoever made them up.

Calls are counted and not time: four times the reports may cost little more than four times the calls.
"""

import sys
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

import pytest

from app.domain.moment import DAY
from app.events.envelope import instant
from app.proof.assurance import assure
from app.proof.assurance_counting import TooMuchToCount
from app.proof.events import Event

BEGIN = 1_772_445_600_000_000
MINUTE = 60_000_000
FEW, MANY = 500, 2_000
DISTINCT = {"distinct": "attributes.staff", "threshold": 3}
TYPES = {"require_types": ["medication", "fall"]}
IN_SEQUENCE = {"require_sequence": ["fall", "medication"]}
WEIGHED = {"weight": "attributes.weight", "threshold": 10_000}


def adopted(**rule: Any) -> Event:
    document = {
        "id": "case",
        "name": "Of the case",
        "group_by": ["service_id"],
        "threshold": 3,
        "window": "P14D",
        **rule,
    }
    data = {"policy": {"rules": [document]}, "policy_version": 2}
    return _event(1, "policy/default", "policy.adopted", BEGIN, data)


def reports(number: int, *, days: int | None = None, history: bool = False, back: bool = False) -> Iterator[Event]:
    """Reports of one key and one window, each a minute after the other; `days`: of so many dates, without a time."""
    for n in range(number):
        place = number - 1 - n if back else n
        at = BEGIN + place * MINUTE
        occurred_at = instant(at) if days is None else instant(BEGIN + place * days // number * DAY)[:10]
        recorded_at = BEGIN + (400 if history else 20) * DAY + n * MINUTE
        report = {
            "occurred_at": occurred_at, "incident_type": "medication", "classification": "near_miss", "zone": "UTC",
            "service_id": "s", "contributing_factors": ["workload"], "staff_involved": [],
            "attributes": {"staff": "ab"[n % 2], "weight": 0.1},
        }  # fmt: skip
        data: dict[str, Any] = {
            "report": report, "taxonomy_version": 1,
            "similarity_check": {"checked_at": instant(recorded_at), "policy_version": 1, "rules": []},
        }  # fmt: skip
        if history:
            data |= {"as_history": True}
        else:
            data |= {"workflow_link_due_at": instant(recorded_at + DAY), "workflow_link_due": "P1D"}
        yield _event(n + 2, f"near_miss/nm_{n}", "near_miss.recorded", recorded_at, data)


def calls_of(events: list[Event]) -> int:
    """How many functions, of Python or of C, an assurance of the events calls."""
    calls = 0

    def count(frame: object, happened: str, what: object) -> None:
        nonlocal calls
        calls += happened in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        report = assure(events, since=None, until=None, at=BEGIN + 500 * DAY)
    finally:
        sys.setprofile(before)
    assert report["as_of_sequence"] == len(events)
    return calls


@pytest.mark.parametrize(
    ("rule", "asked"),
    [
        ({}, {}),
        ({}, {"history": True}),
        ({}, {"history": True, "back": True}),
        ({}, {"days": 10}),
        ({}, {"days": 10, "history": True}),
        (DISTINCT, {}),
        (DISTINCT, {"history": True}),
        (DISTINCT, {"days": 10}),
        ({**DISTINCT, "window": "P1M"}, {}),
        (TYPES, {}),
        (IN_SEQUENCE, {"history": True}),
        (WEIGHED, {}),
    ],
)
def test_thousands_of_reports_of_one_key_cost_little_more_than_each_by_itself(
    rule: Mapping[str, Any], asked: Mapping[str, Any]
) -> None:
    few = calls_of([adopted(**rule), *reports(FEW, **asked)])

    many = calls_of([adopted(**rule), *reports(MANY, **asked)])

    assert many < 1.2 * few * MANY / FEW


def test_what_nobody_can_count_in_time_is_refused_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.proof.assurance_counting.AT_FIRST", 1_000)
    monkeypatch.setattr("app.proof.assurance_counting.FOR_EACH_EVENT", 10)
    events = [adopted(**DISTINCT), *reports(200, back=True)]

    with pytest.raises(TooMuchToCount, match="looks at reports that share a key and a window"):
        assure(events, since=None, until=None, at=BEGIN + 500 * DAY)


def _event(sequence: int, stream: str, name: str, at: int, data: dict[str, Any]) -> Event:
    cause = str(UUID(int=sequence))
    return Event("default", sequence, str(sequence), stream, 1, name, 1, at, at, "key/x", cause, None, data)
