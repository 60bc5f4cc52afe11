"""Reading what a care system sent leniently: what is unknown is listed, and only what cannot be understood is a fault.

The counterpart of `app.domain.reading`, which refuses what it does not know: that is right for a person who writes a
rule, and wrong for a system that nobody is watching. Null is as good as left out.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, cast
from zoneinfo import ZoneInfo

from app.domain.decider import Fault, Invalid
from app.domain.identifiers import LONGEST, is_identifier
from app.domain.moment import EPOCH, parse_instant, parse_moment
from app.domain.occurrence import UNMAPPED
from app.domain.reading import pointer_to

LONGEST_CODE = 128
MOST_LISTED = 100
"""Ignored fields that are named; of more, the first."""

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_UTC = ZoneInfo("UTC")
_NOWHERE: Mapping[str, Any] = {}


@dataclass(slots=True)
class Said:
    """One object that a system sent, and what reading it has found so far. `pointer` leads to it."""

    values: Mapping[str, Any]
    pointer: str
    path: str = ""
    faults: list[Fault] = field(default_factory=list[Fault])
    unmapped: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    known: set[str] = field(default_factory=set[str])
    parts: "list[Said]" = field(default_factory=list["Said"])

    def refuse(self, name: str, code: str, detail: str) -> None:
        pointer = pointer_to(self.pointer, name) if name else self.pointer
        self.faults.append(Fault(pointer, code, detail))

    def finish(self) -> None:
        """Raise `Invalid` with every fault, if there is one."""
        if self.faults:
            raise Invalid(*self.faults)

    def ignored(self) -> list[str]:
        """The fields that nobody asked for, as paths from the outermost object."""
        here = [f"{self.path}{name}"[:LONGEST_CODE] for name in self.values if name not in self.known]
        return [*here, *(path for part in self.parts for path in part.ignored())][:MOST_LISTED]

    def given(self, name: str) -> Any:
        """The field as it came, or None; it is known from here on."""
        self.known.add(name)
        return self.values.get(name)

    # Parts

    def object(self, name: str) -> "Said | None":
        """The object of that name; None when it is another kind of thing, about which nothing is said."""
        value = self.given(name)
        return self._part(name, cast("dict[str, Any]", value)) if isinstance(value, dict) else None

    def part(self, name: str) -> "Said | None":
        """The object of that name, or None when it was left out."""
        found = self.object(name)
        if found is None and self.given(name) is not None:
            self.refuse(name, "wrong-type", "Give an object.")
        return found

    def only(self, names: Sequence[str]) -> dict[str, Any]:
        """The fields of these names, as they came."""
        self.known |= set(names)
        return {name: value for name, value in self.values.items() if name in names}

    def each_only(self, name: str, names: Sequence[str]) -> dict[str, Any]:
        """The array of that name with only these fields of its objects; empty when there is no such array."""
        items = self.given(name)
        if not isinstance(items, list):
            return {}
        parts = [
            self._part(f"{name}/{index}", cast("dict[str, Any]", item)).only(names) if isinstance(item, dict) else item
            for index, item in enumerate(cast("list[Any]", items))
        ]
        return {name: parts}

    # Codes and text

    def code(self, name: str, known: Sequence[str]) -> str:
        """A code that must be said; one that is not known is `unmapped`, and told as it was sent."""
        value = self._needed(name)
        if not isinstance(value, str) or not value.strip():
            if value is not None:
                self.refuse(name, "wrong-type", f"Give a text: {', '.join(known)}.")
            return UNMAPPED
        folded = value.strip().lower()
        if folded in known:
            return folded
        self.unmapped.append((f"{self.path}{name}", self.code_as_sent(name)))
        return UNMAPPED

    def code_as_sent(self, name: str) -> str:
        return str(self.given(name)).strip()[:LONGEST_CODE]

    def identifier(self, name: str) -> str | None:
        value = self.given(name)
        if value is None or value == "":
            return None
        if isinstance(value, str) and is_identifier(value.strip()):
            return value.strip()
        self.refuse(name, "not-an-identifier", f"Give a text of 1 to {LONGEST} visible characters.")
        return None

    def needed_identifier(self, name: str) -> str:
        self._needed(name)
        return self.identifier(name) or ""

    def identifiers(self, name: str, most: int) -> tuple[str, ...]:
        value = self.given(name)
        if value is None:
            return ()
        items = cast("list[Any]", value) if isinstance(value, list) else None
        if items is None or len(items) > most:
            self.refuse(name, "wrong-type", f"Give an array of at most {most} texts.")
            return ()
        named = [one.strip() for one in items if isinstance(one, str) and is_identifier(one.strip())]
        if len(named) < len(items):
            self.refuse(name, "not-an-identifier", f"Give texts of 1 to {LONGEST} visible characters.")
        return tuple(dict.fromkeys(named))

    def text(self, name: str, most: int) -> str | None:
        """Text of at most so many characters; None when there is none, or only blanks."""
        value = self.given(name)
        if value is None:
            return None
        if isinstance(value, str) and len(value) <= most:
            return value if value.strip() else None
        self.refuse(name, "wrong-type", f"Give a text of at most {most} characters.")
        return None

    # Times

    def instant(self, name: str) -> datetime | None:
        value = self.given(name)
        if value is None or value == "":
            return None
        try:
            return parse_instant(value if isinstance(value, str) else "")
        except ValueError as error:
            self.refuse(name, "not-an-instant", str(error))
            return None

    def needed_instant(self, name: str) -> datetime:
        """The instant, in UTC; after a fault any, for nothing comes of it."""
        self._needed(name)
        return self.instant(name) or EPOCH

    def needed_moment(self, name: str) -> str:
        """An instant with its offset or a date, as it was sent."""
        value = self._needed(name)
        try:
            if value is not None:
                parse_moment(value if isinstance(value, str) else "", _UTC)
        except ValueError as error:
            self.refuse(name, "not-a-moment", str(error))
        return value if isinstance(value, str) else ""

    def needed_date(self, name: str) -> str:
        """A day, YYYY-MM-DD."""
        value = self._needed(name)
        try:
            if isinstance(value, str) and _DATE.fullmatch(value):
                return date.fromisoformat(value).isoformat()
        except ValueError:
            pass  # A thirtieth of February.
        if value is not None:
            self.refuse(name, "not-a-date", "Give a date as YYYY-MM-DD.")
        return ""

    # Numbers

    def number(self, name: str, most: int) -> float | None:
        """A finite number from 0 to `most`."""
        value = self.given(name)
        if value is None:
            return None
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            if 0 <= value <= most:
                return value
            self.refuse(name, "out-of-range", f"Give a number from 0 to {most}.")
        else:
            self.refuse(name, "wrong-type", f"Give a number from 0 to {most}.")
        return None

    def whole(self, name: str, most: int) -> int | None:
        """A whole number from 0 to `most`."""
        value = self.number(name, most)
        if value is None or value == int(value):
            return None if value is None else int(value)
        self.refuse(name, "wrong-type", f"Give a whole number from 0 to {most}.")
        return None

    def boolean(self, name: str) -> bool | None:
        value = self.given(name)
        if value is None or isinstance(value, bool):
            return value
        self.refuse(name, "wrong-type", "Give true or false.")
        return None

    def _needed(self, name: str) -> Any:
        value = self.given(name)
        if value is None:
            self.refuse(name, "missing", "Give this field: nothing can be made of the event without it.")
        return value

    def _part(self, name: str, values: Mapping[str, Any]) -> "Said":
        for one in self.parts:
            if one.path == f"{self.path}{name}/":
                return one
        part = Said(values, f"{self.pointer}/{name}", f"{self.path}{name}/", self.faults, self.unmapped)
        self.parts.append(part)
        return part
