"""Which projections there are, by the names that `forewarn rebuild` takes.

Inline ones are written in the transaction of the events themselves: they are what the rules ask next. The
others follow the ledger, each with its own checkpoint, and say which events they heed.
"""

from types import ModuleType

from sqlalchemy import Table

from app.domain import adoption
from app.domain.adoption import Adopted
from app.domain.policy import Policy
from app.events.envelope import Told
from app.projections import actions, escalations, heatmap, notices, register, services, timers, windows
from app.projections.context import Context

INLINE: dict[str, ModuleType] = {
    "register": register,
    "escalations": escalations,
    "actions": actions,
    "timers": timers,
    "services": services,
    "windows": windows,
}
FOLLOWING: dict[str, ModuleType] = {"heatmap": heatmap, "notices": notices}


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


def _adopted(context: Context, told: Told[object]) -> None:
    if isinstance(told.event, Adopted):
        context.policy = adoption.evolve(context.policy, told.event)
