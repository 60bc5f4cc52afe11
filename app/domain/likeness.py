"""How much two records look like one occurrence that two systems told of: a score that says how it came about.

Some things speak against it altogether, whatever else agrees: the same system told both, for it knows its own; another
service or person; times too far apart; kinds of event that cannot be one. What is left is a sum of parts, each with its
weight and a sentence, so that whoever confirms can see why they were asked. It decides nothing by itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from app.domain.moment import Moment, Span

WITHOUT_PERSON = Span.parse("PT5M")
"""How near in time two records must be where one of them names no person."""

WEIGHTS: Mapping[str, int] = {
    "service": 10,
    "person": 30,
    "time": 35,
    "incident_type": 15,
    "deviation": 10,
}
"""Part → its weight; a hundred together, a score of 1."""

PARTS: Mapping[str, tuple[str, int, str]] = {
    "same_service": ("service", 10, "Both name the same service."),
    "same_person": ("person", 30, "Both name the same person."),
    "same_staff": ("person", 20, "One names no person; both name the same member of staff."),
    "same_time": ("time", 35, "Both say the same time."),
    "near_time": ("time", 35, "They lie {minutes} min apart."),
    "same_type": ("incident_type", 15, "Both are of the same incident type."),
    "compatible_type": ("incident_type", 8, "One system would see it as {one}, the other as {other}."),
    "same_deviation": ("deviation", 10, "Both say the same deviation."),
    "compatible_deviation": ("deviation", 7, "Their deviations can be one event: {one} and {other}."),
    "deviation_unsaid": ("deviation", 5, "One of them names no deviation that could be compared."),
}
"""What may speak for it: the part it belongs to, what it adds, and a sentence. Less for times that lie apart."""

COMPATIBLE_TYPES = frozenset(
    {
        frozenset({"medication", "visit"}),  # A visit that came late gave the dose late.
        frozenset({"moving_handling", "equipment"}),
    }
)
"""Different incident types that systems give to one occurrence."""

COMPATIBLE_DEVIATIONS = frozenset(
    {
        frozenset({("medication", "late"), ("medication", "omitted")}),
        frozenset({("visit", "late"), ("visit", "missed")}),
        frozenset({("visit", "missed"), ("visit", "unallocated")}),
        frozenset({("visit", "late"), ("visit", "unallocated")}),
        frozenset({("escalation", "late"), ("escalation", "not_made")}),
        frozenset({("escalation", "late"), ("escalation", "no_response")}),
        frozenset({("medication", "late"), ("visit", "late")}),
        frozenset({("medication", "late"), ("visit", "missed")}),
        frozenset({("medication", "late"), ("visit", "unallocated")}),
        frozenset({("medication", "omitted"), ("visit", "late")}),
        frozenset({("medication", "omitted"), ("visit", "missed")}),
        frozenset({("medication", "omitted"), ("visit", "short")}),
        frozenset({("medication", "omitted"), ("visit", "unallocated")}),
        frozenset({("moving_handling", "equipment_not_used"), ("equipment", "fault")}),
        frozenset({("moving_handling", "equipment_not_used"), ("equipment", "unavailable")}),
        frozenset({("moving_handling", "wrong_equipment"), ("equipment", "wrong_setting")}),
        frozenset({("moving_handling", "wrong_equipment"), ("equipment", "misuse")}),
        frozenset({("moving_handling", "unplanned_lift"), ("equipment", "fault")}),
        frozenset({("moving_handling", "unplanned_lift"), ("equipment", "unavailable")}),
    }
)
"""Different deviations, each with its incident type, that can be two words for one event."""

UNSAID = frozenset({None, "other"})
"""Deviations that could be any."""

AGAINST: Mapping[str, str] = {
    "same_source": "The same system told both: it knows its own.",
    "another_service": "They are of different services.",
    "no_time": "One of them has no time of day.",
    "too_far_apart": "Their times lie too far apart.",
    "another_person": "They name different persons.",
    "no_person": "One of them names no person, and no member of staff is named by both within five minutes.",
    "another_type": "Their incident types are not two words for one event.",
    "another_deviation": "Their deviations are not two words for one event.",
}
"""What speaks against it altogether, in the order in which it is looked at."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A record as far as it can be compared: persons and staff by token only, no source where none was named."""

    source: str | None
    service_id: str | None
    moment: Moment
    incident_type: str
    deviation: str | None = None
    persons: frozenset[str] = frozenset()
    staff: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that speaks for it: a code of `PARTS`, points out of the part's weight, and a sentence."""

    code: str
    points: float
    of: float
    says: str


@dataclass(frozen=True, slots=True)
class Likeness:
    """`score` from 0 to 1, the sum of its reasons' points; `against`: a code of `AGAINST`, if anything is."""

    score: float
    reasons: tuple[Reason, ...]
    against: str | None = None


def likeness(one: Occurrence, other: Occurrence, within: Span) -> Likeness:
    """How much two records look like one occurrence, whichever comes first."""
    reasons = tuple(
        reason
        for reason in (
            _service(one, other),
            _person(one, other),
            _time(one, other, within),
            _type(one, other),
            _deviation(one, other),
        )
        if reason is not None
    )
    hundredths = sum(round(reason.points * 10_000) for reason in reasons)
    return Likeness(hundredths / 10_000, reasons, against(one, other, within))


def against(one: Occurrence, other: Occurrence, within: Span) -> str | None:
    """What speaks against it altogether, as a code."""
    if one.source == other.source:
        return "same_source"
    if one.service_id is None or one.service_id != other.service_id:
        return "another_service"
    if one.moment.date_only or other.moment.date_only:
        return "no_time"
    if _apart(one, other) > within.longest:
        return "too_far_apart"
    if one.persons and other.persons:
        if one.persons.isdisjoint(other.persons):
            return "another_person"
    elif one.staff.isdisjoint(other.staff) or _apart(one, other) > WITHOUT_PERSON.longest:
        return "no_person"
    if _type(one, other) is None:
        return "another_type"
    if _deviation(one, other) is None:
        return "another_deviation"
    return None


def _apart(one: Occurrence, other: Occurrence) -> int:
    return abs(one.moment.at - other.moment.at)


def _service(one: Occurrence, other: Occurrence) -> Reason | None:
    return _reason("same_service") if one.service_id is not None and one.service_id == other.service_id else None


def _person(one: Occurrence, other: Occurrence) -> Reason | None:
    if not one.persons.isdisjoint(other.persons):
        return _reason("same_person")
    if one.persons and other.persons:
        return None
    return None if one.staff.isdisjoint(other.staff) else _reason("same_staff")


def _time(one: Occurrence, other: Occurrence, within: Span) -> Reason | None:
    apart = _apart(one, other)
    if one.moment.date_only or other.moment.date_only or apart > within.longest:
        return None
    if not apart:
        return _reason("same_time")
    minutes = f"{apart / 60_000_000:.1f}".removesuffix(".0")
    return _reason("near_time", 1 - Fraction(apart, within.longest), minutes=minutes)


def _type(one: Occurrence, other: Occurrence) -> Reason | None:
    if one.incident_type == other.incident_type:
        return _reason("same_type")
    if frozenset({one.incident_type, other.incident_type}) in COMPATIBLE_TYPES:
        return _reason("compatible_type", one=one.incident_type, other=other.incident_type)
    return None


def _deviation(one: Occurrence, other: Occurrence) -> Reason | None:
    if one.deviation in UNSAID or other.deviation in UNSAID:
        return _reason("deviation_unsaid")
    mine, theirs = (one.incident_type, one.deviation), (other.incident_type, other.deviation)
    if mine == theirs:
        return _reason("same_deviation")
    if frozenset({mine, theirs}) in COMPATIBLE_DEVIATIONS:
        return _reason("compatible_deviation", one=str(one.deviation), other=str(other.deviation))
    return None


def _reason(code: str, share: Fraction = Fraction(1), **words: str) -> Reason:
    part, points, says = PARTS[code]
    return Reason(code, round(float(points * share) / 100, 4), WEIGHTS[part] / 100, says.format(**words))
