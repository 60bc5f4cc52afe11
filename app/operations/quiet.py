"""Sources that are expected to speak: declared, asked for by a timer, told when they fall silent and when they return.

When a source was heard last stands in a follower's table, and in the ledger after that follower's place: so no
submission does anything for it. A follower that is far behind leaves a timer unanswered, and the timer asks again.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from app.database.tables import events, heard_sources
from app.domain import source
from app.domain.decider import NotFound
from app.domain.moment import format_instant, from_micros, to_micros
from app.domain.source import Silent, Source
from app.events.canonical import quote
from app.events.catalogue import NAMES
from app.events.codec import told as decoded
from app.events.envelope import Envelope, Told
from app.events.store import Cause, Draft, position
from app.operations.asking import managers_of
from app.operations.desk import Desk
from app.operations.follow import place_of
from app.operations.job import PreconditionFailed
from app.operations.settle import STALE
from app.operations.show import Reader
from app.operations.timing import timer_cause
from app.projections.heard import SPEAKING, speaker
from app.projections.timers import SOURCE

FOLLOWER = "heard_sources"
MOST_BEHIND = 20_000
"""Events that the follower may be behind while the ledger after it is looked through under the head's lock."""
NO_SUCH_SOURCE = "No rhythm was declared for a source of that name: GET /v1/sources lists all that are known."


class Hearing(NamedTuple):
    """When a source was heard last (microseconds), and by which event."""

    at: int
    sequence: int


NEVER = Hearing(0, 0)


# Commands


def declare(desk: Desk, cause: Cause, name: str, command: source.Declare, if_match: int | None) -> None:
    """Say how often a source is to speak, or that it is not expected to."""
    state, version = _answered(desk, name)
    _must_match(version, if_match)
    service_id, _ = desk.configuration.service_of(command.service_id)
    said = source.Declare(name, command.expected_every, service_id, command.description, desk.configuration.zone.key)
    decided = source.decide(said, state, from_micros(desk.micros))
    desk.append(cause, [Draft(f"source/{name}", version, decided)])


def expect_no_more(desk: Desk, cause: Cause, name: str, if_match: int | None) -> None:
    """The source is no longer expected to speak; what else was declared of it stays."""
    state, version = _answered(desk, name)
    if not version:
        raise NotFound(NO_SUCH_SOURCE)
    _must_match(version, if_match)
    said = source.Declare(name, None, state.service_id, state.description, state.time_zone)
    decided = source.decide(said, state, from_micros(desk.micros))
    desk.append(cause, [Draft(f"source/{name}", version, decided)])


def speak_again(desk: Desk, cause: Cause, name: str) -> None:
    """Tell that a source whose silence was told has spoken since, if that is so."""
    told = desk.read(f"source/{name}")
    heard = last_heard(desk.connection, desk.organisation, name)
    if heard is not None and heard.sequence > silence_of(told):
        decided = source.decide(source.SpeakAgain(from_micros(heard.at)), _folded(told), from_micros(desk.micros))
        desk.append(cause, [Draft(f"source/{name}", len(told), decided)])


# The timer


def fire(desk: Desk, name: str) -> None:
    """A timer asks; what has come from the source answers."""
    _answered(desk, name)


def _answered(desk: Desk, name: str) -> tuple[Source, int]:
    """The source with all answered that is due, and its version."""
    stream = f"source/{name}"
    state, version = desk.fold(stream, source.UNDECLARED, source.evolve)
    if state.due_at is None or to_micros(state.due_at) > desk.micros:
        return state, version
    heard = last_heard(desk.connection, desk.organisation, name)
    if heard is None:
        return state, version
    notify, nobody_reachable = managers_of(desk, state.service_id)
    ask = source.Ask(None if heard is NEVER else from_micros(heard.at), notify, nobody_reachable)
    decided = source.decide(ask, state, from_micros(desk.micros))
    cause = timer_cause(desk.organisation, SOURCE, name, to_micros(state.due_at), version)
    desk.append(cause, [Draft(stream, version, decided)])
    for event in decided:
        state = source.evolve(state, event)
    return state, version + len(decided)


# What was heard


def last_heard(connection: Connection, organisation: str, name: str) -> Hearing | None:
    """When the source was heard last, `NEVER` if it never was; None while the follower is too far behind to tell."""
    place = place_of(connection, organisation, FOLLOWER)  # Before the row: what it passes meanwhile is looked at twice.
    if position(connection, organisation) - place > MOST_BEHIND:
        return None
    row = heard_sources.c
    known = select(row.heard_at, row.heard_sequence).where(row.organisation == organisation, row.source == name)
    found = connection.execute(known).one_or_none()
    before = NEVER if found is None or found.heard_at is None else Hearing(found.heard_at, found.heard_sequence)
    return _in_the_rest(connection, organisation, name, place) or before


def _in_the_rest(connection: Connection, organisation: str, name: str, place: int) -> Hearing | None:
    """The last time that the ledger tells of it after the follower's place."""
    event = events.c
    chosen = (
        select(events)
        .where(
            event.organisation == organisation,
            event.sequence > place,
            event.type.in_([NAMES[kind][0] for kind in SPEAKING]),
            event.payload.contains(f'"source":{quote(name)}', autoescape=True),
        )
        .order_by(event.sequence.desc())
    )
    for row in connection.execute(chosen):
        envelope = Envelope._make(row)
        if speaker(decoded(envelope)) == name:
            return Hearing(envelope.recorded_at, envelope.sequence)
    return None


def silence_of(told: Sequence[Told[Any]]) -> int:
    """The sequence at which a source's silence was told last; 0 when it never was."""
    return max((one.envelope.sequence for one in told if isinstance(one.event, Silent)), default=0)


# What is shown


def show(reader: Reader, name: str) -> dict[str, Any]:
    """A source as the API contract shows it, or `NotFound`."""
    stream = f"source/{name}"
    told = reader.told([stream])[stream]
    heard = last_heard(reader.connection, reader.organisation, name) or NEVER
    if not told and heard is NEVER:
        raise NotFound(NO_SUCH_SOURCE)
    return shown(name, told, heard)


def shown(name: str, told: Sequence[Told[Any]], heard: Hearing) -> dict[str, Any]:
    """The source by its stream and by what came from it last."""
    last_heard_at = None if heard is NEVER else from_micros(heard.at)
    state = source.as_heard(_folded(told), last_heard_at, since_told=heard.sequence > silence_of(told))
    document = {
        "source": name,
        "service_id": state.service_id,
        "description": state.description,
        "expected_every": state.expected_every,
        "status": "active" if state.silent_since is None else "silent",
        "last_heard_at": None if last_heard_at is None else format_instant(last_heard_at),
        "silent_since": None if state.silent_since is None else format_instant(state.silent_since),
        "next_due": None if state.due_at is None else format_instant(state.due_at),
        "version": len(told),
    }
    return {name: value for name, value in document.items() if value is not None}


def _folded(told: Sequence[Told[Any]]) -> Source:
    state = source.UNDECLARED
    for one in told:
        state = source.evolve(state, one.event)
    return state


def _must_match(version: int, if_match: int | None) -> None:
    if if_match is not None and if_match != version:
        raise PreconditionFailed(STALE)
