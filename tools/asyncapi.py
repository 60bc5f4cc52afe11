"""Writes asyncapi.yaml, what we tell others unasked, from the application: `python -m tools.asyncapi`. A test compares.

Every event of the catalogue is a message, with the schema of its newest version; every type of webhook is another.
"""

import inspect
from pathlib import Path
from typing import Any, cast

import msgspec
import yaml
from pydantic.json_schema import models_json_schema

from app.api.openapi import TITLE, VERSION
from app.api.schemas.answers import CloudEvent
from app.api.schemas.answers.webhooks import Message
from app.api.streams import EventStream
from app.domain.webhook import TYPES
from app.events.catalogue import CATALOGUE
from tools.openapi import Dumper

FILE = Path(__file__).resolve().parents[1] / "asyncapi.yaml"
HEAD = "# Written by `python -m tools.asyncapi` from the application; do not edit it by hand.\n"
SCHEMAS = "#/components/schemas/"
MESSAGES = "#/components/messages/"
DESCRIPTION = """\
What forewarn tells other systems: its whole ledger, as a stream of server-sent events or through NATS JetStream, and
webhooks that hold ids and links only.

A message of the ledger is a CloudEvent 1.0. Its `type` ends in the version of its schema, and fields get added with
defaults; a value that is absent is left out. Personal fields stand sealed. How to follow it, and to go on after a
break, is in docs/feed.md.
"""


def document() -> dict[str, Any]:
    """The AsyncAPI 3.0 document."""
    events = {f"{name}.v{entry.schema_version}": entry.event for name, entry in CATALOGUE.items()}
    nouns = sorted({name.partition(".")[0] for name in CATALOGUE})
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": TITLE,
            "version": VERSION,
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {
            "ledgerStream": {
                "address": "/v1/ledger/stream",
                "title": "The ledger over HTTP",
                "description": "Server-sent events: `id` is the sequence, `event` the type, `data` the CloudEvent. "
                "After a break, go on with `Last-Event-ID`.",
                "messages": {name: {"$ref": MESSAGES + name} for name in events},
            },
            "ledgerSubjects": {
                "address": "forewarn.{organisation}.{stream}.{event}",
                "title": "The ledger in NATS JetStream",
                "description": "The stream FOREWARN, when FOREWARN_NATS_URL is set. Each event once and in order, with "
                "`Nats-Msg-Id: organisation:sequence`.",
                "parameters": {
                    "organisation": {"description": "The organisation's id, percent-encoded but for A-Z a-z 0-9 - _."},
                    "stream": {"description": "What the event is of.", "enum": nouns},
                    "event": {"description": "What happened."},
                },
                "messages": {name: {"$ref": MESSAGES + name} for name in events},
            },
            "webhooks": {
                "address": None,
                "title": "Webhooks",
                "description": "The URL of each endpoint that was registered. Standard Webhooks: the headers "
                "webhook-id, webhook-timestamp and webhook-signature come with every message.",
                "messages": {_webhook(name): {"$ref": MESSAGES + _webhook(name)} for name in TYPES},
            },
        },
        "operations": {
            "streamLedger": _sending(
                "ledgerStream", {"http": {"method": "GET", "bindingVersion": "0.3.0"}}, EventStream.media_type
            ),
            "relayLedger": _sending("ledgerSubjects", {"nats": {"bindingVersion": "0.1.0"}}),
            "sendWebhook": _sending("webhooks", {"http": {"method": "POST", "bindingVersion": "0.3.0"}}),
        },
        "components": {
            "messages": {
                **{name: _told(name, kind) for name, kind in events.items()},
                **{_webhook(name): _webhook_told(name) for name in TYPES},
            },
            "schemas": _schemas(events),
        },
    }


def rendered() -> str:
    """The document as the file holds it."""
    return HEAD + yaml.dump(document(), Dumper=Dumper, sort_keys=False, allow_unicode=True, width=120)


def _sending(channel: str, bindings: dict[str, Any], transport: str | None = None) -> dict[str, Any]:
    summary = {"description": f"As `{transport}`."} if transport else {}
    return {"action": "send", "channel": {"$ref": f"#/channels/{channel}"}, **summary, "bindings": bindings}


def _webhook(name: str) -> str:
    return f"webhook.{name}"


def _told(name: str, kind: type) -> dict[str, Any]:
    """The message of an event: a CloudEvent of one type, with its data."""
    data = {"type": {"const": f"forewarn.{name}"}, "data": {"$ref": SCHEMAS + name}}
    said = _documented(kind)
    return {
        "name": f"forewarn.{name}",
        "contentType": "application/cloudevents+json",
        **({"description": said} if said else {}),
        "payload": {"allOf": [{"$ref": f"{SCHEMAS}CloudEvent"}, {"type": "object", "properties": data}]},
    }


def _webhook_told(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "description": TYPES[name].says,
        "payload": {
            "allOf": [{"$ref": f"{SCHEMAS}Message"}, {"type": "object", "properties": {"type": {"const": name}}}]
        },
    }


def _schemas(events: dict[str, type]) -> dict[str, Any]:
    """What messages are made of. Events go under their names on disk; their parts under those of their classes."""
    references, parts = msgspec.json.schema_components(events.values(), ref_template=SCHEMAS + "{name}")
    named = {reference["$ref"]: name for reference, name in zip(references, events, strict=True)}
    _, told = models_json_schema(
        [(CloudEvent, "serialization"), (Message, "serialization")], ref_template=SCHEMAS + "{model}"
    )
    schemas = {named.get(SCHEMAS + name, name): _tidy(part, named) for name, part in parts.items()}
    if unclear := [name for name in schemas if name.startswith("app.")]:
        raise TypeError(f"Two classes are called the same, and stand in events: {', '.join(unclear)}.")
    return dict(sorted((schemas | _tidy(told["$defs"], {})).items()))


def _tidy(schema: Any, named: dict[str, str]) -> Any:
    """A schema in our own words, and in those of JSON Schema draft 7, which AsyncAPI stands on."""
    if isinstance(schema, list):
        return [_tidy(one, named) for one in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    parts = cast("dict[str, Any]", schema)
    if (reference := parts.get("$ref")) in named:
        return {"$ref": SCHEMAS + named[cast("str", reference)]}
    fields = {name: _not_null(_tidy(field, named)) for name, field in parts.get("properties", {}).items()}
    said = {name: part for name, part in parts.items() if name not in {"title", "default", "examples"}}
    tidy = {name: fields if name == "properties" else _tidy(part, named) for name, part in said.items()}
    if isinstance(description := tidy.get("description"), str):
        tidy["description"] = " ".join(description.split())
    if "prefixItems" in tidy:
        tidy |= {"items": tidy.pop("prefixItems"), "additionalItems": False}
    return tidy


def _not_null(field: dict[str, Any]) -> dict[str, Any]:
    """A field that has nothing to say is left out of an event, so it is never null."""
    forms = [form for form in field.get("anyOf", ()) if form != {"type": "null"}]
    rest = {name: part for name, part in field.items() if name != "anyOf"}
    match forms:
        case []:
            return field
        case [form]:
            return form | rest
        case _:
            return {**rest, "anyOf": forms}


def _documented(kind: type) -> str:
    documented = inspect.getdoc(kind) or ""
    return "" if documented.startswith(f"{kind.__name__}(") else " ".join(documented.split())


if __name__ == "__main__":
    FILE.write_text(rendered(), encoding="utf-8")
