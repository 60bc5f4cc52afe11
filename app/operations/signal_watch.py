"""Looks at services for what rises below the threshold and for what falls silent, and has the writer tell it.

Each service is looked at once a day, and again when something was reported of a week that is over; so many at once, and
for so long, that a round stays short. That a service was looked at is written down after what was found there was told:
whoever is killed in between finds it again, and nothing is told twice. A service that cannot be looked at is left alone
by this process for the day, or until something changes there: the others are looked at.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from uuid import NAMESPACE_URL, uuid5

import structlog
from sqlalchemy import Connection, and_, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from app.clock import monotonic
from app.database.tables import (
    FOR_EVER,
    heard_sources,
    heatmap_facts,
    signals,
    trend_checks,
    trend_watch,
)
from app.domain.moment import DAY, from_micros, local_instant, to_micros
from app.domain.policy import Policy
from app.domain.signal import Found
from app.events.store import Cause, position
from app.operations import signalling
from app.operations.configuration import Configuration
from app.operations.desk import Desk
from app.operations.follow import PAGE, place_of
from app.operations.house import SYSTEM, House
from app.operations.job import Command
from app.operations.signal_findings import findings
from app.operations.signal_seen import LONGEST, Counted, Seen, Told, monday_named
from app.operations.trend_saying import service_named
from app.projections.trend_watch import WHOLE, monday_of

AT_ONCE = 50
LONG_ENOUGH = 0.1
"""Seconds of a round in which services are looked at: due timers need not wait for it."""
log = structlog.get_logger(__name__)

FOLLOWED = ("heatmap", "trend_watch", "heard_sources")
"""The followers whose rows are counted."""


@dataclass(frozen=True, slots=True)
class Looked:
    """A service that was looked at: on which day, with everything up to which event, and what was found."""

    service_id: str
    day: int
    sequence: int
    commands: Sequence[Command]


class SignalWatch:
    """Looks at one house; remembers which organisations it need not look at, until something changes or a day ends."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._done: dict[str, tuple[int, int]] = {}
        self._failed: dict[tuple[str, str], tuple[int, int]] = {}

    def look(self, organisation: str) -> list[Looked]:
        """The next services that are due, so many at once, each with the commands that tell what was found."""
        now = self._house.clock()
        with self._house.database.read() as connection:
            newest = _newest_change(connection, organisation)
            if newest is None:
                return []
            settled = self._house.configurations.now(connection, organisation)
            today = now.astimezone(settled.zone).toordinal()
            if self._done.get(organisation) == (today, newest):
                return []
            place = _place(connection, organisation)
            if position(connection, organisation) - place > PAGE:
                return []  # What is counted is about to change.
            due = [
                service_id
                for service_id, changed in _due(connection, organisation, today)
                if self._failed.get((organisation, service_id), (0, 0)) < (today, changed)
            ][:AT_ONCE]
            if not due:
                self._done[organisation] = (today, newest)
            return list(self._looked(connection, organisation, settled, due, now, place))

    def keep(self, organisation: str, looked: Sequence[Looked]) -> None:
        """Write down what was looked at, so that it is not before it is due again."""
        insert = sqlite.insert if self._house.database.dialect == "sqlite" else postgresql.insert
        stating = insert(trend_checks)
        row = stating.excluded
        stating = stating.on_conflict_do_update(
            index_elements=["organisation", "service_id"], set_={"day": row.day, "sequence": row.sequence}
        )
        rows = [
            {"organisation": organisation, "service_id": one.service_id, "day": one.day, "sequence": one.sequence}
            for one in sorted(looked, key=lambda one: one.service_id)  # Two workers never wait for each other.
        ]
        if rows:
            with self._house.database.write() as connection:
                connection.execute(stating, rows)

    def _looked(
        self,
        connection: Connection,
        organisation: str,
        settled: Configuration,
        due: Sequence[str],
        now: datetime,
        place: int,
    ) -> Iterator[Looked]:
        until = monotonic() + LONG_ENOUGH
        today = now.astimezone(settled.zone).toordinal()
        for service_id in due:
            try:
                seen = see(connection, organisation, settled, service_id, now, place)
                commands = [_telling(organisation, found, monday_of(today)) for found in findings(seen)]
            except SQLAlchemyError:
                raise  # The database is at fault, not the service.
            except Exception:
                log.warning("signals.not_looked_at", organisation=organisation, service_id=service_id, exc_info=True)
                self._failed[organisation, service_id] = (today, place)
            else:
                yield Looked(service_id, today, place, commands)
            if monotonic() > until:
                return


def see(
    connection: Connection, organisation: str, settled: Configuration, service_id: str, now: datetime, place: int
) -> Seen:
    """A service as it is seen at an instant; `place`: up to which event it is counted."""
    today = now.astimezone(settled.zone).toordinal()
    begin = monday_of(today) - LONGEST * 7
    since = to_micros(local_instant(datetime.combine(date.fromordinal(begin), time.min), settled.zone))
    row = trend_watch.c
    chosen = select(row.source, row.first_day, row.heard_at).where(
        row.organisation == organisation, row.service_id == service_id
    )
    watched = {one.source: one for one in connection.execute(chosen)}
    return Seen(
        service_id,
        service_named(settled, service_id),
        signalling.locality_of(settled, service_id, today),
        now,
        settled.zone,
        watched[WHOLE].first_day,
        _counted(connection, organisation, service_id, settled.policy, begin, since),
        {source: one.heard_at for source, one in watched.items()},
        _silent(connection, organisation),
        {
            incident_type: from_micros(at).astimezone(settled.zone).toordinal()
            for incident_type, at in signalling.alarmed_until(connection, organisation, service_id, since).items()
        },
        _told(connection, organisation, service_id, settled),
        place,
    )


def _counted(
    connection: Connection, organisation: str, service_id: str, policy: Policy, begin: int, since: int
) -> list[Counted]:
    fact = heatmap_facts.c
    kept = (fact.week, fact.incident_type, fact.source, fact.recovery_barrier, fact.classification)
    chosen = (
        select(*kept, func.count())
        .where(
            fact.organisation == organisation,
            fact.valid_to == FOR_EVER,
            fact.service_id == service_id,
            # A record keeps the zone that it was stored with: its week may begin a day earlier than ours.
            fact.occurred_at >= since - DAY,
        )
        .group_by(*kept)
    )
    return [
        Counted(monday, incident_type, source, barrier, classification in policy.counted, int(count))
        for week, incident_type, source, barrier, classification, count in connection.execute(chosen)
        if (monday := monday_named(week)) >= begin
    ]


def _silent(connection: Connection, organisation: str) -> frozenset[str]:
    row = heard_sources.c
    chosen = select(row.source).where(row.organisation == organisation, row.silent_sequence.is_not(None))
    return frozenset(connection.execute(chosen).scalars())


def _told(
    connection: Connection, organisation: str, service_id: str, settled: Configuration
) -> dict[tuple[str, str, str], Told]:
    row = signals.c
    chosen = (
        select(row.series, row.since, row.acknowledged_at)
        .where(row.organisation == organisation, row.service_id == service_id)
        .order_by(row.sequence)
    )
    found: dict[tuple[str, str, str], Told] = {}
    for series, since, at in connection.execute(chosen):
        kind, its_service, part = json.loads(series)
        answered_on = None if at is None else from_micros(at).astimezone(settled.zone).toordinal()
        found[kind, its_service, part] = Told(since, answered_on)
    return found


def _newest_change(connection: Connection, organisation: str) -> int | None:
    row = trend_watch.c
    return connection.execute(select(func.max(row.changed_sequence)).where(row.organisation == organisation)).scalar()


def _place(connection: Connection, organisation: str) -> int:
    """How far all has been followed that is counted."""
    return min(place_of(connection, organisation, name) for name in FOLLOWED)


def _due(connection: Connection, organisation: str, today: int) -> list[tuple[str, int]]:
    """Services that were not looked at today, or have changed since; each with the last event that changed it."""
    watched, looked = trend_watch.c, trend_checks.c
    chosen = (
        select(watched.service_id, watched.changed_sequence)
        .outerjoin(
            trend_checks,
            and_(looked.organisation == watched.organisation, looked.service_id == watched.service_id),
        )
        .where(
            watched.organisation == organisation,
            watched.source == WHOLE,
            or_(looked.day.is_(None), looked.day != today, looked.sequence < watched.changed_sequence),
        )
        .order_by(watched.service_id)
    )
    return [(one.service_id, one.changed_sequence) for one in connection.execute(chosen)]


def _telling(organisation: str, found: Found, week: int) -> Command:
    signal_id = signalling.signal_id_of(organisation, found, week)

    def run(desk: Desk, cause: Cause) -> None:
        signalling.tell(desk, cause, signal_id, found)

    command_id = str(uuid5(NAMESPACE_URL, f"forewarn {organisation} {signal_id}"))
    return Command(organisation, command_id, SYSTEM, signal_id, run, lambda _reader, its_id: {"id": its_id})
