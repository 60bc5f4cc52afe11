"""The ledger under its lock: gapless, in order, provable, and the same whoever writes."""

import threading
from collections.abc import Iterator
from uuid import UUID, uuid4, uuid5

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from app.database.prefetch import HeadRow
from app.database.tables import events, ledgers
from app.domain.near_miss import Closed, SourceAdded
from app.events.merkle import Frontier
from app.events.store import (
    Cause,
    Draft,
    Head,
    of_command,
    position,
    read_after,
    read_all,
    read_stream,
    read_streams,
    sequence_at,
)
from tests.office import Clock, Office, answers_of, assert_intact, opened, root_of

MINUTE = 60_000_000


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with opened(database_url) as office:
        yield office


def head(position: int = 0, recorded_at: int = 0) -> Head:
    frontier = Frontier().extend(bytes([n]) * 32 for n in range(position))
    return Head(HeadRow("default", position, recorded_at, 0, frontier.to_bytes()))


def cause(command_id: str | None = None) -> Cause:
    return Cause(command_id or str(uuid4()), "key/a")


# Places


def test_events_of_several_streams_take_one_sequence_and_versions_of_their_own() -> None:
    told = head(position=4).append(
        cause(),
        [Draft("near_miss/a", 2, [Closed(), SourceAdded("b")]), Draft("near_miss/b", 0, [Closed()])],
        now=MINUTE,
    )

    places = [(one.envelope.sequence, one.envelope.stream, one.envelope.version) for one in told]
    assert places == [(5, "near_miss/a", 3), (6, "near_miss/a", 4), (7, "near_miss/b", 1)]


def test_recorded_time_never_runs_backwards() -> None:
    ledger = head()

    told = [ledger.append(cause(), [Draft("near_miss/a", n, [Closed()])], now) for n, now in enumerate([5, 9, 3, 10])]

    assert [one.envelope.recorded_at for (one,) in told] == [5, 9, 9, 10]


def test_an_event_happened_when_it_is_said_to_have_or_else_when_it_was_recorded() -> None:
    told = head().append(
        cause(), [Draft("near_miss/a", 0, [Closed()], occurred_at=7), Draft("near_miss/b", 0, [Closed()])], now=9
    )

    assert [one.envelope.occurred_at for one in told] == [7, 9]


def test_event_ids_follow_from_the_command_alone() -> None:
    command_id = str(uuid4())
    drafts = [Draft("near_miss/a", 0, [Closed(), Closed()])]

    told = head().append(cause(command_id), drafts, now=1)
    again = head(position=3).append(cause(command_id), drafts, now=2)

    ids = [str(uuid5(UUID(command_id), str(n))) for n in range(2)]
    assert [one.envelope.event_id for one in told] == [one.envelope.event_id for one in again] == ids


def test_what_one_command_appends_correlates_and_follows_from_its_first_event() -> None:
    ledger, command_id = head(), str(uuid4())

    first = ledger.append(cause(command_id), [Draft("near_miss/a", 0, [Closed(), Closed()])], now=1)
    then = ledger.append(cause(command_id), [Draft("near_miss/b", 0, [Closed(), Closed()])], now=1, first_index=2)

    told = [*first, *then]
    assert {one.envelope.correlation_id for one in told} == {command_id}
    assert [one.envelope.causation_id for one in told] == [None, *[told[0].envelope.event_id] * 3]
    assert len({one.envelope.event_id for one in told}) == 4


def test_the_head_holds_the_root_of_all_leaves() -> None:
    ledger = head()

    told = [one for n in range(21) for one in ledger.append(cause(), [Draft("near_miss/a", n, [Closed()])], n)]

    assert ledger.values()["root"] == root_of([one.envelope.leaf for one in told])


# In the database


def test_many_writers_make_one_gapless_ledger(office: Office) -> None:
    def write() -> None:
        for _ in range(10):
            office.submit(service_id=threading.current_thread().name)

    writers = [threading.Thread(target=write, name=f"writer-{n}") for n in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    with office.house.database.read() as connection:
        ledger = assert_intact(connection)
    assert sum(one.type == "near_miss.recorded" for one in ledger) == 80
    assert sum(one.type == "escalation.raised" for one in ledger) == 8


def test_two_houses_on_one_postgresql_make_one_gapless_ledger(postgresql_url: str) -> None:
    with opened(postgresql_url) as one, opened(postgresql_url) as other:
        writers = [
            threading.Thread(target=lambda office=office: [office.submit() for _ in range(10)])
            for office in (one, other) * 4
        ]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()

        with one.house.database.read() as connection:
            ledger = assert_intact(connection)
    assert sum(event.type == "near_miss.recorded" for event in ledger) == 80
    assert [event.type for event in ledger].count("escalation.raised") == 1
    assert [event.type for event in ledger].count("escalation.member_added") == 77


def test_a_clock_that_is_put_back_makes_no_earlier_record(database_url: str) -> None:
    clock = Clock()
    with opened(database_url, clock) as office:
        office.submit()
        clock.go_on(hours=-1)
        late = office.submit()

        with office.house.database.read() as connection:
            ledger = assert_intact(connection)
    assert late["recorded_at"] == "2026-03-02T10:00:00.000000Z"
    assert late["similarity_check"]["checked_at"] == "2026-03-02T10:00:00.000000Z"
    assert len({event.recorded_at for event in ledger}) == 1


@pytest.mark.parametrize(
    "clash",
    [{"sequence": 1}, {"event_id": None}, {"stream": None, "version": None}],
    ids=["sequence", "event id", "stream and version"],
)
def test_the_database_takes_each_place_once(office: Office, clash: dict[str, None]) -> None:
    first = office.ledger()[0]
    fresh = first._replace(sequence=99, event_id=str(uuid4()), stream="near_miss/x", version=1)
    doubled = fresh._replace(**{name: getattr(first, name) for name in clash})

    with pytest.raises(IntegrityError), office.house.database.write() as connection:
        connection.execute(insert(events).values(doubled._asdict()))


def test_organisations_have_ledgers_of_their_own(office: Office) -> None:
    office.house.open_organisation("other", "other")
    other = Office(office.house, office.clock, "other")

    for _ in range(3):
        office.submit()
        other.submit(service_id="elm")
    other.submit(service_id="elm")

    with office.house.database.read() as connection:
        mine, theirs = assert_intact(connection), assert_intact(connection, "other")
    assert len(theirs) == len(mine) + 2
    assert [len(one["members"]) for one in other.escalations()] == [4]


# Reading


def test_streams_are_read_in_order_and_as_known_at_a_sequence(office: Office) -> None:
    one = office.submit()["id"]
    other = office.submit()["id"]
    office.do(office.correction(one, narrative="At nine."))
    office.do(office.withdrawal(one))

    with office.house.database.read() as connection:
        known = position(connection, "default")
        both = read_streams(connection, "default", [f"near_miss/{one}", f"near_miss/{other}", "near_miss/none"])
        before = read_stream(connection, "default", f"near_miss/{one}", up_to=known - 1)
        second = read_stream(connection, "default", f"near_miss/{one}", after=1, limit=1)

    assert [event.type for event in both[f"near_miss/{one}"]] == [
        "near_miss.recorded",
        "near_miss.corrected",
        "near_miss.withdrawn",
    ]
    assert [len(told) for told in both.values()] == [3, 1, 0]
    assert [event.type for event in before] == ["near_miss.recorded", "near_miss.corrected"]
    assert [event.type for event in second] == ["near_miss.corrected"]


def test_the_ledger_is_read_page_by_page_without_a_gap(office: Office) -> None:
    for _ in range(5):
        office.submit()
    whole = office.ledger()

    with office.house.database.read() as connection:
        pages = list(read_all(connection, "default", up_to=len(whole) - 1, after=1, page=3))
        recorded = read_after(connection, "default", 0, 100, types=("near_miss.recorded",))

    assert [event for page in pages for event in page] == whole[1:-1]
    assert {len(page) for page in pages[:-1]} == {3}
    assert [event.type for event in recorded] == ["near_miss.recorded"] * 5


def test_more_streams_than_one_statement_takes_are_read_at_once(office: Office) -> None:
    ids = [office.submit(service_id=f"s{n}")["id"] for n in range(3)]
    streams = [f"near_miss/none-{n}" for n in range(1200)]

    with office.house.database.read() as connection:
        found = read_streams(connection, "default", [*streams, *(f"near_miss/{one}" for one in ids)])

    assert [len(found[f"near_miss/{one}"]) for one in ids] == [1, 1, 1]
    assert len(found) == 1203


def test_what_was_known_at_an_instant_is_a_prefix(database_url: str) -> None:
    clock = Clock()
    with opened(database_url, clock) as office:
        places = []
        for _ in range(4):
            clock.go_on(minutes=1)
            office.submit()
            places.append((clock().timestamp() * 1_000_000, len(office.ledger())))

        with office.house.database.read() as connection:
            for micros, place in places:
                assert sequence_at(connection, "default", int(micros)) == place
                assert sequence_at(connection, "default", int(micros) + MINUTE - 1) == place
                assert sequence_at(connection, "default", int(micros) - 1) < place
            assert sequence_at(connection, "default", 0) == 0


def test_a_command_finds_what_it_appended_and_nothing_of_others(office: Office) -> None:
    office.submit()
    office.submit()
    third = office.submission()
    answers_of(office.house.try_all([third, office.submission()]))

    with office.house.database.read() as connection:
        found = of_command(connection, "default", third.command_id)
        nothing = of_command(connection, "default", str(uuid4()))

    types = office.types()
    raised = types.index("escalation.raised")
    assert found == (raised, raised + 2)  # Recorded, raised, review opened; sequences count from 1.
    assert nothing is None


def test_the_head_says_when_the_organisation_last_settled_something(office: Office) -> None:
    office.do(office.registration("elm"))
    office.submit()
    office.do(office.adoption({"id": "similar"}))
    office.submit()

    with office.house.database.read() as connection:
        configured_at = connection.execute(ledgers.select()).one().configured_at
    assert office.types()[configured_at - 1] == "policy.adopted"
