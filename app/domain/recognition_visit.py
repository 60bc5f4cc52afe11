"""Whether one visit is a near miss: by its status, by how late it started, by who checked in."""

from typing import Any, assert_never

from app.domain.moment import format_instant
from app.domain.occurrence import Verdict, Visit
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

ON_TIME = "on_time"
STARTED_AFTER_WINDOW = "started_after_window"
STARTED_AFTER_END = "started_after_end"
LATE_NOT_YET_STARTED = "late_not_yet_started"
MISSED_CHECK_IN = "missed_check_in_put_right"


def recognise_visit(rules: Recognition, visit: Visit) -> Verdict:
    """Whether the visit is a near miss by these rules, and why."""
    status, meaning = meaning_of(rules.visit_statuses, visit.status, visit.status_said)
    match meaning:
        case None:
            return is_unmapped()
        case "none":
            return is_none(status)
        case "not_delivered":
            says = "The visit was missed: it reached the person. Whether there was harm is not assessed yet."
            return _found(rules, visit, NOT_DELIVERED, says, "status", "no_harm_incident", "missed")
        case "delivered" | "late":
            return _made(rules, visit, said_late=meaning == "late")
        case _:
            assert_never(meaning)


def _made(rules: Recognition, visit: Visit, *, said_late: bool) -> Verdict:
    """A visit that was made, or is being made."""
    late = 0.0 if visit.actual_start is None else minutes_between(visit.scheduled_start, visit.actual_start)
    window = minutes_of(rules.visit_window)
    if late > window and _started_after_end(visit):
        says = f"Started {count(late)} after its time, when it should have been over: it reached the person."
        return _found(rules, visit, STARTED_AFTER_END, says, "visit_window", "no_harm_incident", "late")
    if visit.saved_by_alert_at is not None:
        says = "It was made after an alert: without it, it would have been missed."
        return _found(rules, visit, SAVED_BY_ALERT, says, "saved_by_alert", "near_miss", "missed")
    if late > window:
        says = f"Started {count(late)} after its time, beyond its window of {count(window)}, and was made all the same."
        return _found(rules, visit, STARTED_AFTER_WINDOW, says, "visit_window", "near_miss", "late")
    if visit.actual_start is not None:
        return Verdict(ON_TIME, f"Started inside its window of {count(window)}.", "visit_window")
    return _without_start(rules, visit, said_late=said_late)


def _without_start(rules: Recognition, visit: Visit, *, said_late: bool) -> Verdict:
    if visit.actual_end is not None:
        says = "Nobody checked in, and it was put right: had it been missed, there would have been no sign of it."
        return _found(rules, visit, MISSED_CHECK_IN, says, "check_in", "near_miss", "missed")
    if said_late:
        says = "The visit is late and not started yet: a later word on it says how it ended."
        return _found(rules, visit, LATE_NOT_YET_STARTED, says, "status", "near_miss", "late")
    return Verdict(NO_TIME_SAID, "It was made, and nothing says that it was not on time.", "status")


def _started_after_end(visit: Visit) -> bool:
    return (
        visit.actual_start is not None and visit.scheduled_end is not None and visit.actual_start > visit.scheduled_end
    )


def _found(
    rules: Recognition, visit: Visit, reason: str, says: str, rule: str, classification: str, deviation: str
) -> Verdict:
    # It happened when the visit was due, as with a dose: a later word on it must not move it.
    due = visit.scheduled_start
    saved = visit.saved_by_alert_at is not None and reason != NOT_DELIVERED
    link = without_absent({"stage_affected": _stage_affected(visit, reason, deviation), "system_used": visit.system})
    submission = without_absent(
        {
            "occurred_at": format_instant(due),
            "scheduled_at": format_instant(due),
            "discovered_at": instant(visit.saved_by_alert_at) if saved else None,
            "service_id": visit.service_id,
            "incident_type": "visit",
            "deviation": deviation,
            "classification": classification,
            "staff_involved": [{"ref": ref} for ref in visit.staff_refs] or None,
            "person_ref": visit.person_ref,
            "recovery_barrier": "system_alert" if saved else None,
            "narrative": visit.reason,
            "workflow_link": link or None,
        }
    )
    run = None
    if visit.staff_refs and not saved:  # A run is one person's: without a name nobody can say that two belong to one.
        run = together(submission, visit.staff_refs[0], due, rules.run_within)
    return Verdict(reason, says, rule, submission, run, _mapped_against(visit))


def _stage_affected(visit: Visit, reason: str, deviation: str) -> str | None:
    """The stage, where the source leaves no doubt; else a person says which it was."""
    if reason == MISSED_CHECK_IN:
        return "check_in"
    travel = _travel(visit)
    longer = travel is not None and travel["actual_minutes"] > travel["planned_minutes"]
    return "travel" if longer and deviation == "late" else None


def _mapped_against(visit: Visit) -> dict[str, Any]:
    """What the roster knows of the three assumptions of S9, in the shape of a workflow link."""
    scheduling = {"planned": format_instant(visit.scheduled_start), "actual": instant(visit.actual_start)}
    staff = {"actual": len(visit.staff_refs)} if visit.staff_refs else None
    return without_absent(
        {"scheduling": without_absent(scheduling), "staff_allocation": staff, "travel_time": _travel(visit)}
    )


def _travel(visit: Visit) -> dict[str, float] | None:
    """Minutes on the way, planned and actual, when both are known."""
    travel = visit.travel
    if travel is None or travel.planned_minutes is None or travel.actual_minutes is None:
        return None
    return {"planned_minutes": travel.planned_minutes, "actual_minutes": travel.actual_minutes}
