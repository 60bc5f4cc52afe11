"""How much there was to do, which sources speak, and which records may be one occurrence, as it stands."""

from typing import Any, Literal

from pydantic import Field

from app.api.schemas.answers.common import Answered, Day, Duration, Instant, NextCursor, showing

# Denominators

DENOMINATOR_EXAMPLE: dict[str, Any] = {
    "service_id": "willow-house",
    "date": "2026-03-01",
    "doses_due": 212,
    "resident_days": 38,
}


class DenominatorRow(Answered):
    """How much there was to do in a service on a day, as it was stated last."""

    model_config = showing(DENOMINATOR_EXAMPLE)

    service_id: str = Field(description="The service's own id, whichever of its names was used.")
    date: Day
    doses_due: int | None = None
    visits_scheduled: int | None = None
    resident_days: int | None = None
    flags: list[Literal["unregistered_service"]] | None = None


class DenominatorsStated(Answered):
    """What stands now of the services and days that were named, each once, in the order of the request."""

    items: list[DenominatorRow]


class DenominatorList(Answered):
    """A page of denominators, the newest day first."""

    items: list[DenominatorRow]
    next_cursor: NextCursor


# Sources

SOURCE_EXAMPLE: dict[str, Any] = {
    "source": "emar:willow-house",
    "service_id": "willow-house",
    "description": "The eMAR of the ground floor.",
    "expected_every": "P1D",
    "status": "silent",
    "last_heard_at": "2026-03-01T20:40:12.118402Z",
    "silent_since": "2026-03-01T20:40:12.118402Z",
    "version": 3,
}


class Source(Answered):
    """A source that was declared, or that something came from."""

    model_config = showing(SOURCE_EXAMPLE)

    source: str
    service_id: str | None = None
    description: str | None = None
    expected_every: Duration | None = Field(None, description="How often it is to speak; absent: it may be silent.")
    status: Literal["active", "silent"]
    last_heard_at: Instant | None = Field(None, description="When something was recorded from it last.")
    silent_since: Instant | None = Field(None, description="When it was heard last, or declared, before that.")
    next_due: Instant | None = Field(None, description="By when it is expected to speak.")
    version: int = Field(description="0 of one that was never declared.")


class SourceList(Answered):
    """A page of sources, the newest first."""

    items: list[Source]
    next_cursor: NextCursor
