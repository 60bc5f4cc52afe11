"""What a trend says, in sentences that a manager understands: how much it was, how much it is, what chance explains."""

from collections.abc import Mapping, Sequence
from datetime import date

from app.operations.configuration import Configuration
from app.operations.trend_asking import Asked
from app.operations.trend_block import LEAST, Block, Signal
from app.operations.trend_rising import Rising, Silence

_BUCKET = {"day": "a day", "week": "a week", "month": "a month", "event": "a week"}
_WEEKS_IN = {"day": 1 / 7, "week": 1.0, "month": 365.25 / 12 / 7, "event": 1.0}
_LISTS = {
    "incident_type": "incident_types",
    "deviation": "deviations",
    "classification": "classifications",
    "stage_allowed": "workflow_stages",
    "stage_affected": "workflow_stages",
    "recovery_barrier": "recovery_barriers",
}
_PHRASES = {
    "incident_type": " of {}",
    "deviation": " ({})",
    "classification": " counted as {}",
    "stage_allowed": " allowed at the stage {}",
    "stage_affected": " that affected the stage {}",
    "recovery_barrier": " recovered by {}",
    "source": " from {}",
    "service_id": " at {}",
    "locality": " in {}",
}
_RULES = {
    "outside_limits": "outside of the limits",
    "long_run": "a run on one side that is longer than chance explains",
    "few_crossings": "fewer crossings of the centre line than chance explains",
    "one_side": "seven or more in a row on one side of the mean",
    "trend": "seven or more in a row in one direction",
    "two_in_three": "two of three close to a limit",
    "share_rose": "the latest share is higher than before, by more than chance explains",
}


def subject(settled: Configuration, said: Mapping[str, str | None]) -> str:
    """What is counted: `said` is the filters and the key, field → value."""
    words = "Near misses"
    for name, phrase in _PHRASES.items():
        if name not in said:
            continue
        value = said[name]
        words += phrase.format(label(settled, name, value)) if value is not None else f" without a known {_plain(name)}"
    return words


def label(settled: Configuration, name: str, value: str) -> str:
    """A value as people read it: a service's name, a code's label."""
    if name == "service_id":
        particulars = settled.service_of(value)[1].particulars
        return particulars.name if particulars is not None else value
    terms = settled.taxonomy.lists.get(_LISTS.get(name, ""), ())
    return next((term.label.lower() for term in terms if term.code == value), value)


def rule(signal: Signal, block: Block) -> str:
    """One signal: where, and what was met."""
    first, last = block.points[signal.points[0]], block.points[signal.points[-1]]
    where = f"{first.since} to {last.until}"
    way = {"up": "More than usual", "down": "Fewer than usual", None: "A change"}[signal.direction]
    if block.method == "p":
        way = {"up": "A higher share", "down": "A lower share", None: "A change"}[signal.direction]
    return f"{way}, {where}: {_RULES.get(signal.rule, signal.rule)}."


def climb(usual: float, now: float, weeks: int) -> str:
    """A climb of the weekly counts that the CUSUM found."""
    return (
        f"More than usual: {about(now)} a week over {weeks} weeks where {about(usual)} a week was usual. "
        "It rises, though no single week may stand out."
    )


def series(asked: Asked, what: str, block: Block, rising: Rising | None, weekly: Sequence[int], current: int) -> str:
    """The sentence of a series. `block`: what judges it; `weekly`: its complete weeks; `current`: how many last points
    are recent.
    """
    if asked.measure == "count" and rising is not None and rising.is_rising:
        return _rose(asked, what, rising, weekly)
    places = block.judged
    if len(places) < LEAST:
        if asked.measure == "rate" and not places:
            return f"{what}: no rate, for what there was to do is not stated often enough (PUT /v1/denominators)."
        total = sum(block.points[n].count for n in places)
        if block.method in ("t", "g"):
            total += bool(places)  # The first ends no time.
            return f"{what}: {total} in the period, too few to tell a change from chance."
        what = f"{what} that only chance stopped" if block.method == "p" else what
        return f"{what}: {total} in {_spans(block, len(places))}, too few to tell a change from chance."
    recent = [one for one in block.signals if one.points[-1] in places[-current:] and one.direction is not None]
    if recent:
        return _changed(asked, what, block, max(recent, key=lambda one: len(one.points)))
    mean = _mean(block, places)
    said = f"{what} are steady at {_level(asked, block, mean)}"
    if not block.signals:
        return f"{said}; what varies is what chance explains."
    return f"{said} now; something other than chance was at work earlier, see the signals."


def silent(what: str, quiet: Silence) -> str:
    """How long nothing was reported, and what to make of it."""
    days = round(quiet.days)
    if quiet.test is None:
        return f"{what}: the last was reported {_days(days)} ago; too few are known to tell what silence is unusual."
    expected = about(quiet.test.expected)
    if quiet.test.is_drought:
        return (
            f"{what}: nothing was reported for {_days(days)}, where {expected} would be usual. "
            "Fewer reports is not safety: ask whether people still report."
        )
    return f"{what}: the last was reported {_days(days)} ago, which chance explains."


def about(value: float) -> str:
    """A number as it is spoken."""
    if value < 0.1:
        return "fewer than 0.1" if value else "none"
    return f"about {value:.0f}" if value >= 10 or value == round(value) else f"about {value:.1f}".removesuffix(".0")


def _rose(asked: Asked, what: str, rising: Rising, weekly: Sequence[int]) -> str:
    first, last = rising.alarms[-1]
    in_bucket, per = _WEEKS_IN[asked.bucket], _BUCKET[asked.bucket]
    now = sum(weekly[first : last + 1]) / (last + 1 - first)
    return (
        f"{what} rose from {about(rising.usual * in_bucket)} {per} to {about(now * in_bucket)} {per}; "
        f"the last {last + 1 - first} weeks are above what chance explains."
    )


def _changed(asked: Asked, what: str, block: Block, signal: Signal) -> str:
    before = [n for n in block.judged if n < signal.points[0]]
    verb = "rose" if signal.direction == "up" else "fell"
    side = "above" if signal.direction == "up" else "below"
    then = _level(asked, block, _mean(block, before)) if before else _level(asked, block, block.centre or 0.0)
    now = _level(asked, block, _mean(block, signal.points))
    spans = _spans(block, len(signal.points))
    if signal.points[-1] == block.judged[-1]:
        which = f"the last {spans.removeprefix('1 ')}"
    else:
        which = f"{spans} up to {block.points[signal.points[-1]].until[:10]}"
    if block.method in ("t", "g"):
        side = "shorter than" if signal.direction == "up" else "longer than"
    tail = f"{which} {'is' if len(signal.points) == 1 else 'are'} {side} what chance explains."
    said = f"{what} {verb} from {then} to {now}; {tail}"
    if signal.direction == "down" and asked.measure != "chance_share":
        said += " Fewer reports is not safety: look whether people still report."
    return said


def _level(asked: Asked, block: Block, value: float) -> str:
    if block.method in ("t", "g"):
        return f"one in {about(value)} days".replace("one in none days", "several a day")
    if block.method == "p":
        return f"{value:.0%} recovered by chance"
    if block.unit.startswith("per "):
        return f"{about(value)} {block.unit}"
    return f"{about(value)} {_BUCKET[asked.bucket]}"


def _mean(block: Block, places: Sequence[int]) -> float:
    values = [block.points[n].value or 0.0 for n in places]
    if block.method in ("u", "p"):
        sizes = [block.points[n].exposure or 0.0 for n in places]
        return sum(v * s for v, s in zip(values, sizes, strict=True)) / (sum(sizes) or 1.0)
    return sum(values) / (len(values) or 1)


def _spans(block: Block, count: int) -> str:
    """So many of what the block's points are."""
    point = block.points[0] if block.points else None
    one = "time between reports"
    if point is not None and len(point.since) == len("2026-03-01"):
        days = (date.fromisoformat(point.until) - date.fromisoformat(point.since)).days
        one = {1: "day", 7: "week"}.get(days, "month")
    return f"{count} {one}" if count == 1 else f"{count} {one.replace('time', 'times') if ' ' in one else one + 's'}"


def _days(days: int) -> str:
    return "1 day" if days == 1 else f"{days} days"


def _plain(name: str) -> str:
    return name.removesuffix("_id").replace("_", " ")
