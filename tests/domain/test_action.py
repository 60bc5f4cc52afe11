"""An agreed action names its owner and its due date, and is agreed once."""

from datetime import UTC, datetime

import msgspec

from app.domain import action
from app.domain.sealed import Reference, SealedText

MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)
OWNER = Reference(sealed="b3duZXI=", key="k-owner", token="t-owner")
DESCRIPTION = SealedText(sealed="dHdvIG9uIGEgcm91bmQ=", key="k-action")
DUE = datetime(2026, 3, 31, 23, tzinfo=UTC)

agree = action.Agree("rev-1", DESCRIPTION, OWNER, due="2026-04-01", due_at=DUE)
agreed = action.Agreed("rev-1", DESCRIPTION, OWNER, due="2026-04-01", due_at=DUE)


def test_an_action_is_agreed_with_its_owner_and_its_due_date_as_given() -> None:
    nothing = action.UNAGREED

    events = action.decide(agree, nothing, MONDAY)

    assert events == [agreed]


def test_agreeing_an_action_twice_changes_nothing() -> None:
    standing = action.evolve(action.UNAGREED, agreed)

    assert action.decide(agree, standing, MONDAY) == []


def test_an_agreed_action_reads_the_same_from_disk() -> None:
    stored = msgspec.json.encode(agreed)

    read = msgspec.json.decode(stored, type=action.Event)

    assert read == agreed
    assert read.owner.sealed == OWNER.sealed
