"""What is due runs before a command; how much of it, and under whose name."""

from collections.abc import Iterator

import pytest

from app.operations import climbing
from app.operations.job import Command, Unavailable
from tests.office import Office, opened
from tests.operations.test_tick import LINKED

SECONDS = {"steps": [{"to": ["manager"], "timeout": "PT1S"}, {"to": ["anna"], "timeout": "PT1S"}], "repeat": -1}


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with opened(database_url) as office:
        office.do(office.adoption({"threshold": 1, "group_by": ["service_id"], "ladder": SECONDS}))
        yield office


def acknowledgement(office: Office, escalation_id: str) -> Command:
    return office.command(
        lambda desk, cause: climbing.acknowledge(desk, cause, climbing.load(desk, escalation_id)),
        escalation_id,
        lambda reader, subject: reader.escalations([subject])[0],
    )


def test_a_day_of_levels_of_a_second_is_worked_off_piece_by_piece_and_blocks_nobody(office: Office) -> None:
    office.submit(**LINKED)
    (raised,) = office.escalations()
    before = len(office.ledger())
    office.clock.go_on(days=1)

    with pytest.raises(Unavailable):
        office.do(acknowledgement(office, raised["id"]))

    passed = len(office.ledger()) - before
    assert 1_000 < passed < 20_000


def test_a_person_on_the_ladder_stands_in_the_ledger_as_the_token_that_they_act_under(office: Office) -> None:
    office.submit(**LINKED)
    (raised,) = office.escalations()
    office.clock.go_on(seconds=1)

    answered = office.do(acknowledgement(office, raised["id"]))

    assert answered["contacts"] == ["anna"]
    told = [one.payload for one in office.ledger() if one.stream == f"escalation/{raised['id']}"]
    assert [one for one in told if "anna" in one] == []
