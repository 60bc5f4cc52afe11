"""Whether one dose of one medicine is a near miss: by its status, and by how far from its time it was given."""

from typing import assert_never

from app.domain.moment import format_instant
from app.domain.occurrence import Administration, Verdict
from app.domain.reading import without_absent
from app.domain.recognition_rules import Recognition, minutes_of
from app.domain.recognition_saying import (
    NO_TIME_SAID,
    NOT_DELIVERED,
    SAVED_BY_ALERT,
    count,
    instant,
    is_none,
    is_unmapped,
    meaning_of,
    minutes_between,
    together,
)

INSIDE_TOLERANCE = "inside_tolerance"
LATE_INSIDE_TOLERANCE = "late_inside_tolerance"
LATE_BEYOND_TOLERANCE = "late_beyond_tolerance"
EARLY_BEYOND_TOLERANCE = "early_beyond_tolerance"
LATE_NOT_YET_GIVEN = "late_not_yet_given"

LONGEST_ATTRIBUTE = 256


def recognise_dose(rules: Recognition, dose: Administration) -> Verdict:
    """Whether the dose is a near miss by these rules, and why."""
    status, meaning = meaning_of(rules.dose_statuses, dose.status, dose.status_said)
    match meaning:
        case None:
            return is_unmapped()
        case "none":
            return is_none(status)
        case "not_delivered":
            says = "The dose was not given: it reached the person. Whether there was harm is not assessed yet."
            return _found(rules, dose, NOT_DELIVERED, says, "status", "no_harm_incident", "omitted")
        case "late" if dose.administered_at is None and dose.saved_by_alert_at is None:
            says = "The dose is late and not given yet: a later word on it says how it ended."
            return _found(rules, dose, LATE_NOT_YET_GIVEN, says, "status", "near_miss", "late")
        case "delivered" | "late":
            return _given(rules, dose)
        case _:
            assert_never(meaning)


def _given(rules: Recognition, dose: Administration) -> Verdict:
    """A dose that came in the end, by how far from its time."""
    critical = rules.is_time_critical(dose.medication) if dose.time_critical is None else dose.time_critical
    default = rules.time_critical_tolerance if critical else rules.tolerance
    tolerance = minutes_of(default) if dose.tolerance_minutes is None else dose.tolerance_minutes
    late = 0.0 if dose.administered_at is None else minutes_between(dose.scheduled_at, dose.administered_at)
    if late > tolerance:
        says = f"Given {count(late)} after its time, beyond its tolerance of {count(tolerance)}."
        return _found(rules, dose, LATE_BEYOND_TOLERANCE, says, "tolerance", "no_harm_incident", "late")
    if -late > tolerance:
        says = f"Given {count(-late)} before its time, beyond its tolerance of {count(tolerance)}."
        return _found(rules, dose, EARLY_BEYOND_TOLERANCE, says, "tolerance", "no_harm_incident", "early")
    if dose.saved_by_alert_at is not None:
        says = "It was given after an alert: without it, it would have been omitted."
        return _found(rules, dose, SAVED_BY_ALERT, says, "saved_by_alert", "near_miss", "omitted")
    if dose.administered_at is None:
        return Verdict(NO_TIME_SAID, "It was given, and nothing says that it was not on time.", "status")
    if critical and late >= minutes_of(rules.late_after):
        says = f"A time-critical dose, given {count(late)} after its time, inside its tolerance of {count(tolerance)}."
        return _found(rules, dose, LATE_INSIDE_TOLERANCE, says, "time_critical", "near_miss", "late")
    return Verdict(INSIDE_TOLERANCE, f"Given inside its tolerance of {count(tolerance)}.", "tolerance")


def _found(
    rules: Recognition, dose: Administration, reason: str, says: str, rule: str, classification: str, deviation: str
) -> Verdict:
    # It happened when the dose was due: one that never came has no other time, and a later word on the same dose must
    # not move it into another shift. Only one given far too early went wrong at the time it was given.
    early = dose.administered_at if deviation == "early" else None
    saved = dose.saved_by_alert_at is not None and reason != NOT_DELIVERED
    submission = without_absent(
        {
            "occurred_at": format_instant(early or dose.scheduled_at),
            "scheduled_at": format_instant(dose.scheduled_at),
            "discovered_at": instant(dose.saved_by_alert_at) if saved else None,
            "service_id": dose.service_id,
            "incident_type": "medication",
            "deviation": deviation,
            "classification": classification,
            "staff_involved": [{"ref": dose.staff_ref}] if dose.staff_ref else None,
            "person_ref": dose.person_ref,
            "recovery_barrier": "system_alert" if saved else None,
            "narrative": dose.reason,
            "attributes": {"medication": dose.medication[:LONGEST_ATTRIBUTE]} if dose.medication else None,
            "workflow_link": without_absent({"stage_affected": "administer", "system_used": dose.system}),
        }
    )
    late = None if saved else together(submission, dose.staff_ref, dose.scheduled_at, rules.round_within)
    return Verdict(reason, says, rule, submission, late)
