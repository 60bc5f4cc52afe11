"""The episodes of a history: as a count by hand finds them, over real logs and over random ones with ties."""

import gzip
import json
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.analysis import backtest
from tests.cases import SHARED

DAY = 86_400_000_000


class Found(NamedTuple):
    """An episode as these tests compare it: `members` are places in the arrays given."""

    key: int
    crossed: int
    until: int
    members: tuple[int, ...]


@pytest.mark.parametrize(("name", "count"), [("emar_demo", 51), ("incident_log", 916), ("home_visits", 16)])
def test_a_real_log_has_had_the_episodes_that_a_brute_force_count_finds(name: str, count: int) -> None:
    folder = SHARED / "data" / name
    if not folder.exists():
        pytest.skip(f"The real data is not beside the project: ../shared/data/{name} is absent.")
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    with gzip.open(folder / "near_misses.jsonl.gz", "rt", encoding="utf-8") as lines:
        every = [json.loads(line) for line in lines]
    counted = [one for one in every if one["classification"] == "near_miss" and one["service_id"] not in UNKNOWN]
    names = sorted({(one["service_id"], one["incident_type"]) for one in counted})
    keys = [names.index((one["service_id"], one["incident_type"])) for one in counted]
    times = [int(datetime.fromisoformat(one["occurred_at"]).timestamp()) * 1_000_000 for one in counted]

    found = found_in(keys, times, 3, 14 * DAY)

    assert len(counted) == expected["counted"]
    assert len(found) == count
    assert sorted(
        (*names[one.key], spelt(one.crossed), tuple(sorted(counted[n]["source_event_id"] for n in one.members)))
        for one in found
    ) == sorted(
        (one["service_id"], one["incident_type"], one["crossed_at"], tuple(sorted(one["contributing_ids"])))
        for one in expected["episodes"]
    )


UNKNOWN = (None, "", "unknown")


def spelt(micros: int) -> str:
    return datetime.fromtimestamp(micros // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_one_that_leaves_as_another_arrives_leaves_the_episode_whole() -> None:
    times = [0, 4, 10, 14, 30]

    found = found_in([0] * 5, times, 3, 14)

    assert found == [Found(0, 10, 18, (0, 1, 2))]


def test_exactly_a_window_apart_is_not_within_it() -> None:
    assert found_in([0] * 3, [0, 7, 14], 3, 14) == []
    assert found_in([0] * 3, [0, 7, 13], 3, 14) == [Found(0, 13, 14, (0, 1, 2))]


def test_all_that_come_at_the_instant_of_the_crossing_are_in_its_window() -> None:
    found = found_in([0, 1, 0, 0, 0, 1], [5, 5, 20, 20, 20, 20], 3, 15)

    assert found == [Found(0, 20, 35, (2, 3, 4))]


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 24)), max_size=30),
    st.integers(1, 5),
    st.integers(1, 12),
)
def test_random_reports_have_the_episodes_that_a_count_at_every_instant_finds(
    reports: list[tuple[int, int]], enough: int, length: int
) -> None:
    keys, times = [key for key, _ in reports], [time for _, time in reports]

    assert found_in(keys, times, enough, length) == counted_by_hand(keys, times, enough, length)


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 40)), max_size=40),
    st.sets(st.integers(1, 6), min_size=1),
    st.sets(st.integers(1, 20), min_size=1),
)
def test_a_grid_is_what_each_of_its_cells_is_alone(
    reports: list[tuple[int, int]], thresholds: set[int], lengths: set[int]
) -> None:
    keys, times = [key for key, _ in reports], [time for _, time in reports]
    series = series_of(keys, times)

    cells = list(backtest.grid(series, [*thresholds], [*lengths]))

    assert [(one.enough, one.length) for one in cells] == [
        (enough, length) for enough in sorted(thresholds) for length in sorted(lengths, reverse=True)
    ]
    for cell in cells:
        assert listed(series, cell) == found_in(keys, times, cell.enough, cell.length)


def test_keys_and_times_too_wide_for_one_number_are_sorted_all_the_same() -> None:
    wide = 2**61
    keys, times = [7, 3, 7, 3], [wide, 5, -wide, 5]

    series = series_of(keys, times)

    assert series.order.tolist() == [1, 3, 2, 0]
    assert found_in(keys, times, 2, 1) == [Found(3, 5, 6, (1, 3))]


@pytest.mark.parametrize(("thresholds", "lengths"), [([0], [1]), ([1], [0])])
def test_no_threshold_and_no_window_is_nothing_to_count(thresholds: list[int], lengths: list[int]) -> None:
    with pytest.raises(ValueError, match="at least one report"):
        next(backtest.grid(series_of([0], [0]), thresholds, lengths))


def series_of(keys: Sequence[int], times: Sequence[int]) -> backtest.Series:
    return backtest.in_order(np.array(keys, np.int64), np.array(times, np.int64))


def found_in(keys: Sequence[int], times: Sequence[int], enough: int, length: int) -> list[Found]:
    series = series_of(keys, times)
    return listed(series, backtest.episodes(series, enough, length))


def listed(series: backtest.Series, found: backtest.Episodes) -> list[Found]:
    columns = (found.keys, found.crossed, found.until, found.first, found.stop)
    return [
        Found(key, crossed, until, tuple(series.order[first:stop].tolist()))
        for key, crossed, until, first, stop in zip(*(column.tolist() for column in columns), strict=True)
    ]


def counted_by_hand(keys: Sequence[int], times: Sequence[int], enough: int, length: int) -> list[Found]:
    """At every whole instant, and between any two, by the words of the definition; time in halves."""
    places: dict[int, list[int]] = defaultdict(list)
    for n in sorted(range(len(keys)), key=lambda n: (times[n], n)):
        places[keys[n]].append(n)
    found: list[Found] = []
    for key, its in sorted(places.items()):
        was_full, begun = False, Found(key, 0, 0, ())
        for half in range(2 * min(times), 2 * (max(times) + length) + 2):
            inside = tuple(n for n in its if half - 2 * length < 2 * times[n] <= half)
            if len(inside) >= enough and not was_full:
                begun = Found(key, half // 2, 0, inside)
            if len(inside) < enough and was_full:
                found.append(begun._replace(until=half // 2))
            was_full = len(inside) >= enough
    return found
