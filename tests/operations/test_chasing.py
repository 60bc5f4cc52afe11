"""Details and workflow links that nobody gives are asked for, at the scheduled instants, whoever asks and how late."""

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from app.clock import system_clock
from app.database.tables import timers
from app.domain.moment import from_micros
from app.domain.sealed import Reference
from app.domain.service import RoleHolder
from app.operations import revise
from app.operations.job import PreconditionFailed
from app.operations.rebuild import rebuild
from app.operations.tick import tick
from tests.office import LINK, Office, opened

NOT_GIVEN = {"contributing_factors": None, "staff_involved": None}
GIVEN = {"contributing_factors": ["workload"], "staff_not_known_reason": "Agency staff, unnamed."}


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with opened(database_url) as office:
        yield office


def look(office: Office, worker: str = "worker") -> None:
    """A worker's round."""
    while tick(office.house, worker, system_clock()):
        pass


def told(office: Office) -> list[tuple[str, str, list[str]]]:
    """What was told to whom of which day, in the ledger's order."""
    payloads = [(one.type, json.loads(one.payload)) for one in office.ledger() if one.type.endswith("_overdue")]
    return [(name.removeprefix("near_miss."), one["scheduled_at"][:10], one["notify"]) for name, one in payloads]


def due(office: Office) -> list[tuple[str, str]]:
    """Which record's timer is due on which day."""
    return [(row[2], from_micros(row[3]).date().isoformat()) for row in office.rows(timers) if row[1] == "near_miss"]


def deadlines(shown: dict[str, Any]) -> dict[str, str]:
    return {one["kind"]: one["due_at"] for one in shown["next_deadlines"]}


def test_a_record_says_until_when_it_waits_in_its_first_answer_and_in_every_replay(office: Office) -> None:
    first = office.submit(idempotency_key="k-1")
    office.clock.go_on(days=8)
    look(office)

    again = office.submit(idempotency_key="k-1")
    shown = office.near_miss(first["id"])

    assert deadlines(first) == {"workflow_link_due": "2026-03-09T10:00:00.000000Z"}
    assert first["flags"] == ["unregistered_service"]
    assert again == first == office.near_miss(first["id"], as_of=first["sequence"])
    assert deadlines(shown) == {"workflow_link_due": "2026-03-16T10:00:00.000000Z"}
    assert (shown["flags"], shown["version"]) == (["unregistered_service", "overdue"], 2)


def test_each_level_is_told_at_its_scheduled_instant_and_nothing_falls_silent(office: Office) -> None:
    office.submit(intake=True, **NOT_GIVEN)

    for _ in range(3 * 15):
        office.clock.go_on(hours=8)
        look(office)
        look(office, "another")

    assert told(office) == [
        ("details_overdue", "2026-03-05", ["manager"]),
        ("details_overdue", "2026-03-08", ["deputy"]),
        ("workflow_link_overdue", "2026-03-09", ["manager"]),
        ("details_overdue", "2026-03-11", ["operations"]),
        ("details_overdue", "2026-03-14", ["leadership"]),
        ("workflow_link_overdue", "2026-03-16", ["deputy"]),
        ("details_overdue", "2026-03-17", ["leadership"]),
    ]


def test_a_service_that_was_down_for_weeks_tells_the_same_of_the_same_instants(office: Office) -> None:
    near_miss = office.submit(intake=True, **NOT_GIVEN)
    office.clock.go_on(days=15)

    office.submit(service_id="ash-court")

    assert len(told(office)) == 7
    assert told(office)[-1] == ("details_overdue", "2026-03-17", ["leadership"])
    assert deadlines(office.near_miss(near_miss["id"])) == {
        "details_due": "2026-03-20T10:00:00.000000Z",
        "workflow_link_due": "2026-03-23T10:00:00.000000Z",
    }
    assert office.types()[-1] == "near_miss.recorded"  # What was due went first.


def test_details_that_are_completed_are_chased_no_more_and_the_link_still_is(office: Office) -> None:
    near_miss = office.submit(intake=True, **NOT_GIVEN)
    office.clock.go_on(days=4)

    done = office.do(office.details(near_miss["id"], **GIVEN))
    office.clock.go_on(days=3)
    look(office)

    assert deadlines(done) == {"workflow_link_due": "2026-03-09T10:00:00.000000Z"}
    assert "overdue" not in done["flags"]
    assert told(office) == [
        ("details_overdue", "2026-03-05", ["manager"]),
        ("workflow_link_overdue", "2026-03-09", ["manager"]),
    ]


def test_a_link_ends_the_chase_and_unknown_does_not(office: Office) -> None:
    near_miss = office.submit()["id"]

    unknown = office.do(office.link(near_miss, stage_allowed="unknown"))
    linked = office.do(office.link(near_miss))

    assert deadlines(unknown) == {"workflow_link_due": "2026-03-09T10:00:00.000000Z"}
    assert linked["next_deadlines"] == []
    assert due(office) == []


def test_what_is_withdrawn_duplicate_closed_or_born_linked_is_not_chased(office: Office) -> None:
    near_misses = [office.submit(service_id=f"house-{number}")["id"] for number in range(4)]
    office.submit(service_id="ash-court", workflow_link=dict(LINK))
    assert [subject for subject, _ in due(office)] == sorted(near_misses)

    office.do(office.withdrawal(near_misses[0]))
    office.do(office.duplicate(near_misses[1], near_misses[3]))
    office.do(office.link(near_misses[2]))
    office.do(closure(office, near_misses[2]))

    assert due(office) == [(near_misses[3], "2026-03-09")]
    assert office.near_miss(near_misses[0])["next_deadlines"] == []


def test_imported_history_is_listed_and_not_chased(office: Office) -> None:
    history = office.submit(intake=True, as_history=True, **NOT_GIVEN)
    office.clock.go_on(days=90)
    look(office)

    assert history["status"] == "awaiting_details"
    assert (history["next_deadlines"], due(office), told(office)) == ([], [], [])


def test_the_policy_in_force_when_it_was_recorded_says_how_long_it_may_wait(office: Office) -> None:
    office.do(office.adoption({"mode": "off"}, details_due="PT12H", workflow_link_due="P2D"))
    strict = office.submit(intake=True, **NOT_GIVEN)
    office.do(office.adoption({"mode": "off"}, details_due="P30D", workflow_link_due="P30D"))
    office.submit(intake=True, service_id="ash-court", **NOT_GIVEN)
    office.clock.go_on(days=2)
    look(office)

    assert deadlines(strict) == {
        "details_due": "2026-03-02T22:00:00.000000Z",
        "workflow_link_due": "2026-03-04T10:00:00.000000Z",
    }
    assert [name for name, _, _ in told(office)] == [*["details_overdue"] * 4, "workflow_link_overdue"]


def test_what_is_due_runs_before_a_command_and_a_stale_version_is_refused(office: Office) -> None:
    near_miss = office.submit()["id"]
    office.clock.go_on(days=7)

    stale = office.command(lambda desk, cause: void(revise.load(desk, near_miss, if_match=1)), near_miss)
    with pytest.raises(PreconditionFailed):
        office.do(stale)
    office.do(office.link(near_miss))

    assert office.types()[-2:] == ["near_miss.workflow_link_overdue", "near_miss.linked"]


def test_a_command_answers_what_is_due_also_where_the_timer_was_lost(office: Office) -> None:
    """The timer only asks: what is due is told by the record."""
    near_miss = office.submit()["id"]
    office.clock.go_on(days=14)
    with office.house.database.write() as connection:
        connection.execute(timers.delete())

    office.do(office.link(near_miss))

    assert office.types()[-3:] == [*["near_miss.workflow_link_overdue"] * 2, "near_miss.linked"]


def test_whoever_holds_the_role_for_the_service_can_be_reached(office: Office) -> None:
    manager = RoleHolder("manager", Reference("c2VhbGVk", "k_1", "token"), date(2026, 1, 1))
    office.do(office.registration("willow-house", role_holders=(manager,)))
    office.submit()
    office.submit(service_id="ash-court")
    office.clock.go_on(days=7)
    look(office)

    breaches = [json.loads(one.payload) for one in office.ledger() if one.type == "near_miss.workflow_link_overdue"]
    assert sorted(one["nobody_reachable"] for one in breaches) == [False, True]
    assert {one["why"] for one in breaches} == {"workflow_link_due"}


def test_what_was_recorded_before_there_were_deadlines_is_not_chased(office: Office) -> None:
    """A ledger of an earlier release reads back as it was."""
    with pytest.MonkeyPatch.context() as earlier:
        earlier.setattr("app.operations.submit._owed", lambda *_: {})
        near_miss = office.submit()
    office.clock.go_on(days=90)
    look(office)

    assert (office.near_miss(near_miss["id"])["next_deadlines"], due(office), told(office)) == ([], [], [])


def test_the_timers_of_records_are_rebuilt_row_for_row(office: Office) -> None:
    first, second, third = (office.submit(intake=True, **NOT_GIVEN)["id"] for _ in range(3))
    office.clock.go_on(days=7)
    look(office)
    office.do(office.link(first))
    office.do(office.details(second, **GIVEN))
    office.do(office.withdrawal(third))
    before = office.rows(timers)

    rebuild(office.house, office.organisation, "timers")

    assert office.rows(timers) == before
    assert due(office) == sorted([(first, "2026-03-11"), (second, "2026-03-16")])


def void(_: object) -> None:
    pass


def closure(office: Office, near_miss: str) -> Any:
    return office.command(
        lambda desk, cause: revise.close(desk, cause, revise.load(desk, near_miss), "Seen to."), near_miss
    )
