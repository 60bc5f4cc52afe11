"""Where plans do not hold: how far near misses were off the plan in time, in staff and on the way (S9).

What is counted is what a heatmap counts: the same facts, by the same rules, as of the same sequence.
"""

from typing import Any

from sqlalchemy import ColumnElement, case, func

from app.database.tables import heatmap_facts
from app.domain.stage_hints import ON_TIME_MINUTES
from app.operations.configuration import Configuration
from app.operations.heatmaps import Asked, facts
from app.operations.show import Reader

GROUPS = ("stage_allowed", "stage_affected", "service_id", "locality", "shift_bracket", "incident_type", "deviation")
_FACT = heatmap_facts.c
_MEASURES = (
    ("scheduling_minutes", _FACT.scheduling_minutes, _FACT.scheduling_minutes > ON_TIME_MINUTES),
    ("staff", _FACT.staff_deviation, _FACT.staff_deviation < 0),
    ("travel_minutes", _FACT.travel_minutes, _FACT.travel_minutes > ON_TIME_MINUTES),
)


def plan_deviations(reader: Reader, settled: Configuration, asked: Asked) -> list[dict[str, Any]]:
    """The deviations by the rows of what is asked, which was checked; the groups with most near misses first.

    `settled`: what was settled at the reader's sequence. Whoever asks has had the follower `heatmap` catch up before.
    """
    by = _FACT[asked.rows]
    sums = [one for _, column, off in _MEASURES for one in _of(column, off)]
    chosen = facts(reader, settled.policy, asked).with_only_columns(by, func.count(), *sums).group_by(by)
    items = [_item(list(row)) for row in reader.connection.execute(chosen)]
    return sorted(items, key=lambda item: (-item["near_misses"], item["key"] is None, item["key"] or ""))


def _of(column: "ColumnElement[Any]", off: "ColumnElement[bool]") -> "tuple[ColumnElement[Any], ...]":
    """Of one measure: of how many it is known, its mean, how many are off the plan, the smallest and the largest."""
    return func.count(column), func.avg(column), func.sum(case((off, 1), else_=0)), func.min(column), func.max(column)


def _item(row: list[Any]) -> dict[str, Any]:
    item: dict[str, Any] = {"key": row[0], "near_misses": int(row[1])}
    for place, (name, _, _) in enumerate(_MEASURES):
        known, mean, off, smallest, largest = row[2 + 5 * place : 7 + 5 * place]
        told = {"known": known, "mean": mean, "off_plan": off, "smallest": smallest, "largest": largest}
        item[name] = (
            {**told, "known": int(known), "mean": round(float(mean), 2), "off_plan": int(off)} if known else None
        )
    return item
