"""When a source that is expected to speak is silent: asked by a timer, answered by what came from it."""

from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain import source
from app.domain.decider import Invalid
from app.domain.source import UNDECLARED, Ask, Declare, Declared, Heard, Silent, Source, SpeakAgain, SpokeAgain

MONDAY = datetime(2026, 3, 2, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MANAGERS = ("manager",)

daily = Declared(MONDAY, "P1D", MONDAY + DAY)
silent = Silent(MONDAY, MONDAY + DAY, MANAGERS, MONDAY + DAY)


def after(*events: source.Event) -> Source:
    return reduce(source.evolve, events, UNDECLARED)


def test_a_rhythm_counts_from_its_declaration() -> None:
    assert source.decide(Declare("emar", "P1D"), UNDECLARED, MONDAY) == [daily]
    assert after(daily).due_at == MONDAY + DAY


def test_a_timer_that_asks_early_is_told_nothing() -> None:
    assert source.decide(Ask(None, MANAGERS), after(daily), MONDAY + 23 * HOUR) == []


def test_a_source_that_spoke_in_time_is_expected_again_a_rhythm_after_it_spoke() -> None:
    spoke = MONDAY + 20 * HOUR

    assert source.decide(Ask(spoke, MANAGERS), after(daily), MONDAY + DAY) == [Heard(spoke, spoke + DAY)]


def test_a_source_that_did_not_speak_is_silent_since_it_was_heard_last() -> None:
    spoke = MONDAY + 20 * HOUR
    state = after(daily, Heard(spoke, spoke + DAY))

    (told,) = source.decide(Ask(spoke, MANAGERS), state, MONDAY + 3 * DAY)

    assert told == Silent(spoke, spoke + DAY, MANAGERS, spoke + DAY, spoke)
    assert after(daily, Heard(spoke, spoke + DAY), told) == Source("P1D", since=spoke, silent_since=spoke)


def test_a_source_that_was_never_heard_is_silent_since_it_was_declared() -> None:
    assert source.decide(Ask(None, MANAGERS), after(daily), MONDAY + DAY) == [silent]


def test_what_was_heard_before_the_declaration_keeps_nobody_from_being_silent() -> None:
    last_week = MONDAY - 7 * DAY

    (told,) = source.decide(Ask(last_week, MANAGERS), after(daily), MONDAY + DAY)

    assert told == Silent(MONDAY, MONDAY + DAY, MANAGERS, MONDAY + DAY, last_week)


def test_a_timer_that_comes_late_finds_that_it_spoke_and_fell_silent_again() -> None:
    spoke = MONDAY + 30 * HOUR  # After its deadline, and before anybody asked.

    told = source.decide(Ask(spoke, MANAGERS), after(daily), MONDAY + 5 * DAY)

    assert told == [Heard(spoke, spoke + DAY), Silent(spoke, spoke + DAY, MANAGERS, spoke + DAY, spoke)]


def test_a_silence_is_told_once_and_again_only_after_it_spoke() -> None:
    spoke = MONDAY + 3 * DAY

    assert source.decide(Ask(None, MANAGERS), after(daily, silent), MONDAY + 9 * DAY) == []
    spoke_again = SpokeAgain(spoke, MONDAY, spoke + DAY)
    assert source.decide(SpeakAgain(spoke), after(daily, silent), spoke) == [spoke_again]
    state = after(daily, silent, spoke_again)
    assert state == Source("P1D", since=spoke, due_at=spoke + DAY)
    assert source.decide(SpeakAgain(spoke), state, spoke) == []
    assert source.decide(Ask(spoke, MANAGERS), state, spoke + DAY) == [
        Silent(spoke, spoke + DAY, MANAGERS, spoke + DAY, spoke)
    ]


def test_whose_silence_is_told_and_that_nobody_could_be_reached_stands_in_the_event() -> None:
    of_service = Declared(MONDAY, "P1D", MONDAY + DAY, "willow-house")

    (told,) = source.decide(Ask(None, MANAGERS, nobody_reachable=True), after(of_service), MONDAY + DAY)

    assert isinstance(told, Silent)
    assert (told.service_id, told.nobody_reachable, told.why) == ("willow-house", True, "source_silent")


def test_declaring_the_same_again_changes_nothing() -> None:
    for state in (after(daily), after(daily, silent)):
        assert source.decide(Declare("emar", "P1D"), state, MONDAY + 5 * DAY) == []


@pytest.mark.parametrize("before", [(daily,), (daily, silent)])
def test_other_words_about_a_source_leave_its_deadline_and_its_silence(before: tuple[source.Event, ...]) -> None:
    (told,) = source.decide(Declare("emar", "P1D", "willow-house", "The eMAR."), after(*before), MONDAY + 5 * DAY)

    state = after(*before, told)
    assert (state.service_id, state.description) == ("willow-house", "The eMAR.")
    assert (state.since, state.due_at, state.silent_since) == (
        MONDAY,
        after(*before).due_at,
        after(*before).silent_since,
    )


def test_another_rhythm_begins_anew_also_in_silence() -> None:
    (told,) = source.decide(Declare("emar", "PT6H"), after(daily, silent), MONDAY + 5 * DAY)

    assert told == Declared(MONDAY + 5 * DAY, "PT6H", MONDAY + 5 * DAY + 6 * HOUR)
    assert after(daily, silent, told).silent_since is None


def test_a_source_that_is_no_longer_expected_falls_silent_no_more() -> None:
    (told,) = source.decide(Declare("emar", None), after(daily, silent), MONDAY + 5 * DAY)

    state = after(daily, silent, told)
    assert (state.due_at, state.silent_since, state.expected_every) == (None, None, None)
    assert source.decide(Ask(None, MANAGERS), state, MONDAY + 99 * DAY) == []
    assert source.decide(SpeakAgain(MONDAY), state, MONDAY + 99 * DAY) == []


@pytest.mark.parametrize("every", ["PT59S", "PT0.5S"])
def test_a_rhythm_that_nobody_could_keep_is_refused(every: str) -> None:
    with pytest.raises(Invalid):
        source.decide(Declare("emar", every), UNDECLARED, MONDAY)


def test_a_month_is_one_of_the_calendar_and_no_short_rhythm() -> None:
    (told,) = source.decide(Declare("emar", "P1M", time_zone="Europe/London"), UNDECLARED, MONDAY)

    assert isinstance(told, Declared)
    assert told.due_at == datetime(2026, 4, 2, 9, tzinfo=UTC)  # Ten on the clock, which has been put forward.


def test_the_service_itself_is_no_source() -> None:
    with pytest.raises(Invalid) as refused:
        source.decide(Declare("forewarn", "P1D"), UNDECLARED, MONDAY)

    assert refused.value.faults[0].pointer == "/path/source"


def test_a_source_is_shown_with_what_its_stream_does_not_know_yet() -> None:
    spoke = MONDAY + 2 * HOUR

    assert source.as_heard(after(daily), spoke, since_told=True).due_at == spoke + DAY
    assert source.as_heard(after(daily), MONDAY - HOUR, since_told=True) == after(daily)
    assert source.as_heard(after(daily, silent), spoke, since_told=False) == after(daily, silent)
    assert source.as_heard(after(daily, silent), spoke, since_told=True).silent_since is None
    assert source.as_heard(UNDECLARED, spoke, since_told=True) == UNDECLARED


COMMANDS = st.one_of(
    st.builds(Declare, st.just("emar"), st.sampled_from([None, "PT1H", "P1D"]), st.sampled_from([None, "willow"])),
    st.builds(Ask, st.none() | st.integers(0, 200).map(lambda n: MONDAY + n * HOUR), st.just(MANAGERS)),
    st.builds(SpeakAgain, st.integers(0, 200).map(lambda n: MONDAY + n * HOUR)),
)


@given(st.lists(st.tuples(st.integers(0, 40), COMMANDS), max_size=12))
def test_asking_twice_changes_nothing_and_what_is_expected_has_a_deadline_or_is_silent(told: list[Any]) -> None:
    state, now = UNDECLARED, MONDAY
    for hours, command in told:
        now += hours * HOUR
        for event in source.decide(command, state, now):
            state = source.evolve(state, event)
        assert source.decide(command, state, now) == []
        assert (state.due_at is None) is (state.expected_every is None or state.silent_since is not None)
        assert state.silent_since is None or state.expected_every is not None
