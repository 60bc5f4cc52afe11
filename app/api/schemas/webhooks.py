"""What is said of an endpoint: where it is and what it wants, and from when on everything is to be sent again."""

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, WithJsonSchema

from app.api.schemas.fields import Identifier, InstantOrDate, Role, each_once
from app.api.schemas.reviews import example
from app.api.schemas.validation import Body, refusal
from app.domain.decider import Fault
from app.domain.webhook import TYPES


def known(name: str) -> str:
    if name not in TYPES:
        raise refusal("unknown-code", "Give names that GET /v1/event-types lists.")
    return name


Url = Annotated[
    str,
    StringConstraints(min_length=1, max_length=2048),
    Field(description="Where messages are sent: https, unless the operator allows the network."),
]
EventType = Annotated[str, AfterValidator(known), WithJsonSchema({"type": "string", "enum": list(TYPES)})]
EventTypes = Annotated[list[EventType], Field(min_length=1, max_length=len(TYPES)), AfterValidator(each_once)]
Services = Annotated[
    list[Identifier],
    Field(max_length=200, description="Only what is about these services, or about none; any, when empty."),
    AfterValidator(each_once),
]
Roles = Annotated[
    list[Role],
    Field(max_length=8, description="Only what tells these roles, or nobody in particular; any, when empty."),
    AfterValidator(each_once),
]
Description = Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=r"\S")]


class EndpointRegistration(Body):
    """Another system is to be told what happens."""

    model_config: ClassVar[ConfigDict] = example(
        {
            "url": "https://manager.example.org/hooks/forewarn",
            "event_types": ["escalation.raised", "escalation.level_entered", "review.overdue"],
            "services": ["willow-house"],
            "roles": ["manager"],
            "description": "The managers' rota, team north.",
        }
    )

    url: Url
    event_types: EventTypes
    services: Services | None = None
    roles: Roles | None = None
    description: Description | None = None


class EndpointChanges(Body):
    """What is to change; null takes a filter or the description away."""

    model_config: ClassVar[ConfigDict] = example({"event_types": ["escalation.raised"], "services": None})

    url: Url | None = None
    event_types: EventTypes | None = None
    services: Services | None = None
    roles: Roles | None = None
    description: Description | None = None

    @classmethod
    def together(cls, document: Mapping[str, object]) -> Iterator[Fault]:
        """An endpoint is somewhere, and wants something."""
        for name in ("url", "event_types"):
            if name in document and document[name] is None:
                yield Fault(f"/{name}", "missing", "Give a value, or leave the field out: it stays as it is.")


class EndpointRecovery(Body):
    """Since when everything that failed or was held is to be sent again."""

    model_config: ClassVar[ConfigDict] = example({"since": "2026-03-04T00:00:00Z"})

    since: InstantOrDate


class NothingToSay(Body):
    """The command says it all."""

    model_config: ClassVar[ConfigDict] = example({})
