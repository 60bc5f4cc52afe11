"""A policy is never changed, only followed by another."""

from typing import Any

import pytest

from app.domain import adoption
from app.domain.adoption import INITIAL, Adopt, Adopted
from app.domain.decider import Invalid
from app.domain.policy import policy_document

STRICTER = {"rules": [{"id": "similar", "group_by": ["service_id"], "threshold": 2, "window": "P7D"}]}


def test_a_new_policy_is_the_next_version_with_every_default_written_out() -> None:
    (adopted,) = adoption.decide(Adopt(STRICTER), INITIAL)

    policy = adoption.evolve(INITIAL, adopted)

    assert policy.version == INITIAL.version + 1
    assert adopted.policy == policy_document(policy)
    assert policy.rules[0].threshold == 2


def test_what_is_in_force_already_is_not_adopted_again() -> None:
    (adopted,) = adoption.decide(Adopt(STRICTER), INITIAL)
    policy = adoption.evolve(INITIAL, adopted)

    assert adoption.decide(Adopt(STRICTER), policy) == []


def test_a_policy_of_before_there_were_deadlines_and_working_time_takes_their_defaults() -> None:
    (adopted,) = adoption.decide(Adopt(STRICTER), INITIAL)
    added = ("details_due", "workflow_link_due", "working_time")
    stored = {name: value for name, value in adopted.policy.items() if name not in added}

    policy = adoption.evolve(INITIAL, Adopted(2, stored))

    assert policy_document(policy) == adopted.policy
    assert adoption.decide(Adopt(stored), policy) == []
    assert adoption.decide(Adopt(STRICTER), policy) == []
    assert adoption.decide(Adopt(adopted.policy), policy) == []


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        ({"ladder": {"steps": [{"to": ["manager"], "timeout": "PT0.5S"}]}}, "/rules/0/ladder/steps/0/timeout"),
        ({"ladder": {"ack_remind": "PT0.001S"}}, "/rules/0/ladder/ack_remind"),
        ({"review_due": "PT0.000001S"}, "/rules/0/review_due"),
    ],
)
def test_a_deadline_that_nobody_could_meet_is_not_adopted(said: dict[str, Any], pointer: str) -> None:
    document = {"rules": [{**STRICTER["rules"][0], **said}]}

    with pytest.raises(Invalid) as refused:
        adoption.decide(Adopt(document), INITIAL)

    assert [fault.pointer for fault in refused.value.faults] == [pointer]


def test_a_stored_policy_with_such_a_deadline_is_still_read() -> None:
    document = {"rules": [{**STRICTER["rules"][0], "review_due": "PT0.5S"}]}

    policy = adoption.evolve(INITIAL, Adopted(2, document))

    assert str(policy.rules[0].review_due) == "PT0.5S"
