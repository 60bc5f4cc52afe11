"""What a FHIR client is answered: resources of R4, of which only the elements that we ever fill are named."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from app.api.schemas.answers.common import Answered

Element = dict[str, Any]
"""A data type of FHIR: a Reference, a CodeableConcept, an Identifier."""


class Resource(Answered):
    """A resource, its elements in the spelling of FHIR."""

    model_config: ClassVar[ConfigDict] = ConfigDict(alias_generator=to_camel)


class AdverseEvent(Resource):
    """A near miss, or an incident with harm, told as FHIR tells it."""

    resource_type: Literal["AdverseEvent"]
    id: str = Field(description="The near miss's id with a hyphen for its underscore, which FHIR does not take.")
    meta: Element = Field(description="Its version, and its status as a tag.")
    identifier: Element = Field(description="`urn:forewarn:near-miss` and the near miss's id.")
    actuality: Literal["potential", "actual"]
    category: list[Element]
    event: Element | None = None
    subject: Element
    date: str
    detected: str | None = None
    recorded_date: str
    severity: Element | None = None
    location: Element | None = None
    contributor: list[Element] | None = None


class OutcomeIssue(Answered):
    """One thing to know, or to put right."""

    severity: Literal["fatal", "error", "warning", "information"]
    code: str = Field(description="A code of FHIR's value set issue-type.")
    details: Element = Field(description="Our own code, and what it is called.")
    diagnostics: str = Field(description="What to do; it repeats nothing that was sent.")
    expression: list[str] | None = Field(None, description="Where: a FHIRPath.")


class OperationOutcome(Resource):
    """What became of a request: every error is told so, and whatever has no resource to show."""

    resource_type: Literal["OperationOutcome"]
    extension: list[Element] | None = Field(None, description="The ids of the intake record and of the near miss.")
    issue: Annotated[list[OutcomeIssue], Field(min_length=1)]


class CapabilityStatement(Resource):
    """What is taken and told here, for FHIR clients that ask first."""

    resource_type: Literal["CapabilityStatement"]
    status: str
    date: str
    kind: str
    software: Element
    implementation: Element
    fhir_version: str
    format: list[str]
    rest: list[Element]
