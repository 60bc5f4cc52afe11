"""Whether a policy might see less than the one before it: what must be tried on history before it is adopted (S3).

Only rules that open reviews count. A cool-down defers; what is over by its end is asked of nobody, so that a longer one
may see less. A rule that goes by one name today and by another tomorrow is the same as long as it places records alike.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from app.domain.decider import Refused
from app.domain.moment import Span
from app.domain.policy import Policy
from app.domain.rule import Rule
from app.domain.similarity import Part

WHOLE = "P180D"
"""How long is looked back where nothing hinders."""
NOTHING = "P0D"


@dataclass(frozen=True, slots=True)
class LostEpisode:
    """An episode that the policy in force had and the new one has not; references in the key are tokens."""

    rule_id: str
    key: tuple[tuple[str, Part], ...]
    crossed_at: str
    near_miss_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LessSensitive:
    """How many reviews fewer a policy would have opened in the time looked back, and the latest of them.

    None at all when so much is recorded that not the whole time could be looked at: then nobody knows.
    """

    lost: int
    looked_back: str
    episodes: tuple[LostEpisode, ...] = ()


class PolicyLessSensitive(Refused):
    """A policy that would have opened fewer reviews is not adopted without a reason of its own (409)."""

    code = "policy-less-sensitive"

    def __init__(self, found: LessSensitive) -> None:
        super().__init__(
            f"{_told(found)} Keep the rules as sensitive as they are, or say in `reason` why this is right: it must "
            "differ from the reason in force, and the next governance review is shown both."
        )
        self.found = found


def _told(found: LessSensitive) -> str:
    if found.lost:
        several = "reviews that were" if found.lost > 1 else "review that was"
        lost = f"{found.lost} {several} called for in the last {found.looked_back} would not have been opened"
        return f"{lost}: `lost` names the latest."
    seen = "none of it" if found.looked_back == NOTHING else f"only the last {found.looked_back} of it"
    return (
        f"Whether it would open fewer reviews cannot be told: so much was recorded in the last {WHOLE} that {seen} "
        "could be looked at."
    )


class Doubt(NamedTuple):
    """A rule in force, and the rules that might see less in its place; none when nothing takes its place."""

    rule: Rule
    instead: tuple[Rule, ...]


def doubts(old: Policy, new: Policy) -> Iterator[Doubt]:
    """The rules that open reviews now, and of which it is not plain that everything they see will still be seen."""
    active = {rule.id: rule for rule in new.judging if rule.mode == "active"}
    before = {rule.id for rule in old.judging if rule.mode == "active"}
    added = tuple(rule for rule in active.values() if rule.id not in before)
    for rule in old.judging:
        if rule.mode != "active":
            continue
        candidates = (*((active[rule.id],) if rule.id in active else ()), *added)
        if not any(_sees_all(one, rule, same_zone=old.time_zone == new.time_zone) for one in candidates):
            yield Doubt(rule, candidates)


def _sees_all(new: Rule, old: Rule, *, same_zone: bool) -> bool:
    """Whether a rule plainly finds a pattern wherever the other does."""
    return (
        new.placement == old.placement
        and new.threshold + (new.op == "gt") <= old.threshold + (old.op == "gt")
        and (new.op == old.op or new.plain)
        and new.window_basis == old.window_basis
        and (same_zone or new.length is not None)
        and _not_shorter(new.window, old.window)
        and set(new.require_types) <= set(old.require_types)
        and (not new.require_sequence or new.require_sequence == old.require_sequence)
        and _cools_no_longer(new.cooldown, old.cooldown)
    )


def _cools_no_longer(new: Span | None, old: Span | None) -> bool:
    return new is None or (old is not None and _not_shorter(old, new))


def _not_shorter(new: Span, old: Span) -> bool:
    """Months are compared with months only: how long one is depends on the month."""
    if new.months or old.months:
        return new.months >= old.months and new.days >= old.days and new.microseconds >= old.microseconds
    return new.longest >= old.longest


def gives_a_reason(new: Policy, old: Policy) -> bool:
    """Whether somebody says why, in other words than for the policy in force; case and spaces make no other words."""
    said, before = (" ".join((one.reason or "").split()).casefold() for one in (new, old))
    return said not in ("", before)
