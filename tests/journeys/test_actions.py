"""An action over HTTP: agreed in a review, told of, overdue, done; and what a manager who errs is told."""

from typing import Any

import pytest

from tests.journeys.inside import Inside
from tests.journeys.ward import ACTION, CAUSES, LINK, SAFEGUARDING, SYSTEM_RISK, Ward, kinds, pointers

NOTE = {"note": "The new sheet is in use on the ground floor."}
COMPLETION = {"effective_from": "2026-02-27", "evidence": "Sheet of 27 February, signed by both shifts."}
CANCELLATION = {"reason": "The eMAR now asks for it at every handover."}
CHECK = {"method": "audit", "result": "Every dose was named.", "by": "deputy-1", "at": "2026-03-02"}
STEPS: dict[str, dict[str, Any]] = {
    "progress": NOTE,
    "completion": COMPLETION,
    "cancellation": CANCELLATION,
    "effectiveness-check": CHECK,
}


def agreed(ward: Ward, **changes: Any) -> dict[str, Any]:
    """An action of the one review there is; three near misses open it if there is none."""
    while not ward.escalations():
        ward.submit()
    (escalation,) = ward.escalations()
    return ward.review(escalation["review_id"], "actions", {**ACTION, **changes})["actions"][-1]


def act(ward: Ward, action_id: str, step: str, expect: int = 200, **changes: Any) -> dict[str, Any]:
    return ward.post(f"/v1/actions/{action_id}/{step}", {**STEPS[step], **changes}, expect)


def act_on(ward: Ward, action_id: str, **parameters: Any) -> dict[str, Any]:
    return ward.get(f"/v1/actions/{action_id}", **parameters)


def closed_with_actions(ward: Ward) -> None:
    (escalation,) = ward.escalations()
    review_id = escalation["review_id"]
    ward.review(review_id, "start", {})
    ward.review(review_id, "causes", CAUSES)
    ward.review(review_id, "system-risk", SYSTEM_RISK)
    ward.review(review_id, "safeguarding", SAFEGUARDING)
    ward.review(review_id, "workflow-links", {"near_miss_ids": list(kinds(escalation)), "link": LINK})
    ward.review(review_id, "closure", {"code": "action_agreed", "summary": "Handover sheet changed."})


def test_an_action_is_followed_from_its_agreement_to_the_closing_of_its_escalation(inside: Inside) -> None:
    """It climbs while it is late, and only a person ends it; the last one ends what is watched."""
    ward = inside.ward
    first, second = agreed(ward), agreed(ward, due="2026-06-01")
    closed_with_actions(ward)
    act(ward, first["id"], "progress")
    inside.clock.set("2026-04-03T08:00:00Z")

    act(ward, second["id"], "progress")

    overdue = act_on(ward, first["id"])
    assert (overdue["status"], overdue["flags"][0]) == ("overdue", "overdue")
    assert overdue["overdue_since"] == overdue["due_at"] == "2026-04-01T00:00:00.000000Z"
    assert overdue["next_deadlines"] == [{"kind": "action_due", "due_at": "2026-04-05T00:00:00.000000Z"}]
    assert [one["id"] for one in ward.get("/v1/actions", overdue=True)["items"]] == [first["id"]]
    (watched,) = ward.escalations()
    assert watched["status"] == "monitoring_outcome"

    completed = act(ward, first["id"], "completion")
    assert ward.escalation(watched["id"])["status"] == "monitoring_outcome"
    cancelled = act(ward, second["id"], "cancellation")

    assert (completed["status"], completed["completion"]["effective_from"]) == ("completed", "2026-02-27")
    assert (cancelled["status"], cancelled["cancellation"]["reason"]) == ("cancelled", CANCELLATION["reason"])
    assert ward.escalation(watched["id"])["status"] == "closed"
    checked = act(ward, first["id"], "effectiveness-check")
    assert checked["effectiveness_checks"] == [{**CHECK, "at": "2026-03-02T00:00:00.000000Z"}]
    (review,) = ward.get("/v1/reviews")["items"]
    assert review["actions"] == [act_on(ward, first["id"]), act_on(ward, second["id"])]
    assert review["actions"][0] == checked


def test_actions_are_listed_the_newest_first_by_status_review_and_lateness(ward: Ward) -> None:
    ids = [agreed(ward)["id"] for _ in range(3)]
    act(ward, ids[0], "completion")
    review_id = act_on(ward, ids[0])["review_id"]

    def listed(**parameters: Any) -> list[str]:
        return [one["id"] for one in ward.get("/v1/actions", **parameters)["items"]]

    first_page = ward.get("/v1/actions", limit=2)
    assert [one["id"] for one in first_page["items"]] == ids[:0:-1]
    assert listed(limit=2, cursor=first_page["next_cursor"]) == ids[:1]
    assert listed(status="completed") == ids[:1]
    assert listed(status="open", review_id=review_id) == ids[:0:-1]
    assert listed(review_id="rev_none") == listed(overdue=True) == []
    assert listed(overdue=False) == ids[::-1]


def test_an_action_is_shown_as_it_was_known_then(inside: Inside) -> None:
    ward = inside.ward
    action = agreed(ward)
    inside.clock.advance(hours=1)
    act(ward, action["id"], "progress")
    inside.clock.advance(hours=1)
    act(ward, action["id"], "completion")

    then = act_on(ward, action["id"], as_of="2026-03-02T11:30:00Z")
    first = act_on(ward, action["id"], as_of=str(action["sequence"]))

    assert (then["status"], then["version"], [one["note"] for one in then["progress"]]) == ("open", 2, [NOTE["note"]])
    assert first == action
    act_on(ward, action["id"], as_of="2026-03-02T09:00:00Z", expect=404)


def test_a_command_sent_again_is_answered_as_the_first_time(ward: Ward) -> None:
    action = agreed(ward)
    path, key = f"/v1/actions/{action['id']}/progress", {"Idempotency-Key": "p-1"}
    first = ward.ask("POST", path, NOTE, expect=200, **key)
    act(ward, action["id"], "completion")

    again = ward.client.post(path, json=NOTE, headers={**ward.headers, **key})

    assert again.json() == first
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.headers["ETag"] == '"2"'
    ward.ask("POST", path, {"note": "Otherwise."}, expect=422, **key)


@pytest.mark.parametrize("end", ["completion", "cancellation"])
def test_what_has_ended_is_not_open_and_what_is_open_is_not_checked(ward: Ward, end: str) -> None:
    action_id = agreed(ward)["id"]

    early = act(ward, action_id, "effectiveness-check", expect=409)
    ended = act(ward, action_id, end)
    again = act(ward, action_id, end)
    other = act(ward, action_id, "cancellation" if end == "completion" else "completion", expect=409)
    late = act(ward, action_id, "progress", expect=409)

    assert again == ended
    assert early["type"].endswith(":action-not-completed")
    assert [one["type"].rpartition(":")[2] for one in (other, late)] == ["action-not-open"] * 2
    assert ended["status"] in other["detail"]


@pytest.mark.parametrize(
    ("step", "body", "wrong"),
    [
        ("progress", {}, {"/note"}),
        ("progress", {"note": " "}, {"/note"}),
        ("progress", {**NOTE, "by": "manager-2"}, {"/by"}),
        ("completion", {}, {"/effective_from", "/evidence"}),
        ("completion", {**COMPLETION, "effective_from": "2026-02-30"}, {"/effective_from"}),
        ("completion", {**COMPLETION, "effective_from": "2026-02-27T10:00:00"}, {"/effective_from"}),
        ("completion", {**COMPLETION, "evidence": "x" * 8001}, {"/evidence"}),
        ("cancellation", {"reason": None}, {"/reason"}),
        ("effectiveness-check", {}, {"/method", "/result", "/by", "/at"}),
        ("effectiveness-check", {**CHECK, "method": "hearsay"}, {"/method"}),
        ("effectiveness-check", {**CHECK, "by": "\u200b"}, {"/by"}),
        ("effectiveness-check", {**CHECK, "at": "2026-03-09T10:00:00Z"}, {"/at"}),
    ],
)
def test_what_a_step_lacks_or_says_wrongly_is_named(ward: Ward, step: str, body: Any, wrong: set[str]) -> None:
    action_id = agreed(ward)["id"]

    problem = ward.post(f"/v1/actions/{action_id}/{step}", body, expect=422)

    assert pointers(problem) == wrong
    assert act_on(ward, action_id)["version"] == 1


@pytest.mark.parametrize("step", STEPS)
def test_an_action_that_is_not_there_is_not_found_by_anybody(inside: Inside, step: str) -> None:
    action_id = agreed(inside.ward)["id"]

    act(inside.ward, "act_none", step, expect=404)
    act(inside.other, action_id, step, expect=404)

    act_on(inside.other, action_id, expect=404)
    inside.ward.post(f"/v1/actions/act_none/{step}", {}, expect=404)


def test_a_stale_version_is_refused(ward: Ward) -> None:
    action_id = agreed(ward)["id"]
    act(ward, action_id, "progress")

    ward.ask("POST", f"/v1/actions/{action_id}/completion", COMPLETION, expect=412, **{"If-Match": '"1"'})

    ward.ask("POST", f"/v1/actions/{action_id}/completion", COMPLETION, expect=200, **{"If-Match": '"2"'})


@pytest.mark.parametrize("parameters", [{"status": "lost"}, {"overdue": "perhaps"}, {"owner": "manager-2"}])
def test_a_question_that_the_list_does_not_know_is_refused(ward: Ward, parameters: dict[str, str]) -> None:
    ward.get("/v1/actions", expect=422, **parameters)
