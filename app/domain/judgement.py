"""The words of a judgement: what is remembered of earlier near misses, what each rule found, and what follows.

A check is always given, also when it found nothing (S2). An effect only tells; the stream it concerns decides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from app.domain.rule import Rule
from app.domain.similarity import Entry, Key, Number, Part

Standing = Literal["member", "related", "withdrawn"]
NamedKey = tuple[tuple[str, Part], ...]
"""Field and value, in the rule's order."""

Outcome = Literal[
    "below_threshold",
    "escalated",
    "attached",
    "related",
    "cooling_down",
    "unkeyed",
    "not_counted",
    "would_escalate",
]


# What is remembered of earlier near misses.


@dataclass(frozen=True, slots=True)
class Episode:
    """An escalation of a rule and key with its near misses. `supported`: a window of the key still qualifies."""

    escalation_id: str
    members: Mapping[str, Standing]
    supported: bool = True


@dataclass(frozen=True, slots=True)
class Closed:
    """The latest closure for a rule and key: when (microseconds since 1970), and its place in the ledger."""

    escalation_id: str
    at: int
    sequence: int


class Memory(Protocol):
    """The state before the change that is judged."""

    def entries(self, rule: Rule, key: Key, low: int, high: int) -> Sequence[Entry]:
        """What counts for the key, is not consumed and happened in (low, high], in event-time order."""
        ...

    def episode(self, rule: Rule, key: Key) -> Episode | None:
        """The open one."""
        ...

    def closed(self, rule: Rule, key: Key) -> Closed | None:
        """The latest closure."""
        ...

    def historical(self, rule: Rule, key: Key) -> Sequence[Episode]:
        """The crossings that were found in imported history, oldest first."""
        ...


# What a judgement says.


@dataclass(frozen=True, slots=True)
class RuleCheck:
    """What one rule found (S2). `count` includes the record when it is counted; `matched_ids` are the others.

    `cooldown_until` is in microseconds since 1970; `historical`: the outcome concerns a crossing of imported history.
    """

    rule_id: str
    key: NamedKey
    window: str
    threshold: int
    count: Number
    matched_ids: tuple[str, ...]
    outcome: Outcome
    mode: Literal["active", "shadow", "off"]
    cooldown_until: int | None = None
    historical: bool = False
    counted: bool = True


@dataclass(frozen=True, slots=True)
class Raise:
    """A new episode. `members` in event-time order; `crossed_at` and `delay` in microseconds.

    `crossed_at` is when the earliest window that qualifies was full. `detected_late`: reports of it came a day late or
    out of order.
    """

    rule_id: str
    key: NamedKey
    key_text: str
    members: tuple[str, ...]
    crossed_at: int
    detected_late: bool
    delay: int
    previous_episode_id: str | None
    policy_version: int


@dataclass(frozen=True, slots=True)
class RaiseHistorical:
    """A crossing in imported history, older than the window: recorded and counted, it climbs no ladder."""

    rule_id: str
    key: NamedKey
    key_text: str
    members: tuple[str, ...]
    crossed_at: int
    policy_version: int


@dataclass(frozen=True, slots=True)
class Defer:
    """A pattern on a key that cools down until an instant (microseconds): a policy found it, no report completed it."""

    rule_id: str
    key_text: str
    near_miss_ids: tuple[str, ...]
    until: int


@dataclass(frozen=True, slots=True)
class Attach:
    """What these near misses are to the episode from now on, whatever they were before."""

    rule_id: str
    escalation_id: str
    near_miss_ids: tuple[str, ...]
    kind: Literal["member", "related"]


@dataclass(frozen=True, slots=True)
class AttachHistorical:
    rule_id: str
    escalation_id: str
    near_miss_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Detach:
    """The near miss has left the key: its kind in the episode is withdrawn."""

    rule_id: str
    escalation_id: str
    near_miss_id: str


@dataclass(frozen=True, slots=True)
class SupportLost:
    """No window of the key qualifies any more; the episode stays open with its flag."""

    rule_id: str
    escalation_id: str


@dataclass(frozen=True, slots=True)
class SupportRegained:
    rule_id: str
    escalation_id: str


Effect = Raise | RaiseHistorical | Attach | AttachHistorical | Detach | SupportLost | SupportRegained


@dataclass(frozen=True, slots=True)
class Judgement:
    checks: tuple[RuleCheck, ...]
    effects: tuple[Effect, ...]
