"""An owed message is tried until it is taken: when it is tried again, what answers mean, when its endpoint is held."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.delivery import (
    ENOUGH,
    JITTER,
    LONGEST_WISH,
    SPAN,
    STANDARD,
    STATE_LIKE,
    URGENT,
    WARNED_AFTER,
    Tries,
    has_failed_contact,
    health,
    hold_at,
    may_be_superseded,
    next_attempt,
    outcome,
)
from app.domain.webhook import TYPES

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def tries(failed: int, *, urgent: bool = False, since: datetime = NOON, delivery_id: str = "msg_1") -> Tries:
    return Tries(delivery_id, urgent, failed, since)


@pytest.mark.parametrize(
    ("failed", "gap"),
    [
        (1, 5 * SECOND),
        (2, 5 * MINUTE),
        (3, 30 * MINUTE),
        (4, 2 * HOUR),
        (5, 5 * HOUR),
        (6, 10 * HOUR),
        (7, 14 * HOUR),
        (8, 20 * HOUR),
        (9, 24 * HOUR),
    ],
)
def test_a_message_waits_longer_after_each_failure(failed: int, gap: timedelta) -> None:
    again = next_attempt(tries(failed), NOON)

    assert again is not None
    assert gap * (1 - JITTER) <= again - NOON <= gap * (1 + JITTER)


@pytest.mark.parametrize(
    ("failed", "gap"),
    [
        (1, 5 * SECOND),
        (2, 15 * SECOND),
        (3, 30 * SECOND),
        (4, MINUTE),
        (5, 2 * MINUTE),
        (6, 5 * MINUTE),
        (7, 5 * MINUTE),
        (900, 5 * MINUTE),
    ],
)
def test_an_urgent_message_is_tried_within_seconds_and_then_every_five_minutes(failed: int, gap: timedelta) -> None:
    again = next_attempt(tries(failed, urgent=True), NOON)

    assert again is not None
    assert gap * (1 - JITTER) <= again - NOON <= gap * (1 + JITTER)


def test_both_schedules_are_through_after_the_same_time() -> None:
    assert SPAN == 75 * HOUR + 35 * MINUTE + 5 * SECOND
    assert SPAN - 5 * MINUTE < sum(URGENT, timedelta(0)) <= SPAN
    assert next_attempt(tries(len(STANDARD)), NOON) is None
    assert next_attempt(tries(len(URGENT), urgent=True), NOON) is None


def test_endpoints_that_failed_together_are_not_tried_together_and_each_is_when_it_was_to_be() -> None:
    again = [next_attempt(tries(3, delivery_id=f"msg_{number}"), NOON) for number in range(200)]
    once_more = [next_attempt(tries(3, delivery_id=f"msg_{number}"), NOON) for number in range(200)]

    assert len(set(again)) == 200
    assert again == once_more


@pytest.mark.parametrize(
    ("asked", "waits"),
    [
        ("120", 2 * MINUTE),
        ("0", None),
        (" 7200 ", 2 * HOUR),
        ("999999999999", LONGEST_WISH),
        (format_datetime(NOON + 3 * HOUR, usegmt=True), 3 * HOUR),
        (format_datetime(NOON - 3 * HOUR, usegmt=True), None),
        (format_datetime(NOON + 90 * HOUR, usegmt=True), LONGEST_WISH),
        ("Mon, 02 Mar 2026 15:00:00", None),
        ("-5", None),
        ("1e3", None),
        ("٣", None),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_a_receiver_is_given_the_time_that_it_asks_for_up_to_a_day(asked: str | None, waits: timedelta | None) -> None:
    again = next_attempt(tries(1), NOON, asked)

    assert again == (next_attempt(tries(1), NOON) if waits is None else NOON + waits)


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (200, "delivered"),
        (204, "delivered"),
        (299, "delivered"),
        (302, "failed"),
        (304, "failed"),
        (400, "failed"),
        (404, "failed"),
        (410, "gone"),
        (429, "failed"),
        (500, "failed"),
        (101, "failed"),
        (None, "failed"),
    ],
)
def test_only_2xx_is_success_and_only_410_is_final(status: int | None, meaning: str) -> None:
    assert outcome(status) == meaning


@pytest.mark.parametrize("urgent", [False, True])
def test_an_endpoint_is_warned_at_half_of_the_time_and_held_at_its_end(urgent: bool) -> None:
    failing = tries(ENOUGH, urgent=urgent)

    assert health(failing, NOON + WARNED_AFTER - SECOND) == "active"
    assert health(failing, NOON + WARNED_AFTER) == "degraded"
    assert health(failing, NOON + SPAN - SECOND) == "degraded"
    assert health(failing, NOON + SPAN) == "held"
    assert hold_at(failing) == NOON + SPAN


def test_an_endpoint_is_held_once_the_schedule_is_through_however_early_its_tries_came() -> None:
    assert health(tries(len(STANDARD)), NOON + SPAN * 0.8) == "held"


def test_a_service_that_was_away_for_a_week_does_not_call_its_endpoints_failing() -> None:
    assert health(tries(ENOUGH - 1), NOON + 7 * 24 * HOUR) == "active"


@pytest.mark.parametrize(
    ("failed", "after", "is_failed"),
    [
        (0, HOUR, False),
        (1, 59 * SECOND, False),
        (1, 60 * SECOND, True),
        (2, 20 * SECOND, False),
        (3, 20 * SECOND, True),
    ],
)
def test_a_contact_has_failed_after_three_tries_or_a_minute(failed: int, after: timedelta, is_failed: bool) -> None:
    assert has_failed_contact(tries(failed, urgent=True), NOON + after) is is_failed
    assert not has_failed_contact(tries(failed), NOON + after)


def test_only_a_message_about_how_something_stands_is_superseded_and_only_once_it_has_failed() -> None:
    superseded = {name for name in TYPES if may_be_superseded(name, 1)}

    assert superseded == STATE_LIKE
    assert not any(may_be_superseded(name, 0) for name in TYPES)


@given(st.booleans(), st.uuids(), st.integers(1, 2000), st.none() | st.integers(0, 10**12).map(str))
def test_whatever_happens_a_message_is_tried_again_within_two_days_or_its_endpoint_is_held(
    urgent: bool, which: object, failed: int, wish: str | None
) -> None:
    failing = tries(failed, urgent=urgent, delivery_id=f"msg_{which}")

    again = next_attempt(failing, NOON, wish)

    if again is None:
        assert health(failing, NOON) == "held"
    else:
        assert NOON + 4 * SECOND <= again <= NOON + 48 * HOUR


@given(st.booleans(), st.integers(1, 2000), st.timedeltas(timedelta(0), 10 * SPAN), st.timedeltas(timedelta(0), SPAN))
def test_an_endpoint_that_goes_on_failing_never_looks_better(
    urgent: bool, failed: int, after: timedelta, later: timedelta
) -> None:
    worse = ["active", "degraded", "held"]

    before = health(tries(failed, urgent=urgent), NOON + after)
    then = health(tries(failed + 1, urgent=urgent), NOON + after + later)

    assert worse.index(then) >= worse.index(before)
