"""Working time runs only while an organisation is open, by its own clock, and not on its holidays."""

from datetime import UTC, date, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest

from app.domain.moment import Span, format_instant
from app.domain.working_time import OFFICE_HOURS, Calendar, Opening, working_deadline
from tests.rounds import rounds

OFFICE = Calendar("UTC", OFFICE_HOURS, (date(2026, 12, 25), date(2026, 12, 28)))
LONDON = Calendar("Europe/London", OFFICE_HOURS)
NIGHTS = Calendar("Europe/London", tuple(Opening(weekday, "22:00", "06:00") for weekday in range(7)))
WITH_LUNCH = Calendar("UTC", (Opening(0, "09:00", "12:00"), Opening(0, "13:00", "17:00")))
HALF_SATURDAY = Calendar("UTC", (*OFFICE_HOURS, Opening(5, "09:00", "12:00")))
ROUND_THE_CLOCK = Calendar("UTC", tuple(Opening(weekday, "00:00", "00:00") for weekday in range(7)))
NEVER = Calendar("UTC", ())


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("calendar", "start", "duration", "due"),
    [
        pytest.param(OFFICE, "2026-03-04T10:00Z", "PT4H", "2026-03-04T14:00Z", id="within one day"),
        pytest.param(OFFICE, "2026-03-06T16:00Z", "PT4H", "2026-03-09T12:00Z", id="over a weekend"),
        pytest.param(OFFICE, "2026-03-06T16:00Z", "PT1H", "2026-03-06T17:00Z", id="until closing"),
        pytest.param(OFFICE, "2026-03-06T17:00Z", "PT1H", "2026-03-09T10:00Z", id="asked at closing"),
        pytest.param(OFFICE, "2026-03-06T17:00Z", "P1D", "2026-03-10T09:00Z", id="a working day asked for at closing"),
        pytest.param(OFFICE, "2026-03-07T12:00Z", "PT30M", "2026-03-09T09:30Z", id="asked on a Saturday"),
        pytest.param(OFFICE, "2026-03-06T15:00Z", "P1D", "2026-03-09T15:00Z", id="a working day over a weekend"),
        pytest.param(OFFICE, "2026-03-07T12:00Z", "P1D", "2026-03-10T09:00Z", id="a working day from a Saturday"),
        pytest.param(OFFICE, "2026-12-24T15:00Z", "PT4H", "2026-12-29T11:00Z", id="over Christmas"),
        pytest.param(OFFICE, "2026-12-24T15:00Z", "P2D", "2026-12-30T15:00Z", id="two working days over Christmas"),
        pytest.param(OFFICE, "2026-03-02T10:00Z", "P1DT4H", "2026-03-03T14:00Z", id="a day and hours"),
        pytest.param(OFFICE, "2026-03-02T10:00Z", "P1M", "2026-04-02T10:00Z", id="a month is the calendar's"),
        pytest.param(OFFICE, "2026-03-02T10:00Z", "PT100H", "2026-03-18T14:00Z", id="many hours"),
        pytest.param(LONDON, "2026-03-27T16:00Z", "PT2H", "2026-03-30T09:00Z", id="summer time begins meanwhile"),
        pytest.param(LONDON, "2026-10-23T15:00Z", "P1D", "2026-10-26T16:00Z", id="summer time ends meanwhile"),
        pytest.param(NIGHTS, "2026-03-03T23:00Z", "PT2H", "2026-03-04T01:00Z", id="across midnight"),
        pytest.param(NIGHTS, "2026-03-04T05:00Z", "PT2H", "2026-03-04T23:00Z", id="into the next night"),
        pytest.param(NIGHTS, "2026-03-04T05:00Z", "P1D", "2026-03-05T05:00Z", id="a night later after midnight"),
        pytest.param(NIGHTS, "2026-03-28T22:00Z", "PT7H", "2026-03-29T05:00Z", id="the short night is seven hours"),
        pytest.param(NIGHTS, "2026-10-24T21:00Z", "PT9H", "2026-10-25T06:00Z", id="the long night is nine hours"),
        pytest.param(WITH_LUNCH, "2026-03-02T11:00Z", "PT2H", "2026-03-02T14:00Z", id="around lunch"),
        pytest.param(HALF_SATURDAY, "2026-03-06T15:00Z", "P1D", "2026-03-07T12:00Z", id="a short day ends it"),
        pytest.param(ROUND_THE_CLOCK, "2026-03-06T15:00Z", "P1DT1H", "2026-03-07T16:00Z", id="open round the clock"),
        pytest.param(NEVER, "2026-03-06T15:00Z", "PT1H", "2026-03-06T16:00Z", id="who never opens waits all the same"),
    ],
)
def test_a_deadline_in_working_time(calendar: Calendar, start: str, duration: str, due: str) -> None:
    worked_out = working_deadline(instant(start), Span.parse(duration), calendar)

    assert format_instant(worked_out) == format_instant(instant(due))


def test_a_night_shift_that_began_before_a_holiday_is_worked_to_its_end() -> None:
    before_christmas = Calendar("UTC", tuple(Opening(day, "22:00", "06:00") for day in range(7)), (date(2026, 12, 25),))

    due = working_deadline(instant("2026-12-25T05:00Z"), Span.parse("PT2H"), before_christmas)

    assert due == instant("2026-12-26T23:00Z")


def test_hours_of_work_are_those_counted_minute_by_minute() -> None:
    zone = ZoneInfo("Europe/London")
    holidays = (date(2026, 4, 3), date(2026, 4, 6))
    calendar = Calendar("Europe/London", OFFICE_HOURS, holidays)

    for seed in range(rounds(300)):
        random = Random(seed)
        start = instant("2026-03-20T00:00Z") + timedelta(minutes=random.randrange(30 * 24 * 60))
        minutes = random.randrange(1, 40 * 60)

        due = working_deadline(start, Span.parse(f"PT{minutes}M"), calendar)

        worked, clock = 0, start
        while worked < minutes:
            local = clock.astimezone(zone)
            at_work = local.weekday() < 5 and 9 <= local.hour < 17 and local.date() not in holidays
            worked, clock = worked + at_work, clock + timedelta(minutes=1)
        assert due == clock, f"seed {seed}"
