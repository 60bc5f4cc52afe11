"""FHIR R4 resources as they are sent: what of them must be there. All else that R4 has may be said, and is kept."""

from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from app.api.schemas.validation import Body


def _shown(example: dict[str, Any]) -> ConfigDict:
    extra: dict[str, Any] = {"examples": [example]}
    return ConfigDict(extra="ignore", strict=True, frozen=True, alias_generator=to_camel, json_schema_extra=extra)


class FhirAdverseEvent(Body):
    """AdverseEvent (R4): `potential` is a near miss, `actual` an incident with harm."""

    model_config: ClassVar[ConfigDict] = _shown(
        {
            "resourceType": "AdverseEvent",
            "identifier": {"system": "urn:example:incidents", "value": "i-20260302-7"},
            "actuality": "potential",
            "category": [
                {
                    "coding": [
                        {
                            "system": "http://terminology.hl7.org/CodeSystem/adverse-event-category",
                            "code": "medication-mishap",
                        }
                    ]
                }
            ],
            "event": {"text": "The morning dose was left in the blister pack; the next carer found it."},
            "subject": {"reference": "Patient/resident-31"},
            "date": "2026-03-02T08:00:00Z",
            "recordedDate": "2026-03-02T12:14:00Z",
            "recorder": {"reference": "Practitioner/staff-7"},
            "location": {"reference": "Location/willow-house"},
        }
    )

    resource_type: Literal["AdverseEvent"]
    actuality: Literal["potential", "actual"]
    subject: dict[str, Any] = Field(description="Whom it is about.")
    identifier: dict[str, Any] | None = Field(None, description="What the sender's system calls it; sent again, known.")
    date: str | None = Field(None, description="When it happened: a date or an instant.")
    location: dict[str, Any] | None = Field(None, description="The service: an identifier, or a reference to it.")


class FhirMedicationAdministration(Body):
    """MedicationAdministration (R4): a dose that was given, or that was not."""

    model_config: ClassVar[ConfigDict] = _shown(
        {
            "resourceType": "MedicationAdministration",
            "identifier": [{"system": "urn:example:emar", "value": "dose-88121"}],
            "extension": [
                {
                    "url": "http://hl7.org/fhir/StructureDefinition/event-location",
                    "valueReference": {"reference": "Location/willow-house"},
                }
            ],
            "status": "not-done",
            "statusReason": [
                {
                    "coding": [
                        {"system": "http://terminology.hl7.org/CodeSystem/reason-medication-not-given", "code": "c"}
                    ]
                }
            ],
            "medicationCodeableConcept": {"text": "Apixaban 5 mg tablet"},
            "subject": {"reference": "Patient/resident-31"},
            "effectiveDateTime": "2026-03-02T08:00:00Z",
            "performer": [{"actor": {"reference": "Practitioner/staff-7"}}],
        }
    )

    resource_type: Literal["MedicationAdministration"]
    status: str = Field(description="A code of FHIR: completed, not-done, in-progress, …")
    subject: dict[str, Any] = Field(description="To whom it was given, or not.")
    identifier: list[dict[str, Any]] | None = Field(None, description="What the sender's system calls it.")
    effective_date_time: str | None = Field(None, description="When it was given, or would have been.")
