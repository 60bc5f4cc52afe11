"""What an organisation has settled: remembered as long as it is true, and never longer."""

from collections.abc import Iterator

import pytest

from app.events.store import Cause
from app.operations import settle
from app.operations.configuration import Configurations, load
from app.operations.desk import Desk
from tests.office import Office, opened


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with opened(database_url) as office:
        yield office


def test_a_new_organisation_has_the_default_policy_words_and_no_service(office: Office) -> None:
    with office.house.database.read() as connection:
        settled = load(connection, "default")

    assert [rule.id for rule in settled.policy.rules] == ["similar", "grave", "handover", "same-person"]
    assert (settled.policy.version, settled.taxonomy.version, settled.services) == (1, 1, {})


def test_nothing_is_read_again_while_nothing_was_settled(office: Office) -> None:
    configurations = Configurations()

    with office.house.database.read() as connection:
        first = configurations.now(connection, "default")
    office.submit()
    with office.house.database.read() as connection:
        again = configurations.now(connection, "default")

    assert again is first


@pytest.mark.parametrize("settling", ["policy", "service"])
def test_what_was_settled_since_is_read(office: Office, settling: str) -> None:
    configurations = Configurations()
    with office.house.database.read() as connection:
        first = configurations.now(connection, "default")

    office.do(office.adoption({}) if settling == "policy" else office.registration("elm"))

    with office.house.database.read() as connection:
        assert configurations.now(connection, "default") is not first


def test_a_service_goes_by_its_own_id_before_any_alias(office: Office) -> None:
    office.do(office.registration("elm", aliases=("oak", "the elm")))
    office.do(office.registration("oak"))

    with office.house.database.read() as connection:
        settled = load(connection, "default")

    assert [settled.service_of(name)[0] for name in ("elm", "the elm", "oak", "ash", None)] == [
        "elm",
        "elm",
        "oak",
        "ash",
        None,
    ]


def test_the_latest_registration_is_the_whole_of_what_is_known(office: Office) -> None:
    office.do(office.registration("elm", aliases=("the elm",)))
    office.do(office.registration("elm", name="The Elms"))

    with office.house.database.read() as connection:
        settled = load(connection, "default")

    particulars = settled.services["elm"].particulars
    assert particulars is not None
    assert particulars.name == "The Elms"
    assert settled.aliases == {}


def test_the_shift_table_of_the_policy_decides_the_bracket(office: Office) -> None:
    table = [{"bracket": "early", "from": "08:00", "to": "10:00"}, {"bracket": "late", "from": "22:00", "to": "06:00"}]
    office.do(office.adoption({}, shifts={"willow-house": table}))

    brackets = [
        office.submit(occurred_at=at)["shift_bracket"] for at in ("2026-03-02T09:00:00Z", "2026-03-02T01:00:00Z")
    ]

    assert brackets == ["early", "late"]


def test_rules_of_recognition_are_remembered_until_others_are_adopted(office: Office) -> None:
    configurations = Configurations()
    with office.house.database.read() as connection:
        first = configurations.now(connection, "default").recognition

    office.do(office.command(lambda desk, cause: settle.adopt_recognition(desk, cause, {"visit_window": "PT5M"}, None)))

    with office.house.database.read() as connection:
        since = configurations.now(connection, "default").recognition
    assert [(one.version, str(one.visit_window)) for one in (first, since)] == [(1, "PT15M"), (2, "PT5M")]


def test_who_settles_something_is_shown_it_whatever_readers_remembered_meanwhile(office: Office) -> None:
    house = office.house

    def adopt(desk: Desk, cause: Cause) -> None:
        settle.adopt_policy(desk, cause, {"rules": []}, None)
        with house.database.read() as connection:  # Somebody reads before the commit, and remembers what was.
            assert house.configurations.now(connection, "default").policy.version == 1

    adopted = office.do(office.command(adopt, "policy", lambda reader, _: {"version": reader.settled().policy.version}))

    assert adopted == {"version": 2}
    with house.database.read() as connection:
        assert house.configurations.now(connection, "default").policy.version == 2
