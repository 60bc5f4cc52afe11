"""The workflow heatmap: where in the work, and when, near misses were allowed; every cell leads to its records.

Leadership and auditors may look at it without being allowed to read single records: they see the map with its small
cells withheld, and no cell leads them any further. They are shown whole months as they stand: of two maps that differ
by one event or one day, the difference would be a single record.
"""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, time
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from app.api.asof import AsOf, sequence_of
from app.api.door import Forbidden, shown
from app.api.drawing import SVG, drawn
from app.api.heatmap_drawing import picture
from app.api.lists import Cursor, Limit, instant_of, listed, page
from app.api.looking import Look, Reading, looking
from app.api.routes import told
from app.api.schemas.answers import CellMembers, Heatmap
from app.database.tables import near_misses
from app.domain.decider import Fault, Invalid
from app.domain.moment import from_micros
from app.operations.configuration import Configuration
from app.operations.heatmaps import AXES, Asked, checked, counted, document, members, settled_then
from app.operations.show import Reader

router = APIRouter(prefix="/v1", tags=["heatmaps"])
READ = "near-misses:read"
PATTERNS_ONLY = ("governance:act", "audit:read")
"""Scopes that show the map with its small cells withheld."""

Axis = Annotated[str, Query(max_length=32, description=f"One of: {', '.join(AXES)}.")]
Text = Annotated[str | None, Query(max_length=128)]
Looking = Annotated[Look, Depends(looking(READ, *PATTERNS_ONLY))]


@dataclass(frozen=True, slots=True)
class Question:
    """What the query of a map says, as it says it."""

    rows: Axis = "stage_allowed"
    columns: Axis = "shift_bracket"
    since: Annotated[
        str | None, Query(alias="from", max_length=40, description="A date or an instant: this and later.")
    ] = None
    until: Annotated[
        str | None, Query(alias="to", max_length=40, description="A date or an instant: earlier than this.")
    ] = None
    service_id: Text = None
    locality: Text = None
    source: Text = None
    incident_type: Text = None
    deviation: Text = None
    stage_allowed: Text = None
    stage_affected: Text = None
    recovery_barrier: Text = None
    classification: Annotated[
        str | None, Query(max_length=128, description="Left out: whatever any active rule counts.")
    ] = None
    as_of: AsOf = None

    def asked(self, reader: Reader, settled: Configuration) -> Asked:
        """The question, if everything in it is known here."""
        names = (
            "service_id", "locality", "source", "incident_type", "deviation", "stage_allowed", "stage_affected",
            "recovery_barrier", "classification",
        )  # fmt: skip
        zone = settled.policy.time_zone
        since = None if self.since is None else instant_of("from", self.since, zone)
        until = None if self.until is None else instant_of("to", self.until, zone)
        filters = {name: value for name in names if (value := getattr(self, name)) is not None}
        return checked(reader, settled, Asked(self.rows, self.columns, since, until, filters))


Query_ = Annotated[Question, Depends()]


@router.get("/heatmaps/workflow", **told(READ, Heatmap, instead=PATTERNS_ONLY))
def read_heatmap(look: Looking, question: Query_) -> Response:
    """Counts by two axes. The total is the sum of the cells and of the unlinked: those that no stage is known of.

    Beside a count stands what the hours alone would explain. A key that may not read single records is not told counts
    below five, and asks for whole calendar months, without `as_of`.
    """
    with _asked(look, question) as (reader, settled, asked):
        return shown(document(counted(reader, settled, asked), withholding=_withholding(look)))


@router.get(
    "/heatmaps/workflow.svg",
    **told(
        READ,
        instead=PATTERNS_ONLY,
        also={200: {"content": {SVG: {"schema": {"type": "string"}}}, "description": "The map as a picture."}},
    ),
)
def draw_heatmap(look: Looking, question: Query_) -> Response:
    """The same map as a picture: a number in each cell, in print too; outlined where it is clearly above the hours."""
    with _asked(look, question) as (reader, settled, asked):
        found = document(counted(reader, settled, asked), withholding=_withholding(look))
        return drawn(SVG, picture(found, asked, settled))


@router.get("/heatmaps/workflow/cells", **told(READ, CellMembers))
def read_cell(
    look: Reading,
    request: Request,
    question: Query_,
    row: Text = None,
    column: Text = None,
    limit: Limit = 200,
    cursor: Cursor = None,
) -> Response:
    """The near misses of one cell; a row or column that is left out is the one without a value."""
    with _asked(look, question) as (reader, settled, asked):
        chosen = members(reader, settled, asked, row, column)
        found = reader.connection.execute(page(chosen, near_misses.c.sequence, cursor, limit)).all()
    return listed(request, [one[0] for one in found[:limit]], [one[1] for one in found], limit)


@contextmanager
def _asked(look: Look, question: Question) -> Generator[tuple[Reader, Configuration, Asked]]:
    """A reader who has come as far as is asked, with what was settled by then, and the question."""
    if question.as_of is not None and _withholding(look):
        raise Forbidden(f"With `as_of` this needs a key with the scope {READ}: leave it out.")
    with known_at(look, question.as_of) as (reader, settled):
        asked = question.asked(reader, settled)
        if _withholding(look):
            _must_be_of_months(asked, settled)
        yield reader, settled, asked


@contextmanager
def known_at(look: Look, as_of: str | None) -> Generator[tuple[Reader, Configuration]]:
    """A reader whose facts have come as far as is asked, and what was settled by then."""
    sequence = None
    if as_of is not None:  # Before the follower is asked how far it is, which then is at least as far.
        with look.reader() as reader:
            sequence = sequence_of(look, reader, as_of)
    with look.caught_up("heatmap") as (reader, _):
        then = replace(reader, as_of=sequence)
        yield then, settled_then(then, look.settled(reader))


def _must_be_of_months(asked: Asked, settled: Configuration) -> None:
    faults = [
        Fault(f"/query/{name}", "not-a-month", f"Without {READ}, whole months are shown: give the first of a month.")
        for name, at in (("from", asked.since), ("to", asked.until))
        if at is not None and not _begins_month(from_micros(at).astimezone(settled.zone))
    ]
    if faults:
        raise Invalid(*faults)


def _begins_month(local: datetime) -> bool:
    return local.day == 1 and local.time() == time.min


def _withholding(look: Look) -> bool:
    return not look.visit.principal.may(READ)
