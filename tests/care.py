"""What care systems send: doses, visits and reports as CloudEvents that are taken."""

from collections.abc import Mapping
from typing import Any

EMAR = "urn:provider:acme:emar"
ROTA = "urn:provider:acme:rota"

DOSE: Mapping[str, Any] = {
    "service_id": "willow-house",
    "person_ref": "resident-31",
    "medication": "Co-careldopa 25mg/100mg",
    "scheduled_at": "2026-03-02T08:00:00Z",
    "administered_at": "2026-03-02T08:42:00Z",
    "status": "given",
    "tolerance_minutes": 60,
    "staff_ref": "staff-7",
}
VISIT: Mapping[str, Any] = {
    "service_id": "rowan-homecare",
    "person_ref": "resident-8",
    "visit_id": "v-1",
    "scheduled_start": "2026-03-02T08:00:00Z",
    "scheduled_end": "2026-03-02T08:45:00Z",
    "actual_start": "2026-03-02T08:40:00Z",
    "status": "started",
    "staff_refs": ["staff-7", "staff-8"],
    "travel": {"planned_minutes": 15, "actual_minutes": 48},
}
REPORT: Mapping[str, Any] = {
    "occurred_at": "2026-03-02T09:00:00Z",
    "service_id": "willow-house",
    "incident_type": "medication",
    "deviation": "omitted",
    "classification": "near_miss",
    "contributing_factors": ["workload"],
    "staff_involved": [{"ref": "staff-7"}],
}


def event(
    event_id: str, type_: str, data: Mapping[str, Any], *, at: str = "08:45", source: str = EMAR
) -> dict[str, Any]:
    """A CloudEvent of 2 March 2026, said at a time of that day."""
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": source,
        "type": f"care.{type_}.v1",
        "time": f"2026-03-02T{at}:00Z",
        "data": {name: value for name, value in data.items() if value is not None},
    }


def dose(event_id: str, *, at: str = "08:45", source: str = EMAR, **data: Any) -> dict[str, Any]:
    """A time-critical dose given late inside its tolerance; None takes a field out."""
    return event(event_id, "emar.administration", {**DOSE, **data}, at=at, source=source)


def visit(event_id: str, *, at: str = "08:45", **data: Any) -> dict[str, Any]:
    """A visit that started after its window."""
    return event(event_id, "rostering.visit", {**VISIT, **data}, at=at, source=ROTA)


def reported(event_id: str, **data: Any) -> dict[str, Any]:
    """What a system itself calls a near miss."""
    return event(event_id, "near_miss.reported", {**REPORT, **data})


ON_TIME: Mapping[str, Any] = {"administered_at": "2026-03-02T08:02:00Z"}
OMITTED: Mapping[str, Any] = {"status": "omitted", "administered_at": None}
