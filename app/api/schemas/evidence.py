"""What is said to have an evidence pack made."""

from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

from app.api.schemas.fields import Identifier, InstantOrDate
from app.api.schemas.reviews import example
from app.api.schemas.validation import Body


class EvidencePackRequest(Body):
    """A period, the services that the pack is about (all where none is named), and for whom it is."""

    model_config: ClassVar[ConfigDict] = example(
        {"from": "2026-02-01", "to": "2026-03-01", "services": ["willow-house"], "audience": "regulator"}
    )

    since: InstantOrDate = Field(alias="from", description="A date is the start of that day in the policy's zone.")
    until: InstantOrDate = Field(alias="to", description="The period ends before it.")
    services: Annotated[list[Identifier], Field(max_length=50)] | None = Field(
        None, description="Left out, or empty: all of them."
    )
    audience: Literal["regulator", "commissioner", "internal"] | None = Field(
        None, description="Left out: regulator. For the others narratives and small cells are left out."
    )
    include: Annotated[list[Literal["narratives", "small_cells"]], Field(max_length=2)] | None = Field(
        None, description="What is in all the same, for a commissioner or internal use."
    )
    previous: Identifier | None = Field(
        None, description="The pack that this one is proven to follow. Left out: the newest that is ready."
    )
