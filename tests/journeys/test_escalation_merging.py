"""One escalation goes on in another, or on another version's ladder: nobody and nothing is lost on the way."""

from typing import Any

import pytest

from tests.journeys.inside import Inside
from tests.journeys.ladder import adopt, after, crossing, deadlines, let_pass, person, say, story, told
from tests.journeys.ward import Ward, kinds, pointers


def both(ward: Ward) -> tuple[dict[str, Any], dict[str, Any]]:
    """An escalation about omitted doses, and one about late ones."""
    return crossing(ward), crossing(ward, deviation="late")


# Merging


def test_the_near_misses_of_a_merged_escalation_become_members_where_it_goes_on(ward: Ward) -> None:
    merged, target = both(ward)

    answer = say(ward, merged, "merge", {"into": target["id"]})

    grown = ward.escalation(target["id"])
    assert (answer["status"], answer["merged_into"], answer["next_deadlines"]) == ("merged", target["id"], [])
    assert ward.escalations(status="merged") == [answer]
    assert kinds(grown) == dict.fromkeys([*kinds(merged), *kinds(target)], "member")
    assert (grown["status"], deadlines(grown)) == ("awaiting_ack", deadlines(target))
    first = ward.near_miss(next(iter(kinds(merged))))
    assert (first["status"], first["escalation_ids"]) == (
        "awaiting_workflow_link",
        sorted([merged["id"], target["id"]]),
    )


def test_the_review_of_a_merged_escalation_points_to_the_one_that_closes_its_near_misses(ward: Ward) -> None:
    """S6."""
    merged, target = both(ward)
    say(ward, merged, "merge", {"into": target["id"]})

    ward.close(ward.escalation(target["id"]))

    review = ward.get(f"/v1/reviews/{merged['review_id']}")
    assert (review["status"], review["merged_into"]) == ("merged", target["review_id"])
    closures = [ward.near_miss(one)["closure"]["review_id"] for one in (*kinds(merged), *kinds(target))]
    assert closures == [target["review_id"]] * 6


@pytest.mark.parametrize(
    ("step", "body"),
    [
        ("acknowledgement", None),
        ("handover", {"to": "deputy"}),
        ("manual-escalation", {"if_epoch": 0}),
        ("snooze", {"until": "2026-03-03T09:00:00Z"}),
        ("policy", {"version": 1}),
        ("merge", {"into": "third"}),
    ],
)
def test_what_was_merged_takes_no_command_and_says_where_to_go_on(ward: Ward, step: str, body: Any) -> None:
    merged, target = both(ward)
    say(ward, merged, "merge", {"into": target["id"]})
    third = crossing(ward, deviation="extra") if step == "merge" else target

    problem = say(ward, merged, step, {"into": third["id"]} if step == "merge" else body, expect=409)

    assert problem["type"].endswith(":escalation-not-open")
    assert target["id"] in problem["detail"]


def test_merging_twice_into_the_same_one_changes_nothing(ward: Ward) -> None:
    merged, target = both(ward)
    once = say(ward, merged, "merge", {"into": target["id"]})

    assert say(ward, merged, "merge", {"into": target["id"]}) == once
    assert ward.escalation(target["id"])["version"] == target["version"] + 3


def test_an_escalation_goes_on_only_in_another_one_that_is_open(inside: Inside) -> None:
    ward = inside.ward
    one, other = both(ward)
    closed, merged = crossing(ward, deviation="extra"), crossing(ward, deviation="wrong_dose")
    ward.close(closed)
    say(ward, merged, "merge", {"into": other["id"]})

    for into in (closed, merged, one):
        problem = say(ward, one, "merge", {"into": into["id"]}, expect=409)
        assert problem["type"].endswith(":merge-target-not-open")
    assert ward.escalation(one["id"]) == one


def test_an_id_that_is_not_known_here_is_a_fault_of_the_body(inside: Inside) -> None:
    theirs, mine = crossing(inside.other), crossing(inside.ward)

    for into in ("esc_none", theirs["id"], ""):
        assert pointers(say(inside.ward, mine, "merge", {"into": into}, expect=422)) == {"/into"}
    assert inside.ward.escalation(mine["id"]) == mine


def test_a_chain_of_merges_ends_where_it_is_open(ward: Ward) -> None:
    first, second = both(ward)
    third = crossing(ward, deviation="extra")
    say(ward, first, "merge", {"into": second["id"]})
    say(ward, second, "merge", {"into": third["id"]})

    assert len(kinds(ward.escalation(third["id"]))) == 9
    say(ward, third, "merge", {"into": first["id"]}, expect=409)


def test_harm_that_is_only_related_goes_on_as_related(ward: Ward) -> None:
    merged, target = both(ward)
    harm = ward.submit(classification="harm_incident")

    say(ward, merged, "merge", {"into": target["id"]})

    assert kinds(ward.escalation(target["id"]))[harm["id"]] == "related"
    ward.link(harm["id"])
    ward.post(f"/v1/near-misses/{harm['id']}/closure", {"outcome": "Spoken about."}, expect=409)


def test_merging_what_is_graver_ends_the_rest_of_what_it_goes_on_in(inside: Inside) -> None:
    ward = inside.ward
    merged, target = both(ward)
    ward.submit(potential_harm="death")
    ward.submit(potential_harm="death")
    say(ward, target, "snooze", {"until": "2026-03-03T09:00:00Z"})

    say(ward, merged, "merge", {"into": target["id"]})

    awake = ward.escalation(target["id"])
    assert (awake["status"], awake["epoch"]) == ("awaiting_ack", 1)
    assert story(inside, target).count("re_alarmed") == 1


def test_merging_what_is_no_graver_is_told_to_the_owner_who_stays_it(inside: Inside) -> None:
    merged, target = both(inside.ward)
    say(person(inside, "manager-2"), target, "acknowledgement")

    say(inside.ward, merged, "merge", {"into": target["id"]})

    assert inside.ward.escalation(target["id"])["owner"] == "manager-2"
    (_, acknowledged), *grown = told(inside, target)[1:]
    assert [(name, data["notify"]) for name, data in grown] == [("member_added", [acknowledged["by"]])] * 3


def test_a_near_miss_that_is_withdrawn_is_so_where_it_went_on_too(ward: Ward) -> None:
    merged, target = both(ward)
    first, second, _ = kinds(merged)
    say(ward, merged, "merge", {"into": target["id"]})

    ward.withdraw(first)
    ward.mark_duplicate(second, next(iter(kinds(target))))

    standing = kinds(ward.escalation(target["id"]))
    assert (standing[first], standing[second]) == ("withdrawn", "withdrawn")
    assert ward.near_miss(first)["escalation_ids"] == [merged["id"]]


# Another version of the policy


def test_another_versions_ladder_is_climbed_from_its_foot_at_once(inside: Inside) -> None:
    escalation = crossing(inside.ward)
    say(inside.ward, escalation, "manual-escalation", {"if_epoch": 0})
    say(inside.ward, escalation, "acknowledgement")
    version = adopt(inside.ward, [{"to": ["operations"], "timeout": "PT6H"}, {"to": ["admin"], "timeout": "P1D"}])
    assert inside.ward.escalation(escalation["id"])["policy_version"] == 1
    inside.clock.advance(hours=1)

    moved = say(inside.ward, escalation, "policy", {"version": version["version"]})
    let_pass(inside, hours=6)

    assert (moved["policy_version"], moved["status"], moved["level"]) == (2, "awaiting_ack", 0)
    assert moved["contacts"] == ["operations"]
    assert deadlines(moved) == {"ack_due": after(hours=7), "review_due": after(days=14)}
    assert inside.ward.escalation(escalation["id"])["contacts"] == ["admin"]


def test_an_escalation_stays_where_it_is_on_the_version_that_it_has(ward: Ward) -> None:
    escalation = crossing(ward)

    assert say(ward, escalation, "policy", {"version": 1}) == escalation


def test_a_version_that_never_was_or_lacks_the_rule_is_not_found(ward: Ward) -> None:
    escalation = crossing(ward)
    ward.put("/v1/policy", {"rules": [{"id": "another", "group_by": ["service_id"], "threshold": 3, "window": "P14D"}]})

    for version in (2, 3):
        problem = say(ward, escalation, "policy", {"version": version}, expect=404)
        assert "GET /v1/policy/versions" in problem["detail"]
    assert pointers(say(ward, escalation, "policy", {"version": 0}, expect=422)) == {"/version"}
    assert ward.escalation(escalation["id"]) == escalation
