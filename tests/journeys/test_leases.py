"""Workers in processes of their own share what is due; one is killed, one is told to stop: nothing is done twice."""

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from app.clock import system_clock
from app.database.tables import ledgers, timer_leases, timers
from app.domain.moment import format_instant, parse_instant, to_micros
from app.operations.audit import last_audit
from app.operations.tick import LEASE, tick
from tests.office import LINK, Office, answers_of, assert_intact, opened
from tests.rounds import rounds
from tests.service import POLL_SECONDS, START_SECONDS, STOP_SECONDS, surroundings

TIMERS = max(200, rounds(2000))
WITHIN = 10.0
"""Seconds in which a worker that is told to stop has ended."""
MINUTE = {"to": ["manager"], "timeout": "PT1M"}
LADDER = {"steps": [MINUTE, {"to": ["deputy"], "timeout": "P1D"}], "backstop": "admin"}


@dataclass(slots=True)
class Worker:
    """`forewarn worker` at work, and what it logged."""

    process: subprocess.Popen[bytes]
    log_file: Path

    def until(self, holds: Callable[[], bool], seconds: float = START_SECONDS) -> None:
        """Wait until something is so, while the worker lives."""
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, self.log_file.read_text()
            try:
                code = self.process.wait(POLL_SECONDS)
            except subprocess.TimeoutExpired:
                continue
            pytest.fail(f"The worker ended with {code}:\n{self.log_file.read_text()}")

    def stop(self) -> int:
        """Tell it to stop, and give its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(WITHIN)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait(STOP_SECONDS)


@dataclass(slots=True)
class Ward:
    """An office on PostgreSQL whose timers real workers ask, by a clock in a file."""

    office: Office
    database_url: str
    directory: Path
    _running: ExitStack = field(default_factory=ExitStack)

    def raised(self, number: int) -> None:
        """So many escalations, each with a minute to answer."""
        office = self.office
        office.do(office.adoption({"threshold": 1, "group_by": ["service_id"], "ladder": LADDER}))
        for start in range(0, number, 200):
            names = [f"s{n}" for n in range(start, min(start + 200, number))]
            jobs = [office.submission(service_id=name, workflow_link=LINK, intake=True) for name in names]
            answers_of(office.house.try_all(jobs))

    def go_on(self, **by: float) -> None:
        """Let time pass for the office and for every worker."""
        self.office.clock.go_on(**by)
        clock = self.directory / "clock"
        clock.with_suffix(".new").write_text(format_instant(self.office.clock()))
        clock.with_suffix(".new").replace(clock)

    def worker(self, name: str) -> Worker:
        log_file = self.directory / f"{name}.log"
        environment = {"FOREWARN_CLOCK": f"file:{self.directory / 'clock'}", "FOREWARN_ENVIRONMENT": "test"}
        with log_file.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "app.cli", "worker"],
                cwd=self.directory,
                env=surroundings(self.database_url, environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._running.callback(lambda: process.poll() is None and process.kill())
        return Worker(process, log_file)

    @contextmanager
    def ledger_held(self) -> Iterator[None]:
        """Whoever wants to write into the ledger waits: timers are taken on lease, and none is answered."""
        with self.office.house.database.write() as connection:
            connection.execute(select(ledgers).with_for_update())
            yield

    def holders(self) -> Counter[str]:
        return Counter(row[4] for row in self.office.rows(timer_leases))

    def due(self) -> int:
        with self.office.house.database.read() as connection:
            at = to_micros(self.office.clock())
            return connection.execute(
                select(func.count()).select_from(timers).where(timers.c.due_at <= at)
            ).scalar_one()

    def is_audited(self) -> bool:
        with self.office.house.database.read() as connection:
            return "at" in last_audit(connection, system_clock())

    def close(self) -> None:
        self._running.close()


@pytest.fixture
def ward(postgresql_url: str, tmp_path: Path) -> Iterator[Ward]:
    with opened(postgresql_url) as office:
        ward = Ward(office, postgresql_url, tmp_path)
        yield ward
        ward.close()


@pytest.mark.soak
def test_a_worker_killed_while_it_holds_timers_leaves_each_effect_exactly_once(ward: Ward) -> None:
    ward.raised(TIMERS)
    ward.go_on(minutes=1)

    with ward.ledger_held():
        dying = ward.worker("dying")
        dying.until(lambda: ward.holders().total() == 100)
        (dead,) = ward.holders()
        living = ward.worker("living")
        living.until(lambda: sorted(ward.holders().values()) == [100, 100])
        dying.kill()
    living.until(lambda: ward.due() <= 100, seconds=120)
    while ward.due():  # What the dead one held is taken over once its lease is over, maybe by two at once.
        tick(ward.office.house, "heir", system_clock() + LEASE)

    assert_each_climbed_once(ward, TIMERS)
    living.until(lambda: dead not in ward.holders())
    living.until(ward.is_audited)
    assert living.stop() == 0
    assert ward.holders() == {}


def assert_each_climbed_once(ward: Ward, number: int) -> None:
    with ward.office.house.database.read() as connection:
        ledger = assert_intact(connection)
    climbs = [one for one in ledger if one.type == "escalation.level_entered"]
    scheduled = Counter((one.stream, json.loads(one.payload)["scheduled_at"], one.type) for one in climbs)
    assert len(scheduled) == len(climbs) == number
    raised = {one.stream: one.recorded_at for one in ledger if one.type == "escalation.raised"}
    for stream, scheduled_at, _ in scheduled:
        assert to_micros(parse_instant(scheduled_at) - timedelta(minutes=1)) == raised[stream]


@pytest.mark.parametrize("is_stuck", [False, True], ids=["at work", "waiting for the ledger"])
def test_a_worker_that_is_told_to_stop_ends_in_time_and_keeps_no_lease(ward: Ward, is_stuck: bool) -> None:
    ward.raised(150)
    ward.go_on(minutes=1)

    with ExitStack() as held:
        held.enter_context(ward.ledger_held())
        worker = ward.worker("worker")
        worker.until(lambda: ward.holders().total() == 100)
        if not is_stuck:
            held.close()
        assert (worker.stop(), ward.holders()) == (0, {}), worker.log_file.read_text()

    while tick(ward.office.house, "heir", system_clock()):
        pass
    assert_each_climbed_once(ward, 150)
