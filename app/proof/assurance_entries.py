"""What counts for which key of the rules in force: the entries of every window that may still become full.

Only active rules have entries. What an ended episode consumed is no entry of its rule any more, whatever is corrected
about it, until the episode is reopened. A version that places records otherwise places them all anew.

Reports mostly come in the order in which they happened. So the line along which a key was counted last is kept, and
the next report is only added to it; it is forgotten as soon as the key changes in any other way.
"""

from collections.abc import Iterable, Mapping, Sequence

from app.domain.moment import Moment
from app.domain.policy import Policy
from app.domain.rule import Rule
from app.proof.assurance_counting import Line, Patience
from app.proof.assurance_records import Change, Record, Records
from app.proof.assurance_scratch import Row, Scratch
from app.proof.assurance_windows import Entry, Placed, placed, point_of, points_of


class Entries:
    """The entries under the policy in force."""

    def __init__(self, scratch: Scratch, records: Records, policy: Policy) -> None:
        self._scratch = scratch
        self._records = records
        self.patience = Patience()
        self._lines: dict[tuple[str, str], Line] = {}
        self._judging = _by_id(policy)
        self.active = _active(policy)

    def move(self, change: Change) -> list[tuple[Rule, Placed]]:
        """Take in what became of a record; where it is to be judged now, and is an entry from now on."""
        before, after = change
        stood = self._places(before) if before is not None and before.counts else {}
        consumed = self._consumed(change)
        comes = self._places(after) if after.counts else {}
        judged = [(self.active[rule_id], where) for rule_id, where in comes.items() if rule_id not in consumed]
        stays = {rule.id for rule, where in judged if stood.get(rule.id) == where}
        for rule_id, where in stood.items():
            if rule_id not in stays:
                self._leave(rule_id, where)
        self._scratch.do_each(_ENTER, [_row(rule, where) for rule, where in judged if rule.id not in stays])
        return judged

    def of(self, rule: Rule, key: str, low: int, high: int) -> list[Entry]:
        """What counts for a key and happened in (low, high], in the order of event time."""
        rows = self._scratch.all(_OF_KEY, rule.id, key, low, high)
        self.patience.spend(len(rows))
        return [_entry(row) for row in rows]

    def last(self, rule: Rule, key: str, at: int, most: int) -> list[Entry]:
        """The last of what counts for a key and happened by an instant, in the order of event time."""
        rows = self._scratch.all(_LAST_OF_KEY, rule.id, key, at, most)
        self.patience.spend(len(rows))
        return [_entry(row) for row in reversed(rows)]

    def find(self, rule: Rule, key: str, at: int, sequence: int) -> Entry | None:
        """The entry of a record, while it counts for the key and happened at an instant."""
        row = self._scratch.one(_THIS, rule.id, key, at, sequence)
        return None if row is None else _entry(row)

    def line(self, rule: Rule, where: Placed) -> Line | None:
        """The line of a key that ends at an entry which came in just now; None where it is not the newest, or where
        dates are among instants.
        """
        entry, named = where.entry, (rule.id, where.key)
        line = self._lines.pop(named, None)
        if line is not None and line.takes(point_of(entry.moment), entry.sequence, entry.moment):
            line.add(point_of(entry.moment), *entry)
        else:
            line = self._line_anew(rule, where)
        if line is not None:
            if len(self._lines) >= _MOST_LINES:
                self._lines.clear()
            self._lines[named] = line
        return line

    def forget(self, rule_id: str, key: str) -> None:
        """What counts for the key has changed, or was not counted."""
        self._lines.pop((rule_id, key), None)

    def _line_anew(self, rule: Rule, where: Placed) -> Line | None:
        at, sequence = where.entry.moment.at, where.entry.sequence
        if self._scratch.one(_NEWER, rule.id, where.key, at, sequence) is not None:
            return None
        entries = self.of(rule, where.key, at - rule.width, at)
        points = points_of(entries)
        if points is None:
            return None
        line = Line(rule)
        for point, entry in zip(points, entries, strict=True):
            line.add(point, *entry)
        return line

    def _leave(self, rule_id: str, where: Placed) -> None:
        self.forget(rule_id, where.key)
        self._scratch.do(_LEAVE, (rule_id, where.key, where.entry.moment.at, where.entry.sequence))

    def keys(self, rule: Rule, low: int, high: int) -> Iterable[tuple[str, list[Entry]]]:
        """Every key of a rule that has entries in (low, high], with those."""
        key, found = None, list[Entry]()
        for its_key, *row in self._scratch.each(_OF_RULE, rule.id, low, high):
            if its_key != key:
                if key is not None:
                    yield key, found
                key, found = its_key, []
            self.patience.spend(1)
            found.append(_entry(row))
        if key is not None:
            yield key, found

    def consume(self, rule_id: str, escalation_id: str, near_miss_ids: Sequence[str]) -> None:
        """An episode has ended with these members."""
        self._scratch.do_each(
            "INSERT OR IGNORE INTO ended VALUES (?, ?, ?)", [(one, escalation_id, rule_id) for one in near_miss_ids]
        )
        self._scratch.do_each(_CONSUME, [(rule_id, one) for one in near_miss_ids])
        if (rule := self.active.get(rule_id)) is not None:
            for record in map(self._records.of, near_miss_ids):
                if record is not None and (where := _place(rule, record)) is not None:
                    self._leave(rule.id, where)

    def give_back(self, rule_id: str, escalation_id: str, key: str, near_miss_ids: Iterable[str]) -> None:
        """An episode is open again, with its members as far as they are still of its key."""
        self._scratch.do("DELETE FROM ended WHERE escalation = ?", (escalation_id,))
        self.forget(rule_id, key)
        rule = self._judging.get(rule_id)
        for record in map(self._records.of, near_miss_ids) if rule is not None else ():
            where = _place(rule, record) if rule is not None and record is not None and record.counts else None
            if rule is not None and record is not None and where is not None and where.key == key:
                self._scratch.do("DELETE FROM consumed WHERE id = ? AND rule = ?", (record.id, rule_id))
                if rule_id in self.active:
                    self._scratch.do(_ENTER, _row(rule, where))

    def adopt(self, policy: Policy) -> None:
        """Another version is in force."""
        self._lines.clear()
        former, judging, were_active = self._judging, _by_id(policy), self.active
        anew = [one for one in judging.values() if one.id not in former or one.placement != former[one.id].placement]
        for rule in anew:
            self._scratch.do("DELETE FROM consumed WHERE rule = ?", (rule.id,))
            self._scratch.do("INSERT OR IGNORE INTO consumed SELECT rule, id FROM ended WHERE rule = ?", (rule.id,))
        self._judging, self.active = judging, _active(policy)
        moved = {rule.id for rule in anew}
        placing = [one for one in self.active.values() if one.id in moved or one.id not in were_active]
        for rule_id in {*were_active, *moved}:
            if rule_id not in self.active or rule_id in moved:
                self._scratch.do("DELETE FROM entries WHERE rule = ?", (rule_id,))
        for rule in placing:
            self._scratch.do_each(_ENTER, self._placed_anew(rule))

    def _placed_anew(self, rule: Rule) -> Iterable[Row]:
        for record in self._records.counted():
            where = _place(rule, record)
            if where is not None and self._scratch.one(f"{_CONSUMED} AND rule = ?", record.id, rule.id) is None:
                yield _row(rule, where)

    def _consumed(self, change: Change) -> set[str]:
        """The rules whose ended episodes have the record, once it has changed."""
        before, after = change
        if before is None:
            return set()
        if not before.counts and after.counts:  # Counted again: what has ended keeps it.
            self._scratch.do("DELETE FROM consumed WHERE id = ?", (after.id,))
            self._scratch.do("INSERT OR IGNORE INTO consumed SELECT rule, id FROM ended WHERE id = ?", (after.id,))
            return {row[0] for row in self._scratch.all(_CONSUMED, after.id)}
        consumed = {row[0] for row in self._scratch.all(_CONSUMED, after.id)}
        for rule_id in consumed & self._judging.keys() if before.counts else ():
            if _place(self._judging[rule_id], before) is None:  # Not the record that was consumed any more.
                self._scratch.do("DELETE FROM consumed WHERE id = ? AND rule = ?", (before.id, rule_id))
                consumed = consumed - {rule_id}
        return consumed

    def _places(self, record: Record) -> dict[str, Placed]:
        """Where the active rules count a record."""
        found = ((rule.id, _place(rule, record)) for rule in self.active.values())
        return {rule_id: where for rule_id, where in found if where is not None}


_MOST_LINES = 4096
_CONSUMED = "SELECT rule FROM consumed WHERE id = ?"
_CONSUME = "INSERT OR IGNORE INTO consumed VALUES (?, ?)"
_ENTER = "INSERT OR IGNORE INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_LEAVE = "DELETE FROM entries WHERE rule = ? AND key = ? AND at = ? AND sequence = ?"
_OF_KEY = """
SELECT sequence, at, day, date_only, weight, distinct_value, incident_type FROM entries
WHERE rule = ? AND key = ? AND at > ? AND at <= ? ORDER BY at, sequence
"""
_LAST_OF_KEY = """
SELECT sequence, at, day, date_only, weight, distinct_value, incident_type FROM entries
WHERE rule = ? AND key = ? AND at <= ? ORDER BY at DESC, sequence DESC LIMIT ?
"""
_THIS = """
SELECT sequence, at, day, date_only, weight, distinct_value, incident_type FROM entries
WHERE rule = ? AND key = ? AND at = ? AND sequence = ?
"""
_NEWER = "SELECT 1 FROM entries WHERE rule = ? AND key = ? AND (at, sequence) > (?, ?) LIMIT 1"
_OF_RULE = """
SELECT key, sequence, at, day, date_only, weight, distinct_value, incident_type FROM entries
WHERE rule = ? AND at > ? AND at <= ? ORDER BY key, at, sequence
"""


def _by_id(policy: Policy) -> Mapping[str, Rule]:
    return {rule.id: rule for rule in policy.judging if rule.mode != "off"}


def _active(policy: Policy) -> Mapping[str, Rule]:
    return {rule.id: rule for rule in policy.judging if rule.mode == "active"}


def _place(rule: Rule, record: Record) -> Placed | None:
    return placed(rule, record.sequence, record.moment, record.values)


def _row(rule: Rule, where: Placed) -> Row:
    entry = where.entry
    return (
        rule.id,
        where.key,
        entry.moment.at,
        entry.sequence,
        entry.moment.day,
        entry.moment.date_only,
        entry.weight,
        entry.distinct,
        entry.incident_type,
    )


def _entry(row: Sequence[object]) -> Entry:
    sequence, at, day, date_only, weight, distinct, incident_type = row
    return Entry(sequence, Moment(at, day, bool(date_only)), weight, distinct, incident_type)  # pyright: ignore[reportArgumentType]
