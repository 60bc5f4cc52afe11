"""The operations without HTTP: a house on a database of the test's own, and jobs as its door makes them."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import uuid4

import rfc8785
import structlog
from sqlalchemy import Connection, Table, select

from app.api.receiving import checked
from app.database.prefetch import CommandKey
from app.database.tables import events, ledgers, window_entries
from app.domain.service import Particulars
from app.events.canonical import canonical
from app.events.envelope import Envelope
from app.events.sealing import fingerprint, token
from app.events.store import Cause
from app.intake.cloudevents import structured
from app.operations import duplicating, reviewing, revise, settle, taking
from app.operations.desk import Desk
from app.operations.follow import catch_up
from app.operations.house import House
from app.operations.job import Actor, Answer, Command, Idempotency, Show, Submit
from app.operations.show import Reader
from app.operations.submit import job_of
from app.projections.inline import FOLLOWING
from app.settings import Settings
from tests.service import API_KEY, MASTER_KEY

structlog.configure(  # As the command line does: laying out every local of a traceback takes seconds.
    processors=[
        structlog.processors.add_log_level,
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(),
    ]
)

MONDAY = datetime(2026, 3, 2, 10, tzinfo=UTC)
KEY = Actor("key/tests")

REPORT: Mapping[str, Any] = {
    "occurred_at": "2026-03-02T09:00:00Z",
    "service_id": "willow-house",
    "incident_type": "medication",
    "deviation": "omitted",
    "classification": "near_miss",
    "contributing_factors": ["workload"],
    "staff_involved": [{"ref": "staff-7", "role": "senior carer"}],
}
LINK: Mapping[str, Any] = {
    "stage_affected": "administer",
    "stage_allowed": "handover",
    "system_used": "eMAR",
    "deviation_from_plan": "Offered 40 minutes after the time on the chart.",
    "corrective_action": "The evening handover now names every time-critical dose.",
}


@dataclass
class Clock:
    """Stands still until it is told to go on."""

    now: datetime = MONDAY

    def __call__(self) -> datetime:
        return self.now

    def go_on(self, **duration: float) -> None:
        self.now += timedelta(**duration)


@dataclass
class Office:
    """An opened house with its writer at work, as one organisation uses it."""

    house: House
    clock: Clock
    organisation: str = "default"
    _pepper: bytes = field(init=False)

    def __post_init__(self) -> None:
        with self.house.database.read() as connection:
            self._pepper = self.house.vault.pepper(connection, self.organisation)

    # Jobs

    def submission(
        self,
        *,
        actor: Actor = KEY,
        idempotency_key: str | None = None,
        intake: bool = False,
        as_history: bool = False,
        reported_at: datetime | None = None,
        **changes: Any,
    ) -> Submit:
        """A submission as the door makes it; None takes a field of the report out."""
        document = {name: value for name, value in {**REPORT, **changes}.items() if value is not None}
        hashed = fingerprint(self._pepper, canonical(document))
        idempotency = self.idempotency("POST /v1/near-misses", idempotency_key, hashed) if idempotency_key else None
        job = job_of(self.organisation, actor, self._pepper, document, self.clock(), idempotency)
        return replace(job, intake=intake, as_history=as_history, reported_at=reported_at)

    def command(
        self,
        run: Callable[[Desk, Cause], None],
        subject: str = "nothing",
        show: Show = lambda _reader, subject: {"id": subject},
        *,
        actor: Actor = KEY,
        idempotency_key: str | None = None,
    ) -> Command:
        """Any other command."""
        idempotency = self.idempotency(f"POST {subject}", idempotency_key, "same") if idempotency_key else None
        return Command(self.organisation, str(uuid4()), actor, subject, run, show, 200, idempotency)

    def idempotency(self, route: str, key: str, hashed: str) -> Idempotency:
        return Idempotency(CommandKey(self.organisation, "tests", route, key), hashed)

    def person(self, ref: str) -> Actor:
        """Who acts through a key that acts for people."""
        its_token = token(self._pepper, "staff", ref)
        return Actor(f"staff/{its_token}", ref, its_token)

    def event(self, sent: Mapping[str, Any]) -> Command:
        """A CloudEvent as `/v1/events` hands it on."""
        return taking.job_of(
            self.organisation, KEY, taking.Incoming(structured(sent), "events", sent), self.clock(), checked
        )

    def correction(self, near_miss_id: str, reason: str = "The chart says so.", **changes: Any) -> Command:
        return self.command(
            lambda desk, cause: revise.correct(desk, cause, revise.load(desk, near_miss_id), reason, changes),
            near_miss_id,
            show_near_miss,
        )

    def withdrawal(self, near_miss_id: str, reason: str = "Entered twice.") -> Command:
        return self.command(
            lambda desk, cause: duplicating.withdraw(desk, cause, revise.load(desk, near_miss_id), reason),
            near_miss_id,
            show_near_miss,
        )

    def duplicate(self, near_miss_id: str, master: str, reason: str = "Told by two systems.") -> Command:
        return self.command(
            lambda desk, cause: revise.mark_duplicate(desk, cause, revise.load(desk, near_miss_id), reason, master),
            near_miss_id,
            show_near_miss,
        )

    def link(self, near_miss_id: str, **changes: Any) -> Command:
        link = {**LINK, **changes}
        return self.command(
            lambda desk, cause: revise.link(desk, cause, revise.load(desk, near_miss_id), link),
            near_miss_id,
            show_near_miss,
        )

    def details(self, near_miss_id: str, **details: Any) -> Command:
        return self.command(
            lambda desk, cause: revise.complete_details(desk, cause, revise.load(desk, near_miss_id), details),
            near_miss_id,
            show_near_miss,
        )

    def adoption(self, *rules: Mapping[str, Any], **rest: Any) -> Command:
        """A policy; a rule is three in P14D by service and incident type unless it says otherwise.

        It may see less than the one before it, so it has a reason, the same whenever its rules are the same.
        """
        usual = {"id": "similar", "group_by": ["service_id", "incident_type"], "threshold": 3, "window": "P14D"}
        reason = f"For {json.dumps([rules, rest])}"
        document = {"rules": [{**usual, **rule} for rule in rules], "reason": reason, **rest}
        return self.command(lambda desk, cause: settle.adopt_policy(desk, cause, document, None), "policy")

    def registration(self, service_id: str, **particulars: Any) -> Command:
        said = Particulars(**{"name": service_id, "service_type": "care_home", **particulars})
        return self.command(
            lambda desk, cause: settle.register_service(desk, cause, service_id, said, None), service_id
        )

    def review_closure(self, review_id: str, code: str = "no_action_needed") -> Command:
        """Walk through every gate of a review and close it, all in one command."""

        def close(desk: Desk, cause: Cause) -> None:
            def case() -> reviewing.Case:
                return reviewing.load(desk, review_id)

            reviewing.start(desk, cause, case())
            causes = [{"code": "rota_pressure", "kind": "system", "note": "One senior for two floors."}]
            reviewing.identify_causes(desk, cause, case(), causes)
            reviewing.determine_system_risk(desk, cause, case(), "not_system_risk", "Three unrelated rounds.")
            reviewing.consider_safeguarding(desk, cause, case(), {"considered": True, "note": "Nobody was affected."})
            loose = [one for one in case().members if _is_loose(desk, one)]
            if loose:
                reviewing.link_members(desk, cause, case(), loose, _link_for(desk, loose[0]))
            if code == "action_agreed":
                action = {"description": "Name doses.", "owner": "manager-2", "due": "2026-04-01"}
                reviewing.agree_action(desk, cause, case(), action)
            reviewing.close(desk, cause, case(), code, "Seen, understood, changed.")

        return self.command(close, review_id, lambda reader, subject: reader.reviews([subject])[0])

    # What is carried out at once

    def submit(self, **particulars: Any) -> dict[str, Any]:
        """Have a near miss recorded; the answer's body."""
        return dict(self.house.ask(self.submission(**particulars)).body)

    def take(self, sent: Mapping[str, Any]) -> dict[str, Any]:
        """Have a CloudEvent taken in; the answer's body."""
        return self.do(self.event(sent))

    def do(self, command: Command) -> dict[str, Any]:
        """Have a command carried out; the answer's body."""
        return dict(self.house.ask(command).body)

    # What is stored

    def near_miss(self, near_miss_id: str, as_of: int | None = None) -> dict[str, Any]:
        with self.house.reader(self.organisation, as_of) as reader:
            return show_near_miss(reader, near_miss_id)

    def escalations(self) -> list[dict[str, Any]]:
        """Every escalation, in the order in which they were raised."""
        ids = [one.subject for one in self.ledger() if one.type == "escalation.raised"]
        with self.house.reader(self.organisation) as reader:
            return reader.escalations(ids)

    def open_escalations(self) -> list[dict[str, Any]]:
        closed = ("closed", "monitoring_outcome", "historical")
        return [one for one in self.escalations() if one["status"] not in closed]

    def ledger(self) -> list[Envelope]:
        """Every event, in order."""
        with self.house.database.read() as connection:
            return ledger_of(connection, self.organisation)

    def types(self) -> list[str]:
        return [one.type for one in self.ledger()]

    def rows(self, table: Table) -> list[tuple[Any, ...]]:
        """The organisation's rows of a table, in primary-key order."""
        with self.house.database.read() as connection:
            chosen = select(table).where(table.c.organisation == self.organisation).order_by(*table.primary_key.columns)
            return [tuple(row) for row in connection.execute(chosen)]

    def follow(self) -> int:
        """Every follower has come to the ledger's end; that sequence."""
        house = self.house
        ends = {
            catch_up(house.database, house.batches.dialect, house.configurations, self.organisation, name)
            for name in FOLLOWING
        }
        return max(ends)

    def root(self) -> bytes:
        """What the head row says."""
        with self.house.database.read() as connection:
            return bytes(
                connection.execute(
                    select(ledgers.c.root).where(ledgers.c.organisation == self.organisation)
                ).scalar_one()
            )


def _is_loose(desk: Desk, near_miss_id: str) -> bool:
    record = revise.load(desk, near_miss_id)
    link = record.state.workflow_link
    if not record.state.counts:
        return False
    if link is None or link.stage_allowed == "unknown":
        return True
    return record.report.incident_type == "visit" and link.mapped_against is None


def _link_for(desk: Desk, near_miss_id: str) -> Mapping[str, Any]:
    if revise.load(desk, near_miss_id).report.incident_type == "medication":
        return LINK
    return {**LINK, "stage_affected": "record", "stage_allowed": "handover", "mapped_against": NOT_MAPPED}


NOT_MAPPED = {name: {"status": "not_available"} for name in ("scheduling", "staff_allocation", "travel_time")}


def show_near_miss(reader: Reader, near_miss_id: str) -> dict[str, Any]:
    return reader.near_misses([near_miss_id])[0]


@contextmanager
def opened(database_url: str, clock: Clock | None = None, **settings: Any) -> Iterator[Office]:
    """A house on a migrated database, with its writer started and its first organisation."""
    clock = clock or Clock()
    asked: dict[str, Any] = {"master_key": MASTER_KEY, "checkpoint_every": "off", **settings}
    house = House(Settings(database_url=database_url, **asked), clock)
    try:
        if "default" not in house.organisations():
            house.open_organisation("default", "default", API_KEY)
        house.start()
        yield Office(house, clock)
    finally:
        house.close()


def answers_of(answers: Sequence[Answer | Exception]) -> list[Answer]:
    """All of them, none refused."""
    refused = [one for one in answers if not isinstance(one, Answer)]
    assert refused == []
    return [one for one in answers if isinstance(one, Answer)]


# The ledger, checked by nothing of the code that wrote it


def ledger_of(connection: Connection, organisation: str = "default") -> list[Envelope]:
    chosen = select(events).where(events.c.organisation == organisation).order_by(events.c.sequence)
    return [Envelope(*row) for row in connection.execute(chosen)]


def assert_intact(connection: Connection, organisation: str = "default") -> list[Envelope]:
    """Gapless from 1, never running backwards, each leaf the hash of its text, and the head the root of them all."""
    found = ledger_of(connection, organisation)
    head = connection.execute(select(ledgers).where(ledgers.c.organisation == organisation)).one()
    assert [one.sequence for one in found] == list(range(1, len(found) + 1))
    assert head.position == len(found)
    assert [one.recorded_at for one in found] == sorted(one.recorded_at for one in found)
    assert all(one.leaf == leaf_of(one) for one in found)
    peaks = peaks_of([one.leaf for one in found])
    assert bytes(head.frontier) == b"".join(peaks)
    assert bytes(head.root) == root_of([one.leaf for one in found])
    versions: dict[str, int] = {}
    for one in found:
        versions[one.stream] = versions.get(one.stream, 0) + 1
        assert one.version == versions[one.stream]
    return found


def leaf_of(envelope: Envelope) -> bytes:
    """SHA-256(0x00 ‖ RFC 8785 JSON of the CloudEvent without `leafhash`), by another library's RFC 8785."""
    return sha256(b"\x00" + rfc8785.dumps(cloud_event_of(envelope))).digest()


def cloud_event_of(envelope: Envelope) -> dict[str, Any]:
    """The CloudEvent of the contract, from the row."""
    document = {
        "specversion": "1.0",
        "id": envelope.event_id,
        "source": f"/organisations/{envelope.organisation}",
        "type": f"forewarn.{envelope.type}.v{envelope.schema_version}",
        "subject": envelope.stream,
        "time": spelt(envelope.recorded_at),
        "sequence": envelope.sequence,
        "streamversion": envelope.version,
        "occurredat": spelt(envelope.occurred_at),
        "actor": envelope.actor,
        "correlationid": envelope.correlation_id,
        "causationid": envelope.causation_id,
        "data": json.loads(envelope.payload),
    }
    return {name: value for name, value in document.items() if value is not None}


def spelt(micros: int) -> str:
    when = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
    return when.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def root_of(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 9162 §2.1.1 over leaf hashes, as it is defined."""
    match leaves:
        case []:
            return sha256(b"").digest()
        case [only]:
            return only
        case _:
            split = 1 << (len(leaves) - 1).bit_length() - 1
            return sha256(b"\x01" + root_of(leaves[:split]) + root_of(leaves[split:])).digest()


def peaks_of(leaves: Sequence[bytes]) -> list[bytes]:
    """The roots of the perfect subtrees, the largest first."""
    peaks: list[bytes] = []
    start = 0
    for bit in reversed(range(len(leaves).bit_length())):
        if len(leaves) & 1 << bit:
            peaks.append(root_of(leaves[start : start + (1 << bit)]))
            start += 1 << bit
    return peaks


def current(rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Those window rows that hold now."""
    at = list(window_entries.c).index(window_entries.c.valid_to)
    return [row for row in rows if row[at] == 2**63 - 1]
