"""What a client reads when something is refused: problem details (RFC 9457).

A problem says what to do next and repeats nothing that was sent. Its type ends in a code of the API contract; its
instance is a fresh URN, which a log line may carry too. A refusal of the domain that has a code of its own is a
condition of the resource that is not met, so it is told as a gate of that code. Whoever speaks FHIR reads the same
problem as an OperationOutcome: what a path speaks is asked in one place, `answer`.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import cast
from uuid import uuid4

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as SQLAlchemyTimeout
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from app.api import outcomes
from app.api.pointers import MOST_FAULTS, pointer
from app.database.engine import is_connection_lost
from app.domain.decider import Fault, Gate, GateNotMet, Invalid, Refused
from app.domain.sensitivity import LessSensitive, PolicyLessSensitive
from app.operations.job import Withheld

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
MEDIA_TYPE = "application/problem+json"
TYPE = "urn:forewarn:problem:"


@dataclass(frozen=True, slots=True)
class ProblemType:
    """The status and title of one problem code, and the headers that HTTP wants with it."""

    status: int
    title: str
    headers: tuple[tuple[str, str], ...] = ()


RETRY_SOON = (("Retry-After", "1"),)
RETRY_LATER = (("Retry-After", "3600"),)

PROBLEM_TYPES = {
    "malformed-json": ProblemType(400, "The body is not JSON"),
    "malformed-request": ProblemType(400, "The request is malformed"),
    "unauthorized": ProblemType(401, "A valid key is needed", (("WWW-Authenticate", "Bearer"),)),
    "forbidden": ProblemType(403, "The key may not do this"),
    "not-found": ProblemType(404, "Nothing is here"),
    "method-not-allowed": ProblemType(405, "The method is not allowed here"),
    "gate-not-met": ProblemType(409, "A condition is not met"),
    "action-not-open": ProblemType(409, "The action is completed or cancelled"),
    "action-not-completed": ProblemType(409, "The action is not completed yet"),
    "endpoint-held": ProblemType(409, "The endpoint is held"),
    "evidence-pack-not-ready": ProblemType(409, "The evidence pack is not ready"),
    "evidence-packs-pending": ProblemType(409, "As many evidence packs are being built as may be"),
    "governance-review-not-open": ProblemType(409, "The governance review is closed"),
    "escalation-not-open": ProblemType(409, "The escalation is not open"),
    "handover-to-nobody": ProblemType(409, "Nobody would take it on"),
    "level-above-needed": ProblemType(409, "Somebody of the level above is needed"),
    "merge-target-not-open": ProblemType(409, "The escalation to merge into is not open"),
    "signal-not-open": ProblemType(409, "The signal was answered already"),
    "snooze-too-long": ProblemType(409, "The snooze is longer than the ladder allows"),
    "policy-less-sensitive": ProblemType(409, "The policy would have opened fewer reviews"),
    "stale-epoch": ProblemType(409, "Somebody else was asked since"),
    "review-merged": ProblemType(409, "The review goes on in another one"),
    "reviewer-involved": ProblemType(409, "Who was involved does not conclude the review alone"),
    "source-event-conflict": ProblemType(409, "The source event was reported with other content"),
    "idempotency-in-flight": ProblemType(409, "The first request of this key is still running", RETRY_SOON),
    "evidence-pack-not-kept": ProblemType(410, "The evidence pack is no longer kept"),
    "precondition-failed": ProblemType(412, "The resource has changed since"),
    "body-too-large": ProblemType(413, "The body is too large"),
    "uri-too-long": ProblemType(414, "The request target is too long"),
    "unsupported-media-type": ProblemType(415, "The media type is not supported"),
    "validation": ProblemType(422, "The request is not valid"),
    "idempotency-key-reused": ProblemType(422, "The idempotency key was used for another request"),
    "headers-too-large": ProblemType(431, "The headers are too large"),
    "rate-limited": ProblemType(429, "Too many requests", RETRY_SOON),
    "internal-error": ProblemType(500, "The service failed"),
    "unavailable": ProblemType(503, "The service is not available", RETRY_SOON),
}


def document(
    code: str,
    detail: str,
    instance: str | None = None,
    errors: Iterable[Fault] = (),
    gates: Iterable[Gate] = (),
    status: int | None = None,
) -> dict[str, object]:
    """The problem as a JSON object: also what stands in an item of a 207."""
    kind = PROBLEM_TYPES[code]
    told: dict[str, object] = {
        "type": TYPE + code,
        "title": kind.title,
        "status": status or kind.status,
        "detail": detail,
        "instance": instance or uuid4().urn,
    }
    if listed := [
        {"pointer": fault.pointer, "code": fault.code, "detail": fault.detail}
        for _, fault in zip(range(MOST_FAULTS), errors, strict=False)
    ]:
        told["errors"] = listed
    if missed := [{"code": gate.code, "detail": gate.detail, "ids": list(gate.ids)} for gate in gates]:
        told["gates"] = missed
    return told


def document_of(refusal: Refused, instance: str | None = None) -> dict[str, object]:
    """The problem that a refusal of any floor is told as."""
    match refusal:
        case Invalid():
            return document(refusal.code, refusal.detail, instance, errors=refusal.faults)
        case GateNotMet():
            return document(refusal.code, refusal.detail, instance, gates=refusal.gates)
        case PolicyLessSensitive():
            return {**document(refusal.code, refusal.detail, instance), "lost": lost_reviews(refusal.found)}
        case _ if refusal.code in PROBLEM_TYPES:
            return document(refusal.code, refusal.detail, instance)
        case _:
            return document(GateNotMet.code, refusal.detail, instance, gates=[Gate(refusal.code, refusal.detail)])


def lost_reviews(found: LessSensitive) -> list[dict[str, object]]:
    """The episodes that a policy would have lost, as they are named wherever they are shown."""
    return [
        {
            "rule_id": one.rule_id,
            "key": dict(one.key),
            "crossed_at": one.crossed_at,
            "near_miss_ids": list(one.near_miss_ids),
        }
        for one in found.episodes
    ]


def problem(
    code: str,
    detail: str,
    instance: str | None = None,
    errors: Iterable[Fault] = (),
    gates: Iterable[Gate] = (),
    headers: Mapping[str, str] | None = None,
    status: int | None = None,
    path: str = "",
) -> Response:
    return answer(document(code, detail, instance, errors, gates, status), code, headers, path)


def from_refusal(
    refusal: Refused, instance: str | None = None, headers: Mapping[str, str] | None = None, path: str = ""
) -> Response:
    later = dict(RETRY_LATER) if isinstance(refusal, Withheld) else {}
    return answer(document_of(refusal, instance), refusal.code, {**later, **(headers or {})}, path)


def answer(told: dict[str, object], code: str, headers: Mapping[str, str] | None = None, path: str = "") -> Response:
    """The response of a problem, as the `path` speaks; headers given stand over those that its type brings."""
    kind = PROBLEM_TYPES.get(code)
    fhir = outcomes.speaks_fhir(path)
    return Response(
        json.dumps(outcomes.outcome_of(told) if fhir else told, ensure_ascii=False, separators=(",", ":")),
        status_code=cast("int", told["status"]),
        headers={**dict(kind.headers if kind else ()), **(headers or {})},
        media_type=outcomes.MEDIA_TYPE if fhir else MEDIA_TYPE,
    )


# What the framework raises

_OF_STATUS = {
    400: ("malformed-request", "Send a request as the API contract describes it."),
    401: ("unauthorized", "Send a key of this service as `Authorization: Bearer KEY`."),
    403: ("forbidden", "Use a key whose scopes include what this route declares."),
    404: ("not-found", "Check the path: the routes are listed at /docs."),
    413: ("body-too-large", "Send a smaller body."),
    415: ("unsupported-media-type", "Send `Content-Type: application/json`."),
    422: ("validation", "Correct the request and send it again."),
    429: ("rate-limited", "Wait for the seconds of Retry-After, then send the request again."),
    503: ("unavailable", "Wait for the seconds of Retry-After, then send the request again."),
}


def install(app: FastAPI) -> None:
    """Let every refusal, and every failure, of the application leave it as a problem."""
    app.add_exception_handler(Refused, refused)
    app.add_exception_handler(HTTPException, not_routed)
    app.add_exception_handler(RequestValidationError, parameters_refused)
    app.add_exception_handler(DBAPIError, database_failed)
    app.add_exception_handler(SQLAlchemyTimeout, database_failed)
    app.add_exception_handler(Exception, failed)


def refused(request: Request, error: Exception) -> Response:
    return from_refusal(cast("Refused", error), path=request.url.path)


def not_routed(request: Request, error: Exception) -> Response:
    raised = cast("HTTPException", error)
    if raised.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allow = allowed(request)
        headers = {"Allow": ", ".join(allow)}
        return problem("method-not-allowed", f"Use {' or '.join(allow)} here.", headers=headers, path=request.url.path)
    code, detail = _OF_STATUS.get(raised.status_code, _OF_STATUS[400])
    return problem(code, detail, headers=raised.headers, status=raised.status_code, path=request.url.path)


def allowed(request: Request) -> list[str]:
    """The methods that any route of the path answers; the framework would name those of the first one only."""

    def answered(method: str) -> bool:
        asked = {**request.scope, "method": method}
        return any(route.matches(asked)[0] is Match.FULL for route in request.app.routes)

    return [method for method in METHODS if answered(method)]


def parameters_refused(request: Request, error: Exception) -> Response:
    """Path and query parameters that a read route could not take: the pointer names the parameter."""
    found = cast("RequestValidationError", error).errors()
    faults = [
        Fault(pointer(one["loc"]), one["type"].replace("_", "-"), _what_to_give(one["type"], one.get("ctx", {})))
        for one in found[:MOST_FAULTS]
    ]
    detail = "Correct the parameters that `errors` names."
    return problem("validation", detail, errors=faults, path=request.url.path)


_TO_GIVE = {
    "missing": "Give this parameter: it is needed here.",
    "int_parsing": "Give a whole number.",
    "int_parsing_size": "Give a whole number of fewer digits.",
    "float_parsing": "Give a number.",
    "bool_parsing": "Give true or false.",
    "greater_than_equal": "Give {ge} or more.",
    "greater_than": "Give more than {gt}.",
    "less_than_equal": "Give {le} or less.",
    "less_than": "Give less than {lt}.",
    "string_too_long": "Give at most {max_length} characters.",
    "string_too_short": "Give at least {min_length} characters.",
    "literal_error": "Use {expected}.",
    "enum": "Use {expected}.",
}


def _what_to_give(code: str, limits: Mapping[str, object]) -> str:
    """A sentence for a fault that the framework found, in no word of what was sent."""
    return _TO_GIVE.get(code, "Give this parameter a value as /docs lists.").format_map(limits)


def database_failed(request: Request, error: Exception) -> Response:
    """A reader's database is away or busy: asking again is right; anything else is our own fault."""
    if is_connection_lost(error):
        detail = "The database cannot be read right now: send the request again in a moment."
        return problem("unavailable", detail, path=request.url.path)
    return failed(request, error)


def failed(request: Request, _error: Exception) -> Response:
    """The server closes the connection after a failure, which is said, so that nobody sends another request on it."""
    detail = "The fault is the service's: send the request again later, with the same key."
    return problem("internal-error", detail, headers={"Connection": "close"}, path=request.url.path)
