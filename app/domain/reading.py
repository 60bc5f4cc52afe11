"""Reading a stranger's document strictly: every fault is found at once, and each says what to do.

A field that nobody knows is refused, never ignored: a misspelt `threshold` must not leave a rule at its default.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from app.domain.decider import Fault, Invalid
from app.domain.identifiers import is_identifier
from app.domain.moment import Span

_Choice = TypeVar("_Choice", bound=str)

LARGEST = 2**53 - 1
"""The largest integer that every JSON reader keeps."""

_CLOCK = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.*-]{1,64}")


class Reading:
    """The faults that reading one document has found so far."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def refuse(self, pointer: str, code: str, detail: str) -> None:
        self._faults.append(Fault(pointer, code, detail))

    def finish(self) -> None:
        """Raise `Invalid` with every fault, if there is one."""
        if self._faults:
            raise Invalid(*self._faults)

    def members(self, value: object, pointer: str) -> "dict[str, Any] | None":
        """A JSON object, or None after saying that it is not one."""
        if isinstance(value, dict):
            return cast("dict[str, Any]", value)
        self.refuse(pointer, "wrong-type", "Give an object here.")
        return None

    def array(self, value: object, pointer: str, most: int, least: int = 0) -> list[Any]:
        """A JSON array of `least` to `most` items; an empty one after saying that it is not."""
        if isinstance(value, list):
            items = cast("list[Any]", value)
            if least <= len(items) <= most:
                return items
            self.refuse(pointer, "out-of-range", f"Give {least} to {most} items here.")
        else:
            self.refuse(pointer, "wrong-type", "Give an array here.")
        return []

    def identifier(self, value: object, pointer: str) -> str:
        """A name of 1 to 128 visible characters; an empty text after saying that it is not."""
        if isinstance(value, str) and is_identifier(value):
            return value
        self.refuse(pointer, "not-an-identifier", "Give a name of 1 to 128 visible characters.")
        return ""

    def identifiers(self, value: object, pointer: str, most: int, least: int = 0) -> tuple[str, ...]:
        items = self.array(value, pointer, most, least)
        return tuple(self.identifier(item, f"{pointer}/{index}") for index, item in enumerate(items))


def pointer_to(pointer: str, name: str) -> str:
    """The pointer of a member whose name the sender chose; to its parent when the name is not fit to be shown."""
    return f"{pointer}/{name}" if _PLAIN_NAME.fullmatch(name) else pointer


def each_once(reading: Reading, names: Sequence[str], pointer: str, below: str = "") -> None:
    """Refuse every name that an earlier item of the array has already; `below` leads from an item to its name."""
    for index, name in enumerate(names):
        if name and name in names[:index]:
            reading.refuse(f"{pointer}/{index}{below}", "duplicate", "Use each name only once.")


def without_absent(document: dict[str, Any]) -> dict[str, Any]:
    """The document without its absent values: they are left out, never null."""
    return {name: value for name, value in document.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of one object of the document, each read under its own pointer; null is as good as left out."""

    reading: Reading
    pointer: str
    values: Mapping[str, Any]

    @classmethod
    def of(cls, reading: Reading, value: object, pointer: str, known: Sequence[str]) -> "Fields":
        """The object's fields, having refused every one that is not known."""
        values = reading.members(value, pointer) or {}
        for name in values:
            if name not in known:
                detail = f"Leave this field out. Known here: {', '.join(known)}."
                reading.refuse(pointer_to(pointer, name), "unknown-field", detail)
        return cls(reading, pointer, values)

    def at(self, name: str) -> str:
        return f"{self.pointer}/{name}"

    def given(self, name: str) -> Any:
        """The field as it came, or None."""
        return self.values.get(name)

    def required(self, name: str, detail: str) -> Any:
        """The field as it came; None after saying that it is missing."""
        value = self.values.get(name)
        if value is None:
            self.reading.refuse(self.at(name), "missing", detail)
        return value

    def text(self, name: str, most: int) -> str | None:
        """Text of at most so many characters, or None when it was left out."""
        value = self.given(name)
        if value is None or (isinstance(value, str) and len(value) <= most):
            return value
        self.reading.refuse(self.at(name), "wrong-type", f"Give text of at most {most} characters.")
        return None

    def choice(self, name: str, options: Sequence[_Choice], default: _Choice) -> _Choice:
        value = self.given(name)
        if value is None:
            return default
        for option in options:
            if value == option:
                return option
        self.reading.refuse(self.at(name), "unknown-code", f"Use one of {', '.join(options)}.")
        return default

    def whole(self, name: str, least: int, most: int, default: int) -> int:
        """A whole number; what was left out or refused is the default."""
        value = self.given(name)
        if value is None:
            return default
        if not isinstance(value, int) or isinstance(value, bool):
            self.reading.refuse(self.at(name), "wrong-type", f"Give a whole number from {least} to {most}.")
        elif least <= value <= most:
            return value
        else:
            self.reading.refuse(self.at(name), "out-of-range", f"Give a whole number from {least} to {most}.")
        return default

    def clock(self, name: str) -> str:
        """A time of day, HH:MM; an empty text after saying that it is missing or none."""
        value = self.required(name, "Give the time of day as HH:MM.")
        if value is None or (isinstance(value, str) and _CLOCK.fullmatch(value)):
            return value or ""
        self.reading.refuse(self.at(name), "out-of-range", "Give the time of day as HH:MM, from 00:00 to 23:59.")
        return ""

    def span(self, name: str, default: Span) -> Span:
        """An ISO 8601 duration; what was left out or refused is the default."""
        return self.optional_span(name) or default

    def optional_span(self, name: str) -> Span | None:
        value = self.given(name)
        if value is None:
            return None
        try:
            return Span.parse(value if isinstance(value, str) else "")
        except ValueError as error:
            self.reading.refuse(self.at(name), "not-a-duration", str(error))
            return None
