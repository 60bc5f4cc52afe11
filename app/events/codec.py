"""Events to canonical JSON and back, through one path for every reader.

Absent values are left out, instants are YYYY-MM-DDTHH:MM:SS.ffffffZ, and what was written under an older
schema is brought up, dict to dict, before it is decoded.
"""

from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from functools import cache
from operator import attrgetter
from typing import Any

import msgspec

from app.domain.moment import format_instant
from app.events.canonical import LARGEST_INTEGER, laid, plain
from app.events.catalogue import CATALOGUE, NAMES
from app.events.envelope import Envelope, Told
from app.events.upcasts import UPCASTS


class UnknownEvent(Exception):
    """The ledger holds an event that this code does not know: it was written by a newer release."""


def name_of(event: object) -> tuple[str, int]:
    """The event's name on disk and its schema version."""
    return NAMES[type(event)]


def encode(event: object) -> str:
    """The event's payload as RFC 8785 JSON."""
    return plain(_object_encoder(type(event))(event))


def decode(envelope: Envelope) -> Any:
    """The event in its newest form."""
    entry = CATALOGUE.get(envelope.type)
    if entry is None or envelope.schema_version > entry.schema_version:
        raise UnknownEvent(
            f"Event {envelope.sequence} is a {envelope.type} v{envelope.schema_version}: update forewarn to read it."
        )
    if envelope.schema_version == entry.schema_version:
        return _decoder(entry.event)(envelope.payload)
    document: dict[str, Any] = msgspec.json.decode(envelope.payload)
    for version in range(envelope.schema_version, entry.schema_version):
        document = UPCASTS[envelope.type, version](document)
    return msgspec.convert(document, entry.event)


def told(envelope: Envelope) -> Told[Any]:
    """The envelope with its event."""
    return Told(envelope, decode(envelope))


@cache
def _decoder(kind: type[Any]) -> Callable[[str], Any]:
    decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(kind)
    return decoder.decode


# Made while there is one thread: msgspec lays what it learns of a dataclass at the class before it has learned it
# all, and a second thread that decodes meanwhile ends the process.
for _entry in CATALOGUE.values():
    _decoder(_entry.event)


@cache
def _object_encoder(kind: type[Any]) -> Callable[[Any], dict[str, Any]]:
    names = [field.name for field in fields(kind)]
    values = values_of(names)

    def encode_object(value: Any) -> dict[str, Any]:
        document: dict[str, Any] = {}
        for name, item in zip(names, values(value), strict=True):
            if item is not None:
                document[name] = item if item.__class__ in _PLAIN else _value(item)
        return document

    return encode_object


def values_of(names: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    """What reads several fields of an object at once."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda value: tuple(getattr(value, name) for name in names)


_PLAIN = frozenset({str, bool})


def _value(value: Any) -> Any:
    kind: type[Any] = value.__class__
    if kind is int and -LARGEST_INTEGER <= value <= LARGEST_INTEGER:
        return value
    if kind is datetime:
        return format_instant(value)
    if kind is date:
        return value.isoformat()
    if kind is tuple or kind is list:
        return [item if item.__class__ in _PLAIN else _value(item) for item in value]
    if kind is dict:
        document = {name: item if item.__class__ in _PLAIN else _value(item) for name, item in value.items()}
        return document if "".join(document).isascii() else laid(document)
    if is_dataclass(kind):
        return _object_encoder(kind)(value)
    return value if value is None else laid(value)
