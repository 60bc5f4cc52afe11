"""Notices over HTTP: whoever asks for a role's or a person's is told why, once for each command, and of nobody else."""

from typing import Any

import pytest

from tests.journeys.inside import Inside
from tests.journeys.ward import ACTION, Ward

NOTICES = "/v1/notices"


def raised(ward: Ward, **changes: Any) -> dict[str, Any]:
    """An escalation that three reports raise."""
    for _ in range(3):
        last = ward.submit(**changes)
    return ward.escalation(last["escalation_ids"][0])


def told(ward: Ward, **filters: Any) -> list[tuple[str, str]]:
    return [(one["to"], one["why"]) for one in ward.get(NOTICES, **filters)["items"]]


def test_a_crossing_tells_the_manager_why_of_what_and_until_when(ward: Ward) -> None:
    escalation = raised(ward)

    (notice,) = ward.get(NOTICES, to="manager")["items"]

    assert notice.pop("id").startswith("ntc_")
    assert notice == {
        "sequence": escalation["sequence"],
        "to": "manager",
        "why": "opened",
        "whys": ["opened"],
        "subject": {"kind": "escalation", "id": escalation["id"]},
        "escalation_id": escalation["id"],
        "review_id": escalation["review_id"],
        "service_id": "willow-house",
        "level": 0,
        "coalesced": 1,
        "respond_by": "2026-03-03T10:00:00.000000Z",
        "recorded_at": "2026-03-02T10:00:00.000000Z",
        "links": {"self": f"/v1/escalations/{escalation['id']}"},
    }
    assert ward.get(notice["links"]["self"]) == escalation


def test_who_was_asked_again_and_again_while_nothing_ran_is_told_once(inside: Inside) -> None:
    escalation = raised(inside.ward)
    inside.clock.advance(days=6)
    inside.ward.post(f"/v1/escalations/{escalation['id']}/acknowledgement", {})

    (notice,) = inside.ward.get(NOTICES, to="leadership")["items"]

    assert (notice["coalesced"], notice["whys"]) == (3, ["chain_exhausted"])
    assert (notice["first_scheduled_at"][:10], notice["scheduled_at"][:10]) == ("2026-03-06", "2026-03-08")
    assert notice["respond_by"] == "2026-03-09T10:00:00.000000Z"


def test_a_person_finds_their_own_by_the_reference_that_the_organisation_knows_them_by(ward: Ward) -> None:
    escalation = raised(ward)
    ward.post(f"/v1/escalations/{escalation['id']}/handover", {"to": "deputy-1"})

    assert told(ward, to="deputy-1") == [("deputy-1", "handed_over")]
    assert told(ward, to="deputy-2") == []


def test_a_key_that_took_it_on_finds_its_own_by_its_name(ward: Ward) -> None:
    escalation = raised(ward)
    owner = ward.post(f"/v1/escalations/{escalation['id']}/acknowledgement", {})["owner"]
    ward.submit()

    assert owner.startswith("key/")
    assert told(ward, to=owner) == [(owner, "grew")]


def test_notices_are_walked_newest_first_page_by_page_also_those_of_one_event(inside: Inside) -> None:
    ward = inside.ward
    steps = [{"to": ["manager", "deputy", "carer-9"], "timeout": "P1D"}, {"to": ["operations"], "timeout": "P1D"}]
    ward.put(
        "/v1/policy",
        {
            "rules": [
                {"id": "r", "group_by": ["service_id"], "threshold": 3, "window": "P14D", "ladder": {"steps": steps}}
            ]
        },
    )
    raised(ward)

    for limit in (1, 2, 3):
        walked: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            page = ward.get(NOTICES, limit=limit, **cursor)
            walked += page["items"]
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert [one["to"] for one in walked if one["why"] == "opened"] == ["carer-9", "deputy", "manager"]
        assert [one["sequence"] for one in walked] == sorted((one["sequence"] for one in walked), reverse=True)
        assert len({one["id"] for one in walked}) == len(walked)


def test_a_cursor_of_another_list_is_refused(ward: Ward) -> None:
    raised(ward)
    cursor = ward.get("/v1/near-misses", limit=1)["next_cursor"]

    refused = ward.get(NOTICES, expect=422, cursor=cursor)

    assert refused["errors"][0]["code"] == "unknown-cursor"


def test_each_filter_leaves_what_it_names(inside: Inside) -> None:
    ward = inside.ward
    first = raised(ward)
    inside.clock.advance(hours=1)
    second = raised(ward, service_id="rowan-homecare")
    ward.review(first["review_id"], "actions", {**ACTION, "due": "2026-03-02T12:00:00Z"})
    inside.clock.advance(hours=2)
    (action,) = ward.get("/v1/actions")["items"]
    ward.post(f"/v1/actions/{action['id']}/progress", {"note": "Half of it is done."})

    assert {one["escalation_id"] for one in ward.get(NOTICES, escalation_id=second["id"])["items"]} == {second["id"]}
    assert {one["service_id"] for one in ward.get(NOTICES, service_id="rowan-homecare")["items"]} == {"rowan-homecare"}
    overdue = ward.get(NOTICES, recorded_after="2026-03-02T11:00:00Z")["items"]
    assert {(one["to"], one["why"]) for one in overdue} == {
        ("manager", "action_overdue"),
        ("manager-2", "action_overdue"),
    }
    assert {one["action_id"] for one in overdue} == {action["id"]}
    assert {one["links"]["self"] for one in overdue} == {f"/v1/actions/{action['id']}"}
    assert {one["id"] for one in overdue} <= {
        one["id"] for one in ward.get(NOTICES, escalation_id=first["id"])["items"]
    }


def test_who_asks_on_from_the_newest_sequence_is_told_what_is_new_and_nothing_twice(ward: Ward) -> None:
    raised(ward)
    (seen,) = ward.get(NOTICES, after=0)["items"]

    ward.submit()

    assert told(ward, after=seen["sequence"]) == [("manager", "grew")]
    assert told(ward, after=10**9) == []


def test_what_was_told_since_the_answer_began_is_not_shown_for_it_may_be_half_a_command(
    inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    escalation = raised(inside.ward)
    before = told(inside.ward)
    inside.clock.advance(days=6)
    inside.ward.post(f"/v1/escalations/{escalation['id']}/acknowledgement", {})
    assert len(told(inside.ward)) == len(before) + 3

    # As if the follower had gone on in the middle of that, while the ledger had come so far when it was asked.
    monkeypatch.setattr("app.api.looking.catch_up", lambda *_: escalation["sequence"])

    assert told(inside.ward) == before


def test_another_organisation_is_told_nothing(inside: Inside) -> None:
    raised(inside.ward)

    assert told(inside.other) == []


def test_a_notice_says_nothing_of_what_was_reported_and_names_nobody_but_whom_it_is_for(inside: Inside) -> None:
    raised(inside.ward, person_ref="resident-31")
    inside.clock.advance(days=20)
    inside.ward.submit(service_id="ash-court")

    shown = str(inside.ward.get(NOTICES))

    assert not any(word in shown for word in ("staff-7", "resident-31", "carer", "dose", "medication"))
