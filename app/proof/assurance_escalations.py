"""Escalations and their reviews as they were told: what each crossed, how it was answered, and every deadline it had.

Deadlines are folded by the domain's own `evolve`, without the near misses, which move none. A deadline that lies behind
what came after it, and was not answered, is noted: a timer only asks, but it does ask.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from app.domain import escalation
from app.domain.escalation import Escalation
from app.domain.moment import from_micros, to_micros
from app.events.catalogue import CATALOGUE
from app.proof.assurance_records import micros
from app.proof.assurance_scratch import Scratch
from app.proof.events import Event

GRACE = timedelta(minutes=10)
"""How late a timer may be asked."""


class Closing(NamedTuple):
    """When the latest episode of a key ended, and its place in the ledger."""

    at: int
    sequence: int


_MEMBERS = {"escalation.member_added", "escalation.member_demoted", "escalation.member_withdrawn"}
_TIMELESS = _MEMBERS | {"escalation.support_lost", "escalation.support_regained"}
_OF_A_REPORT = {"escalation.re_alarmed"}
"""What a report does to an escalation, which nobody had loaded before with all that was due of it."""
_ENDS = {"escalation.closed", "escalation.monitoring_begun", "escalation.merged"}
_decode_standing = msgspec.json.Decoder(Escalation).decode


class Escalations:
    """Every escalation that was told so far, and those that should have been."""

    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch

    # What was told

    def begin(self, event: Event, recomputed_at: int | None) -> None:
        """An escalation was raised. `recomputed_at`: when its window was full, if these events show that it was."""
        data = event.data
        raised = msgspec.convert(data, escalation.Raised)
        state = replace(escalation.evolve(escalation.UNRAISED, raised), members={})
        row = (
            event.sequence, event.subject, data["rule_id"], data["key_text"], json.dumps(dict(data["key"])),
            data.get("service_id"), micros(data["crossed_at"]), recomputed_at, event.recorded_at,
            bool(data.get("historical")), None, data.get("review_id"), bool(data.get("detected_late")),
        )  # fmt: skip
        self._scratch.do(_BEGIN, row)
        self._scratch.do_each(_MEMBER, [(one["near_miss_id"], event.subject, one["kind"]) for one in data["members"]])
        due = None if state.review_due_at is None else to_micros(state.review_due_at)
        self._stand(event.subject, state, due)

    def miss(
        self, its_id: str, sequence: int, rule_id: str, key: str, named: dict[str, Any], crossed_at: int,
        recorded_at: int, near_miss_ids: Sequence[str], *, historical: bool,
    ) -> None:  # fmt: skip
        """An escalation should have been raised by the event of a sequence, and was not."""
        service = named.get("service_id")
        row = (
            sequence, its_id, rule_id, key, json.dumps(named), service,
            crossed_at, crossed_at, recorded_at, historical, json.dumps(list(near_miss_ids)), None, False,
        )  # fmt: skip
        self._scratch.do(_BEGIN, row)
        self._scratch.do("UPDATE escalations SET is_open = ? WHERE id = ?", (not historical, its_id))
        self._scratch.do_each(_MEMBER, [(one, its_id, "member") for one in near_miss_ids])

    def follow(self, event: Event) -> None:
        """Take in a later event of an escalation or of a review."""
        if event.type in _MEMBERS:
            self._member(event)
        elif event.kind == "review":
            self._review(event)
        elif event.type not in _TIMELESS and event.type != "escalation.raised":
            self._climb(event)

    def _member(self, event: Event) -> None:
        kind = {"escalation.member_demoted": "related", "escalation.member_withdrawn": "withdrawn"}.get(event.type)
        its = (event.data["near_miss_id"], event.subject, kind or event.data["kind"])
        self._scratch.do(_MEMBER, its)

    def _climb(self, event: Event) -> None:
        row = self._scratch.one("SELECT standing, review_due FROM escalations WHERE id = ?", event.subject)
        entry = CATALOGUE.get(event.type)
        if row is None or entry is None:
            return
        state, review_due = _decode_standing(row[0]) if row[0] else Escalation(rest=None), row[1]
        self._look_for_unanswered(event, state)
        state = escalation.evolve(state, msgspec.convert(event.data, entry.event))
        match event.type:
            case "escalation.acknowledged":
                acknowledged = "UPDATE escalations SET acknowledged_at = coalesce(acknowledged_at, ?) WHERE id = ?"
                self._scratch.do(acknowledged, (event.recorded_at, event.subject))
            case "escalation.policy_reassigned" | "escalation.reopened" if state.review_due_at is not None:
                review_due = to_micros(state.review_due_at)
            case kind if kind in _ENDS:
                self._scratch.do(_END, (event.recorded_at, event.sequence, event.data.get("into"), event.subject))
            case _:
                pass
        if event.type == "escalation.reopened":
            again = "UPDATE escalations SET closed_at = NULL, closed_sequence = NULL WHERE id = ?"
            self._scratch.do(again, (event.subject,))
        self._stand(event.subject, state, review_due)

    def _look_for_unanswered(self, event: Event, state: Escalation) -> None:
        if not state.deadlines or event.type in _OF_A_REPORT:
            return
        earliest = state.deadlines[0]
        scheduled_at = event.data.get("scheduled_at")
        by = from_micros(event.recorded_at) - GRACE if scheduled_at is None else datetime.fromisoformat(scheduled_at)
        if earliest.due_at < by:
            row = (event.subject, earliest.kind, to_micros(earliest.due_at))
            self._scratch.do("INSERT OR IGNORE INTO unanswered VALUES (?, ?, ?)", row)

    def _stand(self, escalation_id: str, state: Escalation, review_due: int | None) -> None:
        first = state.deadlines[0] if state.deadlines else None
        due, kind = (None, None) if first is None else (to_micros(first.due_at), first.kind)
        standing = msgspec.json.encode(state).decode()
        self._scratch.do(_STAND, (state.rest is None, review_due, standing, due, kind, escalation_id))

    def _review(self, event: Event) -> None:
        data, its_id = event.data, event.subject
        match event.type:
            case "review.opened":
                row = (its_id, data["escalation_id"], None, None, None)
                self._scratch.do("INSERT OR IGNORE INTO reviews VALUES (?, ?, ?, ?, ?)", row)
            case "review.system_risk_determined":
                said = (data["determination"], its_id)
                self._scratch.do("UPDATE reviews SET determination = ? WHERE id = ?", said)
            case "review.closed":
                closed = (event.recorded_at, data["code"], its_id)
                self._scratch.do("UPDATE reviews SET closed_at = ?, code = ? WHERE id = ?", closed)
            case "review.reopened":
                self._scratch.do("UPDATE reviews SET closed_at = NULL, code = NULL WHERE id = ?", (its_id,))
            case _:
                pass

    # What stands

    def open_of(self, rule_id: str, key: str) -> str | None:
        """The escalation that is open for a rule and key."""
        chosen = "SELECT id FROM escalations WHERE rule = ? AND key = ? AND is_open = 1 LIMIT 1"
        row = self._scratch.one(chosen, rule_id, key)
        return None if row is None else row[0]

    def closed_of(self, rule_id: str, key: str) -> Closing | None:
        """The end of the latest episode of a rule and key."""
        row = self._scratch.one(_LATEST, rule_id, key)
        return None if row is None or row[0] is None else Closing(*row)

    def last_historical(self, rule_id: str, key: str, near_miss_ids: Iterable[str]) -> int | None:
        """The place of the last of these near misses that a crossing has which was remembered for the key."""
        row = self._scratch.one(_HISTORICAL, json.dumps(list(near_miss_ids)), rule_id, key)
        return None if row is None else row[0]

    def rule_of(self, escalation_id: str) -> str | None:
        """The rule that an escalation was raised by."""
        crossing = self.crossing_of(escalation_id)
        return None if crossing is None else crossing[0]

    def crossing_of(self, escalation_id: str) -> tuple[str, str] | None:
        """The rule and the key that an escalation was raised for."""
        row = self._scratch.one("SELECT rule, key FROM escalations WHERE id = ?", escalation_id)
        return None if row is None else (row[0], row[1])

    def members_of(self, escalation_id: str) -> list[str]:
        """The near misses that stand in an escalation as members."""
        chosen = "SELECT id FROM members WHERE escalation = ? AND kind = 'member'"
        return [row[0] for row in self._scratch.all(chosen, escalation_id)]


_BEGIN = """
INSERT OR REPLACE INTO escalations (sequence, id, rule, key, named, service, crossed_at, recomputed_at, raised_at,
  historical, missing, review, late) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_MEMBER = "INSERT OR REPLACE INTO members VALUES (?, ?, ?)"
_STAND = "UPDATE escalations SET is_open = ?, review_due = ?, standing = ?, due = ?, due_kind = ? WHERE id = ?"
_END = """
UPDATE escalations SET closed_at = coalesce(closed_at, ?), closed_sequence = coalesce(closed_sequence, ?),
  merged = coalesce(?, merged) WHERE id = ?
"""
_LATEST = """
SELECT closed_at, closed_sequence FROM escalations WHERE rule = ? AND key = ? AND NOT historical
ORDER BY is_open DESC, sequence DESC LIMIT 1
"""
_HISTORICAL = """
SELECT j.key FROM json_each(?) AS j JOIN members AS m ON m.id = j.value JOIN escalations AS e ON e.id = m.escalation
WHERE e.rule = ? AND e.key = ? AND e.historical ORDER BY j.key DESC LIMIT 1
"""
