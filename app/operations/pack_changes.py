"""What was changed afterwards, by whom and why, and what that did to a firing; and what was learned and told to whom.

A record can be taken out of a count honestly or to keep an alarm quiet, so every way of doing it is listed: corrected
and reclassified, withdrawn, marked as a duplicate or told apart again, merged, snoozed, closed as no pattern, moved to
another policy, and a policy that would have found less. What followed in the same command is its effect; of a policy
it is the reviews that it would not have opened. A change is told from what it was to what it became, where both are
codes; of words only that they were changed.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import select

from app.database.tables import events
from app.domain.moment import format_instant
from app.domain.sealed import Reference, SealedText
from app.domain.sensitivity import LessSensitive
from app.events.codec import told as decoded
from app.events.envelope import Envelope, Told, instant
from app.operations import pack_withheld
from app.operations.pack_case import AT_ONCE, LEFT_OUT, Case
from app.operations.pack_tables import Sheet
from app.operations.show import Reader
from app.proof.assurance_sentences import several
from app.proof.pack_format import PackWriter

CHANGES = ("recorded_at", "sequence", "in_period", "change", "id", "by", "why", "what", "effect_on_firings")
LEARNING = ("shared_at", "sequence", "in_period", "kind", "id", "about", "with", "what", "by")

_CHANGED: Mapping[str, str] = {
    "near_miss.corrected": "corrected",
    "near_miss.withdrawn": "withdrawn",
    "near_miss.marked_duplicate": "duplicate",
    "near_miss.duplicate_undone": "duplicate_undone",
    "escalation.merged": "merged",
    "escalation.snoozed": "snoozed",
    "escalation.policy_reassigned": "policy_reassigned",
    "review.closed": "not_a_pattern",
    "policy.adopted": "policy_less_sensitive",
}
_SHARED: Mapping[str, tuple[str, str]] = {
    "near_miss.closed": ("feedback", "whoever reported it"),
    "review.closed": ("conclusion", "whoever reported the near misses of the review"),
    "action.agreed": ("action", "its owner, and whoever reported the near misses of the review"),
    "action.completed": ("action_completed", "whoever reported the near misses of the review"),
    "action.effectiveness_checked": ("effectiveness", "the managers of the service"),
    "outcome.assessed": ("outcome", "the managers of the service"),
    "signal.acknowledged": ("signal_answered", "the managers of the service"),
    "governance_review.decided": ("decision", "leadership"),
    "governance_review.closed": ("governance", "leadership"),
}
_EFFECTS: Mapping[str, str] = {
    "escalation.raised": "raised",
    "escalation.member_added": "member added",
    "escalation.member_demoted": "member demoted to related",
    "escalation.member_withdrawn": "member no longer counts",
    "escalation.support_lost": "fewer members than the threshold are left, the review goes on",
    "escalation.support_regained": "as many members as the threshold again",
    "escalation.re_alarmed": "alarmed again",
    "escalation.dismissed_again": "dismissed again, somebody higher was told",
    "escalation.monitoring_begun": "monitored from then on",
    "escalation.closed": "closed",
    "escalation.merged": "goes on in another escalation",
    "watch.deferred": "judged when its cool-down ends",
}


_OF_A_REPORT = ("near_miss.corrected", "near_miss.withdrawn")


class Noted:
    """Remembers, of all events that are in, which tell of a change or of something learned; in a scratch file."""

    def __init__(self) -> None:
        self._scratch = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._scratch.executescript(
            "CREATE TABLE noted (kind TEXT, sequence INTEGER, PRIMARY KEY (kind, sequence)) WITHOUT ROWID;"
            "CREATE TABLE effect (command TEXT, sequence INTEGER, stream TEXT, type TEXT,"
            " PRIMARY KEY (command, sequence)) WITHOUT ROWID; BEGIN"
        )

    def close(self) -> None:
        """Let go of the scratch file, which is gone then."""
        self._scratch.close()

    def hear(self, envelope: Envelope) -> None:
        """One event that is in."""
        if envelope.type in _CHANGED and _is_change(envelope):
            self._scratch.execute("INSERT INTO noted VALUES ('change', ?)", (envelope.sequence,))
        if envelope.type in _SHARED:
            self._scratch.execute("INSERT INTO noted VALUES ('shared', ?)", (envelope.sequence,))
        if envelope.type in _EFFECTS:
            row = (envelope.correlation_id, envelope.sequence, envelope.stream, envelope.type)
            self._scratch.execute("INSERT INTO effect VALUES (?, ?, ?, ?)", row)

    def count(self, kind: str) -> int:
        """How many there are."""
        return self._scratch.execute("SELECT count(*) FROM noted WHERE kind = ?", (kind,)).fetchone()[0]

    def sequences(self, kind: str) -> Iterator[list[int]]:
        """Their sequences, so many at once."""
        after = 0
        chosen = "SELECT sequence FROM noted WHERE kind = ? AND sequence > ? ORDER BY sequence LIMIT ?"
        while some := [row[0] for row in self._scratch.execute(chosen, (kind, after, AT_ONCE))]:
            yield some
            after = some[-1]

    def effects(self, command_id: str, except_of: int) -> str:
        """What else the command did to escalations, in order."""
        chosen = "SELECT stream, type FROM effect WHERE command = ? AND sequence <> ? ORDER BY sequence"
        found = self._scratch.execute(chosen, (command_id, except_of)).fetchall()
        return "; ".join(f"{stream.partition('/')[2]}: {_EFFECTS[kind]}" for stream, kind in found) or "none"


def write_changes(case: Case, noted: Noted, pack: PackWriter) -> None:
    """Write changes.csv and learning.csv."""
    _table(case, noted, pack, "change", ("changes.csv", CHANGES), _changed)
    _table(case, noted, pack, "shared", ("learning.csv", LEARNING), _shared)


Row = Callable[[Case, Noted, Told[Any], Callable[[Any], Any], Any], dict[str, Any]]


def _table(
    case: Case, noted: Noted, pack: PackWriter, kind: str, member: tuple[str, Sequence[str]], row_of: Row
) -> None:
    name, columns = member
    total, done = noted.count(kind), 0
    with pack.member(name) as file:
        sheet = Sheet(file, columns)
        for some in noted.sequences(kind):
            case.told(f"writing {name}", done, total)
            done += len(some)
            with case.reader() as reader:
                row = events.c
                chosen = select(events).where(row.organisation == case.organisation, row.sequence.in_(some))
                rows = reader.connection.execute(chosen.order_by(row.sequence))
                found = [decoded(Envelope._make(one)) for one in rows]
                names = reader.names({one.envelope.actor for one in found})
                opener = reader.opener([found])
                former = _former(reader, found)
            for one in found:
                envelope = one.envelope
                by = names.get(envelope.actor, envelope.actor)
                told = {"sequence": envelope.sequence, "in_period": case.is_in_period(envelope.recorded_at), "by": by}
                sheet.add({**told, **row_of(case, noted, one, opener, former.get(envelope.sequence))})


def _is_change(envelope: Envelope) -> bool:
    match envelope.type:
        case "review.closed":
            return json.loads(envelope.payload)["code"] == "not_a_pattern"
        case "policy.adopted":
            return bool(json.loads(envelope.payload).get("less_sensitive"))
        case _:
            return True


def _former(reader: Reader, found: Sequence[Told[Any]]) -> dict[int, Any]:
    """By sequence, the report as it stood before a correction or a withdrawal."""
    asked = {one.envelope.stream: one for one in found if one.envelope.type in _OF_A_REPORT}
    reports: dict[int, Any] = {}
    for told in reader.told(sorted(asked)).values() if asked else ():
        report = None
        for one in told:
            reports[one.envelope.sequence] = report
            report = getattr(one.event, "report", None) or report
    return reports


def _changed(case: Case, noted: Noted, one: Told[Any], opened: Callable[[Any], Any], former: Any) -> dict[str, Any]:
    envelope, event = one.envelope, one.event
    change, its_id = _CHANGED[envelope.type], envelope.subject
    effect = noted.effects(envelope.correlation_id, envelope.sequence)
    what = why = None
    match change:
        case "corrected":
            change = "reclassified" if "classification" in event.changed else change
            what = "; ".join(_from_to(name, former, event.report) for name in event.changed)
        case "withdrawn":
            what = _said_of(former)
        case "duplicate" | "duplicate_undone":
            what = f"of {event.duplicate_of}"
        case "merged":
            what = f"into {event.into}"
        case "snoozed":
            what = f"until {format_instant(event.until)}"
        case "policy_reassigned":
            what = f"to policy version {event.policy_version}"
        case "not_a_pattern":
            number = pack_withheld.count(case, len(event.members))
            what, why = f"{number} near {'miss' if number == '1' else 'misses'}", event.summary
        case "policy_less_sensitive":
            fewer = event.less_sensitive
            its_id, what = f"policy version {event.policy_version}", _rules(fewer)
            effect = f"{several(fewer.lost, 'review')} of the {fewer.looked_back} before would not have been opened"
            why = event.policy.get("reason") if case.has_words else LEFT_OUT
        case _:
            pass
    why = getattr(event, "reason", None) or why
    return {
        "recorded_at": instant(envelope.recorded_at),
        "change": change,
        "id": its_id,
        "why": _words(why, opened),
        "what": what,
        "effect_on_firings": effect,
    }


def _from_to(name: str, former: Any, report: Any) -> str:
    """A field before and after, where both are codes; else that it was changed."""
    before, after = getattr(former, name, None), getattr(report, name, None)
    if all(one is None or isinstance(one, str | int | float) for one in (before, after)) and before != after:
        return f"{name}: {before or 'nothing'} → {after or 'nothing'}"
    if name == "contributing_factors":
        return f"{name}: {', '.join(before or ()) or 'nothing'} → {', '.join(after or ()) or 'nothing'}"
    return f"{name} changed"


def _said_of(report: Any) -> str | None:
    """What was withdrawn, in codes."""
    if report is None:
        return None
    said = (report.classification, report.incident_type, report.deviation, report.service_id, report.occurred_at)
    return ", ".join(one for one in said if one)


def _rules(fewer: LessSensitive) -> str:
    named = sorted({one.rule_id for one in fewer.episodes})
    return f"less sensitive by {several(len(named), 'rule')}: {', '.join(named)}" if named else "less sensitive"


def _shared(case: Case, _noted: Noted, one: Told[Any], opened: Callable[[Any], Any], _former: Any) -> dict[str, Any]:
    envelope, event = one.envelope, one.event
    kind, others = _SHARED[envelope.type]
    about = getattr(event, "review_id", None) or getattr(event, "governance_review_id", None)
    for name in ("summary", "outcome", "description", "evidence", "result", "note", "text", "says"):
        if (words := getattr(event, name, None)) is not None:
            break
    else:
        words = None
    if envelope.type == "outcome.assessed" and not case.has_small_cells:
        words = None  # They tell of counts.
    code = getattr(event, "code", None) or getattr(event, "verdict", None)
    closed_with = "closed with its review" if envelope.type == "near_miss.closed" and about else None
    what = "; ".join(str(part) for part in (code, _words(words, opened), closed_with) if part)
    return {
        "shared_at": instant(envelope.recorded_at),
        "kind": kind,
        "id": envelope.subject,
        "about": about,
        "with": others,
        "what": what,
    }


def _words(words: Any, opened: Callable[[Any], Any]) -> str:
    """What somebody wrote, as far as this pack tells it."""
    if words is LEFT_OUT:
        return LEFT_OUT
    if words is None:
        return ""
    if not isinstance(words, Reference | SealedText):
        return str(words)
    told = opened(words)
    if told is LEFT_OUT:
        return LEFT_OUT
    return told if isinstance(told, str) else "(erased)"
