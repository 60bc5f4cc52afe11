"""What is said to an escalation: that it was seen, whom to ask next, and until when it may rest."""

from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field, StringConstraints

from app.api.schemas.fields import LARGEST_INTEGER, Identifier, Instant
from app.api.schemas.validation import Body
from app.domain.identifiers import LONGEST, VISIBLE

Somebody = Annotated[str, StringConstraints(strip_whitespace=True, max_length=LONGEST, pattern=f"^$|{VISIBLE}")]
"""A role or a person. Nobody at all is no fault of the spelling: the rule refuses it, with a code of its own."""


def example(body: dict[str, Any]) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [body]})


class Acknowledgement(Body):
    """Whoever sends it has taken the escalation on; nothing needs to be said."""

    model_config: ClassVar[ConfigDict] = example({})


class HandOver(Body):
    """Who is to take it on: a role, or a person by their reference."""

    model_config: ClassVar[ConfigDict] = example({"to": "deputy"})

    to: Somebody


class ManualEscalation(Body):
    """The next level is asked now."""

    model_config: ClassVar[ConfigDict] = example({"if_epoch": 0})

    if_epoch: int = Field(
        ge=0,
        le=LARGEST_INTEGER,
        strict=True,
        description="The `epoch` that was seen, so that two who press at once climb one level.",
    )


class Snooze(Body):
    """Nobody is asked again before then; the review's deadline runs on."""

    model_config: ClassVar[ConfigDict] = example({"until": "2026-03-03T09:00:00Z"})

    until: Instant


class Merge(Body):
    """The escalation goes on in another one."""

    model_config: ClassVar[ConfigDict] = example({"into": "ESCALATION_ID"})

    into: Identifier = Field(description="The id of an escalation that is open.")


class PolicyMove(Body):
    """The escalation climbs the ladder of another version of the policy from now on."""

    model_config: ClassVar[ConfigDict] = example({"version": 2})

    version: int = Field(ge=1, le=LARGEST_INTEGER, strict=True)
