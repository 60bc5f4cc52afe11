"""What is said of an action: how it goes, that it is done or not going to be, and whether it works."""

from typing import ClassVar, Literal

from pydantic import ConfigDict, Field

from app.api.schemas.fields import Identifier, InstantOrDate, OccurredEver, Text
from app.api.schemas.reviews import example
from app.api.schemas.validation import Body


class ActionProgress(Body):
    """How it goes."""

    model_config: ClassVar[ConfigDict] = example({"note": "The new sheet is in use on the ground floor."})

    note: Text


class ActionCompletion(Body):
    """It is done, and works from a day or an instant on, which may have passed."""

    model_config: ClassVar[ConfigDict] = example(
        {"effective_from": "2026-03-20", "evidence": "Sheet of 20 March, signed by both shifts."}
    )

    effective_from: InstantOrDate
    evidence: Text


class ActionCancellation(Body):
    """It is not going to be done, and why."""

    model_config: ClassVar[ConfigDict] = example({"reason": "The eMAR now asks for it at every handover."})

    reason: Text


class EffectivenessCheck(Body):
    """Whether what was done works."""

    model_config: ClassVar[ConfigDict] = example(
        {
            "method": "audit",
            "result": "40 handover sheets of February: every time-critical dose was named.",
            "by": "deputy-1",
            "at": "2026-03-04T14:00:00Z",
        }
    )

    method: Literal["audit", "observation", "supervision"]
    result: Text
    by: Identifier = Field(description="Who looked.")
    at: OccurredEver
