"""The FHIR R4 MedicationAdministration in our words: a dose given, not given, or not over yet.

R4 keeps the time at which a dose was due in the request, not in the administration. Where neither an extension nor a
contained request tells it, a dose that was given cannot be judged late or punctual: it is kept, and set aside.
"""

from typing import Any, cast

from app.domain.moment import parse_instant
from app.intake import fhir_codes as codes
from app.intake.fhir_adverse_event import LONGEST_NAME, person_of, staff_of
from app.intake.fhir_reading import Contained, concept, each, instant, kind_of, known_codes, reference, word
from app.intake.lenient import Said

ADMINISTRATION = "MedicationAdministration"
LOCATION_EXTENSION = "http://hl7.org/fhir/StructureDefinition/event-location"
"""Where it happened, in resources that have no `location` of their own (standard extension of R4)."""
SCHEDULED_EXTENSION = "urn:forewarn:scheduled-at"
"""When the dose was due, as valueDateTime."""

NOT_OVER = {
    "in-progress": "Nothing is judged while the dose is being given: send it again once it is completed or not done.",
    "stopped": "The dose was begun and stopped, which is not judged: a person has to say what came of it.",
    "unknown": "Nothing is judged while the status is unknown: send it again once it is known.",
}
NO_DUE_TIME = (
    f"Nothing says when the dose was due, so it was not judged: contain its request with timing.event, or give the "
    f"extension {SCHEDULED_EXTENSION}."
)
Aside = tuple[str, str]
"""Why there is nothing to recognise yet: a code, and a sentence for the sender."""


def administration(said: Said, inside: Contained) -> tuple[str, dict[str, Any], Aside | None]:
    """Type and data of the event that it is; and why it is set aside, if it is."""
    status = word(said, "status")
    if status is None:
        said.refuse("status", "missing", "Say what became of the dose: completed, not-done or another status of FHIR.")
    effective = _effective(said)
    due = _due(said, inside, effective)
    if due is None and effective is None:
        said.refuse("effectiveDateTime", "missing", "Say when, as an instant with its offset: a date is not enough.")
    medication, person = _medication(said, inside), person_of(said, inside)
    staff, is_own = _performers(said, inside)
    given_at, reason, aside = None, None, None
    match status:
        case "not-done":
            status, reason = _not_done(said)
        case "on-hold":
            status, reason = "held", _not_done(said)[1]
        case "entered-in-error":  # It takes back what an earlier word on the same dose had made.
            status, reason = "not_required", status
        case "completed" if due is None:
            aside = ("no_due_time", NO_DUE_TIME)
        case "completed":
            status, given_at = "self_administered" if is_own else "given", effective
        case _ if status in NOT_OVER:
            aside = (status.replace("-", "_"), NOT_OVER[status])
        case _:
            pass  # A status that FHIR does not know: unmapped.
    return (
        "care.emar.administration.v1",
        {
            "service_id": _service(said, inside),
            "person_ref": person,
            "medication": medication,
            "scheduled_at": due or effective,
            "administered_at": given_at,
            "status": status,
            "staff_ref": staff,
            "reason": reason,
        },
        aside,
    )


def _effective(said: Said) -> str | None:
    """When it was given, began to be, or would have been."""
    period = said.part("effectivePeriod")
    if period is None:
        return instant(said, "effectiveDateTime")
    started, ended = instant(period, "start"), instant(period, "end")
    return started or ended


def _due(said: Said, inside: Contained, effective: str | None) -> str | None:
    """When the dose was due: the extension's word, else the time of the contained request that lies nearest."""
    for extension in each(said, "extension"):
        if extension.given("url") == SCHEDULED_EXTENSION:
            return instant(extension, "valueDateTime")
    request = said.part("request")
    if request is None:
        return None
    reference(request, inside)
    within = inside.of(word(request, "reference"))
    times = [time for one in each(within, "dosageInstruction") for time in _events(one)] if within is not None else []
    if effective is None or not times:
        return times[0] if len(times) == 1 else None
    given = parse_instant(effective)
    return min(times, key=lambda time: abs(parse_instant(time) - given))


def _events(instruction: Said) -> list[str]:
    timing = instruction.part("timing")
    listed = timing.given("event") if timing is not None else None
    if timing is None or not isinstance(listed, list):
        return []
    times = cast("list[Any]", listed)
    one = Said(dict(zip(map(str, range(len(times))), times, strict=True)), f"{timing.pointer}/event", timing.path)
    found = [when for name in one.values if (when := instant(one, name)) is not None]
    timing.faults.extend(one.faults)
    timing.unmapped.extend(one.unmapped)
    return found


def _not_done(said: Said) -> tuple[str, str | None]:
    """Which kind of dose not given it is, and why in words; a reason that nobody knows leaves it omitted, unmapped."""
    words: list[str] = []
    statuses: list[str] = []
    for one in each(said, "statusReason"):
        text, given = concept(one)
        as_here = [code.lower() for _, code in given if code.lower() in codes.NOT_DONE_AS_HERE]
        if as_here:
            statuses += as_here
        else:
            known_codes(one, codes.NOT_DONE, "statusReason", codes.NOT_GIVEN)
        for system, code in given:
            status = codes.NOT_DONE.get(system or codes.NOT_GIVEN, {}).get(code)
            statuses += [status] if status is not None else []
            text = text or codes.MEANT.get(system or codes.NOT_GIVEN, {}).get(code)
        words += [text] if text is not None else []
    return next(iter(statuses), "omitted"), "; ".join(words) or None


def _medication(said: Said, inside: Contained) -> str | None:
    named, given = concept(said.part("medicationCodeableConcept"))
    if (referred := said.part("medicationReference")) is not None:
        within = inside.of(word(referred, "reference"))
        if within is not None:
            named, given = concept(within.part("code"))
        named = named or word(referred, "display") or (None if given else reference(referred, inside))
    elif not said.values.get("medicationCodeableConcept"):
        said.refuse("medicationCodeableConcept", "missing", "Say which medicine: FHIR asks for it.")
    named = named or (given[0][1] if given else None)
    return named[:LONGEST_NAME] if named is not None else None


def _performers(said: Said, inside: Contained) -> tuple[str | None, bool]:
    """The first of the staff who gave it, and whether it was the person themself."""
    actors = [actor for one in each(said, "performer") if (actor := one.part("actor")) is not None]
    staff = [named for one in actors if (named := staff_of(one, inside)) is not None]
    return next(iter(staff), None), bool(actors) and all(kind_of(one, inside) == "Patient" for one in actors)


def _service(said: Said, inside: Contained) -> str | None:
    """Where: the standard extension, a location among the supporting information, or that of a contained encounter."""
    for extension in each(said, "extension"):
        if extension.given("url") == LOCATION_EXTENSION:
            return reference(extension.part("valueReference"), inside)
    for one in each(said, "supportingInformation"):
        if kind_of(one, inside) == "Location":
            return reference(one, inside)
    context = said.part("context")
    encounter = inside.of(word(context, "reference")) if context is not None else None
    for place in each(encounter, "location") if encounter is not None else ():
        return reference(place.part("location"), inside)
    return None
