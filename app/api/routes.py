"""What every route says of itself: its scope, its body, its answers and its problems."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel

from app.api.schemas import Body, must_say

BODIES: dict[str, type[Body]] = {}
"""The models of request bodies, by the name that the OpenAPI document refers to."""

SCOPE = "x-required-scope"
PROBLEMS = "x-problems"
"""The codes that a route's problems may have. The document turns them into responses, with those of its method."""

_READING = ("unauthorized", "forbidden", "validation", "rate-limited", "unavailable")
_WRITING = (*_READING, "malformed-json", "malformed-request", "unsupported-media-type", "body-too-large")


def told(
    scope: str,
    answer: type[BaseModel] | None = None,
    *,
    status: int = 200,
    body: type[Body] | None = None,
    problems: Iterable[str] = (),
    also: dict[int | str, dict[str, Any]] | None = None,
    always_new: bool = False,
    content: Mapping[str, Any] | None = None,
    instead: Iterable[str] = (),
) -> dict[str, Any]:
    """Keyword arguments for a route: what it needs, takes and answers. `problems`: codes of its own; `always_new`:
    what it makes is nothing that it could know already; `content`: what a body may be besides, by media type;
    `instead`: scopes that let a key in as well, for an answer that says less.
    """
    extra: dict[str, Any] = {SCOPE: scope, "security": [{"key": [one]} for one in (scope, *instead)]}
    if body is not None:
        BODIES[body.__name__] = body
        takes = {"application/json": _content(body), **(content or {})}
        extra["requestBody"] = {"required": must_say(body), "content": takes}
    extra[PROBLEMS] = list(dict.fromkeys([*(_WRITING if body is not None else _READING), *problems]))
    responses: dict[int | str, dict[str, Any]] = {"default": {}}  # Keeps the framework's own 422 out.
    if answer is not None:
        responses[status] = {"model": answer, "description": _DONE.get(status, "Done.")}
        if status == 201 and not always_new:
            responses[200] = {"model": answer, "description": "Known already: the record as it stands."}
    return {
        "status_code": status,
        "response_model": None,
        "responses": responses | (also or {}),
        "openapi_extra": extra,
    }


_DONE = {201: "Recorded.", 207: "Each item's own answer."}


def _content(body: type[Body]) -> dict[str, Any]:
    name = body.__name__
    example = {"$ref": f"#/components/examples/{name}"}
    return {"schema": {"$ref": f"#/components/schemas/{name}"}, "examples": {name: example}}
