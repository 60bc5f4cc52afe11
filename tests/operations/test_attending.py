"""What a worker notices: each thing by itself, so that what fails stops nothing else."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Table, update

from app.database.tables import heatmap_facts, outcomes, trend_checks
from app.domain.source import Declare
from app.operations import attending, quiet
from app.operations.attending import Attendant
from app.operations.signal_watch import SignalWatch
from app.operations.tick import tick
from tests.office import LINK, Office, opened
from tests.operations.test_audit import NOW


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with opened(database_url) as office:
        yield office


def weekly(office: Office, service_id: str, weeks: int) -> None:
    """So many weeks with a report each, told today."""
    for week in range(weeks, 0, -1):
        happened = (office.clock() - timedelta(weeks=week)).isoformat()
        office.submit(occurred_at=happened, service_id=service_id, workflow_link=LINK)


def speak(office: Office, number: int) -> None:
    office.submit(
        source="emar", source_event_id=f"e-{number}", occurred_at=office.clock().isoformat(), workflow_link=LINK
    )


def silent_and_speaking(office: Office) -> None:
    """A source whose silence was told, and that has spoken since."""
    command = Declare("emar", "P1D", "willow-house")
    office.do(office.command(lambda desk, cause: quiet.declare(desk, cause, "emar", command, None), "emar"))
    speak(office, 0)
    office.clock.go_on(days=7)
    tick(office.house, "worker", NOW)
    speak(office, 1)
    office.follow()


def test_a_report_that_came_by_a_clock_ahead_of_the_workers_is_no_silence_and_stops_nobody(office: Office) -> None:
    weekly(office, "willow-house", 30)
    office.follow()
    office.clock.go_on(minutes=-5)

    (looked,) = SignalWatch(office.house).look(office.organisation)

    assert (looked.service_id, looked.commands) == ("willow-house", [])


def test_a_service_that_cannot_be_looked_at_keeps_no_other_from_being_looked_at(office: Office) -> None:
    weekly(office, "ash-court", 1)
    weekly(office, "willow-house", 1)
    office.follow()
    with office.house.database.write() as connection:
        broken = update(heatmap_facts).where(heatmap_facts.c.service_id == "ash-court").values(week="broken")
        connection.execute(broken)
    attendant = Attendant(office.house)

    attendant.attend()

    assert [row[1] for row in office.rows(trend_checks)] == ["willow-house"]


@pytest.mark.parametrize("missing", [trend_checks, outcomes], ids=lambda table: table.name)
def test_what_cannot_be_looked_at_keeps_no_source_from_speaking_again(office: Office, missing: Table) -> None:
    silent_and_speaking(office)
    with office.house.database.write() as connection:
        missing.drop(connection)

    Attendant(office.house).attend()

    assert "source.silent" in office.types()
    assert "source.spoke_again" in office.types()


def test_a_round_stays_short_however_many_organisations_there_are_and_each_has_its_turn(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attending, "LONG_ENOUGH", -1.0)
    for name in ("oak", "willow"):
        office.house.open_organisation(name, name)
    offices = [Office(office.house, office.clock, name) for name in ("default", "oak", "willow")]
    for one in offices:
        weekly(one, "willow-house", 1)
        one.follow()
    attendant = Attendant(office.house)
    looked_at: list[list[int]] = []

    for _ in offices:
        attendant.attend()
        looked_at.append([len(one.rows(trend_checks)) for one in offices])

    assert looked_at == [[1, 0, 0], [1, 1, 0], [1, 1, 1]]
