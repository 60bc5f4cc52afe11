"""What an organisation settles: its policy, its words, its services."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from app.domain import adoption, duplicate_rule, patterns, recognition_document, service, taxonomy
from app.domain.decider import Invalid
from app.domain.sensitivity import PolicyLessSensitive, gives_a_reason
from app.events.store import Cause, Draft
from app.operations import cooling
from app.operations.calendars import faults_of
from app.operations.configuration import POLICY_STREAM, RECOGNITION_STREAM, TAXONOMY_STREAM
from app.operations.desk import Desk
from app.operations.job import PreconditionFailed, Unavailable
from app.operations.judging import drafts_of
from app.operations.less_sensitive import Tried, less_sensitive

STALE = "It has changed since: read it again and repeat the request with its new ETag."


class TriedOnAnother(Unavailable):
    """Another policy has come into force since this one was tried: it is tried again."""


def adopt_policy(
    desk: Desk, cause: Cause, document: Mapping[str, Any], if_match: int | None, tried: Tried | None = None
) -> None:
    """Put a policy in force; what its rules find in (now − W, now] is raised in the same transaction.

    `tried`: what came of trying it on history before, beside the lock; one that nobody has tried is tried under it,
    which is right where nobody waits, as in a demo. Raises `Invalid`, as well for a country whose public holidays
    nobody knows; `PolicyLessSensitive` when it would have opened fewer reviews and nobody says why; `TriedOnAnother`.
    """
    settled = desk.configuration
    if if_match is not None and if_match != settled.policy.version:
        raise PreconditionFailed(STALE)
    adopted = adoption.decide(adoption.Adopt(document), settled.policy)
    if not adopted:
        return
    becomes = adoption.evolve(settled.policy, adopted[0])
    if faults := faults_of(becomes.working_time):
        raise Invalid(*faults)
    if tried is None:
        fewer = less_sensitive(desk.connection, desk.organisation, settled.policy, becomes, desk.micros)
    elif tried.version == settled.policy.version:
        fewer = tried.found
    else:
        raise TriedOnAnother("The policy changed while this one was tried on history: send it again in a moment.")
    if fewer is not None and not gives_a_reason(becomes, settled.policy):
        raise PolicyLessSensitive(fewer)
    desk.append(cause, [Draft(POLICY_STREAM, settled.policy_events, [replace(adopted[0], less_sensitive=fewer)])])
    desk.memory.forget()
    policy, now = desk.configuration.policy, desk.micros
    found = patterns.adopt(policy, desk.memory, now, desk.configuration.zone)
    drafts = drafts_of(desk, [one for one in found if isinstance(one, patterns.Raise)], cause.command_id)
    drafts += [cooling.put_off(desk, one) for one in found if isinstance(one, patterns.Defer)]
    desk.append(cause, drafts)


def adopt_recognition(desk: Desk, cause: Cause, document: Mapping[str, Any], if_match: int | None) -> None:
    """Put rules of recognition in force: what is taken in from now on is judged by them. Raises `Invalid`."""
    settled = desk.configuration
    if if_match is not None and if_match != settled.recognition.version:
        raise PreconditionFailed(STALE)
    decided = recognition_document.decide(recognition_document.Adopt(document), settled.recognition)
    desk.append(cause, [Draft(RECOGNITION_STREAM, settled.recognition_events, decided)])


def adopt_duplicate_rule(desk: Desk, cause: Cause, command: duplicate_rule.Adopt, if_match: int | None) -> None:
    """Say when two records look like one occurrence, and whether the service confirms that by itself."""
    settled = desk.configuration
    if if_match is not None and if_match != settled.duplicate_rule.version:
        raise PreconditionFailed(STALE)
    decided = duplicate_rule.decide(command, settled.duplicate_rule)
    desk.append(cause, [Draft(duplicate_rule.STREAM, settled.duplicate_rule_events, decided)])


def extend_taxonomy(desk: Desk, cause: Cause, command: taxonomy.Extend, if_match: int | None) -> None:
    """Add to the organisation's words, or change or retire some."""
    settled = desk.configuration
    if if_match is not None and if_match != settled.taxonomy.version:
        raise PreconditionFailed(STALE)
    decided = taxonomy.decide(command, settled.taxonomy, desk.now)
    desk.append(cause, [Draft(TAXONOMY_STREAM, settled.taxonomy_events, decided)])


def register_service(
    desk: Desk, cause: Cause, service_id: str, particulars: service.Particulars, if_match: int | None
) -> None:
    """Say what a service is, where it belongs, and who holds which role."""
    stream = f"service/{service_id}"
    state, version = desk.fold(stream, service.UNREGISTERED, service.evolve)
    if if_match is not None and if_match != version:
        raise PreconditionFailed(STALE)
    decided = service.decide(service.Register(particulars), state, desk.now)
    desk.append(cause, [Draft(stream, version, decided)])
