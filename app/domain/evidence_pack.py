"""One stream for each evidence pack: what was asked for, and what came of it (S16).

What a pack is made of is fixed when it is asked for: the ledger up to a sequence, and the instant at which deadlines
are judged. So it can be built at any time, anywhere, any number of times, and is the same to the last byte.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, assert_never

# Words

Audience = Literal["regulator", "commissioner", "internal"]
Part = Literal["narratives", "small_cells"]
Status = Literal["unasked", "pending", "ready", "failed"]
AUDIENCES: tuple[Audience, ...] = ("regulator", "commissioner", "internal")
PARTS: tuple[Part, ...] = ("narratives", "small_cells")


@dataclass(frozen=True, slots=True)
class Previous:
    """The pack before: `size` is how many events the ledger had by which it was made."""

    pack_id: str
    size: int


@dataclass(frozen=True, slots=True)
class PackMember:
    """A file in the pack: its bytes, and their SHA-256 in hex."""

    name: str
    size: int
    sha256: str


def parts_for(audience: Audience, asked: tuple[str, ...]) -> tuple[Part, ...]:
    """What is not left out: everything for a regulator, for others only what was asked for."""
    return tuple(one for one in PARTS if audience == "regulator" or one in asked)


# Commands


@dataclass(frozen=True, slots=True)
class Ask:
    """Have a pack made of a period, of all services where none is named, as of a ledger sequence."""

    since: str
    until: str
    since_at: datetime
    until_at: datetime
    as_of_sequence: int
    services: tuple[str, ...] = ()
    audience: Audience = "regulator"
    include: tuple[str, ...] = ()
    previous: Previous | None = None


@dataclass(frozen=True, slots=True)
class Finish:
    """It has been built, and its bytes are stored."""

    size: int
    sha256: str
    members: tuple[PackMember, ...]


@dataclass(frozen=True, slots=True)
class GiveUp:
    """It cannot be built."""

    reason: str


Command = Ask | Finish | GiveUp

# Events


@dataclass(frozen=True, slots=True)
class Requested:
    """A pack of a period (`since` to before `until`: as given, and the instants), as of a ledger sequence.

    `includes`: what is not left out. `made_at`: the instant that it shows, at which deadlines are judged.
    """

    since: str
    until: str
    since_at: datetime
    until_at: datetime
    audience: Audience
    as_of_sequence: int
    made_at: datetime
    services: tuple[str, ...] = ()
    includes: tuple[Part, ...] = ()
    previous: Previous | None = None


@dataclass(frozen=True, slots=True)
class Ready:
    """It was built: bytes, their SHA-256 in hex, and what is in it."""

    size: int
    sha256: str
    members: tuple[PackMember, ...]


@dataclass(frozen=True, slots=True)
class Failed:
    """It could not be built, and is not tried again."""

    reason: str


Event = Requested | Ready | Failed

# State


@dataclass(frozen=True, slots=True)
class Pack:
    """`problem`: why it could not be built."""

    status: Status = "unasked"
    requested: Requested | None = None
    ready: Ready | None = None
    problem: str | None = None


UNASKED = Pack()

# Decide


def decide(command: Command, pack: Pack, now: datetime) -> list[Event]:
    """What follows from a command; who builds it a second time finds that it is there."""
    match command:
        case Ask():
            return [_requested(command, now)] if pack.status == "unasked" else []
        case Finish(size, sha256, members):
            return [Ready(size, sha256, members)] if pack.status == "pending" else []
        case GiveUp(reason):
            return [Failed(reason)] if pack.status == "pending" else []
        case _:
            assert_never(command)


def _requested(command: Ask, now: datetime) -> Requested:
    return Requested(
        command.since,
        command.until,
        command.since_at,
        command.until_at,
        command.audience,
        command.as_of_sequence,
        now,
        command.services,
        parts_for(command.audience, command.include),
        command.previous,
    )


# Evolve


def evolve(pack: Pack, event: Event) -> Pack:
    """The pack after an event that happened."""
    match event:
        case Requested():
            return Pack("pending", event)
        case Ready():
            return replace(pack, status="ready", ready=event)
        case Failed(reason):
            return replace(pack, status="failed", problem=reason)
        case _:
            assert_never(event)
