"""FHIR R4 for systems that speak it: adverse events and administered medicines in, near misses out as adverse events.

Every answer is `application/fhir+json`. What was taken in without a resource of ours to show is told by an
OperationOutcome, as are errors (see `app.api.outcomes`).
"""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from app.api import outcomes
from app.api.door import Visit, door_of
from app.api.looking import Reading
from app.api.near_misses import show
from app.api.outcomes import MEDIA_TYPE, outcome
from app.api.receiving import receive
from app.api.routes import told
from app.api.schemas.answers.fhir import AdverseEvent, CapabilityStatement, OperationOutcome
from app.api.schemas.fhir import FhirAdverseEvent, FhirMedicationAdministration
from app.domain.decider import Invalid
from app.domain.intake import RECORDING
from app.events.sealing import fingerprint
from app.intake import fhir, fhir_capabilities
from app.intake.fhir_administration import ADMINISTRATION
from app.intake.fhir_adverse_event import ADVERSE_EVENT, OURS, adverse_event_of, near_miss_id_of
from app.operations.job import Answer
from app.operations.taking import Incoming

router = APIRouter(prefix="/v1/fhir", tags=["fhir"])
WRITE = "near-misses:write"
READ = "near-misses:read"
TAKEN = ("application/fhir+json", "application/json")
CONFLICTS = ("source-event-conflict",)
VIA = "fhir"

INTAKE_RECORD = "urn:forewarn:intake-record"
"""The extension of an OperationOutcome that names the record of what was sent."""
OUTCOME = "urn:forewarn:intake-outcome"
"""The system of the codes that say what became of it."""

Format = Annotated[str | None, Query(alias="_format", max_length=64, description="JSON is answered, whatever it says.")]


@router.post(
    "/AdverseEvent",
    **told(
        WRITE,
        AdverseEvent,
        status=201,
        body=FhirAdverseEvent,
        problems=CONFLICTS,
        also={200: {"model": AdverseEvent | OperationOutcome, "description": "Known already, or kept for a person."}},
    ),
)
async def report_adverse_event(request: Request) -> Response:
    """Take in an AdverseEvent: a potential one is a near miss, an actual one an incident with harm, never counted."""
    visit = await door_of(request).enter(request, WRITE)
    answer, taken = await _take(visit, ADVERSE_EVENT)
    near_miss_id = answer.body.get("near_miss_id")
    if near_miss_id is None:
        return _said(answer, taken)
    shown = await run_in_threadpool(_near_miss, visit, near_miss_id)
    return _resource(adverse_event_of(shown), _status(answer), _headers(answer, shown))


@router.post(
    "/MedicationAdministration",
    **told(WRITE, OperationOutcome, status=201, body=FhirMedicationAdministration, problems=CONFLICTS),
)
async def report_medication_administration(request: Request) -> Response:
    """Take in a MedicationAdministration: 201 when a near miss was recognised in it, 200 when it was kept only."""
    visit = await door_of(request).enter(request, WRITE)
    answer, taken = await _take(visit, ADMINISTRATION)
    return _said(answer, taken)


@router.get("/AdverseEvent/{near_miss_id}", **told(READ, AdverseEvent, problems=["not-found"]))
def read_adverse_event(look: Reading, near_miss_id: str, _format: Format = None) -> Response:
    """A near miss, or an incident with harm, as an AdverseEvent; by its own id, or by that of the resource."""
    with look.reader() as reader:
        shown = show(reader, near_miss_id_of(near_miss_id))
    return _resource(adverse_event_of(shown), 200, {"ETag": f'W/"{shown["version"]}"'})


@router.get("/metadata", **told(READ, CapabilityStatement))
def read_capabilities(_look: Reading, _format: Format = None) -> Response:
    """What of FHIR is spoken here."""
    return _resource(fhir_capabilities.statement())


async def _take(visit: Visit, kind: str) -> tuple[Answer, fhir.Taken]:
    document = await visit.document(media_types=TAKEN)
    pepper = await visit.pepper()
    taken = await run_in_threadpool(fhir.read, document, lambda text: fingerprint(pepper, text), kind)
    incoming = Incoming(
        taken.raw,
        VIA,
        document,
        ignored_fields=taken.ignored_fields,
        unmapped=taken.unmapped,
        set_aside=taken.set_aside,
    )
    try:
        return await receive(visit, incoming, f"POST /v1/fhir/{kind}", document), taken
    except Invalid as refusal:
        raise fhir.in_its_terms(refusal, kind) from None


def _near_miss(visit: Visit, near_miss_id: str) -> dict[str, Any]:
    with visit.door.house.reader(visit.organisation) as reader:
        return show(reader, near_miss_id)


def _said(answer: Answer, taken: fhir.Taken) -> Response:
    """What became of it, where there is no resource to show."""
    body = answer.body
    near_miss_id, record_id = body.get("near_miss_id"), body.get("intake_record_id")
    says = taken.set_aside[1] if taken.set_aside is not None else _SAYS.get(body["outcome"], _KEPT)
    issue = outcomes.issue(
        "informational", says, OUTCOME, body["outcome"], body.get("reason", body["outcome"]), severity="information"
    )
    named = [(INTAKE_RECORD, record_id), (OURS, near_miss_id)]
    extension = [{"url": url, "valueString": value} for url, value in named if value is not None]
    resource = outcome([issue])
    if extension:
        resource = {"resourceType": resource["resourceType"], "extension": extension, "issue": resource["issue"]}
    return _resource(resource, _status(answer), _headers(answer, {"id": near_miss_id}))


_KEPT = "It was kept as it came: GET /v1/intake-records lists what became of it, and why."
_SAYS = {
    "recognised": "A near miss was recognised in it, and recorded.",
    "joined": "It joined the near miss of its round, as one more person.",
    "revised": "It revised the near miss that an earlier word on the same dose had made.",
    "withdrawn": "The near miss that an earlier word on the same dose had made was withdrawn.",
    "not_a_near_miss": "It is no near miss by the organisation's rules, and was kept.",
}


def _status(answer: Answer) -> int:
    """201 when it made a record of its own."""
    return 201 if answer.body["status"] == "accepted" and answer.body["outcome"] in RECORDING else 200


def _headers(answer: Answer, near_miss: Mapping[str, Any]) -> dict[str, str]:
    headers: dict[str, str] = {}
    if _status(answer) == 201:
        headers["Location"] = f"/v1/fhir/{ADVERSE_EVENT}/{near_miss['id']}"
    if "version" in near_miss:
        headers["ETag"] = f'W/"{near_miss["version"]}"'
    if answer.replayed:
        headers["Idempotency-Replayed"] = "true"
    return headers


def _resource(resource: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(resource), status, headers, media_type=MEDIA_TYPE)
