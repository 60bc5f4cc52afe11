"""The trend analysis of a pack: the same series that GET /v1/trends answers with, service by service, as of then.

For whoever is not told small cells, counts of one to four are withheld, with as many others as keep them from being
worked out; a series of which any is withheld has no line, limits or signals, which would tell them again.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from app.domain.small_cells import Cell, withheld
from app.operations.follow import catch_up
from app.operations.pack_case import Case
from app.operations.trend_asking import MOST_POINTS, Asked, Bucket
from app.operations.trends import trends

WITHHELD = "Counts below five are withheld."
_WEEKLY = timedelta(days=185)
"""Up to so long a period is shown in weeks, a longer one in months."""
_LONGEST = timedelta(days=31 * (MOST_POINTS - 2))


def trend_analysis(case: Case) -> dict[str, Any]:
    """What trends.json holds: one answer, each of its series one service."""
    house, asked = case.house, case.asked
    catch_up(house.database, house.batches.dialect, house.configurations, case.organisation, "heatmap")
    bucket: Bucket = "week" if asked.until_at - asked.since_at <= _WEEKLY else "month"
    since = max(case.since, case.until - _LONGEST // timedelta(microseconds=1))
    found: list[dict[str, Any]] = []
    services: Sequence[str | None] = asked.services or (None,)
    for n, service_id in enumerate(services):
        case.told("analysing trends", n, len(services))
        filters = {} if service_id is None else {"service_id": service_id}
        question = Asked("count", "service_id", bucket, since, case.until, filters)
        with case.reader() as reader:
            found.append(trends(reader, reader.settled(), question, asked.made_at))
    whole = _together(found)
    return whole if case.has_small_cells else without_small_cells(whole)


def _together(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The answers of several services as one."""
    merged = dict(found[0])
    for name in ("series", "signals", "drought"):
        merged[name] = [one for answer in found for one in answer[name]]
    if len(found) > 1 or merged["filters"]:
        merged["filters"] = {"services": [answer["filters"]["service_id"] for answer in found]}
    return merged


def without_small_cells(found: Mapping[str, Any]) -> dict[str, Any]:
    """The same without any count of one to four, or whatever would tell one."""
    counts: dict[Cell, int] = {
        (str(row), point["from"]): point["count"]
        for row, series in enumerate(found["series"])
        for point in series["points"]
        if point["count"]  # Weeks without a report hide nothing: what is not named holds none.
    }
    hidden = withheld(counts)
    rows = {row for row, _ in hidden}
    series = [
        _bare(one, {at for row, at in hidden if row == str(n)}) if str(n) in rows else one
        for n, one in enumerate(found["series"])
    ]
    kept = [one for one in series if not one.get("suppressed")]
    return {
        **found,
        "series": series,
        "signals": [{"key": one["key"], **signal} for one in kept for signal in one["signals"]],
        "drought": [{"key": one["key"], **one["drought"]} for one in kept if one["drought"]["is_drought"]],
    }


def _bare(series: Mapping[str, Any], hidden: set[str | None]) -> dict[str, Any]:
    """A series with the counts that may be told, and nothing that was worked out from the others."""
    points = [
        {
            **{name: point[name] for name in ("from", "to", "complete")},
            **dict.fromkeys(("count", "value"), None if point["from"] in hidden else point["count"]),
            "signals": list[str](),
        }
        for point in series["points"]
    ]
    nothing = [None] * len(points)
    return {
        "key": series["key"],
        "what": series["what"],
        "says": WITHHELD,
        "method": "run",
        "unit": "reports",
        "points": points,
        "centre_line": None,
        "limits": {"lower": nothing, "upper": nothing},
        "signals": [],
        "suppressed": True,
    }
