"""The workflow heatmap: facts counted by two axes, beside each count the one that the hours alone would explain.

What is counted at a ledger sequence is counted with what was settled then, so a map of then never changes. A reader who
may see no single record gets the map with its small cells withheld.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, func, select
from sqlalchemy.sql import Select

from app.database.tables import heatmap_facts, near_misses, standing
from app.domain.decider import Fault, Invalid
from app.domain.policy import Policy
from app.domain.small_cells import is_small, withheld
from app.domain.spelling import instead_of
from app.domain.taxonomy_check import advice
from app.operations.configuration import Configuration, load
from app.operations.follow import place_of
from app.operations.heatmap_expected import Expectation, is_hot
from app.operations.heatmap_rates import Exposure, exposure_of
from app.operations.known_places import unknown
from app.operations.show import Reader
from app.projections.heatmap import WEEKDAYS

STAGES = ("stage_allowed", "stage_affected")
AXES = (
    *STAGES, "shift_bracket", "weekday", "hour", "week", "month", "service_id", "locality", "incident_type",
    "deviation", "recovery_barrier", "source",
)  # fmt: skip
BRACKETS = ("morning_handover", "morning", "day", "lunch", "tea", "evening_handover", "bed", "night", "unassigned")
WORDS = {
    "incident_type": "incident_types",
    "deviation": "deviations",
    "stage_allowed": "workflow_stages",
    "stage_affected": "workflow_stages",
    "recovery_barrier": "recovery_barriers",
    "classification": "classifications",
}
"""Filter → the list of the taxonomy whose codes it takes."""

_PLACES = ("service_id", "locality")
_UNKNOWN = "unknown"

Label = str | None
Where = tuple[Label, Label]


@dataclass(frozen=True, slots=True)
class Asked:
    """A map: its axes, its period [since, until) in microseconds, and the values that its facts must have."""

    rows: str
    columns: str
    since: int | None
    until: int | None
    filters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Map:
    """The counts of a map by row and column; of the records without a stage where a stage is an axis, `unlinked`."""

    asked: Asked
    counts: Mapping[Where, int]
    unlinked: int
    expected: Mapping[Where, float]
    hot: frozenset[Where]
    exposure: Exposure | None
    as_of_sequence: int


def settled_then(reader: Reader, settled: Configuration) -> Configuration:
    """What was settled at the reader's sequence; `settled` is what is settled now."""
    return settled if reader.as_of is None else load(reader.connection, reader.organisation, reader.as_of)


def checked(reader: Reader, settled: Configuration, asked: Asked) -> Asked:
    """The question with its service by its own name, if everything in it is known here (`Invalid` names what is not).

    A code that was retired is known: records hold it still.
    """
    named = {name: [(f"/query/{name}", asked.filters[name])] for name in _PLACES if name in asked.filters}
    faults = [
        Fault(f"/query/{name}", "unknown-code", f"There is no such axis: {instead_of(axis, AXES)}")
        for name, axis in (("rows", asked.rows), ("columns", asked.columns))
        if axis not in AXES
    ]
    for name, code in asked.filters.items():
        if (listed := WORDS.get(name)) is None or (name in STAGES and code == _UNKNOWN):
            continue
        words = settled.taxonomy.words[listed]
        if code not in words.ever:
            told = f"This code is not known here: {advice(code, words, listed)}"
            faults.append(Fault(f"/query/{name}", "unknown-code", told))
    if asked.since is not None and asked.until is not None and asked.until <= asked.since:
        faults.append(Fault("/query/to", "out-of-order", "Let the period end after it begins."))
    faults += unknown(reader, settled, named.get("service_id", ()), named.get("locality", ()))
    if faults:
        raise Invalid(*faults)
    if "service_id" not in asked.filters:
        return asked
    own, _ = settled.service_of(asked.filters["service_id"])
    filters = {**asked.filters, "service_id": own or ""}
    return Asked(asked.rows, asked.columns, asked.since, asked.until, filters)


def counted(reader: Reader, settled: Configuration, asked: Asked) -> Map:
    """The map as the reader sees it. `settled` is what was settled then, `asked` was checked."""
    chosen = facts(reader, settled.policy, asked)
    counts = Counter[Where]()
    expectation = Expectation(asked.rows, asked.columns, asked.since, asked.until, settled)
    unlinked = 0
    for where, service_id, count in _grouped(reader, chosen, asked):
        if any(
            axis in STAGES and label is None for axis, label in zip((asked.rows, asked.columns), where, strict=True)
        ):
            unlinked += count
        else:
            counts[where] += count
            expectation.add(where, service_id, count)
    expected = {where: value for where in counts if (value := expectation.of(where)) is not None}
    hot = frozenset(where for where, value in expected.items() if is_hot(counts[where], expectation.line(where), value))
    return Map(asked, counts, unlinked, expected, hot, exposure_of(reader, settled, asked, chosen), come_to(reader))


def _grouped(reader: Reader, chosen: "Select[*tuple[Any, ...]]", asked: Asked) -> Iterator[tuple[Where, Label, int]]:
    """Each cell's count, service by service where the services' shift tables matter."""
    row, column = heatmap_facts.c[asked.rows], heatmap_facts.c[asked.columns]
    by_table = "shift_bracket" in (asked.rows, asked.columns)
    by = [row.label("of_row"), column.label("of_column"), *([heatmap_facts.c.service_id] if by_table else [])]
    grouped: Select[Any] = chosen.with_only_columns(*by, func.count()).group_by(*by)
    found: list[Any] = list(reader.connection.execute(grouped))
    for one in found:
        yield (one[0], one[1]), one[2] if by_table else None, int(one[-1])


def document(found: Map, *, withholding: bool = False) -> dict[str, Any]:
    """The map as the API contract shows it; `withholding`: for a reader who may see no single record.

    Such a reader is not told what is expected either: it is made of the counts of services.
    """
    asked, counts = found.asked, found.counts
    hidden = withheld(counts, one_more=is_small(found.unlinked)) if withholding else frozenset[Where]()
    lonely = len(hidden) + (withholding and is_small(found.unlinked)) == 1
    total = sum(counts.values()) + found.unlinked
    shown: dict[str, Any] = {
        "rows": ordered(asked.rows, (row for row, _ in counts)),
        "columns": ordered(asked.columns, (column for _, column in counts)),
        "cells": [
            _cell(found, where, where in hidden, withholding)
            for where in sorted(
                {*counts, *hidden}, key=lambda at: (rank(asked.rows, at[0]), rank(asked.columns, at[1]))
            )
        ],
        "total": None if lonely else total,
        "unlinked": None if withholding and is_small(found.unlinked) else found.unlinked,
        "as_of_sequence": found.as_of_sequence,
    }
    if hidden or shown["unlinked"] is None:
        shown["suppressed"] = True
    if found.exposure is not None:
        shown |= {"rate_per": found.exposure.per, "exposure": found.exposure.total}
        if shown["total"] is not None:
            shown["rate"] = found.exposure.rate(total)
    return shown


def members(
    reader: Reader, settled: Configuration, asked: Asked, row: Label, column: Label
) -> "Select[*tuple[Any, ...]]":
    """Selects the ids of one cell's near misses, each with the sequence that recorded it."""
    first, second = heatmap_facts.c[asked.rows], heatmap_facts.c[asked.columns]
    chosen = facts(reader, settled.policy, asked)
    chosen = chosen.where(first.is_not_distinct_from(row), second.is_not_distinct_from(column))
    of_same = near_misses.c.near_miss_id == heatmap_facts.c.near_miss_id
    return chosen.join(
        near_misses, (near_misses.c.organisation == heatmap_facts.c.organisation) & of_same
    ).with_only_columns(heatmap_facts.c.near_miss_id, near_misses.c.sequence)


def facts(reader: Reader, policy: Policy, asked: Asked) -> "Select[*tuple[Any, ...]]":
    """Selects the facts that are counted: of what any active rule counts, unless a classification is asked for."""
    fact = heatmap_facts.c
    chosen = select(heatmap_facts).where(fact.organisation == reader.organisation)
    chosen = chosen.where(*standing(heatmap_facts, reader.as_of))
    if "classification" not in asked.filters:
        chosen = chosen.where(fact.classification.in_(sorted(policy.counted)))
    if asked.since is not None:
        chosen = chosen.where(fact.occurred_at >= asked.since)
    if asked.until is not None:
        chosen = chosen.where(fact.occurred_at < asked.until)
    for name, value in asked.filters.items():
        chosen = chosen.where(_column(name) == value)
    return chosen


def ordered(axis: str, labels: Iterable[Label]) -> list[Label]:
    """The labels of an axis, each once."""
    return sorted(set(labels), key=lambda label: rank(axis, label))


def rank(axis: str, label: Label) -> tuple[int, int, str]:
    """Weekdays, hours and the usual brackets in their own order, everything else by name, what has no value last."""
    if label is None:
        return 1, 0, ""
    match axis:
        case "weekday":
            return 0, WEEKDAYS.index(label), ""
        case "hour":
            return 0, int(label), ""
        case "shift_bracket":
            return 0, BRACKETS.index(label) if label in BRACKETS else len(BRACKETS), label
        case _:
            return 0, 0, label


def _column(name: str) -> "Column[Any]":
    return heatmap_facts.c[name]


def _cell(found: Map, where: Where, is_hidden: bool, withholding: bool) -> dict[str, Any]:
    row, column = where
    if is_hidden:
        return {"row": row, "column": column, "count": None, "suppressed": True}
    count = found.counts[where]
    return {"row": row, "column": column, "count": count, **dict(_beside(found, where, count, withholding))}


def _beside(found: Map, where: Where, count: int, withholding: bool) -> Iterator[tuple[str, Any]]:
    if where in found.expected and not withholding:
        yield "expected", found.expected[where]
    if where in found.hot:
        yield "above_expected", True
    if found.exposure is not None and (rate := found.exposure.rate(count, where)) is not None:
        yield "rate", rate


def come_to(reader: Reader) -> int:
    """How far the facts have come: the sequence that was asked for, else the follower's place in the same state."""
    return reader.as_of if reader.as_of is not None else place_of(reader.connection, reader.organisation, "heatmap")
