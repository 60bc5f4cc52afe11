"""Endpoints without HTTP: registered, commanded, and what they are owed."""

import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from sqlalchemy import Row, select

from app.clock import system_clock
from app.database.tables import deliveries
from app.domain.webhook import TYPES
from app.events.store import Cause
from app.operations import endpoints
from app.operations.endpoint_document import endpoint_shown
from app.operations.endpoints import Receiver
from app.operations.follow import catch_up
from app.operations.messages import body_of
from app.operations.tick import tick
from tests.office import Office
from tests.operations.walking import PEOPLE

URL = "https://manager.example.org/hooks/a-credential-in-the-path"


def register(office: Office, *event_types: str, url: str = URL, **filters: Any) -> str:
    """An endpoint that wants these types; every one, if none is named."""
    endpoint_id, given = endpoints.new_endpoint_id(), endpoints.fresh()
    said = {"url": url, "event_types": event_types or tuple(TYPES), **filters}
    office.do(
        office.command(lambda desk, cause: endpoints.register(desk, cause, endpoint_id, said, given), endpoint_id)
    )
    return endpoint_id


def tell(office: Office, endpoint_id: str, run: Callable[[Cause, Receiver], None]) -> None:
    """Have a command on the endpoint carried out."""
    office.do(office.command(lambda desk, cause: run(cause, endpoints.load(desk, endpoint_id)), endpoint_id))


def hold(office: Office, endpoint_id: str) -> None:
    now = office.clock()
    office.do(office.command(lambda desk, cause: endpoints.hold(desk, cause, endpoint_id, "gone", now), endpoint_id))


def status(office: Office, endpoint_id: str) -> str:
    with office.house.reader(office.organisation) as reader:
        return endpoint_shown(reader, endpoint_id)["status"]


def owed(office: Office, endpoint_id: str | None = None) -> list[Row[Any]]:
    """Every message that is owed, or that this endpoint is, in the ledger's order."""
    house, row = office.house, deliveries.c
    catch_up(house.database, house.batches.dialect, house.configurations, office.organisation, "deliveries")
    chosen = select(deliveries).where(row.organisation == office.organisation).order_by(row.sequence, row.endpoint_id)
    if endpoint_id is not None:
        chosen = chosen.where(row.endpoint_id == endpoint_id)
    with house.database.read() as connection:
        return list(connection.execute(chosen))


def types(office: Office, endpoint_id: str | None = None) -> list[str]:
    return [one.type for one in owed(office, endpoint_id)]


def statuses(office: Office, endpoint_id: str) -> list[str]:
    return [one.status for one in owed(office, endpoint_id)]


def body(office: Office, row: Any) -> dict[str, Any]:
    """The message as its receiver reads it; `row` tells its sequence and type."""
    with office.house.database.read() as connection:
        return json.loads(body_of(connection, office.organisation, row))


def bodies(office: Office, endpoint_id: str) -> list[dict[str, Any]]:
    return [body(office, one) for one in owed(office, endpoint_id)]


def three(office: Office, **particulars: Any) -> str:
    """A crossing; the escalation's id."""
    for _ in range(3):
        office.submit(**particulars)
    return office.escalations()[-1]["id"]


def ticked(office: Office) -> None:
    while tick(office.house, "worker", system_clock()):
        pass


# Nothing personal

ID = r"(nm|esc|rev|act|gov|whe)_[0-9a-f]{32}"
INSTANT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
FORMS = {
    **dict.fromkeys(
        ("near_miss_id", "escalation_id", "review_id", "governance_review_id", "action_id", "endpoint_id"), ID
    ),
    **dict.fromkeys(("respond_by", "scheduled_at", "since", "failing_since", "hold_at"), INSTANT),
    **dict.fromkeys(("status", "kind", "why"), "[a-z_]+"),
    **dict.fromkeys(("level", "sequence"), r"\d+"),
    "service_id": "[a-z-]+",
}


class Owed(NamedTuple):
    """What a message is made from."""

    sequence: int
    type: str


def assert_thin(message: dict[str, Any]) -> None:
    """Ids, codes and instants, each of its own form, and a link to one of them: nothing else."""
    assert set(message) == {"type", "timestamp", "data"}
    assert message["type"] in TYPES
    assert re.fullmatch(INSTANT, message["timestamp"])
    data = dict(message["data"])
    links = data.pop("links")
    for name, value in data.items():
        assert re.fullmatch(FORMS[name], str(value)), (name, value)
        assert str(value) not in PEOPLE
    assert re.fullmatch(rf"/v1/governance-reviews|/v1/[a-z-]+/{ID}(/outcome)?", links["self"])
