"""Trends: near misses over time, series by series, with the chart that tells a change from chance (`domain.md` §5).

Counted are the rows that the heatmap counts. The weekly counts of every key are watched for a rise below the threshold
(S19) whichever buckets are shown, and every key for a silence: fewer reports is not safety.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from app.domain.decider import Fault, Invalid
from app.domain.moment import to_micros
from app.domain.zones import zone as zone_of
from app.operations import trend_document, trend_facts, trend_saying, trend_series
from app.operations.configuration import Configuration
from app.operations.heatmaps import come_to
from app.operations.show import Reader
from app.operations.trend_asking import MOST_SERIES, WITHOUT_EXPOSURE, Asked, Periods, periods, weeks
from app.operations.trend_facts import NO_KEY, Key
from app.operations.trend_rising import Silence, rising, silence
from app.operations.trend_series import Doing, Tally

__all__ = ["Asked", "trends"]

_NO_EXPOSURE = (
    "A u-chart counts per what there was to do, which is not stated often enough here (PUT /v1/denominators). "
    f"Without it counts can be charted as: {', '.join(WITHOUT_EXPOSURE)}."
)

REST = "\0rest"
"""The series of all keys beyond the most that are shown."""


@dataclass(frozen=True, slots=True)
class Survey:
    """A question with its buckets, and everything that was read for it. `by`: the instant that it is judged at."""

    reader: Reader
    settled: Configuration
    asked: Asked
    zone: ZoneInfo
    shown: Periods
    weeks: Periods
    by: int
    doing: Doing
    tallies: Sequence[Tally]


def trends(reader: Reader, settled: Configuration, asked: Asked, now: datetime) -> dict[str, Any]:
    """The answer of GET /v1/trends as of `reader.as_of` (None: now); the same question is always answered the same.

    Whoever asks has had the follower `heatmap` catch up before. Raises `Invalid` for a period that ends before it
    begins, for too many buckets, and for a u-chart where nowhere is known what there was to do.
    """
    survey = _surveyed(reader, settled, asked, now)
    born = _births(survey)
    moments = _moments(survey, born)
    series = [_series(survey, one, born[one.key], moments.get(one.key, [])) for one in survey.tallies]
    if asked.chart == "u" and asked.measure == "count" and series and not any(map(_has_values, series)):
        raise Invalid(Fault("/query/chart", "does-not-fit", _NO_EXPOSURE))
    return trend_document.answer(survey.asked, survey.shown, survey.zone.key, come_to(reader), series)


def _has_values(series: Mapping[str, Any]) -> bool:
    return any(point["value"] is not None for point in series["points"])


def _surveyed(reader: Reader, settled: Configuration, asked: Asked, now: datetime) -> Survey:
    zone = settled.zone
    if (service_id := asked.filters.get("service_id")) is not None:
        own, service = settled.service_of(service_id)
        asked = replace(asked, filters={**asked.filters, "service_id": own or service_id})
        if service.particulars is not None and service.particulars.time_zone:
            zone = zone_of(service.particulars.time_zone)
    shown = periods(asked, now, zone)
    week_by_week = weeks(shown, zone)
    stated = trend_facts.exposures(reader, shown.edges, asked.filters.get("service_id"))
    doing = Doing(asked, settled, shown, stated)
    cuts = sorted({one for one in (*shown.cuts, *week_by_week.cuts) if one < shown.until} | {shown.until})
    found = trend_facts.counted(reader, settled, asked, cuts, doing.stating(), away=zone != settled.zone)
    tallies: dict[Key, Tally] = {}
    for one in found:
        tally = tallies.setdefault(one.key, trend_series.empty(one.key, shown, week_by_week))
        since = cuts[one.stretch]
        tally.add(one, shown.holding(since), week_by_week.holding(since), since)
    if asked.group_by is None and not tallies:
        tallies[NO_KEY] = trend_series.empty(NO_KEY, shown, week_by_week)
    by = min(shown.until, to_micros(now))
    return Survey(reader, settled, asked, zone, shown, week_by_week, by, doing, _largest(list(tallies.values()), shown))


def _largest(tallies: list[Tally], shown: Periods) -> list[Tally]:
    """The largest series first; those beyond the most that are shown are summed as the rest."""
    tallies.sort(key=lambda one: (-sum(one.counts), -one.total, one.key is None, one.key or ""))
    if len(tallies) <= MOST_SERIES:
        return tallies
    rest = trend_series.merged(REST, tallies[MOST_SERIES - 1 :])
    return [*tallies[: MOST_SERIES - 1], rest]


def _births(survey: Survey) -> dict[Key, int]:
    """When the nought of a series begins to mean that nothing happened: at the first report of its service, else of
    the organisation; of a locality or a source, which no index names, at the first that was read.
    """
    asked, keys = survey.asked, [one.key for one in survey.tallies]
    service_id = asked.filters.get("service_id")
    scopes: dict[Key, str | None] = dict.fromkeys(keys, service_id)
    if asked.group_by == "service_id" and service_id is None:
        scopes = {key: None if key == REST else key for key in keys}
    firsts = trend_facts.first_reports(survey.reader, list(dict.fromkeys(scopes.values())))
    own = {"locality", "source"} & {asked.group_by, *asked.filters}
    born: dict[Key, int] = {}
    for tally in survey.tallies:
        first = tally.first if own and tally.first is not None else firsts[scopes[tally.key]]
        born[tally.key] = survey.by if first is None else first
    return born


def _moments(survey: Survey, born: Mapping[Key, int]) -> dict[Key, list[int]]:
    """When the reports of those series happened whose days between are charted."""
    asked, shown = survey.asked, survey.shown
    keys = [
        one.key
        for one in survey.tallies
        if one.key != REST and trend_series.counts_days(asked, one, shown, _begins(shown, born[one.key]))
    ]
    if not keys:
        return {}
    since = shown.cuts[0] if asked.since is None or asked.bucket != "event" else asked.since
    return trend_facts.moments(survey.reader, survey.settled, asked, since, shown.until, keys)


def _series(survey: Survey, tally: Tally, born: int, moments: Sequence[int]) -> dict[str, Any]:
    asked, shown = survey.asked, survey.shown
    what = trend_saying.subject(survey.settled, _said(survey, tally))
    if tally.key == REST:
        what = f"Near misses of the other {tally.keys} series together"
    gaps = trend_series.between(asked, moments, survey.by) if moments else None
    if trend_series.is_by_event(asked):
        block, gaps = gaps or trend_series.between(asked, (), survey.by), None
    else:
        block = trend_series.charted(asked, tally, shown, survey.doing, _begins(shown, born))
    first_week = _begins(survey.weeks, born)
    weekly = tally.weekly[first_week:]
    before = max(0, bisect_left(survey.weeks.cuts, shown.cuts[0]) - first_week)
    climb = rising(weekly, before) if asked.measure != "chance_share" else None
    return trend_document.series(
        key={} if asked.group_by is None or tally.key == REST else {asked.group_by: tally.key},
        rest=tally.keys if tally.key == REST else None,
        block=block,
        between=gaps,
        climb=climb,
        weeks=survey.weeks.edges[first_week:],
        weekly=weekly,
        quiet=_silence(survey, tally, born),
        what=what,
        zone=survey.zone,
        asked=asked,
    )


def _begins(buckets: Periods, born: int) -> int:
    """The first bucket that counts: the one in which the series begins."""
    return max(0, bisect_right(buckets.cuts, born) - 1)


def _silence(survey: Survey, tally: Tally, born: int) -> Silence | None:
    if tally.last is None:
        return None
    since = max(born, min(survey.shown.cuts[0], survey.weeks.cuts[0]))
    count = tally.total - (1 if since == born else 0)  # The first report begins the time that is counted.
    return silence(count, since, tally.last, survey.by)


def _said(survey: Survey, tally: Tally) -> dict[str, str | None]:
    group = survey.asked.group_by
    return {**survey.asked.filters, **({group: tally.key} if group is not None else {})}
