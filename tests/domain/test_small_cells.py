"""Small cells are withheld, and nothing that is shown, sums included, says what they are."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from app.domain.small_cells import Cell, is_small, withheld

Counts = dict[Cell, int]


def table(*rows: tuple[int, ...]) -> Counts:
    return {(f"r{r}", f"c{c}"): count for r, row in enumerate(rows) for c, count in enumerate(row) if count}


def bounds(counts: Counts, hidden: frozenset[Cell], cell: Cell) -> tuple[float, float]:
    """The least and the most that a withheld cell could be for somebody who knows all else and every sum."""
    unknown = sorted(hidden, key=str)
    lines = [(axis, label) for axis in (0, 1) for label in sorted({one[axis] for one in unknown}, key=str)]
    sums = np.array([[float(one[axis] == label) for one in unknown] for axis, label in lines])
    known = [sum(counts.get(one, 0) for one in unknown if one[axis] == label) for axis, label in lines]
    aim = np.array([float(one == cell) for one in unknown])
    found: list[Any] = [linprog(sign * aim, A_eq=sums, b_eq=known, bounds=(0, None)) for sign in (1, -1)]
    return round(found[0].fun, 6), round(-found[1].fun, 6)


@pytest.mark.parametrize(("count", "small"), [(0, False), (1, True), (4, True), (5, False)])
def test_one_to_four_are_small(count: int, small: bool) -> None:
    assert is_small(count) is small


def test_where_nothing_is_small_everything_is_shown() -> None:
    assert withheld(table((5, 9), (12, 30))) == frozenset()


def test_a_small_cell_takes_three_others_with_it_so_that_no_sum_gives_it_back() -> None:
    counts = table((2, 9, 40), (7, 6, 50), (60, 70, 80))

    hidden = withheld(counts)

    assert hidden == {("r0", "c0"), ("r0", "c1"), ("r1", "c0"), ("r1", "c1")}
    assert bounds(counts, hidden, ("r0", "c0")) == (0, 9)


def test_a_cell_of_none_may_be_withheld_to_protect_another() -> None:
    counts = table((2, 0, 40), (0, 6, 50), (60, 70, 80))

    hidden = withheld(counts)

    assert {("r0", "c1"), ("r1", "c0")} <= hidden
    assert bounds(counts, hidden, ("r0", "c0")) == (0, 2)


def test_in_a_single_row_another_cell_is_withheld_with_a_lonely_small_one() -> None:
    assert withheld(table((2, 9, 7))) == {("r0", "c0"), ("r0", "c2")}
    assert withheld(table((2, 3, 7))) == {("r0", "c0"), ("r0", "c1")}
    assert withheld(table((2,))) == {("r0", "c0")}


def test_what_else_is_withheld_of_the_total_is_protected_by_the_least_cell() -> None:
    assert withheld(table((9, 8), (7, 6)), one_more=True) == {("r1", "c1")}
    assert withheld({}, one_more=True) == frozenset()


@given(
    st.integers(2, 4).flatmap(
        lambda width: st.lists(
            st.lists(st.sampled_from((0, 0, 1, 2, 4, 5, 6, 30)), min_size=width, max_size=width).map(tuple),
            min_size=2,
            max_size=4,
        )
    )
)
@settings(max_examples=30, deadline=None)
def test_of_any_table_no_small_cell_can_be_worked_out(rows: list[tuple[int, ...]]) -> None:
    counts = table(*rows)
    if len({row for row, _ in counts}) < 2 or len({column for _, column in counts}) < 2:
        return  # A single line is its own sums.

    hidden = withheld(counts)

    for cell in [cell for cell, count in counts.items() if is_small(count)]:
        least, most = bounds(counts, hidden, cell)
        assert cell in hidden
        assert most - least >= 1
