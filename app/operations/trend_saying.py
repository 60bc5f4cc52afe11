"""What a trend says, in sentences that a manager understands: how much it was, how much it is, what chance explains.

The sentence of a series follows from the signals that are shown with it: without one it is steady or too few to tell,
with one it never is. It says what is so now: a silence first, a change as long as it goes on, and else until when.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from app.domain.moment import parse_instant
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
        return service_named(settled, value)
    terms = settled.taxonomy.lists.get(_LISTS.get(name, ""), ())
    return next((term.label.lower() for term in terms if term.code == value), value)


def service_named(settled: Configuration, service_id: str) -> str:
    """A service by the register's name; with its id, which the service is asked for by, where that is another."""
    particulars = settled.service_of(service_id)[1].particulars
    if particulars is None or particulars.name == service_id:
        return service_id
    return f"{particulars.name} ({service_id})"


def rule(signal: Signal, block: Block, zone: ZoneInfo) -> str:
    """One signal: where, and what was met."""
    first, last = block.points[signal.points[0]], block.points[signal.points[-1]]
    where = f"{_day(first.since, zone)} to {_day(last.until, zone)}"
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


@dataclass(frozen=True, slots=True)
class Told:
    """What is shown of a series. `blocks`: the one that is drawn, and the days between beside it; `weekly`: its
    complete weeks, which begin on the days of `weeks`.
    """

    asked: Asked
    what: str
    zone: ZoneInfo
    blocks: Sequence[Block]
    climb: Rising | None
    weeks: Sequence[date]
    weekly: Sequence[int]
    quiet: Silence | None

    @property
    def is_silent(self) -> bool:
        return self.quiet is not None and self.quiet.test is not None and self.quiet.test.is_drought

    @property
    def signals(self) -> list[tuple[Block, Signal]]:
        return [(block, signal) for block in self.blocks for signal in block.signals]


def series(told: Told) -> str:
    """The sentence of a series."""
    if told.is_silent and told.quiet is not None:
        earlier = _ended(told)
        return silent(told.what, told.quiet) + (f" {earlier}" if earlier else "")
    return _going_on(told) or _ended(told) or _changed_somehow(told) or _unchanged(told)


def _going_on(told: Told) -> str | None:
    """What rises or falls up to the newest point."""
    if told.climb is not None and told.climb.is_rising:
        return _rose(told.asked, told.what, told.climb, told.weekly)
    newest = [
        (block, signal)
        for block, signal in told.signals
        if signal.direction is not None and signal.points[-1] == block.judged[-1]
    ]
    if not newest:
        return None
    return _changed(told.asked, told.what, *max(newest, key=lambda one: len(one[1].points)))


def _ended(told: Told) -> str | None:
    """The latest change that goes on no more. Of one that is silent now no fall is told: the silence is."""
    ends: list[tuple[str, str]] = []
    if told.climb is not None and told.climb.alarms:
        first, last = told.climb.alarms[-1]
        ends.append((told.weeks[last + 1].isoformat(), _climbed(told, told.climb, first, last)))
    for block, signal in told.signals:
        if signal.direction == "up" or (signal.direction == "down" and not told.is_silent):
            until = _day(block.points[signal.points[-1]].until, told.zone)
            ends.append((until, _was(told, block, signal, until)))
    return max(ends)[1] if ends else None


def _climbed(told: Told, climb: Rising, first: int, last: int) -> str:
    in_bucket, per = _WEEKS_IN[told.asked.bucket], _BUCKET[told.asked.bucket]
    then = sum(told.weekly[first : last + 1]) / (last + 1 - first)
    after = () if told.is_silent else told.weekly[last + 1 :]
    since = f"; since then {about(sum(after) / len(after) * in_bucket)} {per}" if after else ""
    return (
        f"{told.what} were above what chance explains from {told.weeks[first].isoformat()} until "
        f"{told.weeks[last + 1].isoformat()}: {about(then * in_bucket)} {per} where {about(climb.usual * in_bucket)} "
        f"{per} was usual{since}."
    )


def _was(told: Told, block: Block, signal: Signal, until: str) -> str:
    after = [] if told.is_silent else [n for n in block.judged if n > signal.points[-1]]
    since = f"; since then {_level(told.asked, block, _mean(block, after))}" if after else ""
    side = "above" if signal.direction == "up" else "below"
    then = _level(told.asked, block, _mean(block, signal.points))
    return f"{told.what} were {side} what chance explains until {until}: {then}{since}."


def _changed_somehow(told: Told) -> str | None:
    """What is more than chance, and neither up nor down."""
    rules = dict.fromkeys(_RULES.get(signal.rule, signal.rule) for _, signal in told.signals)
    return f"{told.what} vary by more than chance explains: {', '.join(rules)}." if rules else None


def _unchanged(told: Told) -> str:
    asked, what, block = told.asked, told.what, told.blocks[-1]
    places = block.judged
    if block.method == "u" and not places:
        return f"{what}: no rate, for what there was to do is not stated often enough (PUT /v1/denominators)."
    if len(places) < LEAST:
        total = sum(block.points[n].count for n in places)
        if block.method in ("t", "g"):
            total += bool(places)  # The first ends no time.
            return f"{what}: {total} in the period, too few to tell a change from chance."
        what = f"{what} that only chance stopped" if block.method == "p" else what
        return f"{what}: {total} in {_spans(block, len(places))}, too few to tell a change from chance."
    level = _level(asked, block, _mean(block, places))
    if block.method == "cusum" and told.climb is None:
        return f"{what}: {level}, judged by no CUSUM: it takes ten weeks, and at most forty a week that are usual."
    return f"{what} are steady at {level}; what varies is what chance explains."


def silent(what: str, quiet: Silence) -> str:
    """How long nothing was reported, and what to make of it."""
    days = round(quiet.days)
    if quiet.test is None:
        return f"{what}: the last was reported {_days(days)} ago; too few are known to tell what silence is unusual."
    expected = about(quiet.test.expected)
    if quiet.test.is_drought:
        return (
            f"{what}: nothing was reported for {_days(days)}, in which {expected} reports would be usual. "
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
    rose = "rose in number" if asked.measure == "rate" else "rose"
    return (
        f"{what} {rose} from {about(rising.usual * in_bucket)} {per} to {about(now * in_bucket)} {per}; "
        f"the last {last + 1 - first} weeks are above what chance explains."
    )


def _changed(asked: Asked, what: str, block: Block, signal: Signal) -> str:
    is_up = signal.direction == "up"
    then, now = _from_to(block, signal)
    which = f"the last {_spans(block, len(signal.points)).removeprefix('1 ')}"
    side = "above" if is_up else "below"
    if block.method in ("t", "g"):
        side = "shorter than" if is_up else "longer than"
    levels = f"from {_level(asked, block, then)} to {_level(asked, block, now)}"
    verb = "is" if len(signal.points) == 1 else "are"
    said = f"{what} {'rose' if is_up else 'fell'} {levels}; {which} {verb} {side} what chance explains."
    if not is_up and asked.measure != "chance_share":
        said += " Fewer reports is not safety: look whether people still report."
    return said


def _from_to(block: Block, signal: Signal) -> tuple[float, float]:
    """What it was before, and what it is: the mean of the points before, unless that lies on the wrong side of now."""
    now = _mean(block, signal.points)
    before = [n for n in block.judged if n < signal.points[0]]
    is_higher = (signal.direction == "up") == (block.method not in ("t", "g"))
    then = _mean(block, before) if before else block.centre or 0.0
    if signal.rule == "trend" or (now > then) != is_higher:
        ends = block.points[signal.points[0]].value or 0.0, block.points[signal.points[-1]].value or 0.0
        return ends if signal.rule == "trend" else (block.centre or 0.0, now)
    return then, now


def _level(asked: Asked, block: Block, value: float) -> str:
    if block.method in ("t", "g"):
        return f"one in {about(value)} days".replace("one in none days", "several a day")
    if block.method == "p":
        return f"{value:.0%} recovered by chance"
    if value == 0:
        return "none"
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


def _day(point: str, zone: ZoneInfo) -> str:
    """The local date of where a point begins or ends: a date already, or an instant."""
    return point if len(point) == len("2026-03-01") else parse_instant(point).astimezone(zone).date().isoformat()


def _days(days: int) -> str:
    return "1 day" if days == 1 else f"{days} days"


def _plain(name: str) -> str:
    return name.removesuffix("_id").replace("_", " ")
