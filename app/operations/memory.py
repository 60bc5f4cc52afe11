"""What the rules remember, read from the windows and escalations: ahead for a whole batch, or as it is asked.

Whoever changes the rows behind it says so (`entered`, `raised`, `grew`), or has it `forget`.
"""

import json
from bisect import insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType

from sqlalchemy import and_, func, select

from app.database.prefetch import Ask, EntryRow, EpisodeRow, Range
from app.database.tables import FOR_EVER, escalation_members, escalations, events, window_entries
from app.domain import escalation
from app.domain.escalation import Standing
from app.domain.judgement import Closed, Episode
from app.domain.moment import Moment
from app.domain.rule import Rule
from app.domain.similarity import Entry, Key, Placement, event_time, key_text
from app.projections.rows import Rows

Where = tuple[str, str]
"""A rule's id and a key's text."""


@dataclass(slots=True)
class Known:
    """What is known of one key: its entries in (low, high], and its latest episode."""

    low: int
    high: int
    entries: list[Entry]
    members: dict[str, Standing]
    episode: EpisodeRow | None


class Memory:
    """Implements `patterns.Memory` for one organisation, inside its transaction."""

    def __init__(self, organisation: str, rows: Rows, dialect: ModuleType) -> None:
        self._organisation = organisation
        self._rows = rows
        self._dialect = dialect
        self._known: dict[Where, Known] = {}
        self._episodes: dict[str, Known] = {}
        self._versions: dict[str, int] = {}
        self._historical: dict[Where, list[str]] = {}

    def forget(self) -> None:
        """Ask the database again from now on."""
        self._known.clear()
        self._episodes.clear()
        self._versions.clear()
        self._historical.clear()

    def learn(self, ranges: Iterable[Range], entries: Iterable[EntryRow], episodes: Iterable[EpisodeRow]) -> None:
        """Take in what was read ahead; ranges of other organisations are passed over."""
        for asked in ranges:
            if asked.organisation == self._organisation:
                self._known[asked.rule_id, asked.key_text] = Known(asked.low, asked.high, [], {}, None)
        for row in entries:
            if row.organisation == self._organisation:
                known = self._known[row.rule_id, row.key_text]
                known.entries.append(_entry(row))
                if row.kind is not None:
                    known.members[row.near_miss_id] = _standing(row.kind)
        for row in episodes:
            if row.organisation == self._organisation:
                known = self._known[row.rule_id, row.key_text]
                known.episode = row
                self._episodes[row.escalation_id] = known
                self._versions[row.escalation_id] = row.version
        for known in self._known.values():
            known.entries.sort(key=event_time)

    # What the rules ask

    def entries(self, rule: Rule, key: Key, low: int, high: int) -> Sequence[Entry]:
        """What counts for the key, is not consumed and happened in (low, high], in event-time order."""
        known = self._of(rule, key, low, high)
        if known.low == low and known.high == high:
            return known.entries
        return [entry for entry in known.entries if low < entry.moment.at <= high]

    def episode(self, rule: Rule, key: Key) -> Episode | None:
        """The open one; its members are those among the entries that are known, and those told since."""
        known = self._of(rule, key)
        row = known.episode
        if row is None or not row.is_open:
            return None
        return Episode(row.escalation_id, known.members, bool(row.supported))

    def closed(self, rule: Rule, key: Key) -> Closed | None:
        """The latest closure."""
        row = self._of(rule, key).episode
        if row is None or row.closed_at is None or row.closed_sequence is None:
            return None
        return Closed(row.escalation_id, row.closed_at, row.closed_sequence)

    def historical(self, rule: Rule, key: Key) -> Sequence[Episode]:
        """The crossings that were found in imported history, oldest first."""
        where = (rule.id, key_text(key))
        if where not in self._historical:
            self._historical[where] = self._learn_historical(where)
        return [Episode(one, self._episodes[one].members) for one in self._historical[where]]

    def keys(self, rule: Rule, low: int, high: int) -> Iterable[tuple[Key, Sequence[Entry]]]:
        """Every key of a rule that has entries in (low, high], with those entries."""
        entry = window_entries.c
        chosen = select(
            entry.organisation,
            entry.rule_id,
            entry.key_text,
            entry.at,
            entry.near_miss_id,
            entry.sequence,
            entry.day,
            entry.date_only,
            entry.weight,
            entry.distinct_value,
            entry.incident_type,
            entry.gravity,
        ).where(
            entry.organisation == self._organisation,
            entry.rule_id == rule.id,
            entry.valid_to == FOR_EVER,
            entry.at > low,
            entry.at <= high,
        )
        found: dict[str, list[Entry]] = {}
        for row in self._rows.execute(chosen.order_by(entry.key_text, entry.at, entry.sequence)):
            found.setdefault(row.key_text, []).append(_entry(EntryRow._make((*row, None))))
        for text, entries in found.items():
            yield key_of(text), entries

    def version(self, escalation_id: str) -> int:
        """The version of the stream of an episode that the rules were told of."""
        return self._versions[escalation_id]

    def gravities(self, rule_id: str, text: str) -> Mapping[str, int]:
        """How grave each near miss is that was asked about for a key."""
        known = self._known.get((rule_id, text))
        return {} if known is None else {entry.near_miss_id: entry.gravity for entry in known.entries}

    # What changes

    def entered(self, rule_id: str, placement: Placement) -> None:
        """A record was counted for a key."""
        known = self._known.get((rule_id, placement.key_text or ""))
        if known is not None and placement.kind == "counted":
            insort(known.entries, placement.entry, key=event_time)

    def raised(self, rule_id: str, text: str, escalation_id: str, members: Iterable[str], version: int) -> None:
        """An escalation was opened for a key, with so many events."""
        known = self._known.setdefault((rule_id, text), Known(0, 0, [], {}, None))
        known.episode = EpisodeRow(self._organisation, rule_id, text, escalation_id, True, True, None, None, version)
        known.members = dict.fromkeys(members, "member")
        self._episodes[escalation_id] = known
        self._versions[escalation_id] = version

    def raised_historical(self, rule_id: str, text: str, escalation_id: str, members: Iterable[str]) -> None:
        """A crossing was found in imported history, with one event."""
        self._episodes[escalation_id] = Known(0, 0, [], dict.fromkeys(members, "member"), None)
        self._versions[escalation_id] = 1
        if (known := self._historical.get((rule_id, text))) is not None:
            known.append(escalation_id)

    def grew(self, escalation_id: str, events: Sequence[escalation.Event]) -> None:
        """Events were appended to an escalation."""
        known = self._episodes[escalation_id]
        self._versions[escalation_id] += len(events)
        for event in events:
            match event:
                case escalation.MemberAdded(near_miss_id, kind):
                    known.members[near_miss_id] = kind
                case escalation.MemberDemoted(near_miss_id):
                    known.members[near_miss_id] = "related"
                case escalation.MemberWithdrawn(near_miss_id):
                    known.members[near_miss_id] = "withdrawn"
                case escalation.SupportLost() | escalation.SupportRegained() if known.episode is not None:
                    regained = isinstance(event, escalation.SupportRegained)
                    known.episode = known.episode._replace(supported=regained)
                case _:
                    pass

    def _of(self, rule: Rule, key: Key, low: int = 0, high: int = 0) -> Known:
        text = key_text(key)
        known = self._known.get((rule.id, text))
        if known is not None and (low == high or (known.low <= low and high <= known.high)):
            return known
        asked = Range(self._organisation, rule.id, text, low, high)
        self._rows.flush()
        told = self._dialect.prefetch(self._rows.connection, Ask(ranges=[asked]))
        self.learn([asked], told.entries, told.episodes)
        known = self._known[rule.id, text]
        if known.episode is not None and known.episode.is_open:
            known.members = self._all_members(known.episode.escalation_id)
        return known

    def _learn_historical(self, where: Where) -> list[str]:
        raised, member = escalations.c, escalation_members.c
        of_key = (
            raised.organisation == self._organisation,
            raised.rule_id == where[0],
            raised.key_text == where[1],
            raised.status == "historical",
        )
        chosen = (
            select(raised.escalation_id, member.near_miss_id, member.kind)
            .join(
                escalation_members,
                and_(member.organisation == raised.organisation, member.escalation_id == raised.escalation_id),
            )
            .where(*of_key, member.valid_to == FOR_EVER)
            .order_by(raised.sequence)
        )
        found: dict[str, dict[str, Standing]] = {}
        for row in self._rows.execute(chosen):
            found.setdefault(row.escalation_id, {})[row.near_miss_id] = _standing(row.kind)
        for escalation_id, members in found.items():
            self._episodes[escalation_id] = Known(0, 0, [], members, None)
            version = select(func.max(events.c.version)).where(
                events.c.organisation == self._organisation, events.c.stream == f"escalation/{escalation_id}"
            )
            self._versions[escalation_id] = self._rows.execute(version).scalar_one()
        return list(found)

    def _all_members(self, escalation_id: str) -> dict[str, Standing]:
        member = escalation_members.c
        chosen = select(member.near_miss_id, member.kind).where(
            member.organisation == self._organisation,
            member.escalation_id == escalation_id,
            member.valid_to == FOR_EVER,
        )
        return {row.near_miss_id: _standing(row.kind) for row in self._rows.execute(chosen)}


def key_of(text: str) -> Key:
    """The key whose text this is."""
    return tuple(json.loads(text))


def _entry(row: EntryRow) -> Entry:
    weight = int(row.weight) if row.weight.is_integer() else row.weight
    moment = Moment(row.at, row.day, bool(row.date_only))
    return Entry(row.near_miss_id, row.sequence, moment, weight, row.distinct_value, row.incident_type, row.gravity)


def _standing(kind: str) -> Standing:
    match kind:
        case "member" | "related":
            return kind
        case _:
            return "withdrawn"
