"""What similar near misses were linked to, for whoever makes a workflow link: read from the facts that are counted."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, func, select

from app.database.tables import FOR_EVER, heatmap_facts
from app.domain import near_miss
from app.domain.decider import NotFound
from app.domain.moment import DAY
from app.domain.near_miss import NearMiss
from app.domain.plan import deviation_of
from app.domain.report import Report
from app.domain.stage_hints import Hint, Linked, hints
from app.domain.taxonomy import NO_WORDS
from app.operations.configuration import Configuration
from app.operations.revise import NO_SUCH_NEAR_MISS
from app.operations.show import Reader

LOOKED_BACK = 365 * DAY
_NAMED = 5
"""Of similar near misses, so many are named: the newest."""


def shown(reader: Reader, settled: Configuration, near_miss_id: str, now: int) -> dict[str, Any]:
    """The hints for one near miss, or `NotFound`; `now` in microseconds."""
    stream = f"near_miss/{near_miss_id}"
    told = reader.told([stream])[stream]
    if not told:
        raise NotFound(NO_SUCH_NEAR_MISS)
    state = near_miss.UNRECORDED
    for one in told:
        state = near_miss.evolve(state, one.event)
    found = _hints(reader, settled, near_miss_id, state, now)
    return {
        "near_miss_id": near_miss_id,
        "suggestions": [
            {
                "stage_allowed": one.stage_allowed,
                "score": one.score,
                "basis": one.basis,
                "says": one.says,
                "near_miss_ids": list(one.near_miss_ids),
            }
            for one in found
        ],
    }


def _hints(reader: Reader, settled: Configuration, near_miss_id: str, state: NearMiss, now: int) -> tuple[Hint, ...]:
    report, link = state.report, state.workflow_link
    assert report is not None
    words = settled.taxonomy.stages_of.get(report.incident_type, NO_WORDS)
    linked = [
        *_linked(reader.connection, reader.organisation, near_miss_id, report, now, here=True),
        *_linked(reader.connection, reader.organisation, near_miss_id, report, now, here=False),
    ]
    off = deviation_of(link.mapped_against if link and link.mapped_against else state.prefilled)
    return hints(words.in_use, report.incident_type, report.deviation, report.shift_bracket, off, linked)


def _linked(
    connection: Connection, organisation: str, near_miss_id: str, report: Report, now: int, *, here: bool
) -> Iterator[Linked]:
    """To which stages near misses of the same type and deviation were linked, in the same service or elsewhere."""
    fact = heatmap_facts.c
    similar = [
        fact.organisation == organisation,
        fact.valid_to == FOR_EVER,
        fact.occurred_at > now - LOOKED_BACK,
        fact.incident_type == report.incident_type,
        fact.deviation.is_not_distinct_from(report.deviation),
        fact.stage_allowed.is_not(None),
        fact.stage_allowed != "unknown",
        fact.near_miss_id != near_miss_id,
        fact.service_id.is_not_distinct_from(report.service_id)
        if here
        else fact.service_id.is_distinct_from(report.service_id),
    ]
    counted = select(fact.stage_allowed, func.count()).where(*similar).group_by(fact.stage_allowed)
    counts = [(str(stage), int(count)) for stage, count in connection.execute(counted)]
    total = sum(count for _, count in counts)
    for stage, count in sorted(counts, key=lambda one: (-one[1], one[0])):
        newest = (
            select(fact.near_miss_id)
            .where(*similar, fact.stage_allowed == stage)
            .order_by(fact.occurred_at.desc(), fact.near_miss_id)
            .limit(_NAMED)
        )
        yield Linked(stage, count, total, tuple(connection.execute(newest).scalars()), here)
