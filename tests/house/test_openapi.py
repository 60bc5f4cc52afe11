"""openapi.yaml is what the application says of itself, and says everything that a stranger needs."""

import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from app.api.problems import PROBLEM_TYPES
from app.api.routes import BODIES, SCOPE
from app.domain.organisation import SCOPES
from app.main import create_app
from tools import openapi

DOCUMENT: dict[str, Any] = create_app().openapi()
COMPONENTS: dict[str, Any] = DOCUMENT["components"]
OPERATIONS = {
    operation["operationId"]: (path, method, operation)
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
}
COMMANDS = [name for name, (_, _, operation) in OPERATIONS.items() if "requestBody" in operation]
PUBLIC = ["livez", "readyz", "metrics", "read_signing_keys"]


def test_the_committed_document_is_what_the_application_says() -> None:
    committed = openapi.FILE.read_text(encoding="utf-8")

    assert committed == openapi.rendered(), "Run: python -m tools.openapi"


def test_the_document_is_openapi_3_1() -> None:
    assert [str(error) for error in OPENAPI_31_VALIDATOR.iter_errors(DOCUMENT)] == []


@pytest.mark.parametrize("name", COMPONENTS["schemas"])
def test_a_schema_is_json_schema_and_complete(name: str) -> None:
    schema = COMPONENTS["schemas"][name]

    assert jsonschema_rs.meta.is_valid({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})
    assert [reference for reference in references(schema) if resolved(reference) is None] == []


def test_every_reference_leads_somewhere() -> None:
    assert [reference for reference in references(DOCUMENT) if resolved(reference) is None] == []


def test_no_body_and_no_answer_share_a_name() -> None:
    answers = {name for name, schema in COMPONENTS["schemas"].items() if schema.get("additionalProperties") is True}

    assert answers & set(BODIES) == {"VendorPayload"}  # Whatever a vendor sends.


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_says_what_it_does_and_where_it_belongs(name: str) -> None:
    _, _, operation = OPERATIONS[name]
    tags = {tag["name"] for tag in DOCUMENT["tags"] if tag["description"]}

    assert operation["description"].endswith(".")
    assert operation["tags"]
    assert set(operation["tags"]) <= tags
    assert all(parameter_of(one)["description"] for one in operation.get("parameters", []))


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name not in PUBLIC])
def test_an_operation_names_the_scope_that_its_key_needs(name: str) -> None:
    _, _, operation = OPERATIONS[name]

    assert operation[SCOPE] in SCOPES
    scopes = [scope for one in operation["security"] for scope in one["key"]]
    assert scopes[0] == operation[SCOPE]
    assert set(scopes) <= set(SCOPES)


@pytest.mark.parametrize("name", PUBLIC)
def test_those_who_run_the_service_need_no_key(name: str) -> None:
    assert OPERATIONS[name][2]["security"] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_a_request_body_has_an_example_that_its_schema_takes(name: str) -> None:
    content = OPERATIONS[name][2]["requestBody"]["content"]["application/json"]
    validator = validator_of(content["schema"])

    examples = [resolved(one["$ref"])["value"] for one in content["examples"].values()]

    assert examples
    assert [str(error) for example in examples for error in validator.iter_errors(example)] == []


@pytest.mark.parametrize("code", PROBLEM_TYPES)
def test_a_problem_has_an_example_that_some_operation_shows(code: str) -> None:
    example = COMPONENTS["examples"][code]["value"]
    shown = {name for response in COMPONENTS["responses"].values() for name in problem_examples(response)}

    assert [str(error) for error in validator_of({"$ref": "#/components/schemas/Problem"}).iter_errors(example)] == []
    assert example["type"].endswith(f":{code}")
    assert example["status"] == PROBLEM_TYPES[code].status
    assert code in shown


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_answer_has_a_schema(name: str) -> None:
    _, _, operation = OPERATIONS[name]

    answers = [response_of(one) for code, one in operation["responses"].items() if code != "204"]

    assert all(content.get("schema") for answer in answers for content in answer["content"].values())


@pytest.mark.parametrize("name", [name for name, schema in COMPONENTS["schemas"].items() if "examples" in schema])
def test_an_example_in_a_schema_is_one_of_its_kind(name: str) -> None:
    validator = validator_of({"$ref": f"#/components/schemas/{name}"})

    errors = [str(error) for one in COMPONENTS["schemas"][name]["examples"] for error in validator.iter_errors(one)]

    assert errors == []


def test_a_metric_is_text() -> None:
    (content,) = OPERATIONS["metrics"][2]["responses"]["200"]["content"].items()

    assert content == ("text/plain", {"schema": {"type": "string"}})


def references(part: Any) -> Iterator[str]:
    """Every $ref in a part of the document."""
    if isinstance(part, list):
        for one in part:
            yield from references(one)
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for one in part.values():
            yield from references(one)


def test_only_a_request_that_needs_nothing_said_may_come_without_a_body() -> None:
    optional = {
        operation["operationId"]
        for item in DOCUMENT["paths"].values()
        for operation in item.values()
        if "requestBody" in operation and not operation["requestBody"]["required"]
    }

    assert optional == {
        *("acknowledge_escalation", "start_review", "complete_details", "extend_taxonomy"),
        *("replay_intake_record", "adopt_recognition", "adopt_duplicate_rule", "confirm_duplicate"),
        *("change_endpoint", "enable_endpoint", "rotate_secret", "test_endpoint", "replay_delivery"),
        "recommend_action",
    }


def resolved(reference: str) -> Any:
    """What a reference within the document leads to."""
    found: Any = DOCUMENT
    for part in re.sub("^#/", "", reference).split("/"):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def parameter_of(parameter: dict[str, Any]) -> dict[str, Any]:
    return resolved(parameter["$ref"]) if "$ref" in parameter else parameter


def response_of(response: dict[str, Any]) -> dict[str, Any]:
    return resolved(response["$ref"]) if "$ref" in response else response


def problem_examples(response: dict[str, Any]) -> dict[str, Any]:
    return response["content"]["application/problem+json"]["examples"]


def validator_of(schema: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
    """A validator of one schema of the document, formats included."""
    return jsonschema_rs.Draft202012Validator({**schema, "components": COMPONENTS}, validate_formats=True)
