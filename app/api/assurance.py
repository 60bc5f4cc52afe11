"""The three auditable validations of a period, recomputed from the ledger when they are asked for."""

from threading import Semaphore
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from app.api.asof import AsOf, sequence_of
from app.api.door import shown
from app.api.lists import instant_of
from app.api.looking import Auditing, Look
from app.api.routes import told
from app.api.schemas.answers import Assurance
from app.domain.decider import Fault, Invalid
from app.domain.moment import parse_instant, to_micros
from app.events.store import read_after
from app.operations.assurance import assurance_of
from app.operations.known_places import unknown
from app.operations.service_names import names_of
from app.operations.show import Reader
from app.proof.assurance_counting import TooMuchToCount
from app.proof.assurance_report import Question

router = APIRouter(prefix="/v1", tags=["assurance"])

_AT_WORK = Semaphore(2)
"""So many read whole ledgers at a time; whoever else asks for it waits, and the near misses of others do not."""

Since = Annotated[str | None, Query(alias="from", max_length=40, description="A date or an instant: this and later.")]
Until = Annotated[str | None, Query(alias="to", max_length=40, description="A date or an instant: earlier than this.")]


@router.get("/assurance", **told("audit:read", Assurance))
def read_assurance(
    look: Auditing,
    since: Since = None,
    until: Until = None,
    service_id: Annotated[str | None, Query(max_length=128)] = None,
    as_of: AsOf = None,
) -> Response:
    """Whether every crossing led to its review, every near miss to its link, every escalation to leadership.

    What is inside its deadline is pending, what is past it or missing an exception, by its ids. Beside what is known
    now stands what was known when the period ended. The whole ledger is read for it.
    """
    if service_id is not None:
        _must_be_known(look, service_id)
    with look.reader() as reader:
        settled = look.settled(reader)
        zone = settled.policy.time_zone
        question = Question(
            None if since is None else instant_of("from", since, zone),
            None if until is None else instant_of("to", until, zone),
            to_micros(look.visit.now),
            None if service_id is None else frozenset(names_of(reader, [service_id])),
        )
        if question.low >= question.high:
            raise Invalid(Fault("/query/to", "out-of-order", "Let the period end after it begins."))
        sequence = sequence_of(look, reader, as_of)
        if as_of is not None and sequence is not None:
            question = Question(question.since, question.until, _then(reader, as_of, sequence), question.services)
        with _AT_WORK:
            return shown(_counted(reader, question, sequence))


def _counted(reader: Reader, question: Question, sequence: int | None) -> dict[str, Any]:
    try:
        return assurance_of(reader.connection, reader.organisation, question, sequence)
    except TooMuchToCount as much:
        raise Invalid(Fault("/query", "too-many", str(much))) from None


def _must_be_known(look: Look, service_id: str) -> None:
    with look.caught_up("heatmap") as (reader, _):
        if faults := tuple(unknown(reader, look.settled(reader), [("/query/service_id", service_id)])):
            raise Invalid(*faults)


def _then(reader: Reader, as_of: str, sequence: int) -> int:
    """The instant at which deadlines are judged: the one that was named, or when the event was recorded."""
    if not as_of.isdigit():
        return to_micros(parse_instant(as_of.replace(" ", "+")))
    found = read_after(reader.connection, reader.organisation, max(0, sequence - 1), 1)
    return found[0].recorded_at if found else 0
