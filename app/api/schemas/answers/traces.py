"""A trace: everything that is tied to one thing, as nodes, edges and a timeline."""

from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from app.api.schemas.answers.common import Answered, Instant, NextCursor, showing

_NEAR_MISS = "nm_01a20677048172ec81013c2fbfc79392"
_ESCALATION = "esc_92ca7a9327bd5cf08b1423b00efd9378"

TRACE_EXAMPLE: dict[str, Any] = {
    "subject": {"kind": "near_miss", "id": _NEAR_MISS},
    "as_of_sequence": 17,
    "near_misses": {"total": 3, "shown": 1},
    "counts": {"source_event": 1, "near_miss": 1, "escalation": 1},
    "nodes": [
        {
            "ref": "source_event/emar/e-1",
            "way": "upstream",
            "kind": "source_event",
            "id": "emar/e-1",
            "sequence": 4,
            "at": "2026-03-02T10:00:00.000000Z",
            "details": {"source": "emar", "source_event_id": "e-1"},
            "links": {
                "self": "/v1/trace?source=emar&source_event_id=e-1",
                "trace": "/v1/trace?source=emar&source_event_id=e-1",
            },
        },
        {
            "ref": f"near_miss/{_NEAR_MISS}",
            "way": "subject",
            "kind": "near_miss",
            "id": _NEAR_MISS,
            "sequence": 4,
            "at": "2026-03-02T10:00:00.000000Z",
            "status": "awaiting_workflow_link",
            "details": {
                "incident_type": "medication",
                "deviation": "omitted",
                "classification": "near_miss",
                "occurred_at": "2026-03-02T09:00:00Z",
                "service_id": "willow-house",
                "source": "emar",
                "source_event_id": "e-1",
                "counted_by": ["similar"],
                "checks": [
                    {
                        "sequence": 4,
                        "checked_at": "2026-03-02T10:00:00.000000Z",
                        "policy_version": 1,
                        "rules": [
                            {
                                "rule_id": "similar",
                                "outcome": "below_threshold",
                                "count": 1,
                                "threshold": 3,
                                "window": "P14D",
                                "matched": 0,
                            }
                        ],
                    }
                ],
                "checks_in_all": 1,
                "feedback": {"message": "A manager review is open.", "similar": 1},
            },
            "links": {
                "self": f"/v1/near-misses/{_NEAR_MISS}",
                "trace": f"/v1/near-misses/{_NEAR_MISS}/trace",
                "history": f"/v1/near-misses/{_NEAR_MISS}/history",
            },
        },
        {
            "ref": f"escalation/{_ESCALATION}",
            "way": "downstream",
            "kind": "escalation",
            "id": _ESCALATION,
            "sequence": 12,
            "at": "2026-03-02T10:20:00.000000Z",
            "status": "awaiting_ack",
            "details": {"rule_id": "similar", "policy_version": 1, "service_id": "willow-house", "level": 0},
            "links": {
                "self": f"/v1/escalations/{_ESCALATION}",
                "trace": f"/v1/escalations/{_ESCALATION}/trace",
                "history": f"/v1/escalations/{_ESCALATION}/history",
            },
        },
    ],
    "edges": [
        {
            "from": "source_event/emar/e-1",
            "to": f"near_miss/{_NEAR_MISS}",
            "relation": "recorded_as",
            "since_sequence": 4,
        },
        {
            "from": f"near_miss/{_NEAR_MISS}",
            "to": f"escalation/{_ESCALATION}",
            "relation": "member",
            "since_sequence": 12,
        },
    ],
    "timeline": [
        {
            "sequence": 4,
            "at": "2026-03-02T10:00:00.000000Z",
            "type": "forewarn.near_miss.recorded.v1",
            "subject": f"near_miss/{_NEAR_MISS}",
            "actor": "key/5d1c0a9be2f4",
        },
        {
            "sequence": 12,
            "at": "2026-03-02T10:20:00.000000Z",
            "type": "forewarn.escalation.raised.v1",
            "subject": f"escalation/{_ESCALATION}",
            "actor": "key/5d1c0a9be2f4",
        },
    ],
    "left_out": {},
    "truncated": True,
    "next_cursor": "4",
}

Kind = Literal[
    "source_event",
    "intake_record",
    "near_miss",
    "signal",
    "escalation",
    "review",
    "action",
    "outcome",
    "governance_review",
    "notice",
    "delivery",
]
Ref = str


class TraceSubject(Answered):
    """What was asked about."""

    kind: Kind
    id: str


class TraceLinks(Answered):
    """Where more of it stands."""

    self: str
    trace: str | None = None
    history: str | None = None


class TraceNode(Answered):
    """Something that is tied to the subject: ids, codes and numbers, of people tokens, and no words."""

    ref: Ref = Field(description="`KIND/ID`, as edges and the timeline name it.")
    way: Literal["subject", "upstream", "downstream", "beside", "told"] = Field(
        description="What led to the subject, what came of it, what stands beside it, whom all that was told."
    )
    kind: Kind
    id: str
    sequence: int = Field(description="Of the event that it began with.")
    at: Instant = Field(description="When that was recorded.")
    status: str | None = None
    details: dict[str, Any] = Field(description="What docs/tracing.md lists for its kind.")
    links: TraceLinks


class TraceEdge(Answered):
    """A cause and its effect."""

    from_: Ref = Field(alias="from")
    to: Ref
    relation: str
    since_sequence: int = Field(description="Of the event since which it holds.")
    rules: list[str] | None = Field(None, description="By which rules a near miss matched.")


class TraceEvent(Answered):
    """One event of the timeline."""

    sequence: int
    at: Instant
    type: str
    subject: Ref
    actor: str = Field(description="A key, a person's token, or the service itself.")
    names: list[str] | None = Field(None, description="Ids of others that the event names.")


class TraceNearMisses(Answered):
    """How many near misses led to the subject, and how many of them this page shows."""

    total: int
    shown: int


class Trace(Answered):
    """Everything that is tied to one thing, from source events to outcomes."""

    model_config: ClassVar[ConfigDict] = showing(TRACE_EXAMPLE)

    subject: TraceSubject
    as_of_sequence: int
    near_misses: TraceNearMisses
    counts: dict[str, int] = Field(description="Kind → nodes of this page.")
    nodes: list[TraceNode] = Field(description="Causes before their effects: source events first, outcomes last.")
    edges: list[TraceEdge]
    timeline: list[TraceEvent] = Field(description="What happened to the nodes, oldest first.")
    left_out: dict[str, int] = Field(description="What the limits of docs/tracing.md left out, and how many of it.")
    truncated: bool = Field(description="Whether anything is left out, or follows on another page.")
    next_cursor: NextCursor
