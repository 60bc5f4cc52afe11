"""The one thread that writes: many commands share a commit, and no failure of one is another's."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from app.domain.decider import Invalid, NotFound
from app.events.store import Cause, Draft, of_command
from app.operations.desk import Desk
from app.operations.job import Answer, Command, Submit, Unavailable
from tests.office import Office, answers_of, assert_intact, opened


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with opened(database_url) as office:
        yield office


class Held:
    """Holds the writer inside a command until it is let go."""

    def __init__(self, office: Office) -> None:
        self._entered, self._let_go = threading.Event(), threading.Event()
        self._put(office)

    def _put(self, office: Office) -> None:
        def wait(_desk: Desk, _cause: Cause) -> None:
            self._entered.set()
            assert self._let_go.wait(30)

        office.house.writer.put([(office.command(wait), lambda _answer: None)])
        assert self._entered.wait(30)

    def let_go(self) -> None:
        self._let_go.set()


@contextmanager
def held(office: Office) -> Iterator[Held]:
    holding = Held(office)
    try:
        yield holding
    finally:
        holding.let_go()


class Told:
    """Gathers answers as they come, by name."""

    def __init__(self, expected: int) -> None:
        self.answers: dict[str, Answer | Exception] = {}
        self.times: list[str] = []
        self._left = threading.Semaphore(0)
        self._expected = expected

    def by(self, name: str) -> Callable[[Answer | Exception], None]:
        def tell(answer: Answer | Exception) -> None:
            self.answers[name] = answer
            self.times.append(name)
            self._left.release()

        return tell

    def wait(self) -> dict[str, Answer | Exception]:
        for _ in range(self._expected):
            assert self._left.acquire(timeout=30)
        return self.answers


def put(office: Office, jobs: dict[str, Submit | Command]) -> Told:
    told = Told(len(jobs))
    office.house.writer.put([(job, told.by(name)) for name, job in jobs.items()])
    return told


# Sharing a commit


def test_what_waits_together_is_committed_together(office: Office) -> None:
    before = office.house.writer.counts.batches
    with held(office):
        told = put(office, {f"{n}": office.submission(service_id=f"s{n}") for n in range(40)})

    answers_of(list(told.wait().values()))

    assert office.house.writer.counts.batches == before + 2
    assert office.house.writer.counts.largest_batch == 40
    with office.house.database.read() as connection:
        assert_intact(connection)


def test_more_than_a_batch_holds_is_carried_out_all_the_same(office: Office) -> None:
    with held(office):
        told = put(office, {f"{n}": office.submission(service_id=f"s{n}") for n in range(300)})

    answers_of(list(told.wait().values()))

    assert office.house.writer.counts.largest_batch == 256
    assert office.types().count("near_miss.recorded") == 300


def test_each_is_answered_once_and_in_order(office: Office) -> None:
    with held(office):
        told = put(office, {f"{n}": office.submission(service_id=f"s{n}") for n in range(20)})

    told.wait()

    assert told.times == [f"{n}" for n in range(20)]


# Failing alone


def test_a_refusal_costs_nobody_else_anything(office: Office) -> None:
    with held(office):
        told = put(
            office,
            {
                "first": office.submission(),
                "refused": office.submission(incident_type="weather"),
                "missing": office.withdrawal("nm_none"),
                "last": office.submission(),
            },
        )
    before = office.house.writer.counts.batches

    answers = told.wait()

    assert isinstance(answers["refused"], Invalid)
    assert isinstance(answers["missing"], NotFound)
    assert [one.body["frequency"] for one in answers_of([answers["first"], answers["last"]])] == [1, 2]
    assert office.house.writer.counts.batches <= before + 2


def poison(_desk: Desk, _cause: Cause) -> None:
    raise ZeroDivisionError("A fault of the code.")


def poison_after_appending(desk: Desk, cause: Cause) -> None:
    from app.domain.near_miss import SourceAdded

    desk.append(cause, [Draft("near_miss/poisoned", 0, [SourceAdded("nm_1")])])
    desk.connection.execute(text("SELECT 1"))
    raise ZeroDivisionError("A fault of the code, after it had written.")


@pytest.mark.parametrize("run", [poison, poison_after_appending])
def test_a_command_that_fails_takes_nobody_with_it(office: Office, run: Callable[[Desk, Cause], None]) -> None:
    with held(office):
        jobs: dict[str, Submit | Command] = {f"{n}": office.submission() for n in range(3)}
        told = put(office, {"0": jobs["0"], "poison": office.command(run), "1": jobs["1"], "2": jobs["2"]})

    answers = told.wait()

    assert isinstance(answers.pop("poison"), ZeroDivisionError)
    assert [one.body["frequency"] for one in answers_of(list(answers.values()))] == [1, 2, 3]
    assert len(office.open_escalations()) == 1
    with office.house.database.read() as connection:
        ledger = assert_intact(connection)
    assert [event.type for event in ledger].count("near_miss.recorded") == 3
    assert [event.stream for event in ledger].count("near_miss/poisoned") == 0


def test_a_command_that_is_refused_after_it_wrote_is_a_fault_and_leaves_nothing(office: Office) -> None:
    def half_way(desk: Desk, cause: Cause) -> None:
        from app.domain.near_miss import SourceAdded

        desk.append(cause, [Draft("near_miss/half", 0, [SourceAdded("nm_1")])])
        raise NotFound("Too late.")

    with held(office):
        told = put(office, {"half": office.command(half_way), "whole": office.submission()})

    answers = told.wait()

    assert isinstance(answers["half"], RuntimeError)
    assert isinstance(answers["whole"], Answer)
    assert [event.stream for event in office.ledger()].count("near_miss/half") == 0


def test_what_a_rolled_back_batch_had_settled_is_forgotten(office: Office) -> None:
    with held(office):
        adoption = office.adoption({"threshold": 2})

        def adopt_and_fail(desk: Desk, cause: Cause) -> None:
            adoption.run(desk, cause)
            raise ZeroDivisionError

        told = put(office, {"fails": office.command(adopt_and_fail), "one": office.submission()})
    told.wait()

    second = office.submit()

    assert second["similarity_check"]["policy_version"] == 1
    assert office.open_escalations() == []


def test_people_first_named_in_a_rolled_back_batch_can_still_be_told(office: Office) -> None:
    with held(office):
        job = office.submission(person_ref="resident-31", staff_involved=[{"ref": "staff-9"}], narrative="Seen.")
        told = put(office, {"one": job, "fails": office.command(poison, actor=office.person("nurse-9"))})
    told.wait()

    office.house.vault.forget()  # As after a restart: only what is stored opens anything.

    shown = office.near_miss(job.near_miss_id)
    assert (shown["person_ref"], shown["narrative"]) == ("resident-31", "Seen.")
    assert shown["staff_involved"] == [{"ref": "staff-9"}]


# A commit whose answer was lost


@pytest.fixture
def losing(office: Office, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The next commit of the writer happens, and then the connection is lost; says which ones it lost."""
    lost: list[str] = []
    write = office.house.database.write

    @contextmanager
    def write_and_lose() -> Iterator[Connection]:
        with write() as connection:
            yield connection
        if not lost:
            lost.append("answer")
            raise OperationalError("COMMIT", None, ConnectionError("server closed the connection unexpectedly"))

    monkeypatch.setattr(office.house.database, "write", write_and_lose)
    yield lost
    assert lost == ["answer"]


def test_a_commit_whose_answer_was_lost_doubles_nothing(office: Office, losing: list[str]) -> None:
    jobs = [
        *(office.submission(source="emar", source_event_id=f"e-{n}", idempotency_key=f"k-{n}") for n in range(3)),
        office.adoption({"threshold": 5}),
        office.registration("elm"),
        office.submission(),
    ]

    answers = answers_of(office.house.try_all(jobs))

    assert [one.status for one in answers] == [201, 201, 201, 200, 200, 201]
    assert [one.body["frequency"] for one in answers[:3]] == [1, 2, 3]
    for job, answer in zip(jobs, answers, strict=True):
        if isinstance(job, Submit):
            with office.house.database.read() as connection:
                done = of_command(connection, "default", job.command_id)
            assert done is not None
            assert answer.body == office.near_miss(job.near_miss_id, as_of=done[1])
    types = office.types()
    assert (types.count("near_miss.recorded"), types.count("escalation.raised")) == (4, 1)
    assert (types.count("policy.adopted"), types.count("service.registered")) == (1, 1)
    with office.house.database.read() as connection:
        assert_intact(connection)


def test_what_was_lost_and_done_again_gives_the_answer_of_then(office: Office, losing: list[str]) -> None:
    job = office.submission(narrative="Seen in time.")

    lost = office.house.ask(job).body

    again = office.submission(narrative="Seen in time.")
    assert {**lost, "id": ""} == {**office.near_miss(job.near_miss_id), "id": ""}
    assert office.house.ask(again).body["frequency"] == 2


def test_a_refusal_is_repeated_when_its_batch_is_done_again(office: Office, losing: list[str]) -> None:
    answers = office.house.try_all([office.submission(), office.submission(incident_type="weather")])

    assert isinstance(answers[0], Answer)
    assert isinstance(answers[1], Invalid)


def test_the_service_goes_on_after_its_connections_were_cut(postgresql_url: str) -> None:
    with opened(postgresql_url) as office:
        office.submit()
        with office.house.database.read() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                    " AND datname = current_database()"
                )
            )

        second = office.submit()

        assert second["frequency"] == 2


def test_a_database_that_is_gone_is_said_to_be_unavailable(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def gone() -> Iterator[Connection]:
        raise OperationalError("BEGIN", None, sqlite3.OperationalError("disk I/O error"))
        yield

    with monkeypatch.context() as patch:
        patch.setattr(office.house.database, "write", gone)
        (answer,) = office.house.try_all([office.submission()])

    assert isinstance(answer, Unavailable)
    assert office.types().count("near_miss.recorded") == 0
    assert office.submit()["frequency"] == 1


# Waiting


def test_a_full_queue_takes_nothing_more_and_loses_nothing(database_url: str) -> None:
    with opened(database_url, queue_limit=5) as office:
        with held(office):
            told = put(office, {f"{n}": office.submission(service_id=f"s{n}") for n in range(5)})
            with pytest.raises(Unavailable, match="More is waiting"):
                office.house.writer.put([(office.submission(), lambda _answer: None)])

        answers_of(list(told.wait().values()))
        assert office.types().count("near_miss.recorded") == 5


def test_jobs_are_put_in_all_or_none(database_url: str) -> None:
    with opened(database_url, queue_limit=5) as office:
        with held(office):
            told = put(office, {"one": office.submission()})
            with pytest.raises(Unavailable):
                put(office, {f"{n}": office.submission() for n in range(5)})

        told.wait()
        assert office.types().count("near_miss.recorded") == 1


def test_a_batch_larger_than_the_queue_is_taken_when_nothing_waits(database_url: str) -> None:
    with opened(database_url, queue_limit=5) as office:
        with held(office):
            told = put(office, {f"{n}": office.submission(service_id=f"s{n}") for n in range(20)})

        assert len(answers_of(list(told.wait().values()))) == 20


def test_what_waited_past_its_deadline_is_not_carried_out(database_url: str) -> None:
    with opened(database_url, command_deadline=0.0) as office:
        told = put(office, {"late": office.submission()})

        answers = told.wait()

        assert isinstance(answers["late"], Unavailable)
        assert "was not carried out" in str(answers["late"])
        assert office.types().count("near_miss.recorded") == 0


# Stopping


def test_a_clean_stop_finishes_what_waits(database_url: str) -> None:
    with opened(database_url) as office:
        with held(office) as holding:
            told = put(office, {f"{n}": office.submission(service_id=f"s{n}") for n in range(10)})
            stopping = threading.Thread(target=office.house.writer.stop)
            stopping.start()
            holding.let_go()
            stopping.join(30)

        answers_of(list(told.wait().values()))
        assert not office.house.writer.alive
        assert office.types().count("near_miss.recorded") == 10


def test_what_is_not_finished_in_time_is_refused_and_never_half_done(database_url: str) -> None:
    with opened(database_url) as office:
        with held(office):
            told = put(office, {f"{n}": office.submission() for n in range(3)})

            office.house.writer.stop(patience=0)

            refused = told.wait()
        assert all(isinstance(one, Unavailable) for one in refused.values())
        office.house.writer.stop()
        assert office.types().count("near_miss.recorded") == 0


def test_nothing_is_taken_once_it_stops(office: Office) -> None:
    office.house.writer.stop()

    with pytest.raises(Unavailable, match="stopping"):
        office.submit()


def test_the_worker_is_woken_by_every_commit(office: Office) -> None:
    woken: list[Any] = []
    office.house.writer.committed = lambda: woken.append(office.house.writer.counts.commands)

    office.submit()
    office.submit()
    office.house.writer.stop()

    assert len(woken) == 2
