"""How far what was done lies from what was planned (S9): in time, in staff, and on the way.

Computed from the assumptions that a near miss is mapped against, never asked of anybody: what a person states is the
plan and what became of it.
"""

from dataclasses import dataclass
from datetime import datetime

from app.domain.moment import parse_instant
from app.domain.report import Assumption, MappedAgainst


@dataclass(frozen=True, slots=True)
class PlanDeviation:
    """Actual less planned: positive is later, more staff, or longer on the way. None where one of the two is missing.

    `scheduling_minutes`, `travel_minutes` in minutes; `staff` in numbers of staff.
    """

    scheduling_minutes: float | None = None
    staff: float | None = None
    travel_minutes: float | None = None


ON_PLAN = PlanDeviation()


def deviation_of(mapped: MappedAgainst | None) -> PlanDeviation:
    """What the assumptions say, as far as they say both sides."""
    if mapped is None:
        return ON_PLAN
    return PlanDeviation(
        _minutes_late(mapped.scheduling),
        _between(mapped.staff_allocation, "planned", "actual"),
        _between(mapped.travel_time, "planned_minutes", "actual_minutes"),
    )


def _minutes_late(scheduling: Assumption | None) -> float | None:
    if scheduling is None or scheduling.planned is None or scheduling.actual is None:
        return None
    planned, actual = _instant(scheduling.planned), _instant(scheduling.actual)
    if planned is None or actual is None:
        return None
    return round((actual - planned).total_seconds() / 60, 2)


def _instant(value: object) -> datetime | None:
    try:
        return parse_instant(str(value))
    except ValueError:
        return None


def _between(assumption: Assumption | None, planned: str, actual: str) -> float | None:
    if assumption is None:
        return None
    before, after = getattr(assumption, planned), getattr(assumption, actual)
    if not isinstance(before, int | float) or not isinstance(after, int | float):
        return None
    return round(after - before, 4)
