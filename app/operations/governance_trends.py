"""The trends of a governance review: how often, by what, and how often it was chance that helped.

For the whole, or for each place that is named; of many places only the largest are looked at in every way.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, time
from typing import Any

from app.domain.moment import local_instant, to_micros
from app.operations.configuration import Configuration
from app.operations.governance_period import Period
from app.operations.show import Reader
from app.operations.trends import Asked, trends

MONTHS = 12
"""How many whole months before the period's end a trend begins with: a month alone shows none."""
MOST_PLACES = 12
"""How many places are looked at in every way; of the others it is only said how often."""


def trends_in(
    reader: Reader, settled: Configuration, period: Period, largest: Sequence[str | None], now: datetime
) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """The trends, in the order of the places, and what was left out. `largest`: services, those with the most first."""
    usual = Asked(since=_begin(settled, min(period.until, now)), until=to_micros(period.until))
    questions = [usual, replace(usual, group_by="incident_type"), replace(usual, measure="chance_share")]
    places: list[dict[str, str]] = [{"service_id": one} for one in period.services]
    places += [{"locality": one} for one in period.localities]
    if not places:
        questions.insert(1, replace(usual, group_by="service_id"))
    rank = {service_id: n for n, service_id in enumerate(largest)}
    by_size = sorted(range(len(places)), key=lambda n: rank.get(places[n].get("service_id"), len(rank)))
    shortened = set(by_size[MOST_PLACES:])
    answers = [
        trends(reader, settled, replace(question, filters=filters), now)
        for n, filters in enumerate(places or [{}])
        for question in (questions[:1] if n in shortened else questions)
    ]
    return answers, {"trends": 2 * len(shortened)} if shortened else {}


def _begin(settled: Configuration, end: datetime) -> int:
    """The start of a month, so many before the one in which the period ends, or in which we are."""
    last = end.astimezone(settled.zone)
    year, month = divmod(last.year * 12 + last.month - 1 - MONTHS, 12)
    return to_micros(local_instant(datetime.combine(date(year, month + 1, 1), time.min), settled.zone))
