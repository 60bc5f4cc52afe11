"""A cool-down puts off and never drops: whatever brought a pattern about while it lasted is looked at when it ends."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from app.operations import reviewing
from app.operations.tick import tick
from tests.office import Office, opened

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
RULE = {"cooldown": "P7D"}


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with opened(database_url) as office:
        yield office


def closed(office: Office) -> dict[str, Any]:
    """An escalation whose review was closed just now, so that its key cools down for a week."""
    office.do(office.adoption(RULE))
    for _ in range(3):
        office.submit()
    (escalation,) = office.open_escalations()
    office.do(office.review_closure(escalation["review_id"]))
    office.clock.go_on(hours=1)
    return escalation


def reopen(office: Office, escalation: dict[str, Any]) -> None:
    review_id = escalation["review_id"]

    def run(desk: Any, cause: Any) -> None:
        reviewing.reopen(desk, cause, reviewing.load(desk, review_id), "It came back.")

    office.do(office.command(run, review_id))


def members(escalation: dict[str, Any]) -> set[str]:
    return {one["near_miss_id"] for one in escalation["members"] if one["kind"] == "member"}


def test_a_pattern_that_a_policy_finds_while_its_key_cools_down_is_raised_when_that_ends(office: Office) -> None:
    former = closed(office)
    two = {office.submit()["id"] for _ in range(2)}  # Too few, so nothing of them was put off.

    office.do(office.adoption({**RULE, "threshold": 2}))
    assert office.open_escalations() == []
    office.clock.go_on(days=7)
    tick(office.house, "worker", NOW)

    (escalation,) = office.open_escalations()
    assert members(escalation) == two
    assert escalation["previous_episode_id"] == former["id"]


def test_a_pattern_that_a_policy_finds_among_older_records_waits_for_the_end_of_the_cool_down_too(
    office: Office,
) -> None:
    harm = [office.submit(classification="harm_incident")["id"] for _ in range(3)]
    closed(office)

    office.do(office.adoption({**RULE, "count_classifications": ["near_miss", "harm_incident"]}))
    office.clock.go_on(days=7)
    tick(office.house, "worker", NOW)

    (escalation,) = office.open_escalations()
    assert members(escalation) == set(harm)


def test_what_a_policy_finds_again_and_again_while_its_key_cools_down_is_raised_once(office: Office) -> None:
    closed(office)
    for _ in range(2):
        office.submit()

    office.do(office.adoption({**RULE, "threshold": 2}))
    office.do(office.adoption({**RULE, "threshold": 1}))
    office.clock.go_on(days=7)
    tick(office.house, "worker", NOW)

    assert len(office.open_escalations()) == 1
    assert office.types().count("watch.cooldown_ended") == 1


def test_what_was_put_off_joins_the_review_that_is_reopened_meanwhile(office: Office) -> None:
    """S3: the three that made a person reopen it are looked at in it."""
    former = closed(office)
    deferred = {office.submit(occurred_at="2026-03-02T10:30:00Z")["id"] for _ in range(3)}

    reopen(office, former)

    (escalation,) = office.open_escalations()
    assert members(escalation) == members(former) | deferred
    office.clock.go_on(days=7)
    tick(office.house, "worker", NOW)
    assert [one["id"] for one in office.escalations()] == [former["id"]]


def test_a_late_worker_grants_no_more_time_to_what_a_cool_down_put_off(office: Office) -> None:
    """It has climbed by now as if it had been raised in time; so it has for whoever reports before a worker comes."""
    former = closed(office)
    three = [office.submit()["id"] for _ in range(3)]
    office.clock.go_on(days=8, hours=12)

    fourth = office.submit()["id"]

    (escalation,) = office.open_escalations()
    told = [
        (one.type, json.loads(one.payload).get("scheduled_at")) for one in office.ledger() if one.kind == "escalation"
    ]
    assert escalation["previous_episode_id"] == former["id"]
    assert members(escalation) == {*three, fourth}
    assert told[-4:] == [
        ("escalation.raised", "2026-03-09T10:00:00.000000Z"),
        ("escalation.ack_overdue", "2026-03-10T10:00:00.000000Z"),
        ("escalation.level_entered", "2026-03-10T10:00:00.000000Z"),
        ("escalation.member_added", None),
    ]
    assert escalation["next_deadlines"][0]["due_at"] == "2026-03-11T10:00:00.000000Z"
