"""How much there was to do: stated service by service and day by day, by whichever of its names a service is called.

What stood before is read from the inline projection, under the head's lock; a service's whole stream never is.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from sqlalchemy import Connection, select

from app.database.tables import denominators
from app.domain import denominator
from app.domain.denominator import Amounts, Standing
from app.domain.occurrence import Denominator
from app.events.store import Cause, Draft, version_of
from app.operations.configuration import Configuration
from app.operations.desk import Desk


def state(desk: Desk, cause: Cause, items: Sequence[Denominator]) -> None:
    """Let these rows stand, each for its service and day; what stands already is not written again.

    An item's `date` is an ISO date, which was checked before.
    """
    drafts: list[Draft] = []
    for service_id, amounts in _by_service(desk.configuration, items).items():
        stream = f"denominator/{service_id}"
        command = denominator.State(tuple(amounts), service_id not in desk.configuration.services)
        standing = standing_on(desk.connection, desk.organisation, service_id, (one.day for one in amounts))
        decided = denominator.decide(command, standing, desk.now)
        if decided:
            drafts.append(Draft(stream, version_of(desk.connection, desk.organisation, stream), decided))
    desk.append(cause, drafts)


def standing_on(connection: Connection, organisation: str, service_id: str, days: Iterable[date]) -> Standing:
    """What stands of a service on these days."""
    row = denominators.c
    wanted = sorted({day.toordinal() for day in days})
    found: dict[date, Amounts] = {}
    for start in range(0, len(wanted), 500):
        chosen = select(denominators).where(
            row.organisation == organisation, row.service_id == service_id, row.day.in_(wanted[start : start + 500])
        )
        found |= {one.day: one for one in map(amounts_of, connection.execute(chosen))}
    return found


def amounts_of(row: Any) -> Amounts:
    """A row of the table."""
    return Amounts(date.fromordinal(row.day), row.doses_due, row.visits_scheduled, row.resident_days)


def shown(service_id: str, one: Amounts, settled: Configuration) -> dict[str, Any]:
    """A row as the API contract shows it."""
    document: dict[str, Any] = {
        "service_id": service_id,
        "date": one.day.isoformat(),
        "doses_due": one.doses_due,
        "visits_scheduled": one.visits_scheduled,
        "resident_days": one.resident_days,
        "flags": None if service_id in settled.services else ["unregistered_service"],
    }
    return {name: value for name, value in document.items() if value is not None}


def as_stored(
    connection: Connection, organisation: str, settled: Configuration, items: Sequence[Denominator]
) -> list[dict[str, Any]]:
    """What stands of the services and days that these items name, in the order in which they name them first."""
    named = dict.fromkeys((_own_id(settled, one), date.fromisoformat(one.date)) for one in items)
    standing = {
        service_id: standing_on(connection, organisation, service_id, (day for one, day in named if one == service_id))
        for service_id in dict.fromkeys(service_id for service_id, _ in named)
    }
    return [shown(service_id, standing[service_id][day], settled) for service_id, day in named]


def _by_service(settled: Configuration, items: Sequence[Denominator]) -> dict[str, list[Amounts]]:
    found: dict[str, list[Amounts]] = {}
    for one in items:
        day = date.fromisoformat(one.date)
        amounts = Amounts(day, one.doses_due, one.visits_scheduled, one.resident_days)
        found.setdefault(_own_id(settled, one), []).append(amounts)
    return found


def _own_id(settled: Configuration, item: Denominator) -> str:
    service_id, _ = settled.service_of(item.service_id)
    assert service_id is not None
    return service_id
