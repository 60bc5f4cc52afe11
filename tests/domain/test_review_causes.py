"""Factors that reports name are rolled up to the causes that a review looks for; only a person identifies one."""

from app.domain.review_causes import SuggestedCause, suggested_causes


def test_factors_are_rolled_up_to_rota_pressure_communication_and_task_allocation() -> None:
    factors = {
        "nm-1": ("staffing",),
        "nm-2": ("scheduling",),
        "nm-3": ("workload", "communication_systems"),
        "nm-4": ("lines_of_responsibility", "communication_systems"),
    }

    suggested = suggested_causes(factors)

    assert suggested == (
        SuggestedCause("rota_pressure", ("nm-1", "nm-2", "nm-3")),
        SuggestedCause("communication_gap", ("nm-3", "nm-4")),
        SuggestedCause("unclear_task_allocation", ("nm-4",)),
    )
    assert [one.count for one in suggested] == [3, 2, 1]


def test_a_near_miss_that_names_several_factors_of_a_cause_speaks_for_it_once() -> None:
    (suggested,) = suggested_causes({"nm-1": ("staffing", "workload", "scheduling")})

    assert suggested == SuggestedCause("rota_pressure", ("nm-1",))


def test_the_cause_that_most_near_misses_speak_for_comes_first() -> None:
    factors = {"nm-1": ("staffing", "lines_of_responsibility"), "nm-2": ("lines_of_responsibility",)}

    assert [one.code for one in suggested_causes(factors)] == ["unclear_task_allocation", "rota_pressure"]


def test_no_cause_is_suggested_that_nothing_speaks_for() -> None:
    assert suggested_causes({"nm-1": ("training",), "nm-2": ()}) == ()
    assert suggested_causes({}) == ()
