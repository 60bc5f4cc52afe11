"""One rule for repetition: which near misses are similar, how many within which time make a pattern, who must answer.

A rule never looks at outcome or staff: it counts what happened, where and how. All that a judgement needs over and
over (the tests of its filter, the parts of its key, the length of its window) is worked out once, here.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from app.domain.moment import DAY, Span

Scalar = str | int | float
Match = tuple[tuple[str, Scalar | tuple[Scalar, ...]], ...]
"""Field → value or values; a report matches when every field has one of its values."""

Aliases = tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
"""Field → incident type → the field that holds it for that type."""

Tests = tuple[tuple[str, frozenset[Scalar]], ...]

GROUPABLE = frozenset({
    "service_id", "locality", "incident_type", "deviation", "classification", "person_ref", "recovery_barrier",
    "potential_harm", "shift_bracket", "source", "stage_allowed", "stage_affected", "system_used",
})  # fmt: skip
SEVERAL = frozenset({"contributing_factors", "staff_ref"})
"""Fields that hold several values at once, so that none of them can be a key."""

PERSONAL = frozenset({"person_ref", "staff_ref"})
"""Known here only as tokens, which nobody can write into a filter."""

OWN_SOURCE = "forewarn"
"""The source of what the service records about itself; no other system may report under this name."""

_PAD = 51 * 60 * 60 * 1_000_000
"""A date is a day wide, and two records may be of zones 26 hours apart, an hour of summer time between them."""


@dataclass(frozen=True, slots=True)
class Step:
    """Who is asked (roles or references; nobody when empty) and how long an answer is waited for."""

    to: tuple[str, ...]
    timeout: Span
    time_basis: Literal["elapsed", "working"] = "elapsed"


@dataclass(frozen=True, slots=True)
class Ladder:
    """The steps that an escalation climbs until somebody answers; `repeat` -1 goes round without end."""

    steps: tuple[Step, ...]
    repeat: int = 0
    backstop: str = "admin"
    ack_remind: Span | None = None
    ack_confirm: Span | None = None
    max_snooze: Span | None = None


STEPS = (
    Step(("manager",), Span.parse("P1D")),
    Step(("deputy",), Span.parse("P1D")),
    Step(("operations",), Span.parse("P2D")),
)
REVIEW_DUE = Span.parse("P14D")
DEFAULT_LADDER = Ladder(STEPS, backstop="leadership")


@dataclass(frozen=True, slots=True)
class Rule:
    """What counts as a pattern. The fields are those of the policy document; what follows them is worked out once.

    `placement` names, as text, everything that decides where a record is placed: as long as it stays the same, what
    was placed by an older version of the rule stands where this one would put it. `length`: the window in microseconds
    when it is of one length (no months, not by the calendar). `width`: how far from a report, at most, another can be
    and still matter to it. `own`: it asks for what the service records about itself, which no other rule ever sees.
    """

    id: str
    name: str
    group_by: tuple[str, ...]
    threshold: int
    window: Span
    match: Match = ()
    match_any: tuple[Match, ...] = ()
    op: Literal["gte", "gt"] = "gte"
    distinct: str | None = None
    weight: str | None = None
    missing_key: Literal["exclude", "group"] = "exclude"
    cooldown: Span | None = None
    window_basis: Literal["elapsed", "calendar"] = "elapsed"
    count_classifications: tuple[str, ...] = ("near_miss", "no_harm_incident")
    mode: Literal["active", "shadow", "off"] = "active"
    aliases: Aliases = ()
    require_types: tuple[str, ...] = ()
    require_sequence: tuple[str, ...] = ()
    review_due: Span = REVIEW_DUE
    ladder: Ladder = DEFAULT_LADDER

    tests: Tests = field(init=False, repr=False, compare=False)
    alternatives: tuple[Tests, ...] = field(init=False, repr=False, compare=False)
    counted: frozenset[str] = field(init=False, repr=False, compare=False)
    alias_of: Mapping[str, Mapping[str, str]] = field(init=False, repr=False, compare=False)
    calendar: bool = field(init=False, repr=False, compare=False)
    length: int | None = field(init=False, repr=False, compare=False)
    width: int = field(init=False, repr=False, compare=False)
    plain: bool = field(init=False, repr=False, compare=False)
    own: bool = field(init=False, repr=False, compare=False)
    placement: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        calendar = self.window_basis == "calendar"
        one_length = not self.window.months and not (calendar and self.window.days)
        worked_out = {
            "tests": _tests(self.match),
            "alternatives": tuple(_tests(match) for match in self.match_any),
            "counted": frozenset(self.count_classifications),
            "alias_of": {alias: dict(targets) for alias, targets in self.aliases},
            "calendar": calendar,
            "length": self.window.days * DAY + self.window.microseconds if one_length else None,
            "width": self.window.longest + _PAD,
            "plain": self.weight is None and self.distinct is None,
            "own": ("source", frozenset({OWN_SOURCE})) in _tests(self.match),
            "placement": _placement(self),
        }
        for name, value in worked_out.items():
            object.__setattr__(self, name, value)

    def satisfied_by(self, count: float) -> bool:
        """Whether a count reaches the threshold (gte), or exceeds it (gt)."""
        return count >= self.threshold if self.op == "gte" else count > self.threshold


def plain_number(value: Scalar) -> Scalar:
    """The number in its one spelling: 3.0 is 3 and -0.0 is 0. Text stays as it is."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


def values_of(allowed: Scalar | tuple[Scalar, ...]) -> tuple[Scalar, ...]:
    """One value or several, as several."""
    return allowed if isinstance(allowed, tuple) else (allowed,)


def _tests(match: Match) -> Tests:
    return tuple((name, frozenset(values_of(allowed))) for name, allowed in match)


def _placement(rule: Rule) -> str:
    return json.dumps(
        {
            "match": _spelled(rule.match),
            "match_any": sorted((_spelled(match) for match in rule.match_any), key=json.dumps),
            "group_by": rule.group_by,
            "aliases": {alias: dict(targets) for alias, targets in rule.aliases},
            "missing_key": rule.missing_key,
            "count_classifications": sorted(set(rule.count_classifications)),
            "distinct": rule.distinct,
            "weight": rule.weight,
        },
        sort_keys=True,
        separators=(",", ":"),
    )


def _spelled(match: Match) -> list[tuple[str, list[str]]]:
    return sorted((name, _texts(values_of(allowed))) for name, allowed in match)


def _texts(values: Iterable[Scalar]) -> list[str]:
    return sorted({json.dumps(plain_number(value)) for value in values})
