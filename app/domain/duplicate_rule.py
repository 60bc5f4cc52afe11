"""One stream for the organisation's rule on duplicates: how near in time, from which score people are asked, and from
which the service confirms by itself; unless somebody says so it never does.

A version is never changed, only followed: a pair is judged by the version in force when its records came in or changed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from app.domain.decider import Fault, Invalid
from app.domain.moment import DAY, Span

STREAM = "duplicate_rule/current"
WITHIN = Span.parse("PT30M")
LONGEST = DAY
"""The most that two records of one occurrence may lie apart, in microseconds."""


@dataclass(frozen=True, slots=True)
class DuplicateRule:
    """A version. Scores are from 0 to 1; without `confirm_at` only people confirm."""

    version: int = 1
    within: Span = WITHIN
    propose_at: float = 0.6
    confirm_at: float | None = None


INITIAL = DuplicateRule()


@dataclass(frozen=True, slots=True)
class Adopt:
    """Put a rule in force as the next version. `within` is ISO 8601."""

    within: str = WITHIN.text
    propose_at: float = INITIAL.propose_at
    confirm_at: float | None = None


@dataclass(frozen=True, slots=True)
class Adopted:
    """The rule in force from here on."""

    rule_version: int
    within: str
    propose_at: float
    confirm_at: float | None = None


def decide(command: Adopt, rule: DuplicateRule) -> list[Adopted]:
    """The next version, or nothing when it says what is in force already; raises `Invalid`."""
    if faults := list(_contradictions(command)):
        raise Invalid(*faults)
    if (command.within, command.propose_at, command.confirm_at) == (rule.within.text, rule.propose_at, rule.confirm_at):
        return []
    return [Adopted(rule.version + 1, command.within, command.propose_at, command.confirm_at)]


def _contradictions(command: Adopt) -> Iterator[Fault]:
    span = Span.parse(command.within)
    if span.months or span.longest > LONGEST:
        yield Fault("/within", "out-of-range", "Give at most a day (P1D): what lies further apart is not one.")
    if command.confirm_at is not None and command.confirm_at < command.propose_at:
        yield Fault("/confirm_at", "out-of-order", "Give at least `propose_at`: what is confirmed was proposed.")


def evolve(_: DuplicateRule, event: Adopted) -> DuplicateRule:
    """The rule after one was adopted."""
    return DuplicateRule(event.rule_version, Span.parse(event.within), event.propose_at, event.confirm_at)


def document(rule: DuplicateRule) -> dict[str, Any]:
    """The rule as the API contract shows it."""
    return {
        "version": rule.version,
        "within": rule.within.text,
        "propose_at": rule.propose_at,
        "confirm_at": rule.confirm_at,
    }
