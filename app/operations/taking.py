"""Taking in what care systems send: the job for the writer, its answer, and what would come of it (`preview`)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Table, select

from app.database.tables import intake_records, sources
from app.domain.intake import Received
from app.domain.moment import to_micros
from app.events.store import Cause
from app.operations.configuration import Configuration
from app.operations.desk import Desk
from app.operations.ids import near_miss_id_of, new_command_id
from app.operations.incoming import Check, Incoming, Item, envelope_of, judge_item, read_item
from app.operations.job import Actor, Command, Idempotency
from app.operations.recognising import Taking
from app.operations.show import Reader

__all__ = ["Check", "Incoming", "envelope_of", "job_of", "preview"]


def job_of(
    organisation: str,
    actor: Actor,
    incoming: Incoming,
    now: datetime,
    check: Check,
    idempotency: Idempotency | None = None,
) -> Command:
    """The job that takes it in; raises `Invalid` (pointers into the CloudEvent) before it is asked.

    Its answer's body: {event_id, status: accepted | duplicate, intake_record_id?, outcome, reason?, near_miss_id?}.
    From the API use `app.api.receiving.receive`, which knows `check`.
    """
    item = read_item(incoming, now, check)
    command_id = new_command_id(to_micros(now))
    intake_id = f"int_{command_id.replace('-', '')}"

    def run(desk: Desk, cause: Cause) -> None:
        Taking(desk, cause, item, check, intake_id, near_miss_id_of(command_id)).take()

    def show(reader: Reader, subject: str) -> Mapping[str, Any]:
        return answer_of(reader, subject, item)

    return Command(organisation, command_id, actor, intake_id, run, show, 202, idempotency)


def preview(settled: Configuration, incoming: Incoming, now: datetime, check: Check) -> dict[str, Any]:
    """What it would become and why, nothing stored: {outcome, reason, says, rule?, submission?, mapped_against?,
    ignored_fields, unmapped, errors?}. Raises `Invalid` for what would be refused.
    """
    item = read_item(incoming, now, check)
    judged = judge_item(settled, item, now, check)
    document: dict[str, Any] = {
        "outcome": judged.outcome.value,
        "reason": judged.reason,
        "says": judged.verdict.says,
        "rule": judged.verdict.rule,
        "submission": judged.document,
        "mapped_against": dict(judged.verdict.mapped_against) or None,
        "ignored_fields": list(item.ignored_fields),
        "unmapped": [{"field": one.field, "code": one.code} for one in (*item.unmapped, *judged.unmapped)],
        "errors": [{"pointer": one.pointer, "code": one.code, "detail": one.detail} for one in judged.faults] or None,
    }
    return {name: value for name, value in document.items() if value is not None}


def answer_of(reader: Reader, intake_id: str, item: Item) -> dict[str, Any]:
    """What became of it; of what was known before, what became of it then."""
    told = reader.told([f"intake/{intake_id}"])[f"intake/{intake_id}"]
    answer: dict[str, Any] = {"event_id": item.raw.id, "status": "accepted" if told else "duplicate"}
    if not told:
        first = _named(reader, intake_records, item)
        if first is None:  # The same occurrence was submitted as a near miss: nothing came in but that.
            submitted = _named(reader, sources, item)
            return {**answer, "outcome": "recognised", "near_miss_id": submitted and submitted.near_miss_id}
        intake_id = first.intake_id
        told = reader.told([f"intake/{intake_id}"])[f"intake/{intake_id}"]
    event: Received = told[0].event
    finding = event.finding if answer["status"] == "accepted" else told[-1].event.finding
    answer |= {"intake_record_id": intake_id, "outcome": finding.outcome, "reason": finding.reason}
    return answer if finding.near_miss_id is None else {**answer, "near_miss_id": finding.near_miss_id}


def _named(reader: Reader, table: Table, item: Item) -> Any:
    """The row that has the source's name for it."""
    row = table.c
    chosen = select(table).where(
        row.organisation == reader.organisation,
        row.source == item.raw.source,
        row.source_event_id == item.raw.id,
    )
    return reader.connection.execute(chosen).first()
