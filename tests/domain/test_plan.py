"""How far what was done lies from what was planned (S9)."""

import pytest

from app.domain.plan import ON_PLAN, PlanDeviation, deviation_of
from app.domain.report import Assumption, MappedAgainst


def test_minutes_and_staff_are_actual_less_planned() -> None:
    mapped = MappedAgainst(
        Assumption(planned="2026-03-02T08:00:00Z", actual="2026-03-02T10:40:30+02:00"),
        Assumption(planned=3, actual=2),
        Assumption(planned_minutes=15, actual_minutes=22.5),
    )

    assert deviation_of(mapped) == PlanDeviation(40.5, -1, 7.5)


@pytest.mark.parametrize(
    "mapped",
    [
        None,
        MappedAgainst(),
        MappedAgainst(Assumption(planned="2026-03-02T08:00:00Z"), Assumption(actual=2), Assumption(planned_minutes=1)),
        MappedAgainst(*(Assumption(status="not_applicable") for _ in range(3))),
    ],
)
def test_what_is_known_on_one_side_only_deviates_by_nothing_that_is_known(mapped: MappedAgainst | None) -> None:
    assert deviation_of(mapped) == ON_PLAN


def test_the_hour_that_a_clock_change_takes_is_no_delay() -> None:
    scheduling = Assumption(planned="2026-03-29T00:50:00+00:00", actual="2026-03-29T02:05:00+01:00")

    assert deviation_of(MappedAgainst(scheduling)).scheduling_minutes == 15
