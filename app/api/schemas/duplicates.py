"""When two records are one occurrence: the organisation's rule, and what people say of a pair."""

from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field

from app.api.schemas.fields import Duration, Identifier, Score, Text
from app.api.schemas.reviews import example
from app.api.schemas.validation import Body
from app.domain.duplicate_rule import INITIAL


class DuplicateRuleDocument(Body):
    """The whole rule; what is left out takes its default."""

    model_config: ClassVar[ConfigDict] = example({"within": "PT30M", "propose_at": 0.6, "confirm_at": None})

    within: Duration = Field(INITIAL.within.text, description="How far apart two records may lie; at most P1D.")
    propose_at: Score = Field(INITIAL.propose_at, description="From which score on people are asked.")
    confirm_at: Annotated[Score | None, Field(description="From which the service confirms; null: never.")] = None


class DuplicateConfirmation(Body):
    """Which of the two stays, and why, where that is not the earlier one and not plain."""

    model_config: ClassVar[ConfigDict] = example({"reason": "The eMAR and the rota told of the same late visit."})

    master: Identifier | None = Field(None, description="The record that stays; the earlier one when left out.")
    reason: Text | None = None


class DuplicateDismissal(Body):
    """Why they are two."""

    model_config: ClassVar[ConfigDict] = example({"reason": "Two doses of the same round; one was given late."})

    reason: Text


class DuplicateUndoing(Body):
    """Why they are two after all."""

    model_config: ClassVar[ConfigDict] = example({"reason": "The chart shows a second dose at 09:20."})

    reason: Text
