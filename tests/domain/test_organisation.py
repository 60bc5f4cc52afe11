"""Who is given a key to an organisation's ledger, and that it can be taken back."""

from datetime import UTC, datetime, timedelta
from functools import reduce

import pytest

from app.domain import organisation
from app.domain.decider import Invalid, NotFound
from app.domain.organisation import ROLES, SCOPES, UNOPENED, CreateKey, KeyCreated, KeyRevoked, Open, Opened, RevokeKey

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
opened = Opened("Willow Care")
created = KeyCreated("k1", ("near-misses:write",))
revoked = KeyRevoked("k1")


def after(*events: organisation.Event) -> organisation.Organisation:
    return reduce(organisation.evolve, events, UNOPENED)


def test_an_organisation_opens_once() -> None:
    assert organisation.decide(Open("Willow Care"), UNOPENED, NOON) == [opened]
    assert organisation.decide(Open("Willow Care"), after(opened), NOON) == []


def test_every_role_has_scopes_that_exist() -> None:
    assert all(scope in SCOPES for scopes in ROLES.values() for scope in scopes)


@pytest.mark.parametrize(
    "command",
    [
        CreateKey("k2", ("everything",)),
        CreateKey("k2", ()),
        CreateKey("k2", ("admin",), role="emperor"),
        CreateKey("k2", ("admin",), expires_at=NOON - timedelta(days=1)),
    ],
)
def test_a_key_that_makes_no_sense_is_refused_by_name(command: CreateKey) -> None:
    with pytest.raises(Invalid) as refused:
        organisation.decide(command, after(opened), NOON)

    assert len(refused.value.faults) == 1


def test_a_key_is_given_and_taken_back() -> None:
    assert organisation.decide(CreateKey("k1", ("near-misses:write",)), after(opened), NOON) == [created]
    assert organisation.decide(RevokeKey("k1"), after(opened, created), NOON) == [revoked]
    assert organisation.decide(RevokeKey("k1"), after(opened, created, revoked), NOON) == []


def test_a_key_of_somebody_else_cannot_be_taken_back() -> None:
    with pytest.raises(NotFound):
        organisation.decide(RevokeKey("k9"), after(opened, created), NOON)
