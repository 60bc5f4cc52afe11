"""Which stage may have allowed a near miss: every hint with its reason, the strongest first."""

from app.domain.plan import ON_PLAN, PlanDeviation
from app.domain.stage_hints import Linked, hints

VISIT = ("plan", "allocate", "publish_rota", "travel", "check_in", "deliver")
MEDICATION = ("prescribe", "dispense", "administer", "record", "handover")


def test_what_similar_ones_of_the_service_were_linked_to_comes_before_those_of_others() -> None:
    here, elsewhere = Linked("travel", 3, 4, ("a", "b", "c"), True), Linked("plan", 9, 10, ("d",), False)

    found = hints(VISIT, "visit", None, None, ON_PLAN, [elsewhere, here])

    assert [(one.stage_allowed, one.basis) for one in found] == [("travel", "similar"), ("plan", "similar")]
    assert found[0].near_miss_ids == ("a", "b", "c")
    assert "3 of 4 similar near misses in this service" in found[0].says


def test_a_long_way_hints_at_travel_and_says_how_long() -> None:
    (hint,) = hints(VISIT, "visit", None, None, PlanDeviation(travel_minutes=22), [])

    assert (hint.stage_allowed, hint.basis) == ("travel", "plan")
    assert "22 minutes longer" in hint.says


def test_a_late_start_after_a_way_as_planned_hints_at_the_plan() -> None:
    found = hints(VISIT, "visit", None, None, PlanDeviation(scheduling_minutes=40, travel_minutes=2), [])

    assert [one.stage_allowed for one in found] == ["plan"]


def test_too_few_staff_hint_at_their_allocation() -> None:
    (hint,) = hints(VISIT, "visit", None, None, PlanDeviation(staff=-1), [])

    assert (hint.stage_allowed, hint.says) == ("allocate", "1 fewer staff were there than planned.")


def test_a_handover_bracket_hints_at_the_handover() -> None:
    found = hints(MEDICATION, "medication", "omitted", "evening_handover", ON_PLAN, [])

    assert [(one.stage_allowed, one.basis) for one in found] == [("handover", "shift"), ("handover", "deviation")]


def test_no_stage_is_hinted_at_that_the_type_does_not_have() -> None:
    assert hints(("assess", "respond"), "visit", "late", "evening_handover", PlanDeviation(travel_minutes=60), []) == ()


def test_nothing_to_go_by_is_no_hint() -> None:
    assert hints(VISIT, "visit", "other", "day", PlanDeviation(travel_minutes=5), []) == ()
