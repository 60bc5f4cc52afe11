"""Which reviews a new policy would not have opened that the one in force called for, over the last 180 days.

Decided under the head's lock, so only for the rules of which it is in doubt, and only from the near misses of that time
and of one window before it; where those are too many, from the latest half of it, or less: how long is said. A review
is not lost while another rule that takes the place of the one that called for it would have seen the same near misses
together, at the same time.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from app.domain.decider import Invalid
from app.domain.moment import DAY, format_instant, from_micros
from app.domain.policy import Policy
from app.domain.rule import Rule
from app.domain.sensitivity import Doubt, LessSensitive, LostEpisode, doubts
from app.operations import backtest_history
from app.operations.backtest_comparing import Episode, listed
from app.operations.backtest_counting import Counting, patience
from app.operations.backtest_history import History
from app.operations.desk import Desk

LOOKED_BACK = (180, 90, 45, 21, 10, 5, 2, 1)
"""Days: the first that can be counted while others wait."""
MOST_PLACED = 100_000
MOST_SHOWN = 20
MOST_MEMBERS = 20

Standing = Mapping[int, Sequence[tuple[int, int]]]
"""Key → when the episodes of a rule began and ended."""


def less_sensitive(desk: Desk, old: Policy, new: Policy) -> LessSensitive | None:
    """What would have been lost; None when nothing would. Raises `Invalid` when even one day is too much to count."""
    found = list(doubts(old, new))
    for days in LOOKED_BACK if found else ():
        try:
            return _lost(desk, old, new, found, days)
        except Invalid:
            if days == LOOKED_BACK[-1]:
                raise
    return None


def _lost(desk: Desk, old: Policy, new: Policy, found: Sequence[Doubt], days: int) -> LessSensitive | None:
    since = desk.micros - days * DAY
    rules = [rule for one in found for rule in (one.rule, *one.instead)]
    width = max(rule.width for rule in rules)
    history = backtest_history.read(desk.connection, desk.organisation, rules, since - width, most=MOST_PLACED)
    if not history.ids:
        return None
    lost = sorted(
        (one for doubt in found for one in _Trial(history, old, new, since, desk.micros).lost(doubt)),
        key=lambda one: (one.crossed_at, one.rule.id, one.text),
    )
    if not lost:
        return None
    shown = tuple(_told(history, one) for one in lost[-MOST_SHOWN:])
    return LessSensitive(len(lost), f"P{days}D", shown)


class _Trial:
    def __init__(self, history: History, old: Policy, new: Policy, since: int, now: int) -> None:
        self._history = history
        self._old = old
        self._new = new
        self._since = since
        self._now = now
        self._effort = patience()

    def lost(self, doubt: Doubt) -> Iterable[Episode]:
        """The episodes of a rule that none of those which take its place has."""
        placed = self._history.of(doubt.rule)
        had = Counting(placed, self._old.zone, self._effort).episodes(doubt.rule)
        called_for = list(listed(placed, doubt.rule, had, self._since, self._now + 1))
        instead = [(self._keys(rule), self._standing(rule)) for rule in doubt.instead] if called_for else []
        return [one for one in called_for if not any(_is_seen(one, keys, standing) for keys, standing in instead)]

    def _keys(self, rule: Rule) -> Mapping[int, int]:
        """Record → its key."""
        placed = self._history.of(rule)
        return dict(zip(placed.records, placed.codes, strict=True))

    def _standing(self, rule: Rule) -> Standing:
        had = Counting(self._history.of(rule), self._new.zone, self._effort).episodes(rule)
        found: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for code, crossed, until in zip(had.keys.tolist(), had.crossed.tolist(), had.until.tolist(), strict=True):
            found[code].append((crossed, until))
        return found


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
