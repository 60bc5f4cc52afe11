"""Workers share out what is due: nobody has what another holds, and nothing stays with somebody who died."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import insert, update

from app.database.prefetch import TimerRow
from app.database.tables import timer_leases, timers
from app.domain import source
from app.domain.moment import from_micros, to_micros
from app.operations import quiet
from app.operations.job import Actor, Due, Unavailable
from app.operations.tick import LEASE, claim, give_back, oldest_due, release, sweep, tick
from tests.office import LINK, Office, answers_of, opened

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
"""Real time, as the worker sees it; the office's clock stands still elsewhere."""
MINUTE = {"steps": [{"to": ["manager"], "timeout": "PT1M"}], "backstop": "admin"}
ALONE = {"threshold": 1, "group_by": ["service_id"], "ladder": MINUTE}
LINKED = {"workflow_link": LINK, "intake": True}
"""So that nobody chases the near miss for its link: each escalation has the only timer there is of it."""


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with opened(database_url) as office:
        office.do(office.adoption(ALONE))
        yield office


def raised(office: Office, number: int) -> None:
    """So many escalations, each with a minute to answer, and the minute is over."""
    answers_of(office.house.try_all([office.submission(service_id=f"s{n}", **LINKED) for n in range(number)]))
    office.clock.go_on(minutes=1)


def held_by(office: Office) -> list[str]:
    return sorted(row[4] for row in office.rows(timer_leases))


def climbs(office: Office) -> int:
    return office.types().count("escalation.chain_exhausted")


def test_two_claimers_share_what_is_due_and_never_hold_the_same(office: Office) -> None:
    raised(office, 5)

    first = claim(office.house, "first", NOW, most=3)
    second = claim(office.house, "second", NOW, most=3)
    third = claim(office.house, "third", NOW, most=3)

    assert (len(first), len(second), third) == (3, 2, [])
    assert {one.subject for one in first} | {one.subject for one in second} == {
        one["id"] for one in office.escalations()
    }
    assert held_by(office) == ["first"] * 3 + ["second"] * 2


def test_claimers_at_the_same_instant_never_hold_the_same(database_url: str) -> None:
    with opened(database_url) as office, opened(database_url, office.clock) as beside, ThreadPoolExecutor(4) as pool:
        office.do(office.adoption(ALONE))
        raised(office, 40)
        houses = [office.house, beside.house] * 2

        def take(number: int) -> list[TimerRow]:
            house = houses[number]
            return [one for _ in range(5) for one in claim(house, f"worker-{number}", NOW, most=3)]

        taken = [one for some in pool.map(take, range(4)) for one in some]

        assert len(taken) == len(set(taken)) == len(office.rows(timer_leases))
        rest = claim(office.house, "rest", NOW)
        assert len(taken) + len(rest) == 40


def test_what_was_claimed_is_told_the_earliest_first(office: Office) -> None:
    for number in range(3):
        office.submit(service_id=f"s{number}", **LINKED)
        office.clock.go_on(minutes=1)

    taken = claim(office.house, "first", NOW)

    assert [one.due_at for one in taken] == sorted(one.due_at for one in taken)


def test_an_expired_lease_is_taken_over_and_not_given_back_by_who_had_it(office: Office) -> None:
    raised(office, 2)
    taken = claim(office.house, "died", NOW)

    assert claim(office.house, "heir", NOW + LEASE - timedelta(microseconds=1)) == []
    assert claim(office.house, "heir", NOW + LEASE) == taken

    give_back(office.house, "died", taken)
    assert held_by(office) == ["heir", "heir"]


def test_a_timer_whose_instant_moved_is_free_again(office: Office) -> None:
    raised(office, 1)
    (taken,) = claim(office.house, "first", NOW)
    moved = taken.due_at + 1_000_000
    with office.house.database.write() as connection:
        connection.execute(update(timers).where(timers.c.subject == taken.subject).values(due_at=moved))

    assert claim(office.house, "second", NOW) == []  # It is not due any more.
    office.clock.go_on(seconds=1)

    assert claim(office.house, "second", NOW) == [taken._replace(due_at=moved)]


def test_a_timer_that_was_asked_is_given_back_and_one_that_moved_on_asks_nobody(office: Office) -> None:
    raised(office, 2)

    assert tick(office.house, "worker", NOW) == 2
    assert tick(office.house, "worker", NOW) == 0

    assert climbs(office) == 2
    assert held_by(office) == []


def test_a_timer_asked_late_twice_and_by_two_answers_once(office: Office) -> None:
    raised(office, 1)
    office.clock.go_on(hours=5)
    (timer,) = claim(office.house, "first", NOW)
    jobs = [Due("default", str(uuid4()), Actor("system/timer"), timer) for _ in range(2)]

    answers_of(office.house.try_all(jobs))
    answers_of(office.house.try_all(jobs))

    (exhausted,) = [one for one in office.ledger() if one.type == "escalation.chain_exhausted"]
    assert f'"scheduled_at":"{from_micros(timer.due_at):%Y-%m-%dT%H:%M:%S}.000000Z"' in exhausted.payload


def astray(office: Office) -> TimerRow:
    """A timer of an escalation that there is not: whoever asks it is refused."""
    timer = TimerRow(office.organisation, "escalation", "esc_nowhere", to_micros(office.clock()))
    with office.house.database.write() as connection:
        connection.execute(insert(timers).values(timer._asdict()))
    return timer


def test_a_timer_that_fails_keeps_its_lease_and_stops_no_other(office: Office) -> None:
    raised(office, 3)
    timer = astray(office)

    assert tick(office.house, "worker", NOW) == 4
    assert tick(office.house, "worker", NOW) == 0

    assert climbs(office) == 3
    assert [row[1:3] for row in office.rows(timer_leases)] == [(timer.kind, timer.subject)]
    assert tick(office.house, "worker", NOW + LEASE) == 1


def test_a_timer_that_fails_stops_no_command(office: Office) -> None:
    raised(office, 1)
    astray(office)

    recorded = office.submit(service_id="another")

    assert recorded["escalation_ids"] != []
    assert climbs(office) == 1


def test_a_timer_whose_rule_breaks_down_stops_no_command(office: Office) -> None:
    raised(office, 1)
    unheard_of = TimerRow(office.organisation, "unheard-of", "nobody", to_micros(office.clock()))
    with office.house.database.write() as connection:
        connection.execute(insert(timers).values(**unheard_of._asdict()))

    recorded = [office.submit(service_id=service) for service in ("another", "a third")]

    assert all(one["escalation_ids"] for one in recorded)
    assert climbs(office) == 1
    assert tick(office.house, "worker", NOW) == 1  # Workers go on asking it, and say so in their log.


def test_what_another_organisation_owes_lets_no_timer_wait_for_a_command(office: Office) -> None:
    office.house.open_organisation("other", "other")
    other = Office(office.house, office.clock, "other")
    office.do(office.adoption({**ALONE, "cooldown": "P1D"}))
    first = office.submit(service_id="s", **LINKED)
    (escalation,) = office.escalations()
    office.do(office.review_closure(escalation["review_id"]))
    deferred = office.submit(service_id="s", **LINKED)
    many = [TimerRow("other", "cooldown_until", f'["r","[{n}]"]', 1) for n in range(100)]
    with office.house.database.write() as connection:
        connection.execute(insert(timers), [one._asdict() for one in many])
    office.clock.go_on(days=1)

    job = office.submission(service_id="elsewhere", **LINKED)
    answers_of(office.house.try_all([Due("other", str(uuid4()), Actor("system/timer"), many[0]), job]))

    assert first["escalation_ids"] == [escalation["id"]]
    assert deferred["escalation_ids"] == []
    types = office.types()
    assert types.index("watch.cooldown_ended") < len(types) - 1 - types[::-1].index("near_miss.recorded")
    assert other.types().count("watch.cooldown_ended") == 1


def test_a_worker_that_stops_hands_back_what_it_holds_and_nothing_else(office: Office) -> None:
    raised(office, 3)
    claim(office.house, "first", NOW, most=2)
    claim(office.house, "second", NOW)

    release(office.house, "first")

    assert held_by(office) == ["second"]


def test_leases_that_ran_out_long_ago_are_swept_away(office: Office) -> None:
    raised(office, 1)
    claim(office.house, "died", NOW)

    sweep(office.house, NOW + LEASE)
    assert held_by(office) == ["died"]

    sweep(office.house, NOW + 2 * LEASE)
    assert held_by(office) == []


def test_when_too_much_waits_for_the_writer_nobody_holds_a_timer(database_url: str) -> None:
    with opened(database_url, queue_limit=5) as office:
        office.do(office.adoption(ALONE))
        raised(office, 5)
        office.house.writer.stop()

        with pytest.raises(Unavailable):
            tick(office.house, "worker", NOW)

        assert held_by(office) == []


def test_the_oldest_due_timer_says_how_long_it_has_waited(office: Office) -> None:
    raised(office, 2)
    office.clock.go_on(seconds=30)

    with office.house.database.read() as connection:
        assert oldest_due(connection, office.clock()) == 30.0
        assert oldest_due(connection, office.clock() - timedelta(minutes=1)) == 0.0


def test_a_timer_that_cannot_be_answered_yet_keeps_its_lease_and_no_other_waiting(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.do(
        office.command(lambda desk, cause: quiet.declare(desk, cause, "emar", source.Declare("emar", "PT1H"), None))
    )
    monkeypatch.setattr(quiet, "MOST_BEHIND", -1)  # As while the follower that tells is far behind.
    office.clock.go_on(hours=2)

    asked = [tick(office.house, "one", NOW) for _ in range(2)]

    assert asked == [1, 0]
    assert held_by(office) == ["one"]
    monkeypatch.undo()
    tick(office.house, "another", NOW + LEASE)
    assert "source.silent" in office.types()
    assert held_by(office) == []
