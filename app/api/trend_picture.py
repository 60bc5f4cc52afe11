"""Where everything stands in the picture of a trend: up to six small charts, each with its line, limits and signals.

A signal is marked by its shape as well as by its colour, and said in words below, so that the picture can be read in
print and by those who tell no colours apart.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from textwrap import wrap
from typing import Any

MOST_PANELS = 6
WIDTH, HEIGHT, LEFT, RIGHT, TOP = 780, 178, 64, 20, 58
GAP, HEADING, LEGEND = 44, 64, 74
LINE_OF = 100
"""Characters in a line of text across the picture."""

_MEASURES = {
    "count": "Near misses",
    "rate": "Rate of near misses",
    "chance_share": "Share of near misses that only chance stopped",
}
_BUCKETS = {"day": "by day", "week": "by week", "month": "by month", "event": "report by report"}
_METHODS = {
    "run": "run chart: median",
    "c": "c-chart: mean and 3-sigma limits",
    "u": "u-chart: mean and 3-sigma limits",
    "p": "p-chart: mean and 3-sigma limits",
    "t": "t-chart of the days between reports: centre and limits",
    "g": "g-chart of the days between reports: median and limits",
    "xmr": "XmR chart (Making Data Count): mean and process limits",
    "cusum": "Poisson CUSUM of the weeks: sum above the usual, and its limit",
}


@dataclass(frozen=True, slots=True)
class Mark:
    """A point as it is drawn. `way`: up, down or nothing for what is no signal."""

    x: float
    y: float
    says: str
    complete: bool
    way: str
    is_signal: bool


@dataclass(frozen=True, slots=True)
class Panel:
    """One series as it is drawn: `line` and `limits` are lists of polylines, each a text of points."""

    top: float
    name: str
    says: Sequence[str]
    method: str
    unit: str
    lines: Sequence[str]
    limits: Sequence[str]
    centre: float | None
    marks: Sequence[Mark]
    rows: Sequence[tuple[float, str]]
    columns: Sequence[tuple[float, str]]
    bottom: float


def picture(found: Mapping[str, Any], chart: str | None) -> dict[str, Any]:
    """The context of `trend.svg.jinja`: the series with signals first, then the largest, as far as they fit."""
    every = sorted(found["series"], key=lambda one: not one["signals"])
    panels: list[Panel] = []
    top = float(HEADING)
    for one in every[:MOST_PANELS]:
        panel = _panel(one, chart, top)
        panels.append(panel)
        top = panel.bottom + GAP
    title = f"{_MEASURES[found['measure']]} {_BUCKETS[found['bucket']]}"
    period = f"{found['from']} to {found['to']} ({found['time_zone']}), ledger sequence {found['as_of_sequence']}"
    if len(every) > MOST_PANELS:
        period += f"; {MOST_PANELS} of {len(every)} series"
    return {
        "title": title,
        "period": period,
        "says": " ".join(one["says"] for one in every[:MOST_PANELS]) or "Nothing was reported.",
        "panels": panels,
        "width": WIDTH,
        "height": ceil(top + LEGEND),
        "left": LEFT,
        "right": WIDTH - RIGHT,
        "legend": top + 12,
    }


def _panel(one: Mapping[str, Any], chart: str | None, top: float) -> Panel:
    block = _of_cusum(one) if chart == "cusum" and "cusum" in one else one
    points: Sequence[Mapping[str, Any]] = block["points"]
    says = wrap(one["says"], LINE_OF)
    begins = top + TOP + 15 * (len(says) - 1)
    limits = [*block["limits"]["lower"], *block["limits"]["upper"]]
    values = [point["value"] for point in points]
    highest = _round_up(max([one for one in (*values, *limits, block["centre_line"]) if one is not None], default=1.0))

    def x(n: int) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (n + 0.5) / max(1, len(points)), 1)

    def y(value: float) -> float:
        return round(begins + HEIGHT * (1 - value / highest), 1)

    def lines(of: Sequence[float | None]) -> list[str]:
        return [" ".join(f"{x(n)},{y(value)}" for n, value in run) for run in _unbroken(of)]

    centre = block["centre_line"]
    ways = _ways(block, points)
    share = block["unit"] == "share"
    return Panel(
        top,
        one["what"],
        says,
        _METHODS[block["method"]],
        block["unit"],
        lines([point["value"] if point["complete"] else None for point in points]),
        [*lines(block["limits"]["lower"]), *lines(block["limits"]["upper"])],
        None if centre is None else y(centre),
        [
            Mark(x(n), y(point["value"]), _told(point, share=share), point["complete"], *ways[n])
            for n, point in enumerate(points)
            if point["value"] is not None
        ],
        [(y(value), _figure(value, share=share)) for value in (0.0, highest / 2, highest)],
        [(x(n), points[n]["from"][:10]) for n in _spaced(len(points))],
        begins + HEIGHT,
    )


def _of_cusum(one: Mapping[str, Any]) -> dict[str, Any]:
    """The sum above the usual as a series of its own, with its limit."""
    cusum = one["cusum"]
    rising = [any(it["from"] <= point["from"] < it["to"] for it in cusum["alarms"]) for point in cusum["points"]]
    points = [
        {**point, "complete": True, "signals": ["cusum"] if up and point["value"] >= cusum["h"] - 1e-9 else []}
        for point, up in zip(cusum["points"], rising, strict=True)
    ]
    return {
        "method": "cusum",
        "unit": "reports above the usual",
        "points": points,
        "centre_line": None,
        "limits": {"lower": [None] * len(points), "upper": [cusum["h"]] * len(points)},
        "signals": [one for one in one["signals"] if one["rule"] == "cusum"],
    }


def _ways(block: Mapping[str, Any], points: Sequence[Mapping[str, Any]]) -> list[tuple[str, bool]]:
    """Of each point the direction of the frequency that its signals tell, and whether it has any.

    Fewer crossings than chance explains is said of the whole line and marks no point.
    """
    found: list[tuple[str, bool]] = []
    for point in points:
        rules = [rule for rule in point["signals"] if rule != "few_crossings"]
        of_it = [
            one["direction"]
            for one in block["signals"]
            if one["rule"] in rules and one["from"] <= point["from"] < one["to"] and one["direction"]
        ]
        found.append((of_it[0] if of_it else "", bool(rules)))
    return found


def _told(point: Mapping[str, Any], *, share: bool) -> str:
    told = f"{point['from'][:10]} to {point['to'][:10]}: {_figure(point['value'], share=share)}"
    if not point["complete"]:
        return f"{told}, still running"
    return f"{told}; {', '.join(point['signals']).replace('_', ' ')}" if point["signals"] else told


def _unbroken(values: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    found: list[list[tuple[int, float]]] = [[]]
    for n, value in enumerate(values):
        if value is None:
            found.append([])
        else:
            found[-1].append((n, value))
    return [run for run in found if run]


def _round_up(value: float) -> float:
    """The next of 1, 2, 4, 5, 6, 8 and 10 in its own magnitude."""
    if value <= 0:
        return 1.0
    unit = 10.0 ** floor(log10(value))
    return next(step * unit for step in (1, 2, 4, 5, 6, 8, 10, 20) if step * unit >= value * (1 - 1e-9))


def _spaced(count: int) -> list[int]:
    """At most seven of so many points, evenly spaced, for the labels below."""
    step = max(1, ceil(count / 7))
    return list(range(0, count, step))


def _figure(value: float, *, share: bool) -> str:
    return f"{value:.0%}" if share else f"{value:.4g}"
