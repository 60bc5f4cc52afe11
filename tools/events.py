"""Writes docs/events.md from the catalogue: `python -m tools.events`. A test compares the two."""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import date, datetime
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from app.domain.moment import Span
from app.domain.sealed import Reference, SealedText
from app.events.catalogue import CATALOGUE

FILE = Path(__file__).resolve().parents[1] / "docs" / "events.md"
HEAD = """\
# The events of the ledger

Written by `python -m tools.events` from `app/events/catalogue.py`; do not edit it by hand.

An event is stored once, as canonical JSON, and read for ever. Its name and the number of its schema make the type that
readers see: `forewarn.near_miss.recorded.v1`. Fields get added with defaults; any other change of shape is a new schema
version, and an upcaster reads the old one. A value that is absent is left out.

In the tables, *sealed text* is `{"sealed", "key"}`, encrypted under the key of its record; a *sealed reference* is
`{"sealed", "key", "token"}`, encrypted under the key of the person it stands for. Once a key is erased, what it sealed
reads as `{"erased": true}` and every hash of the ledger still holds. Instants are `YYYY-MM-DDTHH:MM:SS.ffffffZ`.
"""
_WORDS: dict[Any, str] = {
    str: "text",
    int: "integer",
    float: "number",
    bool: "true or false",
    datetime: "instant",
    date: "date",
    Span: "duration",
    Reference: "sealed reference",
    SealedText: "sealed text",
    Any: "any value",
}


def rendered() -> str:
    """The page as the file holds it."""
    parts: dict[str, type] = {}
    text = HEAD
    stream = ""
    for name, entry in CATALOGUE.items():
        if (now := name.partition(".")[0]) != stream:
            stream = now
            text += f"\n## {stream}\n"
        text += f"\n### `{name}` (schema {entry.schema_version})\n\n" + "\n".join(_described(entry.event, parts)) + "\n"
    text += "\n## What they are made of\n"
    done: set[str] = set()
    while left := sorted(parts.keys() - done):
        for name in left:
            done.add(name)
            text += f"\n### {name}\n\n" + "\n".join(_described(parts[name], parts)) + "\n"
    return text


def _described(kind: type, parts: dict[str, type]) -> Iterator[str]:
    documented = inspect.getdoc(kind) or ""
    if documented and not documented.startswith(f"{kind.__name__}("):  # Dataclasses make one up.
        yield " ".join(documented.split())
        yield ""
    if not fields(kind):
        yield "Nothing but that it happened."
        return
    yield "| field | value |"
    yield "|---|---|"
    hints = get_type_hints(kind)
    for field in fields(kind):
        yield f"| `{field.name}` | {_said(hints[field.name], parts)}{_when(field)} |"


def _when(field: Field[Any]) -> str:
    optional = field.default is not MISSING or field.default_factory is not MISSING
    return ", when there is one" if optional else ""


def _said(hint: Any, parts: dict[str, type]) -> str:
    arguments = get_args(hint)
    match get_origin(hint):
        case None if is_dataclass(hint) and hint not in _WORDS:
            assert parts.setdefault(hint.__name__, hint) is hint, f"two classes are called {hint.__name__}"
            return f"[{hint.__name__}](#{hint.__name__.lower()})"
        case None:
            return _WORDS[hint]
        case origin if origin is Literal:
            return " or ".join(f"`{one}`" for one in arguments)
        case origin if origin in (UnionType, Union):
            return " or ".join(_said(one, parts) for one in arguments if one is not NoneType)
        case origin if origin is tuple and arguments[-1] is not Ellipsis:
            return f"[{', '.join(_said(one, parts) for one in arguments)}]"
        case origin if issubclass(origin, Mapping):
            return f"object: {_said(arguments[0], parts)} → {_said(arguments[1], parts)}"
        case origin if issubclass(origin, Sequence | frozenset):
            return f"array of {_said(arguments[0], parts)}"
        case other:
            raise TypeError(f"docs/events.md has no words for {other}.")


if __name__ == "__main__":
    FILE.write_text(rendered(), encoding="utf-8")
