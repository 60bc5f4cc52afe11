"""What of FHIR R4 is spoken here, as a CapabilityStatement tells it."""

from typing import Any

from app.intake.fhir_administration import ADMINISTRATION, LOCATION_EXTENSION, SCHEDULED_EXTENSION
from app.intake.fhir_adverse_event import ADVERSE_EVENT
from app.intake.fhir_models import are_installed

FHIR_VERSION = "4.0.1"
WRITTEN = "2026-11-23"
"""When this statement last changed."""

_CLOSELY = "Resources are checked against the models of R4B."
_BY_OURSELVES = "Resources are checked for what is read of them; the extra `fhir` checks them against R4B as well."


def statement() -> dict[str, Any]:
    """The CapabilityStatement; it says whether the models of R4B have a look too."""
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": WRITTEN,
        "kind": "instance",
        "software": {"name": "forewarn"},
        "implementation": {"description": f"Near misses. {_CLOSELY if are_installed() else _BY_OURSELVES}"},
        "fhirVersion": FHIR_VERSION,
        "format": ["json"],
        "rest": [
            {
                "mode": "server",
                "security": {"description": "A key of one organisation, as Authorization: Bearer."},
                "resource": [
                    {
                        "type": ADVERSE_EVENT,
                        "interaction": [{"code": "create"}, {"code": "read"}],
                        "versioning": "versioned",
                        "documentation": "Potential: a near miss. Actual: an incident with harm, never counted.",
                    },
                    {
                        "type": ADMINISTRATION,
                        "interaction": [{"code": "create"}],
                        "documentation": f"Where it was: {LOCATION_EXTENSION}. "
                        f"When it was due: a contained request, or {SCHEDULED_EXTENSION}.",
                    },
                ],
            }
        ],
    }
