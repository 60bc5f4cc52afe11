"""Under which name a timer acts, and the id of what it asks: the same whoever asks it, and however often."""

from uuid import NAMESPACE_URL, uuid5

from app.events.store import Cause

TIMER_ACTOR = "system/timer"


def timer_cause(organisation: str, kind: str, subject: str, due_at: int, version: int) -> Cause:
    """The command that a timer is, due at an instant (microseconds) for a stream at a version."""
    name = f"forewarn {organisation} {kind} {subject} {due_at} {version}"
    return Cause(str(uuid5(NAMESPACE_URL, name)), TIMER_ACTOR)
