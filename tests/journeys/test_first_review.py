"""What a manager lives through: near misses repeat, a review opens, its gates are met, the pattern comes back."""

from typing import Any

import pytest

from tests.journeys.inside import Inside
from tests.journeys.ward import (
    ACTION,
    CAUSES,
    LINK,
    MAPPED,
    NO_SYSTEM_RISK,
    SAFEGUARDING,
    SYSTEM_RISK,
    Ward,
    gates,
    kinds,
    pointers,
    report,
)

CLOSURE = {"code": "action_agreed", "summary": "Handover sheet changed; outcome check in 90 days."}


def test_three_similar_near_misses_in_fourteen_days_open_one_review(inside: Inside) -> None:
    """S3: the second opens nothing, the third exactly one."""
    ward = inside.ward
    first = ward.submit(occurred_at="2026-03-02T09:00:00Z")
    inside.clock.advance(days=6)
    second = ward.submit(occurred_at="2026-03-08T09:00:00Z")
    assert ward.escalations() == []
    inside.clock.advance(days=7)

    third = ward.submit(occurred_at="2026-03-15T09:00:00Z")

    (escalation,) = ward.escalations()
    (review,) = ward.get("/v1/reviews")["items"]
    assert kinds(escalation) == {one["id"]: "member" for one in (first, second, third)}
    assert escalation["key"] == {"service_id": "willow-house", "incident_type": "medication", "deviation": "omitted"}
    assert (escalation["status"], escalation["review_id"]) == ("awaiting_ack", review["id"])
    assert (review["status"], review["escalation_id"]) == ("open", escalation["id"])
    assert third["escalation_ids"] == [escalation["id"]]
    assert ward.near_miss(first["id"])["escalation_ids"] == [escalation["id"]]


@pytest.mark.parametrize(
    "third",
    [
        {"occurred_at": "2026-03-15T09:00:00Z"},
        {"service_id": "rowan-homecare"},
        {"deviation": "late"},
        {"incident_type": "visit", "deviation": "late"},
        {"classification": "unsafe_condition"},
    ],
    ids=["fourteen days after the first", "elsewhere", "another deviation", "another type", "nothing came near"],
)
def test_what_is_out_of_the_window_or_not_similar_opens_no_review(inside: Inside, third: dict[str, Any]) -> None:
    """S3."""
    inside.clock.advance(days=20)
    inside.ward.submit(occurred_at="2026-03-01T09:00:00Z")
    inside.ward.submit(occurred_at="2026-03-02T09:00:00Z")

    inside.ward.submit(**third)

    assert inside.ward.escalations() == []
    assert inside.ward.get("/v1/reviews")["items"] == []


def test_frequency_is_counted_by_the_service_and_the_estimate_is_kept_as_a_claim(ward: Ward) -> None:
    """S1."""
    counted = [ward.submit(reported_frequency="first_time") for _ in range(3)]

    assert [one["frequency"] for one in counted] == [1, 2, 3]
    assert ward.near_miss(counted[2]["id"])["reported_frequency"] == "first_time"


@pytest.mark.parametrize(
    "field", ["occurred_at", "service_id", "incident_type", "classification", "contributing_factors", "staff_involved"]
)
def test_a_submission_that_lacks_a_field_is_told_which(ward: Ward, field: str) -> None:
    """S1."""
    problem = ward.post("/v1/near-misses", report(**{field: None}), expect=422)

    assert pointers(problem) == {f"/{field}"}
    assert ward.get("/v1/near-misses")["items"] == []


def test_everything_that_a_submission_lacks_is_told_at_once(ward: Ward) -> None:
    """S1."""
    problem = ward.post("/v1/near-misses", {"narrative": "Nothing else."}, expect=422)

    assert pointers(problem) == {
        "/occurred_at",
        "/service_id",
        "/incident_type",
        "/classification",
        "/contributing_factors",
        "/staff_involved",
    }


def test_no_record_is_without_its_similarity_check(ward: Ward) -> None:
    """S2: recorded with the near miss, returned, and standing in its first event; no match is a check as well."""
    first = ward.submit()
    second = ward.submit()

    assert checked(first)["matched_ids"] == []
    assert checked(first)["outcome"] == "below_threshold"
    assert checked(second) == {
        "rule_id": "similar",
        "key": {"service_id": "willow-house", "incident_type": "medication", "deviation": "omitted"},
        "window": "P14D",
        "threshold": 3,
        "count": 2,
        "matched_ids": [first["id"]],
        "outcome": "below_threshold",
    }
    (recorded,) = ward.get(f"/v1/near-misses/{second['id']}/history")["items"]
    assert recorded["data"]["similarity_check"]["policy_version"] == second["similarity_check"]["policy_version"] == 1


def test_a_correction_is_checked_again_for_the_key_that_it_moves_to(ward: Ward) -> None:
    """S2: two of one kind and a third that was taken for another: corrected, it opens their review."""
    ward.submit()
    ward.submit()
    mistaken = ward.submit(deviation="late")

    corrected = ward.correct(mistaken["id"], deviation="omitted")

    (escalation,) = ward.escalations()
    assert checked(corrected)["outcome"] == "escalated"
    assert corrected["escalation_ids"] == [escalation["id"]]
    assert corrected["frequency"] == 3
    (revision,) = corrected["revisions"]
    assert (revision["version"], revision["changed"]) == (2, ["deviation"])


def test_a_correction_takes_a_member_to_another_key_and_the_review_stays_open(ward: Ward) -> None:
    """S2: what it leaves loses its support, which is flagged and closes nothing."""
    members = [ward.submit() for _ in range(3)]

    ward.correct(members[0]["id"], deviation="late")

    (escalation,) = ward.escalations()
    assert kinds(escalation)[members[0]["id"]] == "withdrawn"
    assert "support_below_threshold" in escalation["flags"]
    assert escalation["status"] == "awaiting_ack"


def test_a_report_that_comes_late_completes_the_pattern_it_belongs_to(inside: Inside) -> None:
    """S2: judged by when it happened; the escalation says how late that was found."""
    for _ in range(2):
        inside.ward.submit(occurred_at="2026-03-01T09:00:00Z")
    inside.clock.advance(days=40)

    inside.ward.submit(occurred_at="2026-03-02T09:00:00Z")

    (escalation,) = inside.ward.escalations()
    assert escalation["detected_late"] is True
    assert escalation["detection_delay"] == "P40DT3600S"


def test_a_fourth_similar_report_attaches_and_opens_nothing(ward: Ward) -> None:
    """S3."""
    for _ in range(3):
        ward.submit()

    fourth = ward.submit()

    (escalation,) = ward.escalations()
    assert checked(fourth)["outcome"] == "attached"
    assert kinds(escalation)[fourth["id"]] == "member"
    assert fourth["escalation_ids"] == [escalation["id"]]
    assert len(ward.get("/v1/reviews")["items"]) == 1


def test_harm_on_the_key_attaches_as_related_and_is_not_counted(ward: Ward) -> None:
    """S3: a worse event concerns the open review, and never switches the alarm off."""
    for _ in range(3):
        ward.submit()

    harm = ward.submit(classification="harm_incident")

    (escalation,) = ward.escalations()
    assert kinds(escalation)[harm["id"]] == "related"
    assert checked(harm)["outcome"] == "related"
    assert harm["frequency"] == 1


def test_harm_that_could_have_been_severe_opens_a_review_at_once(ward: Ward) -> None:
    """S3: the default policy's second rule."""
    ward.submit(potential_harm="severe")

    (escalation,) = ward.escalations()
    assert escalation["rule_id"] == "grave"


def test_three_equipment_reports_without_a_deviation_open_one_review(ward: Ward) -> None:
    """S3: what nobody said is a key of its own."""
    for _ in range(3):
        ward.submit(incident_type="equipment", deviation=None)

    (escalation,) = ward.escalations()
    assert escalation["key"] == {"service_id": "willow-house", "incident_type": "equipment", "deviation": None}


def test_two_near_misses_and_one_incident_without_harm_open_one_review(ward: Ward) -> None:
    """S3: repetition matters more than outcome."""
    ward.submit()
    ward.submit()

    ward.submit(classification="no_harm_incident")

    assert len(ward.escalations()) == 1


def test_a_report_of_a_service_that_is_not_known_is_unkeyed_where_the_rule_needs_it(ward: Ward) -> None:
    """S2: `unknown` is a missing part of a key; a rule that people wrote leaves such a report out and says so."""
    rule = {"id": "by-service", "threshold": 2, "window": "P14D", "group_by": ["service_id"]}
    ward.put("/v1/policy", {"rules": [rule]})

    told = [ward.submit(service_id="unknown") for _ in range(3)]

    assert [check["outcome"] for one in told for check in one["similarity_check"]["rules"]] == ["unkeyed"] * 3
    assert ward.escalations() == []


def test_a_service_that_is_not_registered_is_taken_and_flagged(ward: Ward) -> None:
    """S3: its reports count, and an alias of a registered one counts as that one."""
    ward.put("/v1/services/ash-court", {"name": "Ash Court", "service_type": "care_home", "aliases": ["Ash Ct"]})

    assert ward.submit(service_id="somewhere")["flags"] == ["unregistered_service"]
    assert ward.submit(service_id="Ash Ct")["service_id"] == "ash-court"


# The review


def reviewed(ward: Ward, **changes: Any) -> dict[str, Any]:
    """An escalation that three similar near misses have opened."""
    for _ in range(3):
        ward.submit(**changes)
    return ward.escalations()[-1]


def test_a_closure_names_every_gate_that_is_not_met(ward: Ward) -> None:
    """S4."""
    escalation = reviewed(ward)

    problem = ward.review(escalation["review_id"], "closure", CLOSURE, expect=409)

    assert problem["type"].endswith("gate-not-met")
    assert gates(problem) == {
        "no_system_cause": [],
        "system_risk_not_assessed": [],
        "safeguarding_not_considered": [],
        "workflow_stage_not_identified": list(kinds(escalation)),
        "no_action_agreed": [],
    }


def test_the_gates_fall_one_by_one(ward: Ward) -> None:
    """S4, S6: each step takes one of them away, and only then does the review close."""
    escalation = reviewed(ward)
    review_id, members = escalation["review_id"], list(kinds(escalation))
    ward.review(review_id, "start", {})
    steps: list[tuple[str, Any, str]] = [
        ("causes", CAUSES, "no_system_cause"),
        ("system-risk", SYSTEM_RISK, "system_risk_not_assessed"),
        ("safeguarding", SAFEGUARDING, "safeguarding_not_considered"),
        ("workflow-links", {"near_miss_ids": members, "link": LINK}, "workflow_stage_not_identified"),
        ("actions", ACTION, "no_action_for_system_risk"),
    ]

    for step, body, gate in steps:
        before = gates(ward.review(review_id, "closure", CLOSURE, expect=409))
        ward.review(review_id, step, body)
        assert gate in before

    closed = ward.review(review_id, "closure", CLOSURE)
    assert closed["status"] == "closed"
    assert closed["closure"]["code"] == "action_agreed"
    assert closed["closure"]["summary"] == CLOSURE["summary"]


def test_the_start_of_a_review_acknowledges_its_escalation(ward: Ward) -> None:
    """S4."""
    escalation = reviewed(ward)

    ward.review(escalation["review_id"], "start", {})

    assert ward.escalation(escalation["id"])["status"] == "under_review"
    assert ward.escalation(escalation["id"])["owner"]


def test_a_cause_in_a_person_is_no_system_cause(ward: Ward) -> None:
    """S4."""
    escalation = reviewed(ward)

    ward.review(escalation["review_id"], "causes", {"causes": [{"code": "individual", "kind": "individual"}]})

    assert "no_system_cause" in gates(ward.review(escalation["review_id"], "closure", CLOSURE, expect=409))


def test_no_pattern_needs_leadership_to_countersign_instead_of_a_cause(inside: Inside) -> None:
    """S4: so that causes are not invented; a manager's key may not countersign."""
    ward = inside.ward
    escalation = reviewed(ward)
    review_id = escalation["review_id"]
    manager = inside.holding("near-misses:write", "near-misses:read", "reviews:act")
    leadership = inside.holding("governance:act")
    closure = {"code": "not_a_pattern", "summary": "Three unrelated residents."}
    rationale = {"rationale": "The charts agree."}
    manager.review(review_id, "system-risk", NO_SYSTEM_RISK)
    manager.review(review_id, "safeguarding", SAFEGUARDING)
    manager.review(review_id, "workflow-links", {"near_miss_ids": list(kinds(escalation)), "link": LINK})

    refused = manager.review(review_id, "closure", closure, expect=409)
    manager.review(review_id, "countersignature", rationale, expect=403)
    leadership.review(review_id, "countersignature", rationale)

    assert set(gates(refused)) == {"countersignature_missing"}
    assert manager.review(review_id, "closure", closure)["status"] == "closed"


def test_a_stage_that_nobody_knows_is_stored_and_passes_no_gate(ward: Ward) -> None:
    """S8."""
    escalation = reviewed(ward)
    members = list(kinds(escalation))

    linked = ward.link(members[0], stage_allowed="unknown")
    ward.link(members[1])
    ward.link(members[2])

    assert linked["workflow_link"]["stage_allowed"] == "unknown"
    assert gates(ward.review(escalation["review_id"], "closure", CLOSURE, expect=409))[
        "workflow_stage_not_identified"
    ] == [members[0]]


def test_a_visit_is_mapped_against_the_three_assumptions_before_its_review_closes(ward: Ward) -> None:
    """S9."""
    escalation = reviewed(ward, incident_type="visit", deviation="late")
    members = list(kinds(escalation))
    link = {**LINK, "stage_affected": "check_in", "stage_allowed": "travel"}
    review_id = escalation["review_id"]
    half = {"travel_time": {"planned_minutes": 10, "actual_minutes": 25}}
    ward.review(review_id, "workflow-links", {"near_miss_ids": members, "link": {**link, "mapped_against": half}})

    refused = gates(ward.review(review_id, "closure", CLOSURE, expect=409))
    ward.review(review_id, "workflow-links", {"near_miss_ids": members, "link": {**link, "mapped_against": MAPPED}})

    assert refused["not_mapped"] == members
    assert "not_mapped" not in gates(ward.review(review_id, "closure", CLOSURE, expect=409))


@pytest.mark.parametrize("field", list(LINK))
def test_a_workflow_link_that_lacks_a_field_is_told_which(ward: Ward, field: str) -> None:
    """S7."""
    near_miss = ward.submit()
    body = {name: value for name, value in LINK.items() if name != field}

    problem = ward.put(f"/v1/near-misses/{near_miss['id']}/workflow-link", body, expect=422)

    assert pointers(problem) == {f"/{field}"}


def test_a_near_miss_that_stands_in_an_open_escalation_cannot_be_closed_by_itself(ward: Ward) -> None:
    """S6."""
    escalation = reviewed(ward)
    first = next(iter(kinds(escalation)))

    unlinked = ward.post(f"/v1/near-misses/{first}/closure", {"outcome": "Spoken about."}, expect=409)
    ward.link(first)
    standing = ward.post(f"/v1/near-misses/{first}/closure", {"outcome": "Spoken about."}, expect=409)

    assert set(gates(unlinked)) == {"workflow_stage_not_identified", "open_escalation"}
    assert gates(standing) == {"open_escalation": [escalation["id"]]}
    assert ward.near_miss(first)["status"] == "in_review"


def test_a_near_miss_of_no_escalation_closes_once_it_is_linked(ward: Ward) -> None:
    """S6."""
    near_miss = ward.submit()
    assert near_miss["status"] == "awaiting_workflow_link"

    linked = ward.link(near_miss["id"])
    closed = ward.post(f"/v1/near-misses/{near_miss['id']}/closure", {"outcome": "Spoken about."})

    assert (linked["status"], closed["status"]) == ("linked", "closed")
    assert closed["closure"]["outcome"] == "Spoken about."


def test_closing_a_review_closes_its_members_and_frees_the_key(ward: Ward) -> None:
    """S3, S6: the consumed help no later crossing; the next three do, as an episode that names the former."""
    former = reviewed(ward)

    ward.close(former)
    ward.submit()
    ward.submit()
    assert len(ward.escalations()) == 1
    ward.submit()

    later = ward.escalations()[-1]
    assert ward.escalation(former["id"])["status"] == "closed"
    assert [ward.near_miss(one)["status"] for one in kinds(former)] == ["closed"] * 3
    assert later["previous_episode_id"] == former["id"]
    assert set(kinds(later)).isdisjoint(kinds(former))


def test_a_review_that_closes_with_an_action_leaves_its_escalation_watched(ward: Ward) -> None:
    """S4: it is no longer open: a new crossing opens a new episode."""
    former = reviewed(ward)
    review_id = former["review_id"]
    ward.review(review_id, "causes", CAUSES)
    ward.review(review_id, "system-risk", SYSTEM_RISK)
    ward.review(review_id, "safeguarding", SAFEGUARDING)
    ward.review(review_id, "workflow-links", {"near_miss_ids": list(kinds(former)), "link": LINK})
    ward.review(review_id, "actions", ACTION)
    ward.review(review_id, "closure", CLOSURE)

    later = reviewed(ward)

    assert ward.escalation(former["id"])["status"] == "monitoring_outcome"
    assert later["previous_episode_id"] == former["id"]
    (action,) = ward.get(f"/v1/reviews/{review_id}")["actions"]
    assert (action["description"], action["owner"], action["due"]) == tuple(ACTION.values())


def test_a_closed_review_takes_nothing_more(ward: Ward) -> None:
    """S4: closing it again the same way is no error."""
    escalation = reviewed(ward)
    ward.close(escalation)
    version = ward.get(f"/v1/reviews/{escalation['review_id']}")["version"]

    problem = ward.review(escalation["review_id"], "causes", CAUSES, expect=409)
    again = ward.review(escalation["review_id"], "closure", {"code": "no_action_needed", "summary": "Once more."})

    assert set(gates(problem)) == {"review-already-closed"}
    assert again["version"] == version


def test_a_withdrawal_after_the_crossing_is_flagged_and_closes_nothing(ward: Ward) -> None:
    """S2, S3."""
    escalation = reviewed(ward)
    first = next(iter(kinds(escalation)))

    withdrawn = ward.withdraw(first)

    after = ward.escalation(escalation["id"])
    assert withdrawn["status"] == "withdrawn"
    assert withdrawn["escalation_ids"] == []
    assert "support_below_threshold" in after["flags"]
    assert after["status"] == "awaiting_ack"
    assert kinds(after)[first] == "withdrawn"
    assert ward.get(f"/v1/reviews/{escalation['review_id']}")["status"] == "open"


def test_a_withdrawal_before_the_third_takes_the_pattern_away(ward: Ward) -> None:
    """S3."""
    first = ward.submit()
    ward.submit()
    ward.withdraw(first["id"])

    third = ward.submit()

    assert third["frequency"] == 2
    assert ward.escalations() == []


def test_what_two_systems_told_of_is_one_record_with_both_sources(ward: Ward) -> None:
    """S18: the duplicate is kept, not counted, and its source is named at the one that stays."""
    master = ward.submit(source="emar", source_event_id="e-1")
    duplicate = ward.submit(source="rota", source_event_id="r-1")
    ward.submit()

    marked = ward.mark_duplicate(duplicate["id"], master["id"])

    assert (marked["status"], marked["duplicate_of"]) == ("duplicate", master["id"])
    assert ward.near_miss(master["id"])["other_sources"] == [
        {"near_miss_id": duplicate["id"], "source": "rota", "source_event_id": "r-1"}
    ]
    assert "support_below_threshold" in ward.escalations()[0]["flags"]


def test_details_of_a_record_that_was_complete_from_the_first_are_refused(ward: Ward) -> None:
    """S1: details complete what a system left out; whatever is said anew is a correction."""
    near_miss = ward.submit()

    problem = ward.post(
        f"/v1/near-misses/{near_miss['id']}/details", {"contributing_factors": ["staffing"]}, expect=409
    )

    assert gates(problem)


def test_a_lower_threshold_finds_what_has_just_happened(ward: Ward) -> None:
    """S2: a new version of the policy looks at (now - W, now], and the escalation keeps the version that opened it."""
    ward.submit()
    ward.submit()
    policy = ward.get("/v1/policy")
    version = policy.pop("version")
    policy["rules"][0]["threshold"] = 2

    ward.put("/v1/policy", policy)

    (escalation,) = ward.escalations()
    assert escalation["policy_version"] == version + 1
    ward.submit()
    assert len(ward.escalations()) == 1


def checked(near_miss: dict[str, Any]) -> dict[str, Any]:
    """What the default policy's first rule found."""
    return next(rule for rule in near_miss["similarity_check"]["rules"] if rule["rule_id"] == "similar")
