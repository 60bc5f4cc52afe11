"""What the codes of FHIR R4 mean here: categories of adverse events, how grave they are, why a dose was not given.

A code is looked up under its system; one whose system is left out is taken for one of the value set that FHIR suggests.
The other way round, `SEVERITIES` and `CATEGORIES_TOLD` give the code that a record of ours is told with.
"""

from collections.abc import Mapping

from app.domain.taxonomy_default import OTHER

_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem/"
CATEGORY = f"{_TERMINOLOGY}adverse-event-category"
SERIOUSNESS = f"{_TERMINOLOGY}adverse-event-seriousness"
SEVERITY = f"{_TERMINOLOGY}adverse-event-severity"
OUTCOME = f"{_TERMINOLOGY}adverse-event-outcome"
NOT_GIVEN = f"{_TERMINOLOGY}reason-medication-not-given"
ACT_REASON = f"{_TERMINOLOGY}v3-ActReason"
SNOMED = "http://snomed.info/sct"

ALSO_CALLED = {"http://hl7.org/fhir/reason-medication-not-given": NOT_GIVEN}
"""Systems that R4 and R4B name otherwise."""

MEDICATION = "medication"
EQUIPMENT = "equipment"

CATEGORIES: Mapping[str, tuple[str, str | None]] = {
    "medication-mishap": (MEDICATION, None),
    "product-problem": (MEDICATION, None),
    "product-quality": (MEDICATION, None),
    "product-use-error": (MEDICATION, None),
    "wrong-dose": (MEDICATION, "wrong_dose"),
    "wrong-technique": (MEDICATION, "wrong_technique"),
    "wrong-route-of-administration": (MEDICATION, "wrong_route"),
    "incorrect-prescribing-information": (MEDICATION, None),
    "wrong-rate": (MEDICATION, None),
    "wrong-duration": (MEDICATION, None),
    "wrong-time": (MEDICATION, None),
    "expired-drug": (MEDICATION, None),
    "problem-different-manufacturer": (MEDICATION, None),
    "medical-device-use-error": (EQUIPMENT, "misuse"),
    "device": (EQUIPMENT, None),
    "unsafe-physical-environment": (OTHER, "environment_hazard"),
    "hospital-aquired-infection": (OTHER, "infection_control"),
    "procedure-mishap": (OTHER, None),
    "wrong-patient": (OTHER, None),
    "wrong-body-site": (OTHER, None),
}
"""Category (of R4 and of R4B) → incident type and deviation, where it says one: `wrong-time` is not early, nor late."""

OF_A_PRODUCT = frozenset({"product-problem", "product-quality", "product-use-error", "problem-different-manufacturer"})
"""Categories of a medicine or of a device: what is suspected tells which."""

MEDICATION_MISHAP = "medication-mishap"
WRONG_PATIENT = "wrong-patient"
WRONG_PERSON = "wrong_person"

HARM_BY_SEVERITY = {"mild": "low", "moderate": "moderate", "severe": "severe"}
HARM_BY_SERIOUSNESS = {
    "Non-serious": "low",
    "Serious": "severe",
    "SeriousResultsInDeath": "death",
    "SeriousIsLifeThreatening": "severe",
    "SeriousResultsInHospitalization": "severe",
    "SeriousResultsInDisability": "severe",
    "SeriousIsBirthDefect": "severe",
    "SeriousRequiresPreventImpairment": "severe",
}
HARM_BY_OUTCOME = {"fatal": "death"}
HARMS = ("low", "moderate", "severe", "death")

SEVERITIES = {"low": "mild", "moderate": "moderate", "severe": "severe", "death": "severe"}
CATEGORIES_TOLD = {
    (MEDICATION, None): "medication-mishap",
    (MEDICATION, "wrong_dose"): "wrong-dose",
    (MEDICATION, "wrong_technique"): "wrong-technique",
    (MEDICATION, "wrong_route"): "wrong-route-of-administration",
    (MEDICATION, WRONG_PERSON): WRONG_PATIENT,
    (EQUIPMENT, None): "device",
    (EQUIPMENT, "misuse"): "medical-device-use-error",
    (OTHER, "environment_hazard"): "unsafe-physical-environment",
    (OTHER, "infection_control"): "hospital-aquired-infection",
}

NOT_DONE: Mapping[str, Mapping[str, str]] = {
    NOT_GIVEN: {"a": "omitted", "b": "person_absent", "c": "omitted", "d": "omitted"},
    ACT_REASON: {"PATOBJ": "refused", "OSTOCK": "not_available", "MEDPREC": "held"},
    SNOMED: {
        "182895007": "refused",
        "182896008": "refused",
        "182897004": "refused",
        "182898009": "refused",
        "242990004": "not_available",
    },
}
"""System → why a dose was not given → the status of its administration; asleep and vomited are doses not taken."""

NOT_DONE_AS_HERE = frozenset({"omitted", "refused", "held", "not_available", "person_absent", "not_required"})
"""Reasons in our own words, of whatever system."""

MEANT = {NOT_GIVEN: {"a": "none", "b": "away", "c": "asleep", "d": "vomit"}}
"""What one-letter codes stand for, where the sender gives no words."""
