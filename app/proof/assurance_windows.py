"""Windows and similarity once more (S3): what a rule counts, under which key, and which windows are full.

It is written from the design, not from the code that fires, and shares nothing with it but the words of a policy and
the calendar: so a mistake in one of the two shows as a difference. Where all entries of a key are instants, or all are
dates, they are counted in one pass along them; dates among instants are counted window by window.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from itertools import pairwise
from json.encoder import encode_basestring
from math import fsum
from typing import Any, NamedTuple, cast
from zoneinfo import ZoneInfo

from app.domain.moment import DAY, Moment, holds, lower_bound, lower_day
from app.domain.rule import OWN_SOURCE, Match, Rule, plain_number
from app.proof.assurance_counting import Line, Patience

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

    def holds_any(self, places: Sequence[int]) -> bool:
        """Whether one of these places, which are in order, is inside."""
        if not isinstance(self.inside, range):
            return not set(places).isdisjoint(self.inside)
        first = bisect_left(places, self.inside.start)
        return first < len(places) and places[first] < self.inside.stop


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


def full_windows(
    rule: Rule, entries: Sequence[Entry], zone: ZoneInfo, patience: Patience, holding: int | None = None
) -> list[Full]:
    """The windows that are patterns, the earliest first: of every entry, or those that hold the one at a place.

    The entries are in the order of event time, then of the ledger. W(e) = { x : t_e − W < t_x ≤ t_e }.
    """
    if not qualifies(rule, entries):
        return []  # Not even all of them together are one.
    points = points_of(entries)
    if points is None:
        return _among_dates(rule, entries, zone, patience, holding)
    return _stretches(rule, entries, points, zone, holding)


def points_of(entries: Sequence[Entry]) -> list[int] | None:
    """What windows compare these by: instants, or else dates; None when there are both, or dates out of order."""
    if not any(entry.moment.date_only for entry in entries):
        return [entry.moment.at for entry in entries]
    points = [point_of(entry.moment) for entry in entries]
    in_order = all(one <= other for one, other in pairwise(points))
    return points if in_order and all(entry.moment.date_only for entry in entries) else None


def point_of(moment: Moment) -> int:
    """An instant, or of a date the midnight on a clock without zone."""
    return moment.day * DAY if moment.date_only else moment.at


def opening(rule: Rule, anchor: Moment, zone: ZoneInfo) -> int:
    """The point that the window of an anchor begins after."""
    if anchor.date_only:
        return lower_day(anchor.day, rule.window)
    return (
        anchor.at - rule.length if rule.length is not None else lower_bound(anchor.at, rule.window, rule.calendar, zone)
    )


def inside_of(full: Sequence[Full]) -> list[int]:
    """All that the windows hold, as places in order."""
    places, done = set[int](), 0
    for inside in sorted((one.inside for one in full), key=lambda inside: inside[0]):
        if isinstance(inside, range):
            places.update(range(max(inside.start, done), inside.stop))
            done = max(done, inside.stop)
        else:
            places.update(inside)
    return sorted(places)


def _stretches(
    rule: Rule, entries: Sequence[Entry], points: list[int], zone: ZoneInfo, holding: int | None
) -> list[Full]:
    """Where all are compared alike, a window is one stretch of the entries."""
    found, line, anchor = list[Full](), Line(rule), 0
    for place, (point, entry) in enumerate(zip(points, entries, strict=True)):
        line.add(point, *entry)
        if point != points[anchor]:
            anchor = place
        if place + 1 < len(points) and points[place + 1] == point:
            continue  # They share one window.
        reach = line.reach()
        low = opening(rule, entry.moment, zone)
        if reach is not None and reach > low and (holding is None or low < points[holding] <= point):
            found.append(Full(anchor, range(bisect_right(points, low), place + 1)))
    return found


def _among_dates(
    rule: Rule, entries: Sequence[Entry], zone: ZoneInfo, patience: Patience, holding: int | None
) -> list[Full]:
    """Dates among instants: an instant is compared with the other instants as such, and all else by its date."""
    moments = [entry.moment for entry in entries]
    by_day = sorted(range(len(moments)), key=lambda place: (moments[place].day, place))
    days = [moments[place].day for place in by_day]
    dated = [place for place in by_day if moments[place].date_only]
    dates = [moments[place].day for place in dated]
    instants = [place for place, one in enumerate(moments) if not one.date_only]
    times = [moments[place].at for place in instants]
    found = list[Full]()
    for anchor, moment in enumerate(moments):
        if holding is not None and not holds(moment, moments[holding], rule.window, rule.calendar, zone):
            continue
        first = lower_day(moment.day, rule.window) // DAY + 1
        if moment.date_only:
            inside = by_day[bisect_left(days, first) : bisect_right(days, moment.day)]
        else:
            inside = dated[bisect_left(dates, first) : bisect_right(dates, moment.day)]
            inside += instants[bisect_right(times, opening(rule, moment, zone)) : bisect_right(times, moment.at)]
        if rule.weight is None and not _reaches(rule, len(inside)):
            continue
        patience.spend(len(inside))
        inside.sort()
        if qualifies(rule, [entries[place] for place in inside]):
            found.append(Full(anchor, inside))
    return found


def qualifies(rule: Rule, members: Sequence[Entry]) -> bool:
    """Whether a window of these is a pattern, counted one by one."""
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
