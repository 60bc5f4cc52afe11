"""A policy is never changed, only followed by another."""

from app.domain import adoption
from app.domain.adoption import INITIAL, Adopt
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
