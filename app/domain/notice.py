"""Notices: what people are told by one command, one for each of them and each stream, however many events name them.

A timer run that answers a week of missed deadlines is one command: whoever was asked seven times meanwhile is told
once, of the last time, with every reason there was. The ledger keeps each of the seven, and nobody is left out: an
event that names somebody makes a notice for them or counts in one. Who is addressed by role and by name is addressed
twice, for only whoever delivers knows who holds the role by then.

What is coalesced here was told in one breath. Whether people are told *again*, in another breath, of what has not
changed is `notify.renotification`: it weighs the state of a group against an interval, this one counts events.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from app.domain.escalation_events import Raised
from app.domain.ladder import Why


@dataclass(frozen=True, slots=True)
class Notice:
    """What somebody is told about a stream: `to` is a role, `staff/<token>` or `key/<id>`.

    `why`, `respond_by` and `level` are those of the last event that addressed them, `whys` all reasons, each once, in
    order. `scheduled_at`: when the last of what a timer told was due, the first at `first_scheduled_at`. `events` were
    coalesced.
    """

    subject: str
    to: str
    why: Why
    whys: tuple[Why, ...]
    events: int = 1
    level: int | None = None
    respond_by: datetime | None = None
    scheduled_at: datetime | None = None
    first_scheduled_at: datetime | None = None


def notices_of(told: Iterable[tuple[str, object]]) -> list[Notice]:
    """The notices that one command's events make, each with its stream; in the order in which people were addressed."""
    made: dict[tuple[str, str], Notice] = {}
    for subject, event in told:
        for one in _tellings(subject, event):
            earlier = made.get((subject, one.to))
            made[subject, one.to] = one if earlier is None else coalesced(earlier, one)
    return list(made.values())


def coalesced(earlier: Notice, later: Notice) -> Notice:
    """Two notices of one command to the same addressee about the same stream, as one: wherever a command is cut into
    parts, the notices of its parts come together to those of the whole.
    """
    return replace(
        later,
        whys=tuple(dict.fromkeys((*earlier.whys, *later.whys))),
        events=earlier.events + later.events,
        scheduled_at=later.scheduled_at or earlier.scheduled_at,
        first_scheduled_at=earlier.first_scheduled_at or later.first_scheduled_at,
    )


def _tellings(subject: str, event: Any) -> Iterator[Notice]:
    """A notice for each whom the event addresses. Every event that tells people says so by the same names."""
    scheduled_at: datetime | None = getattr(event, "scheduled_at", None)
    for to in dict.fromkeys(getattr(event, "notify", ())):
        yield Notice(
            subject,
            to,
            event.why,
            (event.why,),
            level=0 if isinstance(event, Raised) else getattr(event, "level", None),
            respond_by=getattr(event, "respond_by", None),
            scheduled_at=scheduled_at,
            first_scheduled_at=scheduled_at,
        )
