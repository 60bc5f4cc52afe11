"""The description of the API: what FastAPI finds, the request bodies that it does not see, and every problem.

`openapi.yaml` is this document, written by `tools/openapi.py` and compared by a test. What follows from a rule that
holds for all routes (headers, problems of a method) is worked out here, so that no route can forget to say it.
"""

from collections.abc import Iterable, Iterator
from typing import Any, cast

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic.json_schema import models_json_schema

from app.api import described, outcomes
from app.api.problems import MEDIA_TYPE, PROBLEM_TYPES, TYPE
from app.api.routes import BODIES, PROBLEMS
from app.api.schemas.answers import Problem
from app.api.schemas.answers.fhir import OperationOutcome

TITLE = "forewarn"
VERSION = "0.1.0"

_ANYWHERE = ("method-not-allowed", "uri-too-long", "headers-too-large", "internal-error")
"""Problems of any request, told once for each route as its default response."""
_OF_POST = ("idempotency-key-reused", "idempotency-in-flight")


def keywords() -> dict[str, Any]:
    """What the application is constructed with."""
    return {
        "title": TITLE,
        "version": VERSION,
        "summary": described.SUMMARY,
        "description": described.description(),
        "license_info": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        "openapi_tags": [{"name": name, "description": text} for name, text in described.TAGS.items()],
        "generate_unique_id_function": _named_as_its_function,
        "docs_url": None,
        "redoc_url": None,
    }


def install(app: FastAPI) -> None:
    """Have the application describe itself as `document` does, so that /docs and openapi.yaml are the same."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = document(app)
        return app.openapi_schema

    app.openapi = openapi


def document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    told = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=app.description,
        routes=app.routes,
        tags=app.openapi_tags,
        license_info=app.license_info,
    )
    components: dict[str, Any] = told.setdefault("components", {})
    schemas: dict[str, Any] = components.setdefault("schemas", {})
    bodies = _bodies()
    components["examples"] = {name: {"value": body.pop("examples")[0]} for name, body in _with_example(bodies)}
    components["examples"] |= {code: {"value": problem} for code, problem in described.problem_examples().items()}
    schemas |= bodies
    components["headers"] = described.HEADERS
    components["parameters"] = described.COMMAND_HEADERS
    components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer", "description": described.KEY}}
    for path, method, operation in _operations(told):
        _describe(path, method, operation, components)
    for schema in schemas.values():
        _without_titles(schema)
    told["info"]["x-problem-type-prefix"] = TYPE
    return told


def _describe(path: str, method: str, operation: dict[str, Any], components: dict[str, Any]) -> None:
    """Add what follows from the rules for all routes."""
    operation["summary"] = operation["operationId"].replace("_", " ").capitalize()
    responses: dict[str, Any] = operation["responses"]
    if PROBLEMS not in operation:  # Routes for those who run the service take no key and refuse nothing.
        operation["security"] = []
        return
    codes = list[str](operation.pop(PROBLEMS))
    parameters: list[dict[str, Any]] = operation.setdefault("parameters", [])
    for parameter in parameters:
        _describe_parameter(parameter)
    if path.startswith("/v1/windows"):
        parameters.append(described.WINDOW_KEY)
    if "requestBody" in operation or method == "delete":
        codes += [*(_OF_POST if method == "post" else ()), *(() if _creates(path) else ("precondition-failed",))]
        parameters += [{"$ref": f"#/components/parameters/{name}"} for name in _headers_of(path, method)]
    if not parameters:
        del operation["parameters"]
    for status, response in responses.items():
        _without_empty_json(response)
        if headers := dict(_answer_headers(status, method, response, components["schemas"])):
            response["headers"] = headers
    answered = {str(status): _of_status(codes, status) for status in {PROBLEM_TYPES[code].status for code in codes}}
    for status, these in (answered | {"default": _ANYWHERE}).items():
        name = ".".join(these)
        components.setdefault("responses", {}).setdefault(name, _problem_response(these))
        responses[status] = {"$ref": f"#/components/responses/{name}"}
    operation["responses"] = dict(sorted(responses.items()))
    if outcomes.speaks_fhir(path):
        _tell_in_fhir(method, operation, components)


def _without_empty_json(response: dict[str, Any]) -> None:
    """Take out the JSON that the library assumes of an answer that says itself what it is: a picture, a page."""
    content = response.get("content", {})
    if len(content) > 1 and content.get("application/json") == {"schema": {}}:
        del content["application/json"]


def _tell_in_fhir(method: str, operation: dict[str, Any], components: dict[str, Any]) -> None:
    """Answers and errors as FHIR names them; bodies may come as plain JSON too."""
    names = ["ETag", *(["Idempotency-Replayed"] if method == "post" else [])]
    if "requestBody" in operation:
        content = operation["requestBody"]["content"]
        operation["requestBody"]["content"] = {outcomes.MEDIA_TYPE: content["application/json"], **content}
    for status, response in operation["responses"].items():
        if "$ref" in response:
            told = components["responses"][response["$ref"].rpartition("/")[2]]
            outcome = {"schema": {"$ref": f"#/components/schemas/{OperationOutcome.__name__}"}}
            operation["responses"][status] = {**told, "content": {outcomes.MEDIA_TYPE: outcome}}
        else:
            response["content"] = {outcomes.MEDIA_TYPE: response["content"]["application/json"]}
            sent = [*names, *(["Location"] if status == "201" else [])]
            response["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in sent}
            _without_titles(response)


def _describe_parameter(parameter: dict[str, Any]) -> None:
    if "description" not in parameter:
        parameter["description"] = described.PARAMETERS[parameter["name"]]
    schema = parameter["schema"]
    _without_titles(schema)
    schema.pop("description", None)
    forms = [form for form in schema.get("anyOf", ()) if form != {"type": "null"}]
    if len(forms) == 1:  # In a query nothing is null: a parameter is there or not.
        del schema["anyOf"]
        schema |= forms[0]


def _headers_of(path: str, method: str) -> Iterator[str]:
    yield "Forewarn-Actor"
    if method == "post":
        yield "Idempotency-Key"
    if not _creates(path):
        yield "If-Match"


def _creates(path: str) -> bool:
    return (
        path in {"/v1/near-misses", "/v1/near-misses:batch", "/v1/webhook-endpoints"}
        or path.startswith("/v1/adapters/")
        or outcomes.speaks_fhir(path)
    )


def _answer_headers(
    status: str, method: str, response: dict[str, Any], schemas: dict[str, Any]
) -> Iterator[tuple[str, dict[str, str]]]:
    """The headers that `door.answered` and `lists.listed` send with an answer of this shape."""
    reference = response.get("content", {}).get("application/json", {}).get("schema", {}).get("$ref", "")
    fields = schemas.get(reference.rpartition("/")[2], {}).get("properties", {})
    names = [
        *(["ETag"] if "version" in fields else []),
        *(["Link"] if "next_cursor" in fields else []),
        *(["Location"] if status == "201" else []),
        *(["Idempotency-Replayed"] if method == "post" and "version" in fields else []),
    ]
    for name in names:
        yield name, {"$ref": f"#/components/headers/{name}"}


def _of_status(codes: Iterable[str], status: int) -> tuple[str, ...]:
    return tuple(sorted({code for code in codes if PROBLEM_TYPES[code].status == status}))


def _problem_response(codes: Iterable[str]) -> dict[str, Any]:
    kinds = {code: PROBLEM_TYPES[code] for code in codes}
    response: dict[str, Any] = {
        "description": "; ".join(f"`{code}`: {kind.title}" for code, kind in kinds.items()) + ".",
        "content": {
            MEDIA_TYPE: {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "examples": {code: {"$ref": f"#/components/examples/{code}"} for code in codes},
            }
        },
    }
    if headers := sorted({name for kind in kinds.values() for name, _ in kind.headers}):
        response["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in headers}
    return response


def _bodies() -> dict[str, Any]:
    _, found = models_json_schema(
        [*((model, "validation") for model in BODIES.values()), (Problem, "serialization")],
        ref_template="#/components/schemas/{model}",
    )
    return found.get("$defs", {})


def _with_example(bodies: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name in BODIES:
        if "examples" in bodies[name]:
            yield name, bodies[name]


def _operations(told: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in told["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def _without_titles(schema: Any) -> None:
    """Take out the titles that the library makes of field names: they say nothing that the names do not."""
    if isinstance(schema, list):
        for one in cast("list[Any]", schema):
            _without_titles(one)
    elif isinstance(schema, dict):
        parts = cast("dict[str, Any]", schema)
        if isinstance(parts.get("title"), str):
            del parts["title"]
        for name, part in parts.items():
            if name not in {"examples", "default", "enum", "const"}:
                _without_titles(part)


def _named_as_its_function(route: APIRoute) -> str:
    return route.name
