"""Near misses as their events tell them: what rules may see of each, whether it stands, and what it still owes (S11).

A record owes its details and its workflow link by deadlines that its events state. What was imported as history owes
none, nor does harm that another system told of for reference: they are told apart, not held against anybody.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from app.domain.chase import due_from
from app.domain.moment import Moment, parse_moment, to_micros
from app.domain.zones import zone
from app.proof.assurance_scratch import Row, Scratch
from app.proof.assurance_windows import UNKNOWN
from app.proof.events import Event

_PLAIN = (
    "service_id", "locality", "incident_type", "deviation", "classification", "recovery_barrier", "potential_harm",
    "shift_bracket",
)  # fmt: skip
_LINKED = ("stage_allowed", "stage_affected", "system_used")

REVISIONS = frozenset({
    "near_miss.corrected", "near_miss.details_completed", "near_miss.linked", "near_miss.duplicate_undone",
})  # fmt: skip
"""What has a record judged again."""
ENDINGS = frozenset({"near_miss.withdrawn", "near_miss.marked_duplicate"})
"""What takes a record out of every count."""


@dataclass(frozen=True, slots=True)
class Owed:
    """What a record was given time for: until when, and for how long again (ISO 8601) when it is owed anew."""

    link_due: int | None = None
    link_every: str | None = None
    details_due: int | None = None
    details_every: str | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """One near miss. `values` is what rules may look at; `exempt`: why it owes no link."""

    sequence: int
    id: str
    moment: Moment
    time_zone: str
    values: Mapping[str, Any]
    counts: bool = True
    linked: bool = False
    awaiting: tuple[str, ...] = ()
    exempt: str | None = None
    owed: Owed = field(default_factory=Owed)

    @property
    def due(self) -> int | None:
        """The first deadline of what it lacks for being linked."""
        dues = [self.owed.link_due, self.owed.details_due if self.awaiting else None]
        return min((one for one in dues if one is not None), default=None)


class Change(NamedTuple):
    """A record before an event and after it."""

    before: Record | None
    after: Record


def micros(text: str) -> int:
    """Microseconds since 1970 of an instant as events spell it."""
    return to_micros(datetime.fromisoformat(text))


def recorded(event: Event) -> Record:
    """The record that an event begins."""
    data = event.data
    report, link = data["report"], data.get("workflow_link")
    moment, values = _seen(report, link, data.get("source"))
    owed = Owed(
        _instant(data, "workflow_link_due_at"),
        data.get("workflow_link_due"),
        _instant(data, "details_due_at"),
        data.get("details_due"),
    )
    exempt = "history" if data.get("as_history") else None
    if exempt is None and owed.link_due is None and values["classification"] == "harm_incident":
        exempt = "reference"
    awaiting = tuple(data.get("awaiting", ()))
    return Record(
        event.sequence, event.subject, moment, report["zone"], values, True, _identified(link), awaiting, exempt, owed
    )


def changed(event: Event, record: Record) -> Record:
    """The record after a later event of its stream."""
    data = event.data
    match event.type:
        case "near_miss.corrected":
            left = tuple(name for name in record.awaiting if name not in data.get("changed", ()))
            return replace(_rewritten(record, data), awaiting=left)
        case "near_miss.details_completed":
            return replace(_rewritten(record, data), awaiting=())
        case "near_miss.linked":
            link = data["link"]
            values = {**record.values, **{name: link[name] for name in _LINKED if name in link}}
            made = replace(record, values=values, linked=_identified(link))
            return _anew(made, _checked_at(data), "link") if record.linked and not made.linked else made
        case "near_miss.withdrawn" | "near_miss.marked_duplicate":
            return replace(record, counts=False)
        case "near_miss.duplicate_undone":
            return _anew(replace(record, counts=True), _checked_at(data), "link", "details")
        case "near_miss.reopened" if "reopened_at" in data:
            return _anew(record, datetime.fromisoformat(data["reopened_at"]), "link", "details")
        case _:
            return record


class Records:
    """Every near miss that was told so far."""

    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch

    def begin(self, event: Event) -> Change:
        """Take in a record."""
        record = recorded(event)
        self._scratch.do(_INSERT, _row(record))
        return Change(None, record)

    def change(self, event: Event) -> Change | None:
        """Take in what became of a record; None of one that was left out of these events."""
        before = self.of(event.subject)
        if before is None:
            return None
        after = changed(event, before)
        if event.type == "near_miss.closed" and "review_id" not in event.data:
            self._close(before)
        if after is not before:
            self._scratch.do(_UPDATE, (*_row(after)[2:], after.sequence))
        return Change(before, after)

    def of(self, near_miss_id: str) -> Record | None:
        """The record of an id."""
        row = self._scratch.one(_SELECT + " WHERE id = ?", near_miss_id)
        return None if row is None else _record(row)

    def counted(self) -> Iterable[Record]:
        """Every record that counts."""
        return map(_record, self._scratch.each(_SELECT + " WHERE counts ORDER BY sequence"))

    def ids(self, sequences: Iterable[int]) -> list[str]:
        """The ids of records by their places in the ledger."""
        asked = json.dumps(list(sequences))
        chosen = "SELECT r.id FROM json_each(?) AS j JOIN records AS r ON r.sequence = j.value ORDER BY j.key"
        return [row[0] for row in self._scratch.all(chosen, asked)]

    def _close(self, record: Record) -> None:
        """Somebody finished it by itself; note whatever open escalation held it then."""
        held = [row[0] for row in self._scratch.all(_HELD, record.id)]
        if held:
            self._scratch.do(
                "UPDATE records SET isolated = ? WHERE sequence = ?", (json.dumps(sorted(held)), record.sequence)
            )


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode
_HELD = """
SELECT e.id FROM members AS m JOIN escalations AS e ON e.id = m.escalation
WHERE m.id = ? AND m.kind <> 'withdrawn' AND e.is_open
"""
_COLUMNS = (
    "sequence", "id", "at", "day", "date_only", "service", "locality", "facts", "counts", "linked", "awaiting",
    "exempt", "time_zone", "link_due", "link_every", "details_due", "details_every", "due",
)  # fmt: skip
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM records"  # noqa: S608 - names of columns, written above
_INSERT = f"INSERT INTO records ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' for _ in _COLUMNS)})"  # noqa: S608
_CHANGING = _COLUMNS[2:]
_UPDATE = f"UPDATE records SET {', '.join(f'{name} = ?' for name in _CHANGING)} WHERE sequence = ?"  # noqa: S608


def _row(record: Record) -> Row:
    moment, values, owed = record.moment, record.values, record.owed
    return (
        record.sequence,
        record.id,
        *moment,
        values.get("service_id"),
        values.get("locality"),
        _encode(values),
        record.counts,
        record.linked,
        json.dumps(record.awaiting) if record.awaiting else None,
        record.exempt,
        record.time_zone,
        owed.link_due,
        owed.link_every,
        owed.details_due,
        owed.details_every,
        record.due,
    )


def _record(row: Row) -> Record:
    sequence, near_miss_id, at, day, date_only, _, _, facts, counts, linked, awaiting, exempt, time_zone, *owed, _ = row
    values: dict[str, Any] = _decode(facts)
    if "contributing_factors" in values:
        values["contributing_factors"] = tuple(values["contributing_factors"])
    return Record(
        sequence,
        near_miss_id,
        Moment(at, day, bool(date_only)),
        time_zone,
        values,
        bool(counts),
        bool(linked),
        tuple(json.loads(awaiting)) if awaiting else (),
        exempt,
        Owed(*owed),
    )


def _seen(report: Mapping[str, Any], link: Any, source: Any) -> tuple[Moment, dict[str, Any]]:
    """When it happened, and what rules may look at: codes, attributes, and a person by token only."""
    values = {name: report[name] for name in _PLAIN if name in report}
    if source is not None:
        values["source"] = source["source"]
    if factors := report.get("contributing_factors"):
        values["contributing_factors"] = tuple(factors)
    if "person_ref" in report:
        values["person_ref"] = report["person_ref"]["token"]
    stages = report if link is None else link
    values |= {name: stages[name] for name in _LINKED if name in stages}
    values |= {f"attributes.{name}": value for name, value in report.get("attributes", {}).items()}
    return parse_moment(report["occurred_at"], zone(report["zone"])), values


def _rewritten(record: Record, data: Mapping[str, Any]) -> Record:
    """A report that was said anew; what the link says, and from where it came, stays."""
    report = data["report"]
    moment, values = _seen(report, None, None)
    kept = ("source", *_LINKED) if "system_used" in record.values else ("source",)
    values |= {name: record.values[name] for name in kept if name in record.values}
    return replace(record, moment=moment, time_zone=report["zone"], values=values)


def _identified(link: Any) -> bool:
    return link is not None and link["stage_allowed"] != UNKNOWN


def _anew(record: Record, start: datetime, *what: str) -> Record:
    """What is owed again has its whole time again."""
    owed = record.owed
    if "link" in what and owed.link_every is not None:
        owed = replace(owed, link_due=to_micros(due_from(start, owed.link_every, record.time_zone)))
    if "details" in what and owed.details_every is not None:
        owed = replace(owed, details_due=to_micros(due_from(start, owed.details_every, record.time_zone)))
    return replace(record, owed=owed)


def _checked_at(data: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(data["similarity_check"]["checked_at"])


def _instant(data: Mapping[str, Any], name: str) -> int | None:
    return micros(data[name]) if name in data else None
