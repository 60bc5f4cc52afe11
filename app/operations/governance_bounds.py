"""How large a snapshot may become: it stands in an event, which goes out over every wire and stays for ever.

Each part has a share of the bytes and keeps its first entries, which are the weightiest; what does not fit is counted
as left out. Of trends the points go before the sentences, and those of small series before those of large ones.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

_KIB = 1024
SHARES: Mapping[str, int] = {
    "trends": 104 * _KIB,
    "escalations": 48 * _KIB,
    "contributing_factors": 24 * _KIB,
    "services_affected": 20 * _KIB,
    "open_actions": 16 * _KIB,
    "outcomes": 16 * _KIB,
    "signals": 12 * _KIB,
    "system_risk_reviews": 8 * _KIB,
    "less_sensitive_policies": 6 * _KIB,
}
"""Together below 256 KiB, a quarter of what a message of NATS may hold."""

_LEAST = ("key", "what", "rest", "drought", "says")
"""What is left of a series without its points."""


def bounded(snapshot: Mapping[str, Any]) -> dict[str, Any]:
    """The snapshot as it may be stored, with `left_out`: how many of what it does not hold."""
    left_out = Counter[str](snapshot.get("left_out", {}))
    kept: dict[str, Any] = {**snapshot, "trends": _trends(snapshot["trends"], left_out)}
    for name, share in SHARES.items():
        if name != "trends":
            kept[name] = _first(snapshot[name], share)
            left_out[name] += len(snapshot[name]) - len(kept[name])
    return {**kept, "left_out": {name: count for name, count in sorted(left_out.items()) if count}}


def _first(entries: Sequence[Any], share: int) -> list[Any]:
    kept: list[Any] = []
    for one in entries:
        share -= _size(one)
        if share < 0:
            break
        kept.append(one)
    return kept


def _trends(answers: Sequence[Mapping[str, Any]], left_out: Counter[str]) -> list[dict[str, Any]]:
    share = SHARES["trends"]
    if _size(answers) <= share:
        return [dict(one) for one in answers]
    # Signals and droughts stand with their series too.
    slim = [{name: one[name] for name in one if name not in ("signals", "drought", "series")} for one in answers]
    series = [[_without_weeks(one) for one in answer["series"]] for answer in answers]
    left_out["weekly_points"] = sum(map(len, series))
    room = share - sum(_size(one) + _size("series") for one in slim)
    ranked = sorted(_places(answers, series))
    shown: dict[tuple[int, int], dict[str, Any]] = {}
    for _, _, n, m in ranked:  # First a sentence for every series, as far as they go.
        whole = series[n][m]
        least: dict[str, Any] = {name: whole[name] for name in _LEAST if name in whole}
        least |= {"points": [], "signals": []}
        room -= _size(least) + 1
        if room < 0:
            left_out["series"] = len(ranked) - len(shown)
            break
        shown[n, m] = least
    for _, _, n, m in ranked:
        if (n, m) not in shown:
            break
        more = _size(series[n][m]) - _size(shown[n, m])
        if more > room:
            left_out["charts"] += 1
            continue
        room -= more
        shown[n, m] = series[n][m]
    return [
        {**one, "series": [shown[n, m] for m in range(len(series[n])) if (n, m) in shown]} for n, one in enumerate(slim)
    ]


def _places(
    answers: Sequence[Mapping[str, Any]], series: Sequence[Sequence[Mapping[str, Any]]]
) -> Iterator[tuple[int, int, int, int]]:
    """The weightiest first: what counts all of a place, then how often by service, then the rest; the largest first."""
    for n, answer in enumerate(answers):
        kind = (answer["measure"] != "count") + 2 * (answer["group_by"] not in (None, "service_id"))
        for m, one in enumerate(series[n]):
            yield kind, -sum(point["count"] for point in one["points"]), n, m


def _without_weeks(series: Mapping[str, Any]) -> dict[str, Any]:
    """A series by month alone: without its weekly counts and the days between its reports."""
    slim = {name: value for name, value in series.items() if name != "between"}
    if "cusum" in slim:
        slim["cusum"] = {name: value for name, value in slim["cusum"].items() if name != "points"}
    return slim


def _size(part: Any) -> int:
    return len(msgspec.json.encode(part)) + 1
