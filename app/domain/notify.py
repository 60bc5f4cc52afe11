"""When people are told again of a group that they were told of before: a reason, or none.

What is new is told at once, what is unchanged waits for the repeat interval, and what has ended is told once. The rule
is the one that Prometheus Alertmanager tells its receivers by (`DedupStage.needsUpdate`).
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

Reason = Literal["first", "members_changed", "all_resolved", "resolved_changed", "repeat_interval_elapsed"]


@dataclass(frozen=True, slots=True)
class Group:
    """The ids that are open, and those that were and are no longer."""

    open: frozenset[str] = frozenset()
    resolved: frozenset[str] = frozenset()


def renotification(
    told: Group | None, now: Group, since: timedelta, repeat: timedelta | None, on_resolve: bool = False
) -> Reason | None:
    """Why to tell of the group as it is now, after `told`, `since` that long ago; None when there is nothing to say.

    `repeat`: without it, or when it is zero, what is unchanged is never repeated. `on_resolve`: people want to hear of
    each one that ends, not only of the last.
    """
    if told is None:
        return "first" if now.open else None
    if not now.open <= told.open:
        return "members_changed"
    if not now.open:
        return "all_resolved" if told.open else None
    if on_resolve and not now.resolved <= told.resolved:
        return "resolved_changed"
    return "repeat_interval_elapsed" if repeat and since >= repeat else None
