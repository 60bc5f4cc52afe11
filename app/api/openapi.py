"""The description of the API: what FastAPI finds, the request bodies that it does not see, and every problem."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from app.api.problems import PROBLEM_TYPES, TYPE
from app.api.routes import BODIES
from app.api.schemas.answers import Problem

TITLE = "forewarn"
VERSION = "0.1.0"
DESCRIPTION = """\
Near misses in adult social care, checked against similar ones before they are recorded. At the threshold exactly
one manager review opens, about underlying causes.

Send `Authorization: Bearer <key>`. Errors are `application/problem+json` (RFC 9457): `type` ends in one of the
codes below, `detail` says what to do.

| code | status | title |
|---|---|---|
"""


def keywords() -> dict[str, Any]:
    """What the application is constructed with."""
    rows = "".join(f"| `{code}` | {kind.status} | {kind.title} |\n" for code, kind in PROBLEM_TYPES.items())
    return {"title": TITLE, "version": VERSION, "description": DESCRIPTION + rows}


def install(app: FastAPI) -> None:
    """Have the application describe itself as `document` does, so that /docs and openapi.yaml are the same."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = document(app)
        return app.openapi_schema

    app.openapi = openapi


def document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    described = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes, tags=app.openapi_tags
    )
    schemas: dict[str, Any] = described.setdefault("components", {}).setdefault("schemas", {})
    _, bodies = models_json_schema(
        [*((model, "validation") for model in BODIES.values()), (Problem, "serialization")],
        ref_template="#/components/schemas/{model}",
    )
    schemas |= bodies.get("$defs", {})
    described["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    described["security"] = [{"key": []}]
    described["info"]["x-problem-type-prefix"] = TYPE
    return described
