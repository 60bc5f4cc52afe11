"""Counting along a line: how far back a window must reach to be a pattern, kept up to date entry by entry.

A window is never less of a pattern for reaching further back. So one number tells it for every window that ends at the
newest entry, and nobody has to look at what the windows hold, however much that is. What cannot be counted like this
is bounded by `Patience`: a ledger that somebody made up may not cost hours.
"""

from collections import OrderedDict, deque
from fractions import Fraction

from app.domain.moment import Moment
from app.domain.rule import Rule

AT_FIRST = 5_000_000
FOR_EACH_EVENT = 1_000
"""How many entries may be looked at: in any ledger, and more of them with every event of it."""


class TooMuchToCount(ValueError):
    """The windows hold more than may be looked at."""


class Patience:
    """How many entries may still be looked at, window by window."""

    def __init__(self) -> None:
        self.left = AT_FIRST
        self.looked = 0

    def grow(self) -> None:
        """Another event has come."""
        self.left += FOR_EACH_EVENT

    def spend(self, amount: int) -> None:
        """Look at so many entries."""
        self.looked += amount
        self.left -= amount
        if self.left < 0:
            raise TooMuchToCount(
                f"The events up to here ask for more than {self.looked - 1:,} looks at reports that share a key and a "
                "window, which no service of so few events does: see who made them."
            )


class Line:
    """What was added of a key, in order of its points: places on the clock that windows are compared by.

    `newest`: the instant and the sequence of the last. `began`: the instant of the first that is at its point. `noted`:
    the instant up to which all that waits for the end of a cool-down is noted.
    """

    def __init__(self, rule: Rule) -> None:
        self.newest: tuple[int, int] = (0, 0)
        self.began = 0
        self.noted: int | None = None
        self._rule = rule
        self._point: int | None = None
        self._date_only = False
        self._enough = rule.threshold + (rule.op == "gt")
        self._values: OrderedDict[str, int] = OrderedDict()
        self._weights: deque[tuple[int, int | Fraction]] = deque()
        self._total: int | Fraction = 0
        self._types: dict[str, int | None] = dict.fromkeys(rule.require_types)
        self._steps: list[int | None] = [None] * len(rule.require_sequence)

    def takes(self, point: int, sequence: int, moment: Moment) -> bool:
        """Whether an entry can be added: it is the newest of all, and compared as the others are."""
        follows = self._point is not None and point >= self._point and (moment.at, sequence) > self.newest
        return follows and moment.date_only is self._date_only

    def add(
        self, point: int, sequence: int, moment: Moment, weight: float, distinct: str | None, incident_type: str
    ) -> None:
        """The next entry."""
        if point != self._point:
            self.began = moment.at
        self._point, self._date_only, self.newest = point, moment.date_only, (moment.at, sequence)
        if self._rule.distinct is None:
            self._weigh(point, weight)
        elif distinct is not None:
            self._values[distinct] = point
            self._values.move_to_end(distinct)
            if len(self._values) > self._enough:
                self._values.popitem(last=False)
        if incident_type in self._types:
            self._types[incident_type] = point
        for step in range(len(self._steps) - 1, -1, -1):
            if self._rule.require_sequence[step] == incident_type:
                self._steps[step] = point if step == 0 else self._steps[step - 1]

    def reach(self) -> int | None:
        """The latest point that a window ending here must hold to be a pattern; None when none is."""
        latest = [*self._types.values(), *self._steps[-1:], self._enough_since()]
        known = [one for one in latest if one is not None]
        return min(known) if len(known) == len(latest) else None

    def _weigh(self, point: int, weight: float) -> None:
        if weight:
            exact = weight if isinstance(weight, int) else Fraction(weight)
            self._weights.append((point, exact))
            self._total += exact
        while self._weights and (
            self._weights[0][0] <= point - self._rule.width or self._reaches(self._total - self._weights[0][1])
        ):
            self._total -= self._weights.popleft()[1]

    def _enough_since(self) -> int | None:
        if self._rule.distinct is not None:
            return next(iter(self._values.values())) if len(self._values) >= self._enough else None
        return self._weights[0][0] if self._weights and self._reaches(self._total) else None

    def _reaches(self, total: int | Fraction) -> bool:
        try:
            count = float(total)
        except OverflowError:
            return True
        return count > self._rule.threshold if self._rule.op == "gt" else count >= self._rule.threshold
