"""What every route says of itself: its scope, its body, its answers and its problems."""

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from app.api.problems import PROBLEM_TYPES
from app.api.schemas import Body

BODIES: dict[str, type[Body]] = {}
"""The models of request bodies, by the name that the OpenAPI document refers to."""

SCOPE = "x-required-scope"
_READING = ("unauthorized", "forbidden", "rate-limited", "unavailable", "validation")
_WRITING = (
    *_READING,
    "malformed-json",
    "malformed-request",
    "unsupported-media-type",
    "body-too-large",
    "idempotency-key-reused",
    "precondition-failed",
)


def told(
    scope: str,
    answer: type[BaseModel] | None = None,
    *,
    status: int = 200,
    body: type[Body] | None = None,
    problems: Iterable[str] = (),
    also: dict[int | str, dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """Keyword arguments for a route: what it needs, takes and answers. `problems`: codes of its own."""
    extra: dict[str, Any] = {SCOPE: scope}
    if body is not None:
        BODIES[body.__name__] = body
        content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{body.__name__}"}}}
        extra["requestBody"] = {"required": True, "content": content}
    codes = (*(_WRITING if body is not None else _READING), *problems)
    responses: dict[int | str, dict[str, Any]] = {}
    for code in dict.fromkeys(codes):
        kind = PROBLEM_TYPES[code]
        standing = responses.setdefault(kind.status, {"description": "", "content": _problem_content()})
        standing["description"] = "; ".join(filter(None, [standing["description"], f"`{code}`: {kind.title}"]))
    if answer is not None:
        responses[status] = {"model": answer, "description": "Done" if status != 201 else "Recorded"}
    return {
        "status_code": status,
        "response_model": None,
        "responses": dict(sorted((responses | (also or {})).items(), key=lambda item: str(item[0]))),
        "openapi_extra": extra,
    }


def _problem_content() -> dict[str, Any]:
    return {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
