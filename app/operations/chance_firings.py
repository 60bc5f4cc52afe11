"""What a policy would open if nothing were wrong: near misses come at random too, and a cluster is no proof by itself.

For each rule, from the organisation's own reports of the last year: how many episodes a year its keys make by chance,
and how many if everything happened twice as often. A rule that opens reviews for nothing teaches managers to click them
away, and one that would sleep through a doubling protects nobody: both are said when a policy is adopted.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from app.analysis.chance import DAYS_IN_A_YEAR, episodes_a_year, share_reached
from app.database.tables import near_misses, window_entries
from app.domain.moment import DAY, Span
from app.domain.policy import Policy
from app.domain.rule import Rule

LOOKED_BACK = 365.25
"""Days of reports that the base rates are counted from; fewer if the organisation has reported for less long."""
SHORTEST = 28.0
"""Days of reports without which no rate is stated."""
NOISY = 12.0
"""Episodes a year from chance, of a whole rule, from which it is noisy: one a month."""
DEAF = 0.5
"""Episodes a year from which a rule would notice that its busiest key happens twice as often."""
_GONE = ("withdrawn", "duplicate")
_DAYS_OF_A_MONTH = DAYS_IN_A_YEAR / 12


@dataclass(frozen=True, slots=True)
class BaseRates:
    """Reports a year on each key of a rule, and the days that they were counted over."""

    a_year: Sequence[float]
    records: int
    days: float


def expected(connection: Connection, organisation: str, policy: Policy, now: int) -> list[dict[str, Any]]:
    """One entry for each rule that is evaluated, as the policy shows it; `now` in microseconds."""
    since = _since(connection, organisation, now)
    rules = [rule for rule in policy.rules if rule.mode != "off"]
    return [entry_of(rule, _rates(connection, organisation, rule.id, since, now)) for rule in rules]


def _since(connection: Connection, organisation: str, now: int) -> int:
    """From when on reports are counted: what the first of all did was begin it, so it is no part of the rate."""
    row = near_misses.c
    first = select(func.min(row.occurred_at)).where(row.organisation == organisation, row.state.not_in(_GONE))
    since = connection.execute(first).scalar()
    return now if since is None else min(now, max(since, now - int(LOOKED_BACK * DAY)))


def _rates(connection: Connection, organisation: str, rule_id: str, since: int, now: int) -> BaseRates:
    """By the newest place that the rule gave each record that stands, consumed by a review or not."""
    entry, row = window_entries.c, near_misses.c
    newest = (
        select(
            entry.key_text,
            func.row_number().over(partition_by=entry.near_miss_id, order_by=entry.valid_from.desc()).label("place"),
        )
        .join(near_misses, (row.organisation == entry.organisation) & (row.near_miss_id == entry.near_miss_id))
        .where(
            entry.organisation == organisation,
            entry.rule_id == rule_id,
            entry.at > since,
            entry.at <= now,
            row.state.not_in(_GONE),
        )
        .subquery()
    )
    counted = select(func.count()).where(newest.c.place == 1).group_by(newest.c.key_text)
    counts = [int(count) for (count,) in connection.execute(counted)]
    return rates_of(counts, (now - since) / DAY)


def rates_of(counts: Sequence[int], days: float) -> BaseRates:
    """From the reports on each key in so many days; of fewer than `SHORTEST` nothing is told."""
    a_year = [count * DAYS_IN_A_YEAR / days for count in counts] if days >= SHORTEST else []
    return BaseRates(a_year, sum(counts), days)


def entry_of(rule: Rule, rates: BaseRates) -> dict[str, Any]:
    """What a rule would open at these rates."""
    document: dict[str, Any] = {
        "rule_id": rule.id,
        "mode": rule.mode,
        "days": round(rates.days, 1),
        "records": rates.records,
        "episodes_per_year": None,
        "episodes_per_year_if_doubled": None,
        "busiest_key_per_year": None,
        "warning": None,
    }
    if rule.weight is not None:
        return {**document, "says": "It weighs what it counts: what chance does cannot be told from counts."}
    if not rates.a_year:
        return {**document, "says": _too_early(rates)}
    window, threshold = days_of(rule.window), rule.threshold + (rule.op == "gt")
    busiest = max(rates.a_year)
    by_chance = sum(episodes_a_year(rate, window, threshold) for rate in rates.a_year)
    if_doubled = sum(episodes_a_year(2 * rate, window, threshold) for rate in rates.a_year)
    warning, says = _judged(by_chance, busiest, window, threshold)
    return document | {
        "episodes_per_year": round(by_chance, 2),
        "episodes_per_year_if_doubled": round(if_doubled, 2),
        "busiest_key_per_year": round(busiest, 1),
        "warning": warning,
        "says": " ".join([f"By chance alone it would open about {_amount(by_chance)} a year.", *says]),
    }


def _judged(by_chance: float, busiest: float, window: float, threshold: int) -> tuple[str | None, Iterator[str]]:
    if share_reached(busiest, window, threshold) > 0.5:
        says = "Its busiest key stands above the threshold more than half of the time, so it says nothing new there."
        return "noisy", iter((says, "Raise the threshold, shorten the window, or divide the key."))
    if by_chance > NOISY:
        return "noisy", iter(("That is more than one a month for nothing: raise the threshold or shorten the window.",))
    if threshold > 1 and episodes_a_year(2 * busiest, window, threshold) < DEAF:
        says = "Its busiest key could double and it would hardly notice: lower the threshold or lengthen the window."
        return "deaf", iter((says,))
    return None, iter(())


def _too_early(rates: BaseRates) -> str:
    if rates.days < SHORTEST:
        return f"Too early to tell: it takes {SHORTEST:.0f} days of reports to know how often things happen here."
    return "Nothing that it counts was reported in the last year."


def days_of(window: Span) -> float:
    """Its length in days, a month the twelfth of a year."""
    return window.months * _DAYS_OF_A_MONTH + window.days + window.microseconds / DAY


def _amount(number: float) -> str:
    return f"{number:.1f} reviews" if number >= 0.05 else "no review"
