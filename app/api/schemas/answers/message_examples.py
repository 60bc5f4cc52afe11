"""One message of each type, as a receiver gets it: for GET /v1/event-types."""

from typing import Any

from app.api.schemas.answers.transparency import CHECKPOINT_EXAMPLE

_AT = "2026-03-05T10:00:00.000000Z"
_NEAR_MISS = {"near_miss_id": "nm_01a20677048172ec81013c2fbfc79392", "service_id": "willow-house"}
_ESCALATION = {
    "escalation_id": "esc_92ca7a9327bd5cf08b1423b00efd9378",
    "review_id": "rev_92ca7a9327bd5cf08b1423b00efd9378",
    "service_id": "willow-house",
}
_ACTION = {**_ESCALATION, "action_id": "act_6d4f1a0c2b3e5f708192a3b4c5d6e7f8"}
_GOVERNANCE = {"governance_review_id": "gov_1f2e3d4c5b6a79880716253443526170"}
_ENDPOINT = {"endpoint_id": "whe_0d9f3c5b7a1e4c2d8f6b5a4938271605"}
_SIGNAL = {
    "signal_id": "sig_92ca7a9327bd5cf08b1423b00efd9378",
    "service_id": "willow-house",
    "status": "open",
}
_DUE = {"respond_by": "2026-03-06T10:00:00.000000Z", "scheduled_at": _AT}

_DATA: dict[str, tuple[dict[str, Any], str]] = {
    "near_miss.recorded": ({**_NEAR_MISS, "status": "awaiting_workflow_link"}, "near-misses/{near_miss_id}"),
    "escalation.raised": (
        {**_ESCALATION, "level": 0, "status": "awaiting_ack", "respond_by": "2026-03-06T10:00:00.000000Z"},
        "escalations/{escalation_id}",
    ),
    "escalation.member_added": (
        {**_NEAR_MISS, **_ESCALATION, "kind": "member", "status": "under_review"},
        "escalations/{escalation_id}",
    ),
    "escalation.level_entered": (
        {**_ESCALATION, **_DUE, "level": 1, "status": "awaiting_ack"},
        "escalations/{escalation_id}",
    ),
    "escalation.acknowledged": ({**_ESCALATION, "status": "acknowledged"}, "escalations/{escalation_id}"),
    "escalation.chain_exhausted": ({**_ESCALATION, **_DUE, "status": "awaiting_ack"}, "escalations/{escalation_id}"),
    "review.overdue": ({**_ESCALATION, **_DUE, "level": 1, "status": "under_review"}, "escalations/{escalation_id}"),
    "review.closed": ({**_ESCALATION, "status": "closed"}, "reviews/{review_id}"),
    "governance_review.overdue": (
        {**_GOVERNANCE, "status": "overdue", "scheduled_at": _AT},
        "governance-reviews/{governance_review_id}",
    ),
    "governance_review.closed": ({**_GOVERNANCE, "status": "closed"}, "governance-reviews/{governance_review_id}"),
    "action.overdue": ({**_ACTION, **_DUE, "level": 0, "status": "overdue"}, "actions/{action_id}"),
    "action.outcome_assessed": ({**_ACTION, "status": "completed"}, "actions/{action_id}"),
    "source.silent": (
        {
            "source": "emar",
            "service_id": "willow-house",
            "status": "silent",
            "since": "2026-03-04T10:00:00.000000Z",
            "scheduled_at": _AT,
        },
        "sources/{source}",
    ),
    "trend.signalled": (
        {**_SIGNAL, "kind": "rising", "incident_type": "medication", "since": "2026-01-12T00:00:00.000000Z"},
        "signals/{signal_id}",
    ),
    "reporting.drought": (
        {**_SIGNAL, "kind": "drought", "source": "emar", "since": "2026-02-02T16:20:11.118402Z"},
        "signals/{signal_id}",
    ),
    "ledger.checkpoint": ({"checkpoint": CHECKPOINT_EXAMPLE}, "ledger/checkpoint?size={checkpoint[size]}"),
    "endpoint.degraded": (
        {
            **_ENDPOINT,
            "status": "degraded",
            "failing_since": "2026-03-03T20:00:00.000000Z",
            "hold_at": "2026-03-06T23:35:05.000000Z",
        },
        "webhook-endpoints/{endpoint_id}",
    ),
    "endpoint.held": (
        {**_ENDPOINT, "status": "held", "why": "gone", "since": _AT},
        "webhook-endpoints/{endpoint_id}",
    ),
    "forewarn.test": ({**_ENDPOINT, "status": "active"}, "webhook-endpoints/{endpoint_id}"),
}


def example_of(name: str) -> dict[str, Any]:
    """A message of the type."""
    data, path = _DATA[name]
    return {
        "type": name,
        "timestamp": _AT,
        "data": {**data, "sequence": 34, "links": {"self": "/v1/" + path.format_map(data)}},
    }
