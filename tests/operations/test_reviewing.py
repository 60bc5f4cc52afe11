"""What a review's commands owe to the records and the key that it is about."""

from collections.abc import Iterator
from typing import Any

import pytest

from app.domain.decider import Invalid
from app.operations import reviewing, revise
from tests.office import LINK, Office, opened


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with opened(database_url) as office:
        office.do(office.adoption({}))
        yield office


def on_review(office: Office, escalation: dict[str, Any], run: Any) -> None:
    review_id = escalation["review_id"]
    office.do(office.command(lambda desk, cause: run(desk, cause, reviewing.load(desk, review_id)), review_id))


def kinds(escalation: dict[str, Any]) -> dict[str, str]:
    return {one["near_miss_id"]: one["kind"] for one in escalation["members"]}


def test_a_reopened_review_looks_at_what_came_to_its_key_while_it_was_closed(office: Office) -> None:
    """S3: two more are too few for an episode of their own, and with its members they are a pattern."""
    for _ in range(3):
        office.submit()
    (escalation,) = office.open_escalations()
    office.do(office.review_closure(escalation["review_id"]))
    office.clock.go_on(days=1)
    two = [office.submit(potential_harm=harm)["id"] for harm in ("low", "severe")]
    another = office.submit(service_id="ash-court")["id"]

    on_review(office, escalation, lambda *at: reviewing.reopen(*at, "It came back."))

    (reopened,) = office.open_escalations()
    assert kinds(reopened) == {**kinds(escalation), **dict.fromkeys(two, "member")}
    assert office.near_miss(another)["escalation_ids"] == []
    assert "escalation.re_alarmed" in office.types()  # One of them is graver than all that was known.


def test_a_reopened_review_takes_in_nothing_that_is_out_of_every_window_of_it(office: Office) -> None:
    for _ in range(3):
        office.submit()
    (escalation,) = office.open_escalations()
    office.do(office.review_closure(escalation["review_id"]))
    office.clock.go_on(days=20)
    office.submit(occurred_at="2026-03-22T09:00:00Z")

    on_review(office, escalation, lambda *at: reviewing.reopen(*at, "It came back."))

    (reopened,) = office.open_escalations()
    assert kinds(reopened) == kinds(escalation)


def test_a_link_over_many_names_those_that_take_none_and_is_laid_over_no_other(office: Office) -> None:
    """S6, S7: one of them was closed by itself before it became a member."""
    first = office.submit(workflow_link=LINK)["id"]
    office.do(office.command(lambda desk, cause: revise.close(desk, cause, revise.load(desk, first), "Seen to.")))
    second, third = (office.submit()["id"] for _ in range(2))
    (escalation,) = office.open_escalations()
    other = {**LINK, "stage_allowed": "prepare"}

    def lay(link: Any, *ids: str) -> None:
        on_review(office, escalation, lambda desk, cause, case: reviewing.link_members(desk, cause, case, ids, link))

    with pytest.raises(Invalid) as refused:
        lay(other, second, first, third)

    assert [fault.pointer for fault in refused.value.faults] == ["/near_miss_ids/1"]
    assert [office.near_miss(one).get("workflow_link") for one in (second, third)] == [None, None]
    lay(LINK, second, first, third)  # Which says of that one what was said before.
    assert all(office.near_miss(one)["workflow_link"]["stage_allowed"] == "handover" for one in (second, third))
