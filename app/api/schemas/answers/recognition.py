"""By which rules a near miss is recognised in what care systems send."""

from typing import Literal

from pydantic import Field

from app.api.schemas.answers.common import Answered, Duration, Instant, NextCursor

Meaning = Literal["delivered", "late", "not_delivered", "none"]


class TimeCritical(Answered):
    """Medicines for which minutes count."""

    group: str
    names: list[str]


class Recognition(Answered):
    """The rules of recognition, complete."""

    version: int
    time_critical_medicines: list[TimeCritical]
    late_after: Duration
    tolerance: Duration
    time_critical_tolerance: Duration
    visit_window: Duration
    round_within: Duration
    run_within: Duration
    dose_statuses: dict[str, Meaning]
    visit_statuses: dict[str, Meaning]
    reason: str | None = None


class RecognitionVersion(Recognition):
    """Rules of recognition that were once in force."""

    adopted_at: Instant | None = Field(description="Null for version 1, which every organisation begins with.")
    adopted_by: str | None = None


class RecognitionVersions(Answered):
    """Every version that was ever in force, newest first."""

    items: list[RecognitionVersion]
    next_cursor: NextCursor
