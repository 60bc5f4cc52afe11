"""A block of a trend: points of one kind, the chart that judges them, its limits and what it signals.

Judged is what is complete and has a value; everything else is drawn and left alone.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from app.analysis import charts, making_data_count
from app.analysis.charts import Chart

LEAST = 10
"""Complete points without which nothing is judged: the chart's limits would be chance themselves."""

METHODS: Mapping[str, str] = {
    "run": "run chart with the Anhøj rules",
    "c": "c-chart with 3-sigma limits and the Anhøj rules",
    "u": "u-chart with 3-sigma limits and the Anhøj rules",
    "p": "p-chart with 3-sigma limits and the Anhøj rules",
    "t": "t-chart (Nelson's transformation) with the Anhøj rules",
    "g": "g-chart with the Anhøj rules",
    "xmr": "XmR chart with the NHS Making Data Count rules",
    "cusum": "Poisson CUSUM of the weekly counts",
}

Direction = Literal["up", "down"]
_WAYS: Mapping[int, Direction | None] = {1: "up", 0: None, -1: "down"}


@dataclass(frozen=True, slots=True)
class Point:
    """`since`, `until`: as they are shown. `value`: None where there is nothing to be known. `exposure`: of a rate's
    point what there was to do, of a share's point what it is a share of.
    """

    since: str
    until: str
    count: int
    value: float | None
    complete: bool
    exposure: float | None = None
    beside: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True, slots=True)
class Signal:
    """A rule that was met, on these points. `direction`: of the frequency, not of the line: shorter gaps are up."""

    rule: str
    direction: Direction | None
    points: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """Points with what their chart says. `unit`: what a value counts; `lower`, `upper`: one for each point."""

    method: str
    unit: str
    points: Sequence[Point]
    centre: float | None = None
    lower: Sequence[float | None] = ()
    upper: Sequence[float | None] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])
    signals: Sequence[Signal] = ()

    @property
    def judged(self) -> tuple[int, ...]:
        """The points that a rule looks at."""
        return tuple(n for n, one in enumerate(self.points) if one.complete and one.value is not None)


def judged(method: str, unit: str, points: Sequence[Point], multiply: float = 1.0) -> Block:
    """The points under the chart of that name. `multiply`: a rate is per so much of its exposure."""
    block = Block(method, unit, points, parameters={"name": METHODS[method]})
    places = block.judged
    if method == "cusum" or len(places) < LEAST:
        return block
    if method == "xmr":
        return _xmr(block, places)
    chart = _chart(method, [points[n] for n in places], multiply)
    return Block(
        method,
        unit,
        points,
        chart.centre,
        _spread(chart.lower, places, len(points)),
        _spread(chart.upper, places, len(points)),
        {**block.parameters, **chart.parameters, **_runs(chart)},
        _signals(method, chart, [points[n].value or 0.0 for n in places], places),
    )


def _chart(method: str, points: Sequence[Point], multiply: float) -> Chart:
    values = [one.value or 0.0 for one in points]
    counts = [one.count for one in points]
    sizes = [one.exposure or 0.0 for one in points]
    match method:
        case "c":
            return charts.c_chart(counts)
        case "u":
            return charts.u_chart(counts, sizes, multiply=multiply)
        case "p":
            return charts.p_chart(counts, sizes)
        case "t":
            return charts.t_chart(values)
        case "g":
            return charts.g_chart([round(one) for one in values])
        case _:
            return charts.run_chart(values)


def _signals(method: str, chart: Chart, values: Sequence[float], places: Sequence[int]) -> list[Signal]:
    beyond = [n for n in chart.beyond if _is_beyond(values[n], chart.lower[n], chart.upper[n])]
    ways = [
        0 if n not in beyond else 1 if _is_up(method, above=value > chart.centre) else -1
        for n, value in enumerate(values)
    ]
    found = _stretches("outside_limits", [bool(way) for way in ways], ways, places)
    if chart.centre == 0 or math.isclose(min(values), max(values), rel_tol=1e-9):
        return found  # Nothing is below none, and on either side of what never changes.
    if chart.runs.longest > chart.runs.longest_max:
        first, last, above = _longest_run(values, chart.centre)
        way: Direction = "up" if _is_up(method, above=above) else "down"
        found.append(Signal("long_run", way, tuple(places[first : last + 1])))
    if chart.runs.crossings < chart.runs.crossings_min:
        found.append(Signal("few_crossings", None, tuple(places)))
    return sorted(found, key=lambda signal: signal.points[-1])


def _is_up(method: str, *, above: bool) -> bool:
    """Whether it happens more often: a shorter time between reports is more often."""
    return above == (method not in ("t", "g"))


def _is_beyond(value: float, lower: float | None, upper: float | None) -> bool:
    """Beyond by more than an error of rounding, of limits that lie apart: equal times have no spread to judge by."""
    if lower is None or upper is None or math.isclose(lower, upper, rel_tol=1e-9):
        return False
    return not (math.isclose(value, lower, rel_tol=1e-9) or math.isclose(value, upper, rel_tol=1e-9))


def _longest_run(values: Sequence[float], centre: float) -> tuple[int, int, bool]:
    """Where the longest run on one side lies (the latest of equal ones), and whether it lies above.

    A value on the centre line neither ends a run nor belongs to it (Anhøj and Olesen 2014).
    """
    best = (0, 0, 0, True)
    first, length, side = 0, 0, True
    for n, value in enumerate(values):
        if value == centre:
            continue
        if length and (value > centre) == side:
            length += 1
        else:
            first, length, side = n, 1, value > centre
        if length >= best[0]:
            best = (length, first, n, side)
    return best[1:]


def _runs(chart: Chart) -> dict[str, Any]:
    runs = chart.runs
    return {
        "longest_run": runs.longest,
        "longest_run_max": runs.longest_max,
        "crossings": runs.crossings,
        "crossings_min": runs.crossings_min,
    }


def _xmr(block: Block, places: Sequence[int]) -> Block:
    values = [block.points[n].value or 0.0 for n in places]
    limits, screened = making_data_count.xmr(values), True
    if limits.lower == limits.upper:  # All but a few months are equal: the few are all that is known of the spread.
        limits, screened = making_data_count.xmr(values, screen_outliers=False), False
    codes = making_data_count.special_causes(values, limits)
    ways = making_data_count.directions(values, limits)
    signals: list[Signal] = []
    for rule in dict.fromkeys(code for of_point in codes for code in of_point):
        signals += _stretches(rule, [rule in of_point for of_point in codes], ways, places)
    lower = max(0.0, limits.lower)  # There is nothing below none.
    return Block(
        block.method,
        block.unit,
        block.points,
        limits.mean,
        _spread([lower] * len(places), places, len(block.points)),
        _spread([limits.upper] * len(places), places, len(block.points)),
        {
            **block.parameters,
            "near_lower": max(0.0, limits.near_lower),
            "near_upper": limits.near_upper,
            "screen_outliers": screened,
        },
        sorted(signals, key=lambda signal: signal.points[-1]),
    )


def _stretches(rule: str, marked: Sequence[bool], ways: Sequence[int], places: Sequence[int]) -> list[Signal]:
    """One signal for each unbroken stretch of points that a rule marks in one direction."""
    found: list[Signal] = []
    for n, is_marked in enumerate(marked):
        if not is_marked:
            continue
        way = _WAYS[ways[n]]
        if found and n and marked[n - 1] and found[-1].direction == way:
            found[-1] = Signal(rule, way, (*found[-1].points, places[n]))
        else:
            found.append(Signal(rule, way, (places[n],)))
    return found


def _spread(values: Sequence[float | None], places: Sequence[int], length: int) -> list[float | None]:
    spread: list[float | None] = [None] * length
    for value, place in zip(values, places, strict=True):
        spread[place] = value
    return spread
