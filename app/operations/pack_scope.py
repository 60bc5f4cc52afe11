"""Which streams of the ledger belong into a pack, whole or not at all: everything that its three validations rest on.

Found in one walk over the ledger, kept in a scratch file of its own, so that memory does not grow with the ledger and
nothing is asked of the projections. What is left out is shown as hashes only. Where services are named, a record that
ever named one of them is in, and a governance review that is about others too is out: it tells of those.

Where none is named, whatever had anything recorded in the period is in, so that an event of it that is left out shows
as one that was hidden. So are all governance reviews, for only all of them together tell when one was missed.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from app.domain.moment import parse_instant, parse_moment, to_micros
from app.domain.similarity import key_text
from app.domain.zones import zone
from app.events.envelope import Envelope
from app.operations.pack_scope_tables import CHILDREN, HEARD, REST, SCHEMA, TOUCHED
from app.proof.events import Event

WHOLE = frozenset(
    {"organisation", "policy", "taxonomy", "recognition", "duplicate_rule", "governance_cadence", "ledger"}
)
"""Kinds of streams that every pack has: what was settled, how the cadence went, and the ledger's checkpoints."""


class Scope:
    """What of a ledger is in: `take` every event once, in order, then `settle`, then ask.

    `width`: the widest window of any rule, `cooldown`: the longest cool-down, in microseconds. Instants are
    microseconds.
    """

    def __init__(self, since: int, until: int, width: int, cooldown: int, services: Sequence[str]) -> None:
        self._since, self._until, self._width, self._cooldown = since, until, width, cooldown
        self._services = frozenset(services)
        self._before: str | None = None
        self._is_over = False
        self._scratch = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._scratch.executescript(SCHEMA)
        self._scratch.execute("BEGIN")
        self._by_kind: Mapping[str, Callable[[Event], None]] = {
            "near_miss": self._near_miss,
            "escalation": self._escalation,
            "review": self._review,
            "action": self._action,
            "outcome": self._outcome,
            "governance_review": self._governance,
            "watch": self._watch,
            "signal": self._signal,
            "intake": self._intake,
            "source": self._source,
            "service": self._of_service,
            "denominator": self._of_service,
            "evidence_pack": self._pack,
        }

    def close(self) -> None:
        """Let go of the scratch file, which is gone then."""
        self._scratch.close()

    def hear(self, envelope: Envelope) -> None:
        """Note when an event was recorded, of every event in order.

        The event before the period's first and the one after its last are in too: they show where it begins and ends.
        """
        if self._services or self._is_over:
            return
        if envelope.recorded_at < self._since:
            self._before = envelope.stream
            return
        if self._before is not None:
            self._scratch.execute("INSERT OR IGNORE INTO heard VALUES (?)", (self._before,))
            self._before = None
        self._scratch.execute("INSERT OR IGNORE INTO heard VALUES (?)", (envelope.stream,))
        self._is_over = envelope.recorded_at >= self._until

    def heeds(self, envelope: Envelope) -> bool:
        """Whether the event need be taken: it may say what belongs together."""
        return envelope.type in _HEEDED or envelope.kind in {"watch", "source", "service", "denominator"}

    def take(self, event: Event) -> None:
        """Learn from one event."""
        if (learn := self._by_kind.get(event.kind)) is not None:
            learn(event)

    def settle(self) -> None:
        """Everything was taken: what is in is told from now on."""
        if self._before is not None:  # Nothing was recorded in the period.
            self._scratch.execute("INSERT OR IGNORE INTO heard VALUES (?)", (self._before,))
        self._run(HEARD)
        self._run(TOUCHED)
        for of in ("escalation", "review", "governance_review"):
            self._scratch.execute(CHILDREN, (of,))
        if not self._services:
            self._run(REST)
        self._scratch.execute("COMMIT")

    def _run(self, statements: str) -> None:
        span = {"since": self._since, "until": self._until, "all": not self._services, "cooldown": self._cooldown}
        for statement in statements.split(";\n"):
            if statement.strip():
                named = {name: value for name, value in span.items() if f":{name}" in statement}
                self._scratch.execute(statement, named)

    def holds(self, envelope: Envelope) -> bool:
        """Whether the event is in."""
        if envelope.kind in WHOLE:
            return True
        found = self._scratch.execute("SELECT 1 FROM stream WHERE name = ?", (envelope.stream,))
        return found.fetchone() is not None

    def count(self, kind: str) -> int:
        """How many streams of a kind are in."""
        return self._scratch.execute("SELECT count(*) FROM stream WHERE kind = ?", (kind,)).fetchone()[0]

    def pages(self, kind: str, at_once: int) -> Iterator[list[str]]:
        """The subjects of the streams of a kind, in the order in which they began, so many at once."""
        chosen = "SELECT id, place FROM stream WHERE kind = ? AND (place, id) > (?, ?) ORDER BY place, id LIMIT ?"
        place, last = -1, ""
        while found := self._scratch.execute(chosen, (kind, place, last, at_once)).fetchall():
            yield [row[0] for row in found]
            last, place = found[-1]

    def governance_of_others(self) -> list[str]:
        """Governance reviews of the period that are left out, for they are about other services too."""
        chosen = "SELECT id FROM governance WHERE overlaps AND NOT is_ours ORDER BY opened_at, id"
        return [row[0] for row in self._scratch.execute(chosen)]

    # What each kind of stream says

    def _is_ours(self, service_id: str | None) -> bool:
        return not self._services or service_id in self._services

    def _is_within(self, at: int) -> bool:
        return self._since <= at < self._until

    def _near_miss(self, event: Event) -> None:
        report: dict[str, Any] | None = event.data.get("report")
        if report is None:
            return
        at = parse_moment(report["occurred_at"], zone(report["zone"])).at
        is_near = self._since - self._width <= at <= self._until + self._width
        is_near = is_near or (event.version == 1 and self._is_within(event.recorded_at))
        ours = self._is_ours(report.get("service_id"))
        self._scratch.execute(
            "INSERT INTO near_miss VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE "
            "SET is_ours = is_ours OR excluded.is_ours, is_near = is_near OR excluded.is_near",
            (event.subject, event.sequence, ours, is_near),
        )
        for rule in event.data["similarity_check"]["rules"]:
            if rule["outcome"] == "cooling_down":
                key = key_text(tuple(part for _, part in rule["key"]))
                self._scratch.execute(
                    "INSERT OR IGNORE INTO deferred VALUES (?, ?, ?)", (rule["rule_id"], key, event.subject)
                )

    def _escalation(self, event: Event) -> None:
        data = event.data
        match event.type:
            case "escalation.raised":
                crossed = self._is_within(_micros(data["crossed_at"]))
                closed_at = event.recorded_at if data.get("historical") else None
                self._scratch.execute(
                    "INSERT INTO escalation VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        event.subject,
                        event.sequence,
                        self._is_ours(data.get("service_id")),
                        event.recorded_at,
                        closed_at,
                        crossed,
                        data["rule_id"],
                        data["key_text"],
                    ),
                )
                for member in data["members"]:
                    self._member(member["near_miss_id"], event.subject)
            case "escalation.member_added":
                self._member(data["near_miss_id"], event.subject)
            case "escalation.closed" | "escalation.merged":
                self._closed("escalation", event.subject, event.recorded_at)
            case "escalation.reopened":
                self._closed("escalation", event.subject, None)
            case _:
                pass

    def _member(self, near_miss_id: str, escalation_id: str) -> None:
        self._scratch.execute("INSERT OR IGNORE INTO member VALUES (?, ?)", (near_miss_id, escalation_id))

    def _closed(self, table: str, its_id: str, at: int | None) -> None:
        self._scratch.execute(f"UPDATE {table} SET closed_at = ? WHERE id = ?", (at, its_id))  # noqa: S608 - ours

    def _review(self, event: Event) -> None:
        if event.type == "review.opened":
            self._child(event.stream, f"escalation/{event.data['escalation_id']}")

    def _action(self, event: Event) -> None:
        if event.type == "action.agreed":
            by = event.data.get("governance_review_id")
            self._child(event.stream, f"governance_review/{by}" if by else f"review/{event.data['review_id']}")

    def _outcome(self, event: Event) -> None:
        if event.version == 1:
            self._child(event.stream, f"review/{event.subject}")

    def _child(self, stream: str, of: str) -> None:
        self._scratch.execute("INSERT OR IGNORE INTO child VALUES (?, ?)", (stream, of))

    def _governance(self, event: Event) -> None:
        data = event.data
        if event.type == "governance_review.opened":
            overlaps = _micros(data["since_at"]) < self._until and _micros(data["until_at"]) > self._since
            ours = not self._services or (
                bool(data.get("services"))
                and self._services.issuperset(data["services"])
                and not data.get("localities")
            )
            self._scratch.execute(
                "INSERT INTO governance VALUES (?, ?, ?, ?, NULL)", (event.subject, ours, overlaps, event.recorded_at)
            )
        elif event.type == "governance_review.closed":
            self._closed("governance", event.subject, event.recorded_at)

    def _watch(self, event: Event) -> None:
        data, is_near = event.data, self._is_within(event.recorded_at)
        row = (event.stream, data["rule_id"], data["key_text"], is_near)
        self._scratch.execute("INSERT OR IGNORE INTO watch VALUES (?, ?, ?, ?)", row)
        for one in data.get("near_miss_ids", ()):
            self._scratch.execute(
                "INSERT OR IGNORE INTO deferred VALUES (?, ?, ?)", (data["rule_id"], data["key_text"], one)
            )

    def _signal(self, event: Event) -> None:
        if event.type == "signal.acknowledged":
            self._scratch.execute("UPDATE signal SET answered_at = ? WHERE id = ?", (event.recorded_at, event.subject))
            return
        ours = self._is_ours(event.data["service_id"])
        self._scratch.execute(
            "INSERT OR IGNORE INTO signal VALUES (?, ?, ?, NULL)", (event.subject, ours, event.recorded_at)
        )

    def _intake(self, event: Event) -> None:
        if near_miss_id := event.data["finding"].get("near_miss_id"):
            self._scratch.execute("INSERT OR IGNORE INTO intake VALUES (?, ?)", (event.stream, near_miss_id))

    def _source(self, event: Event) -> None:
        if event.type == "source.declared":
            service_id = event.data.get("service_id")
            self._direct(event.stream, is_in=service_id is None or self._is_ours(service_id))

    def _of_service(self, event: Event) -> None:
        self._direct(event.stream, is_in=self._is_ours(event.subject))

    def _pack(self, event: Event) -> None:
        if event.type == "evidence_pack.requested":
            services = event.data.get("services", ())
            self._direct(event.stream, is_in=not self._services or self._services.issuperset(services))

    def _direct(self, stream: str, *, is_in: bool) -> None:
        if is_in:
            self._scratch.execute("INSERT OR IGNORE INTO direct VALUES (?)", (stream,))


_HEEDED = frozenset(
    {
        "near_miss.recorded",
        "near_miss.corrected",
        "near_miss.details_completed",
        "escalation.raised",
        "escalation.member_added",
        "escalation.closed",
        "escalation.merged",
        "escalation.reopened",
        "review.opened",
        "action.agreed",
        "outcome.scheduled",
        "governance_review.opened",
        "governance_review.closed",
        "signal.trend_signalled",
        "signal.drought_signalled",
        "signal.acknowledged",
        "intake.received",
        "intake.replayed",
        "evidence_pack.requested",
    }
)


def _micros(instant: str) -> int:
    return to_micros(parse_instant(instant))
