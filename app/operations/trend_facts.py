"""What a trend counts, read in one grouped query: near misses that stand, by key and by stretch of time.

The period is one range of an index, so that no history outside of it is looked at; a stretch lies between two of its
cuts. What stood at a sequence is what stands now and was known then, and what has been superseded since.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Executable,
    Integer,
    Select,
    and_,
    case,
    cast,
    func,
    literal,
    or_,
    select,
    union_all,
)
from sqlalchemy.types import BigInteger

from app.database.tables import FOR_EVER, denominators, heatmap_facts
from app.domain import denominator
from app.domain.denominator import Amounts
from app.domain.moment import DAY
from app.operations.configuration import Configuration
from app.operations.show import Reader
from app.operations.trend_asking import MOST_POINTS, Asked

EXPOSURES = ("doses_due", "visits_scheduled", "resident_days")
NO_KEY = ""
"""Stands for the one series of a question that groups by nothing."""
_FACT = heatmap_facts.c
Key = str | None


@dataclass(frozen=True, slots=True)
class Counted:
    """The near misses of a key in a stretch. `stated`: of each kind of exposure, those of services that state it.

    `barrier`: those whose recovery barrier is known; `chance`: those where it was chance. `last`: the latest, in
    microseconds.
    """

    key: Key
    stretch: int
    count: int
    barrier: int
    chance: int
    stated: tuple[int, ...]
    last: int


@dataclass(frozen=True, slots=True)
class Exposure:
    """What there was to do in a service in a bucket: amounts in the order of `EXPOSURES`, and on how many days each
    was stated.
    """

    service_id: str
    bucket: int
    amounts: tuple[int, ...]
    days: tuple[int, ...]


def counted(
    reader: Reader,
    settled: Configuration,
    asked: Asked,
    cuts: Sequence[int],
    stating: Sequence[Collection[str]],
    *,
    away: bool = False,
) -> list[Counted]:
    """Every key that has any, stretch by stretch. `stating`: of each kind of exposure, the services that state it.

    `away`: the cuts are midnights of another zone than the organisation's, where what has only a date is at midnight.
    """
    # Away from the organisation's zone a date counts by its noon, which is the same date nearly everywhere.
    noon = DAY // 2
    at = case((_FACT.hour.is_(None), _FACT.occurred_at + noon), else_=_FACT.occurred_at) if away else _FACT.occurred_at
    within = [_FACT.occurred_at >= cuts[0] - (noon if away else 0), _FACT.occurred_at < cuts[-1]]
    if away:
        within += [at >= cuts[0], at < cuts[-1]]
    stands = [
        select(
            _stretch(at, cuts).label("n"),
            _key(asked).label("key"),
            _FACT.occurred_at,
            _FACT.service_id,
            _FACT.recovery_barrier,
        ).where(*_chosen(reader, settled, asked), arm, *within)
        for arm in _arms(reader)
    ]
    every = union_all(*stands).subquery() if len(stands) > 1 else stands[0].subquery()
    row = every.c
    sums = [_sum(row.service_id.in_(sorted(services))) if services else literal(0) for services in stating]
    found = _rows(
        reader,
        select(
            row.key,
            row.n,
            func.count(),
            func.count(row.recovery_barrier),
            _sum(row.recovery_barrier == "chance"),
            func.max(row.occurred_at),
            *sums,
        ).group_by(row.key, row.n),
    )
    return [
        Counted(one[0], int(one[1]), int(one[2]), int(one[3]), int(one[4]), tuple(map(int, one[6:])), int(one[5]))
        for one in found
    ]


def moments(
    reader: Reader, settled: Configuration, asked: Asked, since: int, until: int, keys: Sequence[Key]
) -> dict[Key, list[int]]:
    """When the near misses of these keys happened, in order, in microseconds: of each key the latest ones."""
    key = _key(asked)
    of_these = or_(key.in_([one for one in keys if one is not None]), *([key.is_(None)] if None in keys else []))
    arms = [
        select(key.label("key"), _FACT.occurred_at).where(
            *_chosen(reader, settled, asked), arm, _FACT.occurred_at >= since, _FACT.occurred_at < until, of_these
        )
        for arm in _arms(reader)
    ]
    every = union_all(*arms).subquery()
    place = func.row_number().over(partition_by=every.c.key, order_by=every.c.occurred_at.desc())
    ranked = select(every.c.key, every.c.occurred_at, place.label("place")).subquery()
    chosen = select(ranked.c.key, ranked.c.occurred_at).where(ranked.c.place <= MOST_POINTS + 1)
    found: dict[Key, list[int]] = {}
    for one in reader.connection.execute(chosen.order_by(ranked.c.occurred_at)):
        found.setdefault(one[0], []).append(int(one[1]))
    return found


def first_reports(reader: Reader, services: Sequence[str | None]) -> dict[str | None, int | None]:
    """When the first near miss of each service happened; None stands for the whole organisation."""
    if not services:
        return {}
    chosen: list[Select[Any, Any]] = []
    for n, service_id in enumerate(services):
        of_it = [_FACT.service_id == service_id] if service_id is not None else []
        for arm in _arms(reader):
            first = select(func.min(_FACT.occurred_at)).where(_FACT.organisation == reader.organisation, arm, *of_it)
            chosen.append(select(cast(literal(n), Integer), first.scalar_subquery()))
    found: dict[str | None, int | None] = dict.fromkeys(services)
    for n, at in _rows(reader, union_all(*chosen)):
        former = found[services[n]]
        if at is not None and (former is None or at < former):
            found[services[n]] = int(at)
    return found


def exposures(reader: Reader, edges: Sequence[date], service_id: str | None) -> list[Exposure]:
    """What was stated of each service, bucket by bucket; of one service, when it is named."""
    row = denominators.c
    chosen = [
        row.organisation == reader.organisation,
        row.day >= edges[0].toordinal(),
        row.day < edges[-1].toordinal(),
        *([row.service_id == service_id] if service_id is not None else []),
    ]
    restated = _restated(reader, chosen)
    bucket = _stretch(row.day, [day.toordinal() for day in edges])
    stated = (
        select(row.service_id, bucket.label("n"), *(row[name] for name in EXPOSURES))
        .where(*chosen, *([row.service_id.not_in(sorted(restated))] if restated else []))
        .subquery()
    )
    amounts = [stated.c[name] for name in EXPOSURES]
    found = _rows(
        reader,
        select(
            stated.c.service_id,
            stated.c.n,
            *(func.coalesce(func.sum(one), 0) for one in amounts),
            *(func.count(one) for one in amounts),
        ).group_by(stated.c.service_id, stated.c.n),
    )
    kinds = len(EXPOSURES)
    every = [
        Exposure(one[0], int(one[1]), tuple(map(int, one[2 : 2 + kinds])), tuple(map(int, one[2 + kinds :])))
        for one in found
    ]
    for name, stated in restated.items():
        every += _summed(name, stated, edges)
    return every


def _restated(reader: Reader, chosen: Iterable["ColumnElement[bool]"]) -> dict[str, list[Amounts]]:
    """Of services that have said more since the sequence asked for: what they had said by then."""
    if reader.as_of is None:
        return {}
    later = select(denominators.c.service_id).where(*chosen, denominators.c.sequence > reader.as_of).distinct()
    services = reader.connection.execute(later).scalars().all()
    found: dict[str, list[Amounts]] = {}
    for stream, told in reader.told([f"denominator/{one}" for one in services]).items():
        standing = denominator.NOTHING
        for one in told:
            standing = denominator.evolve(standing, one.event)
        found[stream.removeprefix("denominator/")] = list(standing.values())
    return found


def _summed(service_id: str, stated: Iterable[Amounts], edges: Sequence[date]) -> list[Exposure]:
    found: list[Exposure] = []
    for n, (since, until) in enumerate(pairwise(edges)):
        rows = [[getattr(one, name) for name in EXPOSURES] for one in stated if since <= one.day < until]
        if rows:
            columns = [[amount for amount in kind if amount is not None] for kind in zip(*rows, strict=True)]
            found.append(Exposure(service_id, n, tuple(map(sum, columns)), tuple(map(len, columns))))
    return found


def _rows(reader: Reader, chosen: "Executable") -> list[tuple[Any, ...]]:
    return [tuple(row) for row in reader.connection.execute(chosen)]


def _stretch(at: "ColumnElement[int]", cuts: Sequence[int]) -> "ColumnElement[int]":
    """The number of the stretch between two cuts that a value lies in, found by halves: so many cuts cost little."""

    def between(low: int, high: int) -> "ColumnElement[int]":
        if high - low == 1:
            return literal(low, Integer)
        middle = (low + high) // 2
        return case((at < literal(cuts[middle], BigInteger), between(low, middle)), else_=between(middle, high))

    return between(0, len(cuts) - 1)


def _key(asked: Asked) -> "ColumnElement[str]":
    return literal(NO_KEY) if asked.group_by is None else _FACT[asked.group_by]


def _chosen(reader: Reader, settled: Configuration, asked: Asked) -> list["ColumnElement[bool]"]:
    classification = asked.filters.get("classification")
    classifications = [classification] if classification is not None else sorted(settled.policy.counted)
    return [
        _FACT.organisation == reader.organisation,
        _FACT.classification.in_(classifications),
        *(_FACT[name] == value for name, value in asked.filters.items() if name != "classification"),
    ]


def _arms(reader: Reader) -> list["ColumnElement[bool]"]:
    """The rows that stand as of the reader's sequence, as conditions that exclude each other."""
    if reader.as_of is None:
        return [_FACT.valid_to == FOR_EVER]
    known = _FACT.valid_from <= reader.as_of
    superseded = and_(_FACT.valid_to > reader.as_of, _FACT.valid_to < FOR_EVER)
    return [and_(_FACT.valid_to == FOR_EVER, known), and_(superseded, known)]


def _sum(condition: "ColumnElement[bool]") -> "ColumnElement[int]":
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)
