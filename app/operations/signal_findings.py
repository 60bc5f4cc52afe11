"""What is in alarm in one service: decided from counts of whole weeks and from silences. No database, no clock.

Of the weeks that are looked at the last eight are watched; what was before is usual.

rising: a Poisson CUSUM over the watched weeks, which knows nothing before them, so that only what happens now can be in
alarm. Usual is what the weeks before say, at least eight, by the rule that trends follow too (`usual.py`). The weeks in
which an escalation asks about the type are not watched: its threshold was reached, and managers know.
chance_share: Fisher's exact test of the share of `chance` among the known recovery barriers, against before (p < 0.01).
drought: a silence that is too long for chance (`signal_silence.py`).

An answer holds for eight weeks, for the silence that it was about; what is in alarm after that is told again.
"""

from collections.abc import Iterator
from itertools import pairwise

from app.domain.moment import from_micros
from app.domain.signal import CusumDesign, Drought, Found, Trend, series_of
from app.operations.signal_seen import (
    ALPHA,
    HOLDS,
    WATCHED,
    WEEK,
    Seen,
    capital,
    label_of,
    rounded,
    spoken_day,
    start_of,
    watched_monday,
)
from app.operations.signal_silence import droughts
from app.operations.usual import usual_of
from app.projections.trend_watch import monday_of

FEWEST = 8
_FEWEST_KNOWN = 10
_FEWEST_BY_CHANCE = 3


def findings(seen: Seen) -> Iterator[Found]:
    """What is in alarm, and is not told already or answered since."""
    if seen.newest - seen.oldest >= (FEWEST + WATCHED - 1) * WEEK:
        for incident_type in sorted({one.incident_type for one in seen.counted if one.monday > _before_watched(seen)}):
            for trend in (_rising(seen, incident_type), _chance_share(seen, incident_type)):
                if trend is not None and not _is_answered(seen, trend):
                    yield trend
    for drought in droughts(seen):
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
    before, watched = counts[:-WATCHED], counts[-WATCHED:]
    last_alarm = seen.alarmed.get(incident_type, 0)
    begins = next((n for n in range(WATCHED) if watched_monday(seen, n) > last_alarm), WATCHED)
    watched = watched[begins:]
    usual = usual_of(before)
    if usual is None or sum(watched) <= usual.mean * len(watched):
        return None
    chart, mean = usual.chart(), usual.mean
    if len(watched) - 1 not in cusum.alarms(watched, chart):
        return None
    statistic = cusum.statistic(watched, chart.k)
    climbs = max((n for n, (until_then, _) in enumerate(pairwise((0.0, *statistic))) if until_then <= 0), default=0)
    since = watched_monday(seen, begins + climbs)
    return Trend(
        "rising",
        seen.service_id,
        incident_type,
        "count_per_week",
        "poisson_cusum",
        recent=rounded(sum(watched) / len(watched)),
        recent_count=sum(watched),
        recent_weeks=len(watched),
        baseline=rounded(mean),
        baseline_count=sum(before),
        baseline_weeks=len(before),
        statistic=rounded(statistic[-1]),
        limit=rounded(chart.h),
        since=start_of(seen, since),
        since_week=label_of(since),
        until_week=label_of(seen.newest),
        as_of_sequence=seen.as_of_sequence,
        says=(
            f"{capital(incident_type)} near misses in {seen.name} have become more frequent since "
            f"{spoken_day(since)}: {sum(watched)} in the last {len(watched)} weeks, where about "
            f"{len(watched) * mean:.1f} would be usual. A rise like this comes by chance about once in ten years. "
            "No escalation of this service asked about them meanwhile."
        ),
        locality=seen.locality,
        design=CusumDesign(*map(rounded, (chart.mu0, chart.mu1, chart.k, chart.h, chart.arl0))),
    )


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
    since = watched_monday(seen, 0)
    return Trend(
        "chance_share",
        seen.service_id,
        incident_type,
        "chance_share",
        "fisher_exact",
        recent=rounded(recent / recent_total),
        recent_count=recent,
        recent_weeks=WATCHED,
        baseline=rounded(baseline / baseline_total),
        baseline_count=baseline,
        baseline_weeks=len(known) - WATCHED,
        statistic=rounded(p),
        limit=ALPHA,
        since=start_of(seen, since),
        since_week=label_of(since),
        until_week=label_of(seen.newest),
        as_of_sequence=seen.as_of_sequence,
        says=(
            f"Of {recent_total} {incident_type} near misses in {seen.name} since {spoken_day(since)}, {recent} came to "
            f"no harm by chance alone; before it were {baseline} of {baseline_total}. The barriers that should catch "
            "them are catching fewer."
        ),
        locality=seen.locality,
        recent_total=recent_total,
        baseline_total=baseline_total,
    )
