"""Whether the process lives, whether it can serve, and what it has done: for those who run it."""

from math import inf
from typing import Any

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import PlainTextResponse, Response

from app.api.door import door_of, shown
from app.api.problems import PROBLEM_TYPES
from app.api.schemas.answers import Health
from app.clock import system_clock
from app.database import migrate
from app.operations import relay
from app.operations.audit import last_audit
from app.operations.follow import lagging
from app.operations.house import House
from app.operations.owed import lag
from app.operations.tick import oldest_due

router = APIRouter(tags=["health"])


@router.get("/livez", responses={200: {"model": Health}}, response_model=None)
async def livez() -> Response:
    """The process answers; nothing else is asked."""
    return shown({"status": "live"})


@router.get("/readyz", responses={200: {"model": Health}, 503: {"model": Health}}, response_model=None)
def readyz(request: Request) -> Response:
    """The database is there, has the right schema and takes writes, the writer works; with what a watcher wants."""
    house = door_of(request).house
    checks: dict[str, Any] = {"writer": "ok" if house.writer.alive else "stopped"}
    if house.settings.expected_checkpoints is not None:
        checks["expected_checkpoints"] = _as_expected(house)
    try:
        checks |= _database(house)
    except SQLAlchemyError:
        checks["database"] = "unavailable"
    must = ("writer", "database", "migrations", "writes")
    healthy = all(checks.get(name) == "ok" for name in must) and checks.get("expected_checkpoints", "ok") == "ok"
    body = {"status": "ready" if healthy else "unavailable", **checks}
    headers = {} if healthy else dict(PROBLEM_TYPES["unavailable"].headers)
    return shown(body, 200 if healthy else 503, headers)


@router.get("/metrics", response_model=None, response_class=PlainTextResponse)
def metrics(request: Request) -> Response:
    """The same for Prometheus."""
    house = door_of(request).house
    registry = CollectorRegistry()
    counts = house.writer.counts
    for name, meaning, value in (
        ("forewarn_commands_total", "Commands carried out.", counts.commands),
        ("forewarn_commands_refused_total", "Commands refused by a rule.", counts.refused),
        ("forewarn_commands_failed_total", "Commands the database did not take.", counts.failed),
        ("forewarn_batches_total", "Transactions the writer committed.", counts.batches),
        ("forewarn_largest_batch", "Most commands in one transaction.", counts.largest_batch),
        ("forewarn_writer_queue_depth", "Commands waiting for the writer.", house.writer.depth),
        ("forewarn_delivery_attempts_total", "Messages that this process has tried to send.", house.sent.attempts),
        ("forewarn_delivery_failures_total", "Of them, those that nobody took.", house.sent.failed),
        ("forewarn_writer_up", "1 while the writer works.", int(house.writer.alive)),
    ):
        Gauge(name, meaning, registry=registry).set(value)
    try:
        with house.database.read() as connection:
            behind = max((lag for _, _, lag in lagging(connection)), default=0)
            overdue = oldest_due(connection, house.clock())
            audited = last_audit(connection, system_clock())
            owed = lag(connection, house.clock())
            relayed = relay.lag(connection)
        Gauge("forewarn_follower_lag_events", "Events the slowest follower is behind.", registry=registry).set(behind)
        Gauge("forewarn_oldest_due_timer_seconds", "Age of the oldest due timer.", registry=registry).set(overdue)
        if house.settings.nats_servers:
            meaning = "Events that are not passed on to NATS yet."
            Gauge("forewarn_relay_lag_events", meaning, registry=registry).set(relayed)
        Gauge(
            "forewarn_audit_heartbeat_seconds", "Since an audit last found all well; +Inf before.", registry=registry
        ).set(audited.get("age_seconds", inf))
        Gauge("forewarn_audit_findings", "What the last audit found wrong, up to 100.", registry=registry).set(
            audited["findings"]
        )
        for name, meaning, value in (
            ("forewarn_deliveries_pending", "Messages owed to endpoints and not taken yet.", owed["pending"]),
            ("forewarn_deliveries_failing", "Of them, those that have failed and are tried again.", owed["failing"]),
            ("forewarn_deliveries_held", "Messages that wait for their endpoint to be enabled.", owed["held"]),
            ("forewarn_oldest_due_delivery_seconds", "Age of the oldest message due.", owed["oldest_due_seconds"]),
        ):
            Gauge(name, meaning, registry=registry).set(value)
        up = 1
    except SQLAlchemyError:
        up = 0
    Gauge("forewarn_database_up", "1 while the database can be read.", registry=registry).set(up)
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


def _as_expected(house: House) -> str:
    """Who is withheld is told to themselves only."""
    if not house.withheld:
        return "ok"
    return f"Not met: {len(house.withheld)} of the organisations are not served. The log names them, and says why."


def _database(house: House) -> dict[str, Any]:
    with house.database.read() as connection:
        connection.execute(text("SELECT 1"))
        return {
            "database": "ok",
            "migrations": "ok" if migrate.current(connection) == migrate.head() else "behind",
            "writes": "ok" if house.database.takes_writes() else "refused",
            "queue_depth": house.writer.depth,
            "follower_lag": max((lag for _, _, lag in lagging(connection)), default=0),
            "oldest_due_timer_seconds": oldest_due(connection, house.clock()),
            "deliveries": lag(connection, house.clock()),
            "audit": last_audit(connection, system_clock()),
            **({"relay_lag": relay.lag(connection)} if house.settings.nats_servers else {}),
        }
