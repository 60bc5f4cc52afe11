"""A policy is tried on history before its command: what is in force by then must be what it was tried against."""

from collections.abc import Iterator

import pytest
from sqlalchemy import event

from app.domain import adoption
from app.operations import settle
from app.operations.less_sensitive import Tried, tried
from tests.office import Office, opened

RULE = {"id": "similar", "group_by": ["service_id", "incident_type"], "threshold": 3, "window": "P14D"}
HIGHER = {"rules": [{**RULE, "threshold": 9}], "reason": "Three come every week."}


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with opened(database_url) as office:
        office.do(office.adoption({}))
        for _ in range(3):
            office.submit()
        yield office


def tried_now(office: Office) -> Tried:
    with office.house.reader(office.organisation) as reader:
        return tried(reader, adoption.Adopt(HIGHER), office.house.clock())


def adopting(office: Office, before: Tried) -> dict[str, object]:
    return office.do(office.command(lambda desk, cause: settle.adopt_policy(desk, cause, HIGHER, None, before)))


def test_what_was_found_before_the_command_is_what_it_is_adopted_with(office: Office) -> None:
    before = tried_now(office)
    office.submit()

    adopting(office, before)

    assert before.found is not None
    with office.house.reader(office.organisation) as reader:
        (_, adopted) = reader.told(["policy/current"])["policy/current"]
    assert adopted.event.less_sensitive == before.found
    assert before.found.lost == 1


def test_a_policy_that_was_tried_against_another_than_is_in_force_must_be_tried_again(office: Office) -> None:
    before = tried_now(office)
    office.do(office.adoption({"threshold": 2}))

    with pytest.raises(settle.TriedOnAnother):
        adopting(office, before)

    adopting(office, tried_now(office))


def test_under_the_heads_lock_no_history_is_read(office: Office) -> None:
    before = tried_now(office)
    statements: list[str] = []
    with office.house.database.write() as connection:
        engine = connection.engine
    event.listen(engine, "before_cursor_execute", lambda *said: statements.append(said[2]))

    adopting(office, before)

    assert statements
    assert not [one for one in statements if "FROM near_misses" in one]
