"""Backtests: the episodes of a million near misses, and of a hundred policies over them.

The yardstick of the first is what anybody would write on numpy: sort by key and time, shift by two, compare. It knows
which reports see two others in their window, and no more than that. The yardstick of the second is one policy by the
same code: sorting and grouping are shared, so a hundred may take three times as long as one.
"""

from collections.abc import Callable
from time import perf_counter

import numpy as np

from app.analysis import backtest
from app.analysis.backtest import Episodes, Whole
from bench.measure import Aim, Line, Scale, compare

DAY = 86_400_000_000
THRESHOLDS = range(2, 12)
WINDOWS = [days * DAY for days in (3, 5, 7, 10, 14, 17, 21, 24, 28, 42)]
YEARS = 5
REPORTS_OF_A_KEY = 50


def of_a_million(scale: Scale) -> list[Line]:
    """Both ratios."""
    count = scale.pick(1_000_000, 50_000)
    keys, times = _reports(count)

    def one() -> None:
        _read(backtest.episodes(backtest.in_order(keys, times), 3, 14 * DAY))

    def hundred() -> None:
        for cell in backtest.grid(backtest.in_order(keys, times), THRESHOLDS, WINDOWS):
            _read(cell)

    def shifted() -> None:
        order = np.lexsort((times, keys))
        key, time = keys[order], times[order]
        np.flatnonzero((key[2:] == key[:-2]) & (time[2:] - time[:-2] < 14 * DAY))

    found = backtest.episodes(backtest.in_order(keys, times), 3, 14 * DAY)
    notes = {"near_misses": count, "keys": count // REPORTS_OF_A_KEY, "episodes": len(found.keys)}
    return [
        compare(
            "backtest, against numpy sort + shift",
            "near misses/s",
            _rate(shifted, count),
            _rate(one, count),
            Aim("at least", 0.7),
            scale.rounds,
            notes,
        ),
        compare(
            "backtest of 100 policies, against one",
            "runs/s",
            _rate(one, 1),
            _rate(hundred, 1),
            Aim("at least", round(1 / 3, 3)),
            scale.rounds,
            notes,
        ),
    ]


def _read(found: Episodes) -> tuple[Whole, Whole, Whole]:
    """Whose they are, when they began and when they ended."""
    return found.keys, found.crossed, found.until


def _reports(count: int) -> tuple[Whole, Whole]:
    """In the order in which they were recorded: some days late."""
    chance = np.random.default_rng(6)
    keys = chance.integers(0, count // REPORTS_OF_A_KEY, count)
    happened = np.sort(chance.integers(0, YEARS * 365 * DAY, count)) - chance.integers(0, 3 * DAY, count)
    return keys, happened


def _rate(run: Callable[[], object], amount: int) -> Callable[[], float]:
    def measured() -> float:
        began = perf_counter()
        run()
        return amount / (perf_counter() - began)

    return measured
