"""A policy tried on what has happened: the reviews that it would have opened, before anybody adopts it.

Every near miss that stands is placed by the candidate's rules and by those of the version it is compared with, in one
pass; nothing is written. Closing, cool-downs and the ladder play no part: an episode is what calls for a review, from
the instant the trailing count reaches the threshold until it falls below.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from app.domain.decider import Fault, Invalid
from app.domain.moment import DAY, EARLIEST, Span, format_instant, from_micros
from app.domain.policy import Policy
from app.domain.rule import Rule
from app.domain.trailing import Patience
from app.operations import backtest_history
from app.operations.backtest_comparing import Episode, Pair, compared, listed
from app.operations.backtest_counting import Counting, Had, patience
from app.operations.backtest_effects import a_month, leads, leads_document, per_manager
from app.operations.backtest_history import History
from app.operations.chance_firings import LOOKED_BACK, BaseRates, entry_of, rates_of
from app.operations.governance_period import known_to
from app.operations.show import Reader

LISTED = 10_000
"""Episodes that an answer lists, the latest; the total is said."""
CHANGES = 1_000
"""Of each kind of difference."""
MEMBERS = 100
"""Near misses that are named of one episode."""
MOST_EPISODES = 200_000


@dataclass(frozen=True, slots=True)
class Grid:
    """Thresholds and windows to try of one rule."""

    rule: Rule
    thresholds: Sequence[int]
    windows: Sequence[Span]


@dataclass(frozen=True, slots=True)
class Asked:
    """A candidate, the version it is compared with, and from when until when (microseconds) crossings are shown."""

    policy: Policy
    against: Policy
    since: int | None = None
    until: int | None = None
    grid: Grid | None = None


@dataclass
class Past:
    """The history that a question is about, and the episodes that rules would have had in it."""

    history: History
    since: int
    until: int
    now: int
    _counting: dict[tuple[str, str], Counting] = field(default_factory=dict[tuple[str, str], Counting])
    _effort: Patience = field(default_factory=patience)

    @property
    def days(self) -> float:
        """Of the period: it begins with the first report, and ends now."""
        first = self.since if self.history.first_at is None else max(self.since, self.history.first_at)
        return max(0.0, (min(self.until, self.now) - first) / DAY)

    def counting(self, rule: Rule, zone: ZoneInfo) -> Counting:
        """The rule's records, sorted once."""
        where = (rule.placement, zone.key)
        if where not in self._counting:
            self._counting[where] = Counting(self.history.of(rule), zone, self._effort)
        return self._counting[where]

    def had(self, policy: Policy, rule: Rule) -> Had:
        """All episodes of a rule of a policy."""
        return self.counting(rule, policy.zone).episodes(rule)

    def episodes(self, policy: Policy, rules: Sequence[Rule]) -> list[Episode]:
        """Those of the period, in the order in which they began."""
        found: list[Episode] = []
        for rule in rules:
            had = self.had(policy, rule)
            count = int(((had.crossed >= self.since) & (had.crossed < self.until)).sum())
            if len(found) + count > MOST_EPISODES:
                detail = f"This would open more than {MOST_EPISODES:,} reviews: raise a threshold, or begin later."
                raise Invalid(Fault("/policy/rules", "too-many", detail))
            found += listed(self.history.of(rule), rule, had, self.since, self.until)
        return sorted(found, key=lambda one: (one.crossed_at, one.rule.id, one.text))

    def rates(self, rule: Rule) -> BaseRates:
        """How often each key of a rule has reports, over the last year at most."""
        placed = self.history.of(rule)
        first = self.now if self.history.first_at is None else self.history.first_at
        since = max(first, self.now - int(LOOKED_BACK * DAY))
        at, codes = np.array(placed.at, np.int64), np.array(placed.codes, np.int64)
        counts = np.bincount(codes[(at > since) & (at <= self.now)]) if len(codes) else np.zeros(0, np.int64)
        return rates_of(counts[counts > 0].tolist(), (self.now - since) / DAY)


def evaluated(policy: Policy) -> list[Rule]:
    """The rules that count at all."""
    return [rule for rule in policy.judging if rule.mode != "off"]


def reviewing(policy: Policy) -> list[Rule]:
    """The rules that open reviews."""
    return [rule for rule in policy.judging if rule.mode == "active"]


def past(reader: Reader, asked: Asked, now: int) -> Past:
    """Read what the question is about; `now` is when what the reader knows was known."""
    rules = [*evaluated(asked.policy), *evaluated(asked.against), *([asked.grid.rule] if asked.grid else [])]
    widest = max((rule.width for rule in rules), default=0)
    if asked.grid is not None:
        widest = max(widest, *(2 * DAY + one.longest for one in asked.grid.windows))
    since = EARLIEST if asked.since is None else asked.since - widest
    history = backtest_history.read(reader.connection, reader.organisation, rules, since, reader.as_of)
    begin = history.first_at if asked.since is None else asked.since
    # What a fast clock put into the future is part of what would have been counted by now.
    end = now + DAY if asked.until is None else asked.until
    return Past(history, now if begin is None else begin, end, now)


def backtest(reader: Reader, asked: Asked, now: int) -> dict[str, Any]:
    """The answer of the contract; raises `Invalid` for what is too much to count."""
    found = past(reader, asked, now)
    every = found.episodes(asked.policy, evaluated(asked.policy))
    reviews = [one for one in every if one.rule.mode == "active"]
    differs = compared(reviews, found.episodes(asked.against, reviewing(asked.against)))
    ahead = leads(
        (
            (rule, found.history.of(rule), had.keys, had.crossed)
            for rule in reviewing(asked.policy)
            for had in [found.had(asked.policy, rule)]
        ),
        found.since,
        found.until,
    )
    document = {
        "from": format_instant(from_micros(found.since)),
        "to": format_instant(from_micros(min(found.until, max(now, found.since)))),
        "as_of_sequence": known_to(reader),
        "compared_with": asked.against.version,
        "near_misses": len(found.history.ids),
        "episodes": [_shown(found, one) for one in every[-LISTED:]],
        "episodes_total": len(every),
        "reviews": len(reviews),
        "gained": [_shown(found, one) for one in differs.gained[-CHANGES:]],
        "gained_total": len(differs.gained),
        "lost": [_shown(found, one) for one in differs.lost[-CHANGES:]],
        "lost_total": len(differs.lost),
        "earlier": [_moved(found, one) for one in differs.earlier[-CHANGES:]],
        "earlier_total": len(differs.earlier),
        "later": [_moved(found, one) for one in differs.later[-CHANGES:]],
        "later_total": len(differs.later),
        "reviews_per_month": a_month(len(reviews), found.days),
        **per_manager(reader, reader.settled(), found.history, reviews, found.days),
        "expected_chance_firings": [
            entry_of(rule, found.rates(rule)) for rule in asked.policy.rules if rule.mode != "off"
        ],
        "lead_times": leads_document(found.history, ahead),
    }
    if asked.grid is not None:
        document["grid"] = tried(found, asked.policy, asked.grid)
    return document


def tried(found: Past, policy: Policy, grid: Grid) -> dict[str, Any]:
    """The trade-off: one row for each threshold and window of the rule, its other rules left as they are."""
    counting, placed = found.counting(grid.rule, policy.zone), found.history.of(grid.rule)
    rates = found.rates(grid.rule)
    rows: dict[tuple[int, str], dict[str, Any]] = {}
    for rule, had in counting.grid(grid.rule, grid.thresholds, grid.windows):
        inside = (had.crossed >= found.since) & (had.crossed < found.until)
        ahead = leads([(rule, placed, had.keys, had.crossed)], found.since, found.until)
        count = int(inside.sum())
        rows[rule.threshold, rule.window.text] = {
            "threshold": rule.threshold,
            "window": rule.window.text,
            "episodes": count,
            "reviews_per_month": a_month(count, found.days),
            "expected_by_chance_per_year": entry_of(rule, rates)["episodes_per_year"],
            "harm_incidents": len(ahead.incidents),
            "harm_incidents_preceded": len(ahead.found),
            "median_lead_days": ahead.median_days,
        }
    return {
        "rule_id": grid.rule.id,
        "rows": [rows[threshold, window.text] for threshold in grid.thresholds for window in grid.windows],
    }


def _shown(found: Past, one: Episode) -> dict[str, Any]:
    document: dict[str, Any] = {
        "rule_id": one.rule.id,
        "mode": one.rule.mode,
        "key": dict(zip(one.rule.group_by, one.key, strict=True)),
        "crossed_at": format_instant(from_micros(one.crossed_at)),
        "near_miss_ids": [found.history.ids[member] for member in one.members[:MEMBERS]],
        "count": len(one.members),
    }
    if one.until <= found.now:
        document["until"] = format_instant(from_micros(one.until))
    return document


def _moved(found: Past, pair: Pair) -> dict[str, Any]:
    return {**_shown(found, pair.ours), "was_crossed_at": format_instant(from_micros(pair.theirs.crossed_at))}
