"""What a care system says happened, in our words: a dose, a visit, a near miss, harm, or how much there was to do.

Codes that nobody here knows are kept as `unmapped`: what a system sends is never lost to a word.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

UNMAPPED = "unmapped"


@dataclass(frozen=True, slots=True)
class Administration:
    """One dose of one medicine for one person. `tolerance_minutes`: how far from `scheduled_at` it may be given.

    `status`: given, late, omitted, refused, held, prompted, not_available, person_absent, not_required,
    self_administered or unmapped. `saved_by_alert_at`: an alert went off and the dose was given after all.
    `status_said`: the source's own code when it is unmapped here; the rules of recognition may know it.
    """

    status: str
    scheduled_at: datetime
    service_id: str | None = None
    person_ref: str | None = None
    medication: str | None = None
    administered_at: datetime | None = None
    tolerance_minutes: float | None = None
    staff_ref: str | None = None
    reason: str | None = None
    system: str | None = None
    time_critical: bool | None = None
    saved_by_alert_at: datetime | None = None
    status_said: str | None = None

    @property
    def identity(self) -> tuple[str | None, ...] | None:
        """What tells it from every other of its source; a later word on the same one is a revision of it. None where
        nobody is named: doses of two people at one time could not be told apart.
        """
        if self.person_ref is None:
            return None
        scheduled_at = self.scheduled_at.isoformat()
        return ("administration", self.service_id, self.person_ref, self.medication, scheduled_at)


@dataclass(frozen=True, slots=True)
class Travel:
    """Minutes on the way, as planned and as they were."""

    planned_minutes: float | None = None
    actual_minutes: float | None = None


@dataclass(frozen=True, slots=True)
class Visit:
    """One call at a person's home. `status`: planned, started, completed, late, missed, cancelled or unmapped.

    `status_said`: the source's own code when it is unmapped here; the rules of recognition may know it.
    """

    status: str
    scheduled_start: datetime
    service_id: str | None = None
    person_ref: str | None = None
    visit_id: str | None = None
    scheduled_end: datetime | None = None
    actual_start: datetime | None = None
    actual_end: datetime | None = None
    staff_refs: tuple[str, ...] = ()
    travel: Travel | None = None
    saved_by_alert_at: datetime | None = None
    reason: str | None = None
    system: str | None = None
    status_said: str | None = None

    @property
    def identity(self) -> tuple[str | None, ...] | None:
        """What tells it from every other of its source; a later word on the same one is a revision of it. None where
        neither the visit nor the person is named.
        """
        if self.visit_id is not None:
            return ("visit", self.visit_id)
        if self.person_ref is None:
            return None
        return ("visit", self.service_id, self.person_ref, self.scheduled_start.isoformat())


@dataclass(frozen=True, slots=True)
class Reported:
    """A near miss that a system itself calls one: a submission (see `POST /v1/near-misses`), details may be missing."""

    document: Mapping[str, Any]

    @property
    def identity(self) -> None:
        """It is told once, and corrected by people."""
        return


@dataclass(frozen=True, slots=True)
class Incident:
    """Harm was done: a reference for lead times, which is never counted. `harm`: low, moderate, severe or death."""

    incident_type: str
    occurred_at: str
    harm: str
    service_id: str | None = None
    reference: str | None = None
    person_ref: str | None = None
    narrative: str | None = None

    @property
    def identity(self) -> None:
        """It is told once, and corrected by people."""
        return


@dataclass(frozen=True, slots=True)
class Denominator:
    """How much there was to do in a service on a day (an ISO date of the organisation's time zone)."""

    service_id: str
    date: str
    doses_due: int | None = None
    visits_scheduled: int | None = None
    resident_days: int | None = None

    @property
    def identity(self) -> None:
        """The later word on a service and a day stands by itself."""
        return


Occurrence = Administration | Visit | Reported | Incident | Denominator


@dataclass(frozen=True, slots=True)
class Round:
    """Late together is one near miss of several persons: those of one `key` whose `at` is within `within_minutes`
    of the first. The key may hold references of people: it is kept only as a keyed hash.
    """

    key: tuple[str | None, ...]
    at: datetime
    within_minutes: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an occurrence is a near miss, and why.

    `reason` is a code, `says` a sentence for people, `rule` the recognition rule that decided. `submission`: the intake
    document of the near miss, None when it is none. `mapped_against`: what the source knows of scheduling, staff
    allocation and travel time (planned, actual), from which a person's workflow link starts.
    """

    reason: str
    says: str
    rule: str | None = None
    submission: Mapping[str, Any] | None = None
    round: Round | None = None
    mapped_against: Mapping[str, Any] = field(default_factory=dict[str, Any])
