"""Whoever reported a near miss reads what became of it: how it was checked, who looks into it, what came of that."""

from typing import Any

from tests.journeys.inside import Inside
from tests.journeys.test_details import posted
from tests.journeys.ward import ACTION, CAUSES, LINK, SAFEGUARDING, SYSTEM_RISK, Ward, report

OWN_NAME = {"source": "forewarn", "source_event_id": "e-1"}


def reviewed(ward: Ward, escalation: dict[str, Any]) -> str:
    """The escalation's review, closed with an action; the action's id."""
    review = escalation["review_id"]
    members = [one["near_miss_id"] for one in escalation["members"]]
    ward.review(review, "start", {})
    ward.review(review, "causes", CAUSES)
    ward.review(review, "system-risk", SYSTEM_RISK)
    ward.review(review, "safeguarding", SAFEGUARDING)
    ward.review(review, "workflow-links", {"near_miss_ids": members, "link": LINK})
    (action,) = ward.review(review, "actions", ACTION)["actions"]
    ward.review(review, "closure", {"code": "action_agreed", "summary": "The handover."})
    return action["id"]


def test_one_alone_was_checked_and_awaits_its_link(ward: Ward) -> None:
    near_miss = ward.submit()

    assert ward.feedback(near_miss["id"]) == {
        "message": "It was checked against similar records: no other within 14 days. "
        "It awaits the link to the stage of work that allowed it.",
        "similar": 1,
        "escalations": [],
    }


def test_a_reporter_reads_that_a_review_opened_is_under_way_and_how_it_ended(ward: Ward) -> None:
    third = [ward.submit() for _ in range(3)][-1]
    (escalation,) = ward.escalations()
    followed = {"id": escalation["id"], "review_id": escalation["review_id"], "actions": []}

    opened = ward.feedback(third["id"])
    ward.review(escalation["review_id"], "start", {})
    begun = ward.feedback(third["id"])
    action = reviewed(ward, escalation)
    closed = ward.feedback(third["id"])

    assert opened["message"].startswith("It was checked against similar records: 2 others within 14 days.")
    assert "A manager review is open." in opened["message"]
    assert (opened["similar"], "outcome" in opened) == (3, False)
    assert opened["escalations"] == [{**followed, "status": "awaiting_ack", "review_status": "open"}]
    assert "A manager review is under way." in begun["message"]
    assert closed["message"].endswith("was closed as action agreed (actions completed: 0 of 1). It is closed.")
    assert closed["outcome"] == "action_agreed"
    assert closed["escalations"] == [
        {
            **followed,
            "status": "monitoring_outcome",
            "review_status": "closed",
            "closed_as": "action_agreed",
            "closed_at": "2026-03-02T10:00:00.000000Z",
            "actions": [{"id": action, "status": "open"}],
        }
    ]


def test_a_reporter_reads_what_came_of_the_actions(ward: Ward) -> None:
    third = [ward.submit() for _ in range(3)][-1]
    action = reviewed(ward, ward.escalations()[0])

    ward.post(f"/v1/actions/{action}/completion", {"effective_from": "2026-03-02", "evidence": "The sheet."})

    told = ward.feedback(third["id"])
    assert told["escalations"][0]["actions"] == [{"id": action, "status": "completed"}]
    assert "(actions completed: 1 of 1)" in told["message"]


def test_one_that_was_closed_by_itself_tells_its_own_outcome(ward: Ward) -> None:
    near_miss = ward.submit()["id"]
    ward.link(near_miss)
    ward.post(f"/v1/near-misses/{near_miss}/closure", {"outcome": "The chart has a new column."})

    told = ward.feedback(near_miss)

    assert told["outcome"] == "The chart has a new column."
    assert told["message"].endswith("It is closed.")


def test_what_was_known_then_is_what_was_told_then(ward: Ward) -> None:
    third = [ward.submit() for _ in range(3)][-1]
    (escalation,) = ward.escalations()
    before = ward.feedback(third["id"])
    sequence = ward.get(f"/v1/near-misses/{third['id']}/history")["items"][0]["sequence"]
    reviewed(ward, escalation)

    assert ward.feedback(third["id"], as_of=sequence + 2) == before
    assert ward.feedback(third["id"], as_of=sequence)["escalations"] == []
    raised_only = ward.feedback(third["id"], as_of=sequence + 1)["escalations"]
    assert raised_only == [{"id": escalation["id"], "status": "awaiting_ack", "actions": []}]


def test_what_counts_no_more_says_why(ward: Ward) -> None:
    master, double, wrong = (ward.submit()["id"] for _ in range(3))
    ward.mark_duplicate(double, of=master)
    ward.withdraw(wrong)

    assert ward.feedback(double)["message"].endswith(f"The same occurrence is counted as {master}.")
    assert ward.feedback(wrong)["message"].endswith("It was withdrawn and counts no more.")


def test_what_awaits_details_names_them_and_cannot_be_compared_yet(inside: Inside) -> None:
    near_miss = posted(inside, service_id=None)

    told = inside.ward.feedback(near_miss["id"])

    assert told["message"].endswith("It awaits details: contributing_factors, staff_involved, service_id.")


def test_only_one_record_that_is_read_tells_its_feedback(ward: Ward) -> None:
    near_miss = ward.submit(source="emar", source_event_id="e-1")

    listed = ward.get("/v1/near-misses")["items"]
    linked = ward.link(near_miss["id"])

    assert not [one for one in (near_miss, linked, *listed) if "feedback" in one]


# What is owed, over HTTP


def test_a_late_record_says_so_and_the_history_says_who_was_told(inside: Inside) -> None:
    near_miss = inside.ward.submit()
    inside.clock.advance(days=8)
    inside.ward.submit(service_id="ash-court")

    late = inside.ward.near_miss(near_miss["id"])
    history = inside.ward.get(f"/v1/near-misses/{near_miss['id']}/history")["items"]

    assert late["next_deadlines"] == [{"kind": "workflow_link_due", "due_at": "2026-03-16T10:00:00.000000Z"}]
    assert "overdue" in late["flags"]
    assert history[-1]["type"] == "forewarn.near_miss.workflow_link_overdue.v1"
    assert history[-1]["actor"] == "system/timer"
    assert history[-1]["data"]["notify"] == ["manager"]


def test_who_owned_a_breached_review_is_told_that_the_level_above_is_needed(inside: Inside) -> None:
    """S20."""
    owner = inside.holding("reviews:act", "near-misses:write", actor="manager-2")
    [inside.ward.submit() for _ in range(3)]
    (escalation,) = inside.ward.escalations()
    owner.post(f"/v1/escalations/{escalation['id']}/acknowledgement", {})
    inside.clock.advance(days=14)
    inside.ward.submit(service_id="ash-court")
    (own,) = inside.ward.get("/v1/near-misses", incident_type="escalation")["items"]
    link = {**LINK, "stage_affected": "respond", "stage_allowed": "escalate"}
    path = f"/v1/near-misses/{own['id']}/workflow-link"

    refused = owner.put(path, link, expect=409)

    assert refused["type"] == "urn:forewarn:problem:level-above-needed"
    assert inside.holding("near-misses:write", actor="operations-1").put(path, link)["status"] == "linked"


def test_nobody_reports_under_the_services_own_name(ward: Ward) -> None:
    """S20."""
    refused = ward.post("/v1/near-misses", report(**OWN_NAME), expect=422)
    batch = ward.post("/v1/near-misses:batch", {"items": [report(**OWN_NAME)]}, expect=207)

    assert [(one["pointer"], one["code"]) for one in refused["errors"]] == [("/source", "reserved")]
    assert [one["status"] for one in batch["items"]] == [422]
    assert ward.get("/v1/near-misses")["items"] == []
