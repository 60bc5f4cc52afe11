"""Why, or why not yet: how a key stands at this instant under a rule, and when its count next falls."""

from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from app.domain.moment import DAY, Moment, holds, moment_of, upper_bound
from app.domain.rule import Rule
from app.domain.similarity import Entry, Number, tally

_LEEWAY = 5 * DAY
"""A window of months, its day clamped, may hold a report up to three days longer than it is long; a date, one more."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """The trailing window (now - W, now]. `distance`: what is missing to the threshold; `next_expiry`: microseconds.

    `next_expiry` is when the count falls if nothing more is reported; None when nothing counts.
    """

    count: Number
    near_miss_ids: tuple[str, ...]
    distance: Number
    next_expiry: int | None


def explain(rule: Rule, entries: Sequence[Entry], now: int, zone: ZoneInfo) -> Explanation:
    """How the key of these entries (in event-time order) stands at `now`, in microseconds since 1970."""
    here = moment_of(now, zone)
    inside = [entry for entry in entries if _holds(rule, here, entry, zone)]
    count = tally(rule, inside)
    enough = rule.threshold if rule.op == "gte" else rule.threshold + 1
    return Explanation(
        count,
        tuple(entry.near_miss_id for entry in inside),
        max(0, enough - count),
        _next_fall(rule, inside, count, now, zone),
    )


def _next_fall(rule: Rule, inside: Sequence[Entry], count: Number, now: int, zone: ZoneInfo) -> int | None:
    """One of two reports of the same person leaves the number of different people as it was."""
    leaving = [(_leaves_at(rule, entry, now, zone), entry) for entry in inside]
    for at in sorted({at for at, _ in leaving}):
        if tally(rule, [entry for leaves_at, entry in leaving if leaves_at > at]) < count:
            return at
    return None


def _leaves_at(rule: Rule, entry: Entry, now: int, zone: ZoneInfo) -> int:
    """The first instant whose trailing window no longer holds the entry, found by halving."""
    held = now
    gone = max(now, upper_bound(entry.moment.at, rule.window, rule.calendar, zone))
    if _holds(rule, moment_of(gone, zone), entry, zone):
        held, gone = gone, gone + _LEEWAY
    while gone - held > 1:
        between = (held + gone) // 2
        if _holds(rule, moment_of(between, zone), entry, zone):
            held = between
        else:
            gone = between
    return gone


def _holds(rule: Rule, anchor: Moment, entry: Entry, zone: ZoneInfo) -> bool:
    return holds(anchor, entry.moment, rule.window, rule.calendar, zone)
