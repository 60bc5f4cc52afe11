"""What is said in a manager's review, from its start to its closure and after (S4)."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from app.api.schemas.fields import Identifier, Instant, InstantOrDate, Sentence, Text
from app.api.schemas.validation import Body
from app.api.schemas.workflow import LINK_EXAMPLE, WorkflowLink


def example(body: dict[str, Any]) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [body]})


class Start(Body):
    """The review begins; nothing needs to be said."""

    model_config: ClassVar[ConfigDict] = example({})


class Cause(Body):
    """An underlying cause, coded."""

    code: Identifier = Field(description="A code of the taxonomy's `cause_codes`.")
    kind: Literal["system", "individual"]
    note: Text | None = Field(None, description="How it showed itself.")


class Causes(Body):
    """All causes that were found; they replace the former ones."""

    model_config: ClassVar[ConfigDict] = example(
        {"causes": [{"code": "rota_pressure", "kind": "system", "note": "One senior for two floors after 20:00."}]}
    )

    causes: Annotated[list[Cause], Field(min_length=1, max_length=50)]


class SystemRisk(Body):
    """Whether the pattern is a risk of the system."""

    model_config: ClassVar[ConfigDict] = example(
        {"determination": "system_risk", "rationale": "The same handover was involved each time."}
    )

    determination: Literal["system_risk", "not_system_risk"]
    rationale: Text


class ConcernRaised(Body):
    """A safeguarding concern that was raised with somebody."""

    to: Sentence = Field(description="With whom: the local authority, for example.")
    reference: Identifier = Field(description="Their reference.")
    at: Instant


class Safeguarding(Body):
    """Whether repeated low-level concerns meet the safeguarding threshold was considered."""

    model_config: ClassVar[ConfigDict] = example({"considered": True, "note": "No person was affected twice."})

    considered: bool
    concern_raised: ConcernRaised | None = None
    note: Text | None = None


class WorkflowLinks(Body):
    """One workflow link for several members."""

    model_config: ClassVar[ConfigDict] = example({"near_miss_ids": ["NEAR_MISS_ID"], "link": LINK_EXAMPLE})

    near_miss_ids: Annotated[list[Identifier], Field(min_length=1, max_length=1000)]
    link: WorkflowLink


class ActionAgreed(Body):
    """An action that somebody owns, and the day that it is due."""

    model_config: ClassVar[ConfigDict] = example(
        {"description": "Name time-critical doses at every handover.", "owner": "manager-2", "due": "2026-04-01"}
    )

    description: Text
    owner: Identifier
    due: InstantOrDate


class Countersignature(Body):
    """Leadership agrees that it was no pattern, or a duplicate."""

    model_config: ClassVar[ConfigDict] = example({"rationale": "Three unrelated residents; the charts agree."})

    rationale: Text


class ReviewClosure(Body):
    """How the review ends."""

    model_config: ClassVar[ConfigDict] = example(
        {"code": "action_agreed", "summary": "Handover sheet changed; outcome check in 90 days."}
    )

    code: Identifier = Field(description="A code of the taxonomy's `closure_codes`.")
    summary: Text


class Reopening(Body):
    """Why the review goes on."""

    model_config: ClassVar[ConfigDict] = example({"reason": "A fourth report shows another stage."})

    reason: Text
