"""The words of the API's description that no single route owns: its introduction, headers, parameters and problems."""

from typing import Any

from app.api import problems
from app.api.problems import PROBLEM_TYPES, TYPE
from app.domain.decider import Fault, Gate

SUMMARY = "Near misses in adult social care: the third similar one in fourteen days opens a manager review."
KEY = "A key of one organisation, with scopes. The scope that a route needs stands in its security requirement."

_INTRODUCTION = """\
Near misses in adult social care, checked against similar ones before they are recorded. At the threshold exactly
one manager review opens, about underlying causes.

**Keys.** Send `Authorization: Bearer <key>`. A key belongs to one organisation and has scopes; what belongs to another
organisation is not found.

**Errors** are `application/problem+json` (RFC 9457): `type` ends in one of the codes below, `detail` says what to do,
`errors` points at each field. An answer never repeats what was sent.

**Sending again.** Every POST takes an `Idempotency-Key`: the same key and body is answered as the first time, with
`Idempotency-Replayed: true`. Single resources carry an `ETag`; a command with `If-Match` is refused when it is stale.

**Lists** take `limit` and `cursor`, and answer `{items, next_cursor}` with a `Link` to the next page.

**Then.** `as_of` takes a ledger sequence or an instant, and answers what was known at that time. What
is not known yet is refused (422): a sequence beyond the ledger's end, an instant to come.

Unknown fields and parameters are refused. Instants are RFC 3339 with an offset, durations ISO 8601.

| problem | status | title |
|---|---|---|
"""

TAGS = {
    "near misses": "Submitted one by one or in batches; read, corrected, completed, linked, withdrawn, closed.",
    "intake": "What care systems send, what it was taken for and why; read again once a mapping is mended.",
    "escalations": "What crossed a rule's threshold, and which near misses it holds.",
    "reviews": "The manager's review of one escalation, closed once every gate is met.",
    "actions": "What a review agreed on: told how it goes, completed or cancelled, and looked at again.",
    "governance": "Leadership's reviews of a period: a frozen snapshot, decisions that cite records, and their gates.",
    "assurance": "Whether every crossing led to its review, and what is missing: recomputed from the ledger alone.",
    "notices": "What people were told, and why: one for each of them and each command, however many events it made.",
    "evidence": "Packs for inspectors: what happened in a period, with the proof that nothing was taken out.",
    "ledger": "All that ever happened, in one gapless order, as CloudEvents: page by page, or as a stream.",
    "audit": "Every event of one thing, and everything that is tied to it, from a source's event to the outcome.",
    "sources": "Which systems are expected to speak, and how much there was to do, so that counts can become rates.",
    "fhir": "FHIR R4: adverse events and administered medicines in, near misses out as adverse events.",
    "duplicates": "Records of two systems that look like one occurrence: confirmed, dismissed, or told apart again.",
    "windows": "Why, or why not yet: the current count of a rule's key and its distance to the threshold.",
    "heatmaps": "Where in the work, and when, near misses were allowed.",
    "trends": "How often near misses happen over time, and which changes are more than chance explains.",
    "signals": "What rises below every threshold, or has gone silent; told once, answered by a manager.",
    "workflow": "Which stage may have allowed a near miss, and where plans do not hold.",
    "settings": "What the organisation settles: its services, its words, its policy, what it takes for a near miss.",
    "webhooks": "Where other systems are told what happens, what they are owed, and how each try went.",
    "health": "For those who run the service; no key is needed.",
}

PARAMETERS = {
    "near_miss_id": "The near miss's id.",
    "intake_record_id": "The intake record's id.",
    "escalation_id": "The escalation's id.",
    "review_id": "The review's id.",
    "action_id": "The action's id.",
    "evidence_pack_id": "The evidence pack's id.",
    "governance_review_id": "The governance review's id.",
    "signal_id": "The signal's id.",
    "recovery_barrier": "Why it did not reach the person.",
    "stage_affected": "The stage that it showed itself in.",
    "stage_allowed": "The stage that allowed it.",
    "locality": "What belonged there when it happened, by the register.",
    "service_id": "The service's id.",
    "endpoint_id": "The endpoint's id.",
    "delivery_id": "The delivery's id: what the receiver knows as `webhook-id`.",
    "via": "The way it came: events, adapter/NAME or fhir.",
    "source": "The name under which the source reports; slashes belong to it.",
    "source_event_id": "The source's own id of the event.",
    "incident_type": "A code of the taxonomy's `incident_types`.",
    "deviation": "A code of the taxonomy's `deviations`.",
    "classification": "A code of the taxonomy's `classifications`; left out, those that any active rule counts.",
    "proposal_id": "The id of the pair.",
    "status": "One of the statuses that the answer's schema lists.",
    "rule_id": "The id of a rule of the policy.",
    "overdue": "Only those that are past a deadline, or only those that are not.",
    "occurred_from": "A date or an instant; this and later.",
    "occurred_to": "A date or an instant; earlier than this.",
    "recorded_after": "A date or an instant; recorded later than this.",
    "from": "A date or an instant; this and later.",
    "to": "A date or an instant; earlier than this.",
    "row": "The row's label; left out, the one without a value.",
    "column": "The column's label; left out, the one without a value.",
}
"""What query and path parameters mean, where the route itself does not say."""

WINDOW_KEY: dict[str, Any] = {
    "name": "key",
    "in": "query",
    "description": "The rule's key, field by field, each as a parameter of its own: "
    "`service_id=willow-house&incident_type=medication&deviation=late`.",
    "style": "form",
    "explode": True,
    "schema": {"type": "object", "additionalProperties": {"type": "string"}},
    "example": {"service_id": "willow-house", "incident_type": "medication", "deviation": "late"},
}

COMMAND_HEADERS: dict[str, Any] = {
    "Idempotency-Key": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "1 to 255 visible ASCII characters. The same key with the same body is answered as before.",
        "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
        "example": "4f1c2d6e-0001",
    },
    "If-Match": {
        "name": "If-Match",
        "in": "header",
        "description": "The ETag that was read; refused with 412 when the resource has changed since.",
        "schema": {"type": "string"},
        "example": '"3"',
    },
    "Forewarn-Actor": {
        "name": "Forewarn-Actor",
        "in": "header",
        "description": "The person who acts, when the key may act for people; sealed when stored.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 128},
        "example": "manager-2",
    },
}

HEADERS: dict[str, Any] = {
    "ETag": {"description": "The version, in quotes.", "schema": {"type": "string"}},
    "Location": {"description": "Where the record is read.", "schema": {"type": "string"}},
    "Link": {"description": 'The next page, as `rel="next"`; not on the last.', "schema": {"type": "string"}},
    "Idempotency-Replayed": {
        "description": "`true` when this is the answer to an earlier request of the same key.",
        "schema": {"type": "string"},
    },
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "string"}},
    "WWW-Authenticate": {"description": "Bearer.", "schema": {"type": "string"}},
}

_DETAILS = {
    "malformed-json": "The text ends before the document does: send the whole of it.",
    "malformed-request": "Idempotency-Key takes 1 to 255 visible ASCII characters, once.",
    "unauthorized": "Send a key that is valid here as `Authorization: Bearer <key>`.",
    "forbidden": "This needs a key with the scope reviews:act.",
    "not-found": "No near miss of that id belongs to this organisation: GET /v1/near-misses lists them.",
    "method-not-allowed": "Use GET or POST here.",
    "gate-not-met": "2 conditions are not met: `gates` names them.",
    "action-not-open": "The action is completed: agree on another one in a review that is open.",
    "action-not-completed": "Complete the action first: then look at whether it works.",
    "evidence-pack-not-ready": "The pack is being built: ask GET until it is ready, then download it.",
    "evidence-packs-pending": "3 evidence packs of this organisation are being built: wait until one of them is ready.",
    "evidence-pack-not-kept": "The pack was built, and its bytes are no longer kept: ask for another one.",
    "governance-review-not-open": "The governance review is closed: open the next one, and go on there.",
    "endpoint-held": "The endpoint is held: put its receiver right, then POST …/enable.",
    "escalation-not-open": "The escalation is closed: look for a later one of the same key, or reopen its review.",
    "level-above-needed": "You had taken on what was breached: have the level above make this workflow link.",
    "handover-to-nobody": "Name the role or the person who is to take it on.",
    "merge-target-not-open": "The escalation to merge into is closed: name one that is open.",
    "signal-not-open": "It was answered already: read it again. What is new belongs into a review.",
    "policy-less-sensitive": "Keep the rules as sensitive as they are, or say in `reason` why this is right.",
    "snooze-too-long": "Let the snooze end at most P7D after it began: nothing falls silent for longer.",
    "stale-epoch": "Somebody else was asked since: read the escalation again, its epoch is 2 now.",
    "review-merged": "The review was merged: go on in the review rev_5f0c7fb1c6d35d0fb29f6cb4ac3f0d7e.",
    "reviewer-involved": "You were involved in what is reviewed: have somebody of leadership who was not countersign "
    "it first.",
    "source-event-conflict": "This source reported the same source_event_id with other content: use corrections to "
    "change it.",
    "idempotency-in-flight": "The first request of this Idempotency-Key is still running: ask again in a moment.",
    "precondition-failed": "It has changed since: read it again and repeat the request with its new ETag.",
    "body-too-large": "Send at most 256 KiB at once: split the request.",
    "uri-too-long": "Use a request target of at most 8192 bytes.",
    "unsupported-media-type": "Send JSON in UTF-8 as `Content-Type: application/json`.",
    "validation": "Correct the fields that `errors` names.",
    "idempotency-key-reused": "This Idempotency-Key came with another request: use a new key for a new request.",
    "headers-too-large": "Send at most 32768 bytes of headers.",
    "rate-limited": "This key has asked too often: wait as Retry-After says, then go on more slowly.",
    "internal-error": "The fault is the service's: send the request again later, with the same key.",
    "unavailable": "The database did not take the request, and nothing of it was stored: send it again in a moment.",
}
_FAULTS = {
    "validation": [
        Fault("/contributing_factors", "missing", "Give this field: the request is not complete without it."),
        Fault("/occurred_at", "not-a-moment", "Give an instant with its offset, or a date."),
    ],
}
_GATES = {
    "gate-not-met": [
        Gate("no_system_cause", "Identify at least one cause of kind system."),
        Gate(
            "not_mapped",
            "Map these near misses against scheduling, staff allocation and travel time.",
            ("nm_01a20677048172ec81013c2fbfc79392",),
        ),
    ]
}
_INSTANCE = "urn:uuid:0b2ff1a4-5f0e-4a3e-9c55-7a6f0f4f2c11"


def description() -> str:
    """The introduction, with every problem's code."""
    rows = "".join(f"| `{code}` | {kind.status} | {kind.title} |\n" for code, kind in PROBLEM_TYPES.items())
    return f"{_INTRODUCTION}{rows}\nEach `type` is `{TYPE}` and the code."


def problem_examples() -> dict[str, dict[str, object]]:
    """An answer of each problem code."""
    return {
        code: problems.document(code, _DETAILS[code], _INSTANCE, _FAULTS.get(code, ()), _GATES.get(code, ()))
        for code in PROBLEM_TYPES
    }
