"""One stream for each source whose rhythm was declared: how often it is expected to speak, and when it fell silent.

A timer only asks, and what has come from the source meanwhile answers: it was heard, and the deadline moves, or it is
silent. A silence is told once. Then the stream waits without a deadline until the source speaks again, which is told
too, or somebody declares it anew. While it speaks in time nothing is written but when it is asked for.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from app.domain.decider import Fault, Invalid
from app.domain.ladder import Why
from app.domain.moment import Span
from app.domain.rule import OWN_SOURCE
from app.domain.working_time import elapsed_deadline

SHORTEST = Span.parse("PT1M")

# Commands


@dataclass(frozen=True, slots=True)
class Declare:
    """Say how often the source is to speak (ISO 8601; not expected at all when None). Months are those of the zone."""

    source: str
    expected_every: str | None = None
    service_id: str | None = None
    description: str | None = None
    time_zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Ask:
    """A timer asks; `last_heard_at`: when something came from it last. `notify`: whom to tell if it is silent."""

    last_heard_at: datetime | None
    notify: tuple[str, ...]
    nobody_reachable: bool = False


@dataclass(frozen=True, slots=True)
class SpeakAgain:
    """Something came from it since its silence was told."""

    heard_at: datetime


Command = Declare | Ask | SpeakAgain

# Events


@dataclass(frozen=True, slots=True)
class Declared:
    """The rhythm that is expected from here on, counted from `since`, or that none is.

    Without `due_at` although it is expected, it was silent already and goes on being so.
    """

    since: datetime
    expected_every: str | None = None
    due_at: datetime | None = None
    service_id: str | None = None
    description: str | None = None
    time_zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Heard:
    """It had spoken when it was asked for: it is expected again by `due_at`."""

    last_heard_at: datetime
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Silent:
    """Nothing came from it by `due_at`; nothing has since `silent_since`, when it was heard last or declared."""

    silent_since: datetime
    due_at: datetime
    notify: tuple[str, ...]
    scheduled_at: datetime
    last_heard_at: datetime | None = None
    service_id: str | None = None
    nobody_reachable: bool = False
    why: Why = "source_silent"


@dataclass(frozen=True, slots=True)
class SpokeAgain:
    """It spoke at `heard_at`, after it had been silent since `silent_since`: it is expected again by `due_at`."""

    heard_at: datetime
    silent_since: datetime
    due_at: datetime


Event = Declared | Heard | Silent | SpokeAgain

# State


@dataclass(frozen=True, slots=True)
class Source:
    """`since`: from when its rhythm counts, the last time that its stream knows it to have spoken, or its declaration.

    `due_at` is None where nothing is expected, and while it is silent.
    """

    expected_every: str | None = None
    service_id: str | None = None
    description: str | None = None
    time_zone: str = "UTC"
    since: datetime | None = None
    due_at: datetime | None = None
    silent_since: datetime | None = None


UNDECLARED = Source()

# Decide


def decide(command: Command, source: Source, now: datetime) -> list[Event]:
    """What follows from a command; raises `Invalid` for a rhythm that nobody could keep."""
    match command:
        case Declare():
            return _declare(command, source, now)
        case Ask(last_heard_at, notify, nobody_reachable):
            events: list[Event] = []
            while source.due_at is not None and source.due_at <= now:
                if last_heard_at is not None and source.since is not None and last_heard_at > source.since:
                    events.append(Heard(last_heard_at, due_from(source, last_heard_at)))
                else:
                    events.append(_silent(source, source.due_at, last_heard_at, notify, nobody_reachable))
                source = evolve(source, events[-1])
            return events
        case SpeakAgain(heard_at):
            if source.silent_since is None:
                return []  # It has spoken already, or is not expected to.
            return [SpokeAgain(heard_at, source.silent_since, due_from(source, heard_at))]
        case _:
            assert_never(command)


def _declare(command: Declare, source: Source, now: datetime) -> list[Event]:
    if command.source == OWN_SOURCE:
        raise Invalid(Fault("/path/source", "reserved", "Name your own system: this is what the service calls itself."))
    every = command.expected_every
    if every is not None and _is_too_short(every):
        raise Invalid(Fault("/expected_every", "out-of-range", f"Give a source at least {SHORTEST} between two words."))
    declared = (every, command.service_id, command.description, command.time_zone)
    if source.since is not None and declared == _declared(source):
        return []  # Saying the same again is not an error.
    if source.since is not None and (every, command.time_zone) == (source.expected_every, source.time_zone):
        return [Declared(source.since, every, source.due_at, *declared[1:])]
    counted = replace(source, expected_every=every, time_zone=command.time_zone)
    return [Declared(now, every, None if every is None else due_from(counted, now), *declared[1:])]


def _declared(source: Source) -> tuple[str | None, str | None, str | None, str]:
    return source.expected_every, source.service_id, source.description, source.time_zone


def _silent(
    source: Source, due_at: datetime, last_heard_at: datetime | None, notify: tuple[str, ...], nobody_reachable: bool
) -> Silent:
    since = due_at if source.since is None else source.since
    return Silent(since, due_at, notify, due_at, last_heard_at, source.service_id, nobody_reachable)


def _is_too_short(expected_every: str) -> bool:
    span = Span.parse(expected_every)
    return not span.months and span.longest < SHORTEST.longest


def due_from(source: Source, heard_at: datetime) -> datetime:
    """By when a source that spoke at an instant is expected to speak again."""
    assert source.expected_every is not None
    return elapsed_deadline(heard_at, Span.parse(source.expected_every), source.time_zone)


def as_heard(source: Source, heard_at: datetime | None, *, since_told: bool) -> Source:
    """How it stands, seen together with what came from it last, which its stream may not know of yet.

    `since_told`: that came after its silence was told.
    """
    if heard_at is None or source.expected_every is None:
        return source
    if source.silent_since is not None:
        return replace(source, due_at=due_from(source, heard_at), silent_since=None) if since_told else source
    if source.since is None or heard_at <= source.since:
        return source
    return replace(source, due_at=due_from(source, heard_at))


# Evolve


def evolve(source: Source, event: Event) -> Source:
    """The source after an event that happened."""
    match event:
        case Declared(since, expected_every, due_at, service_id, description, time_zone):
            silent_since = source.silent_since if expected_every is not None and due_at is None else None
            return Source(expected_every, service_id, description, time_zone, since, due_at, silent_since)
        case Heard(last_heard_at, due_at):
            return replace(source, since=last_heard_at, due_at=due_at)
        case Silent(silent_since):
            return replace(source, due_at=None, silent_since=silent_since)
        case SpokeAgain(heard_at, _, due_at):
            return replace(source, since=heard_at, due_at=due_at, silent_since=None)
        case _:
            assert_never(event)
