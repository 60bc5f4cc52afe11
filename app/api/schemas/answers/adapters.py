"""The adapters that there are, and what a payload would become."""

from typing import Any, ClassVar

from pydantic import ConfigDict, Field

from app.api.schemas.answers.common import Answered, Fault, Instant, Problem, showing
from app.api.schemas.answers.intake import Outcome, UnmappedCode

PREVIEW_EXAMPLE: dict[str, Any] = {
    "items": [
        {
            "event": {
                "source": "urn:adapter:alayacare",
                "id": "1000/2026-03-02T09:00:00Z",
                "type": "care.rostering.visit.v1",
                "time": "2026-03-02T09:00:00.000000Z",
                "data": {
                    "status": "late",
                    "visit_id": "1000",
                    "scheduled_start": "2026-03-02T08:00:00Z",
                    "scheduled_end": "2026-03-02T09:00:00Z",
                    "actual_start": "2026-03-02T08:38:00Z",
                },
            },
            "mapping": "alayacare-visit@1",
            "outcome": "recognised",
            "reason": "started_after_window",
            "says": "It started 38 minutes late, outside its window of 15 minutes.",
            "rule": "visit_window",
            "submission": {
                "source": "urn:adapter:alayacare",
                "source_event_id": "1000/2026-03-02T09:00:00Z",
                "occurred_at": "2026-03-02T08:00:00.000000Z",
                "incident_type": "visit",
                "deviation": "late",
                "classification": "near_miss",
            },
            "mapped_against": {
                "scheduling": {"planned": "2026-03-02T08:00:00.000000Z", "actual": "2026-03-02T08:38:00.000000Z"}
            },
            "ignored_fields": ["_status_enum"],
            "unmapped": [],
        }
    ]
}


class Adapter(Answered):
    """How one vendor's payloads are read."""

    name: str = Field(description="The last part of its address.")
    version: int = Field(description="Records name it, as NAME@VERSION.")
    description: str
    event_types: list[str] = Field(description="What payloads become.")
    media_types: list[str] = Field(description="What a payload may be sent as.")


class AdapterList(Answered):
    """Every adapter, by name."""

    model_config: ClassVar[ConfigDict] = showing(
        {
            "items": [
                {
                    "name": "alayacare-visit",
                    "version": 1,
                    "description": "Visits of AlayaCare: planned times and the visit's status.",
                    "event_types": ["care.rostering.visit.v1"],
                    "media_types": ["application/json"],
                }
            ]
        }
    )

    items: list[Adapter]


class PreviewedEvent(Answered):
    """The event that a part of the payload is read as."""

    source: str
    id: str
    type: str
    time: Instant | None = Field(None, description="When the source says it.")
    data: dict[str, Any]


class PreviewItem(Answered):
    """What one event of the payload would become, and why; or its problem."""

    event: PreviewedEvent | None = None
    mapping: str | None = Field(None, description="NAME@VERSION of what read it.")
    outcome: Outcome | None = None
    reason: str | None = None
    says: str | None = Field(None, description="The reason as a sentence.")
    rule: str | None = Field(None, description="What of the rules of recognition decided.")
    submission: dict[str, Any] | None = Field(None, description="The near miss that would be recorded.")
    mapped_against: dict[str, Any] | None = Field(None, description="What its workflow link would start from.")
    ignored_fields: list[str] | None = Field(None, description="Paths in the payload that nobody here reads.")
    unmapped: list[UnmappedCode] | None = None
    errors: list[Fault] | None = Field(None, description="Why what the rules made of it is no valid submission.")
    problem: Problem | None = None


class Preview(Answered):
    """What a payload would become; nothing of it is stored."""

    model_config: ClassVar[ConfigDict] = showing(PREVIEW_EXAMPLE)

    items: list[PreviewItem]
