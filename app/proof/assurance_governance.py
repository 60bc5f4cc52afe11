"""Governance reviews as they were told, and validation 3: near-miss data is used to inform governance decisions (S15).

Its population is the governance reviews that were held or missed in the period and the escalations to be considered:
those that were raised in it, or whose window was full in it. An escalation is considered by a closed review one of
whose decisions cites it, its review, a near miss that it held, or what it was merged into.

Where not all governance reviews are there to be read, nobody is held to what may stand in the others: the cadence is
not judged then, nor an escalation that none of those that are there considered, and nothing is confirmed.
"""

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from app.domain.governance import SNAPSHOT
from app.domain.policy import Policy
from app.events.envelope import instant
from app.proof.assurance_cadence import Cadence
from app.proof.assurance_records import micros
from app.proof.assurance_report import Question, Validation, services_of, texts
from app.proof.assurance_scratch import Scratch
from app.proof.events import Event

ID = "used_in_governance"
UNSEEN = (
    "Governance reviews that are about other services too are left out of these events: whether leadership met in "
    "time, and whether it considered what is not judged here, only the whole ledger can tell."
)
_BEGINNINGS = frozenset({"action.agreed", "signal.trend_signalled", "signal.drought_signalled"})


class _Review(NamedTuple):
    id: str
    opened_at: int
    since: int
    until: int
    services: str
    localities: str
    resolved: int
    closed_at: int | None


class Governance:
    """Follows the ledger."""

    def __init__(self, scratch: Scratch, policy: Policy) -> None:
        self._scratch = scratch
        self._cadence = Cadence(policy)
        self._next = 1
        self._is_whole = True

    def follow(self, event: Event, policy: Policy) -> None:
        """Take in the next event; `policy` is in force right after it."""
        self._is_whole = self._is_whole and event.sequence == self._next
        self._next = event.sequence + 1
        data, its_id = event.data, event.subject
        match event.type:
            case "organisation.opened":
                self._cadence.begin(event.recorded_at)
            case "policy.adopted":
                self._cadence.change(policy, event.recorded_at)
            case "governance_review.opened":
                self._open(event)
            case "governance_review.decided":
                cites: list[str] = data.get("cites", [])
                row = (its_id, event.sequence, len(cites), json.dumps(self._unknown(cites)))
                self._scratch.do("INSERT INTO decisions VALUES (?, ?, ?, ?)", row)
                self._scratch.do_each("INSERT OR IGNORE INTO cites VALUES (?, ?)", [(one, its_id) for one in cites])
            case "governance_review.closed":
                self._cadence.close(event.recorded_at)
                ended = (event.recorded_at, event.sequence, its_id)
                self._scratch.do("UPDATE governance SET closed_at = ?, closed_sequence = ? WHERE id = ?", ended)
            case kind if kind in _BEGINNINGS:
                self._scratch.do("INSERT OR IGNORE INTO others VALUES (?)", (its_id,))
            case _:
                pass

    def validate(self, question: Question) -> dict[str, Any]:
        """The validation as of what was read."""
        found = Validation(ID, why_unsure=None if question.sees_governance else UNSEEN)
        held = self._judge_reviews(found, question)
        passed = self._cadence.missed(question.at) if question.sees_governance else ()
        missed = [one for one in passed if question.holds(one.due)]
        open_ones = [row[0] for row in self._scratch.each("SELECT id FROM governance WHERE closed_at IS NULL")]
        for one in missed:
            late = {} if one.closed_at is None else {"closed_at": instant(one.closed_at)}
            ids = open_ones if one.closed_at is None else []
            found.fail(ids, "governance_review_missing", due=instant(one.due), **late)
        considered, not_judged = self._judge_escalations(found, question)
        found.population += held + len(missed)
        return found.document(
            reviews_held=held, cadences_missed=len(missed), escalations=found.population - held - len(missed),
            escalations_considered=considered, **({} if question.sees_governance else {"not_judged": not_judged}),
        )  # fmt: skip

    def _open(self, event: Event) -> None:
        data, snapshot = event.data, event.data.get("snapshot", {})
        as_of = snapshot.get("as_of_sequence")
        resolved = isinstance(as_of, int) and 0 <= as_of < event.sequence
        row = (
            event.sequence, event.subject, event.recorded_at, micros(data["since_at"]), micros(data["until_at"]),
            json.dumps(data.get("services", [])), json.dumps(data.get("localities", [])), resolved, None, None,
        )  # fmt: skip
        self._scratch.do("INSERT OR REPLACE INTO governance VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)

    def _unknown(self, cites: Iterable[str]) -> list[str]:
        """Those of the ids that nothing told so far is of; of a part of a ledger nobody can tell."""
        return [one for one in cites if one != SNAPSHOT and not self._is_known(one)] if self._is_whole else []

    def _is_known(self, its_id: str) -> bool:
        match its_id.partition("_")[0]:
            case "nm":
                return self._scratch.one("SELECT 1 FROM records WHERE id = ?", its_id) is not None
            case "esc":
                return self._scratch.one("SELECT 1 FROM escalations WHERE id = ?", its_id) is not None
            case "rev":
                return self._scratch.one("SELECT 1 FROM reviews WHERE id = ?", its_id) is not None
            case _:
                return self._scratch.one("SELECT 1 FROM others WHERE id = ?", its_id) is not None

    def _judge_reviews(self, found: Validation, question: Question) -> int:
        held = 0
        for row in self._scratch.each(_REVIEWS):
            one = _Review(*row)
            services = json.loads(one.services)
            if not (question.holds(one.opened_at) or question.holds(one.closed_at)):
                continue
            if (services or json.loads(one.localities)) and not question.is_about(services):
                continue
            held += 1
            if not one.resolved:
                found.fail([one.id], "snapshot_unresolved")
            for sequence, cites, unknown in self._scratch.each(_DECISIONS, one.id):
                named = json.loads(unknown)
                if not cites or named:
                    said = {"unknown": named} if named else {}
                    found.fail([one.id], "decision_cites_nothing", sequence=sequence, **said)
            due = self._cadence.due_for(one.opened_at)
            if one.closed_at is None and due is not None and question.at < due and question.sees_governance:
                found.wait([one.id], due)
        return held

    def _judge_escalations(self, found: Validation, question: Question) -> tuple[int, int]:
        """How many were considered, and how many cannot be judged."""
        considered = not_judged = 0
        low, high = question.low, question.high
        for escalation_id, service, crossed_at, raised_at, review, sequence in self._scratch.each(
            _ESCALATIONS, low, high
        ):
            if question.services is not None:
                about = services_of(self._scratch, escalation_id, service)
                if not question.is_about(about):
                    continue
            if self._scratch.one(_CITED, escalation_id) is not None:
                found.population += 1
                considered += 1
                continue
            if not question.sees_governance:
                not_judged += 1
                continue
            found.population += 1
            left_out = self._left_out(escalation_id, service, crossed_at, raised_at, sequence)
            due = self._cadence.due_for(raised_at)
            ids = [one for one in (escalation_id, review) if one is not None]
            if left_out is not None:
                found.fail([*ids, left_out], "escalation_in_no_governance_review")
            elif due is None or question.at < due:
                found.wait(ids, question.at if due is None else due)
            else:
                found.fail(ids, "escalation_in_no_governance_review", due=instant(due))
        return considered, not_judged

    def _left_out(
        self, escalation_id: str, service: str | None, crossed_at: int, raised_at: int, sequence: int
    ) -> str | None:
        """A closed review of the escalation's period and place, which it was raised in time for."""
        for its_id, services, localities in self._scratch.each(
            _HOLDING, sequence, raised_at, raised_at, crossed_at, crossed_at
        ):
            named, places = texts(services), texts(localities)
            if not named and not places:
                return its_id
            if service in named or self._scratch.one(_PLACED, escalation_id, services, localities) is not None:
                return its_id
        return None


_REVIEWS = (
    "SELECT id, opened_at, since, until, services, localities, resolved, closed_at FROM governance ORDER BY sequence"
)
_DECISIONS = "SELECT sequence, cites, unknown FROM decisions WHERE governance = ? ORDER BY sequence"
_ESCALATIONS = """
SELECT id, service, crossed_at, raised_at, review, sequence FROM escalations
WHERE NOT historical AND missing IS NULL
  AND ((raised_at >= ?1 AND raised_at < ?2) OR (crossed_at >= ?1 AND crossed_at < ?2)) ORDER BY sequence
"""
_CITED = """
WITH RECURSIVE went (id) AS (
  VALUES (?1) UNION SELECT e.merged FROM escalations AS e JOIN went AS w ON e.id = w.id WHERE e.merged IS NOT NULL),
matter (id) AS (
  SELECT id FROM went UNION SELECT e.review FROM escalations AS e JOIN went AS w ON w.id = e.id
  UNION SELECT m.id FROM members AS m JOIN went AS w ON w.id = m.escalation)
SELECT 1 FROM matter AS a CROSS JOIN cites AS c ON c.id = a.id JOIN governance AS g ON g.id = c.governance
WHERE g.closed_at IS NOT NULL LIMIT 1
"""
_HOLDING = """
SELECT id, services, localities FROM governance WHERE closed_sequence > ?
  AND ((since <= ? AND until > ?) OR (since <= ? AND until > ?)) ORDER BY sequence
"""
_PLACED = """
SELECT 1 FROM members AS m JOIN records AS r ON r.id = m.id WHERE m.escalation = ?
  AND (r.service IN (SELECT value FROM json_each(?)) OR r.locality IN (SELECT value FROM json_each(?))) LIMIT 1
"""
