"""What a system posted without its details is completed by a person: named, once, and counted by its new key."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from tests import office
from tests.journeys.inside import Inside
from tests.journeys.ward import REPORT, Ward, gates, kinds, pointers

NOT_GIVEN = {"contributing_factors": None, "staff_involved": None}
"""What the system of these stories leaves out."""

DETAILS: dict[str, Any] = {
    "contributing_factors": ["staffing", "workload"],
    "staff_involved": [{"ref": "staff-9", "role": "nurse"}],
}


def room_of(inside: Inside) -> office.Office:
    """The rooms behind the door: intake has no route of its own yet."""
    return office.Office(inside.house, office.Clock(inside.clock()))


def posted(inside: Inside, **changes: Any) -> dict[str, Any]:
    """A near miss that came in by intake, without staff and factors; None takes a field out."""
    return room_of(inside).submit(intake=True, **{**REPORT, **NOT_GIVEN, **changes})


def path(near_miss_id: str) -> str:
    return f"/v1/near-misses/{near_miss_id}/details"


def complete(ward: Ward, near_miss_id: str, expect: int = 200, **details: Any) -> dict[str, Any]:
    """The usual details and what is said besides; None takes one out."""
    said = {name: value for name, value in {**DETAILS, **details}.items() if value is not None}
    return ward.post(path(near_miss_id), said, expect)


def answer(ward: Ward, near_miss_id: str, body: object = DETAILS, **headers: str) -> httpx2.Response:
    return ward.client.post(path(near_miss_id), json=body, headers={**ward.headers, **headers})


def similar(near_miss: dict[str, Any]) -> tuple[str, int]:
    """What the default policy's first rule made of it, and how many it counted."""
    rule = next(one for one in near_miss["similarity_check"]["rules"] if one["rule_id"] == "similar")
    return rule["outcome"], rule["count"]


def test_a_person_adds_what_the_system_could_not_give_and_everybody_reads_it(inside: Inside) -> None:
    """S1."""
    near_miss = posted(inside)
    awaited = (near_miss["status"], near_miss["awaiting"])
    nurse = inside.holding("near-misses:write", actor="senior-nurse")

    done = complete(nurse, near_miss["id"], narrative="Found at the evening round.")

    assert awaited == ("awaiting_details", ["contributing_factors", "staff_involved"])
    assert (done["status"], done.get("awaiting", [])) == ("awaiting_workflow_link", [])
    assert done["contributing_factors"] == ["staffing", "workload"]
    assert [one["ref"] for one in done["staff_involved"]] == ["staff-9"]
    assert done["narrative"] == "Found at the evening round."
    assert inside.ward.near_miss(near_miss["id"]) == done


def test_the_history_says_who_completed_what_and_the_ledger_keeps_it_sealed(inside: Inside) -> None:
    near_miss = posted(inside)
    nurse = inside.holding("near-misses:write", actor="senior-nurse")
    complete(nurse, near_miss["id"], narrative="Found at the evening round.")

    recorded, completed = inside.ward.get(f"/v1/near-misses/{near_miss['id']}/history")["items"]

    assert recorded["type"] == "forewarn.near_miss.recorded.v1"
    assert completed["type"] == "forewarn.near_miss.details_completed.v1"
    assert completed["actor"] == room_of(inside).person("senior-nurse").name
    assert completed["data"]["completed"] == ["contributing_factors", "narrative", "staff_involved"]
    stored = room_of(inside).ledger()[-1]
    assert stored.type == "near_miss.details_completed"
    assert not [word for word in ("staff-9", "evening round") if word in stored.payload]


def test_how_it_was_before_its_details_can_still_be_read(inside: Inside) -> None:
    near_miss = posted(inside)
    complete(inside.ward, near_miss["id"])

    before = inside.ward.near_miss(near_miss["id"], as_of=near_miss["sequence"])

    assert before["status"] == "awaiting_details"
    assert "contributing_factors" not in before


@pytest.mark.parametrize("field", ["contributing_factors", "staff_involved", "service_id"])
def test_a_detail_that_is_still_missing_is_named_and_nothing_is_kept_of_the_others(inside: Inside, field: str) -> None:
    """S1: details come all at once, or not at all."""
    near_miss = posted(inside, service_id=None)

    problem = complete(inside.ward, near_miss["id"], expect=422, **{"service_id": "willow-house", field: None})

    assert pointers(problem) == {f"/{field}"}
    assert inside.ward.near_miss(near_miss["id"]) == near_miss


def test_everything_that_is_still_missing_is_named_at_once(inside: Inside) -> None:
    """S1."""
    near_miss = posted(inside, service_id=None)

    problem = inside.ward.post(path(near_miss["id"]), {"narrative": "Nothing else."}, expect=422)

    assert pointers(problem) == {"/contributing_factors", "/staff_involved", "/service_id"}


def test_who_was_there_may_stay_unknown_when_the_reason_is_said(inside: Inside) -> None:
    near_miss = posted(inside)

    done = complete(inside.ward, near_miss["id"], staff_involved=None, staff_not_known_reason="Agency staff, unnamed.")

    assert done["status"] == "awaiting_workflow_link"


def test_a_detail_that_no_taxonomy_knows_is_refused(inside: Inside) -> None:
    near_miss = posted(inside)

    problem = complete(inside.ward, near_miss["id"], expect=422, contributing_factors=["workload", "moon_phase"])

    assert pointers(problem) == {"/contributing_factors/1"}
    assert inside.ward.near_miss(near_miss["id"])["status"] == "awaiting_details"


def test_details_that_are_there_are_corrected_not_completed_again(inside: Inside) -> None:
    near_miss = posted(inside)
    done = complete(inside.ward, near_miss["id"])

    problem = complete(inside.ward, near_miss["id"], expect=409, contributing_factors=["staffing"])

    assert problem["type"].endswith("gate-not-met")
    assert gates(problem)
    assert inside.ward.near_miss(near_miss["id"]) == done


def test_what_was_withdrawn_awaits_no_details_any_more(inside: Inside) -> None:
    near_miss = posted(inside)
    inside.ward.withdraw(near_miss["id"])

    assert gates(complete(inside.ward, near_miss["id"], expect=409))
    assert inside.ward.near_miss(near_miss["id"])["status"] == "withdrawn"


def test_only_a_key_that_may_write_near_misses_of_this_organisation_completes_them(inside: Inside) -> None:
    near_miss = posted(inside)
    reader = inside.holding("near-misses:read", "reviews:act", "audit:read")

    answers = [answer(ward, near_miss["id"]) for ward in (Ward(inside.client), reader, inside.other)]
    nobody_s = answer(inside.ward, "nm_of_nobody")

    assert [one.status_code for one in (*answers, nobody_s)] == [401, 403, 404, 404]
    assert inside.ward.near_miss(near_miss["id"]) == near_miss


def test_the_same_request_again_is_answered_as_the_first_time_and_adds_nothing(inside: Inside) -> None:
    near_miss = posted(inside)
    key = {"Idempotency-Key": "d-1"}
    first = answer(inside.ward, near_miss["id"], **key)
    inside.ward.correct(near_miss["id"], deviation="late")

    again = answer(inside.ward, near_miss["id"], **key)
    other = answer(inside.ward, near_miss["id"], {**DETAILS, "narrative": "Other words."}, **key)

    assert (first.status_code, again.status_code) == (200, 200)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json() == first.json()
    assert again.headers["etag"] == first.headers["etag"]
    assert other.status_code == 422
    assert other.json()["type"].endswith("idempotency-key-reused")
    assert room_of(inside).types().count("near_miss.details_completed") == 1


def test_details_for_a_record_that_has_changed_since_are_refused(inside: Inside) -> None:
    near_miss = posted(inside)
    read = inside.client.get(f"/v1/near-misses/{near_miss['id']}", headers=inside.ward.headers).headers["etag"]
    inside.ward.correct(near_miss["id"], deviation="late")

    assert answer(inside.ward, near_miss["id"], **{"If-Match": read}).status_code == 412
    assert inside.ward.near_miss(near_miss["id"])["status"] == "awaiting_details"


def test_of_eight_who_complete_it_at_once_one_does(inside: Inside) -> None:
    near_miss = posted(inside)

    with ThreadPoolExecutor(8) as people:
        answers = list(people.map(lambda _: answer(inside.ward, near_miss["id"]), range(8)))

    assert Counter(one.status_code for one in answers) == {200: 1, 409: 7}
    assert room_of(inside).types().count("near_miss.details_completed") == 1


# Counted anew


def test_the_service_that_a_person_adds_may_complete_a_pattern_and_one_review_opens(inside: Inside) -> None:
    """S2, S3: two in the house, and a third of which nobody knew where it happened."""
    two = [inside.ward.submit() for _ in range(2)]
    near_miss = posted(inside, service_id=None)
    assert similar(near_miss) == ("unkeyed", 0)
    assert inside.ward.escalations() == []

    done = complete(inside.ward, near_miss["id"], service_id="willow-house")

    (escalation,) = inside.ward.escalations()
    (review,) = inside.ward.get("/v1/reviews")["items"]
    assert similar(done) == ("escalated", 3)
    assert done["escalation_ids"] == [escalation["id"]]
    assert escalation["key"] == {"service_id": "willow-house", "incident_type": "medication", "deviation": "omitted"}
    assert kinds(escalation) == {one["id"]: "member" for one in (*two, near_miss)}
    assert review["escalation_id"] == escalation["id"]


def test_the_service_that_a_person_adds_may_join_the_record_to_an_open_review(inside: Inside) -> None:
    """S3: a fourth one is a member of the open episode and opens no second one."""
    three = [inside.ward.submit() for _ in range(3)]
    near_miss = posted(inside, service_id=None)

    done = complete(inside.ward, near_miss["id"], service_id="willow-house")

    (escalation,) = inside.ward.escalations()
    assert similar(done) == ("attached", 4)
    assert done["escalation_ids"] == [escalation["id"]]
    assert kinds(escalation) == {one["id"]: "member" for one in (*three, near_miss)}


def test_a_record_counts_by_what_its_details_say_and_no_longer_by_what_was_missing(inside: Inside) -> None:
    """S2: three without a deviation are one pattern; the one that gets its own leaves that pattern's support."""
    three = [posted(inside, deviation=None) for _ in range(3)]
    inside.ward.submit(deviation="late")

    done = complete(inside.ward, three[0]["id"], deviation="late")

    (escalation,) = inside.ward.escalations()
    assert similar(done) == ("below_threshold", 2)
    assert "support_below_threshold" in escalation["flags"]


def test_details_that_change_no_key_change_no_count(inside: Inside) -> None:
    """S2: what awaits details counts at once, so that its details open nothing anew."""
    three = [posted(inside) for _ in range(3)]
    opened = inside.ward.escalations()

    for one in three:
        complete(inside.ward, one["id"])

    (escalation,) = inside.ward.escalations()
    assert [one["id"] for one in opened] == [escalation["id"]]
    assert kinds(escalation) == kinds(opened[0])
    assert escalation["flags"] == opened[0]["flags"]
