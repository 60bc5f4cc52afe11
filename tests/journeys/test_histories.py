"""Histories: every event of one thing in order, page by page, as it was known then; and nobody else's."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.conftest import DATABASES
from tests.journeys import boardroom
from tests.journeys.inside import Inside, opened
from tests.journeys.test_signals import rising
from tests.journeys.ward import ACTION, MONDAY, Ward, text
from tests.operations.tampering import new_database


@dataclass(frozen=True, slots=True)
class Lived:
    """A house in which something of each kind has happened, and where it is read."""

    inside: Inside
    addresses: dict[str, str]


@pytest.fixture(scope="module", params=DATABASES)
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    """One for all tests of a database: they only read."""
    with new_database(request, tmp_path_factory) as url, opened(url) as inside:
        yield Lived(inside, lived(inside))


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


def test_a_history_has_every_event_of_a_thing_in_order(house: Lived) -> None:
    inside = house.inside
    for kind, address in house.addresses.items():
        events = inside.ward.get(f"{address}/history")["items"]

        assert [one["version"] for one in events] == list(range(1, inside.ward.get(address)["version"] + 1))
        assert len(events) > 1
        assert {one["type"].split(".")[1] for one in events} == {kind}
        assert paged(inside.ward, address, 1) == events
        assert inside.ward.get(f"{address}/history", as_of=events[0]["sequence"])["items"] == events[:1]
        for path in ("", "/history"):
            before = inside.ward.get(f"{address}{path}", 404, as_of=events[0]["sequence"] - 1)
            never = inside.ward.get(f"{address.rpartition('/')[0]}/none{path}", 404, as_of=events[0]["sequence"] - 1)
            assert "did not exist yet" in before["detail"], address
            assert "did not exist yet" not in never["detail"], address
        inside.ward.get(f"{address}/history", 422, cursor="bm9uZQ==")
        inside.ward.get(f"{address}/history", 422, limit=201)
        inside.other.get(f"{address}/history", 404)
        inside.holding("near-misses:read", "reviews:act").get(f"{address}/history", 403)


def test_a_history_opens_words_to_an_auditor(house: Lived) -> None:
    address = house.addresses["action"]

    (agreed, progressed) = house.inside.holding("audit:read").get(f"{address}/history")["items"]

    assert agreed["data"]["owner"] == "manager-2"
    assert progressed["data"]["note"] == "The sheet is drawn up."


def test_a_key_is_told_field_by_field_as_everywhere_else(inside: Inside) -> None:
    found = lived(inside)
    key = {"service_id": "willow-house", "incident_type": "medication", "deviation": "omitted"}

    recorded, *_ = inside.ward.get(f"{found['near_miss']}/history")["items"]
    raised, *_ = inside.ward.get(f"{found['escalation']}/history")["items"]

    assert recorded["data"]["similarity_check"]["rules"][0]["key"] == key
    assert raised["data"]["key"] == key


@pytest.mark.parametrize("limit", [1, 2])
def test_a_page_of_a_history_links_to_the_next_one(house: Lived, limit: int) -> None:
    inside, address = house.inside, house.addresses["escalation"]
    asked = {"limit": limit, "as_of": text(MONDAY)}

    answer = inside.client.get(f"{address}/history", params=asked, headers=inside.ward.headers)
    link, _, relation = answer.headers["link"].partition("; ")
    following = inside.client.get(link.strip("<>"), headers=inside.ward.headers).json()

    assert relation == 'rel="next"'
    assert following["items"][0]["version"] == limit + 1
