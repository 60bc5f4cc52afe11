"""Reading a FHIR resource as it came: references, codes and times, wherever in it they stand.

An element is looked at by its name, so that what nobody looked at can be listed afterwards (`Said.ignored`). What would
change the meaning of all the rest, a modifier extension that nobody here knows, is refused as FHIR demands (R4, 2.4).
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, cast

from app.domain.decider import Fault, Invalid
from app.domain.moment import parse_instant
from app.domain.reading import pointer_to
from app.intake.fhir_codes import ALSO_CALLED
from app.intake.lenient import Said

_PARTIAL = re.compile(r"[0-9]{4}(?:-(?:0[1-9]|1[0-2]))?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_VERSION = "/_history/"
_MOST = 1000
_META = ("versionId", "lastUpdated", "source", "profile", "security", "tag", "extension")


def resource(document: object, kind: str) -> Said:
    """The resource, with a fault for each thing that nobody here may pass over; `Invalid` when it is another kind."""
    if not isinstance(document, dict):
        raise Invalid(Fault("", "wrong-type", f"Send the {kind} as an object."))
    said = Said(cast("dict[str, Any]", document), "")
    if said.given("resourceType") != kind:
        raise Invalid(Fault("/resourceType", "unknown-code", f"Send a resource of the type {kind} here."))
    for name in ("id", "text", "language"):
        said.given(name)
    if said.given("implicitRules") is not None:
        said.refuse("implicitRules", "modifier", "Leave this out: no rules but those of FHIR R4 are known here.")
    if (meta := said.part("meta")) is not None:
        meta.known |= set(_META)
    for pointer in _modifiers(said.values, ""):
        detail = "It changes the meaning of what it stands in, and is not known here: send the resource without it."
        said.faults.append(Fault(pointer, "modifier", detail))
    return said


def each(said: Said, name: str) -> list[Said]:
    """The objects of an array."""
    value = said.given(name)
    if value is None:
        return []
    if not isinstance(value, list) or len(cast("list[Any]", value)) > _MOST:
        said.refuse(name, "wrong-type", f"Give an array of at most {_MOST} objects.")
        return []
    found: list[Said] = []
    for n, item in enumerate(cast("list[Any]", value)):
        if isinstance(item, dict):
            found.append(_part(said, f"{name}/{n}", cast("dict[str, Any]", item)))
        else:
            said.faults.append(Fault(f"{said.pointer}/{name}/{n}", "wrong-type", "Give an object."))
    return found


def _part(said: Said, name: str, values: Mapping[str, Any]) -> Said:
    path = f"{said.path}{name}/"
    for one in said.parts:
        if one.path == path:
            return one
    part = Said(values, f"{said.pointer}/{name}", path, said.faults, said.unmapped)
    said.parts.append(part)
    return part


def word(said: Said, name: str) -> str | None:
    """A text that is not blank."""
    value = said.given(name)
    if value is None or isinstance(value, str):
        return value.strip() or None if value else None
    said.refuse(name, "wrong-type", "Give a text.")
    return None


# Codes


def concept(said: Said | None) -> tuple[str | None, list[tuple[str | None, str]]]:
    """What a CodeableConcept says in words, and its codes, each with its system."""
    if said is None:
        return None, []
    words, codes = [word(said, "text")], list[tuple[str | None, str]]()
    for coding in each(said, "coding"):
        coding.known |= {"version", "userSelected"}
        words.append(word(coding, "display"))
        system, code = word(coding, "system"), word(coding, "code")
        if code is not None:
            codes.append((ALSO_CALLED.get(system, system) if system else None, code))
    return next((one for one in words if one is not None), None), codes


def known_codes(
    said: Said | None, known: Mapping[str, Mapping[str, Any]], name: str, suggested: str
) -> tuple[list[str], str | None]:
    """The codes of a concept that `known` has under their system, and its words; if none is known, they are unmapped.

    `suggested`: the system of a code that comes without one.
    """
    words, codes = concept(said)
    found = [code for system, code in codes if code in known.get(system or suggested, ())]
    if said is not None and not found:
        said.unmapped.extend((name, code[:128]) for _, code in codes)
    return found, words


# References


def reference(said: Said | None, resources: "Contained") -> str | None:
    """What a Reference names: the identifier that it gives, else the id in its address.

    `Patient/CLIENT-0042`, an absolute address and one with a version all name CLIENT-0042, as other systems do.
    """
    if said is None:
        return None
    said.known |= {"type", "display"}
    if (value := _value(said)) is not None:
        return value
    address = word(said, "reference")
    if address is None:
        return None
    if address.startswith("#"):
        inside = resources.of(address)
        return _value(inside) if inside is not None else None  # Its id means nothing outside.
    if address.startswith("urn:"):
        return address
    return address.partition(_VERSION)[0].rstrip("/").rpartition("/")[2] or None


def kind_of(said: Said | None, resources: "Contained") -> str | None:
    """The type of resource that a Reference leads to, where it says so."""
    if said is None:
        return None
    kind, address = word(said, "type"), word(said, "reference") or ""
    if kind is None and address.startswith("#"):
        inside = resources.of(address)
        kind = word(inside, "resourceType") if inside is not None else None
    if kind is None:
        parts = address.partition(_VERSION)[0].rsplit("/", 2)
        kind = parts[-2] if len(parts) > 1 else None
    return kind


def identifiers(said: Said) -> list[tuple[str | None, str | None]]:
    """System and value of each identifier. Some resources have one at most, others any number; R5 has lists."""
    if isinstance(said.values.get("identifier"), list):
        several = each(said, "identifier")
    else:
        one = said.part("identifier")
        several = [] if one is None else [one]
    for one in several:
        one.known |= {"use", "type", "period", "assigner"}
    return [(word(one, "system"), word(one, "value")) for one in several]


def _value(said: Said) -> str | None:
    return next((value for _, value in identifiers(said) if value is not None), None)


class Contained:
    """The resources that stand inside another one, by their id. Those that nothing asks for stay unread."""

    def __init__(self, said: Said) -> None:
        self._inside: dict[str, Said] = {}
        for one in each(said, "contained"):
            name = one.values.get("id")
            if isinstance(name, str):
                self._inside.setdefault(f"#{name}", one)

    def of(self, address: str | None) -> Said | None:
        found = self._inside.get(address or "")
        if found is not None:
            found.known |= {"id", "resourceType", "meta", "text"}
        return found


# Times


def moment(said: Said, name: str) -> str | None:
    """A dateTime that is an instant or a date, as it was written; one that names no day is unmapped."""
    value = word(said, name)
    if value is None:
        return None
    if _PARTIAL.fullmatch(value):
        said.unmapped.append((f"{said.path}{name}", value))
        return None
    try:
        datetime.fromisoformat(value) if _DATE.fullmatch(value) else parse_instant(value)
    except ValueError:
        said.refuse(name, "not-a-moment", "Give a date, or an instant with seconds and its offset from UTC.")
        return None
    return value


def instant(said: Said, name: str) -> str | None:
    """A dateTime that is an instant; a date, which names no instant, is unmapped."""
    value = moment(said, name)
    if value is not None and _DATE.fullmatch(value):
        said.unmapped.append((f"{said.path}{name}", value))
        return None
    return value


def _modifiers(value: object, pointer: str) -> Iterator[str]:
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        for name, member in members.items():
            if name == "modifierExtension" and member:
                yield f"{pointer}/{name}"
            elif isinstance(member, dict | list):
                yield from _modifiers(cast("object", member), pointer_to(pointer, name))
    elif isinstance(value, list):
        for n, item in enumerate(cast("list[Any]", value)):
            yield from _modifiers(item, f"{pointer}/{n}")
