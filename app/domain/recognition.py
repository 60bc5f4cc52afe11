"""Whether what a care system says is a near miss, and why: one verdict for each dose, visit, report and harm incident.

The rules are data, versioned for each organisation (`recognition/current`); what is decided here is only what they
mean. NCC MERP's trap is minded: a dose or a visit that never came did reach the person, so it is a no-harm incident at
least (whether there was harm, a person says), and on a near miss the deviation says what would have happened.
"""

from typing import assert_never

from app.domain.occurrence import (
    UNMAPPED,
    Administration,
    Denominator,
    Incident,
    Occurrence,
    Reported,
    Verdict,
    Visit,
)
from app.domain.reading import without_absent
from app.domain.recognition_dose import recognise_dose
from app.domain.recognition_rules import DEFAULT, Recognition
from app.domain.recognition_visit import recognise_visit

__all__ = ["DEFAULT", "Recognition", "recognise"]

REPORTED = "reported"
HARM_INCIDENT = "harm_incident"
DENOMINATOR = "denominator"


def recognise(rules: Recognition, what: Occurrence) -> Verdict:
    """Whether it is a near miss by these rules, and why. Never refuses: what nobody understands is none."""
    match what:
        case Administration():
            return recognise_dose(rules, what)
        case Visit():
            return recognise_visit(rules, what)
        case Reported(document):
            return Verdict(REPORTED, "The source itself calls it a near miss.", submission=document)
        case Incident():
            says = "Harm was done: kept as a reference for lead times, never counted."
            return Verdict(HARM_INCIDENT, says, submission=_harm(what))
        case Denominator():
            return Verdict(DENOMINATOR, "It says how much there was to do: there is nothing to recognise in it.")
        case _:
            assert_never(what)


def _harm(incident: Incident) -> dict[str, object]:
    return without_absent(
        {
            "occurred_at": incident.occurred_at,
            "service_id": incident.service_id,
            "incident_type": incident.incident_type,
            "classification": HARM_INCIDENT,
            "person_ref": incident.person_ref,
            "narrative": incident.narrative,
            "potential_harm": None if incident.harm == UNMAPPED else incident.harm,
            "attributes": {"reference": incident.reference} if incident.reference else None,
        }
    )
