"""Two systems tell of one occurrence: it is proposed, confirmed by people or by rule, and told apart again."""

from typing import Any

import pytest

from app.domain.moment import parse_instant
from app.operations.attending import Attendant
from app.worker import Worker
from tests.journeys.inside import Inside
from tests.journeys.ward import Ward, gates, kinds, pointers

UNSUPPORTED = "support_below_threshold"
LATE = {"deviation": "late", "person_ref": "resident-31"}


def told(ward: Ward, source: str, number: int, minute: int = 0, **changes: Any) -> dict[str, Any]:
    """A late dose as a system tells it, of the morning of a day in March."""
    at = f"2026-03-0{number}T08:{minute:02d}:00Z"
    return ward.submit(source=source, source_event_id=f"{source}-{number}", occurred_at=at, **{**LATE, **changes})


def proposals(ward: Ward, **parameters: Any) -> list[dict[str, Any]]:
    return ward.get("/v1/duplicate-proposals", **parameters)["items"]


def decided(ward: Ward, proposal: dict[str, Any], step: str, body: object = None, expect: int = 200) -> dict[str, Any]:
    return ward.post(f"/v1/duplicate-proposals/{proposal['id']}/{step}", body or {}, expect)


REASON = {"reason": "The chart shows two doses."}


def test_the_third_report_was_the_second_told_twice_and_then_was_not(inside: Inside, ward: Ward) -> None:
    inside.clock.set("2026-03-03T10:00:00Z")
    first, second = told(ward, "emar", 1), told(ward, "emar", 2)
    third = told(ward, "rota", 2, minute=4)
    (escalation,) = ward.escalations()
    assert UNSUPPORTED not in escalation["flags"]

    (proposal,) = proposals(ward, status="proposed")
    assert (proposal["near_miss_id"], proposal["other_id"]) == (third["id"], second["id"])
    assert proposal["score"] == 0.9533
    assert [one["says"] for one in proposal["reasons"]] == [
        "Both name the same service.",
        "Both name the same person.",
        "They lie 4 min apart.",
        "Both are of the same incident type.",
        "Both say the same deviation.",
    ]
    assert sum(one["points"] for one in proposal["reasons"]) == pytest.approx(proposal["score"])
    assert [one["source"] for one in proposal["sources"]] == ["rota", "emar"]

    confirmed = decided(ward, proposal, "confirmation")

    assert (confirmed["status"], confirmed["master"], confirmed["version"]) == ("confirmed", second["id"], 2)
    assert ward.near_miss(third["id"])["status"] == "duplicate"
    other = {"near_miss_id": third["id"], "source": "rota", "source_event_id": "rota-2"}
    assert ward.near_miss(second["id"])["other_sources"] == [other]
    stands = ward.escalation(escalation["id"])
    assert UNSUPPORTED in stands["flags"]
    assert kinds(stands)[third["id"]] == "withdrawn"
    assert stands["status"] == "awaiting_ack"
    assert proposals(ward) == [confirmed]
    assert decided(ward, proposal, "confirmation") == confirmed  # Asking twice changes nothing.

    undone = decided(ward, proposal, "undo", REASON)

    assert (undone["status"], undone["version"]) == ("undone", 3)
    again = ward.near_miss(third["id"])
    assert (again["status"], again["similarity_check"]["rules"][0]["outcome"]) == ("awaiting_workflow_link", "attached")
    assert again["frequency"] == 3
    assert "duplicate_of" not in again
    assert "other_sources" not in ward.near_miss(second["id"])
    back = ward.escalation(escalation["id"])
    assert UNSUPPORTED not in back["flags"]
    assert kinds(back) == {first["id"]: "member", second["id"]: "member", third["id"]: "member"}
    assert decided(ward, proposal, "undo", REASON) == undone
    assert proposals(ward, status="proposed") == []


def test_undoing_may_complete_a_pattern_that_grew_meanwhile(inside: Inside, ward: Ward) -> None:
    inside.clock.set("2026-03-05T10:00:00Z")
    told(ward, "emar", 1)
    told(ward, "rota", 1, minute=2)
    (proposal,) = proposals(ward)
    decided(ward, proposal, "confirmation")
    told(ward, "emar", 3)
    assert ward.escalations() == []

    decided(ward, proposal, "undo", REASON)

    (escalation,) = ward.escalations()
    assert [one["kind"] for one in escalation["members"]] == ["member"] * 3
    assert escalation["rule_id"] == "similar"
    assert ward.get("/v1/heatmaps/workflow", rows="service_id", columns="incident_type")["total"] == 3
    key = {"service_id": "willow-house", "incident_type": "medication", "deviation": "late"}
    assert ward.get("/v1/windows", rule_id="similar", **key)["count"] == 3


def test_the_later_record_may_be_the_one_that_stays(inside: Inside, ward: Ward) -> None:
    emar, rota = told(ward, "emar", 1), told(ward, "rota", 1)
    (proposal,) = proposals(ward)

    stranger = told(ward, "emar", 2, person_ref="resident-9")
    assert pointers(decided(ward, proposal, "confirmation", {"master": stranger["id"]}, 422)) == {"/master"}
    confirmed = decided(ward, proposal, "confirmation", {"master": rota["id"], "reason": "The rota knows more."})

    assert confirmed["master"] == rota["id"]
    assert ward.near_miss(emar["id"])["duplicate_of"] == rota["id"]
    assert gates(decided(ward, proposal, "dismissal", REASON, 409)) == {"still-a-duplicate": []}
    assert decided(ward, proposal, "undo", REASON)["status"] == "undone"
    assert ward.near_miss(emar["id"])["status"] == "awaiting_workflow_link"


def test_what_is_dismissed_is_not_proposed_again_and_cannot_be_undone(ward: Ward) -> None:
    told(ward, "emar", 1)
    rota = told(ward, "rota", 1)
    (proposal,) = proposals(ward)

    dismissed = decided(ward, proposal, "dismissal", REASON)

    assert dismissed["status"] == "dismissed"
    assert decided(ward, proposal, "dismissal", REASON) == dismissed
    ward.correct(rota["id"], occurred_at="2026-03-01T08:01:00Z")
    assert [one["status"] for one in proposals(ward)] == ["dismissed"]
    assert gates(decided(ward, proposal, "undo", REASON, 409)) == {"not-a-duplicate": []}
    history = ward.get(f"/v1/near-misses/{rota['id']}/history")["items"]
    assert history[1]["type"] == "forewarn.near_miss.duplicate_dismissed.v1"
    assert history[1]["data"]["reason"] == REASON["reason"]
    assert decided(ward, proposal, "confirmation")["status"] == "confirmed"  # People may change their minds.


def test_a_third_system_is_proposed_with_the_record_that_stands(ward: Ward) -> None:
    emar, rota = told(ward, "emar", 1), told(ward, "rota", 1, minute=1)
    sensor = told(ward, "sensor", 1, minute=2)
    assert {(one["near_miss_id"], one["other_id"]) for one in proposals(ward)} == {
        (rota["id"], emar["id"]),
        (sensor["id"], emar["id"]),
        (sensor["id"], rota["id"]),
    }

    decided(ward, next(one for one in proposals(ward) if one["near_miss_id"] == rota["id"]), "confirmation")

    (left,) = proposals(ward, status="proposed")
    assert (left["near_miss_id"], left["other_id"]) == (sensor["id"], emar["id"])
    decided(ward, left, "confirmation", {"master": sensor["id"]})
    brought = [one["source"] for one in ward.near_miss(sensor["id"])["other_sources"]]
    assert brought == ["emar", "rota"]  # Every source reference, one through another.
    (first,) = proposals(ward, near_miss_id=rota["id"])
    decided(ward, first, "undo", REASON)
    assert [one["source"] for one in ward.near_miss(sensor["id"])["other_sources"]] == ["emar"]
    assert "other_sources" not in ward.near_miss(emar["id"])


def test_a_member_of_a_closed_review_stays_what_it_is_and_the_proposal_stands(inside: Inside, ward: Ward) -> None:
    inside.clock.set("2026-03-05T10:00:00Z")
    for number in (1, 2):
        told(ward, "emar", number)
    third = told(ward, "rota", 3)
    (escalation,) = ward.escalations()
    ward.close(escalation)
    told(ward, "emar", 3, minute=1)
    (proposal,) = proposals(ward)
    assert proposal["other_id"] == third["id"]

    refused = decided(ward, proposal, "confirmation", {"master": proposal["near_miss_id"]}, 409)

    assert gates(refused) == {"near-miss-closed": []}
    assert proposals(ward) == [proposal]
    assert decided(ward, proposal, "confirmation")["status"] == "confirmed"  # The later one is not closed.


def test_a_correction_or_withdrawal_takes_its_proposals_along(ward: Ward) -> None:
    told(ward, "emar", 1)
    rota = told(ward, "rota", 1, minute=20)
    (proposal,) = proposals(ward)
    ward.correct(rota["id"], deviation="wrong_dose")
    assert proposals(ward) == []
    ward.get(f"/v1/duplicate-proposals/{proposal['id']}", expect=404)

    ward.correct(rota["id"], deviation="late", occurred_at="2026-03-01T08:00:00Z")
    (back,) = proposals(ward)
    assert (back["id"], back["score"]) == (proposal["id"], 1.0)
    ward.withdraw(rota["id"])
    assert proposals(ward) == []


def test_what_another_system_told_counts_again_when_its_master_is_withdrawn(ward: Ward) -> None:
    emar, rota = told(ward, "emar", 1), told(ward, "rota", 1)
    (proposal,) = proposals(ward)
    decided(ward, proposal, "confirmation")

    ward.withdraw(emar["id"])

    assert ward.near_miss(rota["id"])["status"] == "awaiting_workflow_link"
    assert [one["status"] for one in proposals(ward)] == ["undone"]
    key = {"service_id": "willow-house", "incident_type": "medication", "deviation": "late"}
    assert ward.get("/v1/windows", rule_id="similar", **key)["count"] == 1


def test_what_a_person_marks_as_a_duplicate_can_be_undone_too(ward: Ward) -> None:
    one, other = ward.submit(), ward.submit()
    ward.mark_duplicate(other["id"], one["id"])

    (pair,) = proposals(ward, status="confirmed")
    assert (pair["near_miss_id"], pair["other_id"]) == (other["id"], one["id"])
    decided(ward, pair, "undo", REASON)

    assert ward.near_miss(other["id"])["status"] == "awaiting_workflow_link"


def test_the_rule_confirms_what_is_alike_enough_and_nothing_that_people_told_apart(inside: Inside, ward: Ward) -> None:
    inside.clock.set("2026-03-05T10:00:00Z")
    told(ward, "emar", 1)
    told(ward, "rota", 1)
    (apart,) = proposals(ward)
    decided(ward, apart, "confirmation")
    decided(ward, apart, "undo", REASON)
    told(ward, "emar", 2)
    told(ward, "rota", 2, minute=25)
    rule = {"within": "PT30M", "propose_at": 0.6, "confirm_at": 0.9}
    assert ward.put("/v1/duplicate-rule", rule) == {"version": 2, **rule}
    told(ward, "emar", 3)
    rota = told(ward, "rota", 3)
    assert len(proposals(ward)) == 3

    assert Attendant(inside.house).attend() in (0, 1)  # The worker of this application may have been quicker.

    found = {one["near_miss_id"]: one for one in proposals(ward)}
    assert found[rota["id"]]["status"] == "confirmed"
    assert found[rota["id"]]["decided"]["by"] == "system/forewarn"
    assert sorted(one["status"] for one in found.values()) == ["confirmed", "proposed", "undone"]
    last = ward.get(f"/v1/near-misses/{rota['id']}/history")["items"][-1]
    assert last["data"]["reason"] == "By version 2 of the duplicate rule: they look alike by 1, it asks for 0.9."


def test_another_rule_is_for_what_comes_in_from_then_on(inside: Inside, ward: Ward) -> None:
    told(ward, "emar", 1)
    told(ward, "rota", 1, minute=20)
    ward.put("/v1/duplicate-rule", {"within": "PT10M"})
    assert ward.get("/v1/duplicate-rule") == {"version": 2, "within": "PT10M", "propose_at": 0.6, "confirm_at": None}
    assert len(proposals(ward)) == 1

    told(ward, "sensor", 1, minute=31)

    assert len(proposals(ward)) == 1
    assert ward.put("/v1/duplicate-rule", {"within": "PT10M"})["version"] == 2
    ward.ask("PUT", "/v1/duplicate-rule", {}, expect=412, **{"If-Match": '"1"'})
    for body, pointer in (
        ({"within": "P2D"}, "/within"),
        ({"within": "P1M"}, "/within"),
        ({"within": "soon"}, "/within"),
        ({"propose_at": 1.1}, "/propose_at"),
        ({"confirm_at": 0.5}, "/confirm_at"),
        ({"confirm_at": True}, "/confirm_at"),
    ):
        assert pointers(ward.put("/v1/duplicate-rule", body, expect=422)) == {pointer}


def test_pairs_are_listed_page_by_page_and_belong_to_one_organisation(inside: Inside, ward: Ward) -> None:
    told(ward, "emar", 1)
    for source in ("rota", "sensor", "app"):
        told(ward, source, 1)
    pages: list[dict[str, Any]] = []
    cursor = None
    for _ in range(10):
        page = ward.get("/v1/duplicate-proposals", limit=4, **({"cursor": cursor} if cursor else {}))
        pages += page["items"]
        if (cursor := page["next_cursor"]) is None:
            break

    assert len({one["id"] for one in pages}) == len(pages) == 6
    assert proposals(inside.other) == []
    inside.other.get(f"/v1/duplicate-proposals/{pages[0]['id']}", expect=404)
    inside.other.post(f"/v1/duplicate-proposals/{pages[0]['id']}/undo", REASON, expect=404)
    inside.other.post(f"/v1/duplicate-proposals/{pages[0]['id']}/undo", {}, expect=404)
    assert pointers(ward.get("/v1/duplicate-proposals", status="open", expect=422)) == {"/query/status"}
    assert proposals(ward, service_id="elm-lodge") == []
    decided(ward, pages[0], "dismissal", {}, expect=422)


def test_a_stale_version_and_a_repeated_key_are_minded(ward: Ward) -> None:
    told(ward, "emar", 1)
    told(ward, "rota", 1)
    (proposal,) = proposals(ward)
    path = f"/v1/duplicate-proposals/{proposal['id']}"
    first = ward.ask("POST", f"{path}/confirmation", {}, expect=200, **{"If-Match": '"1"', "Idempotency-Key": "k"})

    ward.ask("POST", f"{path}/undo", REASON, expect=412, **{"If-Match": '"1"'})
    ward.ask("POST", f"{path}/undo", REASON, expect=200, **{"If-Match": '"2"'})

    assert ward.ask("POST", f"{path}/confirmation", {}, expect=200, **{"Idempotency-Key": "k"}) == first


def test_what_the_undone_record_owes_is_owed_anew(inside: Inside, ward: Ward) -> None:
    told(ward, "emar", 1)
    rota = told(ward, "rota", 1)
    (proposal,) = proposals(ward)
    decided(ward, proposal, "confirmation")
    assert ward.near_miss(rota["id"])["next_deadlines"] == []
    inside.clock.advance(days=30)

    decided(ward, proposal, "undo", REASON)

    (owed,) = ward.near_miss(rota["id"])["next_deadlines"]
    assert parse_instant(owed["due_at"]) > inside.clock()
    Worker(inside.house).once()
