"""Histories: every event of one thing in order, page by page, as it was known then; and nobody else's."""

from typing import Any

import pytest

from tests.journeys import boardroom
from tests.journeys.inside import Inside
from tests.journeys.test_signals import rising
from tests.journeys.ward import ACTION, MONDAY, Ward, text


def lived(inside: Inside) -> dict[str, str]:
    """Something of each kind that has a history of at least two events: its address."""
    ward = inside.ward
    near_misses = [ward.submit() for _ in range(3)]
    ward.link(near_misses[0]["id"])
    (escalation,) = ward.escalations()
    ward.review(escalation["review_id"], "start", {})
    (action,) = ward.review(escalation["review_id"], "actions", ACTION)["actions"]
    ward.post(f"/v1/actions/{action['id']}/progress", {"note": "The sheet is drawn up."})
    board = boardroom.opened(ward)
    boardroom.decided(ward, board, escalation["id"])
    rising(inside, service_id="yew-house")
    (signal,) = ward.get("/v1/signals")["items"]
    ward.post(f"/v1/signals/{signal['id']}/acknowledgement", {"note": "Two seniors left."})
    return {
        "near_miss": f"/v1/near-misses/{near_misses[0]['id']}",
        "escalation": f"/v1/escalations/{escalation['id']}",
        "review": f"/v1/reviews/{escalation['review_id']}",
        "action": f"/v1/actions/{action['id']}",
        "governance_review": f"/v1/governance-reviews/{board['id']}",
        "signal": f"/v1/signals/{signal['id']}",
    }


def paged(ward: Ward, address: str, limit: int) -> list[dict[str, Any]]:
    page = ward.get(f"{address}/history", limit=limit)
    found = page["items"]
    while page["next_cursor"] is not None:
        page = ward.get(f"{address}/history", limit=limit, cursor=page["next_cursor"])
        found += page["items"]
    return found


def test_a_history_has_every_event_of_a_thing_in_order(inside: Inside) -> None:
    for kind, address in lived(inside).items():
        events = inside.ward.get(f"{address}/history")["items"]

        assert [one["version"] for one in events] == list(range(1, inside.ward.get(address)["version"] + 1))
        assert len(events) > 1
        assert {one["type"].split(".")[1] for one in events} == {kind}
        assert paged(inside.ward, address, 1) == events
        assert inside.ward.get(f"{address}/history", as_of=events[0]["sequence"])["items"] == events[:1]
        inside.ward.get(f"{address}/history", 404, as_of=events[0]["sequence"] - 1)
        inside.ward.get(f"{address}/history", 422, cursor="bm9uZQ==")
        inside.ward.get(f"{address}/history", 422, limit=201)
        inside.other.get(f"{address}/history", 404)
        inside.holding("near-misses:read", "reviews:act").get(f"{address}/history", 403)


def test_a_history_opens_words_to_an_auditor(inside: Inside) -> None:
    address = lived(inside)["action"]

    (agreed, progressed) = inside.holding("audit:read").get(f"{address}/history")["items"]

    assert agreed["data"]["owner"] == "manager-2"
    assert progressed["data"]["note"] == "The sheet is drawn up."


@pytest.mark.parametrize("limit", [1, 2])
def test_a_page_of_a_history_links_to_the_next_one(inside: Inside, limit: int) -> None:
    address = lived(inside)["escalation"]
    asked = {"limit": limit, "as_of": text(MONDAY)}

    answer = inside.client.get(f"{address}/history", params=asked, headers=inside.ward.headers)
    link, _, relation = answer.headers["link"].partition("; ")
    following = inside.client.get(link.strip("<>"), headers=inside.ward.headers).json()

    assert relation == 'rel="next"'
    assert following["items"][0]["version"] == limit + 1
