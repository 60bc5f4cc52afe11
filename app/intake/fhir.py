"""FHIR R4 in: an AdverseEvent or a MedicationAdministration becomes an event of ours, its details lenient.

What is not read stays in the resource as it was sent, and is listed. A resource is told once under the identifier that
its system gave it; without one it is known again by a keyed hash of what it says. Source: HL7 FHIR R4 (4.0.1).
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from app.domain.decider import Fault, Invalid
from app.domain.identifiers import is_identifier
from app.domain.moment import parse_instant
from app.domain.reading import without_absent
from app.intake import fhir_models
from app.intake.cloudevents import RawEvent
from app.intake.fhir_administration import ADMINISTRATION, administration
from app.intake.fhir_adverse_event import ADVERSE_EVENT, OURS, adverse_event
from app.intake.fhir_reading import Contained, identifiers, resource
from app.intake.lenient import Said

SOURCE = "fhir"
"""The source of what comes without an identifier that has a system."""

Digest = Callable[[str], str]
"""A keyed hash of a text: what a resource without an identifier is known again by."""

Look = Callable[[Mapping[str, Any], str], Sequence[Fault]]
"""A second look at a resource of a type."""

ELEMENTS: Mapping[str, Mapping[str, str]] = {
    ADVERSE_EVENT: {
        "occurred_at": "date",
        "discovered_at": "detected",
        "reported_at": "recordedDate",
        "service_id": "location",
        "incident_type": "category",
        "deviation": "category",
        "harm": "severity",
        "potential_harm": "severity",
        "reference": "identifier",
        "staff_involved": "contributor",
        "person_ref": "subject",
        "narrative": "event",
        "attributes": "suspectEntity",
    },
    ADMINISTRATION: {
        "service_id": "extension",
        "person_ref": "subject",
        "medication": "medicationCodeableConcept",
        "scheduled_at": "effectiveDateTime",
        "administered_at": "effectiveDateTime",
        "status": "status",
        "staff_ref": "performer",
        "reason": "statusReason",
    },
}
"""Field of the event → the element that it is read from, by which a refusal names it."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a resource is read as. `ignored_fields`: paths in it that nobody read; `unmapped`: element and code.

    `set_aside`: why there is nothing to recognise in it yet, as a code and a sentence for its sender.
    """

    raw: RawEvent
    ignored_fields: tuple[str, ...]
    unmapped: tuple[tuple[str, str], ...]
    set_aside: tuple[str, str] | None = None


def read(document: object, digest: Digest, kind: str | None = None, look: Look = fhir_models.validate) -> Taken:
    """The event of a resource; `kind` is the type that it must have. Raises `Invalid` with every fault at once."""
    if kind is None:
        kind = ADMINISTRATION if _kind(document) == ADMINISTRATION else ADVERSE_EVENT
    said = resource(document, kind)
    inside = Contained(said)
    aside = None
    if kind == ADMINISTRATION:
        type_, data, aside = administration(said, inside)
    else:
        type_, data = adverse_event(said, inside)
    source, id_, when = _identity(said, kind, digest)
    known = {fault.pointer for fault in said.faults}
    said.faults.extend(fault for fault in look(said.values, kind) if fault.pointer not in known)
    said.finish()
    raw = RawEvent(source, id_, type_, without_absent(data), when)
    return Taken(raw, tuple(said.ignored()), tuple(dict.fromkeys(said.unmapped)), aside)


def in_its_terms(refusal: Invalid, kind: str) -> Invalid:
    """The refusal of an event, its pointers leading to the elements that the fields were read from."""
    elements = ELEMENTS[kind]

    def led(pointer: str) -> str:
        field = pointer.removeprefix("/data").removeprefix("/").partition("/")[0]
        return f"/{elements[field]}" if field in elements else ""

    return Invalid(*(Fault(led(one.pointer), one.code, one.detail) for one in refusal.faults))


def _kind(document: object) -> object:
    return cast("dict[str, Any]", document).get("resourceType") if isinstance(document, dict) else None


def _identity(said: Said, kind: str, digest: Digest) -> tuple[str, str, datetime | None]:
    """Its source, its id there, and when that was said.

    An adverse event is told once. Of an administration each version is a word of its own (in progress, then completed),
    so its id holds the version; without one when it was updated, and without that its status.
    """
    system, value = next((one for one in identifiers(said) if one[1] is not None), (None, None))
    if system == OURS:
        detail = "This is our own name of a record that is here already: send the identifier that your system gave it."
        said.refuse("identifier", "duplicate", detail)
    meta = said.values.get("meta")
    told: Mapping[str, Any] = cast("dict[str, Any]", meta) if isinstance(meta, dict) else {}
    updated = _instant_of(told.get("lastUpdated"))
    if value is None:
        content = {name: one for name, one in said.values.items() if name not in ("id", "meta", "text")}
        text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return SOURCE, f"{kind}/{digest(text)}", updated
    name = f"{kind}/{value}"
    if kind == ADMINISTRATION:
        versions = (told.get("versionId"), told.get("lastUpdated"), said.given("status"))
        name = f"{name}/{next((one for one in versions if isinstance(one, str)), '')}"
    if not is_identifier(name):
        name = f"{kind}/{digest(name)}"
    return system if system is not None and is_identifier(system) else SOURCE, name, updated


def _instant_of(value: object) -> datetime | None:
    try:
        return parse_instant(value) if isinstance(value, str) else None
    except ValueError:
        return None
