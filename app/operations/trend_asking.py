"""What is asked of a trend, and the buckets that answers it: local days cut into days, weeks or months.

A bucket begins and ends at midnight in the zone, so that the day a clock is moved is as long as it was. The bucket that
is still running is shown and never judged.
"""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from app.domain.decider import Fault, Invalid
from app.domain.moment import from_micros, local_instant, to_micros

Measure = Literal["count", "rate", "chance_share"]
Bucket = Literal["day", "week", "month", "event"]
MEASURES: tuple[Measure, ...] = ("count", "rate", "chance_share")
BUCKETS: tuple[Bucket, ...] = ("day", "week", "month", "event")
GROUPS = (
    "service_id",
    "locality",
    "incident_type",
    "deviation",
    "stage_allowed",
    "stage_affected",
    "recovery_barrier",
    "source",
)
FILTERS = ("service_id", "locality", "incident_type", "deviation", "classification", "stage_allowed", "source")
CHARTS = ("run", "c", "u", "p", "t", "g", "xmr", "cusum")
WITHOUT_EXPOSURE = ("run", "c", "t", "g", "xmr", "cusum")
"""The charts of counts that need not know what there was to do."""

BETWEEN = ("t", "g")
"""The charts whose points are the days between two reports."""

MOST_POINTS = 400
MOST_SERIES = 50
USUAL: Mapping[Bucket, int] = {"day": 90, "week": 52, "month": 12, "event": 52}
"""How many complete buckets are shown when no `from` is asked for; of events, the weeks."""
EARLIEST = to_micros(datetime(1901, 1, 1, tzinfo=UTC))
LOOKING_BACK = 104
"""Weeks before the period's end that the weekly counts begin with."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question. `since`, `until`: microseconds, inclusive and exclusive. `filters`: field of a fact → its value.

    A service may be named by any of its names. `chart`: None chooses what fits.
    """

    measure: Measure = "count"
    group_by: str | None = None
    bucket: Bucket = "month"
    since: int | None = None
    until: int | None = None
    filters: Mapping[str, str] = field(default_factory=dict[str, str])
    chart: str | None = None


@dataclass(frozen=True, slots=True)
class Periods:
    """Local days cut into buckets. `edges`: one day more than there are buckets. `cuts`: the same as microseconds.

    The last bucket may run on after `until`, which nothing that is counted reaches.
    """

    edges: tuple[date, ...]
    cuts: tuple[int, ...]
    until: int
    judged_by: int

    def __len__(self) -> int:
        return len(self.edges) - 1

    def is_complete(self, n: int) -> bool:
        """Whether the bucket has ended, and all of it was asked for."""
        return self.cuts[n + 1] <= self.judged_by

    def holding(self, at: int) -> int | None:
        """The bucket that an instant lies in."""
        n = bisect_right(self.cuts, at) - 1
        return n if 0 <= n < len(self) else None


def periods(asked: Asked, now: datetime, zone: ZoneInfo) -> Periods:
    """The buckets to be shown. One that begins after now is not. Raises `Invalid` when they are too many."""
    bucket: Bucket = "week" if asked.bucket == "event" else asked.bucket
    running_ends = _micros(_next(_start(_local(to_micros(now), zone), bucket), bucket), zone)
    until = running_ends if asked.until is None else min(asked.until, running_ends)
    if until < EARLIEST:
        raise Invalid(Fault("/query/to", "out-of-range", "Ask for a period after the year 1900."))
    if asked.since is not None and not EARLIEST <= asked.since < until:
        detail = "Begin the period before it ends, before now, and after the year 1900."
        raise Invalid(Fault("/query/from", "not-before-to", detail))
    last = _start(_local(until - 1, zone), bucket)
    first = _start(_local(asked.since, zone), bucket) if asked.since is not None else _back(last, bucket, USUAL[bucket])
    edges = [first]
    while edges[-1] <= last:
        edges.append(_next(edges[-1], bucket))
        if len(edges) - 1 > MOST_POINTS:
            detail = f"Ask for at most {MOST_POINTS} buckets: a later `from`, or larger buckets."
            raise Invalid(Fault("/query/from", "too-many-buckets", detail))
    return Periods(tuple(edges), tuple(_micros(day, zone) for day in edges), until, min(until, to_micros(now)))


def weeks(shown: Periods, zone: ZoneInfo) -> Periods:
    """The complete weeks up to the end of what is shown, as many as the CUSUM looks back on."""
    end = _start(_local(shown.judged_by, zone), "week")
    edges = tuple(end - timedelta(weeks=n) for n in range(LOOKING_BACK, -1, -1))
    cuts = tuple(_micros(day, zone) for day in edges)
    return Periods(edges, cuts, cuts[-1], cuts[-1])


def _start(day: date, bucket: Bucket) -> date:
    match bucket:
        case "month":
            return day.replace(day=1)
        case "week":
            return day - timedelta(days=day.weekday())
        case _:
            return day


def _next(day: date, bucket: Bucket) -> date:
    match bucket:
        case "month":
            return (day + timedelta(days=31)).replace(day=1)
        case "week":
            return day + timedelta(days=7)
        case _:
            return day + timedelta(days=1)


def _back(day: date, bucket: Bucket, count: int) -> date:
    if bucket == "month":
        year, month = divmod(day.year * 12 + day.month - 1 - count, 12)
        return date(year, month + 1, 1)
    return day - timedelta(days=count * (7 if bucket == "week" else 1))


def _local(at: int, zone: ZoneInfo) -> date:
    return from_micros(at).astimezone(zone).date()


def _micros(day: date, zone: ZoneInfo) -> int:
    return to_micros(local_instant(datetime.combine(day, time.min), zone))
