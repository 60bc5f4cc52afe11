"""When a message that is owed is tried, what an answer means, and how long an endpoint may fail.

A message is tried until somebody takes it. When its schedule is through, the endpoint is held and the message waits
with it: nothing is dropped. An urgent message, for whose answer a ladder waits, is tried every few minutes for the same
time. The one thing that is ever skipped is a message about how something stands that failed while a newer one of its
kind waits behind it; it says so, and by which it was superseded.

How the tries of one message differ from the schedule hangs on its id, so that it is the same whoever asks: endpoints
that failed together are not tried together.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from hashlib import sha256
from typing import Literal

Outcome = Literal["delivered", "gone", "failed"]
Health = Literal["active", "degraded", "held"]

STANDARD: tuple[timedelta, ...] = (
    timedelta(0),
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""Gaps: before the first try, and after each one that failed."""
SPAN = sum(STANDARD, timedelta(0))
"""How long a message is tried, whichever its schedule."""
WARNED_AFTER = SPAN / 2

_HURRIED = tuple(timedelta(seconds=seconds) for seconds in (0, 5, 15, 30, 60, 120))
_AGAIN = timedelta(minutes=5)
URGENT: tuple[timedelta, ...] = (*_HURRIED, *[_AGAIN] * ((SPAN - sum(_HURRIED, timedelta(0))) // _AGAIN))

JITTER = 0.2
LONGEST_WISH = timedelta(hours=24)
"""A receiver may ask for this much time before it is tried again, and no more."""

FAILED_CONTACT = 3
FAILING_CONTACT = timedelta(seconds=60)
"""An urgent message that failed so often, or for so long, reached nobody: the next contact is due."""
ENOUGH = 3
"""Tries that it takes to say that an endpoint has been failing all the time, rather than that we were away."""

STATE_LIKE = frozenset({
    "escalation.level_entered", "escalation.chain_exhausted", "review.overdue", "action.overdue", "source.silent",
})  # fmt: skip
"""Messages that say how something stands: a newer one of the type about the same subject says all that matters."""


@dataclass(frozen=True, slots=True)
class Tries:
    """How a message has fared since its schedule began, the try included that has just failed."""

    delivery_id: str
    urgent: bool
    failed: int
    since: datetime
    """When it was first tried."""

    @property
    def schedule(self) -> tuple[timedelta, ...]:
        return URGENT if self.urgent else STANDARD


def outcome(status_code: int | None) -> Outcome:
    """Only 2xx is success. 410 says that nobody will ever answer there; anything else may pass, redirects included."""
    if status_code is None:
        return "failed"
    if 200 <= status_code < 300:
        return "delivered"
    return "gone" if status_code == 410 else "failed"


def next_attempt(tries: Tries, now: datetime, retry_after: str | None = None) -> datetime | None:
    """When to try again after a failure at `now`, not before the receiver wishes; None once the schedule is through."""
    if tries.failed >= len(tries.schedule):
        return None
    gap = tries.schedule[tries.failed] * (1 + JITTER * _lean(tries.delivery_id, tries.failed))
    wish = wished(retry_after, now)
    return now + (gap if wish is None else max(gap, wish))


def wished(retry_after: str | None, now: datetime) -> timedelta | None:
    """What a Retry-After asks for, in seconds or as an HTTP date; None when it says nothing that can be read."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        return min(timedelta(seconds=int(text[:9])), LONGEST_WISH)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if at.tzinfo is None:
        return None
    return min(max(at - now, timedelta(0)), LONGEST_WISH)


def health(tries: Tries, now: datetime) -> Health:
    """What a message that keeps failing says of its endpoint: warned at half of the time, held at its end."""
    if tries.failed >= len(tries.schedule):
        return "held"
    failing = now - tries.since if tries.failed >= ENOUGH else timedelta(0)
    if failing >= SPAN:
        return "held"
    return "degraded" if failing >= WARNED_AFTER else "active"


def hold_at(tries: Tries) -> datetime:
    """When the endpoint will be held unless the message is taken."""
    return tries.since + SPAN


def has_failed_contact(tries: Tries, now: datetime) -> bool:
    """Whether whoever was to be told by an urgent message must be taken not to have been."""
    return (
        tries.urgent and tries.failed > 0 and (tries.failed >= FAILED_CONTACT or now - tries.since >= FAILING_CONTACT)
    )


def may_be_superseded(message_type: str, failed: int) -> bool:
    """Whether a newer message of its type about its subject makes this one needless."""
    return failed > 0 and message_type in STATE_LIKE


def _lean(delivery_id: str, attempt: int) -> float:
    """Between -1 and 1, evenly, the same for the same try of the same message."""
    drawn = int.from_bytes(sha256(f"{delivery_id} {attempt}".encode()).digest()[:8])
    return drawn / (2**63) - 1
