"""What makes two near misses similar: the same key under a rule, inside one window.

A key is a tuple of values, never joined text, so that ("A, B", "C") and ("A", "B, C") stay apart. The window of any
anchor e is { x : t_e - W < t_x <= t_e }, and every report may be the anchor, not only the newest: a late one can
complete the window of another that came before it (S2, S3). Entries are named tuples, for a busy key makes thousands.
"""

import math
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from json.encoder import encode_basestring
from operator import le
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from app.domain.gravity import gravity
from app.domain.moment import DAY, Moment, holds, lower_bound, lower_day
from app.domain.rule import OWN_SOURCE, Rule, Scalar, Tests, plain_number

Part = Scalar | None
Key = tuple[Part, ...]
Value = Scalar | tuple[str, ...]
Number = int | float


@dataclass(frozen=True, slots=True)
class Facts:
    """What the rules may look at of one near miss: its plain fields by name, `attributes.NAME`, references as tokens.

    `sequence` is the place of its first event in the ledger. `placed`: where rules put it already, by their id.
    """

    near_miss_id: str
    sequence: int
    moment: Moment
    values: Mapping[str, Value]
    placed: "dict[str, tuple[Rule, Placement | None]]" = field(
        default_factory=dict[str, "tuple[Rule, Placement | None]"], compare=False, repr=False
    )


class Entry(NamedTuple):
    """One near miss as the windows of a rule see it. `distinct`: None adds nothing to a count of different values.

    `gravity` (0 to 3) counts nothing: it decides whether people are asked again when the near miss joins an episode.
    """

    near_miss_id: str
    sequence: int
    moment: Moment
    weight: Number
    distinct: str | None
    incident_type: str
    gravity: int = 0


class Placement(NamedTuple):
    """Where a rule puts a record. `key_text` is None when a part of the key is missing.

    `not_counted`: of a classification that the rule does not count; it may still attach to an open escalation.
    """

    kind: Literal["counted", "not_counted", "unkeyed"]
    key: Key
    key_text: str | None
    entry: Entry


class Window(NamedTuple):
    """The window that ends at one entry: both as places in the entries that were asked about."""

    anchor: int
    inside: Sequence[int]
    total: Number
    qualifies: bool


def place(rule: Rule, facts: Facts) -> Placement | None:
    """Where the rule puts the record, or None when its filter leaves the record out."""
    known = facts.placed.get(rule.id)
    if known is None or known[0] is not rule:
        facts.placed[rule.id] = known = (rule, _placed(rule, facts))
    return known[1]


def _placed(rule: Rule, facts: Facts) -> Placement | None:
    values = facts.values
    if not _passes(rule.tests, values) or rule.own is not (values.get("source") == OWN_SOURCE):
        return None
    if rule.alternatives and not any(_passes(tests, values) for tests in rule.alternatives):
        return None
    key = _key(rule, values)
    missing = None in key and (rule.missing_key == "exclude" or _without_service(rule, key))
    text = None if missing else key_text(key)
    entry = Entry(
        facts.near_miss_id,
        facts.sequence,
        facts.moment,
        1 if rule.weight is None else _weight(_read(rule, rule.weight, values)),
        None if rule.distinct is None else _distinct(_part(rule.distinct, _read(rule, rule.distinct, values))),
        str(values.get("incident_type", "")),
        gravity_of(facts),
    )
    if values.get("classification") not in rule.counted:
        return Placement("not_counted", key, text, entry)
    return Placement("unkeyed" if missing else "counted", key, text, entry)


def gravity_of(facts: Facts) -> int:
    """How grave a near miss is, from 0 to 3."""
    harm = facts.values.get("potential_harm")
    return gravity(str(facts.values.get("classification", "")), harm if isinstance(harm, str) else None)


def key_text(key: Key) -> str:
    """The key as a canonical JSON array: what tells one key from another in stores and on the wire."""
    return "[" + ",".join([_text(part) for part in key]) + "]"


def event_time(entry: Entry) -> tuple[int, int]:
    """The order of entries in a window: when they happened, then when they were recorded."""
    return entry.moment.at, entry.sequence


def reach(rule: Rule, moment: Moment) -> tuple[int, int]:
    """The range (low, high] of instants, in microseconds, that holds every entry which matters to judging this one."""
    return moment.at - rule.width, moment.at + rule.width


def windows(rule: Rule, entries: Sequence[Entry], zone: ZoneInfo, holding: int | None = None) -> Iterator[Window]:
    """The window of every entry as anchor, or only those that hold the entry at one place; earliest anchor first.

    The entries are in event-time order. Anchors of one and the same time share one window.
    """
    counts_only = rule.plain and not (rule.require_types or rule.require_sequence)
    for anchor, inside in _reaches(rule, entries, zone, holding):
        if counts_only:
            yield Window(anchor, inside, len(inside), rule.satisfied_by(len(inside)))
        else:
            members = [entries[place] for place in inside]
            total = tally(rule, members)
            yield Window(anchor, inside, total, qualifies(rule, members, total))


def tally(rule: Rule, members: Sequence[Entry]) -> Number:
    """What the rule counts in a window: reports, different values, or weight."""
    if rule.plain:
        return len(members)
    if rule.distinct is not None:
        return len({entry.distinct for entry in members} - {None})
    try:
        total = math.fsum(entry.weight for entry in members)
    except OverflowError:
        total = sys.float_info.max
    return int(total) if total.is_integer() and total < 2**53 else total


def qualifies(rule: Rule, members: Sequence[Entry], total: Number) -> bool:
    """Whether a window is a pattern: enough of them, of all the types that the rule asks for, in the order it asks."""
    if not rule.satisfied_by(total):
        return False
    if rule.require_types and not {entry.incident_type for entry in members}.issuperset(rule.require_types):
        return False
    types = iter([entry.incident_type for entry in members])
    return all(wanted in types for wanted in rule.require_sequence)  # `in` uses the iterator up, hence the order.


def _reaches(
    rule: Rule, entries: Sequence[Entry], zone: ZoneInfo, holding: int | None
) -> Iterator[tuple[int, Sequence[int]]]:
    """Each anchor with the places that its window holds."""
    dated = sum([entry.moment.date_only for entry in entries])
    if not dated:
        return _contiguous(rule, [entry.moment.at for entry in entries], zone, holding)
    days = [entry.moment.day for entry in entries]
    if dated == len(days) and all(map(le, days, days[1:])):
        return _by_date(rule, days, holding)
    return _mixed(rule, [entry.moment for entry in entries], zone, holding)


def _contiguous(
    rule: Rule, times: list[int], zone: ZoneInfo, holding: int | None
) -> Iterator[tuple[int, Sequence[int]]]:
    """All of them instants: a window is one stretch of the entries."""
    length = rule.length
    anchor = 0 if holding is None else bisect_left(times, times[holding])
    while anchor < len(times):
        time = times[anchor]
        low = time - length if length is not None else lower_bound(time, rule.window, rule.calendar, zone)
        end = bisect_right(times, time, anchor)
        if holding is None or low < times[holding]:
            yield anchor, range(bisect_right(times, low, 0, anchor), end)
        elif length is not None:
            return  # Every later window begins later still; months, clamped, may reach back once more.
        anchor = end


def _by_date(rule: Rule, days: list[int], holding: int | None) -> Iterator[tuple[int, Sequence[int]]]:
    """All of them dates: likewise one stretch, of whole days."""
    anchor = 0 if holding is None else bisect_left(days, days[holding])
    while anchor < len(days):
        first = lower_day(days[anchor], rule.window) // DAY + 1
        end = bisect_right(days, days[anchor], anchor)
        if holding is None or first <= days[holding]:
            yield anchor, range(bisect_left(days, first, 0, anchor), end)
        anchor = end


def _mixed(
    rule: Rule, moments: list[Moment], zone: ZoneInfo, holding: int | None
) -> Iterator[tuple[int, Sequence[int]]]:
    """Dates among instants: which of them a window holds differs from pair to pair."""
    for anchor, moment in enumerate(moments):
        if holding is not None and not holds(moment, moments[holding], rule.window, rule.calendar, zone):
            continue
        low = moment.day * DAY if moment.date_only else lower_bound(moment.at, rule.window, rule.calendar, zone)
        first_day = lower_day(moment.day, rule.window)
        yield (
            anchor,
            tuple(
                [
                    place
                    for place, x in enumerate(moments)
                    if (
                        x.day <= moment.day and first_day < x.day * DAY
                        if x.date_only or moment.date_only
                        else low < x.at <= moment.at
                    )
                ]
            ),
        )


def _passes(tests: Tests, values: Mapping[str, Value]) -> bool:
    for name, allowed in tests:
        value = values.get(name)
        if isinstance(value, tuple):
            if allowed.isdisjoint(value):
                return False
        elif value not in allowed:
            return False
    return True


def _key(rule: Rule, values: Mapping[str, Value]) -> Key:
    if rule.alias_of:
        return tuple([_part(name, _read(rule, name, values)) for name in rule.group_by])
    return tuple([_part(name, values.get(name)) for name in rule.group_by])


def _read(rule: Rule, name: str, values: Mapping[str, Value]) -> Value | None:
    alias = rule.alias_of.get(name)
    if alias is None:
        return values.get(name)
    return values.get(alias.get(str(values.get("incident_type")), name))


def _part(name: str, value: Value | None) -> Part:
    """A part of a key; what is unknown is missing, and what holds several values is no part.

    But a type is always told: where a taxonomy has one called `unknown`, somebody put it there to be counted.
    """
    if isinstance(value, str):
        return None if value == "unknown" and name != "incident_type" else value
    return None if value is None or isinstance(value, tuple) else plain_number(value)


def _without_service(rule: Rule, key: Key) -> bool:
    """Reports from nowhere in particular are not a service's pattern, not even under `missing_key: group`."""
    return "service_id" in rule.group_by and key[rule.group_by.index("service_id")] is None


def _weight(value: Value | None) -> Number:
    """A report without its weight still is one."""
    return value if isinstance(value, int | float) and value >= 0 else 1


def _distinct(part: Part) -> str | None:
    return None if part is None else _text(part)


def _text(part: Part) -> str:
    if isinstance(part, str):
        return encode_basestring(part)
    return "null" if part is None else repr(plain_number(part))
