"""A trend as the API contract shows it: every series with its points, limits, signals, drought and plain sentences."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from app.events.envelope import instant
from app.operations import trend_saying
from app.operations.trend_asking import Asked, Periods
from app.operations.trend_block import Block, Point, Signal
from app.operations.trend_rising import Rising, Silence
from app.operations.trend_saying import Told


def answer(asked: Asked, shown: Periods, zone: str, sequence: int, series: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The whole answer; its `signals` and `drought` are those of all series, each with its key."""
    return {
        "measure": asked.measure,
        "group_by": asked.group_by,
        "bucket": asked.bucket,
        "filters": dict(asked.filters),
        "from": shown.edges[0].isoformat(),
        "to": shown.edges[-1].isoformat(),
        "until": instant(shown.until),
        "as_of_sequence": sequence,
        "time_zone": zone,
        "series": list(series),
        "signals": [_of(one, signal) for one in series for signal in one["signals"]],
        "drought": [_of(one, one["drought"]) for one in series if one["drought"]["is_drought"]],
    }


def series(
    *,
    key: Mapping[str, str | None],
    rest: int | None,
    block: Block,
    between: Block | None,
    climb: Rising | None,
    weeks: Sequence[date],
    weekly: Sequence[int],
    quiet: Silence | None,
    what: str,
    zone: ZoneInfo,
    asked: Asked,
) -> dict[str, Any]:
    """One series. `rest`: how many keys it sums, when it is of those beyond the most that are shown."""
    blocks = [block] if between is None else [block, between]
    signals = [signal for one in blocks for signal in _signals(one, zone)]
    document: dict[str, Any] = {"key": dict(key), "what": what, **_block(block)}
    if rest is not None:
        document["rest"] = rest
    if between is not None:
        document["between"] = {**_block(between), "signals": _signals(between, zone)}
    if climb is not None:
        shown = _climbs(climb, weeks, weekly)
        document["cusum"] = _cusum(climb, weeks, shown)
        signals += shown
    document["signals"] = sorted(signals, key=lambda one: one["to"])
    document["drought"] = _drought(what, quiet)
    document["says"] = trend_saying.series(Told(asked, what, zone, blocks, climb, weeks, weekly, quiet))
    return document


def _block(block: Block) -> dict[str, Any]:
    marks: dict[int, list[str]] = {}
    for signal in block.signals:
        for n in signal.points if signal.direction is not None else ():
            marks.setdefault(n, []).append(signal.rule)
    judged = block.judged
    nowhere = [None] * len(block.points)
    return {
        "method": block.method,
        "unit": block.unit,
        "parameters": dict(block.parameters),
        "points": [_point(one, marks.get(n, [])) for n, one in enumerate(block.points)],
        "centre_line": _rounded(block.centre),
        "limits": {
            "lower": [_rounded(one) for one in block.lower or nowhere],
            "upper": [_rounded(one) for one in block.upper or nowhere],
        },
        "baseline": {
            "from": block.points[judged[0]].since if judged else None,
            "to": block.points[judged[-1]].until if judged else None,
            "points": len(judged),
        },
    }


def _point(point: Point, signals: Sequence[str]) -> dict[str, Any]:
    document: dict[str, Any] = {
        "from": point.since,
        "to": point.until,
        "count": point.count,
        "value": point.value,
        "complete": point.complete,
        "signals": list(signals),
        **point.beside,
    }
    if point.exposure is not None:
        document["exposure"] = point.exposure
    return document


def _signals(block: Block, zone: ZoneInfo) -> list[dict[str, Any]]:
    return [_signal(block, one, zone) for one in block.signals]


def _signal(block: Block, signal: Signal, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "rule": signal.rule,
        "direction": signal.direction,
        "from": block.points[signal.points[0]].since,
        "to": block.points[signal.points[-1]].until,
        "says": trend_saying.rule(signal, block, zone),
    }


def _climbs(climb: Rising, weeks: Sequence[date], weekly: Sequence[int]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for first, last in climb.alarms:
        now = sum(weekly[first : last + 1]) / (last + 1 - first)
        found.append(
            {
                "rule": "cusum",
                "direction": "up",
                "from": weeks[first].isoformat(),
                "to": weeks[last + 1].isoformat(),
                "says": trend_saying.climb(climb.usual, now, last + 1 - first),
            }
        )
    return found


def _cusum(climb: Rising, weeks: Sequence[date], alarms: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    design, start = climb.design, climb.baseline
    return {
        "mu0": design.mu0,
        "mu1": design.mu1,
        "k": design.k,
        "h": design.h,
        "arl0": round(design.arl0, 1),
        "baseline": {"from": weeks[0].isoformat(), "to": weeks[start].isoformat(), "weeks": start},
        "points": [
            {"from": weeks[start + n].isoformat(), "to": weeks[start + n + 1].isoformat(), "value": round(value, 4)}
            for n, value in enumerate(climb.values)
        ],
        "is_rising": climb.is_rising,
        "alarms": [{"from": one["from"], "to": one["to"]} for one in alarms],
    }


def _drought(what: str, quiet: Silence | None) -> dict[str, Any]:
    if quiet is None:
        return {"is_drought": False, "says": f"{what}: none was reported in the time that was looked at."}
    document: dict[str, Any] = {
        "is_drought": quiet.test is not None and quiet.test.is_drought,
        "days_since_last": round(quiet.days, 2),
        "last_at": instant(quiet.last),
    }
    if quiet.test is not None:
        document |= {"expected": _rounded(quiet.test.expected), "p": _rounded(quiet.test.p)}
    return {**document, "says": trend_saying.silent(what, quiet)}


def _of(one: Mapping[str, Any], part: Mapping[str, Any]) -> dict[str, Any]:
    return {"key": one["key"], **part}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
