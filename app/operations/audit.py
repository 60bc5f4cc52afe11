"""The auditor: that nothing which is open has fallen silent, told from whole ledgers and not from what is made of them.

It folds every stream that has deadlines and holds what it finds against the timers: whatever is open has a next
deadline and a timer for exactly that one, no timer stands for anything else, and none is left unasked. Only when all of
that is so does it publish a heartbeat; one that grows old is the alarm, also when the auditor itself has died.

The first pass reads each ledger from its beginning, a later one only what came since: what is open is remembered.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from app.database.tables import installation, timers
from app.domain import action, escalation, governance_cadence, near_miss, outcome, source
from app.domain.moment import format_instant, from_micros, parse_instant, to_micros
from app.domain.source import Source
from app.events.catalogue import CATALOGUE
from app.events.codec import decode
from app.events.envelope import Envelope
from app.events.store import position, read_after, read_stream
from app.operations.house import House
from app.projections.timers import ACTION, ESCALATION, GOVERNANCE, NEAR_MISS, OUTCOME, SOURCE

PAGE = 1000
LATE = timedelta(minutes=10)
"""How far a due timer may be behind the house's clock, and how long an auditor watches one before it says so."""
MOST_KEPT = 100
"""Findings of one pass that are logged and kept; their number tells nothing beyond that."""
HEARTBEAT = "audit"
FINDINGS = "audit_findings"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Watched:
    """A noun whose streams have deadlines while they are open, and the kind of their timers.

    `revives`: the names on disk of events by which a stream that was at its end is open again.
    """

    noun: str
    timer: str
    initial: Any
    evolve: Callable[[Any, Any], Any]
    is_open: Callable[[Any], bool]
    due_at: Callable[[Any], datetime | None]
    revives: frozenset[str] = frozenset()


WATCHED = {
    one.noun: one
    for one in (
        Watched(
            "escalation",
            ESCALATION,
            escalation.UNRAISED,
            escalation.evolve,
            lambda state: state.rest is None,
            lambda state: state.deadlines[0].due_at if state.deadlines else None,
            frozenset({"escalation.reopened"}),
        ),
        Watched(
            "action",
            ACTION,
            action.UNAGREED,
            action.evolve,
            lambda state: state.ended is None,
            lambda state: state.due_at,
        ),
        Watched(
            "near_miss",
            NEAR_MISS,
            near_miss.UNRECORDED,
            near_miss.evolve,
            lambda state: bool(state.owed),
            lambda state: state.owed[0].due_at,
            frozenset({"near_miss.linked", "near_miss.reopened", "near_miss.duplicate_undone"}),
        ),
        Watched(
            "source",
            SOURCE,
            source.UNDECLARED,
            source.evolve,
            lambda state: state.expected_every is not None,
            lambda state: state.due_at,
            frozenset({"source.declared"}),
        ),
        Watched(
            "outcome",
            OUTCOME,
            outcome.UNPLANNED,
            outcome.evolve,
            lambda state: state.due_at is not None,
            lambda state: state.due_at,
            frozenset({"outcome.scheduled", "outcome.assessed"}),
        ),
    )
}
_NOUNS = {one.timer: one.noun for one in WATCHED.values()}
_TYPES = tuple(name for name in CATALOGUE if name.split(".", 1)[0] in WATCHED)


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a stream, or with a timer that stands for none; instants as the ledger and the table say."""

    organisation: str
    stream: str
    missing: str
    due_at: str | None = None
    timer_at: str | None = None


@dataclass(slots=True)
class Known:
    """An organisation up to a sequence: the streams that are open there, and which due timers were seen since when."""

    position: int = 0
    standing: dict[str, Any] = field(default_factory=dict[str, Any])
    seen_due: dict[tuple[str, str, int], datetime] = field(default_factory=dict[tuple[str, str, int], datetime])


class Auditor:
    """Audits one house; what it remembers is its own, so that nothing it checks can mislead it."""

    def __init__(self, house: House, page: int = PAGE) -> None:
        self._house = house
        self._page = page
        self._known: dict[str, Known] = {}

    def audit(self, now: datetime) -> Iterator[int]:
        """One pass, a page at a time, each telling how many events it read; what comes of it is published at the end.

        `now` is in real time, also where a test clock stands still: a heartbeat is about processes.
        """
        findings: list[Finding] = []
        organisations = self._house.served()
        self._known = {one: self._known.get(one) or Known() for one in organisations}
        for organisation in organisations:
            try:
                yield from self._organisation(organisation, now, findings)
            except Exception:
                del self._known[organisation]  # It may have moved on by half a page.
                raise
        self._publish(now, findings)

    def _organisation(self, organisation: str, now: datetime, findings: list[Finding]) -> Iterator[int]:
        known = self._known[organisation]
        is_whole = False
        while not is_whole:
            with self._house.database.read() as connection:  # In one of its own: a long one would hold up the database.
                end = position(connection, organisation)
                events = read_after(connection, organisation, known.position, self._page, up_to=end, types=_TYPES)
                for envelope in events:
                    _follow(connection, known, envelope)
                is_whole = len(events) < self._page
                known.position = end if is_whole else events[-1].sequence
                if is_whole:
                    findings += _compare(connection, organisation, known, self._house.clock(), now)
            yield len(events)

    def _publish(self, now: datetime, findings: list[Finding]) -> None:
        for one in findings[:MOST_KEPT]:
            log.error("audit.finding", **asdict(one))
        kept = [{name: value for name, value in asdict(one).items() if value} for one in findings[:MOST_KEPT]]
        with self._house.database.write() as connection:
            _put(connection, FINDINGS, kept)
            if not findings:
                _put(connection, HEARTBEAT, self._heartbeat(now))
        if findings:
            log.error("audit.failed", findings=len(findings))

    def _heartbeat(self, now: datetime) -> dict[str, Any]:
        standing = [stream.split("/", 1)[0] for known in self._known.values() for stream in known.standing]
        return {
            "at": format_instant(now),
            "organisations": len(self._known),
            "escalations": standing.count("escalation"),
            "actions": standing.count("action"),
            "near_misses": standing.count("near_miss"),
            "position": sum(known.position for known in self._known.values()),
        }


def silent_because(state: object) -> str | None:
    """The named reason why something open has no next deadline; None when there is none.

    A source whose silence was told waits until it speaks: nothing is to be asked of it by then.
    """
    return "silence_told" if isinstance(state, Source) and state.silent_since is not None else None


def last_audit(connection: Connection, now: datetime) -> dict[str, Any]:
    """When all was last found well, how many seconds ago, and how many findings there have been since.

    Without `at` and `age_seconds` before the first time. `now` is in real time.
    """
    chosen = select(installation).where(installation.c.name.in_([HEARTBEAT, FINDINGS]))
    rows = {row.name: json.loads(row.value) for row in connection.execute(chosen)}
    told: dict[str, Any] = {"findings": len(rows.get(FINDINGS, ()))}
    if HEARTBEAT in rows:
        at = rows[HEARTBEAT]["at"]
        told |= {"at": at, "age_seconds": max(0.0, (now - parse_instant(at)).total_seconds())}
    return told


def _follow(connection: Connection, known: Known, envelope: Envelope) -> None:
    watched = WATCHED[envelope.kind]
    state = known.standing.get(envelope.stream, watched.initial if envelope.version == 1 else None)
    if state is not None:
        state = watched.evolve(state, decode(envelope))
    elif envelope.type in watched.revives:
        state = watched.initial
        for one in read_stream(connection, envelope.organisation, envelope.stream, envelope.sequence):
            state = watched.evolve(state, decode(one))
    if state is not None and watched.is_open(state):
        known.standing[envelope.stream] = state
    else:
        known.standing.pop(envelope.stream, None)


def _compare(
    connection: Connection, organisation: str, known: Known, clock: datetime, now: datetime
) -> Iterator[Finding]:
    """What the ledger asks for against what the timers say, both as of one transaction."""
    chosen = select(timers.c.kind, timers.c.subject, timers.c.due_at).where(timers.c.organisation == organisation)
    rows = [(row.kind, row.subject, row.due_at) for row in connection.execute(chosen)]
    timer_of = {f"{_NOUNS[kind]}/{subject}": due_at for kind, subject, due_at in rows if kind in _NOUNS}
    for stream, state in known.standing.items():
        deadline = WATCHED[stream.split("/", 1)[0]].due_at(state)
        timer = timer_of.pop(stream, None)
        if deadline is None:
            if silent_because(state) is None:
                yield Finding(organisation, stream, "no_deadline")
        elif timer is None:
            yield Finding(organisation, stream, "timer_missing", format_instant(deadline))
        elif timer != to_micros(deadline):
            timer_at = format_instant(from_micros(timer))
            yield Finding(organisation, stream, "timer_wrong", format_instant(deadline), timer_at)
    for stream, timer in timer_of.items():
        yield Finding(organisation, stream, "nothing_open", timer_at=format_instant(from_micros(timer)))
    if not any(kind == GOVERNANCE for kind, _, _ in rows):  # Whatever leadership has closed, a next one is expected.
        yield Finding(organisation, governance_cadence.STREAM, "timer_missing")
    yield from _unasked(organisation, known, rows, clock, now)


def _unasked(
    organisation: str, known: Known, rows: list[tuple[str, str, int]], clock: datetime, now: datetime
) -> Iterator[Finding]:
    """A clock that was set, or a service that was down, makes timers late at once: each is given time to be asked."""
    due, late = to_micros(clock), to_micros(clock - LATE)
    known.seen_due = {row: known.seen_due.get(row, now) for row in rows if row[2] <= due}
    for (kind, subject, due_at), since in known.seen_due.items():
        if due_at <= late and now - since >= LATE:
            stream = f"{_NOUNS.get(kind, kind)}/{subject}"
            yield Finding(organisation, stream, "left_unasked", timer_at=format_instant(from_micros(due_at)))


def _put(connection: Connection, name: str, value: object) -> None:
    insert: Any = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(installation)
    row = insert.values(name=name, value=json.dumps(value))
    connection.execute(row.on_conflict_do_update(index_elements=["name"], set_={"value": row.excluded.value}))
