"""The TOML document of an adapter, read strictly: a misspelt field is refused, for it would be missing in silence."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, cast

from app.domain.decider import Fault, Invalid
from app.domain.reading import Fields, Reading, pointer_to
from app.intake.adapters.adapter import FORMATS, TARGETS, Adapter, Condition, NotOurs, Shape, Spec
from app.intake.adapters.paths import Path, parse_path
from app.intake.adapters.times import UNITS, zone_named
from app.intake.mappings import text_of

_FILE = (
    "name", "version", "description", "format", "source", "source_at", "each", "id", "revision", "time", "time_zone",
    "time_zone_at", "unix", "ignore", "defaults", "codes", "fields", "not_ours", "event",
)  # fmt: skip
_EVENT = ("type", "when", "fields", "constants", "set_aside")
_NOT_OURS = ("when", "reason")
_CONDITION = ("path", "is", "present")
_SPEC = ("path", "join", "prefix")
_MOST = 200
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


def parse_adapter(text: str) -> Adapter:
    """The adapter that a TOML text states; raises `Invalid` with every fault of it at once."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Invalid(Fault("", "malformed-toml", f"Write the mapping file as TOML: {error}.")) from None
    reading = Reading()
    said = Fields.of(reading, document, "", _FILE)
    common = _table(said, "fields", _anywhere())
    shapes = _shapes(said, {name: _spec(common, name) for name in common.values})
    revision = said.given("revision")
    adapter = Adapter(
        name=_name(said),
        version=said.whole("version", 1, 10**6, 0) or _missing_version(said),
        description=_sentence(said, "description"),
        shapes=shapes,
        not_ours=tuple(_not_ours(one) for one in _each(said, "not_ours", _NOT_OURS)),
        format=said.choice("format", FORMATS, "json"),
        source=_identifier(said, "source"),
        source_at=_paths(said, "source_at"),
        each=_paths(said, "each"),
        id=_paths(said, "id"),
        revision=None if revision is None else _paths(said, "revision"),
        time=_paths(said, "time"),
        zone=_zone(said),
        zone_at=_paths(said, "time_zone_at"),
        unit=said.choice("unix", tuple(UNITS), "") or None,
        known=tuple(tuple(one.split(".")) for one in _texts(said, "ignore")),
        codes=_codes(said),
        defaults=_values(said, "defaults", _anywhere()),
    )
    reading.finish()
    return adapter


def _shapes(said: Fields, common: Mapping[str, Spec]) -> tuple[Shape, ...]:
    shapes = tuple(_shape(one, common) for one in _each(said, "event", _EVENT))
    if not shapes:
        said.reading.refuse("/event", "missing", "State at least one [[event]]: a type and its fields.")
    return shapes


def _shape(said: Fields, common: Mapping[str, Spec]) -> Shape:
    type_ = said.required("type", "Name the type of the event.")
    targets = TARGETS.get(str(type_))
    if type_ is not None and targets is None:
        said.reading.refuse(said.at("type"), "unknown-code", f"Use one of {', '.join(TARGETS)}.")
    known = tuple(targets or _anywhere())
    own = _table(said, "fields", known)
    fields = {name: spec for name, spec in common.items() if name in known}
    fields |= {name: _spec(own, name) for name in own.values}
    left = _table(said, "set_aside", known)
    return Shape(
        type=str(type_),
        when=_conditions(said),
        fields=fields,
        constants=_values(said, "constants", known),
        set_aside={name: _sentence(left, name) for name in left.values},
    )


def _not_ours(said: Fields) -> NotOurs:
    when = _conditions(said)
    if not when:
        said.reading.refuse(said.at("when"), "missing", "State at least one condition, or nothing would ever be ours.")
    return NotOurs(when, _sentence(said, "reason"))


def _conditions(said: Fields) -> tuple[Condition, ...]:
    return tuple(_condition(one) for one in _each(said, "when", _CONDITION))


def _condition(said: Fields) -> Condition:
    paths = _paths(said, "path", least=1)
    values = said.given("is")
    present = said.given("present")
    if (values is None) == (present is None):
        said.reading.refuse(said.pointer, "missing", "Give either `is`, an array of values, or `present`.")
    if not isinstance(present, bool | None):
        said.reading.refuse(said.at("present"), "wrong-type", "Give true or false.")
    listed = None if values is None else said.reading.array(values, said.at("is"), _MOST, 1)
    texts = None if listed is None else frozenset(str(text_of(one)) for one in listed)
    return Condition(paths, texts, present is not False)


def _spec(said: Fields, name: str) -> Spec:
    value = said.given(name)
    if not isinstance(value, dict):
        return Spec(_paths(said, name, least=1))
    table = Fields.of(said.reading, cast("object", value), said.at(name), _SPEC)
    if (table.given("path") is None) == (table.given("join") is None):
        said.reading.refuse(table.pointer, "missing", "Give either `path`, the first that says something, or `join`.")
    joins = table.given("join") is not None
    return Spec(_paths(table, "join" if joins else "path", least=1), joins, table.text("prefix", 64) or "")


def _codes(said: Fields) -> dict[str, dict[str, str]]:
    table = _table(said, "codes", _anywhere())
    return {
        name: {key: str(text_of(value)) for key, value in _values(table, name, None).items()} for name in table.values
    }


def _values(said: Fields, name: str, known: Sequence[str] | None) -> dict[str, Any]:
    """Texts, numbers and truths under their names."""
    table = _table(said, name, known)
    for key, value in table.values.items():
        if not isinstance(value, str | int | float) and not (known is not None and isinstance(value, list)):
            said.reading.refuse(pointer_to(table.pointer, key), "wrong-type", "Give a text, a number or a truth.")
    return dict(table.values)


def _table(said: Fields, name: str, known: Sequence[str] | None) -> Fields:
    value: Any = said.given(name)
    value = {} if value is None else value
    if known is None:
        members: Mapping[str, Any] = said.reading.members(value, said.at(name)) or {}
        return Fields(said.reading, said.at(name), members)
    return Fields.of(said.reading, value, said.at(name), known)


def _each(said: Fields, name: str, known: Sequence[str]) -> list[Fields]:
    value = said.given(name)
    items = [] if value is None else said.reading.array(value, said.at(name), _MOST)
    return [Fields.of(said.reading, one, f"{said.at(name)}/{n}", known) for n, one in enumerate(items)]


def _paths(said: Fields, name: str, least: int = 0) -> tuple[Path, ...]:
    paths: list[Path] = []
    for text in _texts(said, name, least):
        try:
            paths.append(parse_path(text))
        except ValueError as error:
            said.reading.refuse(said.at(name), "not-a-path", str(error))
    return tuple(paths)


def _texts(said: Fields, name: str, least: int = 0) -> list[str]:
    """A text, or an array of them."""
    value = said.given(name)
    if value is None and least == 0:
        return []
    several: object = cast("object", value) if isinstance(value, list) else [value]
    texts = said.reading.array(several, said.at(name), _MOST, least)
    if not all(isinstance(text, str) and text for text in texts):
        said.reading.refuse(said.at(name), "wrong-type", "Give a text, or an array of texts.")
    return [text for text in texts if isinstance(text, str)]


def _name(said: Fields) -> str:
    name = said.required("name", "Name the adapter as its address will: lower-case letters, digits, hyphens.")
    if name is not None and not (isinstance(name, str) and _NAME.fullmatch(name)):
        said.reading.refuse("/name", "not-an-identifier", "Use up to 64 lower-case letters, digits and hyphens.")
    return str(name)


def _missing_version(said: Fields) -> int:
    said.required("version", "Give the mapping's version, a whole number: records name it.")
    return 0


def _sentence(said: Fields, name: str) -> str:
    value = said.required(name, "Say in a sentence what this is.")
    if value is not None and not (isinstance(value, str) and 0 < len(value) <= 1000):
        said.reading.refuse(said.at(name), "wrong-type", "Give a text of at most 1000 characters.")
    return str(value)


def _identifier(said: Fields, name: str) -> str | None:
    value = said.given(name)
    return None if value is None else said.reading.identifier(value, said.at(name))


def _zone(said: Fields) -> str | None:
    name = said.text("time_zone", 64)
    if name is not None and zone_named(name) is None:
        said.reading.refuse("/time_zone", "unknown-code", "Name a time zone of the IANA database: Europe/London.")
    return name


def _anywhere() -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for fields in TARGETS.values() for name in fields))
