"""Which projections there are, by the names that `forewarn rebuild` takes.

Inline ones are written in the transaction of the events themselves: they are what the rules ask next. The
others follow the ledger, each with its own checkpoint, and say which events they heed. What is owed to endpoints
follows it too, but is no projection: how a message fared stands in no event, so it is never made anew.
"""

from types import ModuleType

from sqlalchemy import Table

from app.domain import adoption
from app.domain.adoption import Adopted
from app.domain.policy import Policy
from app.events.envelope import Told
from app.projections import (
    actions,
    deliveries,
    denominators,
    duplicates,
    endpoints,
    escalations,
    evidence,
    governance,
    heard,
    heatmap,
    intake,
    ledger_nodes,
    notices,
    outcomes,
    register,
    services,
    signals,
    timers,
    trend_watch,
    windows,
)
from app.projections.context import Context

INLINE: dict[str, ModuleType] = {
    "register": register,
    "escalations": escalations,
    "actions": actions,
    "governance": governance,
    "intake": intake,
    "timers": timers,
    "services": services,
    "windows": windows,
    "endpoints": endpoints,
    "signals": signals,
    "denominators": denominators,
    "evidence": evidence,
}
FOLLOWING: dict[str, ModuleType] = {
    "heatmap": heatmap,
    "notices": notices,
    "heard_sources": heard,
    "duplicates": duplicates,
    "trend_watch": trend_watch,
    "outcomes": outcomes,
    "ledger_nodes": ledger_nodes,
}
FOLLOWERS: dict[str, ModuleType] = {**FOLLOWING, "deliveries": deliveries}
"""Whatever follows the ledger. One that says where it `begins` costs nothing where there is nothing to do for it."""

UNHURRIED = frozenset({"heard_sources", "heatmap", "duplicates", "trend_watch", "outcomes", "ledger_nodes"})
"""Followers whose readers have them catch up: a worker need not move them on at every round."""


def tables_of(name: str) -> tuple[Table, ...]:
    """The tables a projection owns."""
    return (INLINE | FOLLOWING)[name].TABLES


def start_policy() -> Policy:
    """The policy in force before the first event."""
    return adoption.INITIAL


def project(context: Context, told: Told[object]) -> None:
    """Write what one event does to every inline projection."""
    context.move_on(told)
    for module in INLINE.values():
        module.apply(context, told)
    _adopted(context, told)


def project_one(name: str, context: Context, told: Told[object]) -> None:
    """Write what one event does to one projection."""
    context.move_on(told)
    (INLINE | FOLLOWING)[name].apply(context, told)
    _adopted(context, told)


def finish(name: str, context: Context) -> None:
    """What a projection has left to the end of the events that are read together, if it leaves anything."""
    module = (INLINE | FOLLOWERS)[name]
    if hasattr(module, "finish"):
        module.finish(context)
    context.rows.flush()


def _adopted(context: Context, told: Told[object]) -> None:
    if isinstance(told.event, Adopted):
        context.policy = adoption.evolve(context.policy, told.event)
