"""How much there was to do behind the counts of a map: doses due, visits scheduled, or resident-days.

A rate is told only when the period begins and ends with a day, and each of its days was stated for every service that
has a record on the map or was stated at all: half a denominator would make a rate that looks like news.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Protocol

from sqlalchemy import select
from sqlalchemy.sql import Select

from app.database.tables import denominators, heatmap_facts
from app.domain import denominator
from app.domain.denominator import Amounts
from app.domain.moment import from_micros, local_instant, to_micros
from app.domain.service import locality_at
from app.events.codec import decode
from app.events.store import read_streams
from app.operations.configuration import Configuration
from app.operations.show import Reader
from app.projections.heatmap import WEEKDAYS

THOUSAND = 1000
MOST_DAYS = 1100
"""Three years: of a longer period no rate is told."""

PER = {"medication": "doses_due", "visit": "visits_scheduled"}
PER_DAY = "resident_days"

Label = str | None
Where = tuple[Label, Label]
Day = tuple[str, date]


class Question(Protocol):
    """What is asked of a map: its axes, its period and its filters."""

    @property
    def rows(self) -> str: ...
    @property
    def columns(self) -> str: ...
    @property
    def since(self) -> int | None: ...
    @property
    def until(self) -> int | None: ...
    @property
    def filters(self) -> Mapping[str, str]: ...


@dataclass(frozen=True, slots=True)
class Exposure:
    """How much there was to do: in all, and by what of the axes narrows it (a service, locality, week, month, weekday).

    `narrowing`: whether the rows do, and the columns. Any other axis leaves the whole.
    """

    per: str
    total: int
    parts: Mapping[Where, int]
    narrowing: tuple[bool, bool]

    def rate(self, count: int, where: Where | None = None) -> float | None:
        """Per thousand of what there was to do, in all or behind one cell; None where there was nothing to do."""
        amount = self.total
        if where is not None:
            row, column = (label if narrows else None for label, narrows in zip(where, self.narrowing, strict=True))
            amount = self.parts.get((row, column), 0)
        return THOUSAND * count / amount if amount else None


def exposure_of(
    reader: Reader, settled: Configuration, asked: Question, chosen: "Select[*tuple[Any, ...]]"
) -> Exposure | None:
    """What stands behind a map whose facts are `chosen`; None when it is not known of every service and day."""
    period = _days_of(asked, settled)
    if period is None:
        return None
    per = PER.get(asked.filters.get("incident_type", ""), PER_DAY)
    amounts = _amounts(reader, period, per, asked.filters.get("service_id"))
    if not amounts:
        return None
    services = {service_id for service_id, _ in amounts}
    having = chosen.with_only_columns(heatmap_facts.c.service_id).distinct()
    services |= {one for one in reader.connection.execute(having).scalars() if one is not None}
    of_locality = _within(settled, asked.filters.get("locality"))
    wanted = [(one, day) for one in sorted(services) for day in period if of_locality(one, day)]
    if not wanted or any(one not in amounts for one in wanted):
        return None
    narrow = [_NARROWING.get(axis) for axis in (asked.rows, asked.columns)]
    parts = Counter[Where]()
    for service_id, day in wanted:
        row, column = (by(settled, service_id, day) if by else None for by in narrow)
        parts[row, column] += amounts[service_id, day]
    return Exposure(per, parts.total(), parts, (narrow[0] is not None, narrow[1] is not None))


def _days_of(asked: Question, settled: Configuration) -> list[date] | None:
    """The days of a period that begins and ends with a day in the organisation's time zone."""
    if asked.since is None or asked.until is None or asked.since >= asked.until:
        return None
    first, after = (from_micros(at).astimezone(settled.zone).date() for at in (asked.since, asked.until))
    begins, ends = (to_micros(local_instant(datetime.combine(day, time.min), settled.zone)) for day in (first, after))
    if (begins, ends) != (asked.since, asked.until) or not 0 < (after - first).days <= MOST_DAYS:
        return None
    return [first + timedelta(days=n) for n in range((after - first).days)]


def _amounts(reader: Reader, period: list[date], per: str, service_id: str | None) -> dict[Day, int]:
    stated = _stated_now(reader, period, service_id) if reader.as_of is None else _stated_then(reader, service_id)
    within = range(period[0].toordinal(), period[-1].toordinal() + 1)
    return {
        (one, amounts.day): amount
        for one, amounts in stated
        if amounts.day.toordinal() in within and (amount := getattr(amounts, per)) is not None
    }


def _stated_now(reader: Reader, period: list[date], service_id: str | None) -> Iterator[tuple[str, Amounts]]:
    row = denominators.c
    days = row.day.between(period[0].toordinal(), period[-1].toordinal())
    chosen = select(denominators).where(row.organisation == reader.organisation, days)
    if service_id is not None:
        chosen = chosen.where(row.service_id == service_id)
    for one in reader.connection.execute(chosen):
        amounts = Amounts(date.fromordinal(one.day), one.doses_due, one.visits_scheduled, one.resident_days)
        yield one.service_id, amounts


def _stated_then(reader: Reader, service_id: str | None) -> Iterator[tuple[str, Amounts]]:
    """From the ledger: the table knows only what stands now."""
    row = denominators.c
    known = select(row.service_id).where(row.organisation == reader.organisation).distinct()
    ids = [service_id] if service_id is not None else list(reader.connection.execute(known).scalars())
    streams = [f"denominator/{one}" for one in ids]
    for stream, envelopes in read_streams(reader.connection, reader.organisation, streams, reader.as_of).items():
        standing = denominator.NOTHING
        for envelope in envelopes:
            standing = denominator.evolve(standing, decode(envelope))
        yield from ((stream.removeprefix("denominator/"), amounts) for amounts in standing.values())


def _within(settled: Configuration, locality: str | None) -> Callable[[str, date], bool]:
    if locality is None:
        return lambda _service_id, _day: True
    return lambda service_id, day: _locality(settled, service_id, day) == locality


def _locality(settled: Configuration, service_id: str, day: date) -> Label:
    return locality_at(settled.service_of(service_id)[1], day)


def _week(_settled: Configuration, _service_id: str, day: date) -> Label:
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02d}"


_NARROWING: dict[str, Callable[[Configuration, str, date], Label]] = {
    "service_id": lambda _settled, service_id, _day: service_id,
    "locality": _locality,
    "week": _week,
    "month": lambda _settled, _service_id, day: f"{day:%Y-%m}",
    "weekday": lambda _settled, _service_id, day: WEEKDAYS[day.weekday()],
}
