"""Trends over HTTP: counts, rates and the share of chance over time, with what is more than chance marked; and drawn.

As of a sequence or an instant the answer is the one of then, with the period that was the usual one then.
"""

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Query
from sqlalchemy import select
from starlette.responses import Response

from app.api.asof import AsOf, sequence_of, when
from app.api.door import shown
from app.api.drawing import SVG, drawn, rendered
from app.api.lists import instant_of
from app.api.looking import Look, Reading
from app.api.routes import told
from app.api.schemas.answers import Trends
from app.api.trend_picture import picture
from app.database.tables import heard_sources
from app.domain.decider import Fault, Invalid
from app.domain.spelling import instead_of
from app.domain.taxonomy import Words
from app.domain.taxonomy_check import advice
from app.domain.taxonomy_default import UNKNOWN
from app.domain.zones import zone
from app.operations.configuration import Configuration
from app.operations.known_places import unheard, unknown
from app.operations.show import Reader
from app.operations.trend_asking import BETWEEN, BUCKETS, CHARTS, FILTERS, GROUPS, MEASURES, Asked, Bucket, Measure
from app.operations.trends import trends

router = APIRouter(prefix="/v1", tags=["trends"])
READ = "near-misses:read"
LISTS = {"incident_type": "incident_types", "classification": "classifications"}
FITTING = {"chance_share": ("run", "p"), "rate": ("run", "u", "xmr")}
_DRAWN: dict[int | str, dict[str, Any]] = {
    200: {"content": {SVG: {"schema": {"type": "string"}}}, "description": "The series as a picture."}
}

Code = Annotated[str | None, Query(max_length=128)]


def _word(words: Iterable[str]) -> Any:
    return Query(max_length=32, description=f"One of: {', '.join(words)}.")


@dataclass(frozen=True, slots=True)
class Question:
    """What the query of a trend says, as it says it."""

    measure: Annotated[str, _word(MEASURES)] = "count"
    group_by: Annotated[str | None, _word(GROUPS)] = None
    bucket: Annotated[str, _word(BUCKETS)] = "month"
    chart: Annotated[str | None, _word(CHARTS)] = None
    since: Annotated[
        str | None,
        Query(alias="from", max_length=40, description="A date or an instant; its whole bucket is shown."),
    ] = None
    until: Annotated[
        str | None,
        Query(alias="to", max_length=40, description="A date or an instant: earlier than this."),
    ] = None
    service_id: Code = None
    locality: Code = None
    incident_type: Code = None
    deviation: Code = None
    classification: Annotated[
        str | None, Query(max_length=128, description="Left out: whatever any active rule counts.")
    ] = None
    stage_allowed: Code = None
    source: Code = None
    as_of: AsOf = None

    def asked(self, reader: Reader, settled: Configuration) -> Asked:
        """The question, if everything in it is known here and fits together; else everything that is wrong with it."""
        filters = {name: value for name in FILTERS if (value := getattr(self, name)) is not None}
        faults = [*self._misfits(), *_unknown_codes(settled, filters), *_unknown_names(reader, settled, filters)]
        if faults:
            raise Invalid(*faults)
        where = _zone_of(settled, self.service_id)
        since = None if self.since is None else instant_of("from", self.since, where)
        until = None if self.until is None else instant_of("to", self.until, where)
        if since is not None and until is not None and until <= since:
            raise Invalid(Fault("/query/to", "out-of-order", "Let the period end after it begins."))
        measure, bucket = cast("Measure", self.measure), cast("Bucket", self.bucket)
        return Asked(measure, self.group_by, bucket, since, until, filters, self.chart)

    def _misfits(self) -> Iterator[Fault]:
        words = {
            "measure": (self.measure, MEASURES),
            "group_by": (self.group_by, GROUPS),
            "bucket": (self.bucket, BUCKETS),
            "chart": (self.chart, CHARTS),
        }
        for name, (said, known) in words.items():
            if said is not None and said not in known:
                yield Fault(f"/query/{name}", "unknown-code", f"There is no such {name}: {instead_of(said, known)}")
        charts = FITTING.get(self.measure, tuple(one for one in CHARTS if one != "p"))
        if self.bucket == "event":
            charts = BETWEEN
        if self.chart in CHARTS and self.chart not in charts:
            yield Fault("/query/chart", "does-not-fit", f"What is asked can be charted as: {', '.join(charts)}.")
        if self.bucket == "event" and self.measure != "count":
            yield Fault("/query/bucket", "does-not-fit", "Only counts are charted event by event.")


Query_ = Annotated[Question, Depends()]


@router.get("/trends", **told(READ, Trends))
def read_trends(look: Reading, question: Query_) -> Response:
    """Near misses over time, each series under the chart that tells a change from chance, with what it signals.

    The bucket that is still running is shown and judged by no rule. Weekly counts are watched for a rise below the
    threshold whichever buckets are shown.
    """
    with _asked(look, question) as (reader, settled, asked, now):
        return shown(trends(reader, settled, asked, now))


@router.get("/trends.svg", **told(READ, also=_DRAWN))
def draw_trends(look: Reading, question: Query_) -> Response:
    """The same as a picture of up to six series: the values, their centre line and limits, and what is signalled."""
    with _asked(look, question) as (reader, settled, asked, now):
        found = trends(reader, settled, asked, now)
    return drawn(SVG, rendered("trend.svg.jinja", **picture(found, asked.chart)))


@contextmanager
def _asked(look: Look, question: Question) -> Generator[tuple[Reader, Configuration, Asked, datetime]]:
    """A reader who has come as far as is asked, what was settled by then, the question, and when then was."""
    clock = look.visit.door.house.clock
    sequence, known = None, clock()
    if question.as_of is not None:  # Before the follower is asked how far it is, which then is at least as far.
        with look.reader() as reader:
            sequence, known = sequence_of(look, reader, question.as_of), when(look, reader, question.as_of)
    with look.caught_up("heatmap") as (reader, _):
        if sequence is None:
            settled = look.settled(reader)
            yield reader, settled, question.asked(reader, settled), clock()
            return
        then = replace(reader, as_of=sequence)
        settled = then.settled()
        yield then, settled, question.asked(then, settled), min(known, clock())


def _zone_of(settled: Configuration, service_id: str | None) -> str:
    particulars = settled.service_of(service_id)[1].particulars
    if particulars is not None and particulars.time_zone:
        return zone(particulars.time_zone).key
    return settled.policy.time_zone


def _unknown_codes(settled: Configuration, filters: dict[str, str]) -> Iterator[Fault]:
    """Codes that no list ever had; one that is retired is known, for records hold it still."""
    taxonomy = settled.taxonomy
    incident_type = filters.get("incident_type", "")
    within = {
        "deviation": ("deviations", taxonomy.deviations_of.get(incident_type)),
        "stage_allowed": ("workflow_stages", taxonomy.stages_of.get(incident_type)),
    }
    for name, code in filters.items():
        if name in within:
            listed, of_type = within[name]
        elif name in LISTS:
            listed, of_type = LISTS[name], None
        else:
            continue
        words: Words = of_type if of_type is not None else taxonomy.words[listed]
        if code not in words.ever and (name, code) != ("stage_allowed", UNKNOWN):
            told_ = f"This code is not known here: {advice(code, words, listed)}"
            yield Fault(f"/query/{name}", "unknown-code", told_)


def _unknown_names(reader: Reader, settled: Configuration, filters: dict[str, str]) -> Iterator[Fault]:
    """Names that nothing was ever reported under: of a service, a locality or a source."""
    named = {name: [(f"/query/{name}", filters[name])] for name in ("service_id", "locality") if name in filters}
    yield from unknown(reader, settled, named.get("service_id", ()), named.get("locality", ()))
    if (source := filters.get("source")) is not None:
        heard = heard_sources.c
        of_these = select(heard.source).where(heard.organisation == reader.organisation)
        known = set(reader.connection.execute(of_these).scalars())
        if source not in known:
            yield Fault("/query/source", "unknown-code", unheard("source", source, known))
