"""The workflow link: which stage allowed the near miss, and which assumptions of the plan did not hold (S7 to S9)."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import ConfigDict, Discriminator, Field, Tag, model_validator

from app.api.schemas.fields import Amount, Identifier, Instant, Sentence, Text
from app.api.schemas.validation import Body, refusal

# Planned against actual (S9)


class Planned(Body):
    """A plan and what became of it: at least one of the two is known."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        json_schema_extra={"anyOf": [{"required": ["planned"]}, {"required": ["actual"]}]}
    )

    @model_validator(mode="after")
    def says_something(self) -> Self:
        if all(value is None for name, value in self if name != "note"):
            raise refusal("too-few", "Give `planned`, `actual` or both; or a `status` that says why there is none.")
        return self


class PlannedTimes(Planned):
    """When it was planned, and when it was done."""

    planned: Instant | None = None
    actual: Instant | None = None
    note: Text | None = None


class PlannedStaff(Planned):
    """How many staff were planned, and how many were there."""

    planned: Amount | None = None
    actual: Amount | None = None
    note: Text | None = None


class PlannedTravel(Body):
    """Minutes that the rota allowed for the way, and minutes that it took."""

    planned_minutes: Amount
    actual_minutes: Amount
    note: Text | None = None


class NotMapped(Body):
    """Why an assumption has no value here."""

    status: Literal["not_applicable", "not_available"]
    note: Text | None = None


def form_of(value: object) -> str:
    """Which form of an assumption was sent; a tag in angle brackets stays out of pointers."""
    given = isinstance(value, NotMapped) or (isinstance(value, dict) and "status" in value)
    return "<status>" if given else "<values>"


Reason = Annotated[NotMapped, Tag("<status>")]
Scheduling = Annotated[Annotated[PlannedTimes, Tag("<values>")] | Reason, Discriminator(form_of)]
StaffAllocation = Annotated[Annotated[PlannedStaff, Tag("<values>")] | Reason, Discriminator(form_of)]
TravelTime = Annotated[Annotated[PlannedTravel, Tag("<values>")] | Reason, Discriminator(form_of)]


class MappedAgainst(Body):
    """The three assumptions behind a visit, planned against actual, or why there is no value."""

    scheduling: Scheduling | None = None
    staff_allocation: StaffAllocation | None = None
    travel_time: TravelTime | None = None


# The workflow link (S7, S8)

LINK_EXAMPLE: dict[str, Any] = {
    "stage_affected": "administer",
    "stage_allowed": "handover",
    "stage_allowed_basis": "probable",
    "system_used": "eMAR",
    "deviation_from_plan": "Offered 40 minutes after the time on the chart.",
    "corrective_action": "The evening handover now names every time-critical dose.",
    "mapped_against": {
        "scheduling": {"planned": "2026-03-02T20:00:00Z", "actual": "2026-03-02T20:40:00Z"},
        "staff_allocation": {"planned": 3, "actual": 2},
        "travel_time": {"status": "not_applicable"},
    },
}


class WorkflowLink(Body):
    """Which stage of the work was affected, and which stage allowed it."""

    model_config: ClassVar[ConfigDict] = ConfigDict(json_schema_extra={"examples": [LINK_EXAMPLE]})

    stage_affected: Identifier = Field(description="The stage in which the near miss showed itself.")
    stage_allowed: Identifier = Field(description="The stage that allowed it; `unknown` is stored and passes no gate.")
    stage_allowed_basis: Literal["established", "probable"] | None = Field(None, description="How sure that is.")
    system_used: Sentence = Field(description="The system that was in use: eMAR, paper chart, rota.")
    deviation_from_plan: Text = Field(description="What differed from the plan.")
    corrective_action: Text = Field(description="What was put right, or will be.")
    mapped_against: MappedAgainst | None = Field(None, description="Planned against actual; a closure asks for all.")


class PartialWorkflowLink(Body):
    """What a system knows of the link; a person completes it."""

    stage_affected: Identifier | None = None
    stage_allowed: Identifier | None = None
    stage_allowed_basis: Literal["established", "probable"] | None = None
    system_used: Sentence | None = None
    deviation_from_plan: Text | None = None
    corrective_action: Text | None = None
    mapped_against: MappedAgainst | None = None
