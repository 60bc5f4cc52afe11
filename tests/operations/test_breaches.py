"""A review that nobody closed in time is a near miss of the service itself, and no loop grows from it (S20)."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.clock import system_clock
from app.database.tables import heatmap_facts, near_misses, timers, window_entries
from app.domain.decider import Invalid
from app.domain.near_miss import LevelAboveNeeded
from app.events.store import Cause
from app.operations import climbing, reviewing, revise
from app.operations.desk import Desk
from app.operations.job import Actor, Command
from app.operations.rebuild import rebuild
from app.operations.tick import tick
from tests.office import KEY, Office, opened, show_near_miss
from tests.operations.test_importing import file_of, imported, row

OWN_LINK = {
    "stage_affected": "respond",
    "stage_allowed": "escalate",
    "system_used": "on-call list",
    "deviation_from_plan": "Nobody closed the review in fourteen days.",
    "corrective_action": "The list names a second person.",
}


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with opened(database_url) as office:
        yield office


def look(office: Office) -> None:
    """A worker's rounds, until nothing is due."""
    while tick(office.house, "worker", system_clock()):
        pass


def review_opens(office: Office, deviation: str = "omitted", service_id: str = "willow-house") -> dict[str, Any]:
    """Three similar reports, and the escalation that they raise."""
    told = [office.submit(deviation=deviation, service_id=service_id) for _ in range(3)]
    (escalation_id,) = told[-1]["escalation_ids"]
    return next(one for one in office.escalations() if one["id"] == escalation_id)


def own_records(office: Office) -> list[dict[str, Any]]:
    """What the service has recorded about itself, in order."""
    recorded = [one for one in office.ledger() if one.type == "near_miss.recorded"]
    ids = [one.subject for one in recorded if json.loads(one.payload).get("source", {}).get("source") == "forewarn"]
    return [office.near_miss(near_miss_id) for near_miss_id in ids]


def breached(office: Office) -> dict[str, Any]:
    """The one record of a review that was breached; nobody has recorded more."""
    office.clock.go_on(days=14)
    look(office)
    (own,) = own_records(office)
    return own


def linked(office: Office, near_miss_id: str, actor: Actor = KEY) -> Command:
    return office.command(
        lambda desk, cause: revise.link(desk, cause, revise.load(desk, near_miss_id), OWN_LINK),
        near_miss_id,
        show_near_miss,
        actor=actor,
    )


def acknowledged(office: Office, escalation_id: str, actor: Actor) -> Command:
    return office.command(
        lambda desk, cause: climbing.acknowledge(desk, cause, climbing.load(desk, escalation_id)), actor=actor
    )


def test_a_breached_review_is_recorded_with_its_details_and_its_own_check(office: Office) -> None:
    escalation = review_opens(office)

    own = breached(office)

    assert (own["source"], own["incident_type"], own["deviation"]) == ("forewarn", "escalation", "late")
    assert own["attributes"] == {"escalation_id": escalation["id"], "review_id": escalation["review_id"]}
    assert (own["status"], own["service_id"]) == ("awaiting_workflow_link", "willow-house")
    assert own["occurred_at"] == own["recorded_at"] == "2026-03-16T10:00:00.000000Z"
    assert [(one["rule_id"], one["outcome"], one["count"]) for one in own["similarity_check"]["rules"]] == [
        ("breached-reviews", "below_threshold", 1)
    ]
    assert own["next_deadlines"] == [{"kind": "workflow_link_due", "due_at": "2026-03-23T10:00:00.000000Z"}]


def test_it_is_kept_out_of_every_care_rule_and_every_map(office: Office) -> None:
    review_opens(office)
    own = breached(office)
    for _ in range(2):
        office.submit(incident_type="escalation", deviation="late", occurred_at="2026-03-16T09:00:00Z")
    office.follow()

    rules = {row[1] for row in office.rows(window_entries) if own["id"] in row}

    assert rules == {"breached-reviews"}
    assert not [row for row in office.rows(heatmap_facts) if own["id"] in row]
    assert [row for row in office.rows(near_misses) if own["id"] in row]
    assert [one["rule_id"] for one in office.escalations()] == ["similar"]  # Two late escalations, not three.


def test_three_of_one_service_open_one_review_and_its_own_breach_climbs_and_records_nothing(office: Office) -> None:
    """S20: ninety days in which nobody does anything; what the service records about itself stays bounded."""
    for deviation in ("omitted", "late", "extra"):
        review_opens(office, deviation)
        office.clock.go_on(days=1)
    review_opens(office, service_id="ash-court")
    grown: list[int] = []

    for _ in range(30):
        office.clock.go_on(days=3)
        look(office)
        grown.append(len(own_records(office)))

    care = [one for one in office.escalations() if one["rule_id"] == "similar"]
    (about_itself,) = (one for one in office.escalations() if one["rule_id"] != "similar")
    of_willow = {one["id"] for one in own_records(office) if one["service_id"] == "willow-house"}
    assert grown[-1] == max(grown) == len(care) == 4
    assert about_itself["rule_id"] == "breached-reviews"
    assert {one["near_miss_id"] for one in about_itself["members"]} == of_willow
    assert "overdue" in about_itself["flags"]
    overdue = Counter(one.subject for one in office.ledger() if one.type == "escalation.review_overdue")
    assert overdue[about_itself["id"]] > 3
    assert all(one["next_deadlines"] for one in (*office.escalations(), *own_records(office)))


def test_the_chase_of_it_begins_above_the_level_that_was_told_of_the_breach(office: Office) -> None:
    """Somebody has it, and the deputy hears that it is late; so operations hear of its record first."""
    office.do(acknowledged(office, review_opens(office)["id"], KEY))
    breached(office)
    office.clock.go_on(days=14)
    look(office)

    told = [json.loads(one.payload) for one in office.ledger() if one.type == "escalation.review_overdue"]
    own = own_records(office)[0]["id"]
    chased = [one for one in office.ledger() if one.type == "near_miss.workflow_link_overdue" and one.subject == own]
    assert (told[0]["level"], told[0]["notify"][0]) == (1, "deputy")
    assert [json.loads(one.payload)["notify"] for one in chased] == [["operations"], ["leadership"]]


def test_where_the_backstop_was_told_the_backstop_completes_it(office: Office) -> None:
    ladder = {"steps": [{"to": ["manager"], "timeout": "P1D"}], "backstop": "admin"}
    office.do(office.adoption({"ladder": ladder}))
    for _ in range(3):
        office.submit()
    breached(office)
    office.clock.go_on(days=7)
    look(office)

    own = own_records(office)[0]["id"]
    (chased,) = [one for one in office.ledger() if one.type == "near_miss.workflow_link_overdue" and one.subject == own]
    assert json.loads(chased.payload)["notify"] == ["leadership"]


def test_a_late_worker_grants_no_more_time_to_what_follows_from_a_breach(office: Office) -> None:
    raised = [review_opens(office, deviation) for deviation in ("omitted", "late", "extra")]
    assert len({one["next_deadlines"][-1]["due_at"] for one in raised}) == 1
    office.clock.go_on(days=16)  # The breaches were two days ago.

    look(office)

    links = [one["next_deadlines"] for one in own_records(office)]
    assert [[one["due_at"] for one in owed] for owed in links] == [["2026-03-23T10:00:00.000000Z"]] * 3
    (of_breaches,) = [one for one in office.open_escalations() if one["rule_id"] == "breached-reviews"]
    due = {one["kind"]: one["due_at"] for one in of_breaches["next_deadlines"]}
    assert due["review_due"] == "2026-03-30T10:00:00.000000Z"
    assert of_breaches["level"] == 2  # Manager and deputy had a day each.


def test_who_owned_the_breached_escalation_does_not_link_its_record_and_the_level_above_does(office: Office) -> None:
    owner, above = office.person("manager-2"), office.person("operations-1")
    office.do(acknowledged(office, review_opens(office)["id"], owner))
    own = breached(office)

    with pytest.raises(LevelAboveNeeded):
        office.do(linked(office, own["id"], owner))
    office.do(office.correction(own["id"], attributes={}))  # What stands in the report is not what counts here.
    with pytest.raises(LevelAboveNeeded):
        office.do(linked(office, own["id"], owner))
    done = office.do(linked(office, own["id"], above))

    assert (done["status"], done["next_deadlines"]) == ("linked", [])


def test_only_who_owned_it_when_it_was_breached_is_kept_from_it(office: Office) -> None:
    owner, later = office.person("manager-2"), office.person("manager-3")
    escalation = review_opens(office)
    office.do(acknowledged(office, escalation["id"], owner))
    own = breached(office)

    def hand_over(desk: Desk, cause: Cause) -> None:
        climbing.hand_over(desk, cause, climbing.load(desk, escalation["id"]), "manager-3")

    office.do(office.command(hand_over, actor=owner))
    office.do(acknowledged(office, escalation["id"], later))

    assert office.do(linked(office, own["id"], later))["status"] == "linked"


def test_a_late_worker_knows_who_owned_it_at_the_breach(office: Office) -> None:
    """Their acknowledgement has expired meanwhile; it had not when the review was breached."""
    owner = office.person("manager-2")
    ladder = {"steps": [{"to": ["manager"], "timeout": "P30D"}], "ack_remind": "P13D", "ack_confirm": "P3D"}
    office.do(office.adoption({"ladder": ladder}))
    escalation_id = [office.submit() for _ in range(3)][-1]["escalation_ids"][0]
    office.do(acknowledged(office, escalation_id, owner))
    office.clock.go_on(days=20)
    look(office)
    (own,) = own_records(office)

    with pytest.raises(LevelAboveNeeded):
        office.do(linked(office, own["id"], owner))

    assert "escalation.ack_expired" in office.types()


def test_a_key_that_acts_for_itself_is_nobody_and_kept_from_nothing(office: Office) -> None:
    office.do(acknowledged(office, review_opens(office)["id"], KEY))
    own = breached(office)

    assert office.do(linked(office, own["id"], KEY))["status"] == "linked"


def test_a_review_of_breaches_lays_its_link_over_none_of_them_for_who_owned_one(office: Office) -> None:
    """Nothing is half done: the record that may not be linked is found before any other is."""
    owner = office.person("manager-2")
    raised = [review_opens(office, deviation) for deviation in ("omitted", "late", "extra")]
    office.do(acknowledged(office, raised[-1]["id"], owner))
    office.clock.go_on(days=14)
    look(office)
    (about_itself,) = (one for one in office.escalations() if one["rule_id"] == "breached-reviews")
    members = [one["near_miss_id"] for one in about_itself["members"]]

    def link_members(desk: Desk, cause: Cause) -> None:
        case = reviewing.load(desk, about_itself["review_id"])
        reviewing.link_members(desk, cause, case, members, OWN_LINK)

    with pytest.raises(LevelAboveNeeded):
        office.do(office.command(link_members, actor=owner))

    assert [one["status"] for one in own_records(office)] == ["awaiting_workflow_link"] * 3
    office.do(office.command(link_members, actor=office.person("operations-1")))
    assert [one["status"] for one in own_records(office)] == ["in_review"] * 3


def test_whoever_asks_late_or_again_records_it_once(office: Office) -> None:
    review_opens(office)
    office.clock.go_on(days=40)

    for _ in range(3):
        look(office)
    office.submit(service_id="ash-court")

    (own,) = own_records(office)
    assert own["occurred_at"] == "2026-03-16T10:00:00.000000Z"
    before = [office.rows(table) for table in (timers, near_misses, window_entries)]
    for name in ("timers", "register", "windows"):
        rebuild(office.house, office.organisation, name)
    assert [office.rows(table) for table in (timers, near_misses, window_entries)] == before


def test_no_other_system_reports_under_the_services_own_name(office: Office, tmp_path: Path) -> None:
    strange = {"source": "forewarn", "source_event_id": "e-1"}

    with pytest.raises(Invalid) as refused:
        office.submit(**strange)
    summary = imported(office, file_of(tmp_path, [row(1, source_system="forewarn"), row(2)]))

    assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [("/source", "reserved")]
    assert (summary.recorded, dict(summary.refused)) == (1, {"validation": 1})
    assert own_records(office) == []
