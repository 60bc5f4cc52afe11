"""The mapping file: a TOML document that says how the rows of an import are read (docs/importing.md).

It is read strictly, as a policy is: a field that nobody knows is refused, for a misspelt `unknown` would count what
should not count.
"""

import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, cast
from zoneinfo import ZoneInfo

from app.domain.decider import Fault, Invalid
from app.domain.reading import Fields, Reading, pointer_to
from app.domain.taxonomy import LISTS, WITHIN_INCIDENT_TYPE, Change
from app.intake.mappings import DEFAULT_PATHS, FIELDS, STAGES, RowMapping, Skip, term, text_of

_FILE = ("source", "time_zone", "stage", "fields", "attributes", "unknown", "codes", "skip", "taxonomy")
_SKIP = ("field", "values", "reason")
_TERM = ("code", "label", "incident_type")
_MAPPED = tuple(name for name in FIELDS if name not in ("shift", "reported_frequency", "attributes", "workflow_link"))
_MOST = 10_000


def parse_mapping(text: str) -> RowMapping:
    """The mapping that a TOML text states; raises `Invalid` with every fault of it at once."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Invalid(Fault("", "malformed-toml", f"Write the mapping file as TOML: {error}.")) from None
    reading = Reading()
    fields = Fields.of(reading, document, "", _FILE)
    paths = _texts(fields, "fields", FIELDS)
    taxonomy = _table(fields, "taxonomy", (*LISTS, "extend"))
    default = RowMapping()
    mapping = RowMapping(
        fields.text("source", 128),
        _zone(fields),
        _stages(fields),
        {name: (paths[name],) if name in paths else found for name, found in DEFAULT_PATHS.items()},
        _texts(fields, "attributes"),
        {**default.unknown, **_values(fields, "unknown")},
        {name: _texts(codes, name) for codes in [_table(fields, "codes", _MAPPED)] for name in codes.values},
        tuple(
            _skip(Fields.of(reading, one, f"/skip/{n}", _SKIP)) for n, one in enumerate(_array(fields, "skip", _MOST))
        ),
        _added(taxonomy),
        _extend(taxonomy),
    )
    reading.finish()
    return mapping


def _zone(fields: Fields) -> ZoneInfo | None:
    name = fields.text("time_zone", 64)
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        fields.reading.refuse("/time_zone", "unknown-code", "Name a time zone of the IANA database: Europe/London.")
        return None


def _stages(fields: Fields) -> tuple[str, ...]:
    value = fields.given("stage")
    if value is None:
        return RowMapping().stages
    several: object = cast("object", value) if isinstance(value, list) else [value]
    names = fields.reading.identifiers(several, "/stage", len(STAGES), 1)
    if not set(names) <= set(STAGES):
        fields.reading.refuse("/stage", "unknown-code", f"Use {' or '.join(STAGES)}, or both in an array.")
    return names


def _skip(fields: Fields) -> Skip:
    path = fields.required("field", "Name the field of the row that decides.")
    values = fields.required("values", 'Give the values of the rows to leave out; "" stands for an empty field.')
    reason = fields.required("reason", "Say why such rows are left out: the summary counts them by it.")
    for name, value in (("field", path), ("reason", reason)):
        if value is not None and not isinstance(value, str):
            fields.reading.refuse(fields.at(name), "wrong-type", "Give text here.")
    return Skip(str(path), frozenset(_said(fields, values, fields.at("values"))), str(reason))


def _added(taxonomy: Fields) -> dict[str, tuple[Change, ...]]:
    return {
        name: tuple(
            _term(taxonomy, one, name, f"/taxonomy/{name}/{n}") for n, one in enumerate(_array(taxonomy, name, _MOST))
        )
        for name in taxonomy.values
        if name in LISTS
    }


def _term(fields: Fields, value: object, listed: str, pointer: str) -> Change:
    if isinstance(value, str) and listed not in WITHIN_INCIDENT_TYPE:
        return term(fields.reading.identifier(value, pointer))
    said = Fields.of(fields.reading, value, pointer, _TERM)
    code = fields.reading.identifier(said.given("code"), said.at("code"))
    kind, label = said.given("incident_type"), said.text("label", 200)
    if kind is not None:
        kind = fields.reading.identifier(kind, said.at("incident_type"))
    return Change(code, label or term(code).label, kind)


def _extend(taxonomy: Fields) -> bool:
    value = taxonomy.given("extend")
    if not isinstance(value, bool | None):
        taxonomy.reading.refuse(taxonomy.at("extend"), "wrong-type", "Give true or false.")
    return value is True


def _values(fields: Fields, name: str) -> dict[str, frozenset[str]]:
    table = _table(fields, name, _MAPPED)
    return {key: frozenset(_said(table, value, table.at(key))) for key, value in table.values.items()}


def _said(fields: Fields, value: object, pointer: str) -> list[str]:
    """Values as rows are compared with them: texts, numbers and truths, all as text."""
    texts = [text_of(one) for one in ([] if value is None else fields.reading.array(value, pointer, _MOST))]
    if not all(isinstance(text, str) for text in texts):
        fields.reading.refuse(pointer, "wrong-type", "Give texts or numbers here.")
    return [text for text in texts if isinstance(text, str)]


def _texts(fields: Fields, name: str, known: Sequence[str] | None = None) -> dict[str, str]:
    table = _table(fields, name, known)
    for key, value in table.values.items():
        if not (isinstance(value, str) and value):
            fields.reading.refuse(pointer_to(table.pointer, key), "wrong-type", "Give text here.")
    return {key: str(value) for key, value in table.values.items()}


def _table(fields: Fields, name: str, known: Sequence[str] | None = None) -> Fields:
    value: Any = fields.given(name)
    value = {} if value is None else value
    if known is None:
        members: Mapping[str, Any] = fields.reading.members(value, fields.at(name)) or {}
        return Fields(fields.reading, fields.at(name), members)
    return Fields.of(fields.reading, value, fields.at(name), known)


def _array(fields: Fields, name: str, most: int) -> list[Any]:
    value = fields.given(name)
    return [] if value is None else fields.reading.array(value, fields.at(name), most)
