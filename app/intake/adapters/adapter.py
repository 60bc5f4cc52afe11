"""An adapter: how the payloads of one vendor's shape become events of ours. What it says, it says as data.

The TOML files in `shipped/` are read into this (`document.py`), and `engine.py` carries it out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.intake.adapters.paths import Path

TEXT, TEXTS, TIME, MOMENT, NUMBER, TRUTH, ANY = "text", "texts", "time", "moment", "number", "truth", "any"
"""What a field of an event holds. `time` needs an instant; a `moment` may be a date; `any` is passed on as it came."""

TARGETS: Mapping[str, Mapping[str, str]] = {
    "care.emar.administration.v1": {
        "status": TEXT,
        "scheduled_at": TIME,
        "service_id": TEXT,
        "person_ref": TEXT,
        "medication": TEXT,
        "administered_at": TIME,
        "tolerance_minutes": NUMBER,
        "staff_ref": TEXT,
        "reason": TEXT,
        "system": TEXT,
        "time_critical": TRUTH,
        "saved_by_alert_at": TIME,
    },
    "care.rostering.visit.v1": {
        "status": TEXT,
        "scheduled_start": TIME,
        "service_id": TEXT,
        "person_ref": TEXT,
        "visit_id": TEXT,
        "scheduled_end": TIME,
        "actual_start": TIME,
        "actual_end": TIME,
        "staff_refs": TEXTS,
        "travel.planned_minutes": NUMBER,
        "travel.actual_minutes": NUMBER,
        "saved_by_alert_at": TIME,
        "reason": TEXT,
        "system": TEXT,
    },
    "care.near_miss.reported.v1": {
        "occurred_at": MOMENT,
        "reported_at": TIME,
        "discovered_at": TIME,
        "scheduled_at": TIME,
        "service_id": TEXT,
        "locality": TEXT,
        "incident_type": TEXT,
        "deviation": TEXT,
        "classification": TEXT,
        "contributing_factors": TEXTS,
        "person_ref": TEXT,
        "recovery_barrier": TEXT,
        "potential_harm": TEXT,
        "narrative": TEXT,
        "reported_frequency": ANY,
        "attributes": ANY,
    },
    "care.incident.v1": {
        "incident_type": TEXT,
        "harm": TEXT,
        "occurred_at": MOMENT,
        "service_id": TEXT,
        "reference": TEXT,
        "person_ref": TEXT,
        "narrative": TEXT,
    },
    "care.denominator.v1": {
        "service_id": TEXT,
        "date": TEXT,
        "doses_due": NUMBER,
        "visits_scheduled": NUMBER,
        "resident_days": NUMBER,
    },
}
"""Type of event → the fields of its data that a mapping may fill."""

FORMATS = ("json", "hl7v2")


@dataclass(frozen=True, slots=True)
class Condition:
    """Whether the first of the paths that says something says one of these values, or whether any does."""

    paths: tuple[Path, ...]
    values: frozenset[str] | None = None
    present: bool = True


@dataclass(frozen=True, slots=True)
class Spec:
    """Where a field's value stands: the first path that says something, or (`join`) all of them, in one text.

    `prefix`: the value is what follows it; a value without it says nothing.
    """

    paths: tuple[Path, ...]
    join: bool = False
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind of item: when it is this kind, and the event that it is.

    `set_aside`: field → sentence; an item that does not say the field is kept as a record with that reason, where it
    would otherwise be refused.
    """

    type: str
    when: tuple[Condition, ...]
    fields: Mapping[str, Spec]
    constants: Mapping[str, Any] = field(default_factory=dict[str, Any])
    set_aside: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class NotOurs:
    """Items that are kept as a record and never read: a subscription, a plan that names nobody."""

    when: tuple[Condition, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Adapter:
    """How one vendor's payloads are read. `revision`: the paths whose values tell one version of an item from another;
    where none says anything, a hash of the content does.

    `each`: the paths, one inside the other, of the arrays whose items are events of their own. `zone`, `unit`: of times
    without an offset, and of numbers. `known`: what is knowingly not read, names from the whole document on.
    """

    name: str
    version: int
    description: str
    shapes: tuple[Shape, ...]
    not_ours: tuple[NotOurs, ...] = ()
    format: str = "json"
    source: str | None = None
    source_at: tuple[Path, ...] = ()
    each: tuple[Path, ...] = ()
    id: tuple[Path, ...] = ()
    revision: tuple[Path, ...] | None = None
    time: tuple[Path, ...] = ()
    zone: str | None = None
    zone_at: tuple[Path, ...] = ()
    unit: str | None = None
    known: tuple[tuple[str, ...], ...] = ()
    codes: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, Mapping[str, str]])
    defaults: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def mapping(self) -> str:
        """How a record names what turned it into an event."""
        return f"{self.name}@{self.version}"

    @property
    def types(self) -> tuple[str, ...]:
        """The types of event that it makes."""
        return tuple(dict.fromkeys(shape.type for shape in self.shapes))

    @property
    def cloud_types(self) -> frozenset[str]:
        """The types of CloudEvent that it reads, where it goes by `type` and takes over the event's own name."""
        if self.each or [path.pointer for path in (*self.source_at, *self.id)] != ["/source", "/id"]:
            return frozenset()
        of_type = (
            condition.values or ()
            for shape in self.shapes
            for condition in shape.when
            if [path.pointer for path in condition.paths] == ["/type"]
        )
        return frozenset(value for values in of_type for value in values)
