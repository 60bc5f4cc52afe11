"""Telling records apart under the lock: what the rule may confirm, and what an undone record comes back to."""

from collections.abc import Iterator

import pytest

from app.database.tables import window_entries
from app.events.codec import decode
from app.operations import climbing, duplicating, merging
from app.operations.attending import Attendant
from app.operations.rebuild import rebuild
from tests.office import Office, current, opened
from tests.operations.test_audit import reopening
from tests.projections.test_duplicates import MEMBER, adopting, deciding, proposals


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with opened(database_url) as office:
        yield office


def told_twice(office: Office) -> tuple[str, str]:
    """One occurrence, as the eMAR and as the rota tell it."""
    emar, rota = (office.submit(source=source, source_event_id="1", **MEMBER)["id"] for source in ("emar", "rota"))
    return emar, rota


def by_rule(office: Office, proposal_id: str) -> None:
    office.do(office.command(lambda desk, cause: duplicating.confirm_by_rule(desk, cause, proposal_id)))


@pytest.mark.parametrize("said", [("dismiss",), ("confirm", "undo")])
def test_the_rule_sees_what_people_said_before_any_follower_does(said: tuple[str, ...], office: Office) -> None:
    told_twice(office)
    adopting(office, confirm_at=0.9)
    (proposal,) = proposals(office)
    for step in said:
        deciding(office, proposal.proposal_id, step)
    before = office.types()

    by_rule(office, proposal.proposal_id)

    assert office.types() == before


def test_the_rule_in_force_is_the_one_that_confirms(office: Office) -> None:
    _, rota = told_twice(office)
    adopting(office, confirm_at=0.9)
    (proposal,) = proposals(office)
    adopting(office)
    by_rule(office, proposal.proposal_id)
    assert "near_miss.marked_duplicate" not in office.types()
    assert Attendant(office.house).attend() == 0

    adopting(office, confirm_at=1)

    assert Attendant(office.house).attend() == 1
    assert office.near_miss(rota)["status"] == "duplicate"


def test_two_workers_that_confirm_confirm_once(office: Office) -> None:
    told_twice(office)
    adopting(office, confirm_at=0.9)
    assert proposals(office)

    assert Attendant(office.house).attend() == Attendant(office.house).attend() == 1  # Nobody has followed in between.

    assert office.types().count("near_miss.marked_duplicate") == 1
    assert office.ledger()[-1].actor == "system/forewarn"


def test_what_the_rule_may_not_confirm_is_asked_for_once_and_again_when_something_has_changed(office: Office) -> None:
    for number in range(2):
        office.submit(source="emar", source_event_id=f"e-{number}", **{**MEMBER, "person_ref": f"p-{number}"})
    emar, rota = told_twice(office)
    (escalation,) = office.open_escalations()
    office.do(office.review_closure(escalation["review_id"]))
    adopting(office, confirm_at=0.9)
    assert [one.status for one in proposals(office)] == ["proposed"]
    attendant = Attendant(office.house)

    assert attendant.attend() == 1
    assert attendant.attend() == 0

    assert {office.near_miss(one)["status"] for one in (emar, rota)} == {"closed"}
    office.do(reopening(office, escalation["review_id"]))
    assert [one.status for one in proposals(office)] == ["proposed"]
    assert attendant.attend() == 1
    assert office.near_miss(rota)["status"] == "duplicate"


def test_what_a_merged_escalation_had_does_not_come_back_to_its_rule_by_being_undone(office: Office) -> None:
    told = [office.submit(source="emar", **MEMBER)["id"] for _ in range(3)]
    for _ in range(3):
        office.submit(source="emar", incident_type="visit", deviation="late")
    merged, target = (one["id"] for one in office.open_escalations())
    office.do(
        office.command(
            lambda desk, cause: merging.merge(desk, cause, climbing.load(desk, merged), target),
        )
    )
    rota = office.submit(source="rota", **MEMBER)["id"]
    (proposal, *_) = [one for one in proposals(office) if one.other_id == told[0]]
    deciding(office, proposal.proposal_id, "turn round")
    assert office.near_miss(told[0])["duplicate_of"] == rota

    deciding(office, proposal.proposal_id, "undo")

    undone = next(decode(one) for one in office.ledger() if one.type == "near_miss.duplicate_undone")
    assert undone.consumed_by == ("similar",)
    outcomes = {one.rule_id: one.outcome for one in undone.similarity_check.rules}
    assert outcomes["similar"] == "not_counted"
    counted = {(row[1], row[5]) for row in current(office.rows(window_entries))}
    assert ("similar", told[0]) not in counted
    assert {("similar", rota), ("same-person", told[0])} <= counted
    before = office.rows(window_entries)
    rebuild(office.house, office.organisation, "windows")
    assert office.rows(window_entries) == before


def test_what_a_reopened_review_gave_back_comes_back_by_being_undone(office: Office) -> None:
    told = [office.submit(source="emar", **MEMBER)["id"] for _ in range(3)]
    (escalation,) = office.open_escalations()
    office.do(office.review_closure(escalation["review_id"]))
    office.do(reopening(office, escalation["review_id"]))
    rota = office.submit(source="rota", **MEMBER)["id"]
    proposal = next(one for one in proposals(office) if {one.near_miss_id, one.other_id} == {rota, told[0]})
    deciding(office, proposal.proposal_id, "turn round")

    deciding(office, proposal.proposal_id, "undo")

    undone = next(decode(one) for one in office.ledger() if one.type == "near_miss.duplicate_undone")
    assert undone.consumed_by == ()
    assert {one["near_miss_id"]: one["kind"] for one in office.escalations()[0]["members"]}[told[0]] == "member"


def test_what_counts_again_while_its_key_cools_down_is_judged_when_that_ends(office: Office) -> None:
    office.do(office.adoption({"cooldown": "P7D", "threshold": 1}))
    _, rota = told_twice(office)
    (proposal,) = proposals(office)
    deciding(office, proposal.proposal_id, "confirm")
    (first,) = office.open_escalations()
    office.do(office.review_closure(first["review_id"]))

    deciding(office, proposal.proposal_id, "undo")

    undone = next(decode(one) for one in office.ledger() if one.type == "near_miss.duplicate_undone")
    assert [one.outcome for one in undone.similarity_check.rules if one.rule_id == "similar"] == ["cooling_down"]
    assert office.open_escalations() == []
    office.clock.go_on(days=7)
    office.submit(service_id="elsewhere")
    second = next(one for one in office.open_escalations() if one["service_id"] == "willow-house")
    assert [one["near_miss_id"] for one in second["members"]] == [rota]
    assert second["previous_episode_id"] == first["id"]
