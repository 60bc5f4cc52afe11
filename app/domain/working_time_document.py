"""The working time of an organisation as it stands in a policy document: its hours, its country, its own closing days.

Of the country only the code is kept here: which dates are its public holidays is looked up where a deadline is made.
A working time that names no country observes none.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, time
from itertools import pairwise
from typing import Any

from app.domain.reading import Fields, Reading, each_once, without_absent
from app.domain.working_time import OFFICE_HOURS, Opening

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_MOST_OPENINGS = 50
_MOST_DATES = 366
_WORKING_TIME = ("hours", "country", "subdivision", "closed_on")
_OPENING = ("weekday", "from", "to")
_COUNTRY = re.compile(r"[A-Z]{2}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DAY = 24 * 60
_WEEK = 7 * _DAY


@dataclass(frozen=True, slots=True)
class WorkingTime:
    """When an organisation is at work. `country`: ISO 3166-1; `subdivision`: ISO 3166-2 without the country.

    `closed_on`: dates on which it does not open, whatever the country does.
    """

    hours: tuple[Opening, ...] = OFFICE_HOURS
    country: str | None = None
    subdivision: str | None = None
    closed_on: tuple[date, ...] = ()


OFFICE_IN_ENGLAND = WorkingTime(country="GB", subdivision="ENG")
"""Of an organisation that has said nothing: Monday to Friday, nine to five, but for the bank holidays of England."""


def read_working_time(reading: Reading, value: object, pointer: str) -> WorkingTime:
    """The working time under a pointer of the document; what was refused is told to the reading."""
    fields = Fields.of(reading, value, pointer, _WORKING_TIME)
    country, subdivision = fields.given("country"), fields.given("subdivision")
    if country is not None and not (isinstance(country, str) and _COUNTRY.fullmatch(country)):
        reading.refuse(fields.at("country"), "unknown-code", "Name a country by its two letters of ISO 3166, as in GB.")
    if subdivision is not None:
        reading.identifier(subdivision, fields.at("subdivision"))
        fields.required("country", "Name the country of the subdivision.")
    return WorkingTime(_hours(fields), country, subdivision, _closed_on(fields))


def working_time_document(kept: WorkingTime) -> dict[str, Any]:
    """The working time written out: what reads back as the same."""
    return without_absent(
        {
            "hours": [{"weekday": WEEKDAYS[one.weekday], "from": one.opens, "to": one.closes} for one in kept.hours],
            "country": kept.country,
            "subdivision": kept.subdivision,
            "closed_on": [day.isoformat() for day in kept.closed_on],
        }
    )


def _hours(fields: Fields) -> tuple[Opening, ...]:
    value = fields.given("hours")
    if value is None:
        return OFFICE_HOURS
    reading, pointer = fields.reading, fields.at("hours")
    items = reading.array(value, pointer, _MOST_OPENINGS, least=1)
    read = [_opening(reading, item, f"{pointer}/{index}") for index, item in enumerate(items)]
    openings = [one for one in read if one is not None]
    if len(openings) == len(items):
        _must_not_overlap(reading, openings, pointer)
    return tuple(openings)


def _opening(reading: Reading, item: object, pointer: str) -> Opening | None:
    fields = Fields.of(reading, item, pointer, _OPENING)
    fields.required("weekday", f"Name the day of the week: {', '.join(WEEKDAYS)}.")
    weekday, opens, closes = fields.choice("weekday", WEEKDAYS, ""), fields.clock("from"), fields.clock("to")
    return Opening(WEEKDAYS.index(weekday), opens, closes) if weekday and opens and closes else None


def _must_not_overlap(reading: Reading, openings: Sequence[Opening], pointer: str) -> None:
    """Refuse hours that begin before those before them have ended, be it from Sunday night to Monday."""
    in_order = sorted((_minute_of_the_week(one), _minutes(one), index) for index, one in enumerate(openings))
    next_week = [(opens + _WEEK, lasting, index) for opens, lasting, index in in_order[:1]]
    for (before, lasting, _), (opens, _, later) in pairwise(in_order + next_week):
        if opens < before + lasting:
            detail = "Begin after the hours before these have ended, or make one of both."
            reading.refuse(f"{pointer}/{later}", "conflict", detail)


def _minute_of_the_week(opening: Opening) -> int:
    return opening.weekday * _DAY + _minute(opening.opens)


def _minutes(opening: Opening) -> int:
    """How long it is open; from a time to the same one is a day."""
    return (_minute(opening.closes) - _minute(opening.opens)) % _DAY or _DAY


def _minute(clock: str) -> int:
    at = time.fromisoformat(clock)
    return at.hour * 60 + at.minute


def _closed_on(fields: Fields) -> tuple[date, ...]:
    value = fields.given("closed_on")
    reading, pointer = fields.reading, fields.at("closed_on")
    items = [] if value is None else reading.array(value, pointer, _MOST_DATES)
    days = [_day(reading, item, f"{pointer}/{index}") for index, item in enumerate(items)]
    each_once(reading, ["" if day is None else day.isoformat() for day in days], pointer)
    return tuple(day for day in days if day is not None)


def _day(reading: Reading, item: object, pointer: str) -> date | None:
    try:
        if isinstance(item, str) and _DATE.fullmatch(item):
            return date.fromisoformat(item)
    except ValueError:
        pass  # A thirtieth of February.
    reading.refuse(pointer, "not-a-date", "Give a date as YYYY-MM-DD.")
    return None
