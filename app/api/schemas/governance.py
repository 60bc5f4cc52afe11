"""What is said in a governance review, from its opening to its closure (S12–S15)."""

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

from app.api.schemas.fields import Identifier, InstantOrDate, Name, Text
from app.api.schemas.reviews import example
from app.api.schemas.validation import Body
from app.domain.decider import Fault


class GovernanceOpening(Body):
    """A period, and the services that are reviewed; all of them where neither services nor localities are named."""

    model_config: ClassVar[ConfigDict] = example(
        {
            "title": "Near misses of February",
            "from": "2026-02-01",
            "to": "2026-03-01",
            "services": ["willow-house"],
            "chair": "nominated-1",
        }
    )

    title: Name = Field(description="Stands in the ledger in clear, as names of services do: name no person in it.")
    since: InstantOrDate = Field(alias="from", description="A date is the start of that day in the policy's zone.")
    until: InstantOrDate = Field(alias="to", description="The period ends before it.")
    services: Annotated[list[Identifier], Field(max_length=50)] | None = None
    localities: Annotated[list[Identifier], Field(max_length=20)] | None = None
    chair: Identifier = Field(description="Reference of the person who chairs it; sealed when stored.")


class GovernanceRecommendation(Body):
    """An action, followed up when it has an owner and a due date; or `none`, with the reason why none is needed."""

    model_config: ClassVar[ConfigDict] = example(
        {"description": "A second senior at the evening handover.", "owner": "manager-2", "due": "2026-05-01"}
    )

    description: Text | None = None
    owner: Identifier | None = None
    due: InstantOrDate | None = None
    none: Text | None = Field(None, description="Why no action is recommended; instead of everything else.")

    @classmethod
    def together(cls, document: Mapping[str, object]) -> Iterator[Fault]:
        """One of the two is said, and nothing of an action where there is none."""
        if document.get("none") is None:
            if document.get("description") is None:
                yield Fault("/description", "missing", "Describe the action; or give `none`, with the reason.")
            return
        for name in ("description", "owner", "due"):
            if document.get(name) is not None:
                yield Fault(
                    f"/{name}", "contradiction", "Take this out, or take out `none`: there is an action or none."
                )


class GovernanceDecision(Body):
    """What leadership decided, and what that rests on."""

    model_config: ClassVar[ConfigDict] = example(
        {"text": "The evening round gets a second senior until May.", "cites": ["snapshot"]}
    )

    text: Text
    cites: Annotated[list[Identifier], Field(max_length=1000)] = Field(
        default_factory=list[str],
        description="Ids of near misses, escalations, reviews, actions and signals, or `snapshot`.",
    )


class GovernanceAssessment(Body):
    """Whether the patterns indicate an emerging risk, and whether it requires intervention."""

    model_config: ClassVar[ConfigDict] = example(
        {
            "determination": "emerging_risk",
            "intervention_required": True,
            "rationale": "Omitted doses at the evening handover have doubled since December.",
        }
    )

    determination: Literal["emerging_risk", "no_emerging_risk"]
    intervention_required: bool
    rationale: Text


class GovernanceMinutes(Body):
    """The minutes, and who was present; they replace the former ones."""

    model_config: ClassVar[ConfigDict] = example(
        {"text": "The chair went through the trend of each service.", "present": ["nominated-1", "manager-2"]}
    )

    text: Text
    present: Annotated[list[Identifier], Field(min_length=1, max_length=100)]


class GovernanceClosure(Body):
    """What leadership takes from the review."""

    model_config: ClassVar[ConfigDict] = example({"summary": "One emerging risk; staffing changes until May."})

    summary: Text
