"""One stream for the ledger itself: its head, signed from time to time, so that it stands in the ledger what it was.

A checkpoint signs the state that its own event follows: `size` events, and their root. Where nothing came since the
last one there is nothing to sign, so that a ledger in which nothing happens does not grow.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

# Commands


@dataclass(frozen=True, slots=True)
class Take:
    """Take a checkpoint of the ledger as it stands, unless `every` has not passed yet."""

    size: int
    root: str
    key_id: str
    signed_note: str
    every: timedelta


Command = Take

# Events


@dataclass(frozen=True, slots=True)
class Checkpointed:
    """The ledger was signed as it was at `size` events: `root` in base64, `signed_note` a C2SP signed-note."""

    size: int
    root: str
    key_id: str
    signed_note: str


Event = Checkpointed

# State


@dataclass(frozen=True, slots=True)
class Signed:
    """The last checkpoint: what it signed, and when it was taken."""

    size: int = 0
    at: datetime | None = None


UNSIGNED = Signed()

# Decide


def decide(command: Command, signed: Signed, now: datetime) -> list[Event]:
    """What follows from a command."""
    match command:
        case Take(size, root, key_id, signed_note, every):
            if not is_called_for(signed, size, every, now):
                return []
            return [Checkpointed(size, root, key_id, signed_note)]
        case _:
            assert_never(command)


def is_called_for(signed: Signed, size: int, every: timedelta, now: datetime) -> bool:
    """Whether a ledger of that size has anything to sign, and the time has come."""
    if signed.at is None:
        return size > 0
    return size > signed.size + 1 and now >= signed.at + every  # Its own event is one more than it signed.


# Evolve


def evolve(_signed: Signed, event: Event, at: datetime) -> Signed:
    """After an event that was recorded at an instant: only the last one matters."""
    return Signed(event.size, at)
