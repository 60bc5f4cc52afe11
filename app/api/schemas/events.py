"""Events of care systems as they are sent: CloudEvents 1.0. What else an event says is kept."""

from typing import Any, ClassVar

from pydantic import ConfigDict, Field

from app.api.schemas.validation import Body

EXAMPLE: dict[str, Any] = {
    "specversion": "1.0",
    "id": "dose-88121/2",
    "source": "urn:provider:acme:emar",
    "type": "care.emar.administration.v1",
    "time": "2026-03-02T08:42:00Z",
    "datacontenttype": "application/json",
    "data": {
        "service_id": "willow-house",
        "person_ref": "resident-31",
        "medication": "Co-careldopa 25mg/100mg",
        "scheduled_at": "2026-03-02T08:00:00Z",
        "administered_at": "2026-03-02T08:42:00Z",
        "status": "given",
        "tolerance_minutes": 60,
        "staff_ref": "staff-7",
    },
}


class EventSent(Body):
    """One event of a care system. In the binary mode the attributes are `ce-*` headers, and the body is `data`."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="ignore", strict=True, frozen=True, json_schema_extra={"examples": [EXAMPLE]}
    )

    specversion: str = Field(description="1.0")
    id: str = Field(description="The source's own id of the event: sent again, it is known.")
    source: str = Field(description="The system that tells it.")
    type: str = Field(
        description="care.emar.administration.v1, care.rostering.visit.v1, care.near_miss.reported.v1, "
        "care.denominator.v1 or care.incident.v1."
    )
    time: str | None = Field(None, description="When the source says it: a newer word on a dose or visit revises it.")
    subject: str | None = None
    datacontenttype: str | None = Field(None, description="application/json")
    data: dict[str, Any] = Field(description="What happened: see docs/intake.md for the fields of each type.")
