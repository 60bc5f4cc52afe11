"""How a review goes on beside its closing: reopened, merged, dismissed once more; and who may not conclude it."""

from typing import Any

import pytest

from tests.journeys.inside import Inside
from tests.journeys.ward import CAUSES, LINK, NO_SYSTEM_RISK, SAFEGUARDING, Ward, gates, kinds

REOPENING = {"reason": "A fourth report shows another stage."}
CLOSURE = {"code": "no_action_needed", "summary": "Nothing in common."}
NO_PATTERN = {"code": "not_a_pattern", "summary": "Three unrelated residents."}
AGREED = {"rationale": "The charts agree."}


def crossing(ward: Ward, **changes: Any) -> dict[str, Any]:
    """An escalation that three similar near misses have opened."""
    for _ in range(3):
        ward.submit(**changes)
    return ward.escalations()[-1]


def story(inside: Inside, escalation_id: str) -> list[str]:
    """The names of an escalation's events, in order."""
    with inside.house.reader("default") as reader:
        told = reader.history(f"escalation/{escalation_id}")
    return [one["type"].split(".")[2] for one in told]


def dismiss(ward: Ward, escalation: dict[str, Any], code: str = "not_a_pattern") -> None:
    """Close its review as no pattern, countersigned."""
    review_id = escalation["review_id"]
    ward.review(review_id, "system-risk", NO_SYSTEM_RISK)
    ward.review(review_id, "safeguarding", SAFEGUARDING)
    ward.review(review_id, "workflow-links", {"near_miss_ids": list(kinds(escalation)), "link": LINK})
    ward.review(review_id, "countersignature", AGREED)
    ward.review(review_id, "closure", {**NO_PATTERN, "code": code})


# Reopening


def test_a_reopened_review_goes_on_with_its_members_and_asks_from_the_foot_of_the_ladder(inside: Inside) -> None:
    """S4, S6."""
    ward = inside.ward
    escalation = crossing(ward)
    ward.close(escalation)
    inside.clock.advance(days=2)

    reopened = ward.review(escalation["review_id"], "reopening", REOPENING)

    again = ward.escalation(escalation["id"])
    assert (reopened["status"], "closure" in reopened, reopened["causes"]) == ("under_review", False, CAUSES["causes"])
    assert reopened["reopened"]["reason"] == REOPENING["reason"]
    assert (reopened["reopened"]["times"], reopened["reopened"]["at"]) == (1, "2026-03-04T10:00:00.000000Z")
    assert (again["status"], again["level"], kinds(again)) == ("awaiting_ack", 0, kinds(escalation))
    assert [ward.near_miss(one)["status"] for one in kinds(again)] == ["in_review"] * 3


def test_a_review_that_was_reopened_closes_again_and_frees_the_key_again(ward: Ward) -> None:
    """S3, S6."""
    former = crossing(ward)
    ward.close(former)
    ward.review(former["review_id"], "reopening", REOPENING)

    ward.close(former)

    assert [ward.near_miss(one)["status"] for one in kinds(former)] == ["closed"] * 3
    ward.submit()
    ward.submit()
    assert len(ward.escalations()) == 1
    ward.submit()
    later = ward.escalations()[-1]
    assert later["previous_episode_id"] == former["id"]
    assert set(kinds(later)).isdisjoint(kinds(former))


def test_a_reopened_escalation_takes_similar_reports_and_corrections_like_before_it_closed(ward: Ward) -> None:
    """S2, S3."""
    escalation = crossing(ward)
    first, second, third = kinds(escalation)
    ward.close(escalation)
    ward.review(escalation["review_id"], "reopening", REOPENING)

    fourth = ward.submit()
    ward.link(first, stage_allowed="record")
    ward.correct(second, deviation="late")
    standing = kinds(ward.escalation(escalation["id"]))
    ward.close(ward.escalation(escalation["id"]))

    assert fourth["escalation_ids"] == [escalation["id"]]
    assert standing == {first: "member", second: "withdrawn", third: "member", fourth["id"]: "member"}
    assert [ward.near_miss(one)["status"] for one in (first, third, fourth["id"])] == ["closed"] * 3
    assert ward.near_miss(second)["status"] == "linked"


def test_only_what_was_closed_with_the_review_is_open_again(ward: Ward) -> None:
    """S6: what is related was never closed with it; what was closed by itself before stays closed."""
    escalation = crossing(ward)
    harm = ward.submit(classification="harm_incident")
    ward.close(escalation)
    ward.link(harm["id"])
    ward.post(f"/v1/near-misses/{harm['id']}/closure", {"outcome": "Told to the regulator."})

    ward.review(escalation["review_id"], "reopening", REOPENING)

    assert ward.near_miss(harm["id"])["status"] == "closed"


def test_reopening_what_is_open_changes_nothing(ward: Ward) -> None:
    escalation = crossing(ward)

    once = ward.review(escalation["review_id"], "reopening", REOPENING)

    assert (once["status"], once["version"], "reopened" in once) == ("open", 1, False)
    assert ward.escalation(escalation["id"])["version"] == escalation["version"]


def test_a_review_is_not_reopened_beside_a_later_open_episode_and_merged_instead(ward: Ward) -> None:
    """S4."""
    former = crossing(ward)
    ward.close(former)
    later = crossing(ward)

    problem = ward.review(former["review_id"], "reopening", REOPENING, expect=409)
    ward.post(f"/v1/escalations/{former['id']}/merge", {"into": later["id"]})

    assert gates(problem) == {"newer_episode_open": [later["id"]]}
    merged = ward.get(f"/v1/reviews/{former['review_id']}")
    assert (merged["status"], merged["merged_into"]) == ("merged", later["review_id"])
    assert ward.get("/v1/reviews", status="merged")["items"] == [merged]


def test_a_review_is_reopened_once_the_later_episode_is_closed_too(ward: Ward) -> None:
    former = crossing(ward)
    ward.close(former)
    ward.close(crossing(ward))

    assert ward.review(former["review_id"], "reopening", REOPENING)["status"] == "under_review"
    assert ward.submit()["escalation_ids"] == [former["id"]]


# Merging


@pytest.mark.parametrize("step", ["start", "closure", "reopening", "workflow-links"])
def test_a_review_that_was_merged_names_the_one_that_it_goes_on_in(ward: Ward, step: str) -> None:
    former, other = crossing(ward), crossing(ward, deviation="late")
    ward.post(f"/v1/escalations/{former['id']}/merge", {"into": other["id"]})
    bodies = {"start": {}, "closure": CLOSURE, "reopening": REOPENING}
    body = bodies.get(step, {"near_miss_ids": list(kinds(former)), "link": LINK})

    problem = ward.review(former["review_id"], step, body, expect=409)

    assert problem["type"].endswith(":review-merged")
    assert other["review_id"] in problem["detail"]


def test_what_was_merged_raises_nothing_again_by_being_linked(ward: Ward) -> None:
    """S3: its own rule has consumed it; it is looked at where it went on."""
    former, other = crossing(ward), crossing(ward, deviation="late")
    ward.post(f"/v1/escalations/{former['id']}/merge", {"into": other["id"]})
    for near_miss_id in kinds(former):
        ward.link(near_miss_id)

    ward.submit()

    assert len(ward.escalations()) == 2


# Who was involved


def acting(inside: Inside, scope: str, person: str | None = None) -> Ward:
    """Somebody, through a key that acts for people; or a key that acts for itself."""
    ward = inside.holding(scope, "near-misses:read", acts_for_people=person is not None)
    if person is not None:
        ward.headers["Forewarn-Actor"] = person
    return ward


def test_whoever_was_involved_concludes_nothing_without_leadership_that_was_not(inside: Inside) -> None:
    escalation = crossing(inside.ward, staff_involved=[{"ref": "manager-2"}, {"ref": "leader-1"}])
    review_id = escalation["review_id"]
    manager = acting(inside, "reviews:act", "manager-2")
    manager.review(review_id, "causes", CAUSES)
    manager.review(review_id, "system-risk", NO_SYSTEM_RISK)
    manager.review(review_id, "safeguarding", SAFEGUARDING)
    manager.review(review_id, "workflow-links", {"near_miss_ids": list(kinds(escalation)), "link": LINK})

    alone = manager.review(review_id, "closure", CLOSURE, expect=409)
    acting(inside, "governance:act", "leader-1").review(review_id, "countersignature", AGREED)
    with_the_involved = manager.review(review_id, "closure", CLOSURE, expect=409)
    acting(inside, "governance:act", "leader-2").review(review_id, "countersignature", AGREED)
    closed = manager.review(review_id, "closure", CLOSURE)

    assert {one["type"].rpartition(":")[2] for one in (alone, with_the_involved)} == {"reviewer-involved"}
    assert (closed["status"], closed["countersignature"]["by"]) == ("closed", "leader-2")


@pytest.mark.parametrize("person", ["manager-9", None], ids=["another person", "a key for itself"])
def test_whoever_was_not_involved_is_only_told_of_the_gates(inside: Inside, person: str | None) -> None:
    escalation = crossing(inside.ward, staff_involved=[{"ref": "manager-2"}])

    problem = acting(inside, "reviews:act", person).review(escalation["review_id"], "closure", CLOSURE, expect=409)

    assert "no_system_cause" in gates(problem)


def test_being_involved_in_what_is_only_related_counts_and_in_what_was_withdrawn_does_not(inside: Inside) -> None:
    escalation = crossing(inside.ward)
    involved = {"staff_involved": [{"ref": "manager-2"}]}
    harm = inside.ward.submit(classification="harm_incident", **involved)
    inside.ward.withdraw(inside.ward.submit(staff_involved=[{"ref": "deputy-1"}])["id"])

    related = acting(inside, "reviews:act", "manager-2").review(escalation["review_id"], "closure", CLOSURE, expect=409)
    withdrawn = acting(inside, "reviews:act", "deputy-1").review(
        escalation["review_id"], "closure", CLOSURE, expect=409
    )

    assert kinds(inside.ward.escalation(escalation["id"]))[harm["id"]] == "related"
    assert related["type"].endswith("reviewer-involved")
    assert withdrawn["type"].endswith("gate-not-met")


# Dismissed again


@pytest.mark.parametrize(("days", "goes_up"), [(10, True), (89, True), (91, False)])
def test_a_key_that_is_dismissed_again_within_ninety_days_goes_up_the_ladder(
    inside: Inside, days: int, goes_up: bool
) -> None:
    """S4: the closing itself is not refused."""
    ward = inside.ward
    dismiss(ward, crossing(ward))
    inside.clock.advance(days=days)
    second = crossing(ward)
    ward.review(second["review_id"], "start", {})

    dismiss(ward, second, "duplicate")

    told = story(inside, second["id"])
    assert ward.escalation(second["id"])["status"] == "closed"
    assert told[-2:] == (["dismissed_again", "closed"] if goes_up else ["review_begun", "closed"])


def test_whoever_stands_above_is_told_how_often_a_key_was_dismissed(inside: Inside) -> None:
    """S4."""
    for _ in range(3):
        dismiss(inside.ward, crossing(inside.ward))

    with inside.house.reader("default") as reader:
        told = [one for each in inside.ward.escalations() for one in reader.history(f"escalation/{each['id']}")]
    again = [one["data"] for one in told if one["type"] == "forewarn.escalation.dismissed_again.v1"]
    assert [(one["times"], one["notify"], one["level"], one["why"]) for one in again] == [
        (2, ["deputy"], 1, "dismissed_again"),
        (3, ["deputy"], 1, "dismissed_again"),
    ]


def test_a_first_dismissal_and_one_of_another_key_go_up_no_ladder(inside: Inside) -> None:
    ward = inside.ward
    ward.close(crossing(ward))
    first, other = crossing(ward), crossing(ward, deviation="late")
    dismiss(ward, first)

    dismiss(ward, other)

    assert [story(inside, one["id"]).count("dismissed_again") for one in (first, other)] == [0, 0]


# What a review shows


def test_a_review_asks_for_safeguarding_from_its_start_until_it_was_considered(ward: Ward) -> None:
    """S4."""
    escalation = crossing(ward)

    started = ward.review(escalation["review_id"], "start", {})
    considered = ward.review(escalation["review_id"], "safeguarding", SAFEGUARDING)
    ward.close(escalation)

    assert [prompt["code"] for prompt in started["prompts"]] == ["safeguarding"]
    assert considered["prompts"] == []
    assert "prompts" not in ward.get(f"/v1/reviews/{escalation['review_id']}")


def test_a_review_suggests_the_causes_that_its_members_speak_for(ward: Ward) -> None:
    """S4: rolled up from contributing factors; what was withdrawn or is only related speaks for nothing."""
    first = ward.submit(contributing_factors=["staffing", "communication_systems"])
    second = ward.submit(contributing_factors=["workload"])
    ward.submit(contributing_factors=["training"])
    gone = ward.submit(contributing_factors=["lines_of_responsibility"])
    ward.submit(classification="harm_incident", contributing_factors=["scheduling"])
    ward.withdraw(gone["id"])
    (escalation,) = ward.escalations()

    shown = ward.get(f"/v1/reviews/{escalation['review_id']}")
    started = ward.review(escalation["review_id"], "start", {})

    assert shown["suggested_causes"] == started["suggested_causes"]
    assert started["suggested_causes"] == [
        {"code": "rota_pressure", "count": 2, "near_miss_ids": [first["id"], second["id"]]},
        {"code": "communication_gap", "count": 1, "near_miss_ids": [first["id"]]},
    ]


def test_what_is_due_has_climbed_before_its_review_is_started(inside: Inside) -> None:
    """A timer due at the instant of a command runs first."""
    escalation = crossing(inside.ward)
    inside.clock.advance(days=1)

    inside.ward.review(escalation["review_id"], "start", {})

    assert story(inside, escalation["id"])[1:] == ["ack_overdue", "level_entered", "acknowledged", "review_begun"]
