"""The worker's rounds: due timers ring once, followers move on, audits come round, what is half rebuilt is let be."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import insert, select

from app.clock import monotonic, system_clock
from app.database.tables import followers, timers
from app.operations.audit import Auditor, last_audit
from app.operations.tick import oldest_due, tick
from app.projections.inline import FOLLOWING, UNHURRIED
from app.worker import AUDIT_EVERY, Worker
from tests.office import Office, answers_of, opened


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with opened(database_url) as office:
        yield office


class Broken(Auditor):
    """An auditor whose database goes away between two pages."""

    def audit(self, now: datetime) -> Iterator[int]:
        yield 0
        raise OSError("The database is away.")


def heartbeat(office: Office) -> str | None:
    with office.house.database.read() as connection:
        return last_audit(connection, system_clock()).get("at")


def three(office: Office, **changes: Any) -> None:
    answers_of(office.house.try_all([office.submission(**changes) for _ in range(3)]))


def test_what_a_cooldown_deferred_is_raised_when_it_ends_and_linked_to_the_former(office: Office) -> None:
    office.do(office.adoption({"cooldown": "P7D"}))
    three(office)
    (first,) = office.escalations()
    office.do(office.review_closure(first["review_id"]))
    three(office)
    assert office.open_escalations() == []

    office.clock.go_on(days=7, minutes=1)
    Worker(office.house).once()
    Worker(office.house).once()

    (second,) = office.open_escalations()
    assert second["previous_episode_id"] == first["id"]
    assert office.types().count("watch.cooldown_ended") == 1
    others = {"near_miss", "governance_cadence"}
    assert [row[1:3] for row in office.rows(timers) if row[1] not in others] == [("escalation", second["id"])]


def test_what_is_in_no_hurry_is_not_followed_at_every_round(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    def behind() -> set[str]:
        return {row[1] for row in office.rows(followers) if row[2] < len(office.ledger())}

    monkeypatch.setattr("app.worker.EASE", 1000.0)
    worker = Worker(office.house)
    office.submit()
    worker.once()
    assert behind() == set()

    office.submit()
    worker.once()

    assert behind() == UNHURRIED
    monkeypatch.setattr("app.worker.EASE", 0.0)
    worker.once()
    assert behind() == set()


def test_a_timer_that_is_due_rings_before_the_command_that_comes_past_it(office: Office) -> None:
    office.do(office.adoption({"cooldown": "P7D"}))
    three(office)
    (first,) = office.escalations()
    office.do(office.review_closure(first["review_id"]))
    three(office)

    office.clock.go_on(days=7)
    late = office.submit()

    (second,) = office.open_escalations()
    assert late["escalation_ids"] == [second["id"]]
    assert late["similarity_check"]["rules"][0]["outcome"] == "attached"
    assert office.types().index("watch.cooldown_ended") < office.types().index("near_miss.recorded", -3)


def test_many_cooldowns_that_end_together_are_all_judged(office: Office) -> None:
    keys = 101  # One more than a transaction takes.
    office.do(office.adoption({"cooldown": "P7D", "threshold": 1}))
    answers_of(office.house.try_all([office.submission(service_id=f"s{n}") for n in range(keys)]))
    closures = [office.review_closure(one["review_id"]) for one in office.open_escalations()]
    answers_of(office.house.try_all(closures))
    answers_of(office.house.try_all([office.submission(service_id=f"s{n}") for n in range(keys)]))

    office.clock.go_on(days=8)
    for _ in range(2):
        Worker(office.house).once()

    assert len(office.open_escalations()) == keys
    assert {row[1] for row in office.rows(timers)} == {"escalation", "governance_cadence", "near_miss"}


def test_timers_that_are_being_rebuilt_ring_nowhere(office: Office) -> None:
    half = {"organisation": "~timers~default", "kind": "cooldown_until", "subject": '["r","[]"]', "due_at": 1}
    with office.house.database.write() as connection:
        connection.execute(insert(timers).values(half))

    rung = tick(office.house, "tests", system_clock())

    assert rung == 0
    with office.house.database.read() as connection:
        assert oldest_due(connection, office.clock()) == 0


def test_an_audit_is_not_the_first_thing_a_worker_does_and_then_comes_again(office: Office) -> None:
    worker = Worker(office.house)

    assert worker.audit()
    assert heartbeat(office) is None

    worker._next_audit = 0.0
    while not worker.audit():
        pass
    assert heartbeat(office) is not None
    assert worker._next_audit > monotonic() + AUDIT_EVERY / 2


def test_an_audit_that_breaks_off_is_begun_anew_when_it_is_time_again(office: Office) -> None:
    worker = Worker(office.house)
    worker._auditor = Broken(office.house)
    worker._next_audit = 0.0

    with pytest.raises(OSError, match="away"):
        worker.audit()

    assert worker.audit()
    assert heartbeat(office) is None


def test_a_round_moves_every_follower_on(office: Office) -> None:
    office.submit()

    Worker(office.house).once()

    with office.house.database.read() as connection:
        places = connection.execute(select(followers.c.position)).scalars().all()
    assert places == [len(office.ledger())] * len(FOLLOWING)
