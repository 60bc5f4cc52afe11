"""Where in the working day it happened: the shift bracket, which makes clusters at handovers visible (S10).

Shifts cross midnight, so the calendar date never decides. Distances to the boundaries of a shift instance are elapsed
time between instants, in UTC: within one zone Python measures them by the clock on the wall, an hour wrong on the days
that it changes. Only "morning or evening", "day or night" and the tables look at the local clock.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo

MORNING_HANDOVER = "morning_handover"
EVENING_HANDOVER = "evening_handover"
HANDOVERS = frozenset({MORNING_HANDOVER, EVENING_HANDOVER})
DAY = "day"
NIGHT = "night"
UNASSIGNED = "unassigned"

HOME_CARE = "home_care"
EVERY_SERVICE = "*"
BESIDE_A_BOUNDARY = timedelta(minutes=30)
NOON = time(12)
DAY_BEGINS, DAY_ENDS = time(8), time(20)


@dataclass(frozen=True, slots=True)
class Hours:
    """A row of a shift table: from `starts` until before `ends` on the local clock, across midnight if need be.

    Equal ends are the whole day.
    """

    bracket: str
    starts: time
    ends: time

    def hold(self, clock: time) -> bool:
        if self.starts < self.ends:
            return self.starts <= clock < self.ends
        return clock >= self.starts or clock < self.ends


CARE_HOME_TABLE = (
    Hours(MORNING_HANDOVER, time(7, 30), time(8, 15)),
    Hours(DAY, time(8, 15), time(19, 30)),
    Hours(EVENING_HANDOVER, time(19, 30), time(20, 15)),
    Hours(NIGHT, time(20, 15), time(7, 30)),
)
HOME_CARE_TABLE = (
    Hours("morning", time(7), time(11)),
    Hours("lunch", time(11), time(14)),
    Hours("tea", time(16), time(18)),
    Hours("bed", time(19), time(22)),
)


@dataclass(frozen=True, slots=True)
class Shift:
    """A shift that somebody worked: two aware instants, the start before the end; kept in UTC."""

    starts_at: datetime
    ends_at: datetime

    def __post_init__(self) -> None:
        object.__setattr__(self, "starts_at", self.starts_at.astimezone(UTC))
        object.__setattr__(self, "ends_at", self.ends_at.astimezone(UTC))


def shift_bracket(
    occurred_at: datetime | None,
    zone: tzinfo,
    service_id: str | None = None,
    service_type: str | None = None,
    tables: Mapping[str, Sequence[Hours]] | None = None,
    shift: Shift | None = None,
) -> str | None:
    """The bracket of an aware instant in the service's time zone; None when only a date is known.

    `tables`: the policy's `shifts`, by service id or "*". A shift instance decides whether it was a handover: within
    30 minutes of its start or end it was. Otherwise home care reads its call times from the table, and every other
    service has `day` when the shift's midpoint lies from 08:00 until before 20:00 local time, else `night`. An instant
    further than 30 minutes outside of the shift was not of that shift: the table decides alone.
    """
    if occurred_at is None:
        return None
    table = table_of(service_id, service_type, tables or {})
    clock = local_time(occurred_at, zone)
    moment = occurred_at.astimezone(UTC)
    if shift is None or not held_by(shift, moment):
        return by_table(table, clock)
    boundary = boundary_beside(shift, moment)
    if boundary is not None:
        return MORNING_HANDOVER if local_time(boundary, zone) < NOON else EVENING_HANDOVER
    if service_type == HOME_CARE:
        return by_table([hours for hours in table if hours.bracket not in HANDOVERS], clock)
    return DAY if DAY_BEGINS <= local_time(midpoint(shift), zone) < DAY_ENDS else NIGHT


def table_of(
    service_id: str | None, service_type: str | None, tables: Mapping[str, Sequence[Hours]]
) -> Sequence[Hours]:
    """The policy's table for the service, else for every service, else the default of the service's type."""
    if service_id is not None and service_id in tables:
        return tables[service_id]
    if EVERY_SERVICE in tables:
        return tables[EVERY_SERVICE]
    return HOME_CARE_TABLE if service_type == HOME_CARE else CARE_HOME_TABLE


def by_table(table: Sequence[Hours], clock: time) -> str:
    """The first row that holds the time; hours outside of the table are unassigned."""
    return next((hours.bracket for hours in table if hours.hold(clock)), UNASSIGNED)


def shares(table: Sequence[Hours]) -> Mapping[str, float]:
    """Bracket → its share of the 24 hours: where rows overlap the first has them, and what none has is unassigned."""
    marks = sorted({time(0), *(hours.starts for hours in table), *(hours.ends for hours in table)})
    found: dict[str, float] = {}
    for begins, ends in zip(marks, [*marks[1:], None], strict=True):
        bracket = by_table(table, begins)
        found[bracket] = found.get(bracket, 0.0) + _seconds(ends) - _seconds(begins)
    return {bracket: seconds / _DAY for bracket, seconds in found.items()}


def held_by(shift: Shift, moment: datetime) -> bool:
    return shift.starts_at - BESIDE_A_BOUNDARY <= moment <= shift.ends_at + BESIDE_A_BOUNDARY


def boundary_beside(shift: Shift, moment: datetime) -> datetime | None:
    """The nearer boundary of the shift, when it lies within 30 minutes."""
    nearer = min(shift.starts_at, shift.ends_at, key=lambda boundary: abs(moment - boundary))
    return nearer if abs(moment - nearer) <= BESIDE_A_BOUNDARY else None


def midpoint(shift: Shift) -> datetime:
    return shift.starts_at + (shift.ends_at - shift.starts_at) / 2


_DAY = 86_400.0


def _seconds(clock: time | None) -> float:
    """Since midnight; None is the next one."""
    if clock is None:
        return _DAY
    return clock.hour * 3600 + clock.minute * 60 + clock.second + clock.microsecond / 1_000_000


def local_time(moment: datetime, zone: tzinfo) -> time:
    return moment.astimezone(zone).time()
