"""What came in is received once, and read again only while nothing has come of it."""

from dataclasses import replace
from functools import reduce

import msgspec
import pytest

from app.domain import intake
from app.domain.intake import REPLAYABLE, Event, Finding, IntakeRecord, Outcome, Receive, Received, Replay, Replayed
from app.domain.sealed import SealedText

unmapped = Finding("unmapped", "unmapped_status", 1)
recognised = Finding("recognised", "not_delivered", 2, near_miss_id="nm_1")
received = Received("emar", "d-1", "care.emar.administration.v1", "events", "f", "r", SealedText("s", "k"), unmapped)


def after(*events: Event) -> IntakeRecord:
    return reduce(intake.evolve, events, intake.UNRECEIVED)


def test_what_came_in_is_received_once() -> None:
    events = intake.decide(Receive(received), intake.UNRECEIVED)

    assert events == [received]
    assert intake.decide(Receive(replace(received, fingerprint="other")), after(*events)) == []


def test_reading_it_again_tells_what_it_is_taken_for_now_and_only_once() -> None:
    events = intake.decide(Replay(recognised), after(received))

    assert events == [Replayed(recognised)]
    assert after(received, *events).finding == recognised
    assert intake.decide(Replay(recognised), after(received, *events)) == []


def test_newer_rules_that_find_the_same_are_no_news() -> None:
    events = intake.decide(Replay(replace(unmapped, recognition_version=7)), after(received))

    assert events == []


@pytest.mark.parametrize("outcome", Outcome)
def test_what_has_had_its_effect_stays_as_it_is(outcome: Outcome) -> None:
    record = after(replace(received, finding=Finding(outcome.value, "why", 1)))

    events = intake.decide(Replay(Finding("recognised", "not_delivered", 2)), record)

    assert bool(events) == (outcome in REPLAYABLE)


def test_a_record_reads_the_same_from_disk() -> None:
    stored = msgspec.json.encode(received)

    assert msgspec.json.decode(stored, type=Received) == received
