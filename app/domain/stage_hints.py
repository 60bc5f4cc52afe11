"""Which stage of the work may have allowed a near miss: hints for whoever makes the workflow link, each with why.

A hint is never filled in: which stage allowed it is a person's judgement (S8), and nobody reads a field that fills
itself. What similar near misses were linked to comes first, then the plan that was not kept, then what such a
deviation usually means.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from app.domain.plan import PlanDeviation
from app.domain.shifts import HANDOVERS

Basis = Literal["similar", "plan", "shift", "deviation"]

ON_TIME_MINUTES = 5.0
"""On the way, what is longer than planned by more than this was not just traffic lights."""
_WEIGHTS: dict[Basis, float] = {"similar": 1.0, "plan": 0.8, "shift": 0.5, "deviation": 0.3}

_USUALLY: dict[tuple[str, str], str] = {
    ("medication", "allergy"): "prescribe",
    ("medication", "contraindicated"): "prescribe",
    ("medication", "wrong_medicine"): "dispense",
    ("medication", "extra"): "record",
    ("medication", "omitted"): "handover",
    ("visit", "late"): "travel",
    ("visit", "missed"): "publish_rota",
    ("visit", "unallocated"): "allocate",
    ("visit", "double_handed_single"): "allocate",
    ("visit", "short"): "plan",
    ("visit", "overrun"): "plan",
    ("escalation", "late"): "escalate",
    ("escalation", "not_made"): "recognise",
    ("escalation", "wrong_recipient"): "escalate",
    ("escalation", "no_response"): "respond",
    ("escalation", "incomplete_information"): "report",
}
"""Where a deviation of a type mostly begins: the weakest of reasons, for a first link with nothing to go by."""


@dataclass(frozen=True, slots=True)
class Linked:
    """Similar near misses that a person linked to one stage: how many, of how many, and the newest of them.

    `here`: of the same service; else of the whole organisation.
    """

    stage: str
    count: int
    of: int
    near_miss_ids: tuple[str, ...]
    here: bool


@dataclass(frozen=True, slots=True)
class Hint:
    """A stage and why. `score` from 0 to 1 only orders hints; it is no probability."""

    stage_allowed: str
    score: float
    basis: Basis
    says: str
    near_miss_ids: tuple[str, ...] = ()


def hints(
    stages: Collection[str],
    incident_type: str,
    deviation: str | None,
    shift_bracket: str | None,
    off: PlanDeviation,
    linked: Sequence[Linked],
) -> tuple[Hint, ...]:
    """The hints, the strongest first; of stages that the incident type has (`stages`) only, each stage once a basis."""
    found = [
        *_by_similar(linked),
        *_by_plan(incident_type, off),
        *_by_shift(shift_bracket),
        *_by_deviation(incident_type, deviation),
    ]
    return tuple(sorted((one for one in found if one.stage_allowed in stages), key=lambda one: -one.score))


def _by_similar(linked: Sequence[Linked]) -> Iterator[Hint]:
    for one in linked:
        score = _WEIGHTS["similar"] * one.count / one.of * (1.0 if one.here else 0.7)
        where = "in this service" if one.here else "in other services"
        says = f"{one.count} of {one.of} similar near misses {where} were linked to it in the last year."
        yield Hint(one.stage, round(score, 3), "similar", says, one.near_miss_ids)


def _by_plan(incident_type: str, off: PlanDeviation) -> Iterator[Hint]:
    travel, staff, late = off.travel_minutes, off.staff, off.scheduling_minutes
    if travel is not None and travel > ON_TIME_MINUTES:
        yield Hint("travel", _WEIGHTS["plan"], "plan", f"The way took {travel:g} minutes longer than planned.")
    if staff is not None and staff < 0:
        stage = "allocate" if incident_type == "visit" else "plan"
        yield Hint(stage, _WEIGHTS["plan"], "plan", f"{-staff:g} fewer staff were there than planned.")
    if late is not None and late > ON_TIME_MINUTES and travel is not None and travel <= ON_TIME_MINUTES:
        says = f"It began {late:g} minutes after its time although the way took as long as planned."
        yield Hint("plan", _WEIGHTS["plan"] / 2, "plan", says)


def _by_shift(shift_bracket: str | None) -> Iterator[Hint]:
    if shift_bracket in HANDOVERS:
        yield Hint("handover", _WEIGHTS["shift"], "shift", "It happened while one shift handed over to the next.")


def _by_deviation(incident_type: str, deviation: str | None) -> Iterator[Hint]:
    stage = _USUALLY.get((incident_type, deviation or ""))
    if stage is not None:
        yield Hint(stage, _WEIGHTS["deviation"], "deviation", "Such a deviation mostly begins there.")
