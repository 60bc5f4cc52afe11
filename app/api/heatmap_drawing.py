"""The heatmap as a picture that a person can read on a screen, in print and without telling colours apart.

One hue from white to dark, the number itself in each cell; an outline with a triangle where the number is clearly above
what the hours would explain; hatching where it is withheld. Calendars are drawn without gaps: a month of none is there.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import ceil
from typing import Any

from app.api.drawing import rendered
from app.domain.decider import Fault, Invalid
from app.domain.moment import from_micros
from app.operations.configuration import Configuration
from app.operations.heatmaps import WORDS, Asked
from app.projections.heatmap import WEEKDAYS

MOST_ROWS, MOST_COLUMNS = 100, 60

_RAMP = ("#f7fbff", "#d6e6f4", "#abd0e6", "#6aaed6", "#2171b5", "#084594")
"""ColorBrewer's Blues: one hue whose lightness alone tells more from less."""
_DARK = 3
"""From this step on the number is white."""
_WIDTH, _HEIGHT, _LEFT, _TOP = 64, 38, 210, 150
_SLANTED = 4.8
"""How high a letter of a column's label stands, slanted as it is."""
_LONGEST_LABEL = 30

_NAMES = {
    "stage_allowed": "Stage that allowed it", "stage_affected": "Stage affected", "shift_bracket": "Shift bracket",
    "weekday": "Weekday", "hour": "Hour", "week": "Week", "month": "Month", "service_id": "Service",
    "locality": "Locality", "incident_type": "Incident type", "deviation": "Deviation",
    "recovery_barrier": "Recovery barrier", "source": "Source", "classification": "Classification",
}  # fmt: skip
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MARKED = "more than the hours would explain"

Label = str | None


@dataclass(frozen=True, slots=True)
class Drawn:
    """One cell as it is drawn."""

    x: int
    y: int
    fill: str
    ink: str
    text: str
    below: str
    said: str
    is_hot: bool
    is_withheld: bool


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the ramp, and the counts that it stands for."""

    fill: str
    text: str


def picture(found: Mapping[str, Any], asked: Asked, settled: Configuration) -> str:
    """The SVG of a map's document; `Invalid` when it has more rows or columns than can be read."""
    rows, columns = (_without_gaps(getattr(asked, axis), found[axis]) for axis in ("rows", "columns"))
    _must_be_readable(rows, columns)
    names = _Names(settled)
    cells = {(cell["row"], cell["column"]): cell for cell in found["cells"]}
    most = max((cell["count"] or 0 for cell in cells.values()), default=0)
    columns_said = [_short(names.of(asked.columns, one)) for one in columns]
    top = _TOP + ceil(_SLANTED * max(map(len, columns_said), default=0))
    bottom = top + len(rows) * _HEIGHT
    drawn = [
        _drawn(
            cells.get((row, column), {"count": 0}),
            most,
            _LEFT + x * _WIDTH,
            top + y * _HEIGHT,
            f"{names.of(asked.rows, row)}, {names.of(asked.columns, column)}",
        )
        for y, row in enumerate(rows)
        for x, column in enumerate(columns)
    ]
    return rendered(
        "heatmap.svg.jinja",
        title=f"Near misses by {_NAMES[asked.rows].lower()} and {_NAMES[asked.columns].lower()}",
        period=_period(asked, settled),
        filters="; ".join(f"{_NAMES[name]}: {names.of(name, value)}" for name, value in asked.filters.items()),
        said=_said(found),
        row_axis=_NAMES[asked.rows],
        column_axis=_NAMES[asked.columns],
        rows=[(top + n * _HEIGHT, _short(names.of(asked.rows, row))) for n, row in enumerate(rows)],
        columns=[(_LEFT + n * _WIDTH, said) for n, said in enumerate(columns_said)],
        cells=drawn,
        steps=_steps(most),
        has_expected=any("expected" in cell for cell in cells.values()),
        has_hot=any(cell.is_hot for cell in drawn),
        is_withheld=bool(found.get("suppressed")),
        cell_width=_WIDTH,
        cell_height=_HEIGHT,
        left=_LEFT,
        top=top,
        bottom=bottom,
        width=max(_LEFT + len(columns) * _WIDTH + 110, 760),
        height=bottom + 130,
    )


def _must_be_readable(rows: Sequence[Label], columns: Sequence[Label]) -> None:
    faults = [
        Fault(
            f"/query/{name}", "out-of-range", f"Draw at most {most} {name}: choose another axis, or a shorter period."
        )
        for name, labels, most in (("rows", rows, MOST_ROWS), ("columns", columns, MOST_COLUMNS))
        if len(labels) > most
    ]
    if faults:
        raise Invalid(*faults)


def _drawn(cell: Mapping[str, Any], most: int, x: int, y: int, where: str) -> Drawn:
    count, expected = cell["count"], cell.get("expected")
    step = 0 if not count else _step(count, most)
    is_hot = bool(cell.get("above_expected"))
    said = f"{where}: {'withheld' if count is None else count}"
    if expected is not None:
        said += f"; {expected:.1f} expected from the hours"
    return Drawn(
        x,
        y,
        _RAMP[step],
        "#fff" if step > _DARK else "#000",
        "–" if count is None else str(count),
        "" if expected is None else f"exp. {expected:.1f}",
        said + (f"; {_MARKED}" if is_hot else ""),
        is_hot,
        count is None,
    )


def _step(count: int, most: int) -> int:
    """White is for none; the rest of the ramp goes in equal steps to the most."""
    return min(len(_RAMP) - 1, ceil(count * (len(_RAMP) - 1) / most))


def _steps(most: int) -> list[Step]:
    counts: dict[int, list[int]] = {0: [0]}
    parts = len(_RAMP) - 1
    for step in range(1, len(_RAMP)):
        least, greatest = (step - 1) * most // parts + 1, step * most // parts
        if least <= greatest:
            counts[step] = [least, greatest]
    return [
        Step(_RAMP[step], f"{ends[0]:,}" if ends[0] == ends[-1] else f"{ends[0]:,}–{ends[-1]:,}")
        for step, ends in counts.items()
    ]


def _said(found: Mapping[str, Any]) -> str:
    """The sums, in a sentence."""
    parts = ["Total: withheld" if found["total"] is None else f"Total: {found['total']:,}"]
    if found["unlinked"] is None:
        parts.append("without a stage: withheld")
    elif found["unlinked"]:
        parts.append(f"without a stage, and in no cell: {found['unlinked']:,}")
    if "rate" in found:
        parts.append(f"{found['rate']:.2f} per 1,000 {found['rate_per'].replace('_', ' ')}")
    return "; ".join(parts) + f". Ledger sequence {found['as_of_sequence']}."


def _period(asked: Asked, settled: Configuration) -> str:
    ends = [None if at is None else from_micros(at).astimezone(settled.zone) for at in (asked.since, asked.until)]
    since, until = (None if one is None else f"{one:%Y-%m-%d %H:%M}".removesuffix(" 00:00") for one in ends)
    if since is None and until is None:
        return "All that was recorded"
    return " ".join([*(["From", since] if since else []), *(["until before", until] if until else [])])


@dataclass(frozen=True, slots=True)
class _Names:
    """What people call the values of an axis."""

    settled: Configuration

    def of(self, axis: str, label: Label) -> str:
        if label is None:
            return "Not recorded"
        if axis == "weekday":
            return _DAYS[WEEKDAYS.index(label)]
        if axis == "hour":
            return f"{int(label):02d}:00"
        if axis == "service_id":
            particulars = self.settled.service_of(label)[1].particulars
            return particulars.name if particulars else label
        if axis in WORDS:
            terms = self.settled.taxonomy.lists[WORDS[axis]]
            return next((term.label for term in terms if term.code == label), label.replace("_", " ").capitalize())
        return label.replace("_", " ").capitalize() if axis == "shift_bracket" else label


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_LABEL else text[: _LONGEST_LABEL - 1] + "…"


def _without_gaps(axis: str, labels: Sequence[Label]) -> list[Label]:
    """The labels of a calendar's axis with those between them that have none, at most as many as can be drawn."""
    known = [label for label in labels if label is not None]
    rest: list[Label] = [None] if None in labels else []
    match axis:
        case "weekday":
            return [*WEEKDAYS, *rest]
        case "hour":
            return [*map(str, range(24)), *rest]
        case "month" | "week" if known:
            return [*_calendar(axis, known[0], known[-1]), *rest]
        case _:
            return [*labels]


def _calendar(axis: str, first: str, last: str) -> Iterator[str]:
    if axis == "week":
        year, week = first.split("-W")
        day = date.fromisocalendar(int(year), int(week), 1)
    else:
        day = date.fromisoformat(f"{first}-01")
    for _ in range(MOST_ROWS + 1):
        year, week, _ = day.isocalendar()
        label = f"{year}-W{week:02d}" if axis == "week" else f"{day:%Y-%m}"
        yield label
        if label == last:
            return
        day = day + timedelta(days=7) if axis == "week" else (day + timedelta(days=31)).replace(day=1)
