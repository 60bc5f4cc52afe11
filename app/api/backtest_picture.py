"""Where everything stands in the picture of a backtest: a table of thresholds and windows, each cell a trade-off.

A cell says in figures what it costs and what it foresaw; its shade repeats the cost, so that the picture can be read
in print and by those who tell no colours apart.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

CELL_WIDTH, CELL_HEIGHT, LEFT, TOP = 118, 64, 96, 116
MOST_ROWS, MOST_COLUMNS = 20, 20
_RAMP = ("#ffffff", "#e7eef6", "#c9dcec", "#a3c6e0", "#74a9d0")
"""One hue, light enough for black figures on every step."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One threshold with one window."""

    x: float
    y: float
    fill: str
    lines: Sequence[str]
    says: str


def picture(found: Mapping[str, Any]) -> dict[str, Any]:
    """The context of `backtest.svg.jinja`, of an answer; one without a grid has no cells."""
    grid: Mapping[str, Any] = found.get("grid") or {"rule_id": "none", "rows": []}
    rows = {(one["threshold"], one["window"]): one for one in grid["rows"]}
    thresholds = list(dict.fromkeys(threshold for threshold, _ in rows))
    windows = list(dict.fromkeys(window for _, window in rows))
    shown = thresholds[:MOST_ROWS], windows[:MOST_COLUMNS]
    most = max((one["reviews_per_month"] for one in grid["rows"]), default=0.0)
    cells = [
        _cell(rows[threshold, window], LEFT + n * CELL_WIDTH, TOP + m * CELL_HEIGHT, most)
        for m, threshold in enumerate(shown[0])
        for n, window in enumerate(shown[1])
    ]
    left_out = len(rows) - len(cells)
    period = f"{found['from'][:10]} to {found['to'][:10]}, ledger sequence {found['as_of_sequence']}"
    return {
        "title": f"What the rule {grid['rule_id']} would have opened",
        "period": f"{period}; {left_out} cells are not drawn" if left_out else period,
        "says": " ".join(one.says for one in cells),
        "cells": cells,
        "cell_width": CELL_WIDTH,
        "cell_height": CELL_HEIGHT,
        "columns": [(LEFT + (n + 0.5) * CELL_WIDTH, window) for n, window in enumerate(shown[1])],
        "rows": [(TOP + (m + 0.5) * CELL_HEIGHT, str(threshold)) for m, threshold in enumerate(shown[0])],
        "left": LEFT,
        "top": TOP,
        "ramp": list(enumerate(_RAMP)),
        "legend": TOP + len(shown[0]) * CELL_HEIGHT + 28,
        "most": f"{most:g}",
        "width": max(560, LEFT + len(shown[1]) * CELL_WIDTH + 16),
        "height": TOP + len(shown[0]) * CELL_HEIGHT + 72,
    }


def _cell(row: Mapping[str, Any], x: float, y: float, most: float) -> Cell:
    step = ceil(row["reviews_per_month"] * (len(_RAMP) - 1) / most) if most else 0
    chance, lead = row["expected_by_chance_per_year"], row["median_lead_days"]
    by_chance = "too early" if chance is None else f"{chance:.1f} a year"
    foreseen = f"{row['harm_incidents_preceded']} of {row['harm_incidents']}"
    says = f"{row['threshold']} in {row['window']}: {row['reviews_per_month']:g} reviews a month"
    says += f" ({row['episodes']} in all), by chance {by_chance}, before harm {foreseen}"
    says += "." if lead is None else f", half of them more than {lead:g} days."
    lines = [f"{row['reviews_per_month']:g} a month", f"chance {by_chance}", f"harm {foreseen}"]
    return Cell(
        x, y, _RAMP[min(step, len(_RAMP) - 1)], lines if lead is None else [*lines, f"lead {lead:g} days"], says
    )
