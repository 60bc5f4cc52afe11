"""A policy is never changed, only followed by another."""

from app.domain import adoption
from app.domain.adoption import INITIAL, Adopt, Adopted
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
