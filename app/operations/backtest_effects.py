"""What the episodes of a history mean for people: who would have had to review, and how long before harm.

A review that opens is only worth its time if it comes before the harm. The lead is counted from the latest crossing
before a harm incident of the same key, whatever lay between; an incident that several rules foresaw has the longest.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from statistics import median
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from app.analysis.backtest import Whole
from app.domain.moment import DAY, format_instant, from_micros
from app.domain.rule import Rule
from app.domain.service import RoleHolder
from app.domain.similarity import Key
from app.domain.zones import zone
from app.operations.backtest_comparing import Episode
from app.operations.backtest_history import History, Placed
from app.operations.configuration import Configuration
from app.operations.judging import duration
from app.operations.show import Reader

MONTH = 365.25 / 12
"""Days."""
MOST_LEADS = 1000


class Lead(NamedTuple):
    """A harm incident that a review came before."""

    record: int
    happened_at: int
    rule: Rule
    key: Key
    crossed_at: int


class Leads(NamedTuple):
    """The harm incidents of a period that are of a key of the rules, and those that a review came before."""

    incidents: frozenset[int]
    found: Sequence[Lead]

    @property
    def median_days(self) -> float | None:
        """Half of the leads are longer."""
        leads = [(one.happened_at - one.crossed_at) / DAY for one in self.found]
        return round(median(leads), 2) if leads else None


def leads(of_rules: Iterable[tuple[Rule, Placed, Whole, Whole]], since: int, until: int) -> Leads:
    """Of each rule where it placed what happened, and the keys and instants of its crossings."""
    incidents: set[int] = set()
    longest: dict[int, Lead] = {}
    for rule, placed, keys, crossed in of_rules:
        harm = [one for one in placed.harm if since <= one[1] < until]
        of_key: dict[int, list[int]] = defaultdict(list)
        wanted = {code for code, _, _ in harm}
        for code, at in sorted(zip(keys.tolist(), crossed.tolist(), strict=True)) if wanted else ():
            if code in wanted:
                of_key[code].append(at)
        for code, at, record in harm:
            incidents.add(record)
            before = bisect_left(of_key[code], at)
            if before and (record not in longest or of_key[code][before - 1] < longest[record].crossed_at):
                longest[record] = Lead(record, at, rule, placed.keys[code], of_key[code][before - 1])
    return Leads(frozenset(incidents), sorted(longest.values(), key=lambda one: (one.happened_at, one.record)))


def leads_document(history: History, found: Leads) -> dict[str, Any]:
    """As the contract shows them, the latest first when there are more than are listed."""
    lengths = [one.happened_at - one.crossed_at for one in found.found]
    return {
        "harm_incidents": len(found.incidents),
        "preceded": len(found.found),
        "without_review_before": len(found.incidents) - len(found.found),
        "median": duration(round(median(lengths))) if lengths else None,
        "median_days": found.median_days,
        "leads": [
            {
                "near_miss_id": history.ids[one.record],
                "happened_at": format_instant(from_micros(one.happened_at)),
                "rule_id": one.rule.id,
                "key": dict(zip(one.rule.group_by, one.key, strict=True)),
                "crossed_at": format_instant(from_micros(one.crossed_at)),
                "lead": duration(one.happened_at - one.crossed_at),
            }
            for one in found.found[-MOST_LEADS:]
        ],
    }


def per_manager(
    reader: Reader, settled: Configuration, history: History, reviews: Iterable[Episode], days: float
) -> dict[str, Any]:
    """Reviews of each manager: who held the role for the service when the count was reached; nobody is said too."""
    of_holder: dict[str, Counter[str]] = defaultdict(Counter)
    of_nobody: Counter[str] = Counter()
    references: dict[str, RoleHolder] = {}
    for one in reviews:
        own, its = settled.service_of(_service(history, one))
        particulars = its.particulars
        where = settled.zone if particulars is None or particulars.time_zone is None else zone(particulars.time_zone)
        managers = _managers(particulars.role_holders if particulars else (), _day(one.crossed_at, where))
        if not managers:
            of_nobody[own or ""] += 1
        for token, holder in managers.items():
            references[token] = holder
            of_holder[token][own or ""] += 1
    opener = reader.opener_of([one.ref for one in references.values()])
    ranked = sorted(of_holder.items(), key=lambda one: (-one[1].total(), one[0]))
    return {
        "reviews_per_manager": [
            {
                "manager": opener(references[token].ref),
                "reviews": services.total(),
                "reviews_per_month": a_month(services.total(), days),
                "services": sorted(services),
            }
            for token, services in ranked
        ],
        "reviews_without_manager": {"reviews": of_nobody.total(), "services": sorted(one for one in of_nobody if one)},
    }


def a_month(count: int, days: float) -> float:
    """So many in so many days, to the month."""
    return round(count * MONTH / max(days, 1.0), 2)


def _service(history: History, one: Episode) -> str | None:
    named: Mapping[str, Any] = dict(zip(one.rule.group_by, one.key, strict=True))
    service = named.get("service_id")
    return service if isinstance(service, str) else history.services[one.members[-1]]


def _managers(holders: Sequence[RoleHolder], day: date) -> dict[str, RoleHolder]:
    return {
        one.ref.token: one
        for one in holders
        if one.role == "manager" and one.since <= day and (one.until is None or day < one.until)
    }


def _day(at: int, where: ZoneInfo) -> date:
    return from_micros(at).astimezone(where).date()
