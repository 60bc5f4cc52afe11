r"""HL7 version 2 messages as documents that a mapping can read: segments, fields, repetitions, components.

The delimiters are those that MSH states. The document holds each segment name → list of its segments; a segment is
field number → list of repetitions; a repetition is component number → text (or subcomponent number → text where it has
them). What follows an ORC belongs to that order and stands in `orders`, so that each is a document of its own. Empty
fields are left out, as is `""`, by which HL7 says that a value was deleted.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from app.domain.decider import Fault
from app.intake.refusals import PayloadNotUnderstood

MOST_SEGMENTS = 2000

_NAME = re.compile(r"[A-Z][A-Z0-9]{2}")
_LINE = re.compile(r"\r\n|\r|\n")
_OFFSET = re.compile(r"[0-9]{4,14}(?:\.[0-9]{1,4})?([+-][0-9]{4})")
_NOT_TEXT = re.compile("[\x00\ud800-\udfff]")
_DELETED = '""'
_ORDER = "ORC"


@dataclass(frozen=True, slots=True)
class Delimiters:
    """What parts fields, components, repetitions and subcomponents, and what escapes them."""

    field: str
    component: str
    repetition: str
    escape: str
    subcomponent: str


def parse(text: str) -> dict[str, Any]:
    """The document of one message; raises `PayloadNotUnderstood`.

    `offset` is the one of MSH-7, which HL7 lets stand for every time of the message without one.
    """
    text = text.strip()  # The frame of the minimal lower layer protocol (VT … FS CR) is blank to Python, too.
    if _NOT_TEXT.search(text):
        raise _not_understood("not-text", "Take out U+0000: it is not text.")
    if not text.startswith("MSH"):
        raise _not_understood("missing", "Begin the message with its MSH segment.")
    lines = [line for line in _LINE.split(text) if line.strip()]
    if len(lines) > MOST_SEGMENTS:
        raise _not_understood("out-of-range", f"Send at most {MOST_SEGMENTS} segments.")
    marks = _delimiters(lines[0])
    document: dict[str, Any] = {}
    orders: list[dict[str, Any]] = []
    for line in lines:
        name, segment = _segment(line, marks)
        if name == "MSH" and document:
            raise _not_understood("out-of-range", "Send one message at once: each begins with its own MSH.")
        if name == _ORDER:
            orders.append({})
        holder = orders[-1] if orders else document
        holder.setdefault(name, []).append(segment)
    if orders:
        document["orders"] = orders
    sent_at = _first(document["MSH"][0], "7")
    offset = _OFFSET.fullmatch(sent_at)
    if offset is not None:
        document["offset"] = offset[1]
    return document


def _delimiters(msh: str) -> Delimiters:
    marks = msh[3:8]
    if len(marks) < 5 or len(set(marks)) < 5 or any(mark.isalnum() or mark.isspace() for mark in marks):
        raise _not_understood("malformed", r"State five different delimiters after MSH, as in MSH|^~\&.")
    field, component, repetition, escape, subcomponent = marks
    return Delimiters(field, component, repetition, escape, subcomponent)


def _segment(line: str, marks: Delimiters) -> tuple[str, dict[str, Any]]:
    name, *values = line.split(marks.field)
    if not _NAME.fullmatch(name):
        raise _not_understood("malformed", "Begin each segment on a line of its own with its name of three characters.")
    first = 1
    if name == "MSH":
        values, first = values[1:], 3  # MSH-1 is the delimiter itself, MSH-2 the other four.
    fields = ((str(number), list(_repetitions(value, marks))) for number, value in enumerate(values, first))
    return name, {number: repetitions for number, repetitions in fields if repetitions}


def _repetitions(value: str, marks: Delimiters) -> Iterator[dict[str, Any]]:
    for repetition in value.split(marks.repetition):
        components = {
            str(number): inner
            for number, one in enumerate(repetition.split(marks.component), 1)
            if (inner := _component(one, marks))
        }
        if components:
            yield components


def _component(value: str, marks: Delimiters) -> str | dict[str, str]:
    parts = {
        str(number): _unescaped(one, marks)
        for number, one in enumerate(value.split(marks.subcomponent), 1)
        if one.strip() and one != _DELETED
    }
    return parts if marks.subcomponent in value else parts.get("1", "")


def _unescaped(text: str, marks: Delimiters) -> str:
    """The text that escape sequences stand for; those of formatting say nothing, but that a line ends (`.br`)."""
    known = {
        "F": marks.field, "S": marks.component, "R": marks.repetition, "E": marks.escape, "T": marks.subcomponent,
        ".br": "\n", "H": "", "N": "",
    }  # fmt: skip
    mark = re.escape(marks.escape)

    def meant(found: re.Match[str]) -> str:
        code = found[1]
        if code in known:
            return known[code]
        if re.fullmatch(r"X(?:[0-9A-Fa-f]{2})+", code):
            return _NOT_TEXT.sub("", bytes.fromhex(code[1:]).decode("utf-8", "replace"))
        return found[0]

    return re.sub(f"{mark}([^{mark}]{{1,64}}){mark}", meant, text)


def _first(segment: dict[str, Any], number: str) -> str:
    value = segment.get(number, [{}])[0].get("1", "")
    return value if isinstance(value, str) else ""


def _not_understood(code: str, detail: str) -> PayloadNotUnderstood:
    return PayloadNotUnderstood(Fault("", code, detail))
