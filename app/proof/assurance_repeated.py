"""Validation 1: repeated near misses trigger an escalation and are reviewed as potential system risk (S5).

Its population is the crossings whose window was full in the period: those that these events show, raised or not, and
those that were raised although the events do not show them, as in a part of a ledger. Crossings of imported history
have no review, and are only counted.
"""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from app.events.envelope import instant
from app.proof.assurance_escalations import GRACE
from app.proof.assurance_report import MOST_LISTED, Question, Validation, services_of, texts
from app.proof.assurance_scratch import Scratch
from app.proof.assurance_sources import Sources

ID = "repeated_near_misses_escalated"
MINUTE = 60_000_000
LATE = int(GRACE.total_seconds()) * 1_000_000


class Crossing(NamedTuple):
    """A row of `escalations`."""

    sequence: int
    id: str
    rule: str
    named: str
    service: str | None
    crossed_at: int
    recomputed_at: int | None
    raised_at: int
    missing: str | None
    review: str | None
    late: int
    acknowledged_at: int | None
    merged: str | None
    review_due: int | None
    due: int | None
    due_kind: str | None
    historical: int

    @property
    def at(self) -> int:
        """When its window was full."""
        return self.crossed_at if self.recomputed_at is None else self.recomputed_at


class Review(NamedTuple):
    """How a review stands: of the escalation that the crossing goes on in."""

    id: str
    closed_at: int | None
    determination: str | None
    code: str | None
    due: int | None

    @property
    def is_late(self) -> bool:
        """Whether it was closed after its deadline, which stays so."""
        return self.closed_at is not None and self.due is not None and self.closed_at > self.due


def validate(scratch: Scratch, sources: Sources, question: Question) -> dict[str, Any]:
    """The validation as of what was read."""
    found, listed = Validation(ID), list[dict[str, Any]]()
    historical = 0
    for one in _crossings(scratch, question):
        if one.historical:
            historical += 1
            if one.missing is not None:
                found.fail(texts(one.missing), "review_missing", **_says(one), historical=True)
            continue
        found.population += 1
        review = _review_of(scratch, one)
        _judge(scratch, found, one, review, question)
        if len(listed) < MOST_LISTED:
            listed.append(_listed(one, review))
    waiting = _waiting(scratch, found, question)
    for name, since in sources.silent(question):
        found.fail([name], "source_silent", silent_since=instant(since))
    return found.document(
        crossings=listed,
        crossings_total=found.population - waiting,
        deferred=waiting,
        historical_crossings=historical,
    )


def _crossings(scratch: Scratch, question: Question) -> Iterator[Crossing]:
    for row in scratch.each(_CROSSINGS, question.low, question.high):
        one = Crossing(*row)
        if question.services is None or question.is_about(services_of(scratch, one.id, one.service)):
            yield one


def _judge(scratch: Scratch, found: Validation, one: Crossing, review: Review | None, question: Question) -> None:
    if one.missing is not None:
        found.fail(texts(one.missing), "review_missing", **_says(one))
        return
    for row in scratch.each("SELECT kind, due FROM unanswered WHERE escalation = ? ORDER BY due", one.id):
        found.fail([one.id], "timer_without_event", timer=row[0], due=instant(row[1]))
    if one.due is not None and one.due + LATE <= question.at:
        found.fail([one.id], "timer_without_event", timer=one.due_kind, due=instant(one.due))
    if review is None:
        found.fail([one.id], "review_missing", **_says(one))
    elif review.closed_at is None and review.due is not None and question.at < review.due:
        found.wait([one.id, review.id], review.due)
    elif review.closed_at is None:
        found.fail([one.id, review.id], "review_overdue", **_due(review.due))
    elif review.determination is None:
        found.fail([one.id, review.id], "determination_missing", code=review.code)
    elif review.is_late:
        found.fail([one.id, review.id], "review_overdue", **_due(review.due), closed_at=instant(review.closed_at))


def _review_of(scratch: Scratch, one: Crossing) -> Review | None:
    """The review that looks at the crossing: its own, or where that was merged into."""
    if one.review is None or scratch.one("SELECT 1 FROM reviews WHERE id = ?", one.review) is None:
        return None
    row, seen = scratch.one(_REVIEW, one.id), {one.id}
    last = row
    while row is not None and row[5] is not None and row[5] not in seen:
        seen.add(row[5])
        last, row = row, scratch.one(_REVIEW, row[5])
    if row is not None:
        return Review(*row[:5])
    # It goes on in one that is left out of these events: all that they tell is that it did.
    return None if last is None else Review(last[0], last[1] or one.raised_at, last[2] or "", last[3], None)


def _waiting(scratch: Scratch, found: Validation, question: Question) -> int:
    """Crossings that a cool-down puts off: nothing of them is dropped."""
    waiting = 0
    for rule, key, named, until, crossed_at in scratch.each(_WAITS, question.low, question.high):
        members = scratch.all(_DEFERRED, rule, key)
        if not question.is_about(row[1] for row in members):
            continue
        waiting += 1
        found.population += 1
        ids = [row[0] for row in members[:MOST_LISTED]]
        if until + LATE <= question.at:
            says = {"rule_id": rule, "key": json.loads(named), "crossed_at": instant(crossed_at)}
            found.fail(ids, "timer_without_event", timer="cooldown_until", due=instant(until), **says)
        else:
            found.wait(ids, until)
    return waiting


def _listed(one: Crossing, review: Review | None) -> dict[str, Any]:
    concluded = None if review is None else review.closed_at
    raised_at = None if one.missing is not None else one.raised_at
    said = {
        **_says(one),
        "escalation_id": None if one.missing is not None else one.id,
        "near_miss_ids": texts(one.missing) or None,
        "review_id": None if review is None else review.id,
        "merged_into": one.merged,
        "detected_at": _text(raised_at),
        "detected_late": bool(one.late),
        "acknowledged_at": _text(one.acknowledged_at),
        "concluded_at": _text(concluded),
        "due": None if review is None else _text(review.due),
        "late": None if review is None else review.is_late,
        "determination": (review.determination or None) if review is not None else None,
        "recomputed": one.recomputed_at is not None,
        "latency": {
            name: _duration(at - one.at)
            for name, at in (("detected", raised_at), ("acknowledged", one.acknowledged_at), ("concluded", concluded))
            if at is not None
        },
    }
    return {name: value for name, value in said.items() if value is not None}


def _says(one: Crossing) -> dict[str, Any]:
    key = {name: part for name, part in json.loads(one.named).items() if part is not None}
    return {"rule_id": one.rule, "key": key, "crossed_at": instant(one.at)}


def _due(due: int | None) -> dict[str, Any]:
    return {} if due is None else {"due": instant(due)}


def _text(at: int | None) -> str | None:
    return None if at is None else instant(at)


def _duration(micros: int) -> str:
    """ISO 8601, as people read it; what was known beforehand took no time."""
    minutes, rest = divmod(max(0, micros), MINUTE)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    seconds = f"{rest / 1_000_000:.6f}".rstrip("0").rstrip(".")
    parts = ((hours, f"{hours}H"), (minutes, f"{minutes}M"), (rest, f"{seconds}S"))
    time = "".join([text for amount, text in parts if amount])
    return f"P{f'{days}D' if days else ''}{f'T{time}' if time else ''}" if days or time else "PT0S"


_CROSSINGS = """
SELECT sequence, id, rule, named, service, crossed_at, recomputed_at, raised_at, missing, review, late,
  acknowledged_at, merged, review_due, due, due_kind, historical
FROM escalations WHERE coalesce(recomputed_at, crossed_at) >= ? AND coalesce(recomputed_at, crossed_at) < ?
ORDER BY sequence, number
"""
_REVIEW = """
SELECT r.id, r.closed_at, r.determination, r.code, e.review_due, e.merged
FROM escalations AS e JOIN reviews AS r ON r.id = e.review WHERE e.id = ?
"""
_WAITS = "SELECT rule, key, named, until, crossed_at FROM waits WHERE crossed_at >= ? AND crossed_at < ?"
_DEFERRED = """
SELECT r.id, r.service FROM deferred AS d JOIN records AS r ON r.sequence = d.record
WHERE d.rule = ? AND d.key = ? ORDER BY r.at, r.sequence
"""
