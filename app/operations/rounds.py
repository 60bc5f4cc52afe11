"""Late together is one near miss: the round or run that a late dose or visit belongs to, and those who join it."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from app.database.tables import intake_rounds
from app.domain import near_miss
from app.domain.moment import to_micros
from app.domain.occurrence import Round
from app.domain.report import Source
from app.events.store import Cause, Draft
from app.operations import revise
from app.operations.desk import Desk
from app.operations.revise import Record


def joinable(desk: Desk, source: str, key: str, late: Round) -> Record | None:
    """The near miss that stands for the source's round of that keyed hash already, if it still stands."""
    row, at = intake_rounds.c, to_micros(late.at)
    reach = round(late.within_minutes * 60_000_000)
    chosen = select(row.near_miss_id).where(
        row.organisation == desk.organisation,
        row.source == source,
        row.round_key == key,
        row.at >= at - reach,
        row.at <= at + reach,
    )
    for near_miss_id in desk.connection.execute(chosen.order_by(row.at, row.near_miss_id)).scalars().all():
        standing = _master(desk, near_miss_id)
        if standing.state.counts and not standing.state.closed:
            return standing
    return None


def _master(desk: Desk, near_miss_id: str) -> Record:
    """The record that holds the occurrence, when this one was found to be its duplicate."""
    standing = revise.load(desk, near_miss_id)
    while standing.state.duplicate_of is not None:
        standing = revise.load(desk, standing.state.duplicate_of)
    return standing


def join(desk: Desk, cause: Cause, near_miss_id: str, source: Source, document: Mapping[str, Any]) -> None:
    """Let the person of a late dose or visit, if it names one, join the near miss of its round."""
    standing = revise.load(desk, near_miss_id)
    ref = document.get("person_ref")
    person = standing.sealer.reference("person", ref) if ref else None
    decided = near_miss.decide(near_miss.AddPerson(source, person), standing.state, desk.now)
    desk.append(cause, [Draft(standing.stream, standing.version, decided)])
