"""What the hours alone would explain: a line's records, spread over a clock's columns by their share of the hours.

A cell far above that is where something happens, and not only where most of the time is spent. Brackets are spread by
the shift tables of the services whose records they are; a bracket that is in none of them expects nothing. Where one
axis follows from the other, as a bracket does from the hour, a line has no hours to be spread over.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from math import exp, lgamma, log, log1p

from app.domain.moment import from_micros
from app.domain.shifts import shares, table_of
from app.operations.configuration import Configuration
from app.projections.heatmap import WEEKDAYS

CLOCKS = ("shift_bracket", "hour", "weekday")
_SAME_CLOCK = {"shift_bracket", "hour"}
HARDLY_EVER = 0.001
"""A cell is hot when the hours alone would hardly ever give as many."""
FEW = 3
"""Less than a few is no cluster, however little was expected."""

Label = str | None
Where = tuple[Label, Label]


@dataclass(slots=True)
class Expectation:
    """Takes the counts of a map, cell by cell and service by service, and spreads each line of it by the hours."""

    rows: str
    columns: str
    since: int | None
    until: int | None
    settled: Configuration
    _lines: dict[Label, Counter[Label]] = field(default_factory=dict[Label, Counter[Label]])
    _shares: dict[Label, Mapping[str, float]] = field(default_factory=dict[Label, Mapping[str, float]])

    @property
    def clock(self) -> str | None:
        """The axis that the records are spread over: the columns, if they are of a clock, else the rows.

        None also where one axis follows from the other.
        """
        if self.rows == self.columns or {self.rows, self.columns} == _SAME_CLOCK:
            return None
        return next((axis for axis in (self.columns, self.rows) if axis in CLOCKS), None)

    def add(self, where: Where, service_id: Label, count: int) -> None:
        """Take a count; what has no place on the clock, a date alone, is not spread."""
        line, label = self._placed(where)
        if label is not None:
            self._lines.setdefault(line, Counter())[service_id] += count

    def line(self, where: Where) -> int:
        """The records that are spread over the cell's line."""
        return self._lines.get(self._placed(where)[0], Counter[Label]()).total()

    def of(self, where: Where) -> float | None:
        """The count to expect in a cell; None where there is nothing to spread over, or no table has its bracket."""
        line, label = self._placed(where)
        if self.clock is None or label is None or line not in self._lines:
            return None
        parts = [
            (count, share)
            for service_id, count in self._lines[line].items()
            if (share := self._share_of(service_id).get(label)) is not None
        ]
        return sum(count * share for count, share in parts) if parts else None

    def _placed(self, where: Where) -> Where:
        """The line of a cell, and its label on the clock."""
        row, column = where
        return (row, column) if self.clock == self.columns else (column, row)

    def _share_of(self, service_id: Label) -> Mapping[str, float]:
        if service_id not in self._shares:
            self._shares[service_id] = self._worked_out(service_id)
        return self._shares[service_id]

    def _worked_out(self, service_id: Label) -> Mapping[str, float]:
        if self.clock == "hour":
            return {str(hour): 1 / 24 for hour in range(24)}
        if self.clock == "weekday":
            return self._of_weekdays()
        particulars = self.settled.service_of(service_id)[1].particulars
        service_type = particulars.service_type if particulars else None
        return shares(table_of(service_id, service_type, self.settled.shift_tables))

    def _of_weekdays(self) -> Mapping[str, float]:
        """A seventh each, but in a period that begins and ends: as many days as it has of each."""
        if self.since is None or self.until is None or self.since >= self.until:
            return dict.fromkeys(WEEKDAYS, 1 / 7)
        first = from_micros(self.since).astimezone(self.settled.zone).date()
        last = (from_micros(self.until) - timedelta(microseconds=1)).astimezone(self.settled.zone).date()
        days = (last - first).days + 1
        weeks, rest = divmod(days, 7)
        extra = {(first.weekday() + n) % 7 for n in range(rest)}
        return {name: (weeks + (n in extra)) / days for n, name in enumerate(WEEKDAYS)}


def is_hot(count: int, line: int, expected: float) -> bool:
    """Whether a count is clearly above the expected one: as many of the line's would be there once in a thousand maps.

    One-sided binomial test with the mean share; where the services' shares differ the test is a little more careful.
    """
    if count < FEW or count <= expected:
        return False
    return _chance_of(count, line, expected / line) < HARDLY_EVER


def _chance_of(least: int, tries: int, share: float) -> float:
    """P(X >= least) of a binomial X, least above its mean: a sum whose terms fall, so it ends where they vanish."""
    if share <= 0:
        return 0.0
    ways = lgamma(tries + 1) - lgamma(least + 1) - lgamma(tries - least + 1)
    term = exp(ways + least * log(share) + (tries - least) * log1p(-share))
    chance, hits = 0.0, least
    while hits <= tries and term > chance * 1e-12:
        chance += term
        term *= (tries - hits) / (hits + 1) * share / (1 - share)
        hits += 1
    return chance
