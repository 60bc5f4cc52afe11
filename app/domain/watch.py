"""One stream for each rule's key while it cools down: reports are deferred there, never dropped."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class CooldownEnded:
    """The cool-down of a key ended; what had been deferred was judged: raised as an escalation, or below threshold."""

    rule_id: str
    key_text: str
    scheduled_at: datetime
    escalation_id: str | None = None


@dataclass(frozen=True, slots=True)
class Deferred:
    """A policy that was adopted found a pattern on a key that cools down: it is judged when that ends."""

    rule_id: str
    key_text: str
    near_miss_ids: tuple[str, ...]
    until: datetime


@dataclass(frozen=True, slots=True)
class CooldownExtended:
    """The policy has lengthened the cool-down since it began: what is deferred waits until then."""

    rule_id: str
    key_text: str
    scheduled_at: datetime
    until: datetime
