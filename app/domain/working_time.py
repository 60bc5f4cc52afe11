"""Deadlines that wait only while an organisation is at work: its hours, weekday by weekday, without its holidays.

A day of a duration is a working day: P1D after Friday 15:00 is Monday 15:00. Its hours and minutes run only between
opening and closing. A working day belongs to the local date on which it opens, so a night shift that began before a
holiday is worked to its end.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import groupby, islice
from typing import NamedTuple

from app.domain.moment import Span, from_micros, local_instant, to_micros, upper_bound
from app.domain.zones import zone

_SEARCHED = 14_610
"""Days that are looked through, forty years; what is not found by then counts as elapsed time."""


@dataclass(frozen=True, slots=True)
class Opening:
    """`weekday`: Monday is 0. `opens` and `closes`: HH:MM on the local clock; a closing not after it is next day's."""

    weekday: int
    opens: str
    closes: str


@dataclass(frozen=True, slots=True)
class Calendar:
    """When an organisation is at work. `holidays`: the local dates on which it does not open."""

    time_zone: str
    openings: tuple[Opening, ...]
    holidays: tuple[date, ...] = ()


OFFICE_HOURS = tuple(Opening(weekday, "09:00", "17:00") for weekday in range(5))


class Period(NamedTuple):
    """From opening until closing, in UTC; `day` is the local date of the opening."""

    day: date
    opens: datetime
    closes: datetime


def elapsed_deadline(start: datetime, span: Span, time_zone: str) -> datetime:
    """The instant a duration after another; its months are those of the zone's calendar."""
    return from_micros(upper_bound(to_micros(start), span, calendar=False, zone=zone(time_zone)))


def working_deadline(start: datetime, span: Span, calendar: Calendar) -> datetime:
    """The instant a duration of working time after another. Who never opens waits in elapsed time, but not for ever."""
    months = Span(span.months, 0, 0, "")
    since = elapsed_deadline(start, months, calendar.time_zone)
    found = _working_from(calendar, since)
    if found is not None and span.days:
        found = _days_on(calendar, found, span.days)
    if found is not None and span.microseconds:
        found = _hours_on(calendar, found, timedelta(microseconds=span.microseconds))
    return elapsed_deadline(start, span, calendar.time_zone) if found is None else found.at


class _Point(NamedTuple):
    """An instant of the working day that opened on `day`."""

    day: date
    at: datetime


def _working_from(calendar: Calendar, start: datetime) -> _Point | None:
    """The instant itself while the organisation is at work, else the next opening."""
    yesterday = start.astimezone(zone(calendar.time_zone)).date() - timedelta(days=1)
    for period in _periods(calendar, yesterday):
        if start < period.closes:
            return _Point(period.day, max(start, period.opens))
    return None


def _days_on(calendar: Calendar, point: _Point, days: int) -> _Point | None:
    """The same time of a later working day, or as near to it as that day's hours come."""
    local = point.at.astimezone(zone(calendar.time_zone)).replace(tzinfo=None)
    later = groupby(_periods(calendar, point.day + timedelta(days=1)), key=lambda period: period.day)
    for day, opened in islice(later, days - 1, None):
        periods = list(opened)
        there = datetime.combine(day + (local.date() - point.day), local.time())
        at = local_instant(there, zone(calendar.time_zone))
        return _Point(day, min(max(at, periods[0].opens), periods[-1].closes))
    return None


def _hours_on(calendar: Calendar, point: _Point, remaining: timedelta) -> _Point | None:
    at = point.at
    for period in _periods(calendar, point.day):
        at = max(at, period.opens)
        if at + remaining <= period.closes:
            return _Point(period.day, at + remaining)
        if at < period.closes:
            remaining -= period.closes - at
            at = period.closes
    return None


def _periods(calendar: Calendar, first: date) -> Iterator[Period]:
    """The working periods that open on a date or later, in order."""
    closed = frozenset(calendar.holidays)
    by_weekday = {
        weekday: sorted(one for one in _clocks(calendar) if one[0] == weekday)
        for weekday in {opening.weekday for opening in calendar.openings}
    }
    for day in (first + timedelta(days=n) for n in range(_SEARCHED if by_weekday else 0)):
        if day in closed:
            continue
        for _, opens, closes in by_weekday.get(day.weekday(), ()):
            closing_day = day if opens < closes else day + timedelta(days=1)
            opened = local_instant(datetime.combine(day, opens), zone(calendar.time_zone))
            shut = local_instant(datetime.combine(closing_day, closes), zone(calendar.time_zone))
            if opened < shut:  # Not so when the clocks skipped all of it.
                yield Period(day, opened, shut)


def _clocks(calendar: Calendar) -> Iterator[tuple[int, time, time]]:
    for opening in calendar.openings:
        yield opening.weekday, time.fromisoformat(opening.opens), time.fromisoformat(opening.closes)
