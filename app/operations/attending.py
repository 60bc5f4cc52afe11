"""What a worker notices behind the ledger and has the writer do: a source that was silent and speaks again, two
records that the organisation's rule confirms as one, a service in which something rises or falls silent, an outcome
that something came late for, and a ledger that is to be signed again.

A follower shows it, a command tells it: under the head's lock it is looked at again, so that whoever asks, and however
often, tells it once. What fails is noticed again, and keeps nothing else from being done: neither another organisation,
nor another kind of thing. What a rule refuses is noticed again once something has changed.
"""

from collections.abc import Callable, Sequence
from uuid import NAMESPACE_URL, uuid5

import structlog
from sqlalchemy import Connection, select

from app.clock import monotonic
from app.database.tables import duplicate_proposals, heard_sources, ledgers
from app.domain.decider import Refused
from app.events.store import Cause
from app.operations import duplicating, quiet
from app.operations.checkpoint_watch import CheckpointWatch
from app.operations.desk import Desk
from app.operations.house import SYSTEM, House
from app.operations.job import Command, Unavailable
from app.operations.outcome_watch import OutcomeWatch
from app.operations.signal_watch import LONG_ENOUGH, SignalWatch
from app.projections.duplicates import PROPOSED

AT_ONCE = 100

log = structlog.get_logger(__name__)


class Attendant:
    """Looks at one house; remembers which proposals the rules refused, and at which sequence these stood."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._refused: dict[tuple[str, str], int] = {}
        self._signals = SignalWatch(house)
        self._next = ""
        self._outcomes = OutcomeWatch(house)
        self._checkpoints = CheckpointWatch(house)

    def attend(self) -> int:
        """Have done what there is to do, so much at once; returns how much the writer was asked for."""
        asked = _by_itself("sources", self._sources) + _by_itself("outcomes", self._late_for_outcomes)
        organisations = self._house.served()
        asked += sum(_by_itself("duplicates", self._duplicates, one) for one in organisations)
        asked += self._trends_of(organisations)
        return asked + _by_itself("checkpoints", self._to_sign)  # Last: what was noticed just now is signed with it.

    def _sources(self) -> int:
        row = heard_sources.c
        chosen = (
            select(row.organisation, row.source, row.silent_sequence)
            .join(ledgers, ledgers.c.organisation == row.organisation)  # Not of those that are only being rebuilt.
            .where(row.silent_sequence.is_not(None), row.heard_sequence > row.silent_sequence)
            .limit(AT_ONCE)
        )
        with self._house.database.read() as connection:
            found = connection.execute(chosen).all()
        jobs = [_speaking_again(*one) for one in found if one[0] not in self._house.withheld]
        self._asked(jobs)
        return len(jobs)

    def _duplicates(self, organisation: str) -> int:
        known = self._house.configurations.remembered(organisation)
        if known is not None and known[1].duplicate_rule.confirm_at is None:
            return 0
        with self._house.database.read() as connection:
            confirm_at = self._house.configurations.now(connection, organisation).duplicate_rule.confirm_at
            found = [] if confirm_at is None else self._to_confirm(connection, organisation, confirm_at)
        jobs = [_confirming(organisation, *one) for one in found]
        for (proposal_id, sequence), answer in zip(found, self._asked(jobs), strict=True):
            if isinstance(answer, Refused) and not isinstance(answer, Unavailable):
                self._refused[organisation, proposal_id] = sequence
        return len(jobs)

    def _to_confirm(self, connection: Connection, organisation: str, confirm_at: float) -> list[tuple[str, int]]:
        row = duplicate_proposals.c
        chosen = (
            select(row.proposal_id, row.sequence)
            .where(row.organisation == organisation, row.status == PROPOSED, row.score >= confirm_at)
            .order_by(row.sequence)
        )
        found = [(one.proposal_id, one.sequence) for one in connection.execute(chosen)]
        return [one for one in found if self._refused.get((organisation, one[0])) != one[1]][:AT_ONCE]

    def _trends_of(self, organisations: Sequence[str]) -> int:
        """For so long that a round stays short, one at least; the next round begins with the one that this one left."""
        until = monotonic() + LONG_ENOUGH
        turn = sum(one < self._next for one in organisations)
        asked = 0
        for n, one in enumerate((*organisations[turn:], *organisations[:turn])):
            if n and monotonic() > until:
                self._next = one
                break
            asked += _by_itself("trends", self._trends, one)
        return asked

    def _trends(self, organisation: str) -> int:
        looked = self._signals.look(organisation)
        jobs = [command for one in looked for command in one.commands]
        failed = {
            job.subject for job, answer in zip(jobs, self._asked(jobs), strict=True) if isinstance(answer, Exception)
        }
        told = [one for one in looked if failed.isdisjoint(command.subject for command in one.commands)]
        self._signals.keep(organisation, told)
        return len(jobs)

    def _late_for_outcomes(self) -> int:
        jobs = [job for job in self._outcomes.look() if job.organisation not in self._house.withheld]
        for job, answer in zip(jobs, self._asked(jobs), strict=True):
            if not isinstance(answer, Exception):
                self._outcomes.keep(job)
        return len(jobs)

    def _to_sign(self) -> int:
        jobs = self._checkpoints.look()
        self._asked(jobs)
        return len(jobs)

    def _asked(self, jobs: Sequence[Command]) -> Sequence[object]:
        answers = self._house.try_all(jobs) if jobs else ()
        for job, answer in zip(jobs, answers, strict=True):
            if isinstance(answer, Exception):
                told = {"organisation": job.organisation, "subject": job.subject, "error": type(answer).__name__}
                log.warning("attending.refused" if isinstance(answer, Refused) else "attending.failed", **told)
        return answers


def _by_itself(what: str, look: Callable[..., int], *organisation: str) -> int:
    """What it asked for; nothing when it fails, which is for the next round."""
    try:
        return look(*organisation)
    except Exception:
        log.warning("attending.not_looked", what=what, organisation=next(iter(organisation), None), exc_info=True)
        return 0


def _speaking_again(organisation: str, name: str, silent_sequence: int) -> Command:
    def run(desk: Desk, cause: Cause) -> None:
        quiet.speak_again(desk, cause, name)

    return _command(organisation, f"source {name} spoke after {silent_sequence}", name, run)


def _confirming(organisation: str, proposal_id: str, sequence: int) -> Command:
    def run(desk: Desk, cause: Cause) -> None:
        duplicating.confirm_by_rule(desk, cause, proposal_id)

    return _command(organisation, f"duplicate {proposal_id} of {sequence}", proposal_id, run)


def _command(organisation: str, what: str, subject: str, run: Callable[[Desk, Cause], None]) -> Command:
    """A command of the service itself; its id hangs on what was noticed, not on who did."""
    command_id = str(uuid5(NAMESPACE_URL, f"forewarn {organisation} {what}"))
    return Command(organisation, command_id, SYSTEM, subject, run, lambda _reader, its_id: {"id": its_id})
