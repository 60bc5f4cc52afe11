"""One transaction for many commands: lock the heads, let due timers go first, carry out each command, write.

Submissions read ahead together. Any other command may change what was read, so what follows it reads anew.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import ModuleType
from typing import Any

import structlog
from sqlalchemy import Connection, select
from sqlalchemy.exc import DBAPIError

from app.database.dialects import postgresql, sqlite
from app.database.prefetch import Ask, HeadRow, Range, TimerRow, Told
from app.database.tables import timers
from app.domain.decider import NotFound, Refused
from app.domain.moment import to_micros
from app.events.store import Head, of_command
from app.events.vault import Vault
from app.operations import due
from app.operations.configuration import Configuration, Configurations
from app.operations.desk import Desk
from app.operations.job import Answer, Command, Due, Job, Submit, Withheld
from app.operations.memory import Memory
from app.operations.reporting import Placed
from app.operations.show import Reader
from app.operations.standings import Standings
from app.operations.submit import keep, read_ahead, replayed, submit
from app.projections.rows import Rows

log = structlog.get_logger(__name__)


class Batches:
    """What lives longer than a batch: the dialect's hot statements, open keys, remembered configurations."""

    def __init__(self, dialect: str, vault: Vault, configurations: Configurations) -> None:
        self.dialect: ModuleType = sqlite if dialect == "sqlite" else postgresql
        self.vault = vault
        self.configurations = configurations
        self.standings = Standings()
        self.broken: set[TimerRow] = set()
        """Timers whose rule failed instead of answering: asked by workers alone, so that they stop no command."""
        self.withheld: dict[str, str] = {}
        """Organisations that are not served, and why: nothing of them is carried out."""

    def forget(self) -> None:
        """After a rollback nothing remembered can be trusted."""
        self.vault.forget()
        self.configurations.forget()
        self.standings.forget()


WAITS = "waits"
"""Of a timer that was asked: whether what it is about cannot be told yet."""
AT_ONCE = 100
"""Due timers that are read together; so many of them go first, ten times over, before a command waits no longer."""
_ROUNDS = 10


@dataclass(slots=True)
class Place:
    """One organisation in the batch: its desk, what was read ahead, and its submissions as they were placed."""

    desk: Desk
    told: Told
    placed: dict[str, Placed] = field(default_factory=dict[str, Placed])
    is_stale: bool = False


class Batch:
    """Carries out jobs on one connection. `again`: they were tried before and may have been committed."""

    def __init__(self, connection: Connection, batches: Batches, now: datetime, *, again: bool = False) -> None:
        self._connection = connection
        self._batches = batches
        self._now = now
        self._again = again
        self._rows = Rows(connection, batches.dialect.write)
        self._places: dict[str, Place] = {}

    def run(self, jobs: Sequence[Job], *, commit: bool = False) -> list[Answer | Exception]:
        """Each job's answer, or what refused it. The caller commits, unless the last statement is to do it too."""
        self._batches.vault.trim()
        self._open(jobs)
        answers: list[Answer | Exception] = []
        for index, job in enumerate(jobs):
            try:
                answers.append(self._carry_out(job, jobs[index:]))
            except Refused as refusal:
                place = self._places.get(job.organisation)
                if place is not None and place.desk.has_appended(job.cause):
                    raise RuntimeError("A command was refused after it had appended events.") from refusal
                if place is not None:
                    place.is_stale = True  # What was due may have run before the refusal.
                answers.append(refusal)
        self._rows.finish([place.desk.head.values() for place in self._places.values()], commit=commit)
        return answers

    def _open(self, jobs: Sequence[Job]) -> None:
        organisations = sorted({job.organisation for job in jobs})
        # Readers of other threads renew what is remembered: what was read ahead by is kept, to be told from it.
        known = {one: self._batches.configurations.remembered(one) for one in organisations}
        ask, placed = self._ahead(jobs, known)
        heads, due_timers, told = self._batches.dialect.begin_batch(
            self._connection, organisations, to_micros(self._now), ask
        )
        for head in heads:
            self._open_desk(head, told, known[head.organisation])
        self._learn(organisations, ask, told, placed)
        self._fire(due_timers, self._whose_due_go_first(jobs))

    def _whose_due_go_first(self, jobs: Sequence[Job]) -> set[str]:
        return {job.organisation for job in jobs if not isinstance(job, Due)} - self._batches.withheld.keys()

    def _open_desk(self, row: HeadRow, told: Told, known: tuple[int, Configuration] | None) -> None:
        batches, organisation = self._batches, row.organisation
        configuration = batches.configurations.at(self._connection, organisation, row.configured_at)
        desk = Desk(
            Head(row),
            self._now,
            self._rows,
            batches.vault,
            batches.configurations,
            configuration,
            batches.vault.pepper(self._connection, organisation),
            Memory(organisation, self._rows, batches.dialect),
            batches.standings,
        )
        place = Place(desk, told)
        place.is_stale = known is None or known[0] != row.configured_at
        self._places[organisation] = place

    def _ahead(
        self, jobs: Sequence[Job], settled: Mapping[str, tuple[int, Configuration] | None]
    ) -> tuple[Ask, dict[str, Placed]]:
        """What the jobs of these organisations ask for, as far as their configurations are remembered."""
        ask = Ask()
        placed: dict[str, Placed] = {}
        for job in jobs:
            if job.organisation not in settled:
                continue
            match job:
                case Command(idempotency=idempotency):
                    if idempotency is not None:
                        ask.commands.append(idempotency.key)
                case Submit():
                    known = settled[job.organisation]
                    if known is not None:
                        placed[job.near_miss_id] = read_ahead(job, known[1], ask)
                case Due():
                    pass
        ask.ranges = _joined(ask.ranges)
        vault = self._batches.vault
        ask.tokens = [one for one in dict.fromkeys(ask.tokens) if not vault.knows(*one)]
        return ask, placed

    def _learn(self, organisations: Sequence[str], ask: Ask, told: Told, placed: dict[str, Placed]) -> None:
        self._batches.vault.remember(told.subjects)
        for organisation in organisations:
            if (place := self._places.get(organisation)) is not None:
                place.told = told
                place.placed = placed
                place.desk.memory.learn(ask.ranges, told.entries, told.episodes)

    def _refresh(self, place: Place, rest: Sequence[Job]) -> None:
        """Read ahead anew for an organisation's remaining jobs."""
        organisation = place.desk.organisation
        place.desk.memory.forget()
        known = (place.desk.head.configured_at, place.desk.configuration)
        ask, placed = self._ahead(rest, {organisation: known})
        self._rows.flush()
        told = self._batches.dialect.prefetch(self._connection, ask)
        self._learn([organisation], ask, told, placed)
        place.is_stale = False

    def _fire(self, due_timers: Sequence[TimerRow], organisations: set[str]) -> None:
        """What is due goes before the commands of these organisations; a worker's asking fires its own timer only."""
        chosen = (
            select(timers.c.organisation, timers.c.kind, timers.c.subject, timers.c.due_at)
            .where(timers.c.organisation.in_(organisations), timers.c.due_at <= to_micros(self._now))
            .order_by(timers.c.due_at, timers.c.kind, timers.c.subject)
            .limit(AT_ONCE)
        )
        found = due_timers if organisations else ()
        for _ in range(_ROUNDS):
            asked, before = [one for one in found if one.organisation in organisations], self._position()
            for timer in asked:
                self._fire_first(timer)
            if not found or (asked and self._position() == before):
                return  # What is left does not answer.
            # What answered may be due again, or have begun something whose own deadlines have passed.
            found = [TimerRow(*row) for row in self._rows.execute(chosen)]

    def _position(self) -> int:
        return sum(place.desk.head.position for place in self._places.values())

    def _fire_first(self, timer: TimerRow) -> None:
        if timer in self._batches.broken:
            return
        try:
            self._fire_one(timer)
        except Refused as refusal:  # Nothing of it is done, and it is nobody's fault who commands something else.
            log.error("timer.refused", **timer._asdict(), detail=refusal.detail)
        except DBAPIError:
            raise
        except Exception:  # This batch is rolled back; the commands in it are tried again without the timer.
            self._batches.broken.add(timer)
            log.exception("timer.broken", **timer._asdict())
            raise

    def _fire_one(self, timer: TimerRow) -> None:
        place = self._places[timer.organisation]
        place.is_stale, before = True, place.desk.head.position
        try:
            due.fire(place.desk, timer)
        except Refused as refusal:
            if place.desk.head.position > before:
                raise RuntimeError("A timer was refused after it had appended events.") from refusal
            raise

    def _carry_out(self, job: Job, rest: Sequence[Job]) -> Answer:
        place = self._places.get(job.organisation)
        if place is None:
            raise NotFound("There is no such organisation.")
        if (why := self._batches.withheld.get(job.organisation)) is not None:
            raise Withheld(why)
        if isinstance(job, Due):
            before = place.desk.head.position
            self._fire_one(job.timer)
            self._batches.broken.discard(job.timer)
            its = (job.timer.organisation, job.timer.kind, job.timer.subject)
            waits = place.desk.head.position == before and due.due_of(place.desk.rows, *its) == job.timer.due_at
            return Answer(200, {WAITS: waits})
        if self._again and (done := of_command(place.desk.connection, job.organisation, job.command_id)) is not None:
            return self._answer_again(place.desk, job, done[1])
        desk = place.desk
        if job.actor.ref is not None and job.actor.token is not None:
            desk.vault.remember_subject(desk.rows, desk.organisation, job.actor.token, job.actor.ref)
        match job:
            case Submit():
                if place.is_stale:
                    self._refresh(place, rest)
                return submit(desk, job, place.placed[job.near_miss_id], place.told)
            case Command():
                return self._command(place, job, rest)

    def _command(self, place: Place, job: Command, rest: Sequence[Job]) -> Answer:
        desk = place.desk
        if job.idempotency is not None:
            if place.is_stale:
                self._refresh(place, rest)
            if (known := replayed(job.idempotency, place.told)) is not None:
                status, subject, last_sequence = known
                return Answer(status, _shown(desk, job, last_sequence, subject), replayed=True)
        first_sequence = desk.head.position + 1
        desk.memory.forget()
        job.run(desk, job.cause)
        if desk.head.position >= first_sequence:
            place.is_stale = True
            if job.idempotency is not None:
                keep(desk, job.idempotency, job.status, job.subject, first_sequence, place.told)
        return Answer(job.status, _shown(desk, job, None))

    @staticmethod
    def _answer_again(desk: Desk, job: Command | Submit, last_sequence: int) -> Answer:
        reader = Reader(desk.connection, desk.vault, desk.organisation, last_sequence)
        match job:
            case Submit():
                return Answer(201, reader.near_misses([job.near_miss_id])[0])
            case Command():
                return Answer(job.status, job.show(reader, job.subject))


def _shown(desk: Desk, job: Command, as_of: int | None, subject: str | None = None) -> Mapping[str, Any]:
    reader = Reader(desk.connection, desk.vault, desk.organisation, as_of)
    return job.show(reader, subject or job.subject)


def _joined(ranges: Sequence[Range]) -> list[Range]:
    """One range for each key, wide enough for all that was asked of it."""
    joined: dict[tuple[str, str, str], Range] = {}
    for one in ranges:
        key = one[:3]
        other = joined.get(key)
        joined[key] = one if other is None else Range(*key, min(one.low, other.low), max(one.high, other.high))
    return list(joined.values())
