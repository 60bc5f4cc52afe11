"""The five types of event that care systems post, read into our words (`app.domain.occurrence`).

Read leniently: a field that nobody here knows is listed, a code that nobody here knows is `unmapped`, and neither stops
the event. What is refused is what would be guessed at otherwise: an instant that is missing or has no offset, a value
of another type.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from app.domain.decider import Fault, Invalid
from app.domain.occurrence import (
    UNMAPPED,
    Administration,
    Denominator,
    Incident,
    Occurrence,
    Reported,
    Travel,
    Visit,
)
from app.intake.cloudevents import RawEvent
from app.intake.lenient import Said

DOSE_STATUSES = (
    "given",
    "late",
    "omitted",
    "refused",
    "held",
    "prompted",
    "not_available",
    "person_absent",
    "not_required",
    "self_administered",
)
VISIT_STATUSES = ("planned", "started", "completed", "late", "missed", "cancelled")
HARMS = ("low", "moderate", "severe", "death")

REPORTED_FIELDS = (
    "occurred_at", "reported_at", "discovered_at", "scheduled_at", "service_id", "locality", "incident_type",
    "deviation", "classification", "contributing_factors", "staff_involved", "staff_not_known_reason", "person_ref",
    "shift", "recovery_barrier", "potential_harm", "reported_frequency", "narrative", "attributes", "workflow_link",
)  # fmt: skip
"""Of a submission; its source and its source's id are the event's own."""
STAFF_FIELDS = ("ref", "role")
SHIFT_FIELDS = ("id", "starts_at", "ends_at")
LINK_FIELDS = (
    "stage_affected", "stage_allowed", "stage_allowed_basis", "system_used", "deviation_from_plan", "corrective_action",
    "mapped_against",
)  # fmt: skip
MAPPED_FIELDS: Mapping[str, tuple[str, ...]] = {
    "scheduling": ("planned", "actual", "note", "status"),
    "staff_allocation": ("planned", "actual", "note", "status"),
    "travel_time": ("planned_minutes", "actual_minutes", "note", "status"),
}

LONGEST_REASON = 8000
LONGEST_NAME = 1000
LONGEST_SYSTEM = 200
MOST_MINUTES = 1_000_000
MOST_COUNTED = 1_000_000
MOST_STAFF = 50


@dataclass(frozen=True, slots=True)
class Read:
    """What an event says. `ignored_fields`: paths below `data`; `unmapped`: field and code as sent."""

    what: Occurrence
    ignored_fields: tuple[str, ...] = ()
    unmapped: tuple[tuple[str, str], ...] = ()


def read(raw: RawEvent) -> Read:
    """What the event says; raises `Invalid`: for a type that nobody reads, or with every fault under `/data`."""
    reader = TYPES.get(raw.type)
    if reader is None:
        raise _unknown_type()
    said = Said(raw.data, "/data")
    what = reader(said)
    said.finish()
    return Read(what, tuple(said.ignored()), tuple(said.unmapped))


def _administration(said: Said) -> Administration:
    status = said.code("status", DOSE_STATUSES)
    return Administration(
        status=status,
        scheduled_at=said.needed_instant("scheduled_at"),
        service_id=said.identifier("service_id"),
        person_ref=said.identifier("person_ref"),
        medication=said.text("medication", LONGEST_NAME),
        administered_at=said.instant("administered_at"),
        tolerance_minutes=said.number("tolerance_minutes", MOST_MINUTES),
        staff_ref=said.identifier("staff_ref"),
        reason=said.text("reason", LONGEST_REASON),
        system=said.text("system", LONGEST_SYSTEM),
        time_critical=said.boolean("time_critical"),
        saved_by_alert_at=said.instant("saved_by_alert_at"),
        status_said=said.code_as_sent("status") if status == UNMAPPED else None,
    )


def _visit(said: Said) -> Visit:
    status = said.code("status", VISIT_STATUSES)
    travel = said.part("travel")
    return Visit(
        status=status,
        scheduled_start=said.needed_instant("scheduled_start"),
        service_id=said.identifier("service_id"),
        person_ref=said.identifier("person_ref"),
        visit_id=said.identifier("visit_id"),
        scheduled_end=said.instant("scheduled_end"),
        actual_start=said.instant("actual_start"),
        actual_end=said.instant("actual_end"),
        staff_refs=said.identifiers("staff_refs", MOST_STAFF),
        travel=None
        if travel is None
        else Travel(travel.number("planned_minutes", MOST_MINUTES), travel.number("actual_minutes", MOST_MINUTES)),
        saved_by_alert_at=said.instant("saved_by_alert_at"),
        reason=said.text("reason", LONGEST_REASON),
        system=said.text("system", LONGEST_SYSTEM),
        status_said=said.code_as_sent("status") if status == UNMAPPED else None,
    )


def _reported(said: Said) -> Reported:
    """The submission without what nobody knows; whether it is a valid one is judged at the API's own door."""
    document = said.only(REPORTED_FIELDS)
    document |= said.each_only("staff_involved", STAFF_FIELDS)
    if (shift := said.object("shift")) is not None:
        document["shift"] = shift.only(SHIFT_FIELDS)
    if (link := said.object("workflow_link")) is not None:
        document["workflow_link"] = link.only(LINK_FIELDS)
        if (mapped := link.object("mapped_against")) is not None:
            assumptions = {name: mapped.object(name) for name in MAPPED_FIELDS}
            document["workflow_link"]["mapped_against"] = mapped.only(tuple(MAPPED_FIELDS)) | {
                name: one.only(MAPPED_FIELDS[name]) for name, one in assumptions.items() if one is not None
            }
    return Reported(document)


def _incident(said: Said) -> Incident:
    return Incident(
        incident_type=said.needed_identifier("incident_type"),
        occurred_at=said.needed_moment("occurred_at"),
        harm=said.code("harm", HARMS),
        service_id=said.identifier("service_id"),
        reference=said.identifier("reference"),
        person_ref=said.identifier("person_ref"),
        narrative=said.text("narrative", LONGEST_REASON),
    )


def _denominator(said: Said) -> Denominator:
    counted = {name: said.whole(name, MOST_COUNTED) for name in ("doses_due", "visits_scheduled", "resident_days")}
    if all(said.given(name) is None for name in counted):
        said.refuse("", "too-few", "Give doses_due, visits_scheduled or resident_days.")
    for name, amount in counted.items():
        if amount == 0:
            said.refuse(name, "out-of-range", "Leave it out: nothing to do is no denominator.")
    return Denominator(said.needed_identifier("service_id"), said.needed_date("date"), **counted)


TYPES: Mapping[str, Callable[[Said], Occurrence]] = MappingProxyType(
    {
        "care.emar.administration.v1": _administration,
        "care.rostering.visit.v1": _visit,
        "care.near_miss.reported.v1": _reported,
        "care.denominator.v1": _denominator,
        "care.incident.v1": _incident,
    }
)
"""Type of event → how it is read."""


def _unknown_type() -> Invalid:
    """A typing mistake, or another producer's type."""
    detail = f"Send one of these types: {', '.join(TYPES)}; or have a mapping made for yours."
    return Invalid(Fault("/type", "unknown-event-type", detail))
