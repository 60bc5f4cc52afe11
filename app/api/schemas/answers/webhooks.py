"""An endpoint, the messages that it is owed, how each try went, and which types of messages there are."""

from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from app.api.schemas.answers.common import Answered, Instant, NextCursor, Number, Words, showing
from app.api.schemas.answers.transparency import Checkpoint

ENDPOINT_EXAMPLE: dict[str, Any] = {
    "id": "whe_0d9f3c5b7a1e4c2d8f6b5a4938271605",
    "sequence": 21,
    "url": "https://manager.example.org/hooks/forewarn",
    "event_types": ["escalation.raised", "escalation.level_entered", "review.overdue"],
    "services": ["willow-house"],
    "roles": ["manager"],
    "description": "The managers' rota, team north.",
    "status": "held",
    "held_because": "failing",
    "failing_since": "2026-03-01T08:00:00.000000Z",
    "public_key": "whpk_1fMwMgB/emifZ8LN+YjiKqiJEwa3iV/vMirLlPBoAF0=",
    "created_at": "2026-02-02T09:00:00.000000Z",
    "version": 3,
}
GIVEN_EXAMPLE: dict[str, Any] = {
    **{name: value for name, value in ENDPOINT_EXAMPLE.items() if name not in {"held_because", "failing_since"}},
    "status": "active",
    "secret": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD2UtQ0Q2JjGA=",
    "version": 1,
}
MESSAGE_EXAMPLE: dict[str, Any] = {
    "type": "escalation.level_entered",
    "timestamp": "2026-03-05T10:00:00.000000Z",
    "data": {
        "escalation_id": "esc_92ca7a9327bd5cf08b1423b00efd9378",
        "review_id": "rev_92ca7a9327bd5cf08b1423b00efd9378",
        "service_id": "willow-house",
        "level": 1,
        "status": "awaiting_ack",
        "respond_by": "2026-03-06T10:00:00.000000Z",
        "scheduled_at": "2026-03-05T10:00:00.000000Z",
        "sequence": 34,
        "links": {"self": "/v1/escalations/esc_92ca7a9327bd5cf08b1423b00efd9378"},
    },
}
DELIVERY_EXAMPLE: dict[str, Any] = {
    "id": "msg_5f0c7fb1c6d35d0fb29f6cb4ac3f0d7e",
    "endpoint_id": ENDPOINT_EXAMPLE["id"],
    "sequence": 34,
    "type": "escalation.level_entered",
    "urgent": True,
    "subject": "esc_92ca7a9327bd5cf08b1423b00efd9378",
    "status": "pending",
    "attempts": 2,
    "created_at": "2026-03-05T10:00:00.412000Z",
    "next_attempt_at": "2026-03-05T10:00:21.500000Z",
    "first_tried_at": "2026-03-05T10:00:00.430000Z",
    "last_status_code": 503,
}

DeliveryStatus = Literal["pending", "delivered", "held", "superseded"]


class WebhookEndpoint(Answered):
    """Where another system is told, and what it wants to hear."""

    model_config: ClassVar[ConfigDict] = showing(ENDPOINT_EXAMPLE)

    id: str
    sequence: int
    url: Words
    event_types: list[str]
    services: list[str] = Field(description="Any, when empty.")
    roles: list[str] = Field(description="Any, when empty.")
    description: Words | None = None
    status: Literal["active", "degraded", "held"]
    held_because: Literal["gone", "failing"] | None = Field(None, description="It answered 410, or failed for long.")
    failing_since: Instant | None = None
    hold_at: Instant | None = Field(None, description="When it is held unless it answers.")
    public_key: str = Field(description="Checks `v1a` signatures (Ed25519).")
    created_at: Instant
    secret_rotated_at: Instant | None = None
    previous_secret_valid_until: Instant | None = Field(None, description="Until then the secret before signs too.")
    version: int


class WebhookEndpointGiven(WebhookEndpoint):
    """The endpoint with its secret, which is shown this once."""

    model_config: ClassVar[ConfigDict] = showing(GIVEN_EXAMPLE)

    secret: str | None = Field(None, description="Checks `v1` signatures; not in an answer that is given again.")


class WebhookEndpointList(Answered):
    """A page of endpoints, newest first."""

    items: list[WebhookEndpoint]
    next_cursor: NextCursor


class Links(Answered):
    """Where more is read."""

    self: str = Field(description="A path of this API.")


class MessageData(Answered):
    """Ids and codes; nothing personal."""

    near_miss_id: str | None = None
    escalation_id: str | None = None
    review_id: str | None = None
    governance_review_id: str | None = None
    action_id: str | None = None
    endpoint_id: str | None = None
    signal_id: str | None = None
    service_id: str | None = None
    incident_type: str | None = Field(None, description="Of a signal: whose frequency, or share of chance, rises.")
    source: str | None = None
    kind: str | None = Field(
        None, description="Of a near miss, how it came to an escalation; of a signal, what is signalled."
    )
    level: int | None = None
    status: str | None = Field(None, description="How it stood right after the event.")
    respond_by: Instant | None = None
    scheduled_at: Instant | None = Field(None, description="When a timer was due that made the event.")
    since: Instant | None = Field(None, description="Since when it lasts: a failing endpoint, a silence, a rise.")
    why: Literal["gone", "failing"] | None = Field(None, description="Why an endpoint is held.")
    failing_since: Instant | None = None
    hold_at: Instant | None = None
    checkpoint: Checkpoint | None = Field(None, description="What was signed: keep it where we cannot reach it.")
    sequence: int
    links: Links


class Message(Answered):
    """What is sent: Standard Webhooks' payload."""

    model_config: ClassVar[ConfigDict] = showing(MESSAGE_EXAMPLE)

    type: str
    timestamp: Instant = Field(description="When it happened; of what a timer made, when that was due.")
    data: MessageData


class Delivery(Answered):
    """A message that is owed to an endpoint, or was."""

    model_config: ClassVar[ConfigDict] = showing(DELIVERY_EXAMPLE)

    id: str = Field(description="What the receiver knows as `webhook-id`, at every try.")
    endpoint_id: str
    sequence: int = Field(description="Of the event that it tells of.")
    type: str
    urgent: bool
    subject: str = Field(description="Messages about one subject reach an endpoint in the ledger's order.")
    status: DeliveryStatus
    attempts: int
    created_at: Instant
    next_attempt_at: Instant | None = None
    first_tried_at: Instant | None = None
    done_at: Instant | None = None
    superseded_by: str | None = None
    last_status_code: int | None = None
    last_error: str | None = None
    message: Message | None = Field(None, description="Where one delivery is read.")


class DeliveryList(Answered):
    """A page of deliveries, newest first."""

    items: list[Delivery]
    next_cursor: NextCursor


class DeliveryAttempt(Answered):
    """One try of a delivery, and what came back."""

    number: int
    at: Instant
    latency_ms: Number
    status_code: int | None = None
    error: str | None = None
    response: str | None = Field(None, description="At most 1,024 characters of the answer.")


class DeliveryAttemptList(Answered):
    """A page of tries, newest first."""

    items: list[DeliveryAttempt]
    next_cursor: NextCursor


class EventType(Answered):
    """A type of message that an endpoint may want."""

    type: str
    description: str
    urgent: bool = Field(description="Tried again within seconds.")
    example: Message


class EventTypeList(Answered):
    """Every type."""

    items: list[EventType]
