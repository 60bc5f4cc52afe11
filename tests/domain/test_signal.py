"""A signal is told once, answered once, and shows the numbers by which it was found."""

from datetime import UTC, datetime
from functools import reduce

import pytest

from app.domain.sealed import SealedText
from app.domain.signal import (
    UNTOLD,
    Acknowledge,
    Acknowledged,
    AlreadyAcknowledged,
    CusumDesign,
    Drought,
    DroughtSignalled,
    Event,
    Signal,
    Tell,
    Trend,
    TrendSignalled,
    decide,
    evolve,
    kind_of,
    series_of,
)

JANUARY = datetime(2026, 1, 5, tzinfo=UTC)
RISING = Trend(
    "rising",
    "willow-house",
    "medication",
    "count_per_week",
    "poisson_cusum",
    0.875,
    7,
    8,
    0.145833,
    3,
    24,
    5.4,
    4.3,
    JANUARY,
    "2026-W02",
    "2026-W09",
    311,
    "Medication near misses have become more frequent.",
    design=CusumDesign(0.15, 0.3, 0.2, 4.3, 528.4),
)
SILENT = Drought("willow-house", JANUARY, 31.5, 1.5, 39, 182, 6.75, 0.00117, 0.00128, 311, "Nothing was reported.")
NOTE = SealedText("c2VhbGVk", "key-1")
ANSWER = Acknowledge(NOTE, "staff/abc")


def after(*events: Event) -> Signal:
    return reduce(evolve, events, UNTOLD)


def told(found: Trend | Drought = RISING) -> Event:
    (event,) = decide(Tell(found, ("manager", "staff/abc")), UNTOLD)
    return event


def test_what_is_in_alarm_is_told_to_the_managers_with_its_numbers() -> None:
    event = told()

    assert isinstance(event, TrendSignalled)
    assert (event.statistic, event.design, event.says) == (5.4, RISING.design, RISING.says)
    assert (event.notify, event.nobody_reachable, event.why) == (("manager", "staff/abc"), False, "trend_signalled")


def test_a_silence_is_told_as_a_drought() -> None:
    event = told(SILENT)

    assert isinstance(event, DroughtSignalled)
    assert (event.gap_days, event.expected, event.why) == (31.5, 6.75, "reporting_drought")


def test_what_was_told_is_not_told_again() -> None:
    assert decide(Tell(RISING, ("manager",)), after(told())) == []
    assert decide(Tell(RISING, ("manager",)), after(told(), Acknowledged(NOTE, "staff/abc"))) == []


def test_a_signal_is_open_until_somebody_answers_it() -> None:
    signal = after(told())

    events = decide(ANSWER, signal)

    assert signal.status == "open"
    assert events == [Acknowledged(NOTE, "staff/abc")]
    assert evolve(signal, events[0]).status == "acknowledged"


def test_saying_the_same_again_is_no_event() -> None:
    assert decide(ANSWER, after(told(), Acknowledged(NOTE, "staff/abc"))) == []


@pytest.mark.parametrize(
    "other", [Acknowledge(NOTE, "staff/other"), Acknowledge(SealedText("b3RoZXI=", "key-2"), "staff/abc")]
)
def test_what_was_answered_keeps_its_answer(other: Acknowledge) -> None:
    answered = after(told(), Acknowledged(NOTE, "staff/abc"))

    with pytest.raises(AlreadyAcknowledged) as refusal:
        decide(other, answered)

    assert refusal.value.code == "signal-not-open"


def test_a_series_is_a_kind_of_signal_of_a_type_or_a_source_in_a_service() -> None:
    assert series_of(RISING) == ("rising", "willow-house", "medication")
    assert series_of(SILENT) == ("drought", "willow-house", "")
    assert (kind_of(RISING), kind_of(SILENT)) == ("rising", "drought")
