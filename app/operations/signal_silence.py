"""Whether a service, or a source in it, has fallen silent: decided from what was usual. No database, no clock.

The time since the last report, against what was usual in up to 26 weeks before it (at least 12, with six reports). By
chance a service falls so silent in less than one of 100 silences, and not more often than once in ten years. What comes
from a source whose silence was told already is not expected.
"""

from collections.abc import Iterator

from app.domain.moment import from_micros
from app.domain.signal import Drought
from app.operations.signal_seen import ALPHA, WEEK, Seen, rounded
from app.operations.usual import IN_CONTROL
from app.projections.trend_watch import WHOLE, monday_of

_USUAL = 26
_FEWEST_BEFORE_SILENCE = 12
_FEWEST_REPORTS = 6


def droughts(seen: Seen) -> Iterator[Drought]:
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
    from app.analysis import outcome  # Here, for numpy is slow to come and most processes ask nothing of it.

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
    gap = max(0.0, (seen.now - since).total_seconds() / 86_400)  # It was heard by another clock, which may be ahead.
    limit = min(ALPHA, 1 / (IN_CONTROL * a_week))
    test = outcome.drought(gap, count, days, limit)
    if not test.is_drought:
        return None
    through = "" if source is None else f" through {source}"
    return Drought(
        seen.service_id,
        since,
        round(gap, 2),
        rounded(a_week),
        count,
        days,
        rounded(test.expected),
        rounded(test.p),
        rounded(limit),
        seen.as_of_sequence,
        says=(
            f"No near miss was reported in {seen.name}{through} for {gap:.0f} days, where {a_week:.1f} a week "
            f"are usual: about {test.expected:.0f} would have come by now. Fewer reports are not safety: ask whether "
            "near misses are still seen and told."
        ),
        locality=seen.locality,
        source=source,
    )
