"""Signals: told once for each series, answered once by somebody of the service, and shown as they were told.

What is in alarm was found outside the head's lock. Under it is looked at again whether that still stands: no signal of
the series is open, no threshold was reached, nobody spoke meanwhile. So it is told once, however many workers ask.
"""

from collections.abc import Collection
from datetime import date
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from sqlalchemy import Connection, func, or_, select

from app.database.tables import FOR_EVER, escalation_members, escalations, near_misses, signals
from app.domain import signal, source
from app.domain.decider import NotFound
from app.domain.escalation import Status
from app.domain.moment import DAY, to_micros
from app.domain.service import locality_at
from app.domain.signal import Acknowledged, Drought, Found, Signal, Trend
from app.events.envelope import instant
from app.events.store import Cause, Draft
from app.operations.asking import managers_of
from app.operations.configuration import Configuration
from app.operations.desk import Desk
from app.operations.documents import clear
from app.operations.job import PreconditionFailed
from app.operations.reporting import Sealer, sealed_before
from app.operations.settle import STALE
from app.operations.show import Reader
from app.operations.signal_seen import HOLDS, WEEK
from app.projections.signals import series_text

NO_SUCH_SIGNAL = "No signal of that id belongs to this organisation: GET /v1/signals lists them."
_UNSHOWN = {"notify", "nobody_reachable", "why"}


def signal_id_of(organisation: str, found: Found, week: int) -> str:
    """The id of the signal that something in alarm makes in a week (its Monday): the same whoever finds it."""
    name = f"forewarn {organisation} signal {series_text(found)} {to_micros(found.since)} {week}"
    return "sig_" + uuid5(NAMESPACE_URL, name).hex


# Commands


def tell(desk: Desk, cause: Cause, signal_id: str, found: Found) -> None:
    """Tell the managers of the service what was found in alarm, unless that no longer stands."""
    stream = f"signal/{signal_id}"
    state, version = desk.fold(stream, signal.UNTOLD, signal.evolve)
    if not _stands(desk, found):
        return
    tell_them = signal.Tell(found, *managers_of(desk, found.service_id))
    desk.append(cause, [Draft(stream, version, signal.decide(tell_them, state))])


def acknowledge(desk: Desk, cause: Cause, signal_id: str, note: str, if_match: int | None) -> None:
    """Somebody answers a signal. `NotFound`, `PreconditionFailed`, or `AlreadyAcknowledged`."""
    stream = f"signal/{signal_id}"
    state, version = desk.fold(stream, signal.UNTOLD, signal.evolve)
    if state.told is None:
        raise NotFound(NO_SUCH_SIGNAL)
    if if_match is not None and if_match != version:
        raise PreconditionFailed(STALE)
    command = signal.Acknowledge(_sealed(desk, state, note), cause.actor)
    desk.append(cause, [Draft(stream, version, signal.decide(command, state))])


def _sealed(desk: Desk, state: Signal, note: str) -> signal.SealedText:
    """The words under a key of the signal's own; as they were sealed before, if they are the same."""
    known = sealed_before(desk, note, [state.answered.note] if state.answered is not None else [])
    return known or Sealer(desk).text(note)


def _stands(desk: Desk, found: Found) -> bool:
    row, seen_up_to = signals.c, found.as_of_sequence
    since = select(row.signal_id).where(
        row.organisation == desk.organisation,
        row.service_id == found.service_id,
        row.series == series_text(found),
        or_(row.status == "open", row.sequence > seen_up_to, row.acknowledged_sequence > seen_up_to),
    )
    if desk.connection.execute(since).first() is not None:
        return False
    if isinstance(found, Trend):
        alarmed = alarmed_until(desk.connection, desk.organisation, found.service_id, to_micros(found.since))
        return found.kind != "rising" or alarmed.get(found.incident_type, 0) < to_micros(found.since)
    return not _spoke(desk, found)


def _spoke(desk: Desk, found: Drought) -> bool:
    """Whether anything was recorded of the service since it was looked at, or its source's silence was told."""
    near_miss = near_misses.c
    chosen = select(near_miss.near_miss_id).where(
        near_miss.organisation == desk.organisation,
        near_miss.service_id == found.service_id,
        near_miss.sequence > found.as_of_sequence,
    )
    if desk.connection.execute(chosen.limit(1)).first() is not None:
        return True
    if found.source is None:
        return False
    standing, _ = desk.fold(f"source/{found.source}", source.UNDECLARED, source.evolve)
    return standing.silent_since is not None


# What else is known of a service


def alarmed_until(connection: Connection, organisation: str, service_id: str, since: int) -> dict[str, int]:
    """Incident type → until when an escalation of it last asked about its near misses; of those open now, or after an
    instant. All in microseconds.

    It asks while it is open, and no longer than an answer holds after the newest of them happened: what rises later
    belongs to no escalation, and nobody would be told of it.
    """
    raised, member, near_miss = escalations.c, escalation_members.c, near_misses.c
    chosen = (
        select(near_miss.incident_type, raised.is_open, raised.closed_at, func.max(near_miss.occurred_at))
        .select_from(escalations)
        .join(
            escalation_members,
            (member.organisation == raised.organisation) & (member.escalation_id == raised.escalation_id),
        )
        .join(
            near_misses,
            (near_miss.organisation == member.organisation) & (near_miss.near_miss_id == member.near_miss_id),
        )
        .where(
            raised.organisation == organisation,
            raised.service_id == service_id,
            raised.status != Status.HISTORICAL.value,
            or_(raised.is_open, raised.closed_at >= since),
            member.valid_to == FOR_EVER,
            member.kind == "member",
        )
        .group_by(near_miss.incident_type, raised.escalation_id, raised.is_open, raised.closed_at)
    )
    found: dict[str, int] = {}
    for incident_type, is_open, closed_at, newest in connection.execute(chosen):
        asks = newest + HOLDS * WEEK * DAY
        until = asks if is_open else min(asks, closed_at)
        found[incident_type] = max(found.get(incident_type, 0), until)
    return found


def locality_of(settled: Configuration, service_id: str, day: int) -> str | None:
    """The locality that a service belonged to on a day."""
    _, its = settled.service_of(service_id)
    return locality_at(its, date.fromordinal(day))


# What is shown


def show(reader: Reader, signal_id: str) -> dict[str, Any]:
    """The signal as it stands, or as the reader knows it; or `NotFound`."""
    found = documents(reader, [signal_id])
    if not found:
        raise NotFound(NO_SUCH_SIGNAL)
    return found[0]


def documents(reader: Reader, ids: Collection[str]) -> list[dict[str, Any]]:
    """The signals of these ids that exist, in the order asked."""
    streams = reader.told([f"signal/{one}" for one in ids])
    told = {stream: events for stream, events in streams.items() if events}
    addressed = {to for events in told.values() for to in events[0].event.notify}
    answered_by = {one.event.by for events in told.values() for one in events if isinstance(one.event, Acknowledged)}
    names = reader.names({*addressed, *answered_by})
    opener = reader.opener(told.values())
    shown: list[dict[str, Any]] = []
    for stream, events in told.items():
        first = events[0]
        state = signal.UNTOLD
        for one in events:
            state = signal.evolve(state, one.event)
        said = {name: value for name, value in clear(first.event, opener).items() if name not in _UNSHOWN}
        document: dict[str, Any] = {
            "id": stream.removeprefix("signal/"),
            "sequence": first.envelope.sequence,
            "status": state.status,
            **said,
            "kind": signal.kind_of(first.event),
            "owner": {
                "role": "manager",
                "holders": [names[to] for to in first.event.notify if to in names],
                "nobody_reachable": first.event.nobody_reachable,
            },
            "raised_at": instant(first.envelope.recorded_at),
            "version": len(events),
        }
        for one in events:
            if isinstance(one.event, Acknowledged):
                document["acknowledgement"] = {
                    "note": opener(one.event.note),
                    "by": names.get(one.event.by, one.event.by),
                    "at": instant(one.envelope.recorded_at),
                }
        shown.append(document)
    return shown


def unanswered(reader: Reader, services: Collection[str] | None, until: int) -> list[dict[str, Any]]:
    """The signals raised before an instant (microseconds) that nobody had answered as far as the reader knows, the
    oldest first; of these services, or of all: what a governance review has to weigh (S13, S19).
    """
    row = signals.c
    chosen = select(row.signal_id).where(row.organisation == reader.organisation, row.raised_at < until)
    if reader.as_of is None:
        chosen = chosen.where(row.status == "open")
    else:
        chosen = chosen.where(
            row.sequence <= reader.as_of,
            or_(row.acknowledged_sequence.is_(None), row.acknowledged_sequence > reader.as_of),
        )
    if services is not None:
        chosen = chosen.where(row.service_id.in_(sorted(services)))
    return documents(reader, reader.connection.execute(chosen.order_by(row.sequence)).scalars().all())
