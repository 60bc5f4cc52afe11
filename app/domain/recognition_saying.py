"""What the verdicts on doses and on visits share: what a status means, and how they are told."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from app.domain.moment import Span, format_instant
from app.domain.occurrence import UNMAPPED, Round, Verdict
from app.domain.recognition_rules import Meaning, minutes_of

NOT_DELIVERED = "not_delivered"
SAVED_BY_ALERT = "saved_by_alert"
NO_TIME_SAID = "no_time_said"
UNMAPPED_STATUS = "unmapped_status"

TIMED = ("late", "early")
"""Deviations that a whole round or run shares; what never came is a loss of each person's own."""

_MINUTE = timedelta(minutes=1)
_NONE = {
    "refused": "The person refused it, which is theirs to decide.",
    "held": "It was held back on purpose.",
    "prompted": "The prompt was planned, and was given.",
    "person_absent": "The person was not there.",
    "not_required": "It was not required.",
    "self_administered": "The person took it without help.",
    "planned": "It has not begun yet.",
    "cancelled": "It was called off.",
}


def meaning_of(statuses: Mapping[str, Meaning], status: str, said: str | None) -> tuple[str, Meaning | None]:
    """The status that decides, and what it means; None where it is the source's own code and nobody explained it."""
    known = said.lower() if status == UNMAPPED and said is not None else status
    return known, statuses.get(known)


def is_none(status: str) -> Verdict:
    """A status by which it is no near miss."""
    return Verdict(status, _NONE.get(status, "The rules say that this status is no near miss."), "status")


def is_unmapped() -> Verdict:
    """A status that nobody explained: kept until somebody does."""
    says = "Nobody here knows its status: say in the rules of recognition what it means, then replay it."
    return Verdict(UNMAPPED_STATUS, says)


def together(submission: Mapping[str, Any], staff: str | None, at: datetime, within: Span) -> Round | None:
    """Those that came late by one hand; of an unknown service nobody can say that they belong together.

    Of one classification: what reached the person is never hidden in a near miss of others.
    """
    service_id, deviation = submission.get("service_id"), submission["deviation"]
    if service_id is None or deviation not in TIMED:
        return None
    kind = (submission["incident_type"], service_id, deviation, submission["classification"])
    return Round((*kind, staff), at, minutes_of(within))


def minutes_between(planned: datetime, actual: datetime) -> float:
    """How much later than planned, in minutes; less than nothing when it was earlier."""
    return (actual - planned) / _MINUTE


def count(minutes: float) -> str:
    """Minutes in words."""
    number = f"{minutes:.1f}".removesuffix(".0")
    return f"{number} minute" if number == "1" else f"{number} minutes"


def instant(when: datetime | None) -> str | None:
    """The instant as a submission says it, or None."""
    return None if when is None else format_instant(when)
