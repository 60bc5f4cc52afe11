"""A projection made anew from the ledger is the one that stood, row for row, also while people go on reporting."""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Table, insert, select

from app.database.tables import heatmap_facts
from app.domain.decider import NotFound
from app.operations import rebuild as rebuilding
from app.operations import signalling
from app.operations.evidence_jobs import give_up
from app.operations.follow import step
from app.operations.rebuild import NAMES, rebuild
from app.projections.inline import tables_of
from tests.care import ON_TIME, dose, event, reported
from tests.domain.test_signal import RISING
from tests.office import Office, opened
from tests.operations import governing
from tests.operations.hearing import hold, register
from tests.operations.packing import ask, held_pack
from tests.operations.undertakings import complete

RULE = {"id": "similar", "group_by": ["service_id"], "threshold": 3, "window": "P14D", "cooldown": "P7D"}
FINER = {**RULE, "group_by": ["service_id", "incident_type"]}

ELSEWHERE = replace(RISING, service_id="yew-house")


def a_year_of_everything(office: Office) -> None:
    """Every event that any projection knows of, and a few that none does."""
    office.do(office.registration("willow-house", aliases=("WILLOW-01",)))
    office.do(office.adoption(RULE))
    first = [office.submit(source="emar", source_event_id=f"e-{n}")["id"] for n in range(4)]
    office.do(office.correction(first[0], occurred_at="2026-02-20"))
    office.do(office.link(first[1]))
    office.do(office.withdrawal(office.submit(service_id="ash-court")["id"]))
    office.do(office.duplicate(office.submit(service_id="elm-lodge")["id"], first[0]))
    (escalation,) = office.open_escalations()
    office.do(office.review_closure(escalation["review_id"], "action_agreed"))
    (action,) = [one.subject for one in office.ledger() if one.type == "action.agreed"]
    office.do(complete(office, action))
    office.clock.go_on(hours=1)
    for _ in range(3):
        office.submit(occurred_at="2026-03-02T10:30:00Z")  # Deferred: the key cools down.
    office.do(office.adoption(FINER))
    for _ in range(3):
        office.submit(service_id="rowan-homecare", classification="no_harm_incident")
    office.submit(service_id="rowan-homecare", classification="harm_incident")
    doses = (dose("d-1"), dose("d-2", person_ref="b"), dose("d-3", at="09:00", **ON_TIME))
    stated = event("n-1", "denominator", {"service_id": "ash-court", "date": "2026-03-01", "doses_due": 120})
    for sent in (*doses, reported("r-1"), stated):
        office.take(sent)
    governing.opened(office, services=["willow-house"])
    office.do(office.command(lambda desk, cause: signalling.tell(desk, cause, "sig_1", ELSEWHERE)))
    office.do(office.command(lambda desk, cause: signalling.acknowledge(desk, cause, "sig_1", "We know why.", None)))
    ask(office, "pack_1")
    give_up(office.house, held_pack(office), "It would be too large.")
    ask(office, "pack_2")
    hold(office, register(office))
    office.follow()


def standing(office: Office, name: str) -> dict[Table, list[tuple[Any, ...]]]:
    """Every row of a projection, in primary-key order."""
    return {table: office.rows(table) for table in tables_of(name)}


@pytest.mark.parametrize("name", NAMES)
def test_a_rebuilt_projection_equals_the_one_that_stood(name: str, database_url: str) -> None:
    with opened(database_url) as office:
        a_year_of_everything(office)
        before = standing(office, name)

        rows, sequence = rebuild(office.house, office.organisation, name)

        assert standing(office, name) == before
        assert rows == sum(len(rows) for rows in before.values()) > 0
        assert sequence == len(office.ledger())


@pytest.mark.parametrize("name", ["register", "windows", "escalations", "heatmap"])
def test_a_projection_is_rebuilt_while_people_go_on_reporting(name: str, database_url: str) -> None:
    with opened(database_url) as office:
        a_year_of_everything(office)
        stop = threading.Event()

        def report() -> None:
            number = 0
            while not stop.is_set():
                office.submit(service_id=f"service-{number % 5}")
                number += 1

        reporting = threading.Thread(target=report)
        reporting.start()
        for _ in range(3):
            rebuild(office.house, office.organisation, name)
        stop.set()
        reporting.join()
        office.follow()
        live = standing(office, name)

        rebuild(office.house, office.organisation, name)

        assert standing(office, name) == live


def test_an_interrupted_rebuild_leaves_nothing_that_the_next_one_keeps(database_url: str) -> None:
    with opened(database_url) as office:
        a_year_of_everything(office)
        before = standing(office, "register")
        (table, rows), *_ = before.items()
        with office.house.database.write() as connection:
            left_behind = {**dict(zip(table.c.keys(), rows[0], strict=True)), "organisation": "~register~default"}
            connection.execute(insert(table).values(**left_behind))

        rebuild(office.house, office.organisation, "register")

        assert standing(office, "register") == before
        with office.house.database.read() as connection:
            organisations = set(connection.execute(select(table.c.organisation)).scalars())
        assert organisations == {office.organisation}


def test_what_is_wrong_in_a_projection_is_put_right_by_a_rebuild(database_url: str) -> None:
    with opened(database_url) as office:
        a_year_of_everything(office)
        before = standing(office, "windows")
        (table,) = before
        with office.house.database.write() as connection:
            connection.execute(table.delete())

        rebuild(office.house, office.organisation, "windows")

        assert standing(office, "windows") == before


def test_an_organisation_that_does_not_exist_is_not_rebuilt(database_url: str) -> None:
    with opened(database_url) as office, pytest.raises(NotFound):
        rebuild(office.house, "nobody", "register")


def test_a_follower_that_never_worked_goes_on_after_a_rebuild(database_url: str) -> None:
    with opened(database_url) as office:
        office.submit()
        rebuild(office.house, office.organisation, "heatmap")
        office.submit()

        office.follow()

        assert len(office.rows(heatmap_facts)) == 2


def test_a_rebuild_and_a_worker_at_once_spoil_nothing(database_url: str) -> None:
    with opened(database_url) as office:
        for _ in range(30):
            office.submit()
        done = threading.Event()
        failures: list[Exception] = []

        def noting(work: Callable[[], object]) -> Callable[[], None]:
            def note() -> None:
                try:
                    work()
                except Exception as error:  # noqa: BLE001 - told below
                    failures.append(error)

            return note

        def follow() -> None:
            house = office.house
            while not done.is_set():
                step(house.database, house.batches.dialect, house.configurations, office.organisation, "heatmap")

        def remake() -> None:
            for _ in range(5):
                office.submit()
                rebuild(office.house, office.organisation, "heatmap")

        following = threading.Thread(target=noting(follow))
        following.start()
        noting(remake)()
        done.set()
        following.join()

        assert failures == []
        office.follow()
        assert len(office.rows(heatmap_facts)) == 35


@pytest.mark.parametrize("name", NAMES)
def test_a_rebuild_that_fails_leaves_no_trace(name: str, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(database_url) as office:
        a_year_of_everything(office)
        before = of_everybody(office, name)

        def fail(*_: object) -> int:
            raise ConnectionAbortedError("Interrupted.")

        monkeypatch.setattr(rebuilding, "_swap", fail)
        with pytest.raises(ConnectionAbortedError):
            rebuild(office.house, office.organisation, name)

        assert of_everybody(office, name) == before


def of_everybody(office: Office, name: str) -> list[tuple[Any, ...]]:
    """Every row of a projection, of whatever organisation."""
    with office.house.database.read() as connection:
        return [tuple(row) for table in tables_of(name) for row in connection.execute(select(table))]
