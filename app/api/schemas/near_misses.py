"""What is said of a near miss: the report and what comes after (S1).

People and the systems that ask them send a `Submission`, which is complete or refused with every missing field named.
A system that only noticed something sends an `IntakeSubmission`: what it cannot know is completed later.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, Self, cast

from pydantic import ConfigDict, Field, SkipValidation, model_validator, with_config
from typing_extensions import TypedDict  # Pydantic asks for this one before Python 3.12.

from app.api.schemas.fields import (
    Attributes,
    Factors,
    Frequency,
    Harm,
    Identifier,
    Instant,
    Narrative,
    OccurredAt,
    OccurredEver,
    Sentence,
    Text,
)
from app.api.schemas.validation import Body, refusal
from app.api.schemas.workflow import PartialWorkflowLink, WorkflowLink
from app.domain.decider import Fault
from app.domain.moment import parse_instant

# Parts of a report


class StaffMember(Body):
    """Somebody who was involved."""

    ref: Identifier = Field(description="The sender's pseudonymous reference; it is sealed before it is stored.")
    role: Identifier | None = Field(None, description="The role at that time, in the sender's words.")


class Shift(Body):
    """The shift in which it happened, as it was worked."""

    id: Identifier | None = Field(None, description="The roster's id of the shift.")
    starts_at: Instant = Field(description="When the shift began.")
    ends_at: Instant = Field(description="When the shift ended, after it began.")

    @model_validator(mode="after")
    def ends_after_it_starts(self) -> Self:
        if parse_instant(self.ends_at) <= parse_instant(self.starts_at):
            raise refusal("out-of-order", "Give `ends_at` after `starts_at`.")
        return self


# The report (S1)

EXAMPLE: dict[str, Any] = {
    "source": "emar:willow-house",
    "source_event_id": "e-20260302-1187",
    "occurred_at": "2026-03-02T20:40:00+00:00",
    "service_id": "willow-house",
    "incident_type": "medication",
    "deviation": "omitted",
    "classification": "near_miss",
    "contributing_factors": ["communication_systems", "workload"],
    "staff_involved": [{"ref": "staff-7", "role": "senior carer"}],
    "person_ref": "resident-31",
    "shift": {"starts_at": "2026-03-02T20:00:00+00:00", "ends_at": "2026-03-03T08:00:00+00:00"},
    "recovery_barrier": "colleague",
    "potential_harm": "moderate",
    "reported_frequency": "occasional",
    "narrative": "The night carer saw that the evening dose was not signed for, and gave it.",
    "attributes": {"unit": "ground floor", "doses_in_round": 14},
}

MOST_STAFF = 50
Staff = Annotated[list[StaffMember], Field(max_length=MOST_STAFF)]


class Report(Body):
    """What every report of a near miss may say."""

    source: Identifier | None = Field(None, description="The system that reports; with `source_event_id` a name.")
    source_event_id: Identifier | None = Field(None, description="The source's own id: reported again, the original.")
    discovered_at: Instant | None = Field(None, description="When it was noticed.")
    scheduled_at: Instant | None = Field(None, description="When the dose or visit was due.")
    locality: Identifier | None = Field(None, description="Where; left out, the register's locality on that day.")
    incident_type: Identifier = Field(description="A code of the taxonomy's `incident_types`.")
    deviation: Identifier | None = Field(None, description="A code of `deviations` within the incident type.")
    classification: Identifier = Field(description="A code of the taxonomy's `classifications`.")
    staff_involved: Staff | None = Field(None, description="Who was involved.")
    staff_not_known_reason: Sentence | None = Field(None, description="Why nobody is named in `staff_involved`.")
    person_ref: Identifier | None = Field(None, description="Reference of the person cared for; sealed when stored.")
    shift: Shift | None = Field(None, description="The shift instance; decides whether it was at a handover.")
    recovery_barrier: Identifier | None = Field(None, description="Why it did not reach the person.")
    potential_harm: Harm | None = Field(None, description="What could have come of it; never changes a count.")
    reported_frequency: Frequency | None = Field(None, description="The reporter's estimate, kept as a claim.")
    narrative: Narrative | None = Field(None, description="What happened, in words; kept as it was written.")
    attributes: Attributes | None = Field(None, description="Fields of the sender's own; rules may group by them.")

    @classmethod
    def together(cls, document: Mapping[str, object]) -> Iterator[Fault]:
        if document.get("source_event_id") is not None and document.get("source") is None:
            yield Fault("/source", "missing", "Give the `source` beside its `source_event_id`.")
        yield from staff_named_and_unknown(document, "")


def staff_named_and_unknown(document: Mapping[str, object], pointer: str) -> Iterator[Fault]:
    if document.get("staff_involved") and document.get("staff_not_known_reason") is not None:
        yield Fault(
            f"{pointer}/staff_not_known_reason", "contradiction", "Give this only when `staff_involved` names nobody."
        )


class Submission(Report):
    """A near miss as people report it: complete."""

    model_config: ClassVar[ConfigDict] = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    occurred_at: OccurredAt = Field(description="When: an instant with its offset, or a date when no more is known.")
    service_id: Identifier = Field(description="The service; one that is not registered is taken and flagged.")
    contributing_factors: Factors = Field(description="Codes of `contributing_factors`, each once.")
    workflow_link: WorkflowLink | None = Field(None, description="The link, if it is known already.")

    @classmethod
    def together(cls, document: Mapping[str, object]) -> Iterator[Fault]:
        yield from super().together(document)
        if not document.get("staff_involved") and document.get("staff_not_known_reason") is None:
            yield Fault(
                "/staff_involved",
                "missing",
                "Name the staff involved, or say in `staff_not_known_reason` why they are not known.",
            )


class IntakeSubmission(Report):
    """A near miss as a system reports it: contributing factors, staff, service and most of the link may follow."""

    model_config: ClassVar[ConfigDict] = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    occurred_at: OccurredEver = Field(description="When: an instant with its offset, or a date; however long ago.")
    reported_at: Instant | None = Field(None, description="When the source recorded it.")
    service_id: Identifier | None = Field(None, description="The service; without it the report is not keyed.")
    contributing_factors: Factors | None = Field(None, description="Codes of `contributing_factors`, each once.")
    workflow_link: PartialWorkflowLink | None = Field(None, description="As much of the link as the system knows.")


class Batch(Body):
    """Many submissions at once, each answered for itself."""

    model_config: ClassVar[ConfigDict] = ConfigDict(json_schema_extra={"examples": [{"items": [EXAMPLE]}]})

    items: Annotated[list[SkipValidation[Submission]], Field(max_length=1000)] = Field(
        description="Submissions, unchecked here: one bad item never loses the others."
    )


# What comes after


@with_config(ConfigDict(extra="forbid", strict=True))
class Changes(TypedDict, total=False):
    """The fields that a correction changes; null takes an optional one back, `attributes` replace the former ones."""

    occurred_at: OccurredAt
    service_id: Identifier
    incident_type: Identifier
    classification: Identifier
    contributing_factors: Factors
    discovered_at: Instant | None
    scheduled_at: Instant | None
    locality: Identifier | None
    deviation: Identifier | None
    staff_involved: Staff | None
    staff_not_known_reason: Sentence | None
    person_ref: Identifier | None
    shift: Shift | None
    recovery_barrier: Identifier | None
    potential_harm: Harm | None
    reported_frequency: Frequency | None
    narrative: Narrative | None
    attributes: Attributes | None


class Corrections(Body):
    """A revision of what was reported; the source's name for it and the workflow link have ways of their own."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        json_schema_extra={
            "examples": [{"reason": "The chart shows the earlier time.", "changes": {"occurred_at": "2026-03-02"}}]
        }
    )

    reason: Text = Field(description="Why.")
    changes: Changes = Field(description="Field → new value.")

    @classmethod
    def together(cls, document: Mapping[str, object]) -> Iterator[Fault]:
        changes = document.get("changes")
        if changes == {}:
            yield Fault("/changes", "too-few", "Give at least one field and its new value.")
        if isinstance(changes, dict):
            yield from staff_named_and_unknown(cast("dict[str, object]", changes), "/changes")


class Withdrawal(Body):
    """Why a record no longer counts: it was no near miss, or another record tells of the same one."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        json_schema_extra={"examples": [{"reason": "Entered for the wrong service.", "kind": "withdrawn"}]}
    )

    reason: Text = Field(description="Why.")
    kind: Literal["withdrawn", "duplicate"]
    duplicate_of: Identifier | None = Field(None, description="The id of the record that stands, for a duplicate.")

    @classmethod
    def together(cls, document: Mapping[str, object]) -> Iterator[Fault]:
        named = document.get("duplicate_of") is not None
        if document.get("kind") == "duplicate" and not named:
            yield Fault("/duplicate_of", "missing", "Give the id of the near miss that this one is a duplicate of.")
        if document.get("kind") == "withdrawn" and named:
            yield Fault("/duplicate_of", "contradiction", "Leave this out, or give the kind `duplicate`.")


class Details(Body):
    """What a system's report lacked."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        json_schema_extra={"examples": [{"contributing_factors": ["workload"], "staff_involved": [{"ref": "staff-7"}]}]}
    )

    service_id: Identifier | None = None
    contributing_factors: Factors | None = None
    staff_involved: Staff | None = None
    staff_not_known_reason: Sentence | None = None
    discovered_at: Instant | None = None
    scheduled_at: Instant | None = None
    locality: Identifier | None = None
    deviation: Identifier | None = None
    person_ref: Identifier | None = None
    shift: Shift | None = None
    recovery_barrier: Identifier | None = None
    potential_harm: Harm | None = None
    reported_frequency: Frequency | None = None
    narrative: Narrative | None = None

    @classmethod
    def together(cls, document: Mapping[str, object]) -> Iterator[Fault]:
        if all(value is None for value in document.values()):
            yield Fault("", "too-few", "Give at least one of the details that the record lacks.")
        yield from staff_named_and_unknown(document, "")


class Closure(Body):
    """How the near miss ended."""

    model_config: ClassVar[ConfigDict] = ConfigDict(json_schema_extra={"examples": [{"outcome": "resolved"}]})

    outcome: Text = Field(description="What came of it.")
