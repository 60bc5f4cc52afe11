"""What a measurement is: ours between two runs of its yardstick, round after round, and the ratio of each round.

Absolute figures belong to a machine and an hour; a ratio of two neighbours does not. So every round's ratio is taken
against the mean of the yardstick just before and just after it, and the range over the rounds says how noisy it was.
"""

import json
import statistics
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured: `quick` is for trying the benchmarks themselves, its figures are not for quoting."""

    rounds: int
    quick: bool
    folder: Path

    def pick(self, full: int, quick: int) -> int:
        """A size for this scale."""
        return quick if self.quick else full


@dataclass(frozen=True, slots=True)
class Aim:
    """What the ratio should be."""

    sense: Literal["at least", "at most"]
    ratio: float

    def met_by(self, ratio: float) -> bool:
        """Whether a ratio is good enough."""
        return ratio >= self.ratio if self.sense == "at least" else ratio <= self.ratio

    def __str__(self) -> str:
        return f"{'≥' if self.sense == 'at least' else '≤'} {self.ratio:g}"


@dataclass(slots=True)
class Line:
    """One line of the table: medians over the rounds. `aim` None: shown for its own sake."""

    name: str
    unit: str
    ours: float
    yardstick: float
    ratio: float
    low: float
    high: float
    aim: Aim | None
    rounds: int
    notes: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def verdict(self) -> str:
        """Met, missed, or without an aim."""
        if self.aim is None:
            return "no aim"
        return "met" if self.aim.met_by(self.ratio) else "MISSED"


def compare(
    name: str,
    unit: str,
    yardstick: Callable[[], float],
    ours: Callable[[], float],
    aim: Aim | None,
    rounds: int,
    notes: Mapping[str, Any] | None = None,
) -> Line:
    """Y a Y a Y: each measurement gives a rate, more being better; the first of both is thrown away."""
    yardstick()
    ours()
    before = yardstick()
    marks, rates, ratios = [before], list[float](), list[float]()
    for _ in range(rounds):
        rate = ours()
        after = yardstick()
        rates.append(rate)
        marks.append(after)
        ratios.append(rate / ((before + after) / 2))
        before = after
    return Line(
        name,
        unit,
        statistics.median(rates),
        statistics.median(marks),
        statistics.median(ratios),
        min(ratios),
        max(ratios),
        aim,
        rounds,
        {
            **(notes or {}),
            "ours_by_round": [round(rate, 1) for rate in rates],
            "yardstick_by_round": [round(rate, 1) for rate in marks],
        },
    )


def save(lines: list[Line], path: Path) -> None:
    """Write what a case measured where the one who started it looks."""
    path.write_text(json.dumps([asdict(line) for line in lines]), encoding="utf-8")


def load(path: Path) -> list[Line]:
    """What a case measured."""
    lines = list[Line]()
    for one in json.loads(path.read_text(encoding="utf-8")):
        aim = one.pop("aim")
        lines.append(Line(**one, aim=Aim(**aim) if aim else None))
    return lines
