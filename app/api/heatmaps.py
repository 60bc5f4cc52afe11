"""The workflow heatmap: where in the work, and when, near misses were allowed; every cell leads to its records."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from sqlalchemy import Column, func, select
from sqlalchemy.sql import Select
from starlette.responses import Response

from app.api.asof import AsOf, sequence_of
from app.api.door import shown
from app.api.lists import Cursor, Limit, instant_of, listed, page
from app.api.looking import Look, Reading
from app.api.routes import told
from app.api.schemas.answers import CellMembers, Heatmap
from app.database.tables import FOR_EVER, heatmap_facts, near_misses
from app.domain.decider import Fault, Invalid
from app.domain.policy import Policy
from app.operations.show import Reader
from app.projections.heatmap import WEEKDAYS

router = APIRouter(prefix="/v1", tags=["heatmaps"])
READ = "near-misses:read"
STAGES = ("stage_allowed", "stage_affected")
AXES: dict[str, "Column[Any]"] = {
    name: heatmap_facts.c[name]
    for name in (
        *STAGES,
        "shift_bracket",
        "weekday",
        "hour",
        "week",
        "month",
        "service_id",
        "incident_type",
        "deviation",
    )
}
Axis = Annotated[str, Query(max_length=32, description=f"One of: {', '.join(AXES)}.")]
Text = Annotated[str | None, Query(max_length=128)]
When = Annotated[str | None, Query(max_length=40, description="A date or an instant; from inclusive, to exclusive.")]


@router.get("/heatmaps/workflow", **told(READ, Heatmap))
def read_heatmap(
    look: Reading,
    rows: Axis = "stage_allowed",
    columns: Axis = "shift_bracket",
    from_: Annotated[str | None, Query(alias="from", max_length=40)] = None,
    to: When = None,
    service_id: Text = None,
    incident_type: Text = None,
    classification: Text = None,
    as_of: AsOf = None,
) -> Response:
    """Counts by two axes. The total is the sum of the cells and of the unlinked: those that no stage is known of."""
    row, column = _axis("rows", rows), _axis("columns", columns)
    with look.caught_up("heatmap") as (reader, position):
        sequence = sequence_of(reader, as_of)
        chosen = _facts(look, reader, sequence, from_, to, service_id, incident_type, classification)
        counted = chosen.with_only_columns(row, column, func.count()).group_by(row, column)
        found = [(one[0], one[1], int(one[2])) for one in reader.connection.execute(counted)]
    unlinked = sum(count for r, c, count in found if _is_unlinked(rows, r) or _is_unlinked(columns, c))
    cells = [(r, c, count) for r, c, count in found if not (_is_unlinked(rows, r) or _is_unlinked(columns, c))]
    return shown(
        {
            "rows": _labels(rows, {r for r, _, _ in cells}),
            "columns": _labels(columns, {c for _, c, _ in cells}),
            "cells": [
                {"row": r, "column": c, "count": count}
                for r, c, count in sorted(cells, key=lambda cell: (_rank(rows, cell[0]), _rank(columns, cell[1])))
            ],
            "total": sum(count for _, _, count in found),
            "unlinked": unlinked,
            "as_of_sequence": position if sequence is None else sequence,
        }
    )


@router.get("/heatmaps/workflow/cells", **told(READ, CellMembers))
def read_cell(
    look: Reading,
    request: Request,
    rows: Axis = "stage_allowed",
    columns: Axis = "shift_bracket",
    row: Text = None,
    column: Text = None,
    from_: Annotated[str | None, Query(alias="from", max_length=40)] = None,
    to: When = None,
    service_id: Text = None,
    incident_type: Text = None,
    classification: Text = None,
    as_of: AsOf = None,
    limit: Limit = 200,
    cursor: Cursor = None,
) -> Response:
    """The near misses of one cell; a row or column that is left out is the one without a value."""
    first, second = _axis("rows", rows), _axis("columns", columns)
    with look.caught_up("heatmap") as (reader, _):
        sequence = sequence_of(reader, as_of)
        chosen = _facts(look, reader, sequence, from_, to, service_id, incident_type, classification)
        chosen = chosen.where(first.is_not_distinct_from(row), second.is_not_distinct_from(column))
        chosen = chosen.join(
            near_misses,
            (near_misses.c.organisation == heatmap_facts.c.organisation)
            & (near_misses.c.near_miss_id == heatmap_facts.c.near_miss_id),
        ).with_only_columns(heatmap_facts.c.near_miss_id, near_misses.c.sequence)
        found = reader.connection.execute(page(chosen, near_misses.c.sequence, cursor, limit)).all()
    return listed(request, [one[0] for one in found[:limit]], [one[1] for one in found], limit)


def _axis(name: str, axis: str) -> "Column[Any]":
    if axis not in AXES:
        raise Invalid(Fault(f"/query/{name}", "unknown-code", f"Use one of: {', '.join(AXES)}."))
    return AXES[axis]


def _facts(
    look: Look,
    reader: Reader,
    sequence: int | None,
    from_: str | None,
    to: str | None,
    service_id: str | None,
    incident_type: str | None,
    classification: str | None,
) -> "Select[*tuple[Any, ...]]":
    fact = heatmap_facts.c
    policy = look.settled(reader).policy
    chosen = select(heatmap_facts).where(fact.organisation == look.organisation)
    if sequence is None:
        chosen = chosen.where(fact.valid_to == FOR_EVER)
    else:
        chosen = chosen.where(fact.valid_from <= sequence, fact.valid_to > sequence)
    counted = [classification] if classification is not None else sorted(_counted(policy))
    chosen = chosen.where(fact.classification.in_(counted))
    if from_ is not None:
        chosen = chosen.where(fact.occurred_at >= instant_of("from", from_, policy.time_zone))
    if to is not None:
        chosen = chosen.where(fact.occurred_at < instant_of("to", to, policy.time_zone))
    if service_id is not None:
        chosen = chosen.where(fact.service_id == service_id)
    if incident_type is not None:
        chosen = chosen.where(fact.incident_type == incident_type)
    return chosen


def _counted(policy: Policy) -> set[str]:
    """The classifications that any active rule counts."""
    return {name for rule in policy.rules if rule.mode == "active" for name in rule.count_classifications}


def _is_unlinked(axis: str, label: str | None) -> bool:
    return axis in STAGES and label is None


def _labels(axis: str, labels: set[str | None]) -> list[str | None]:
    return sorted(labels, key=lambda label: _rank(axis, label))


def _rank(axis: str, label: str | None) -> tuple[int, int, str]:
    """Weekdays and hours in their own order, everything else by name, what has no value last."""
    if label is None:
        return 1, 0, ""
    if axis == "weekday":
        return 0, WEEKDAYS.index(label), ""
    return (0, int(label), "") if axis == "hour" else (0, 0, label)
