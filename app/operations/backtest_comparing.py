"""What two policies would have seen differently: reviews gained and lost, and those that come earlier or later.

Two episodes are the same when they are of the same rule and key and overlap in time. What a longer window joins into
one is therefore not lost, and what a shorter one cuts in two is gained by nobody.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from app.domain.rule import Rule
from app.domain.similarity import Key
from app.operations.backtest_counting import Had
from app.operations.backtest_history import Placed


class Episode(NamedTuple):
    """One episode of a rule; `members` are numbers of records in the history."""

    rule: Rule
    key: Key
    text: str
    crossed_at: int
    until: int
    members: tuple[int, ...]


class Pair(NamedTuple):
    """The same episode under the one policy and under the other."""

    ours: Episode
    theirs: Episode


@dataclass(frozen=True, slots=True)
class Difference:
    """Of ours against theirs."""

    gained: Sequence[Episode]
    lost: Sequence[Episode]
    earlier: Sequence[Pair]
    later: Sequence[Pair]


def listed(placed: Placed, rule: Rule, had: Had, since: int, until: int) -> Iterator[Episode]:
    """Those that began in a period, in no order."""
    texts = list(placed.texts)
    for n in ((had.crossed >= since) & (had.crossed < until)).nonzero()[0].tolist():
        code = int(had.keys[n])
        members = tuple(placed.records[place] for place in had.members(n))
        yield Episode(rule, placed.keys[code], texts[code], int(had.crossed[n]), int(had.until[n]), members)


def compared(ours: Iterable[Episode], theirs: Iterable[Episode]) -> Difference:
    """Every episode of either is in one of the four, or nothing about it differs."""
    by_key = _by_key(ours), _by_key(theirs)
    gained, lost = list[Episode](), list[Episode]()
    earlier, later = list[Pair](), list[Pair]()
    for key in {**by_key[0], **by_key[1]}:
        mine, others = by_key[0].get(key, []), by_key[1].get(key, [])
        lost += [one for one in others if _first_over(one, mine) is None]
        for one in mine:
            other = _first_over(one, others)
            if other is None:
                gained.append(one)
            elif one.crossed_at < other.crossed_at:
                earlier.append(Pair(one, other))
            elif one.crossed_at > other.crossed_at and _first_over(other, mine) is one:
                later.append(Pair(one, other))
    for found in (gained, lost):
        found.sort(key=_order)
    for moved in (earlier, later):
        moved.sort(key=lambda pair: _order(pair.ours))
    return Difference(gained, lost, earlier, later)


def _order(one: Episode) -> tuple[int, str, str]:
    return one.crossed_at, one.rule.id, one.text


def _by_key(episodes: Iterable[Episode]) -> dict[tuple[str, tuple[str, ...], str], list[Episode]]:
    """By rule, by the fields of its key and by the key; those of one key in the order of time."""
    found: dict[tuple[str, tuple[str, ...], str], list[Episode]] = defaultdict(list)
    for one in sorted(episodes, key=_order):
        found[one.rule.id, one.rule.group_by, one.text].append(one)
    return found


def _first_over(one: Episode, others: Sequence[Episode]) -> Episode | None:
    """The first of others, in the order of time and apart from each other, that overlaps it."""
    low, high = 0, len(others)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if others[middle].until <= one.crossed_at else (low, middle)
    return others[low] if low < len(others) and others[low].crossed_at < one.until else None
