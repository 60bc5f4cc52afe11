"""CloudEvents 1.0 as they come: in the structured mode a JSON document, in the binary mode headers and a body.

Strict where two readers could disagree about what an event is (its id, its source, its time), and open where a producer
adds something of its own: attributes that nobody here knows are kept in `extensions`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from app.domain.decider import Fault, Invalid
from app.domain.identifiers import LONGEST, is_identifier
from app.domain.moment import parse_instant
from app.domain.reading import pointer_to

SPECVERSION = "1.0"
LONGEST_SUBJECT = 1024

_HEADER = "ce-"
_CONTENT_TYPE = "content-type"
_OWN = ("specversion", "id", "source", "type", "time", "subject", "datacontenttype", "data", "data_base64")
_JSON = re.compile(r"[a-z0-9.+-]+/(?:[a-z0-9.-]+\+)?json", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")
_ESCAPED = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class RawEvent:
    """One event of one source: what the pair (source, id) names was told once, whatever else it says.

    `time`: when the producer says it, which orders the words on one dose or visit.
    """

    source: str
    id: str
    type: str
    data: Mapping[str, Any]
    time: datetime | None = None
    subject: str | None = None
    extensions: Mapping[str, Any] = field(default_factory=dict[str, Any])


def structured(document: object) -> RawEvent:
    """The event that a JSON document is; raises `Invalid` with every fault at once."""
    if not isinstance(document, dict):
        raise Invalid(Fault("", "wrong-type", "Send the event as an object."))
    return _event(cast("dict[str, Any]", document), "/{}".format)


def binary(headers: Mapping[str, str], data: object) -> RawEvent:
    """The event whose attributes are headers and whose data is the body; raises `Invalid` with every fault at once."""
    faults: list[Fault] = []
    attributes: dict[str, Any] = {}
    for header, value in headers.items():
        name = header.lower()
        if name == _CONTENT_TYPE:
            attributes["datacontenttype"] = value
        elif name.startswith(_HEADER) and name != f"{_HEADER}datacontenttype":
            pointer, attribute = pointer_to("/headers", name), name.removeprefix(_HEADER)
            if attribute in attributes:
                faults.append(Fault(pointer, "duplicate-key", "Send each attribute once."))
            try:
                attributes[attribute] = _decoded(value)
            except ValueError:
                faults.append(Fault(pointer, "not-text", "Percent-encode this header's text as UTF-8."))
    return _event({**attributes, "data": data}, _header_of, faults)


def _header_of(name: str) -> str:
    return f"/headers/{_CONTENT_TYPE if name == 'datacontenttype' else _HEADER + name}"


def _event(document: Mapping[str, Any], place: Callable[[str], str], faults: Sequence[Fault] = ()) -> RawEvent:
    """`place`: where an attribute of the event stands; its data is always under `/data`."""
    said = _Attributes(document, place, list(faults))
    said.specversion()
    event_id, source, type_ = said.identifier("id"), said.identifier("source"), said.identifier("type")
    when, subject = said.time(), said.subject()
    said.json_only()
    data = said.data()
    extensions = {name: value for name, value in document.items() if name not in _OWN and value is not None}
    if said.faults:
        raise Invalid(*said.faults)
    return RawEvent(source, event_id, type_, data, when, subject, extensions)


@dataclass(frozen=True, slots=True)
class _Attributes:
    """The attributes of one event; null is as good as left out (JSON format, 2.2)."""

    document: Mapping[str, Any]
    place: Callable[[str], str]
    faults: list[Fault]

    def refuse(self, name: str, code: str, detail: str) -> None:
        pointer = self.place(name)
        if all(fault.pointer != pointer for fault in self.faults):  # Of a header that is no text it is said already.
            self.faults.append(Fault(pointer, code, detail))

    def specversion(self) -> None:
        version = self.document.get("specversion")
        if version is None:
            self.refuse("specversion", "missing", 'Say `specversion` "1.0".')
        elif version != SPECVERSION:
            self.refuse("specversion", "unknown-code", 'Send CloudEvents of `specversion` "1.0".')

    def identifier(self, name: str) -> str:
        value = self.document.get(name)
        if value is None:
            self.refuse(name, "missing", "Give this attribute: every CloudEvent has one.")
        elif isinstance(value, str) and is_identifier(value.strip()):
            return value.strip()
        else:
            detail = f"Give a text of 1 to {LONGEST} visible characters, without control characters."
            self.refuse(name, "not-an-identifier", detail)
        return ""

    def time(self) -> datetime | None:
        value = self.document.get("time")
        if value is None:
            return None
        try:
            return parse_instant(value if isinstance(value, str) else "")
        except ValueError as error:
            self.refuse("time", "not-an-instant", str(error))
            return None

    def subject(self) -> str | None:
        value = self.document.get("subject")
        if value is None:
            return None
        if isinstance(value, str) and 0 < len(value) <= LONGEST_SUBJECT and not _CONTROL.search(value):
            return value
        self.refuse("subject", "wrong-type", f"Give a text of 1 to {LONGEST_SUBJECT} characters, or leave it out.")
        return None

    def json_only(self) -> None:
        said = self.document.get("datacontenttype")
        media_type = said.partition(";")[0].strip() if isinstance(said, str) else ""
        if said is not None and not _JSON.fullmatch(media_type):
            self.refuse("datacontenttype", "not-json", "Send data that is JSON: application/json.")

    def data(self) -> Mapping[str, Any]:
        data = self.document.get("data")
        if self.document.get("data_base64") is not None:
            detail = "Send `data` as a JSON object in its place: nothing here is read from base64."
            self.refuse("data_base64", "not-json", detail)
        elif data is None:
            self.faults.append(Fault("/data", "missing", "Give the data of the event as an object."))
        elif not isinstance(data, dict):
            self.faults.append(Fault("/data", "wrong-type", "Give the data of the event as an object."))
        return cast("dict[str, Any]", data) if isinstance(data, dict) else {}


def _decoded(value: str) -> str:
    """A header's text: quotes taken off as of older producers, then percent-decoded once (HTTP binding, 3.1.3.2).

    Raises ValueError where the bytes are no UTF-8, or the text holds control characters.
    """
    if len(value) > 1 and value.startswith('"') and value.endswith('"'):
        value = _ESCAPED.sub(r"\1", value[1:-1])
    try:
        octets = value.encode("latin-1")  # As servers hand header bytes on, whatever they stand for.
    except UnicodeEncodeError:
        octets = value.encode()
    text = _PERCENT.sub(lambda found: bytes.fromhex(found[1].decode()), octets).decode("utf-8")
    if _CONTROL.search(text):
        raise ValueError("A control character in a header.")
    return text
