"""When a thing happened: an instant or a whole day, and how long a window reaches back from it.

An instant is kept in microseconds since 1970 (UTC); beside it stands the local date in the zone of the record, because
a report that gives only a date is compared by dates with every other. Days are 24 hours unless a rule counts by the
calendar; months are always the calendar's, the day clamped to the month's last.
"""

import re
from calendar import monthrange
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from typing import NamedTuple, TypeVar
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY = 86_400_000_000
"""One day of 24 hours, in microseconds."""

EARLIEST = -(2**62)
LATEST = 2**62
"""Before and after everything that a calendar can name, and still a 64-bit integer."""

_When = TypeVar("_When", date, datetime)

_MICROSECOND = timedelta(microseconds=1)

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?"
    r"(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)

_NOT_AN_INSTANT = "Give an instant as RFC 3339 with its offset from UTC, for example 2026-03-02T08:15:00Z."
_NOT_A_MOMENT = "Give a date as YYYY-MM-DD, or an instant with its offset from UTC, for example 2026-03-02T08:15:00Z."


class Moment(NamedTuple):
    """When something happened.

    `at`: microseconds since 1970 in UTC; of a date its local midnight. `day`: the proleptic ordinal of the local date
    in the record's zone. `date_only`: nobody said at what time of that day.
    """

    at: int
    day: int
    date_only: bool


def to_micros(when: datetime) -> int:
    """Microseconds since 1970 (UTC) of an aware datetime."""
    return (when - EPOCH) // _MICROSECOND


def from_micros(at: int) -> datetime:
    """The aware UTC datetime of microseconds since 1970; OverflowError outside of the years 1 to 9999."""
    return EPOCH + timedelta(microseconds=at)


def format_instant(when: datetime) -> str:
    """YYYY-MM-DDTHH:MM:SS.ffffffZ, the one spelling that instants have on disk."""
    return when.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def parse_instant(text: str) -> datetime:
    """An RFC 3339 instant with an offset, in UTC; digits beyond the microsecond are cut. ValueError says what to do."""
    if _INSTANT.fullmatch(text) is None:
        raise ValueError(_NOT_AN_INSTANT)
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(_NOT_AN_INSTANT) from None


def parse_moment(text: str, zone: ZoneInfo) -> Moment:
    """An RFC 3339 instant or a date YYYY-MM-DD, seen from the record's zone. ValueError says what to do."""
    try:
        if _INSTANT.fullmatch(text) is not None:
            when = datetime.fromisoformat(text.upper()).astimezone(UTC)
            local = when if zone.key == "UTC" else when.astimezone(zone)
            return Moment(to_micros(when), local.toordinal(), date_only=False)
        if _DATE.fullmatch(text) is not None:
            day = date.fromisoformat(text)
            midnight = local_instant(datetime.combine(day, time.min), zone)
            return Moment(to_micros(midnight), day.toordinal(), date_only=True)
    except (ValueError, OverflowError):
        pass  # A thirtieth of February, or a year that no calendar can name in UTC.
    raise ValueError(_NOT_A_MOMENT)


def moment_of(at: int, zone: ZoneInfo) -> Moment:
    """The instant, with the date that the zone's calendar showed then."""
    return Moment(at, from_micros(at).astimezone(zone).toordinal(), date_only=False)


def local_instant(local: datetime, zone: ZoneInfo) -> datetime:
    """A time on the zone's clock: one that it skipped moves forward, one that it showed twice is the earlier."""
    return local.replace(tzinfo=zone, fold=0).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Span:
    """A positive ISO 8601 duration. `text` is its spelling as given, which is what is shown and stored.

    `longest` is the most that it can be, in microseconds: every month one of 31 days.
    """

    months: int
    days: int
    microseconds: int
    text: str
    longest: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "longest", (31 * self.months + self.days) * DAY + self.microseconds)

    def __str__(self) -> str:
        return self.text

    @classmethod
    def parse(cls, text: str) -> "Span":
        """P14D, PT12H, P1M, P1Y6M, P2W, PT0.011S; at most 100 years. ValueError says what to do."""
        found = _DURATION.fullmatch(text) if len(text) <= _LONGEST_TEXT else None
        if found is None or text.endswith(("P", "T")):
            raise ValueError(_NOT_A_DURATION)
        amounts = [Fraction((amount or "0").replace(",", ".")) for amount in found.groups()]
        given = [amount for amount in found.groups() if amount is not None]
        years, months, weeks, days, hours, minutes, seconds = amounts
        if any(not amount.isdigit() for amount in given[:-1]) or not (years + months).denominator == 1:
            raise ValueError("Write a fraction only in the last part of a duration, and never of a month or a year.")
        whole_days, rest = divmod(7 * weeks + days, 1)
        micros = int(rest * DAY + (3600 * hours + 60 * minutes + seconds) * 1_000_000)
        span = cls(int(12 * years + months), int(whole_days), micros, text)
        if span.longest == 0:
            raise ValueError("Give a duration of at least a microsecond, for example P14D.")
        if span.months > _MOST_MONTHS or span.longest - span.months * _EXCESS_OF_31_DAYS > _MOST_DAYS * DAY:
            raise ValueError("Give a duration of at most 100 years.")
        return span


_LONGEST_TEXT = 64
_MOST_MONTHS = 1200
_MOST_DAYS = 36_525
_EXCESS_OF_31_DAYS = 31 * DAY - _MOST_DAYS * DAY // _MOST_MONTHS
_DURATION = re.compile(
    r"P(?:(N)Y)?(?:(N)M)?(?:(N)W)?(?:(N)D)?(?:T(?:(N)H)?(?:(N)M)?(?:(N)S)?)?".replace("N", r"[0-9]+(?:[.,][0-9]+)?")
)
_NOT_A_DURATION = "Give a positive duration as ISO 8601, for example P14D, P1M, PT12H or PT0.5S."


def lower_bound(at: int, span: Span, calendar: bool, zone: ZoneInfo) -> int:
    """The instant that lies a span before `at`, the open end of its window. In microseconds, as `at` is.

    Always before `at`: where a zone left out a whole day, yesterday's time is the same instant.
    """
    return min(_moved(at, -1, span, calendar, zone), at - 1)


def upper_bound(at: int, span: Span, calendar: bool, zone: ZoneInfo) -> int:
    """The instant that lies a span after `at`: a cool-down's end, a deadline. In microseconds, as `at` is."""
    return _moved(at, +1, span, calendar, zone)


def lower_day(day: int, span: Span) -> int:
    """The open end of a window over dates: microseconds on a clock without zone whose zero is `day` zero's midnight."""
    if span.months:
        try:
            day = _months_away(date.fromordinal(day), -span.months).toordinal()
        except (ValueError, OverflowError):
            return EARLIEST
    return (day - span.days) * DAY - span.microseconds


def holds(anchor: Moment, x: Moment, span: Span, calendar: bool, zone: ZoneInfo) -> bool:
    """Whether the window that ends at the anchor holds x: t_e - W < t_x <= t_e, by dates if either is only a date."""
    if anchor.date_only or x.date_only:
        return x.day <= anchor.day and lower_day(anchor.day, span) < x.day * DAY
    return x.at <= anchor.at and lower_bound(anchor.at, span, calendar, zone) < x.at


def _moved(at: int, sign: int, span: Span, calendar: bool, zone: ZoneInfo) -> int:
    """`at` moved on the local calendar by months (and days, if it counts by the calendar), then by elapsed time."""
    days, elapsed = (span.days, 0) if calendar else (0, span.days * DAY)
    elapsed = sign * (elapsed + span.microseconds)
    if not (span.months or days):
        return at + elapsed
    try:
        local = from_micros(at).astimezone(zone).replace(tzinfo=None)
        there = _months_away(local, sign * span.months) + timedelta(days=sign * days)
        return to_micros(local_instant(there, zone)) + elapsed
    except (ValueError, OverflowError):
        return LATEST if sign > 0 else EARLIEST


def _months_away(when: _When, months: int) -> _When:
    """The same day of another month, or that month's last."""
    year, month = divmod(when.year * 12 + when.month - 1 + months, 12)
    return when.replace(year=year, month=month + 1, day=min(when.day, monthrange(year, month + 1)[1]))
