"""How much there was to do in each arm of an outcome: doses, visits or resident-days where every day states them.

One kind for all arms, or calendar days: a rate per dose cannot be held against a rate per day. A day without its
denominator in either arm makes it calendar days, and the answer says so.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from app.domain import denominator
from app.domain.denominator import NOTHING, Amounts, Standing
from app.domain.outcome import Exposure, Plan
from app.domain.zones import zone
from app.events.codec import decode
from app.events.store import read_stream
from app.operations.denominators import standing_on
from app.operations.outcome_counting import Ledger

_KINDS: dict[str, Exposure] = {"medication": "doses_due", "visit": "visits_scheduled"}
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Exposures:
    """By what it is counted, and how much of it there was; `during` is None where not all its days say."""

    kind: Exposure
    before: float
    during: float | None
    after: float


def exposures(ledger: Ledger, plan: Plan, until: datetime) -> Exposures:
    """The exposure of the arms, the last one up to an instant."""
    before = _days(plan, plan.baseline_from, plan.baseline_to)
    during = _days(plan, plan.baseline_to, plan.follow_up_from)
    after = _days(plan, plan.follow_up_from, until)
    if plan.service_id is not None and before and after:
        kind = _KINDS.get(str(dict(plan.key).get("incident_type")), "resident_days")
        standing = _standing(ledger, plan.service_id, (*before, *during, *after))
        arms = [_sum(standing, days, kind) for days in (before, during, after)]
        if arms[0] and arms[2]:
            return Exposures(kind, arms[0], arms[1], arms[2])
    return Exposures(
        "calendar_days",
        days_of(plan.baseline_from, plan.baseline_to),
        days_of(plan.baseline_to, plan.follow_up_from),
        days_of(plan.follow_up_from, until),
    )


def _days(plan: Plan, since: datetime, until: datetime) -> Sequence[date]:
    """The local days of a span, as many as are whole in it, from the one that it begins in."""
    first = since.astimezone(zone(plan.time_zone)).date()
    return [first + number * _DAY for number in range((until - since) // _DAY)] if until > since else []


def days_of(since: datetime, until: datetime) -> float:
    """How many days a span lasts."""
    return round(max(until - since, timedelta()) / _DAY, 3)


def _standing(ledger: Ledger, service_id: str, days: Iterable[date]) -> Standing:
    if not ledger.is_past:
        return standing_on(ledger.connection, ledger.organisation, service_id, days)
    state = NOTHING
    for envelope in read_stream(ledger.connection, ledger.organisation, f"denominator/{service_id}", ledger.sequence):
        state = denominator.evolve(state, decode(envelope))
    return state


def _sum(standing: Standing, days: Sequence[date], kind: Exposure) -> float | None:
    amounts = [_amount(standing.get(day), kind) for day in days]
    known = [one for one in amounts if one is not None]
    return float(sum(known)) if len(known) == len(amounts) else None


def _amount(amounts: Amounts | None, kind: Exposure) -> int | None:
    match kind:
        case "doses_due":
            return amounts.doses_due if amounts else None
        case "visits_scheduled":
            return amounts.visits_scheduled if amounts else None
        case _:
            return amounts.resident_days if amounts else None
