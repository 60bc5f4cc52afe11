"""Followers of the ledger skip nothing, whoever writes and whoever shares the work."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from sqlalchemy import select

from app.database.tables import followers, heatmap_facts
from app.events.store import position, read_after
from app.operations.follow import lagging, step
from app.projections.inline import FOLLOWING
from tests.office import Clock, Office, opened
from tests.rounds import rounds

WRITERS = 16
EACH = rounds(60)


@contextmanager
def two_houses(database_url: str) -> Iterator[list[Office]]:
    """Two processes' worth of everything on one database; on SQLite one, which is all that may serve it."""
    with ExitStack() as stack:
        clock = Clock()
        count = 1 if database_url.startswith("sqlite") else 2
        yield [stack.enter_context(opened(database_url, clock)) for _ in range(count)]


@contextmanager
def writing(offices: list[Office]) -> Iterator[None]:
    """Sixteen people who report, until each has reported enough."""

    def write(number: int) -> None:
        for _ in range(EACH):
            offices[number % len(offices)].submit(service_id=f"service-{number}")

    writers = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
    for one in writers:
        one.start()
    yield
    for one in writers:
        one.join()


@pytest.mark.soak
def test_who_polls_the_ledger_while_sixteen_write_sees_every_event_in_order(database_url: str) -> None:
    with two_houses(database_url) as offices:
        reader = offices[-1]
        seen: list[int] = []

        def poll() -> int:
            with reader.house.database.read() as connection:
                page = read_after(connection, "default", len(seen), 100)
                seen.extend(one.sequence for one in page)
                return position(connection, "default")

        with writing(offices):
            while len(seen) < WRITERS * EACH:
                poll()
        end = poll()

        assert seen == list(range(1, end + 1))


@pytest.mark.soak
def test_two_workers_that_share_a_follower_leave_nothing_out_and_do_nothing_twice(database_url: str) -> None:
    with two_houses(database_url) as offices:
        stop = threading.Event()

        def follow(office: Office) -> None:
            house = office.house
            while not stop.is_set():
                step(house.database, house.batches.dialect, house.configurations, "default", "heatmap")

        workers = [threading.Thread(target=follow, args=(office,)) for office in offices]
        for one in workers:
            one.start()
        with writing(offices):
            pass
        stop.set()
        for one in workers:
            one.join()
        offices[0].follow()

        facts = [row[1] for row in offices[0].rows(heatmap_facts)]
        recorded = [one.subject for one in offices[0].ledger() if one.type == "near_miss.recorded"]
        assert sorted(facts) == sorted(recorded)
        assert len(facts) == WRITERS * EACH


def test_a_follower_that_fails_half_way_begins_again_where_it_was(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(database_url) as office:
        first = office.submit()["id"]
        office.follow()
        second = office.submit()["id"]
        house = office.house

        def broken(*_: object) -> None:
            raise RuntimeError

        monkeypatch.setattr("app.projections.heatmap.apply", broken)
        with pytest.raises(RuntimeError):
            step(house.database, house.batches.dialect, house.configurations, "default", "heatmap")
        monkeypatch.undo()
        assert [row[1] for row in office.rows(heatmap_facts)] == [first]

        office.follow()

        assert sorted(row[1] for row in office.rows(heatmap_facts)) == sorted([first, second])


def test_a_follower_is_told_to_lag_until_it_has_caught_up(database_url: str) -> None:
    with opened(database_url) as office:
        office.submit()
        with office.house.database.read() as connection:
            before = lagging(connection)

        end = office.follow()

        with office.house.database.read() as connection:
            assert before == [("default", name, end) for name in FOLLOWING]
            assert lagging(connection) == []


def test_a_worker_lets_a_follower_be_that_another_one_holds(postgresql_url: str) -> None:
    with opened(postgresql_url) as office:
        office.submit()
        end = office.follow()
        office.submit()
        house = office.house
        with house.database.write() as other:
            other.execute(select(followers).with_for_update())

            place = step(house.database, house.batches.dialect, house.configurations, "default", "heatmap")

        assert place == 0
        assert office.follow() > end
