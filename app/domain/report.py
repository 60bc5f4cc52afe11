"""The words a near miss is told in: what was reported, how it ties into the work, and what the rules said of it.

They stand in events, so they are for ever: fields are only added, with defaults. Personal words and references
are sealed before they come here.
"""

from dataclasses import dataclass, field
from datetime import datetime

from app.domain.sealed import Reference, SealedText

Value = str | int | float


@dataclass(frozen=True, slots=True)
class Staff:
    """Somebody who was involved, as a pseudonymous reference, and the role they had."""

    ref: Reference
    role: str | None = None


@dataclass(frozen=True, slots=True)
class Shift:
    """The shift instance in which it happened; instants as submitted (RFC 3339)."""

    starts_at: str
    ends_at: str
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Assumption:
    """Planned against actual (S9): instants, numbers of staff or minutes; or why there is none, as a status."""

    planned: str | Value | None = None
    actual: str | Value | None = None
    planned_minutes: float | int | None = None
    actual_minutes: float | int | None = None
    status: str | None = None
    note: SealedText | None = None


@dataclass(frozen=True, slots=True)
class MappedAgainst:
    """The three assumptions a visit is mapped against (S9)."""

    scheduling: Assumption | None = None
    staff_allocation: Assumption | None = None
    travel_time: Assumption | None = None


@dataclass(frozen=True, slots=True)
class WorkflowLink:
    """Which stage of the work was affected, and which one allowed it (S7, S8)."""

    stage_affected: str
    stage_allowed: str
    system_used: str
    deviation_from_plan: SealedText
    corrective_action: SealedText
    stage_allowed_basis: str | None = None
    mapped_against: MappedAgainst | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What is known of the near miss (S1). `occurred_at` is as submitted: an instant with offset, or a date."""

    occurred_at: str
    incident_type: str
    classification: str
    zone: str
    service_id: str | None = None
    reported_service_id: str | None = None
    locality: str | None = None
    deviation: str | None = None
    contributing_factors: tuple[str, ...] = ()
    staff_involved: tuple[Staff, ...] = ()
    staff_not_known_reason: SealedText | None = None
    person_ref: Reference | None = None
    discovered_at: str | None = None
    scheduled_at: str | None = None
    shift: Shift | None = None
    shift_bracket: str | None = None
    recovery_barrier: str | None = None
    potential_harm: str | None = None
    reported_frequency: str | int | None = None
    narrative: SealedText | None = None
    attributes: dict[str, Value] = field(default_factory=dict[str, Value])
    stage_allowed: str | None = None
    stage_affected: str | None = None


@dataclass(frozen=True, slots=True)
class RuleChecked:
    """What one rule said of the record; `key` is (field, value) in the rule's order, `count` with the record itself.

    `uncounted`: the record is related to an open episode although the rule does not count it, as harm is.
    """

    rule_id: str
    key: tuple[tuple[str, Value | None], ...]
    window: str
    threshold: int
    count: float | int
    matched_ids: tuple[str, ...]
    outcome: str
    mode: str | None = None
    historical: bool | None = None
    cooldown_until: datetime | None = None
    uncounted: bool | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """The similarity check without which nothing is recorded (S2)."""

    checked_at: datetime
    policy_version: int
    rules: tuple[RuleChecked, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """A source system's own name for the occurrence."""

    source: str
    source_event_id: str | None = None


def stage_is_identified(link: WorkflowLink | None) -> bool:
    """Whether the stage that allowed it is known; `unknown` passes no gate (S8)."""
    return link is not None and link.stage_allowed != "unknown"


def unmapped(report: Report, link: WorkflowLink | None) -> tuple[str, ...]:
    """Which of the three assumptions a visit still lacks (S9); none for other incident types."""
    if report.incident_type != "visit":
        return ()
    mapped = link.mapped_against if link else None
    if mapped is None:
        return ("scheduling", "staff_allocation", "travel_time")
    return tuple(name for name in ("scheduling", "staff_allocation", "travel_time") if getattr(mapped, name) is None)
