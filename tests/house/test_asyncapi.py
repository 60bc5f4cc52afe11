"""asyncapi.yaml is what the application tells others, and is an AsyncAPI 3.0 document as far as its rules go here."""

import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest

from app.api.schemas.answers.webhooks import MESSAGE_EXAMPLE
from app.domain.webhook import TYPES
from app.events.catalogue import CATALOGUE
from tools import asyncapi

DOCUMENT = asyncapi.document()
COMPONENTS = DOCUMENT["components"]


def named(value: dict[str, Any]) -> dict[str, Any]:
    """An object whose names may stand in references."""
    return {"type": "object", "patternProperties": {r"^[\w.-]+$": value}, "additionalProperties": False}


def fields(**allowed: dict[str, Any]) -> dict[str, Any]:
    """An object with these fields only."""
    return {"type": "object", "properties": allowed, "additionalProperties": False}


TEXT = {"type": "string", "minLength": 1}
REFERENCE = {**fields(**{"$ref": TEXT}), "required": ["$ref"]}
STRUCTURE = {
    **fields(
        asyncapi={"const": "3.0.0"},
        info={**fields(title=TEXT, version=TEXT, description=TEXT, license=fields(name=TEXT)), "required": ["version"]},
        defaultContentType=TEXT,
        channels=named(
            fields(
                address={"type": ["string", "null"]},
                title=TEXT,
                description=TEXT,
                parameters=named(fields(description=TEXT, enum={"type": "array", "items": TEXT})),
                messages=named(REFERENCE),
            )
        ),
        operations=named(
            {
                **fields(
                    action={"enum": ["send", "receive"]},
                    channel=REFERENCE,
                    description=TEXT,
                    bindings={"type": "object"},
                ),
                "required": ["action", "channel"],
            }
        ),
        components=fields(
            messages=named(fields(name=TEXT, contentType=TEXT, description=TEXT, payload={"type": "object"})),
            schemas=named({"type": "object"}),
        ),
    ),
    "required": ["asyncapi", "info"],
}


def test_the_committed_document_is_what_the_application_says() -> None:
    committed = asyncapi.FILE.read_text(encoding="utf-8")

    assert committed == asyncapi.rendered(), "Run: python -m tools.asyncapi"


def test_the_document_is_built_as_asyncapi_3_0_wants_it() -> None:
    assert [str(error) for error in jsonschema_rs.Draft202012Validator(STRUCTURE).iter_errors(DOCUMENT)] == []


def test_every_reference_leads_somewhere() -> None:
    assert [one for one in references(DOCUMENT) if resolved(one) is None] == []


def test_a_parameter_stands_in_its_address_and_the_other_way_round() -> None:
    for channel in DOCUMENT["channels"].values():
        assert set(re.findall(r"{(\w+)}", channel["address"] or "")) == set(channel.get("parameters", {}))


def test_every_event_of_the_catalogue_is_a_message_of_both_ways() -> None:
    events = {f"{name}.v{entry.schema_version}" for name, entry in CATALOGUE.items()}

    for channel in ("ledgerStream", "ledgerSubjects"):
        assert set(DOCUMENT["channels"][channel]["messages"]) == events
    assert set(DOCUMENT["channels"]["webhooks"]["messages"]) == {f"webhook.{name}" for name in TYPES}


@pytest.mark.parametrize("name", COMPONENTS["schemas"])
def test_a_schema_is_json_schema(name: str) -> None:
    schema = {"$schema": "http://json-schema.org/draft-07/schema#", **COMPONENTS["schemas"][name]}

    assert jsonschema_rs.meta.is_valid(schema)
    assert not any({"type": "null"} in field.get("anyOf", ()) for field in schema.get("properties", {}).values())


def test_a_webhook_is_a_message_of_its_type_only() -> None:
    payload = COMPONENTS["messages"][f"webhook.{MESSAGE_EXAMPLE['type']}"]["payload"]
    validator = jsonschema_rs.Draft7Validator({**payload, "components": COMPONENTS})

    assert validator.is_valid(MESSAGE_EXAMPLE)
    assert not validator.is_valid({**MESSAGE_EXAMPLE, "type": "review.closed"})


def references(part: Any) -> Iterator[str]:
    if isinstance(part, list):
        for one in part:
            yield from references(one)
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for one in part.values():
            yield from references(one)


def resolved(reference: str) -> Any:
    found: Any = DOCUMENT
    for part in reference.removeprefix("#/").split("/"):
        found = found.get(part) if isinstance(found, dict) else None
    return found
