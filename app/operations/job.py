"""What is handed to the writer, and what comes back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from app.database.prefetch import CommandKey, TimerRow
from app.domain.decider import Refused
from app.events.store import Cause

if TYPE_CHECKING:
    from app.operations.desk import Desk
    from app.operations.show import Reader


class Unavailable(Refused):
    """It cannot be done now, and nothing of it was done (503): asking again is right."""

    code = "unavailable"


class Withheld(Unavailable):
    """The organisation's ledger is not what a witness holds: only people can end that, so asking soon is no use."""


class SourceEventConflict(Refused):
    """A source named an occurrence that it reported before, with other content (409)."""

    code = "source-event-conflict"


class IdempotencyKeyReused(Refused):
    """An Idempotency-Key came again with another request (422)."""

    code = "idempotency-key-reused"


class PreconditionFailed(Refused):
    """The resource is no longer at the version that If-Match names (412)."""

    code = "precondition-failed"


@dataclass(slots=True)
class Answer:
    """What is answered: a status, the resource, and whether the same request was answered before."""

    status: int
    body: Mapping[str, Any]
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Idempotency:
    """Where the request's Idempotency-Key holds, and the keyed hash of what was asked."""

    key: CommandKey
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: `name` stands on every event. `ref` and `token` when a key acts for a person."""

    name: str
    ref: str | None = None
    token: str | None = None


Show = Callable[["Reader", str], Mapping[str, Any]]
"""Shows a command's resource, by its id, as the reader knows it."""


@dataclass(slots=True)
class Command:
    """Any command but a submission: `run` decides and appends, then `show` shows the subject, by its id."""

    organisation: str
    command_id: str
    actor: Actor
    subject: str
    run: Callable[["Desk", Cause], None]
    show: Show
    status: int = 200
    idempotency: Idempotency | None = None

    @property
    def cause(self) -> Cause:
        """Who asks, by which command."""
        return Cause(self.command_id, self.actor.name)


@dataclass(slots=True)
class Submit:
    """A near miss as it came through the door: `document` is valid and in clear.

    `staff_tokens` and `person_token` stand for the references in it. `fingerprint`: keyed hash of the document, when
    it names its source event. `intake`: details may be missing; `as_history`: crossings of the past alarm nobody.
    `is_reference`: harm that is kept for lead times, nobody is asked for its details or its link. `prefilled`: what the
    source knows of the assumptions that the link is mapped against (S9).
    """

    organisation: str
    command_id: str
    actor: Actor
    near_miss_id: str
    document: Mapping[str, Any]
    staff_tokens: tuple[str, ...] = ()
    person_token: str | None = None
    fingerprint: str | None = None
    idempotency: Idempotency | None = None
    intake: bool = False
    as_history: bool = False
    reported_at: datetime | None = None
    is_reference: bool = False
    prefilled: Mapping[str, Any] | None = None

    @property
    def cause(self) -> Cause:
        """Who asks, by which command."""
        return Cause(self.command_id, self.actor.name)


@dataclass(slots=True)
class Due:
    """A timer asks. What follows from it has an id of its own, which hangs on what is due, not on who asks."""

    organisation: str
    command_id: str
    actor: Actor
    timer: TimerRow

    @property
    def cause(self) -> Cause:
        """Who asks, by which command."""
        return Cause(self.command_id, self.actor.name)


Job = Command | Submit | Due
