"""One series of a trend: its counts bucket by bucket, what there was to do, and the chart that fits them.

The chart follows the numbers unless one is asked for: monthly totals XmR, counts by the week u where every bucket has
its exposure and c where not, what is rarer than one a bucket the days between, a share p.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from app.analysis.outcome import share_rose
from app.domain.moment import DAY
from app.domain.service import locality_at
from app.events.envelope import instant
from app.operations.configuration import Configuration
from app.operations.trend_asking import BETWEEN, MOST_POINTS, Asked, Periods
from app.operations.trend_block import METHODS, Block, Point, Signal, judged
from app.operations.trend_facts import EXPOSURES, Counted, Exposure, Key

PER = 1_000
RECENT: Mapping[str, int] = {"day": 28, "week": 13, "month": 3, "event": 5}
"""How many of the last points a share is compared by with those before."""

SPARSE = 1.0
"""Reports a bucket on the average below which the days between them are charted."""

STATED = 0.7
"""Of a bucket's days those on which its exposure must be stated: a service that closes at weekends states 5 of 7."""

_FITS: Mapping[str, tuple[str, ...]] = {
    "medication": ("doses_due", "resident_days", "visits_scheduled"),
    "visit": ("visits_scheduled",),
}
_FITS_ALL = ("resident_days", "visits_scheduled")

Amount = Callable[[int], float | None]
"""Bucket → what there was to do in it; None where too little of it is known."""


@dataclass(slots=True)
class Tally:
    """What is counted of one key, bucket by bucket (`shown`) and week by week."""

    key: Key
    counts: list[int]
    barriers: list[int]
    chances: list[int]
    stated: list[list[int]]
    weekly: list[int]
    total: int = 0
    first: int | None = None
    last: int | None = None
    keys: int = 1

    def add(self, one: Counted, bucket: int | None, week: int | None, since: int) -> None:
        """Count a stretch that lies in this bucket and this week and begins at `since`."""
        self.total += one.count
        self.first = since if self.first is None else min(self.first, since)
        self.last = one.last if self.last is None else max(self.last, one.last)
        if week is not None:
            self.weekly[week] += one.count
        if bucket is not None:
            self.counts[bucket] += one.count
            self.barriers[bucket] += one.barrier
            self.chances[bucket] += one.chance
            for kind, count in enumerate(one.stated):
                self.stated[kind][bucket] += count


def empty(key: Key, shown: Periods, weeks: Periods) -> Tally:
    """Nothing counted yet."""
    none = [0] * len(shown)
    return Tally(key, [*none], [*none], [*none], [[*none] for _ in EXPOSURES], [0] * len(weeks))


def merged(key: Key, tallies: Sequence[Tally]) -> Tally:
    """Several series as one."""

    def total(lists: Iterable[Sequence[int]]) -> list[int]:
        return [sum(column) for column in zip(*lists, strict=True)]

    return Tally(
        key,
        total(one.counts for one in tallies),
        total(one.barriers for one in tallies),
        total(one.chances for one in tallies),
        [total(one.stated[kind] for one in tallies) for kind in range(len(EXPOSURES))],
        total(one.weekly for one in tallies),
        sum(one.total for one in tallies),
        min((one.first for one in tallies if one.first is not None), default=None),
        max((one.last for one in tallies if one.last is not None), default=None),
        len(tallies),
    )


@dataclass(frozen=True, slots=True)
class Doing:
    """What there was to do: everything that was stated, and which of it belongs to a series."""

    asked: Asked
    settled: Configuration
    shown: Periods
    stated: Sequence[Exposure]
    _services: dict[str, list[Exposure]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        services: dict[str, list[Exposure]] = {}
        for one in self.stated:
            services.setdefault(one.service_id, []).append(one)
        object.__setattr__(self, "_services", services)

    def stating(self) -> list[set[str]]:
        """Of each kind of exposure the services that state it."""
        return [{one.service_id for one in self.stated if one.days[kind]} for kind in range(len(EXPOSURES))]

    def of(self, key: Key) -> tuple[int, Amount] | None:
        """The kind of exposure that fits the key, and how much of it there was; None when none is stated."""
        said = {**self.asked.filters, **({self.asked.group_by: key} if self.asked.group_by else {})}
        services = [said["service_id"]] if said.get("service_id") is not None else list(self._services)
        for name in _FITS.get(str(said.get("incident_type")), _FITS_ALL):
            kind = EXPOSURES.index(name)
            found = [one for it in services for one in self._services.get(it or "", ()) if one.days[kind]]
            if found:
                return kind, self._amounts(kind, found, said.get("locality"))
        return None

    def _amounts(self, kind: int, found: Sequence[Exposure], locality: str | None) -> Amount:
        stating = {one.service_id for one in found}
        edges = self.shown.edges

        def amount(n: int) -> float | None:
            there = {
                it
                for it in stating
                if locality is None or locality_at(self.settled.service_of(it)[1], edges[n]) == locality
            }
            of_bucket = [one for one in found if one.bucket == n and one.service_id in there]
            days = sum(one.days[kind] for one in of_bucket)
            total = sum(one.amounts[kind] for one in of_bucket)
            enough = days >= STATED * (edges[n + 1] - edges[n]).days * len(there)
            return float(total) if total and enough else None

        return amount


def charted(asked: Asked, tally: Tally, shown: Periods, doing: Doing, begins: int) -> Block:
    """The buckets of a series, from the one that it begins in, under the chart that is asked for or fits."""
    places = range(begins, len(shown))
    if asked.measure == "chance_share":
        block = judged(asked.chart or "p", "share", [_share(tally, shown, n) for n in places])
        return _share_watched(block, RECENT[asked.bucket])
    todo = doing.of(tally.key)
    if asked.measure == "rate" or asked.chart == "u":
        return _rate(asked.chart or "u", tally, shown, places, todo)
    points = [_count(tally, shown, n) for n in places]
    if todo is not None and asked.chart is None and asked.bucket in ("day", "week"):
        kind, amount = todo
        if all(amount(n) is not None and tally.stated[kind][n] == tally.counts[n] for n in _complete(shown, places)):
            return _rate("u", tally, shown, places, todo)
    if asked.chart is None and _is_sparse(tally, shown, places):
        return Block("run", "count", points, parameters={"name": METHODS["run"], "judged_by": "between"})
    return judged(asked.chart or ("xmr" if asked.bucket == "month" else "c"), "count", points)


def between(asked: Asked, moments: Sequence[int], until: int) -> Block:
    """The days between one report and the next; those since the last one go on, and are judged by no rule."""
    chart = "g" if asked.chart == "g" else "t"
    ends = [*moments, max(until, moments[-1])] if moments else []
    points: list[Point] = []
    for n, (since, at) in enumerate(pairwise(ends)):
        days = (at - since) / DAY
        value = float(int(days)) if chart == "g" else days
        is_over = n + 2 < len(ends)
        points.append(Point(instant(since), instant(at), int(is_over), round(value, 4), is_over))
    return judged(chart, "days between", points[-MOST_POINTS:])


def is_by_event(asked: Asked) -> bool:
    """Whether the points of a series are the days between its reports."""
    return asked.bucket == "event" or asked.chart in BETWEEN


def counts_days(asked: Asked, tally: Tally, shown: Periods, begins: int) -> bool:
    """Whether the days between reports are charted: asked for, or beside counts that are mostly nought."""
    if asked.measure != "count":
        return False
    return is_by_event(asked) or (asked.chart is None and _is_sparse(tally, shown, range(begins, len(shown))))


def _is_sparse(tally: Tally, shown: Periods, places: Sequence[int]) -> bool:
    counts = [tally.counts[n] for n in _complete(shown, places)]
    return bool(counts) and sum(counts) / len(counts) < SPARSE


def _complete(shown: Periods, places: Sequence[int]) -> list[int]:
    return [n for n in places if shown.is_complete(n)]


def _count(tally: Tally, shown: Periods, n: int) -> Point:
    count = tally.counts[n]
    return Point(shown.edges[n].isoformat(), shown.edges[n + 1].isoformat(), count, float(count), shown.is_complete(n))


def _share(tally: Tally, shown: Periods, n: int) -> Point:
    barriers = tally.barriers[n]
    return replace(
        _count(tally, shown, n),
        count=tally.chances[n],
        value=round(tally.chances[n] / barriers, 4) if barriers else None,
        exposure=float(barriers),
        beside={"without_barrier": tally.counts[n] - barriers},
    )


def _share_watched(block: Block, recent: int) -> Block:
    """Beside what the chart says: whether the latest share is above the one before (Fisher's exact test)."""
    places = block.judged
    later, before = places[-recent:], places[:-recent]
    if not before:
        return block
    parts, totals = [one.count for one in block.points], [round(one.exposure or 0) for one in block.points]
    rose, p = share_rose(
        sum(parts[n] for n in later),
        sum(totals[n] for n in later),
        sum(parts[n] for n in before),
        sum(totals[n] for n in before),
    )
    parameters = {**block.parameters, "recent_points": len(later), "share_rose_p": p}
    signals = [*block.signals, Signal("share_rose", "up", later)] if rose else block.signals
    return replace(block, parameters=parameters, signals=signals)


def _rate(chart: str, tally: Tally, shown: Periods, places: Sequence[int], todo: tuple[int, Amount] | None) -> Block:
    if todo is None:
        points = [replace(_count(tally, shown, n), value=None) for n in places]
        return judged(chart, f"per {PER:,}", points)
    kind, amount = todo
    points: list[Point] = []
    for n in places:
        exposure, count = amount(n), tally.stated[kind][n]
        value = round(count / exposure * PER, 6) if exposure else None
        beside = {"left_out": tally.counts[n] - count} if tally.counts[n] > count else {}
        points.append(replace(_count(tally, shown, n), count=count, value=value, exposure=exposure, beside=beside))
    block = judged(chart, f"per {PER:,} {EXPOSURES[kind].replace('_', ' ')}", points, PER)
    return replace(block, parameters={**block.parameters, "exposure": EXPOSURES[kind], "per": PER})
