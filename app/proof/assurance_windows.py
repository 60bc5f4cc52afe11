"""Windows and similarity once more (S3): what a rule counts, under which key, and which windows are full.

It is written from the design, not from the code that fires, and shares nothing with it but the words of a policy and
the calendar: so a mistake in one of the two shows as a difference. It is plain rather than fast; only where every
entry is an instant and the window of one length does it count by bisection.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from json.encoder import encode_basestring
from math import fsum
from typing import Any, NamedTuple, cast
from zoneinfo import ZoneInfo

from app.domain.moment import Moment, holds
from app.domain.rule import OWN_SOURCE, Match, Rule, plain_number

UNKNOWN = "unknown"


class Entry(NamedTuple):
    """One near miss as the windows of a rule see it; `sequence` is the place of its record in the ledger."""

    sequence: int
    moment: Moment
    weight: float
    distinct: str | None
    incident_type: str


class Placed(NamedTuple):
    """Where a rule counts a near miss: the key as canonical JSON, its parts by name, and the entry."""

    key: str
    named: dict[str, Any]
    entry: Entry


class Full(NamedTuple):
    """A window that is a pattern, as places in the entries: the one that it ends at, and all that it holds."""

    anchor: int
    inside: Sequence[int]


def placed(rule: Rule, sequence: int, moment: Moment, values: Mapping[str, Any]) -> Placed | None:
    """Where the rule counts a near miss of these values; None when it does not."""
    if rule.own != (values.get("source") == OWN_SOURCE):
        return None
    if values.get("classification") not in rule.count_classifications or not _matches(rule.match, values):
        return None
    if rule.match_any and not any(_matches(match, values) for match in rule.match_any):
        return None
    named = {name: _part(name, _field(rule, name, values)) for name in rule.group_by}
    if None in named.values() and (rule.missing_key == "exclude" or named.get("service_id", "") is None):
        return None
    weight = _field(rule, rule.weight, values) if rule.weight is not None else 1
    entry = Entry(
        sequence,
        moment,
        weight if isinstance(weight, int | float) and weight >= 0 else 1,
        _text(_part(rule.distinct, _field(rule, rule.distinct, values))) if rule.distinct is not None else None,
        str(values.get("incident_type", "")),
    )
    return Placed("[" + ",".join([_text(part) or "null" for part in named.values()]) + "]", named, entry)


def full_windows(rule: Rule, entries: Sequence[Entry], zone: ZoneInfo, holding: int | None = None) -> list[Full]:
    """The windows that are patterns, the earliest first: of every entry, or those that hold the one at a place.

    The entries are in the order of event time, then of the ledger. W(e) = { x : t_e − W < t_x ≤ t_e }.
    """
    if rule.weight is None and not _reaches(rule, len(entries)):
        return []
    if rule.length is not None and not any(entry.moment.date_only for entry in entries):
        found = _stretches(rule, [entry.moment.at for entry in entries], rule.length, holding)
    else:
        found = _pairs(rule, [entry.moment for entry in entries], zone, holding)
    return [one for one in found if _qualifies(rule, [entries[place] for place in one.inside])]


def _stretches(rule: Rule, times: list[int], length: int, holding: int | None) -> list[Full]:
    found: list[Full] = []
    for anchor, time in enumerate(times):
        if holding is not None and not time - length < times[holding] <= time:
            continue
        inside = range(bisect_right(times, time - length), bisect_right(times, time))
        if rule.weight is not None or _reaches(rule, len(inside)):
            found.append(Full(anchor, inside))
    return found


def _pairs(rule: Rule, moments: list[Moment], zone: ZoneInfo, holding: int | None) -> list[Full]:
    def held(anchor: Moment, one: Moment) -> bool:
        return holds(anchor, one, rule.window, rule.calendar, zone)

    return [
        Full(place, [other for other, one in enumerate(moments) if held(anchor, one)])
        for place, anchor in enumerate(moments)
        if holding is None or held(anchor, moments[holding])
    ]


def _qualifies(rule: Rule, members: Sequence[Entry]) -> bool:
    if rule.distinct is not None:
        count: float = len({entry.distinct for entry in members if entry.distinct is not None})
    elif rule.weight is not None:
        count = _sum(entry.weight for entry in members)
    else:
        count = len(members)
    if not _reaches(rule, count) or not {entry.incident_type for entry in members}.issuperset(rule.require_types):
        return False
    place = 0
    for entry in members:
        if place < len(rule.require_sequence) and entry.incident_type == rule.require_sequence[place]:
            place += 1
    return place == len(rule.require_sequence)


def _reaches(rule: Rule, count: float) -> bool:
    return count > rule.threshold if rule.op == "gt" else count >= rule.threshold


def _sum(weights: Any) -> float:
    try:
        return fsum(weights)
    except OverflowError:
        return float("inf")


def _matches(match: Match, values: Mapping[str, Any]) -> bool:
    for name, wanted in match:
        allowed = _several(wanted)
        if not any(one in allowed for one in _several(values.get(name))):
            return False
    return True


def _several(value: Any) -> tuple[Any, ...]:
    return cast("tuple[Any, ...]", value) if isinstance(value, tuple) else (value,)


def _field(rule: Rule, name: str, values: Mapping[str, Any]) -> Any:
    """The value of a field, or of the one that stands for it in this incident type."""
    for alias, targets in rule.aliases:
        if alias == name:
            return values.get(dict(targets).get(str(values.get("incident_type")), name))
    return values.get(name)


def _part(name: str, value: Any) -> Any:
    """A part of a key: what is unknown is missing, and what holds several values is no part."""
    if isinstance(value, str):
        return None if value == UNKNOWN and name != "incident_type" else value
    return plain_number(value) if isinstance(value, int | float) else None


def _text(part: Any) -> str | None:
    if isinstance(part, str):
        return encode_basestring(part)
    return None if part is None else repr(part)
