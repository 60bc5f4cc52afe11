"""What is in alarm in one service: decided from counts of whole weeks and from silences. No database, no clock.

Weeks are ISO 8601 weeks of the organisation's time zone, and only those that are over count. At most 104 of them are
looked at, from the one of the service's first report on; the last eight are watched, what was before is usual.

rising: a Poisson CUSUM over the watched weeks, which knows nothing before them, so that only what happens now can be in
alarm. Usual is the mean of the weeks before (at least eight), with half a report more than were seen, for few weeks
know a rate only about; 0.1 a week at least. The design is the one that alarms by chance once in 520 weeks. The weeks in
which an escalation of the type stood open are not watched: its threshold was reached, and managers know.
chance_share: Fisher's exact test of the share of `chance` among the known recovery barriers, against before (p < 0.01).
drought: the time since the last report, against what was usual in up to 26 weeks before it (at least 12, with six
reports). By chance a service falls so silent in less than one of 100 silences, and not more often than once in ten
years. What comes from a source whose silence was told already is not expected.

An answer holds for eight weeks, for the silence that it was about; what is in alarm after that is told again.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from itertools import pairwise
from math import floor, log10
from typing import NamedTuple
from zoneinfo import ZoneInfo

from app.domain.moment import from_micros, local_instant
from app.domain.signal import CusumDesign, Drought, Found, Trend, series_of
from app.projections.trend_watch import WHOLE, monday_of

WEEK = 7
LONGEST = 104
WATCHED = 8
FEWEST = 8
FLOOR = 0.1
ALPHA = 0.01
HOLDS = 8
"""Weeks for which an answer holds."""
_USUAL = 26
_FEWEST_BEFORE_SILENCE = 12
_FEWEST_REPORTS = 6
_FEWEST_KNOWN = 10
_FEWEST_BY_CHANCE = 3
_CHANCE = "chance"
_RUN_LENGTH = 520.0


class Counted(NamedTuple):
    """So many near misses of one week (its Monday, a proleptic ordinal). `is_counted`: by a rule that is active."""

    monday: int
    incident_type: str
    source: str | None
    recovery_barrier: str | None
    is_counted: bool
    near_misses: int


class Told(NamedTuple):
    """The last signal of a series: since when it was in alarm (microseconds), and the day on which it was answered."""

    since: int
    answered_on: int | None


@dataclass(frozen=True, slots=True)
class Seen:
    """A service as it is seen on a day.

    `heard`: source, or `WHOLE`, → when something was reported last (microseconds); `silent`: sources whose silence was
    told; `alarmed`: incident type → the last day on which an escalation of it stood open; `told`: series → its signal.
    """

    service_id: str
    locality: str | None
    now: datetime
    zone: ZoneInfo
    first_day: int
    counted: Sequence[Counted]
    heard: Mapping[str, int]
    silent: Collection[str]
    alarmed: Mapping[str, int]
    told: Mapping[tuple[str, str, str], Told]
    as_of_sequence: int

    @property
    def today(self) -> int:
        return self.now.astimezone(self.zone).toordinal()

    @property
    def newest(self) -> int:
        """The Monday of the newest week that is over."""
        return monday_of(self.today) - WEEK

    @property
    def oldest(self) -> int:
        """The Monday of the first week that is looked at."""
        return max(monday_of(self.first_day), self.newest - (LONGEST - 1) * WEEK)

    def counts(self, incident_type: str, *, known: bool = False, by_chance: bool = False) -> list[int]:
        """Counted near misses of the type by week; of those with a known barrier, or those that chance alone saved."""
        found: Counter[int] = Counter()
        for one in self.counted:
            barrier = one.recovery_barrier
            if one.incident_type != incident_type or not one.is_counted or (known and barrier is None):
                continue
            if not by_chance or barrier == _CHANCE:
                found[one.monday] += one.near_misses
        return [found[monday] for monday in range(self.oldest, self.newest + 1, WEEK)]


def findings(seen: Seen) -> Iterator[Found]:
    """What is in alarm, and is not told already or answered since."""
    if seen.newest - seen.oldest >= (FEWEST + WATCHED - 1) * WEEK:
        for incident_type in sorted({one.incident_type for one in seen.counted if one.monday > _before_watched(seen)}):
            for trend in (_rising(seen, incident_type), _chance_share(seen, incident_type)):
                if trend is not None and not _is_answered(seen, trend):
                    yield trend
    for drought in _droughts(seen):
        if not _is_answered(seen, drought):
            yield drought


def _before_watched(seen: Seen) -> int:
    return seen.newest - WATCHED * WEEK


def _is_answered(seen: Seen, found: Found) -> bool:
    """Whether a signal of it is open, or its answer still holds."""
    told = seen.told.get(series_of(found))
    if told is None:
        return False
    if told.answered_on is None:
        return True
    if isinstance(found, Drought) and found.since > from_micros(told.since):
        return False  # It was heard meanwhile: this is another silence.
    return seen.newest < monday_of(told.answered_on) + HOLDS * WEEK


# Rising


def _rising(seen: Seen, incident_type: str) -> Trend | None:
    from app.analysis import cusum  # Here, for numpy is slow to come and most processes ask nothing of it.

    counts = seen.counts(incident_type)
    usual, watched = counts[:-WATCHED], counts[-WATCHED:]
    last_alarm = seen.alarmed.get(incident_type, 0)
    begins = next((n for n in range(WATCHED) if _monday(seen, n) > last_alarm), WATCHED)
    watched = watched[begins:]
    mean = max((sum(usual) + 0.5) / len(usual), FLOOR)
    if sum(watched) <= mean * len(watched):
        return None
    design = cusum.design(_upwards(mean), _RUN_LENGTH)
    if len(watched) - 1 not in cusum.alarms(watched, design):
        return None
    statistic = cusum.statistic(watched, design.k)
    climbs = max((n for n, (before, _) in enumerate(pairwise((0.0, *statistic))) if before <= 0), default=0)
    since = _monday(seen, begins + climbs)
    return Trend(
        "rising",
        seen.service_id,
        incident_type,
        "count_per_week",
        "poisson_cusum",
        recent=_rounded(sum(watched) / len(watched)),
        recent_count=sum(watched),
        recent_weeks=len(watched),
        baseline=_rounded(mean),
        baseline_count=sum(usual),
        baseline_weeks=len(usual),
        statistic=_rounded(statistic[-1]),
        limit=_rounded(design.h),
        since=_start(seen, since),
        since_week=_label(since),
        until_week=_label(seen.newest),
        as_of_sequence=seen.as_of_sequence,
        says=(
            f"{_capital(incident_type)} near misses in {seen.service_id} have become more frequent since "
            f"{_day(since)}: {sum(watched)} in the last {len(watched)} weeks, where about "
            f"{len(watched) * mean:.1f} would be usual. A rise like this comes by chance about once in ten years. "
            "No escalation of this service asked about them meanwhile."
        ),
        locality=seen.locality,
        design=CusumDesign(*map(_rounded, (design.mu0, design.mu1, design.k, design.h, design.arl0))),
    )


def _upwards(mean: float) -> float:
    """The mean with two digits, rounded up: a design takes a while to compute, and serves many."""
    digits = 1 - floor(log10(mean))
    return round(-(-mean * 10**digits // 1) / 10**digits, max(digits, 0))


# The share of chance


def _chance_share(seen: Seen, incident_type: str) -> Trend | None:
    from app.analysis import outcome  # As above.

    known, by_chance = (seen.counts(incident_type, known=True, by_chance=only) for only in (False, True))
    recent_total, baseline_total = sum(known[-WATCHED:]), sum(known[:-WATCHED])
    recent, baseline = sum(by_chance[-WATCHED:]), sum(by_chance[:-WATCHED])
    if baseline_total < _FEWEST_KNOWN or recent < _FEWEST_BY_CHANCE:
        return None
    rose, p = outcome.share_rose(recent, recent_total, baseline, baseline_total, ALPHA)
    if not rose:
        return None
    since = _monday(seen, 0)
    return Trend(
        "chance_share",
        seen.service_id,
        incident_type,
        "chance_share",
        "fisher_exact",
        recent=_rounded(recent / recent_total),
        recent_count=recent,
        recent_weeks=WATCHED,
        baseline=_rounded(baseline / baseline_total),
        baseline_count=baseline,
        baseline_weeks=len(known) - WATCHED,
        statistic=_rounded(p),
        limit=ALPHA,
        since=_start(seen, since),
        since_week=_label(since),
        until_week=_label(seen.newest),
        as_of_sequence=seen.as_of_sequence,
        says=(
            f"Of {recent_total} {incident_type} near misses in {seen.service_id} since {_day(since)}, {recent} came to "
            f"no harm by chance alone; before it were {baseline} of {baseline_total}. The barriers that should catch "
            "them are catching fewer."
        ),
        locality=seen.locality,
        recent_total=recent_total,
        baseline_total=baseline_total,
    )


# Silence


def _droughts(seen: Seen) -> Iterator[Drought]:
    """The silence of the service; else those of its sources."""
    heard_at = seen.heard.get(WHOLE)
    if heard_at is None:
        return
    if (whole := _drought(seen, None, heard_at)) is not None:
        yield whole
        return
    for source, its_heard_at in sorted(seen.heard.items()):
        if source != WHOLE and (one := _drought(seen, source, its_heard_at)) is not None:
            yield one


def _drought(seen: Seen, source: str | None, heard_at: int) -> Drought | None:
    from app.analysis import outcome  # As above.

    since = from_micros(heard_at)
    until = monday_of(since.astimezone(seen.zone).toordinal())
    begin = max(seen.oldest, until - _USUAL * WEEK)
    days = until - begin
    count = sum(
        one.near_misses
        for one in seen.counted
        if begin <= one.monday < until and one.source not in seen.silent and (source is None or one.source == source)
    )
    if days < _FEWEST_BEFORE_SILENCE * WEEK or count < _FEWEST_REPORTS:
        return None
    a_week = count * WEEK / days
    gap = (seen.now - since).total_seconds() / 86_400
    limit = min(ALPHA, 1 / (_RUN_LENGTH * a_week))
    test = outcome.drought(gap, count, days, limit)
    if not test.is_drought:
        return None
    through = "" if source is None else f" through {source}"
    return Drought(
        seen.service_id,
        since,
        round(gap, 2),
        _rounded(a_week),
        count,
        days,
        _rounded(test.expected),
        _rounded(test.p),
        _rounded(limit),
        seen.as_of_sequence,
        says=(
            f"No near miss was reported in {seen.service_id}{through} for {gap:.0f} days, where {a_week:.1f} a week "
            f"are usual: about {test.expected:.0f} would have come by now. Fewer reports are not safety: ask whether "
            "near misses are still seen and told."
        ),
        locality=seen.locality,
        source=source,
    )


# Weeks and words


def _monday(seen: Seen, watched: int) -> int:
    """The Monday of one of the watched weeks."""
    return seen.newest - (WATCHED - 1 - watched) * WEEK


def _start(seen: Seen, day: int) -> datetime:
    return local_instant(datetime.combine(date.fromordinal(day), time.min), seen.zone)


def _label(monday: int) -> str:
    year, week, _ = date.fromordinal(monday).isocalendar()
    return f"{year}-W{week:02d}"


def monday_named(week: str) -> int:
    """The Monday of a week like 2026-W10, a proleptic ordinal."""
    year, number = week.split("-W")
    return date.fromisocalendar(int(year), int(number), 1).toordinal()


def _day(day: int) -> str:
    when = date.fromordinal(day)
    return f"{when.day} {when:%B %Y}"


def _capital(code: str) -> str:
    words = code.replace("_", " ")
    return words[:1].upper() + words[1:]


def _rounded(value: float) -> float:
    """Six digits: what the ledger keeps of a number is told the same by every machine."""
    return float(f"{value:.6g}")
