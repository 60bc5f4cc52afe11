"""The verdict on an action: what is told, what is withheld, and what nobody could know."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.analysis.outcome import Arm, assess, drought, share_rose

STEADY = Arm(200, 180), Arm(100, 90)
arms = st.builds(Arm, st.integers(0, 80), st.sampled_from([0.0, 30.0, 90.0, 180.0]))


def test_a_fall_that_the_numbers_show_is_told() -> None:
    found = assess(Arm(6, 30), Arm(0, 30))

    assert found.verdict == "fell"
    assert found.comparison is not None
    assert found.comparison.rate_ratio == 0


def test_a_rise_that_the_numbers_show_is_told() -> None:
    assert assess(Arm(10, 180), Arm(20, 90)).verdict == "rose"


def test_a_rise_from_nothing_is_told_though_it_has_no_ratio() -> None:
    assert assess(Arm(0, 90), Arm(6, 90)).verdict == "rose"


def test_five_to_none_is_too_little_to_know() -> None:
    assert assess(Arm(5, 30), Arm(0, 30)).verdict == "too_little_data"


def test_a_fall_that_may_be_chance_is_not_shown() -> None:
    assert assess(Arm(20, 180), Arm(7, 90)).verdict == "not_shown"
    assert assess(Arm(9, 16660), Arm(2, 17877)).verdict == "not_shown"


def test_a_fall_is_withheld_when_the_service_reports_less_of_everything() -> None:
    before, after = Arm(30, 180), Arm(2, 90)

    assert assess(before, after, *STEADY).verdict == "fell"
    assert assess(before, after, Arm(200, 180), Arm(50, 90)).verdict == "reporting_fell"


def test_a_fall_is_withheld_while_a_source_is_silent() -> None:
    found = assess(Arm(30, 180), Arm(2, 90), *STEADY, silent=True)

    assert found.verdict == "reporting_fell"
    assert found.comparison is not None
    assert found.comparison.high is not None
    assert found.comparison.high < 1


def test_a_rise_stands_though_less_is_reported() -> None:
    assert assess(Arm(10, 180), Arm(20, 90), Arm(200, 180), Arm(50, 90), silent=True).verdict == "rose"


def test_nothing_is_compared_before_the_follow_up_has_begun() -> None:
    found = assess(Arm(30, 180), Arm(0, 0))

    assert (found.verdict, found.comparison) == ("too_little_data", None)


@given(arms, arms, arms, arms, st.booleans())
def test_fewer_reports_alone_never_read_as_success(
    before: Arm, after: Arm, others_before: Arm, others_after: Arm, silent: bool
) -> None:
    found = assess(before, after, others_before, others_after, silent)

    if found.verdict == "fell":
        assert not silent
        assert assess(others_before, others_after).verdict != "fell"
        assert after.events * before.exposure < before.events * after.exposure
        assert assess(before, after, others_before, Arm(0, 0), silent=True).verdict == "reporting_fell"


def test_what_cannot_have_happened_is_refused() -> None:
    with pytest.raises(ValueError, match="not negative"):
        assess(Arm(-1, 180), Arm(0, 90))


def test_a_gap_is_a_drought_when_chance_leaves_less_than_one_in_a_hundred() -> None:
    """26 a year: after 64 days without a report 4.6 were to come, and ln 100 is 4.605."""
    short, long = drought(64, 26, 365.25), drought(65, 26, 365.25)

    assert (short.is_drought, long.is_drought) == (False, True)
    assert long.expected == pytest.approx(26 * 65 / 365.25)
    assert long.p == pytest.approx(math.exp(-long.expected))


def test_whoever_never_reported_is_in_no_drought() -> None:
    assert drought(400, 0, 180).is_drought is False
    with pytest.raises(ValueError, match="gap"):
        drought(-1, 3, 180)


def test_a_share_rose_by_fishers_exact_test() -> None:
    """The lady tasting tea: four of four has 1/70, three of four 17/70."""
    assert share_rose(4, 4, 0, 4, alpha=0.05) == (True, pytest.approx(1 / 70))
    assert share_rose(3, 4, 1, 4, alpha=0.05) == (False, pytest.approx(17 / 70))
    assert share_rose(4, 4, 0, 4)[0] is False
    assert share_rose(12, 20, 10, 80)[0] is True


def test_a_share_that_did_not_rise_is_no_signal_and_nothing_is_none() -> None:
    assert share_rose(1, 20, 40, 80) == (False, pytest.approx(1.0, abs=1e-3))
    assert share_rose(0, 0, 0, 0) == (False, pytest.approx(1.0))
    with pytest.raises(ValueError, match="part"):
        share_rose(3, 2, 0, 0)


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30), st.integers(0, 30))
def test_fishers_probability_is_that_of_whole_numbers(
    hit: int, missed: int, hit_before: int, missed_before: int
) -> None:
    recent, earlier, marked = hit + missed, hit_before + missed_before, hit + hit_before
    ways = sum(math.comb(recent, k) * math.comb(earlier, marked - k) for k in range(hit, min(recent, marked) + 1))

    assert share_rose(hit, recent, hit_before, earlier)[1] == pytest.approx(
        ways / math.comb(recent + earlier, marked), rel=1e-9
    )
