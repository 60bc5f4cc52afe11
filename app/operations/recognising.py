"""What comes of one thing that a system sent, under the lock: a record, a person more, a revision, or a reason why not.

A source's name for an occurrence (source, id) is taken once and for ever. A newer word on the same dose or visit
revises the near miss that an earlier one made; late together is one near miss of several persons; an older word, after
a newer was known, changes nothing. Whatever comes of it, what was sent is kept with the reason.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, select

from app.database.tables import intake_records, sources
from app.domain import intake
from app.domain.intake import REPLAYABLE, Finding, InRound, IntakeRecord, Outcome, Receive, Received, Replay
from app.domain.moment import parse_instant, to_micros
from app.domain.occurrence import Denominator, Round
from app.domain.recognition_saying import NO_TIME_SAID
from app.domain.report import Source
from app.events.canonical import canonical
from app.events.sealing import fingerprint, token
from app.events.store import Cause, Draft
from app.operations import denominators, revise, rounds
from app.operations.by_source import revision_of
from app.operations.desk import Desk
from app.operations.incoming import NOT_VALID, Check, Item, Judged, judge_item
from app.operations.job import Actor, SourceEventConflict, Submit
from app.operations.reporting import Sealer, place_document
from app.operations.revise import Record
from app.operations.submit import LATEST, record

SAYS_LESS = "says_less"
CONFLICT = "This source sent the same id with other content: give what is new an id of its own."


class Plan(NamedTuple):
    """What is found, and what is done about it once that is written down."""

    finding: Finding
    deed: Callable[[], None]


class Prior(NamedTuple):
    """The newest word that is known on the same occurrence."""

    at: int
    sequence: int
    status: str
    near_miss_id: str | None
    source_event_id: str


@dataclass(slots=True)
class Taking:
    """One item under the lock. `near_miss_id`: of the near miss that it may make."""

    desk: Desk
    cause: Cause
    item: Item
    check: Check
    intake_id: str
    near_miss_id: str
    sealer: Sealer = field(init=False)

    def __post_init__(self) -> None:
        self.sealer = Sealer(self.desk)

    def take(self) -> None:
        """Keep it and do what follows; nothing when it is known, `SourceEventConflict` when with other content."""
        if self._is_known():
            return
        plan = self._plan(self._at(), LATEST)
        raw = self.item.raw
        received = Received(
            raw.source,
            raw.id,
            raw.type,
            self.item.incoming.via,
            self._keyed(self.item.kept()),
            self._keyed(self.item.read_as()),
            self.sealer.text(self.item.kept()),
            plan.finding,
            raw.time,
        )
        decided = intake.decide(Receive(received), intake.UNRECEIVED)
        self.desk.append(self.cause, [Draft(f"intake/{self.intake_id}", 0, decided, self._at())])
        plan.deed()

    def take_again(self, known: IntakeRecord, version: int) -> bool:
        """Read it again: whether it is taken for something else now. What has had its effect already stays."""
        if known.received is None or known.finding is None or known.finding.outcome not in REPLAYABLE:
            return False
        self.sealer.key = known.received.sent.key
        plan = self._plan(*self._place())
        if decided := intake.decide(Replay(plan.finding), known):
            self.desk.append(self.cause, [Draft(f"intake/{self.intake_id}", version, decided)])
            plan.deed()
        return bool(decided)

    # What is known

    @property
    def _source(self) -> Source:
        return Source(self.item.raw.source, self.item.raw.id)

    def _at(self) -> int:
        """When it was said: it orders the words on one occurrence."""
        return to_micros(self.item.raw.time) if self.item.raw.time is not None else self.desk.micros

    def _is_known(self) -> bool:
        """Whether the source has told it before, to this door or to another; `SourceEventConflict` if otherwise."""
        raw, desk, row, near = self.item.raw, self.desk, intake_records.c, sources.c
        of_pair = (row.organisation == desk.organisation, row.source == raw.source, row.source_event_id == raw.id)
        intake_id = desk.connection.execute(select(row.intake_id).where(*of_pair)).scalar()
        if intake_id is not None:
            before: Received = desk.read(f"intake/{intake_id}")[0].event
            is_same = before.read_as == self._keyed(self.item.read_as())
            is_same = is_same or before.fingerprint == self._keyed(self.item.kept())
        else:
            of_pair = (
                near.organisation == desk.organisation,
                near.source == raw.source,
                near.source_event_id == raw.id,
            )
            submitted = desk.connection.execute(select(near.fingerprint).where(*of_pair)).scalar()
            if submitted is None:
                return False
            said = self.item.submission
            is_same = said is not None and submitted == self._submission_fingerprint(said)
        if not is_same:
            raise SourceEventConflict(CONFLICT)
        return True

    def _submission_fingerprint(self, document: Mapping[str, Any]) -> str:
        """As `POST /v1/near-misses` would make it: when the source says it again, it is the same report."""
        return self._keyed(canonical({name: value for name, value in document.items() if name != "reported_at"}))

    def _place(self) -> tuple[int, int]:
        row = intake_records.c
        chosen = select(row.at, row.sequence).where(
            row.organisation == self.desk.organisation, row.intake_id == self.intake_id
        )
        at, sequence = self.desk.connection.execute(chosen).one()
        return at, sequence

    def _newest(self, occurrence: str | None, *also: ColumnElement[bool]) -> Prior | None:
        """The newest other word of the source on the same occurrence."""
        if occurrence is None:
            return None
        row = intake_records.c
        chosen = select(row.at, row.sequence, row.status, row.near_miss_id, row.source_event_id).where(
            row.organisation == self.desk.organisation,
            row.source == self.item.raw.source,
            row.occurrence == occurrence,
            row.intake_id != self.intake_id,
            *also,
        )
        found = self.desk.connection.execute(chosen.order_by(row.at.desc(), row.sequence.desc()).limit(1)).first()
        return None if found is None else Prior(*found)

    # What comes of it

    def _plan(self, at: int, sequence: int) -> Plan:
        """`at`, `sequence`: its place among the words on the same occurrence."""
        judged = judge_item(self.desk.configuration, self.item, self.desk.now, self.check)
        identity = self.item.what.identity
        occurrence = self._keyed_of("occurrence", *identity) if identity is not None else None
        newest = self._newest(occurrence)
        if newest is not None and (newest.at, newest.sequence) > (at, sequence):
            found = self._found(judged, occurrence, newest.near_miss_id, Outcome.SUPERSEDED, "superseded_by_newer")
            return Plan(found, _nothing)
        if newest is None or newest.near_miss_id is None or newest.status == Outcome.WITHDRAWN:
            return self._anew(judged, occurrence)
        return self._revise(judged, occurrence, newest.near_miss_id)

    def _anew(self, judged: Judged, occurrence: str | None) -> Plan:
        """What nothing that is known has to do with."""
        what = self.item.what
        if isinstance(what, Denominator):
            return Plan(self._found(judged, occurrence), lambda: denominators.state(self.desk, self.cause, [what]))
        document = judged.document
        if document is None:
            return Plan(self._found(judged, occurrence), _nothing)
        late = judged.verdict.round
        standing = rounds.joinable(self.desk, self._source.source, self._round_key(late), late) if late else None
        if standing is None:
            found = self._found(judged, occurrence, self.near_miss_id)
            return Plan(found, lambda: self._record(judged, document))
        near_miss_id = standing.near_miss_id
        found = self._found(judged, occurrence, near_miss_id, Outcome.JOINED)
        return Plan(found, lambda: rounds.join(self.desk, self.cause, near_miss_id, self._source, document))

    def _revise(self, judged: Judged, occurrence: str | None, near_miss_id: str) -> Plan:
        """A newer word on what made, or joined, a near miss."""
        standing = revise.load(self.desk, near_miss_id)
        if (ended := _ended(standing)) is not None:
            return Plan(self._found(judged, occurrence, near_miss_id, Outcome.UNCHANGED, ended), _nothing)
        if judged.outcome in (Outcome.UNMAPPED, Outcome.NOT_UNDERSTOOD):  # It says nothing that is understood here.
            return Plan(self._found(judged, occurrence, near_miss_id), _nothing)
        if judged.reason == NO_TIME_SAID:  # That it was done does not say that it was done in time.
            return Plan(self._found(judged, occurrence, near_miss_id, Outcome.UNCHANGED, SAYS_LESS), _nothing)
        row = intake_records.c
        said = self._newest(
            occurrence, row.near_miss_id == near_miss_id, row.status.in_([Outcome.RECOGNISED, Outcome.JOINED])
        )
        assert said is not None  # One of them made the near miss, or joined it.
        revision = revision_of(standing, Source(self.item.raw.source, said.source_event_id), self._source, judged)
        if revision.is_apart:
            anew = self._anew(judged, occurrence)

            def part() -> None:
                revision.carry_out(self.cause)
                anew.deed()

            return Plan(anew.finding, part)
        if revision.reason is not None:
            return Plan(self._found(judged, occurrence, near_miss_id, Outcome.UNCHANGED, revision.reason), _nothing)
        outcome = Outcome.WITHDRAWN if judged.document is None else Outcome.REVISED
        found = self._found(judged, occurrence, near_miss_id, outcome)
        return Plan(found, lambda: revision.carry_out(self.cause))

    def _found(
        self,
        judged: Judged,
        occurrence: str | None,
        near_miss_id: str | None = None,
        outcome: Outcome | None = None,
        reason: str | None = None,
    ) -> Finding:
        late = judged.verdict.round
        return Finding(
            (outcome or judged.outcome).value,
            reason or judged.reason,
            self.desk.configuration.recognition.version,
            _SAYS.get(reason or judged.reason, judged.verdict.says),
            judged.verdict.rule,
            near_miss_id,
            occurrence,
            InRound(self._round_key(late), late.at) if late is not None else None,
            self.item.incoming.mapping,
            self.item.ignored_fields,
            (*self.item.unmapped, *judged.unmapped),
        )

    def _keyed(self, text: str) -> str:
        return fingerprint(self.desk.pepper, text)

    def _keyed_of(self, kind: str, *parts: str | None) -> str:
        return self._keyed(canonical([kind, self.item.raw.source, *parts]))

    def _round_key(self, late: Round) -> str:
        return self._keyed_of("round", *late.key)

    def _record(self, judged: Judged, document: Mapping[str, Any]) -> None:
        desk = self.desk
        hashed = self._submission_fingerprint(document)
        said = {name: value for name, value in document.items() if name != "reported_at"}
        person = said.get("person_ref")
        person_token = token(desk.pepper, "person", person) if person else None
        if person_token is not None:
            desk.vault.look_up(desk.rows, desk.organisation, person_token)
        reported_at = document.get("reported_at")
        job = Submit(
            desk.organisation,
            self.cause.command_id,
            Actor(self.cause.actor),
            self.near_miss_id,
            said,
            person_token=person_token,
            fingerprint=hashed,
            intake=True,
            reported_at=parse_instant(reported_at) if reported_at else None,
            is_reference=judged.outcome is Outcome.HARM_INCIDENT,
            prefilled=judged.verdict.mapped_against,
        )
        placed = place_document(self.near_miss_id, LATEST, said, person_token, desk.configuration)
        record(desk, job, placed, self.sealer)
        desk.memory.forget()


_SAYS = {
    NOT_VALID: "The rules call it a near miss, but what they make of it is no valid submission.",
    "superseded_by_newer": "A newer word on the same one was known already.",
    "already_withdrawn": "The near miss that an earlier word made was withdrawn by somebody: it is left alone.",
    "marked_duplicate": "The near miss that an earlier word made is a duplicate of another: it is left alone.",
    "already_closed": "The near miss that an earlier word made is closed: it is left alone.",
    "nothing_new": "It says what was known already.",
    SAYS_LESS: "It says that it was done, but not when: what an earlier word made of it stands.",
    "part_of_a_round": "It is still one of those that were late together.",
}


def _nothing() -> None:
    """Nothing follows from it."""


def _ended(standing: Record) -> str | None:
    """Why a record is left alone: what people ended, no system begins again."""
    state = standing.state
    if state.withdrawn:
        return "already_withdrawn"
    if state.duplicate_of is not None:
        return "marked_duplicate"
    return "already_closed" if state.closed else None
