"""Which cells of a table are withheld from those who may see patterns, but no single report.

A count of one to four could lead to a person, so it is withheld; and since the sums of rows and columns may be known
from other tables, each such cell stands in a rectangle of withheld cells around which counts can be moved without
changing any sum. So there is always another table, in which it is another number, that tells as much.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import TypeVar

SMALL = 5
"""The least count that is shown, but for none at all."""

_NEAREST = 12
_TRIED = _NEAREST * _NEAREST
"""Rectangles that are weighed against each other; of a large table not every one is looked at."""

Cell = tuple[str | None, str | None]
Counts = Mapping[Cell, int]
_Label = TypeVar("_Label")


def is_small(count: int) -> bool:
    """Whether a count could lead to a person."""
    return 0 < count < SMALL


def withheld(counts: Counts, *, one_more: bool = False) -> frozenset[Cell]:
    """The cells to withhold; a cell that `counts` does not name holds none, and may be withheld to protect others.

    `one_more`: a further part of the total is withheld besides, which one withheld cell must protect.
    """
    rows, columns = list(dict.fromkeys(row for row, _ in counts)), list(dict.fromkeys(column for _, column in counts))
    small = sorted((cell for cell, count in counts.items() if is_small(count)), key=lambda cell: counts[cell])
    chosen = set(small)
    if len(rows) < 2 or len(columns) < 2:
        chosen |= _beside_in_a_line(counts, small)
    else:
        for cell in small:
            chosen |= _best_rectangle(cell, counts, rows, columns, chosen)
    if one_more and not chosen and counts:
        chosen.add(min(counts, key=lambda cell: counts[cell]))
    return frozenset(chosen)


def _beside_in_a_line(counts: Counts, small: Sequence[Cell]) -> set[Cell]:
    """In a single row or column only the total is a sum over several cells: two of them are withheld, or none."""
    if len(small) != 1 or len(counts) < 2:
        return set()
    return {min((cell for cell in counts if cell != small[0]), key=lambda cell: counts[cell])}


def _best_rectangle(
    cell: Cell, counts: Counts, rows: Sequence[str | None], columns: Sequence[str | None], chosen: set[Cell]
) -> set[Cell]:
    """The other corners of the rectangle that takes the least from the table. There is always one that will do."""

    def cost(corner: Cell) -> int:
        return 0 if corner in chosen else counts.get(corner, 0) + 1

    row, column = cell
    other_rows = sorted((one for one in rows if one != row), key=lambda one: cost((one, column)))
    other_columns = sorted((one for one in columns if one != column), key=lambda one: cost((row, one)))
    best: set[Cell] | None = None
    for number, (here, there) in enumerate(_near_first(other_rows, other_columns)):
        across, beside, opposite = (row, there), (here, column), (here, there)
        if not (counts.get(opposite) or (counts.get(across) and counts.get(beside))):
            continue  # Nothing in it can be moved: what is withheld there is none for certain.
        corners = {across, beside, opposite}
        if best is None or sum(map(cost, corners)) < sum(map(cost, best)):
            best = corners
        if number >= _TRIED or not sum(map(cost, best)):
            break
    assert best is not None, "Every row and column holds something, so one rectangle can always be moved."
    return best


def _near_first(rows: Sequence[_Label], columns: Sequence[_Label]) -> Iterator[tuple[_Label, _Label]]:
    """Every pair, those of the first of both before the others."""
    yield from product(rows[:_NEAREST], columns[:_NEAREST])
    yield from product(rows[:_NEAREST], columns[_NEAREST:])
    yield from product(rows[_NEAREST:], columns)
