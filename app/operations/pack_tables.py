"""Tables of a pack as CSV (RFC 4180, UTF-8): whatever people wrote stays text in a spreadsheet, and runs as nothing."""

import csv
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, cast

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")
"""What a spreadsheet takes for a formula, or for a command, at the beginning of a cell."""


class Writable(Protocol):
    """What a member is written into."""

    def write(self, data: str, /) -> object:
        """Take further text."""


class Sheet:
    """A table with its head written; rows name their cells."""

    def __init__(self, file: Writable, columns: Sequence[str]) -> None:
        self._columns = columns
        self._rows = csv.writer(file)
        self._rows.writerow(columns)

    def add(self, row: Mapping[str, Any]) -> None:
        """One row; what it does not name stays empty."""
        self._rows.writerow([cell(row.get(name)) for name in self._columns])


def cell(value: Any) -> str:
    """A value as a cell's text."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case int() | float():
            return str(value)
        case str():
            return f"'{value}" if value.lstrip(" ").startswith(_FORMULA) else value
        case {"erased": True}:
            return "(erased)"
        case list() | tuple():
            return cell("; ".join(cell(one) for one in cast("Sequence[Any]", value)))
        case _:
            return cell(str(value))
