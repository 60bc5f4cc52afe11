"""What is shown of the workflow beside the records."""

from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from app.api.schemas.answers.common import Answered, showing

SUGGESTIONS_EXAMPLE: dict[str, Any] = {
    "near_miss_id": "nm_2f1d5c0e8a7b4c6d9e0f1a2b3c4d5e6f",
    "suggestions": [
        {
            "stage_allowed": "travel",
            "score": 0.8,
            "basis": "plan",
            "says": "The way took 22 minutes longer than planned.",
            "near_miss_ids": [],
        }
    ],
}
DEVIATIONS_EXAMPLE: dict[str, Any] = {
    "group_by": "stage_allowed",
    "items": [
        {
            "key": "travel",
            "near_misses": 14,
            "scheduling_minutes": {"known": 14, "mean": 31.5, "off_plan": 12, "smallest": 2.0, "largest": 75.0},
            "staff": {"known": 9, "mean": -0.33, "off_plan": 3, "smallest": -1.0, "largest": 0.0},
            "travel_minutes": {"known": 11, "mean": 19.0, "off_plan": 10, "smallest": -3.0, "largest": 48.0},
        }
    ],
    "as_of_sequence": 412,
}


class StageSuggestion(Answered):
    """A stage that may have allowed it, and why."""

    stage_allowed: str
    score: float = Field(description="0 to 1; it orders suggestions and is no probability.")
    basis: Literal["similar", "plan", "shift", "deviation"]
    says: str
    near_miss_ids: list[str] = Field(description="Of similar near misses that were linked to it, the newest.")


class StageSuggestions(Answered):
    """The suggestions for one near miss, the strongest first."""

    model_config: ClassVar[ConfigDict] = showing(SUGGESTIONS_EXAMPLE)

    near_miss_id: str
    suggestions: list[StageSuggestion]


class Deviation(Answered):
    """Actual less planned over several near misses. Off the plan: more than 5 minutes later, or fewer staff."""

    known: int
    mean: float
    off_plan: int
    smallest: float
    largest: float


class GroupDeviations(Answered):
    """One group's deviations; null where nobody stated plan and actual."""

    key: str | None
    near_misses: int
    scheduling_minutes: Deviation | None
    staff: Deviation | None
    travel_minutes: Deviation | None


class PlanDeviations(Answered):
    """How far near misses were off the plan, group by group, the largest group first."""

    model_config: ClassVar[ConfigDict] = showing(DEVIATIONS_EXAMPLE)

    group_by: str
    items: list[GroupDeviations]
    as_of_sequence: int
