"""The one thread of a process that writes: it gathers what waits, carries it out in one transaction, commits once.

A commit costs far more than a command, so commands that wait together share one. A refusal costs nobody else
anything. When the database fails, the batch is rolled back and its commands are tried one by one; each had its
id before its first try and looks for its own events first, so that a commit whose answer was lost doubles
nothing. What cannot be carried out is told so: nothing is answered that is not stored.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from app.clock import Clock, monotonic
from app.database.engine import Database, is_connection_lost
from app.domain.decider import Refused
from app.operations.batch import Batch, Batches
from app.operations.job import Answer, Job, Unavailable

MOST_IN_A_BATCH = 256

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Waiting:
    """A job in the queue, and whom to tell."""

    job: Job
    deadline: float
    tell: Callable[[Answer | Exception], None]


@dataclass(slots=True)
class Counts:
    """What the writer has done since it began, for /metrics."""

    commands: int = 0
    batches: int = 0
    refused: int = 0
    failed: int = 0
    largest_batch: int = field(default=0)


class Writer:
    """The queue and its thread. `put` may be called from any thread; answers come on the writer's own."""

    def __init__(
        self, database: Database, batches: Batches, clock: Clock, *, queue_limit: int, command_deadline: float
    ) -> None:
        self._database = database
        self._batches = batches
        self._clock = clock
        self._queue_limit = queue_limit
        self._command_deadline = command_deadline
        self._queue: deque[Waiting] = deque()
        self._wake = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self.counts = Counts()
        self.committed: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Begin to carry out what is put in."""
        self._thread.start()

    def stop(self, patience: float = 10.0) -> None:
        """Take nothing more, finish what waits, and end; what is not finished in time is refused, never half-done."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        if self._thread.is_alive():
            self._thread.join(patience)
        self._refuse_waiting()

    @property
    def depth(self) -> int:
        """How many commands wait."""
        return len(self._queue)

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def put(self, jobs: Sequence[tuple[Job, Callable[[Answer | Exception], None]]]) -> None:
        """Let jobs wait for their turn, all or none; raises `Unavailable` when too many wait already."""
        deadline = monotonic() + self._command_deadline
        with self._wake:
            if self._stopping:
                raise Unavailable("The service is stopping: send the request again in a moment.")
            if len(self._queue) + len(jobs) > self._queue_limit and self._queue:
                raise Unavailable(
                    "More is waiting to be written than can be taken: send the request again in a moment."
                )
            self._queue.extend(Waiting(job, deadline, tell) for job, tell in jobs)
            self._wake.notify()

    def _run(self) -> None:
        while batch := self._next_batch():
            try:
                self._carry_out(batch)
            except Exception:  # The thread must outlive whatever a batch did; each job has been answered.
                log.exception("writer.batch_failed")
                for waiting in batch:
                    waiting.tell(Unavailable(_AGAIN))

    def _next_batch(self) -> list[Waiting]:
        with self._wake:
            while not self._queue:
                if self._stopping:
                    return []
                self._wake.wait()
            return [self._queue.popleft() for _ in range(min(MOST_IN_A_BATCH, len(self._queue)))]

    def _carry_out(self, batch: list[Waiting]) -> None:
        now = monotonic()
        for waiting in batch:
            if waiting.deadline < now:
                waiting.tell(Unavailable("The request waited too long and was not carried out: send it again."))
        batch = [waiting for waiting in batch if waiting.deadline >= now]
        try:
            answers = self._transact([waiting.job for waiting in batch], again=False)
        except Exception as error:  # noqa: BLE001 - whatever failed, one by one tells whose fault it was
            self._batches.forget()
            self._one_by_one(batch, error)
            return
        self.counts.largest_batch = max(self.counts.largest_batch, len(batch))
        self._answer(batch, answers)

    def _one_by_one(self, batch: list[Waiting], first_error: Exception) -> None:
        log.warning("writer.batch_rolled_back", commands=len(batch), error=type(first_error).__name__)
        if is_connection_lost(first_error):
            self._database.renew()
        for waiting in batch:
            try:
                answers = self._transact([waiting.job], again=True)
            except Exception as error:
                self._batches.forget()
                self.counts.failed += 1
                if is_connection_lost(error):
                    log.warning("writer.unavailable", error=type(error).__name__)
                    waiting.tell(Unavailable(_AGAIN))
                else:
                    log.exception("writer.command_failed", exc_info=error)
                    waiting.tell(error)
            else:
                self._answer([waiting], answers)

    def _transact(self, jobs: list[Job], *, again: bool) -> list[Answer | Exception]:
        if not jobs:
            return []
        with self._database.write() as connection:
            return Batch(connection, self._batches, self._clock(), again=again).run(jobs, commit=True)

    def _answer(self, batch: list[Waiting], answers: list[Answer | Exception]) -> None:
        self.counts.batches += 1
        self.counts.commands += len(batch)
        self.counts.refused += sum(isinstance(answer, Refused) for answer in answers)
        for waiting, answer in zip(batch, answers, strict=True):
            waiting.tell(answer)
        self.committed()

    def _refuse_waiting(self) -> None:
        with self._wake:
            left, self._queue = list(self._queue), deque[Waiting]()
        for waiting in left:
            waiting.tell(Unavailable("The service is stopping: send the request again in a moment."))


_AGAIN = "The database did not take the request, and nothing of it was stored: send it again in a moment."
