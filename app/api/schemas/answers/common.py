"""What every answer is made of: the parts that repeat, the problem, and the health of the process."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema


def absent_not_null(schema: dict[str, Any]) -> None:
    """A field that has nothing to say is left out of an answer; so its schema offers no null."""
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        if name in required:
            continue
        field.pop("default", None)
        forms = [form for form in field.get("anyOf", ()) if form != {"type": "null"}]
        if len(forms) == 1:
            del field["anyOf"]
            field.update(forms[0])
        elif forms:
            field["anyOf"] = forms


class Answered(BaseModel):
    """A part of an answer; fields may be added later, so clients take what they do not know."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="allow", json_schema_extra=absent_not_null)


def showing(example: dict[str, Any]) -> ConfigDict:
    """The configuration of an answer that openapi.yaml gives an example of."""

    def with_example(schema: dict[str, Any]) -> None:
        absent_not_null(schema)
        schema["examples"] = [example]

    return ConfigDict(extra="allow", json_schema_extra=with_example)


# Values

Instant = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
Day = Annotated[str, WithJsonSchema({"type": "string", "format": "date"})]
InstantOrDay = Annotated[
    str, WithJsonSchema({"type": "string", "anyOf": [{"format": "date-time"}, {"format": "date"}]})
]
Duration = Annotated[str, Field(description="ISO 8601 duration.")]
Number = Annotated[float, WithJsonSchema({"type": "number"})]
KeyValue = str | Number | None
Key = Annotated[dict[str, KeyValue], Field(description="Field → value, in the rule's order.")]
Mode = Literal["active", "shadow", "off"]
NextCursor = Annotated[str | None, Field(description="Send it as `cursor` for the next page; null on the last.")]


class Erased(Answered):
    """What was sealed here can no longer be read, for its key was erased."""

    erased: Literal[True]


Words = str | Erased
"""Personal words or a reference, opened for those who may read them."""

# Problems


class Fault(Answered):
    """One thing wrong with a request."""

    pointer: str = Field(description="JSON pointer into the body, or /query/NAME.")
    code: str
    detail: str


class Gate(Answered):
    """One condition that is not met."""

    code: str
    detail: str
    ids: list[str]


class Problem(Answered):
    """RFC 9457: what was refused, and what to do."""

    type: str = Field(
        description="A URI that ends in the problem's code.", examples=["urn:forewarn:problem:validation"]
    )
    title: str
    status: int
    detail: str
    instance: str
    errors: list[Fault] | None = None
    gates: list[Gate] | None = None
    lost: list[dict[str, Any]] | None = Field(
        None, description="With policy-less-sensitive: the latest reviews that would not have been opened."
    )


# The process


class Audit(Answered):
    """Whether everything that is open has its next deadline and its timer, told from whole ledgers."""

    at: Instant | None = Field(None, description="When all was last found well; absent before the first time.")
    age_seconds: Number | None = Field(None, description="How long ago that was.")
    findings: int = Field(description="What the last audit found wrong, up to 100; the log names each.")


class DeliveryLag(Answered):
    """What is owed to endpoints and not taken yet."""

    pending: int
    failing: int = Field(description="Of what is pending, what has failed and is tried again.")
    held: int = Field(description="What waits for its endpoint to be enabled.")
    oldest_due_seconds: Number = Field(description="How long the oldest message that is due has waited.")


class Health(Answered):
    """Whether the service can do its work, and how far behind what follows the ledger is."""

    model_config: ClassVar[ConfigDict] = showing(
        {
            "status": "ready",
            "writer": "ok",
            "database": "ok",
            "migrations": "ok",
            "writes": "ok",
            "queue_depth": 0,
            "follower_lag": 0,
            "oldest_due_timer_seconds": 0.0,
            "deliveries": {"pending": 0, "failing": 0, "held": 0, "oldest_due_seconds": 0.0},
            "audit": {"at": "2026-03-02T10:00:00.000000Z", "age_seconds": 12.5, "findings": 0},
        }
    )

    status: Literal["ready", "unavailable", "live"]
    writer: Literal["ok", "stopped"] | None = None
    database: Literal["ok", "unavailable"] | None = None
    migrations: Literal["ok", "behind"] | None = None
    writes: Literal["ok", "refused"] | None = Field(None, description="Whether the database takes writes.")
    expected_checkpoints: str | None = Field(
        None, description="`ok`, or that organisations are withheld, where checkpoints are expected at all."
    )
    queue_depth: int | None = Field(None, description="Commands that wait for the writer.")
    follower_lag: int | None = Field(None, description="Events that the slowest follower is behind.")
    oldest_due_timer_seconds: Number | None = None
    deliveries: DeliveryLag | None = None
    relay_lag: int | None = Field(None, description="Events that are not passed on to NATS yet, where it is set up.")
    audit: Audit | None = None
