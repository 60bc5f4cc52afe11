"""Which reviews a new policy would not have opened that the one in force called for, over the last 180 days.

Counted before the command and beside the head's lock: the command only looks whether the policy is still in force that
this one was tried against. What happens meanwhile is counted by whichever policy is in force then. A review is not lost
while another rule that takes the place of the one that called for it would have seen the same near misses together, at
the same time. Of a ledger with more than can be looked at the latest part is; that nothing was lost in a part of the
time is no proof, so that a policy in doubt is taken for less sensitive, and says how much was looked at.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
from sqlalchemy import Connection

from app.domain import adoption
from app.domain.decider import Invalid
from app.domain.moment import DAY, EARLIEST, format_instant, from_micros, to_micros, upper_bound
from app.domain.policy import Policy
from app.domain.rule import Rule
from app.domain.sensitivity import NOTHING, WHOLE, Doubt, LessSensitive, LostEpisode, doubts
from app.domain.trailing import Patience
from app.operations import backtest_history
from app.operations.backtest_comparing import Episode, listed
from app.operations.backtest_counting import Counting, Had
from app.operations.backtest_history import History
from app.operations.show import Reader

LOOKED_BACK = (180, 90, 45, 21, 10, 5, 2, 1)
"""Days: the first of which everything can be looked at."""
MOST_READ = 50_000
"""Near misses, however many rules place them: rules that were added do not shorten the time."""
MOST_COUNTED = 2_000_000
"""Reports looked at one by one."""
MOST_SHOWN = 20
MOST_MEMBERS = 20

Standing = Mapping[int, Sequence[tuple[int, int]]]
"""Key → when the episodes of a rule began and ended."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What a policy would have lost of the version that was in force when it was tried; None when nothing."""

    version: int
    found: LessSensitive | None


def tried(reader: Reader, command: adoption.Adopt, now: datetime) -> Tried:
    """Try a policy that is about to be adopted. Raises `Invalid` for what is no policy, and for nothing else."""
    in_force = reader.settled().policy
    decided = adoption.decide(command, in_force)
    if not decided:
        return Tried(in_force.version, None)
    becomes = adoption.evolve(in_force, decided[0])
    found = less_sensitive(reader.connection, reader.organisation, in_force, becomes, to_micros(now))
    return Tried(in_force.version, found)


def less_sensitive(
    connection: Connection, organisation: str, old: Policy, new: Policy, now: int
) -> LessSensitive | None:
    """What would have been lost; None when that is nothing, and everything was looked at."""
    found = list(doubts(old, new))
    if not found:
        return None
    rules = [rule for one in found for rule in (one.rule, *one.instead)]
    width = max(rule.width + (rule.cooldown.longest if rule.cooldown is not None else 0) for rule in rules)
    for days in LOOKED_BACK:
        since = now - days * DAY
        first = max(EARLIEST, since - width)
        if backtest_history.count(connection, organisation, first) > MOST_READ:
            continue
        history = backtest_history.read(connection, organisation, rules, first, most=MOST_READ * len(rules))
        try:
            lost = _Trial(history, old, new, since, now).lost(found)
        except Invalid:
            continue
        if not lost and f"P{days}D" == WHOLE:
            return None
        shown = tuple(_told(history, one) for one in lost[-MOST_SHOWN:])
        return LessSensitive(len(lost), f"P{days}D", shown)
    return LessSensitive(0, NOTHING)


class _Trial:
    def __init__(self, history: History, old: Policy, new: Policy, since: int, now: int) -> None:
        self._history = history
        self._old = old
        self._new = new
        self._since = since
        self._now = now
        self._effort = Patience(MOST_COUNTED)

    def lost(self, found: Iterable[Doubt]) -> list[Episode]:
        """Those of every rule in doubt, the oldest first. Raises `Invalid` for what takes too long to count."""
        every = (one for doubt in found for one in self._lost_of(doubt))
        return sorted(every, key=lambda one: (one.crossed_at, one.rule.id, one.text))

    def _lost_of(self, doubt: Doubt) -> Iterable[Episode]:
        """The episodes of a rule that none of those which take its place has."""
        had = self._reviewed(doubt.rule, self._old.zone)
        called_for = list(listed(self._history.of(doubt.rule), doubt.rule, had, self._since, self._now + 1))
        instead = [(self._keys(rule), self._standing(rule)) for rule in doubt.instead] if called_for else []
        return [one for one in called_for if not any(_is_seen(one, keys, standing) for keys, standing in instead)]

    def _reviewed(self, rule: Rule, zone: ZoneInfo) -> Had:
        had = Counting(self._history.of(rule), zone, self._effort).episodes(rule)
        return _cooled(rule, had, zone) if rule.cooldown is not None else had

    def _keys(self, rule: Rule) -> Mapping[int, int]:
        """Record → its key."""
        placed = self._history.of(rule)
        return dict(zip(placed.records, placed.codes, strict=True))

    def _standing(self, rule: Rule) -> Standing:
        had = self._reviewed(rule, self._new.zone)
        found: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for code, crossed, until in zip(had.keys.tolist(), had.crossed.tolist(), had.until.tolist(), strict=True):
            found[code].append((crossed, until))
        return found


def _cooled(rule: Rule, had: Had, zone: ZoneInfo) -> Had:
    """What is left to be asked about when each review is closed as its episode ends, and its key cools down then.

    What begins before that is over comes at its end; what ends before it never comes.
    """
    assert rule.cooldown is not None
    left, crossed = list[int](), had.crossed.copy()
    key, cool = None, 0
    for n in np.lexsort((had.crossed, had.keys)).tolist():
        code, began, until = int(had.keys[n]), int(had.crossed[n]), int(had.until[n])
        if code == key and began < cool:
            if until <= cool:
                continue
            crossed[n] = cool
        left.append(n)
        key, cool = code, upper_bound(until, rule.cooldown, rule.calendar, zone)

    def members(n: int) -> Sequence[int]:
        return had.members(left[n])

    return Had(had.keys[left], crossed[left], had.until[left], members)


def _is_seen(one: Episode, keys: Mapping[int, int], standing: Standing) -> bool:
    """Whether another rule has its near misses under one key, in an episode that overlaps it."""
    codes = {keys.get(member) for member in one.members}
    if len(codes) != 1 or (code := codes.pop()) is None:
        return False
    return any(crossed < one.until and one.crossed_at < until for crossed, until in standing.get(code, ()))


def _told(history: History, one: Episode) -> LostEpisode:
    return LostEpisode(
        one.rule.id,
        tuple(zip(one.rule.group_by, one.key, strict=True)),
        format_instant(from_micros(one.crossed_at)),
        tuple(history.ids[member] for member in one.members[:MOST_MEMBERS]),
    )
