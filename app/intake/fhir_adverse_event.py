"""The FHIR R4 AdverseEvent, both ways: what one says in our words, and a near miss told as one.

Whoever recorded an event is not who was involved in it: a `recorder` is never named as staff, a `contributor` is.
"""

from collections.abc import Mapping
from typing import Any

from app.domain.identifiers import is_identifier
from app.domain.moment import parse_instant
from app.domain.taxonomy_default import OTHER
from app.intake import fhir_codes as codes
from app.intake.fhir_reading import (
    Contained,
    concept,
    each,
    identifiers,
    kind_of,
    known_codes,
    moment,
    reference,
    word,
)
from app.intake.lenient import Said

ADVERSE_EVENT = "AdverseEvent"
OURS = "urn:forewarn:near-miss"
"""The system of the identifier by which we name a near miss."""
STATUS = "urn:forewarn:status"
"""The system of the tag that tells where the record stands: R4 gives adverse events no status of their own."""
ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"

LONGEST_WORDS = 8000
LONGEST_NAME = 256
ACTUALITIES = ("potential", "actual")
_SUSPECTS = ("Medication", "Substance", "Device")
_UNDERSCORE, _HYPHEN = "nm_", "nm-"

# In


def adverse_event(said: Said, inside: Contained) -> tuple[str, dict[str, Any]]:
    """Type and data of the event that it is."""
    actuality = word(said, "actuality")
    if actuality not in ACTUALITIES:
        detail = "Say `potential` for a near miss, `actual` when harm was done."
        said.refuse("actuality", "missing" if actuality is None else "unknown-code", detail)
    times = {name: moment(said, name) for name in ("date", "detected", "recordedDate")}
    occurred_at = next((one for one in times.values() if one is not None), None)
    if occurred_at is None:
        said.refuse("date", "missing", "Say when: give `date` as a date or an instant, or `detected`, `recordedDate`.")
    words, _ = concept(said.part("event"))
    if words is not None and len(words) > LONGEST_WORDS:
        said.refuse("event", "too-long", f"Give at most {LONGEST_WORDS} characters of text.")
    harm = _harm(said)
    kind, deviation = _category(said, inside)
    person, service = person_of(said, inside), reference(said.part("location"), inside)
    staff = [one for contributor in each(said, "contributor") if (one := staff_of(contributor, inside)) is not None]
    if actuality == "actual":
        return "care.incident.v1", {
            "occurred_at": occurred_at,
            "service_id": service,
            "incident_type": kind,
            "harm": harm or _severity_said(said),
            "reference": _own_reference(said),
            "person_ref": person,
            "narrative": words,
        }
    return "care.near_miss.reported.v1", {
        "occurred_at": occurred_at,
        "discovered_at": _only_instant(said, "detected", times["detected"]),
        "reported_at": _only_instant(said, "recordedDate", times["recordedDate"]),
        "service_id": service,
        "incident_type": kind,
        "deviation": deviation,
        "classification": "near_miss",
        "staff_involved": [{"ref": one} for one in dict.fromkeys(staff)] or None,
        "person_ref": person,
        "potential_harm": harm,
        "narrative": words,
        "attributes": _suspected(said, inside),
    }


def person_of(said: Said, inside: Contained) -> str | None:
    """Whom it is about; a group is no person."""
    subject = said.part("subject")
    if subject is None:
        if said.given("subject") is None:
            said.refuse("subject", "missing", "Say whom it is about: FHIR asks for it.")
        return None
    named = reference(subject, inside)
    return named if kind_of(subject, inside) in (None, "Patient", "RelatedPerson") else None


def staff_of(said: Said, inside: Contained) -> str | None:
    """Somebody of the staff; a device is none."""
    named = reference(said, inside)
    return named if kind_of(said, inside) in (None, "Practitioner", "PractitionerRole") else None


def _category(said: Said, inside: Contained) -> tuple[str, str | None]:
    """Incident type and deviation of the most telling category: one that names a deviation, else the first known."""
    known = {codes.CATEGORY: codes.CATEGORIES}
    found = [code for one in each(said, "category") for code in known_codes(one, known, "category", codes.CATEGORY)[0]]
    _, events = concept(said.part("event"))
    found += [code for system, code in events if system == codes.CATEGORY and code in codes.CATEGORIES]
    suspected = {kind_of(entity.part("instance"), inside) for entity in each(said, "suspectEntity")}
    if "Device" in suspected and "Medication" not in suspected:
        found = ["device" if code in codes.OF_A_PRODUCT else code for code in found]
    if codes.WRONG_PATIENT in found and (codes.MEDICATION_MISHAP in found or "Medication" in suspected):
        return codes.MEDICATION, codes.WRONG_PERSON
    kinds = [codes.CATEGORIES[code] for code in found]
    return next((one for one in kinds if one[1] is not None), kinds[0] if kinds else (OTHER, None))


def _harm(said: Said) -> str | None:
    """The gravest that severity, seriousness and outcome say."""
    told: list[str] = []
    for name, system, known in (
        ("severity", codes.SEVERITY, codes.HARM_BY_SEVERITY),
        ("seriousness", codes.SERIOUSNESS, codes.HARM_BY_SERIOUSNESS),
        ("outcome", codes.OUTCOME, codes.HARM_BY_OUTCOME),
    ):
        found, _ = known_codes(said.part(name), {system: known}, name, system)
        told += [known[code] for code in found]
    return max(told, key=codes.HARMS.index, default=None)


def _severity_said(said: Said) -> str:
    """Harm of a degree that nobody here knows is harm all the same, and stays unmapped."""
    _, given = concept(said.part("severity"))
    return given[0][1] if given else "not-told"


def _suspected(said: Said, inside: Contained) -> dict[str, str] | None:
    """The medicine or device that is suspected first: no person, so it may stand in an attribute."""
    for entity in each(said, "suspectEntity"):
        instance = entity.part("instance")
        if instance is not None and kind_of(instance, inside) in _SUSPECTS:
            named = word(instance, "display") or reference(instance, inside)
            return {"suspected": named[:LONGEST_NAME]} if named else None
    return None


def _own_reference(said: Said) -> str | None:
    return next((value for _, value in identifiers(said) if value is not None and is_identifier(value)), None)


def _only_instant(said: Said, name: str, value: str | None) -> str | None:
    """A date says nothing where an instant is asked for; it stays unmapped."""
    if value is None or _is_instant(value):
        return value
    said.unmapped.append((name, value))
    return None


def _is_instant(value: str) -> bool:
    try:
        parse_instant(value)
    except ValueError:
        return False
    return True


# Out


def logical_id(near_miss_id: str) -> str:
    """The near miss's id as FHIR lets an id be: without an underscore."""
    return near_miss_id.replace(_UNDERSCORE, _HYPHEN, 1)


def near_miss_id_of(name: str) -> str:
    """The near miss that a path names, by its own id or by the resource's."""
    return f"{_UNDERSCORE}{name.removeprefix(_HYPHEN)}" if name.startswith(_HYPHEN) else name


def adverse_event_of(near_miss: Mapping[str, Any]) -> dict[str, Any]:
    """A near miss, as `GET /v1/near-misses/{id}` shows it, told as an AdverseEvent (R4).

    Words that were erased are absent, and said to be masked.
    """
    harm = near_miss.get("potential_harm")
    is_harm = near_miss["classification"] == "harm_incident"
    tags = [{"system": STATUS, "code": near_miss["status"]}]
    told: dict[str, Any] = {
        "resourceType": ADVERSE_EVENT,
        "id": logical_id(near_miss["id"]),
        "meta": {"versionId": str(near_miss["version"]), "tag": tags},
        "identifier": {"system": OURS, "value": near_miss["id"]},
        "actuality": "actual" if is_harm else "potential",
        "category": _category_told(near_miss),
        "event": _words(near_miss.get("narrative")),
        "subject": _reference_told("Patient", near_miss.get("person_ref")) or _masked("unknown"),
        "date": near_miss["occurred_at"],
        "detected": near_miss.get("discovered_at"),
        "recordedDate": near_miss.get("reported_at") or near_miss["recorded_at"],
        "severity": _severity_told(harm),
        "contributor": [_reference_told("Practitioner", one["ref"]) for one in near_miss.get("staff_involved", ())],
    }
    if (service := near_miss.get("service_id")) is not None:
        told["location"] = {"identifier": {"value": service}}
    return {name: value for name, value in told.items() if value not in (None, [])}


def _category_told(near_miss: Mapping[str, Any]) -> list[dict[str, Any]]:
    kind, deviation = near_miss["incident_type"], near_miss.get("deviation")
    code = codes.CATEGORIES_TOLD.get((kind, deviation)) or codes.CATEGORIES_TOLD.get((kind, None))
    told: dict[str, Any] = {"text": f"{kind}: {deviation}" if deviation else kind}
    return [{"coding": [{"system": codes.CATEGORY, "code": code}], **told} if code else told]


def _severity_told(harm: str | None) -> dict[str, Any] | None:
    code = codes.SEVERITIES.get(harm or "")
    return {"coding": [{"system": codes.SEVERITY, "code": code}]} if code else None


def _words(words: object) -> dict[str, Any] | None:
    if words is None:
        return None
    return {"text": words} if isinstance(words, str) else _masked("masked")


def _reference_told(kind: str, named: object) -> dict[str, Any] | None:
    """A reference as the sender's systems know it; an id that FHIR could not have stands as an identifier."""
    if named is None:
        return None
    if not isinstance(named, str):
        return _masked("masked")
    return {"type": kind, "identifier": {"value": named}}


def _masked(reason: str) -> dict[str, Any]:
    return {"extension": [{"url": ABSENT, "valueCode": reason}]}
