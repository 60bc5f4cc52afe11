"""The rules of recognition as a document: read strictly, written out complete, and adopted version by version.

A dose is judged by the version in force when it is taken in, so a version is never changed, only followed by another.
What is written reads back as the same rules, whatever defaults change later.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.domain.moment import DAY, Span
from app.domain.occurrence import UNMAPPED
from app.domain.reading import Fields, Reading, each_once, pointer_to, without_absent
from app.domain.recognition_rules import (
    DEFAULT,
    DEFAULT_MEDICINES,
    DOSE_STATUSES,
    MEANINGS,
    REACHED_THE_PERSON,
    VISIT_STATUSES,
    Meaning,
    Medicines,
    Recognition,
    words_of,
)

_MOST_GROUPS = 50
_MOST_NAMES = 500
_MOST_STATUSES = 200
_SPANS = ("late_after", "tolerance", "time_critical_tolerance", "visit_window", "round_within", "run_within")
_RECOGNITION = ("time_critical_medicines", *_SPANS, "dose_statuses", "visit_statuses", "reason")
_MEDICINES = ("group", "names")


@dataclass(frozen=True, slots=True)
class Adopt:
    """Put a document's rules of recognition in force as the next version."""

    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Adopted:
    """The rules of recognition in force from here on, complete with the defaults that were filled in."""

    recognition_version: int
    recognition: dict[str, Any]


def decide(command: Adopt, recognition: Recognition) -> list[Adopted]:
    """The next version, or nothing when the document says what is in force already; raises `Invalid`."""
    adopted = parse_recognition(command.document, recognition.version + 1)
    document = recognition_document(adopted)
    if document == recognition_document(recognition):
        return []
    return [Adopted(adopted.version, document)]


def evolve(_: Recognition, event: Adopted) -> Recognition:
    """The rules after they were adopted."""
    return parse_recognition(event.recognition, event.recognition_version)


INITIAL = DEFAULT


def parse_recognition(document: object, version: int) -> Recognition:
    """The rules that a JSON document states; raises `Invalid` with every fault of it at once."""
    reading = Reading()
    fields = Fields.of(reading, document, "", _RECOGNITION)
    read = Recognition(
        version,
        _medicines(fields),
        dose_statuses=_statuses(fields, "dose_statuses", DOSE_STATUSES),
        visit_statuses=_statuses(fields, "visit_statuses", VISIT_STATUSES),
        reason=fields.text("reason", 8_000),
        **{name: _span(fields, name, getattr(DEFAULT, name)) for name in _SPANS},
    )
    reading.finish()
    return read


def recognition_document(recognition: Recognition) -> dict[str, Any]:
    """The rules as their complete document, but for the version: what GET shows and the ledger keeps."""
    return without_absent(
        {
            "time_critical_medicines": [
                {"group": one.group, "names": list(one.names)} for one in recognition.time_critical_medicines
            ],
            **{name: str(getattr(recognition, name)) for name in _SPANS},
            "dose_statuses": dict(recognition.dose_statuses),
            "visit_statuses": dict(recognition.visit_statuses),
            "reason": recognition.reason,
        }
    )


def _span(fields: Fields, name: str, default: Span) -> Span:
    """At most a day: what is counted here is minutes of one day's work."""
    span = fields.span(name, default)
    if span.months or span.longest > DAY:
        fields.reading.refuse(fields.at(name), "out-of-range", "Give a duration of at most a day, for example PT15M.")
        return default
    return span


def _medicines(fields: Fields) -> tuple[Medicines, ...]:
    value = fields.given("time_critical_medicines")
    if value is None:
        return DEFAULT_MEDICINES
    reading, pointer = fields.reading, fields.at("time_critical_medicines")
    items = reading.array(value, pointer, _MOST_GROUPS)
    groups = tuple(_group(reading, item, f"{pointer}/{index}") for index, item in enumerate(items))
    each_once(reading, [one.group for one in groups], pointer, "/group")
    return groups


def _group(reading: Reading, item: object, pointer: str) -> Medicines:
    fields = Fields.of(reading, item, pointer, _MEDICINES)
    group = fields.required("group", "Name the group of medicines, for example insulin.")
    names = fields.required("names", "Give the names of the medicines, each as whole words.")
    return Medicines(
        "" if group is None else reading.identifier(group, fields.at("group")),
        () if names is None else _names(reading, names, fields.at("names")),
    )


def _names(reading: Reading, value: object, pointer: str) -> tuple[str, ...]:
    names = reading.identifiers(value, pointer, _MOST_NAMES, least=1)
    for index, name in enumerate(names):
        if name and not words_of(name):
            reading.refuse(f"{pointer}/{index}", "not-a-word", "Give a name with letters or digits in it.")
    return names


def _statuses(fields: Fields, name: str, defaults: Mapping[str, Meaning]) -> Mapping[str, Meaning]:
    """What codes mean: those of the document over ours, which stay."""
    value = fields.given(name)
    pointer = fields.at(name)
    given = {} if value is None else fields.reading.members(value, pointer) or {}
    if len(given) > _MOST_STATUSES:
        fields.reading.refuse(pointer, "out-of-range", f"Give at most {_MOST_STATUSES} codes.")
        return defaults
    meanings: dict[str, Meaning] = {}
    for said, value in given.items():
        code = said.strip().lower()
        if code in meanings:
            fields.reading.refuse(pointer_to(pointer, code), "duplicate", "Use each code only once.")
        meanings[code] = _meaning(fields.reading, code, value, pointer)
    return {**defaults, **meanings}


def _meaning(reading: Reading, code: str, value: object, within: str) -> Meaning:
    pointer = pointer_to(within, code)
    reading.identifier(code, pointer)
    if code == UNMAPPED:
        reading.refuse(pointer, "unknown-code", "Name the source's own code here: this one says that it is not known.")
    if code in REACHED_THE_PERSON and value != "not_delivered":
        detail = "Leave this not_delivered: what never came did reach the person, and is never just a record."
        reading.refuse(pointer, "not-allowed", detail)
    for meaning in MEANINGS:
        if value == meaning:
            return meaning
    reading.refuse(pointer, "unknown-code", f"Use one of {', '.join(MEANINGS)}.")
    return "none"
