"""The assurance of one organisation: its ledger read once, from the first event, and held against itself on the way.

What is reported rests on the events before the first bad one, if there is one: what comes after it proves nothing.
"""

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Connection, select

from app.database.tables import ledgers
from app.events.envelope import Envelope
from app.events.store import read_all
from app.proof.assurance import assure
from app.proof.assurance_report import Question
from app.proof.events import Event, from_envelope
from app.proof.integrity import Integrity

Heard = Callable[[int, int], None]
"""Told how many events have been read, and of how many."""


def assurance_of(
    connection: Connection, organisation: str, question: Question, as_of: int | None = None, heard: Heard | None = None
) -> dict[str, Any]:
    """The report, with what is to be said of the ledger itself; `as_of`: a sequence up to which it is read."""
    head = connection.execute(
        select(ledgers.c.position, ledgers.c.root).where(ledgers.c.organisation == organisation)
    ).one()
    end = head.position if as_of is None else as_of
    integrity = Integrity(organisation)

    def read(sequence: int) -> None:
        if heard is not None:
            heard(sequence, end)

    events = _sound(read_all(connection, organisation, up_to=end), integrity)
    report = assure(
        events, since=question.since, until=question.until, at=question.at, services=question.services, heard=read
    )
    root = bytes(head.root) if end == head.position else integrity.frontier.root()
    integrity.finish(end, root)
    ledger: dict[str, Any] = {"intact": integrity.first_bad is None}
    if integrity.first_bad is not None:
        ledger |= {"first_bad_sequence": integrity.first_bad, "detail": integrity.why}
    return {"as_of_sequence": report.pop("as_of_sequence"), "ledger": ledger, **report}


def _sound(pages: Iterator[list[Envelope]], integrity: Integrity) -> Iterator[Event]:
    for page in pages:
        for envelope in page:
            integrity.follow(envelope)
            if integrity.first_bad is not None:
                return
            yield from_envelope(envelope)
