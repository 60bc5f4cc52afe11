"""Which causes the reports themselves speak for: their contributing factors, rolled up to the causes of a review.

A hint for whoever looks for causes, never a finding: only a person identifies a cause. How many near misses speak for
a cause is counted, not how often one of them names its factors.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from app.domain.taxonomy_default import CAUSE_ROLL_UP


@dataclass(frozen=True, slots=True)
class SuggestedCause:
    """A cause, and the near misses whose factors speak for it."""

    code: str
    near_miss_ids: tuple[str, ...]

    @property
    def count(self) -> int:
        return len(self.near_miss_ids)


def suggested_causes(factors: Mapping[str, Iterable[str]]) -> tuple[SuggestedCause, ...]:
    """The causes that any near miss speaks for, the most spoken for first; `factors` by near miss."""
    named = {near_miss_id: frozenset(codes) for near_miss_id, codes in factors.items()}
    suggested = [
        SuggestedCause(code, tuple(one for one, codes in named.items() if not codes.isdisjoint(rolled_up)))
        for code, rolled_up in CAUSE_ROLL_UP.items()
    ]
    return tuple(sorted((one for one in suggested if one.near_miss_ids), key=lambda one: -one.count))
