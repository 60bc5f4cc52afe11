"""What a review agreed on is owned until somebody ends it: it climbs when it is late, and holds its escalation."""

import shutil
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest

from app.domain.action import NotCompleted, NotOpen
from app.domain.decider import Invalid, NotFound
from app.domain.moment import format_instant, parse_instant
from app.domain.sealed import Reference
from app.domain.service import RoleHolder
from app.operations.job import Command, PreconditionFailed
from tests.office import KEY, Office, opened
from tests.operations.undertakings import (
    DUE,
    EVIDENCE,
    agreed,
    cancel,
    check,
    close,
    complete,
    look,
    of_action,
    overdue,
    progress,
    show,
    status,
)


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with opened(database_url) as office:
        yield office


# How it climbs


def test_an_overdue_action_climbs_level_by_level_at_the_scheduled_instants(office: Office) -> None:
    action_id = agreed(office)
    office.clock.now = parse_instant("2026-04-06T12:00:00Z")

    look(office)

    # manager P1D, deputy P1D, operations P2D, then leadership every day: the default ladder.
    assert [(one["scheduled_at"][:10], one["notify"]) for one in overdue(office)] == [
        ("2026-04-01", ["manager"]),
        ("2026-04-02", ["deputy"]),
        ("2026-04-03", ["operations"]),
        ("2026-04-05", ["leadership"]),
        ("2026-04-06", ["leadership"]),
    ]
    shown = show(office, action_id)
    assert (shown["status"], shown["flags"]) == ("overdue", ["overdue", "nobody_reachable"])
    assert shown["overdue_since"] == "2026-04-01T00:00:00.000000Z"
    assert shown["next_deadlines"] == [{"kind": "action_due", "due_at": "2026-04-07T00:00:00.000000Z"}]


def test_whoever_holds_a_role_of_the_service_can_be_reached(office: Office) -> None:
    person = Reference("c2VhbGVk", "k_1", "token")
    manager = RoleHolder("manager", person, date(2026, 1, 1))
    office.do(office.registration("willow-house", role_holders=(manager,)))
    action_id = agreed(office)
    office.clock.now = parse_instant("2026-04-01T00:00:00Z")

    look(office)

    assert show(office, action_id)["flags"] == ["overdue"]


def test_an_action_climbs_the_ladder_of_the_rule_that_was_crossed(office: Office) -> None:
    ladder = {"steps": [{"to": ["operations"], "timeout": "PT2H"}], "backstop": "manager"}
    office.do(office.adoption({"ladder": ladder}))
    agreed(office)
    office.clock.now = parse_instant("2026-04-01T03:00:00Z")

    look(office)

    assert [(one["scheduled_at"], one["notify"]) for one in overdue(office)] == [
        ("2026-04-01T00:00:00.000000Z", ["operations"]),
        ("2026-04-01T02:00:00.000000Z", ["manager"]),
    ]


def test_a_late_worker_tells_the_same_story(office: Office, migrated_sqlite: Path, tmp_path: Path) -> None:
    """Two workers that look every hour, or nobody for six days until a command comes: the same is told of the same."""
    with opened(f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path / 'late.db')}") as late:
        at_once, much_later = agreed(office), agreed(late)
        office.clock.now = parse_instant("2026-03-31T12:00:00Z")
        for _ in range(6 * 24):
            office.clock.go_on(hours=1)
            look(office)
            look(office, "another")
        late.clock.now = office.clock.now

        late.do(progress(late, much_later))

        assert overdue(late) == overdue(office)
        assert len(overdue(late)) == 5
        assert show(late, much_later)["next_deadlines"] == show(office, at_once)["next_deadlines"]


def test_what_is_due_runs_before_a_command_of_that_instant(office: Office) -> None:
    action_id = agreed(office)
    office.clock.now = parse_instant("2026-04-01T00:00:00Z")

    completed = office.do(complete(office, action_id))

    of_actions = [one for one in office.types() if one.startswith("action.")]  # Links are chased in between.
    assert of_actions[-2:] == ["action.overdue", "action.completed"]
    assert (completed["status"], completed["flags"], completed["next_deadlines"]) == ("completed", [], [])
    assert "overdue_since" not in completed


def test_what_is_due_by_what_was_recorded_runs_first_though_a_clock_is_behind(office: Office) -> None:
    """Recorded time never runs backwards; so a command of another machine, whose clock is behind, finds it late."""
    action_id = agreed(office, due="2026-03-01")
    office.clock.go_on(hours=-1)

    office.do(progress(office, action_id))

    assert office.types()[-2:] == ["action.overdue", "action.progressed"]


def test_what_was_due_before_it_was_agreed_is_late_from_its_agreement(office: Office) -> None:
    """Nobody was late with it before, and nobody is told of every day since."""
    agreed(office, due="2020-01-01")

    look(office)

    assert [one["scheduled_at"] for one in overdue(office)] == [format_instant(office.clock.now)]


# How it ends


@pytest.mark.parametrize("end", ["completed", "cancelled"])
def test_the_last_open_action_closes_the_escalation_of_a_closed_review(office: Office, end: str) -> None:
    first, second = agreed(office), agreed(office)
    close(office)
    assert status(office) == "monitoring_outcome"

    office.do(complete(office, first))
    assert status(office) == "monitoring_outcome"
    last = office.do(complete(office, second) if end == "completed" else cancel(office, second))

    assert last["status"] == end
    assert office.types()[-3:] == [f"action.{end}", "escalation.closed", "outcome.scheduled"]
    (escalation,) = office.escalations()
    assert (escalation["status"], escalation["closed_as"], escalation["next_deadlines"]) == (
        "closed",
        "action_agreed",
        [],
    )


def test_a_review_whose_actions_have_all_ended_closes_its_escalation_at_once(office: Office) -> None:
    office.do(complete(office, agreed(office)))

    close(office)

    assert status(office) == "closed"
    assert "escalation.monitoring_begun" not in office.types()


def test_an_action_that_ends_while_its_review_is_open_ends_no_escalation(office: Office) -> None:
    action_id = agreed(office)

    office.do(complete(office, action_id))

    assert status(office) == "awaiting_ack"  # Nobody has acknowledged it yet.


def test_what_has_ended_climbs_no_more(office: Office) -> None:
    office.do(cancel(office, agreed(office)))
    office.clock.now = parse_instant("2026-05-01T00:00:00Z")

    look(office)

    assert overdue(office) == []


# What is told of it


def test_an_action_shows_how_it_went_how_it_ended_and_whether_it_works(office: Office) -> None:
    action_id = agreed(office)
    manager = office.person("manager-2")
    office.clock.go_on(days=3)
    office.do(progress(office, action_id, actor=manager))
    office.clock.go_on(days=3)
    office.do(complete(office, action_id, "2026-02-27"))

    shown = office.do(check(office, action_id))

    (review_id,) = {one.subject for one in office.ledger() if one.type == "review.opened"}
    (escalation,) = office.escalations()
    assert shown == {
        "id": action_id,
        "sequence": next(one.sequence for one in office.ledger() if one.type == "action.agreed"),
        "review_id": review_id,
        "escalation_id": escalation["id"],
        "status": "completed",
        "description": "Name doses.",
        "owner": "manager-2",
        "due": DUE,
        "due_at": "2026-04-01T00:00:00.000000Z",
        "progress": [{"note": "Half of it is done.", "by": manager.name, "at": "2026-03-05T10:00:00.000000Z"}],
        "completion": {
            "effective_from": "2026-02-27",
            "effective_at": "2026-02-27T00:00:00.000000Z",
            "evidence": EVIDENCE,
            "by": KEY.name,
            "at": "2026-03-08T10:00:00.000000Z",
        },
        "effectiveness_checks": [
            {
                "method": "audit",
                "result": "40 sheets: all named.",
                "by": "deputy-1",
                "at": "2026-03-08T09:00:00.000000Z",
            }
        ],
        "flags": [],
        "next_deadlines": [],
        "version": 4,
        "outcome": {
            "status": "follow_up",
            "follow_up_ends": "2026-05-31T09:00:00.000000Z",
            "links": {"self": f"/v1/actions/{action_id}/outcome"},
        },
    }


def test_no_word_of_an_action_stands_in_the_ledger_in_clear(office: Office) -> None:
    action_id = agreed(office)
    office.do(progress(office, action_id))
    office.do(complete(office, action_id))
    office.do(check(office, action_id))

    payloads = "".join(one.payload for one in office.ledger() if one.stream == f"action/{action_id}")

    for words in ("Name doses.", "Half of it", EVIDENCE, "40 sheets", "manager-2", "deputy-1"):
        assert words not in payloads


def test_saying_the_same_again_is_no_event(office: Office) -> None:
    action_id = agreed(office)
    commands: list[Callable[[Office, str], Command]] = [progress, complete, check]

    for command in commands:
        once = office.do(command(office, action_id))
        twice = office.do(command(office, action_id))
        assert twice == once

    cancelled = agreed(office)
    assert office.do(cancel(office, cancelled)) == office.do(cancel(office, cancelled))


def test_a_date_is_the_start_of_that_day_in_the_organisations_zone(office: Office) -> None:
    office.do(office.adoption({}, time_zone="Europe/London"))
    action_id = agreed(office)

    completed = office.do(complete(office, action_id, "2026-06-01"))

    assert completed["due_at"] == "2026-03-31T23:00:00.000000Z"
    assert completed["completion"]["effective_at"] == "2026-05-31T23:00:00.000000Z"


# What is refused


def test_what_has_ended_takes_no_other_end(office: Office) -> None:
    action_id = agreed(office)
    office.do(complete(office, action_id))
    before = len(office.ledger())

    for refused in (progress, cancel):
        with pytest.raises(NotOpen):
            office.do(refused(office, action_id))
    with pytest.raises(NotOpen):
        office.do(complete(office, action_id, "2026-03-21"))

    assert len(office.ledger()) == before


def test_whether_it_works_is_seen_once_it_is_done(office: Office) -> None:
    with pytest.raises(NotCompleted):
        office.do(check(office, agreed(office)))


def test_an_action_that_nobody_agreed_on_is_not_found(office: Office) -> None:
    with pytest.raises(NotFound):
        office.do(progress(office, "act_none"))


def test_a_day_that_began_before_there_were_days_is_refused(office: Office) -> None:
    """Midnight of the first day that there is lies, seen from Tokyo, before it."""
    office.do(office.adoption({}, time_zone="Asia/Tokyo"))
    action_id = agreed(office)

    with pytest.raises(Invalid) as refusal:
        office.do(complete(office, action_id, "0001-01-01"))
    with pytest.raises(Invalid):
        agreed(office, due="0001-01-01")

    assert [fault.pointer for fault in refusal.value.faults] == ["/effective_from"]


def test_a_stale_version_is_refused_and_what_was_due_stays(office: Office) -> None:
    """What is due runs first, also when no worker has come past: so the version that was read is stale."""
    action_id = agreed(office)
    office.clock.now = parse_instant("2026-04-01T00:00:00Z")

    with pytest.raises(PreconditionFailed):
        office.do(of_action(office, action_id, lambda *_: None, if_match=1))

    assert len(overdue(office)) == 1
    assert show(office, action_id)["version"] == 2
