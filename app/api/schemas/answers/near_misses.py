"""A near miss as it is answered: what was submitted, the check that it passed through, and where it stands."""

from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from app.api.schemas.answers.common import (
    Answered,
    Duration,
    Instant,
    InstantOrDay,
    Key,
    NextCursor,
    Number,
    Problem,
    Words,
    showing,
)

NEAR_MISS_EXAMPLE: dict[str, Any] = {
    "id": "nm_01a20677048172ec81013c2fbfc79392",
    "sequence": 6,
    "status": "awaiting_workflow_link",
    "version": 1,
    "source": "emar:willow-house",
    "source_event_id": "e-20260302-1187",
    "occurred_at": "2026-03-02T20:40:00+00:00",
    "incident_type": "medication",
    "classification": "near_miss",
    "service_id": "willow-house",
    "deviation": "omitted",
    "contributing_factors": ["communication_systems", "workload"],
    "staff_involved": [{"ref": "staff-7", "role": "senior carer"}],
    "person_ref": "resident-31",
    "shift_bracket": "night",
    "attributes": {"unit": "ground floor"},
    "time_zone": "Europe/London",
    "recorded_at": "2026-03-02T20:52:11.402713Z",
    "taxonomy_version": 1,
    "frequency": 3,
    "similarity_check": {
        "checked_at": "2026-03-02T20:52:11.402713Z",
        "policy_version": 2,
        "rules": [
            {
                "rule_id": "similar",
                "key": {"service_id": "willow-house", "incident_type": "medication", "deviation": "omitted"},
                "window": "P14D",
                "threshold": 3,
                "count": 3,
                "matched_ids": ["nm_01a2067704597e289fff45e86fddf0a3", "nm_01a20677046f7bbe8284774b7b922b8d"],
                "outcome": "escalated",
            }
        ],
    },
    "escalation_ids": ["esc_92ca7a9327bd5cf08b1423b00efd9378"],
    "next_deadlines": [{"kind": "workflow_link_due", "due_at": "2026-03-09T20:52:11.402713Z"}],
    "revisions": [],
}


class RuleChecked(Answered):
    """What one rule said of the record."""

    rule_id: str
    mode: Literal["shadow", "off"] | None = Field(
        None, description="Left out for an active rule; one in shadow is evaluated and opens nothing."
    )
    key: Key
    window: Duration
    threshold: int
    count: Number = Field(description="With the record itself.")
    matched_ids: list[str] = Field(
        description="The others in the window, in event-time order; at most the newest 1,000."
    )
    outcome: Literal[
        "below_threshold",
        "escalated",
        "attached",
        "related",
        "cooling_down",
        "unkeyed",
        "not_counted",
        "would_escalate",
    ]
    historical: Literal[True] | None = None
    cooldown_until: Instant | None = None


class SimilarityCheck(Answered):
    """The check without which nothing is recorded (S2)."""

    checked_at: Instant
    policy_version: int
    rules: list[RuleChecked]


class StaffInvolved(Answered):
    """Somebody who was involved, by the sender's pseudonymous reference."""

    ref: Words
    role: str | None = None


class ShiftWorked(Answered):
    """The shift instance."""

    id: str | None = None
    starts_at: Instant
    ends_at: Instant


class Assumption(Answered):
    """Planned against actual, or why there is no value."""

    planned: str | Number | None = None
    actual: str | Number | None = None
    planned_minutes: Number | None = None
    actual_minutes: Number | None = None
    status: Literal["not_applicable", "not_available"] | None = None
    note: Words | None = None


class Assumptions(Answered):
    """What the plan took for granted (S9)."""

    scheduling: Assumption | None = None
    staff_allocation: Assumption | None = None
    travel_time: Assumption | None = None


class PlanDeviation(Answered):
    """Actual less planned, as far as both are known: positive is later, more staff, or longer on the way."""

    scheduling_minutes: Number | None = None
    staff: Number | None = None
    travel_minutes: Number | None = None


class WorkflowLinked(Answered):
    """The stage that was affected, and the stage that allowed it."""

    stage_affected: str
    stage_allowed: str
    stage_allowed_basis: Literal["established", "probable"] | None = None
    system_used: str
    deviation_from_plan: Words
    corrective_action: Words
    mapped_against: Assumptions | None = None


class SourceEvent(Answered):
    """A source's own name for something that it told."""

    source: str
    source_event_id: str | None = None


class OtherSource(Answered):
    """Who else told of it: another record, marked as its duplicate, or another event of the same late round."""

    near_miss_id: str | None = Field(None, description="The record that is a duplicate of this one.")
    source: str | None = None
    source_event_id: str | None = None


class NearMissClosed(Answered):
    """How it ended: by itself with an outcome, or with the review it stood in."""

    outcome: Words | None = None
    review_id: str | None = None


class RecordDue(Answered):
    """What is awaited of the record, and until when; it is asked for again after each such deadline."""

    kind: Literal["details_due", "workflow_link_due"]
    due_at: Instant


class FollowedBy(Answered):
    """An action that a review agreed on."""

    id: str
    status: Literal["open", "overdue", "completed", "cancelled"]


class FollowedUp(Answered):
    """An escalation that the record stands in, its review, and what was agreed there."""

    id: str
    status: Literal[
        "awaiting_ack",
        "acknowledged",
        "under_review",
        "action_agreed",
        "snoozed",
        "monitoring_outcome",
        "closed",
        "merged",
        "historical",
    ]
    review_id: str | None = None
    review_status: Literal["open", "under_review", "closed", "merged"] | None = None
    closed_as: str | None = Field(None, description="The closure code of its review.")
    closed_at: Instant | None = None
    actions: list[FollowedBy]


class Feedback(Answered):
    """What became of the report, for whoever made it: the check, the review, the outcome."""

    message: str = Field(description="In plain words.")
    similar: Number = Field(description="How often it happened, as in `frequency`.")
    escalations: list[FollowedUp]
    outcome: Words | None = Field(None, description="How the record was closed: its own outcome, or its review's code.")


class Revision(Answered):
    """A correction or completion."""

    version: int
    recorded_at: Instant
    actor: str
    changed: list[str]
    reason: Words | None = None
    revised_by: SourceEvent | None = Field(None, description="The source's own later word, when it was that.")


class NearMiss(Answered):
    """A near miss, its check, and where it stands; what was submitted stands in it as submitted."""

    model_config: ClassVar[ConfigDict] = showing(NEAR_MISS_EXAMPLE)

    id: str
    sequence: int = Field(description="Its place in the organisation's ledger.")
    status: Literal[
        "awaiting_details", "awaiting_workflow_link", "linked", "in_review", "closed", "withdrawn", "duplicate"
    ]
    version: int = Field(description="How many events it has had; the ETag.")
    source: str | None = None
    source_event_id: str | None = None
    occurred_at: InstantOrDay
    incident_type: str
    classification: str
    service_id: str | None = None
    reported_service_id: str | None = Field(None, description="The alias that was reported, when it was one.")
    locality: str | None = None
    deviation: str | None = None
    contributing_factors: list[str] | None = None
    staff_involved: list[StaffInvolved] | None = None
    staff_not_known_reason: Words | None = None
    person_ref: Words | None = None
    discovered_at: Instant | None = None
    scheduled_at: Instant | None = None
    shift: ShiftWorked | None = None
    shift_bracket: str | None
    recovery_barrier: str | None = None
    potential_harm: Literal["low", "moderate", "severe", "death"] | None = None
    reported_frequency: str | int | None = Field(None, description="The reporter's claim; counts nothing.")
    narrative: Words | None = None
    attributes: dict[str, str | Number]
    stage_allowed: str | None = Field(None, description="What a system knew of the link before there was one.")
    stage_affected: str | None = None
    time_zone: str = Field(description="In which dates and calendar windows of this record are read.")
    recorded_at: Instant
    reported_at: Instant | None = Field(None, description="When the source recorded it.")
    taxonomy_version: int
    frequency: Number = Field(description="The largest count among the rules that count it; 1 when none does.")
    similarity_check: SimilarityCheck
    escalation_ids: list[str]
    workflow_link: WorkflowLinked | None = None
    workflow_prefill: Assumptions | None = Field(
        None, description="What its source knew of the assumptions; a link that leaves one out takes it from here."
    )
    plan_deviation: PlanDeviation | None = Field(
        None, description="How far it was off the plan, by the link's assumptions or by what its source knew of them."
    )
    persons_affected: int | None = Field(None, description="Of a late round or run that is one near miss.")
    further_persons: list[Words] | None = Field(None, description="Whom it happened to beside `person_ref`.")
    awaiting: list[str] | None = Field(None, description="Fields that a person still has to complete.")
    flags: list[Literal["unregistered_service", "overdue"]] | None = None
    duplicate_of: str | None = None
    other_sources: list[OtherSource] | None = None
    closure: NearMissClosed | None = None
    next_deadlines: list[RecordDue] = Field(description="The earliest first; nothing once nothing is awaited.")
    feedback: Feedback | None = Field(None, description="Only where one record is read.")
    revisions: list[Revision]


class NearMissList(Answered):
    """A page of near misses, newest first."""

    items: list[NearMiss]
    next_cursor: NextCursor


class BatchItem(Answered):
    """One item's answer: the near miss, or the problem."""

    status: int
    near_miss: NearMiss | None = None
    problem: Problem | None = None


class BatchAnswer(Answered):
    """The answers of a batch, in order."""

    items: list[BatchItem]


class HistoryEvent(Answered):
    """One event: what happened, when, and who did it."""

    sequence: int
    type: str = Field(description="As docs/events.md lists it, with its schema version.")
    version: int
    occurred_at: Instant
    recorded_at: Instant
    actor: str
    correlation_id: str
    data: dict[str, Any]


class History(Answered):
    """The events of one record, in order."""

    items: list[HistoryEvent]
    next_cursor: NextCursor
