"""The names of events on disk: a promise that nothing may take back."""

import re
from dataclasses import fields, is_dataclass
from types import ModuleType
from typing import get_args

import pytest

from app.domain import (
    action,
    adoption,
    checkpoint,
    endpoint,
    escalation,
    governance,
    intake,
    near_miss,
    organisation,
    review,
    service,
    signal,
    taxonomy,
    watch,
)
from app.events.catalogue import CATALOGUE, CONFIGURATION, NAMES

STREAMS: list[ModuleType] = [
    action,
    checkpoint,
    endpoint,
    escalation,
    governance,
    intake,
    near_miss,
    organisation,
    review,
    signal,
]
PROMISED = {
    "action.agreed",
    "denominator.stated",
    "duplicate_rule.adopted",
    "endpoint.changed",
    "endpoint.degraded",
    "endpoint.deleted",
    "endpoint.enabled",
    "endpoint.held",
    "endpoint.recovered",
    "endpoint.recovery_asked",
    "endpoint.registered",
    "endpoint.replay_asked",
    "endpoint.secret_rotated",
    "endpoint.tested",
    "escalation.acknowledged",
    "escalation.action_agreed",
    "escalation.additional_ack",
    "escalation.closed",
    "escalation.contact_failed",
    "escalation.dismissed_again",
    "escalation.member_added",
    "escalation.member_demoted",
    "escalation.member_withdrawn",
    "escalation.monitoring_begun",
    "escalation.raised",
    "escalation.reopened",
    "escalation.review_begun",
    "escalation.support_lost",
    "escalation.support_regained",
    "evidence_pack.failed",
    "evidence_pack.ready",
    "evidence_pack.requested",
    "governance_cadence.missed",
    "governance_review.action_recommended",
    "governance_review.assessed",
    "governance_review.closed",
    "governance_review.decided",
    "governance_review.minuted",
    "governance_review.none_recommended",
    "governance_review.opened",
    "governance_review.overdue",
    "intake.received",
    "intake.replayed",
    "ledger.checkpointed",
    "near_miss.closed",
    "near_miss.corrected",
    "near_miss.details_completed",
    "near_miss.details_overdue",
    "near_miss.duplicate_dismissed",
    "near_miss.duplicate_undone",
    "near_miss.linked",
    "near_miss.marked_duplicate",
    "near_miss.person_added",
    "near_miss.person_removed",
    "near_miss.recorded",
    "near_miss.reopened",
    "near_miss.source_added",
    "near_miss.source_removed",
    "near_miss.withdrawn",
    "near_miss.workflow_link_overdue",
    "organisation.key_created",
    "organisation.key_revoked",
    "organisation.opened",
    "outcome.assessed",
    "outcome.put_off",
    "outcome.scheduled",
    "policy.adopted",
    "recognition.adopted",
    "review.action_agreed",
    "review.causes_identified",
    "review.closed",
    "review.countersigned",
    "review.merged",
    "review.opened",
    "review.reopened",
    "review.safeguarding_considered",
    "review.started",
    "review.system_risk_determined",
    "service.registered",
    "signal.acknowledged",
    "signal.drought_signalled",
    "signal.trend_signalled",
    "source.declared",
    "source.heard",
    "source.silent",
    "source.spoke_again",
    "taxonomy.extended",
    "watch.cooldown_ended",
    "watch.cooldown_extended",
    "watch.deferred",
}


def test_every_name_that_a_ledger_may_hold_is_still_known() -> None:
    assert set(CATALOGUE) >= PROMISED


def test_every_name_is_a_stream_and_what_happened_there() -> None:
    assert [name for name in CATALOGUE if not re.fullmatch(r"[a-z]+(_[a-z]+)*\.[a-z]+(_[a-z]+)*", name)] == []


def test_no_event_has_two_names() -> None:
    assert len(NAMES) == len(CATALOGUE)


@pytest.mark.parametrize("stream", STREAMS, ids=lambda module: module.__name__)
def test_every_event_that_a_stream_can_tell_has_a_name(stream: ModuleType) -> None:
    told = get_args(stream.Event) or (stream.Event,)

    assert [event for event in told if event not in NAMES] == []


def test_single_events_have_names_too() -> None:
    told = {adoption.Adopted, service.Registered, taxonomy.Extended, watch.CooldownEnded, watch.CooldownExtended}

    assert told <= set(NAMES)


@pytest.mark.parametrize("name", CATALOGUE)
def test_an_event_is_a_frozen_value(name: str) -> None:
    event = CATALOGUE[name].event

    assert is_dataclass(event)
    assert event.__dataclass_params__.frozen
    assert hasattr(event, "__slots__")
    assert all(field.init for field in fields(event))


def test_what_settles_an_organisation_is_named_in_the_catalogue() -> None:
    assert set(CATALOGUE) >= CONFIGURATION
