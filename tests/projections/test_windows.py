"""The windows' rows: where each rule counts a record, from the event that put it there until another took it out."""

from collections.abc import Iterator
from typing import Any

import pytest

from app.database.tables import FOR_EVER, window_entries
from app.events.store import Cause
from app.operations import climbing, merging, reviewing
from app.operations.desk import Desk
from app.operations.rebuild import rebuild
from tests.office import Office, opened


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with opened(database_url) as office:
        office.do(office.adoption({}))
        yield office


def entries(office: Office, *, now: bool = True) -> list[dict[str, Any]]:
    rows = [dict(zip(window_entries.c.keys(), row, strict=True)) for row in office.rows(window_entries)]
    return [row for row in rows if not now or row["valid_to"] == FOR_EVER]


def test_a_record_has_a_row_for_each_rule_that_counts_it(office: Office) -> None:
    office.do(office.adoption({}, {"id": "person", "group_by": ["person_ref"]}, {"id": "sleeping", "mode": "off"}))

    office.submit(person_ref="resident-31")
    office.submit()
    office.submit(classification="unsafe_condition")

    assert sorted(row["rule_id"] for row in entries(office)) == ["person", "similar", "similar"]


def test_a_person_is_a_key_by_token_only(office: Office) -> None:
    office.do(office.adoption({"group_by": ["person_ref"], "distinct": None}))

    office.submit(person_ref="resident-31")

    (row,) = entries(office)
    assert "resident-31" not in row["key_text"]
    assert len(row["key_text"]) == len('[""]') + 43


def test_a_correction_moves_the_row_and_keeps_the_former_one(office: Office) -> None:
    near_miss_id = office.submit()["id"]
    recorded = len(office.ledger())

    office.do(office.correction(near_miss_id, service_id="elm"))

    former, row = sorted(entries(office, now=False), key=lambda row: row["valid_to"])
    assert (former["valid_from"], former["valid_to"]) == (recorded, recorded + 1)
    assert former["key_text"] == '["willow-house","medication"]'
    assert (row["valid_from"], row["valid_to"], row["sequence"]) == (recorded + 1, FOR_EVER, recorded)
    assert row["key_text"] == '["elm","medication"]'


@pytest.mark.parametrize("leaving", ["withdrawn", "duplicate", "no longer counted"])
def test_what_counts_no_more_has_no_row(office: Office, leaving: str) -> None:
    master, near_miss_id = (office.submit()["id"] for _ in range(2))

    match leaving:
        case "withdrawn":
            office.do(office.withdrawal(near_miss_id))
        case "duplicate":
            office.do(office.duplicate(near_miss_id, master))
        case _:
            office.do(office.correction(near_miss_id, classification="harm_incident"))

    assert [row["near_miss_id"] for row in entries(office)] == [master]


def test_a_closed_review_consumes_its_members_for_its_own_rule_only(office: Office) -> None:
    office.do(office.adoption({}, {"id": "other", "group_by": ["service_id"], "threshold": 9}))
    for _ in range(3):
        office.submit()
    (escalation,) = office.open_escalations()

    office.do(office.review_closure(escalation["review_id"]))

    assert [row["rule_id"] for row in entries(office)] == ["other"] * 3


def test_what_a_review_consumed_stays_consumed_under_another_policy(office: Office) -> None:
    for _ in range(3):
        office.submit()
    (escalation,) = office.open_escalations()
    office.do(office.review_closure(escalation["review_id"]))
    fresh = office.submit()["id"]

    office.do(office.adoption({"group_by": ["incident_type"], "threshold": 2}))

    assert [row["near_miss_id"] for row in entries(office)] == [fresh]
    assert office.open_escalations() == []


def test_a_new_rule_counts_what_was_recorded_before_it(office: Office) -> None:
    ids = [office.submit()["id"] for _ in range(2)]
    office.do(office.withdrawal(ids.pop()))

    office.do(office.adoption({}, {"id": "new", "group_by": ["deviation"]}))

    assert [row["near_miss_id"] for row in entries(office) if row["rule_id"] == "new"] == ids


def test_a_rule_that_was_taken_out_counts_nothing(office: Office) -> None:
    office.submit()

    office.do(office.adoption({"id": "another"}))

    assert {row["rule_id"] for row in entries(office)} == {"another"}


def test_a_rule_whose_threshold_changed_keeps_its_rows(office: Office) -> None:
    office.submit()
    before = office.rows(window_entries)

    office.do(office.adoption({"threshold": 7, "window": "P30D"}))

    assert office.rows(window_entries) == before


# Reopening and merging


def reopen(office: Office, escalation: dict[str, Any]) -> None:
    """Reopen the review of an escalation."""

    def run(desk: Desk, cause: Cause) -> None:
        reviewing.reopen(desk, cause, reviewing.load(desk, escalation["review_id"]), "A fourth report.")

    office.do(office.command(run))


def reopened(office: Office) -> list[str]:
    """The members of a review that was closed and reopened."""
    ids = [office.submit()["id"] for _ in range(3)]
    (escalation,) = office.open_escalations()
    office.do(office.review_closure(escalation["review_id"]))
    reopen(office, escalation)
    return ids


def counted(office: Office) -> list[str]:
    return sorted(row["near_miss_id"] for row in entries(office))


def test_a_reopened_episode_has_its_members_back_and_its_next_closing_consumes_them_again(office: Office) -> None:
    members = reopened(office)
    (escalation,) = office.open_escalations()
    before = counted(office)

    office.do(office.review_closure(escalation["review_id"]))

    assert before == sorted(members)
    assert counted(office) == []


def test_what_a_reopened_episode_has_back_counts_under_another_policy_too(office: Office) -> None:
    members = reopened(office)

    office.do(office.adoption({"group_by": ["incident_type"], "threshold": 9}))

    assert counted(office) == sorted(members)


def test_a_reopened_episode_has_nothing_back_of_a_rule_that_is_no_more(office: Office) -> None:
    ids = [office.submit()["id"] for _ in range(3)]
    (escalation,) = office.open_escalations()
    office.do(office.review_closure(escalation["review_id"]))
    office.do(office.adoption({"id": "another", "threshold": 9}))

    reopen(office, escalation)

    assert {row["rule_id"] for row in entries(office)} == {"another"}
    assert counted(office) == sorted(ids)


@pytest.mark.parametrize("change", ["linked", "corrected"])
def test_what_was_merged_stays_out_of_the_rule_that_consumed_it(office: Office, change: str) -> None:
    office.do(office.adoption({}, {"id": "other", "group_by": ["service_id"], "threshold": 9}))
    merged = [office.submit()["id"] for _ in range(3)]
    for _ in range(3):
        office.submit(service_id="elm")
    former, later = (one["id"] for one in office.open_escalations())
    office.do(office.command(lambda desk, cause: merging.merge(desk, cause, climbing.load(desk, former), later)))

    office.do(office.link(merged[0]) if change == "linked" else office.correction(merged[0], service_id="oak"))

    assert [row["rule_id"] for row in entries(office) if row["near_miss_id"] == merged[0]] == ["other"]


def test_reopening_and_merging_are_made_anew_from_the_ledger_as_they_stood(office: Office) -> None:
    members = reopened(office)
    for _ in range(3):
        office.submit(service_id="elm")
    former, later = (one["id"] for one in office.open_escalations())
    office.do(office.command(lambda desk, cause: merging.merge(desk, cause, climbing.load(desk, former), later)))
    office.do(office.link(members[0]))
    before = office.rows(window_entries)

    rebuild(office.house, office.organisation, "windows")

    assert office.rows(window_entries) == before
