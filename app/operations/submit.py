"""Recording a near miss: checked against similar ones before it can exist, in the same transaction (S2, S3)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from app.database.prefetch import Ask, Range, SourceKey, Told
from app.database.tables import commands
from app.domain import near_miss, taxonomy_check
from app.domain.decider import Fault, Invalid
from app.domain.judgement import Attach, Judgement, Raise
from app.domain.moment import from_micros, to_micros
from app.domain.near_miss import (
    Recorded,
)
from app.domain.patterns import judge
from app.domain.report import (
    Source,
)
from app.domain.rule import OWN_SOURCE
from app.domain.similarity import place, reach
from app.domain.working_time import elapsed_deadline
from app.events.canonical import canonical
from app.events.envelope import Told as Written
from app.events.sealing import fingerprint, token
from app.events.store import Draft
from app.operations.configuration import Configuration
from app.operations.desk import Desk
from app.operations.documents import near_miss_document
from app.operations.ids import near_miss_id_of, new_command_id
from app.operations.job import Actor, Answer, Idempotency, IdempotencyKeyReused, SourceEventConflict, Submit
from app.operations.judging import check_of, drafts_of
from app.operations.reporting import (
    Placed,
    Sealer,
    awaited,
    is_whole,
    link_of,
    mapped_of,
    partial,
    place_document,
    report_of,
)
from app.operations.show import Reader


class Breach(NamedTuple):
    """Of what the service records about itself: the level that was told of the breach, and who had taken it on."""

    told_up_to: int
    breached_by: str | None


LATEST = 2**62
"""A place in the ledger after all others: where a record stands until it has its own."""


def job_of(
    organisation: str,
    actor: Actor,
    pepper: bytes,
    document: Mapping[str, Any],
    now: datetime,
    idempotency: Idempotency | None = None,
) -> Submit:
    """A valid document for the writer, its persons tokenised and, when it names its source event, fingerprinted."""
    command_id = new_command_id(to_micros(now))
    person = document.get("person_ref")
    return Submit(
        organisation,
        command_id,
        actor,
        near_miss_id_of(command_id),
        document,
        tuple(token(pepper, "staff", one["ref"]) for one in document.get("staff_involved", ())),
        token(pepper, "person", person) if person else None,
        fingerprint(pepper, canonical(document)) if "source_event_id" in document else None,
        idempotency,
    )


def read_ahead(job: Submit, settled: Configuration, ask: Ask) -> Placed:
    """Place a submission, and add what judging it will need to what the batch asks for."""
    placed = place_document(job.near_miss_id, LATEST, job.document, job.person_token, settled)
    organisation = job.organisation
    for rule in settled.policy.judging:
        if rule.mode == "off":
            continue
        placement = place(rule, placed.facts)
        if placement is not None and placement.key_text is not None:
            low, high = reach(rule, placed.moment)
            ask.ranges.append(Range(organisation, rule.id, placement.key_text, low, high))
    if job.idempotency is not None:
        ask.commands.append(job.idempotency.key)
    if (source := _source_key(job)) is not None:
        ask.sources.append(source)
    for one in (*job.staff_tokens, job.person_token):
        if one is not None:
            ask.tokens.append((organisation, one))
    return placed


def submit(desk: Desk, job: Submit, placed: Placed, told: Told) -> Answer:
    """Record the near miss with its check, and whatever the check raises; or give the answer it was given before."""
    if job.idempotency is not None and (known := replayed(job.idempotency, told)) is not None:
        status, near_miss_id, last_sequence = known
        return Answer(status, _shown(desk, near_miss_id, last_sequence), replayed=True)
    source_key = _source_key(job)
    if source_key is not None and (standing := told.sources.get(source_key)) is not None:
        near_miss_id, fingerprint = standing
        if fingerprint != job.fingerprint:
            raise SourceEventConflict(
                "This source reported the same source_event_id with other content: use corrections to change it."
            )
        return Answer(200, _shown(desk, near_miss_id))
    document, settled = job.document, desk.configuration
    if document.get("source") == OWN_SOURCE:
        raise Invalid(Fault("/source", "reserved", "Name your own system: this is what the service calls itself."))
    if faults := taxonomy_check.faults(settled.taxonomy, document):
        raise Invalid(*faults)
    sealer = Sealer(desk)
    recorded, appended, judgement = record(desk, job, placed, sealer)
    if source_key is not None:
        told.sources[source_key] = (job.near_miss_id, job.fingerprint or "")
    if job.idempotency is not None:
        keep(desk, job.idempotency, 201, job.near_miss_id, appended[0].envelope.sequence, told)
    standing_in = [
        one.envelope.subject
        for one in appended[1:]
        if one.envelope.type in _JOINING and _joins(one.event, job.near_miss_id)
    ]
    opens = any(
        isinstance(effect, Raise | Attach) and job.near_miss_id in _told_of(effect) for effect in judgement.effects
    )
    body = near_miss_document(
        job.near_miss_id,
        near_miss.evolve(near_miss.UNRECORDED, recorded),
        appended[:1],
        standing_in,
        in_review=opens,
        opened=sealer.opened,
    )
    return Answer(201, body)


def record(
    desk: Desk, job: Submit, placed: Placed, sealer: Sealer, breach: Breach | None = None
) -> tuple[Recorded, list[Written[Any]], Judgement]:
    """Write a near miss down with the check that was made of it, and whatever the check raises."""
    document, settled, memory = job.document, desk.configuration, desk.memory
    now = desk.micros
    judgement = judge(settled.policy, memory, None, placed.facts, now, settled.zone, job.as_history)
    link = document.get("workflow_link")
    if link is not None and job.intake and not is_whole(link):
        document, link = {**document, **partial(link)}, None
    awaiting = awaited(document) if job.intake and not job.is_reference else ()
    # A breach was there when it was due: what follows from it has no more time for a worker that came late.
    since = now if breach is None else placed.moment.at
    recorded = Recorded(
        report_of(document, placed, sealer, job.staff_tokens, job.person_token),
        check_of(judgement, settled.policy, now),
        settled.taxonomy.version,
        Source(document["source"], document.get("source_event_id")) if "source" in document else None,
        job.fingerprint,
        awaiting,
        True if placed.unregistered else None,
        job.reported_at,
        True if job.as_history else None,
        link_of(link, sealer) if link else None,
        **_owed(settled, placed, since, awaiting) if not job.as_history and not job.is_reference else {},
        **breach._asdict() if breach is not None else {},
        prefilled=mapped_of(job.prefilled, sealer) if job.prefilled else None,
    )
    drafts = [Draft(f"near_miss/{job.near_miss_id}", 0, [recorded], placed.moment.at)]
    scheduled_at = None if breach is None else from_micros(since)
    drafts += drafts_of(desk, judgement.effects, job.command_id, placed.facts, scheduled_at)
    desk.context.facts = placed.facts
    appended = desk.append(job.cause, drafts)
    for rule in settled.policy.judging:
        if rule.mode != "off" and (placement := place(rule, placed.facts)) is not None:
            memory.entered(rule.id, placement)
    return recorded, appended, judgement


def _owed(settled: Configuration, placed: Placed, since: int, awaiting: tuple[str, ...]) -> dict[str, Any]:
    """Until when a record may await its details, and its link: also one that has it, for it may be unmade."""
    start, link, details = from_micros(since), settled.policy.workflow_link_due, settled.policy.details_due
    owed: dict[str, Any] = {
        "workflow_link_due_at": elapsed_deadline(start, link, placed.zone),
        "workflow_link_due": link.text,
    }
    if awaiting:
        owed["details_due_at"] = elapsed_deadline(start, details, placed.zone)
        owed["details_due"] = details.text
    return owed


def replayed(idempotency: Idempotency, told: Told) -> tuple[int, str, int] | None:
    """Status, subject and last sequence of what a key was answered before; None when it is new."""
    known = told.commands.get(idempotency.key)
    if known is None:
        return None
    fingerprint, status, subject, _, last_sequence = known
    if fingerprint != idempotency.fingerprint:
        raise IdempotencyKeyReused("This Idempotency-Key came with another request: use a new key for a new request.")
    return status, subject, last_sequence


def keep(desk: Desk, idempotency: Idempotency, status: int, subject: str, first_sequence: int, told: Told) -> None:
    """Remember what a key was answered, in the transaction that made it so."""
    last_sequence = desk.head.position
    desk.rows.insert(
        commands,
        (*idempotency.key, idempotency.fingerprint, status, subject, first_sequence, last_sequence),
    )
    told.commands[idempotency.key] = (idempotency.fingerprint, status, subject, first_sequence, last_sequence)


_JOINING = frozenset({"escalation.raised", "escalation.member_added"})


def _told_of(effect: Raise | Attach) -> tuple[str, ...]:
    return effect.members if isinstance(effect, Raise) else effect.near_miss_ids


def _joins(event: Any, near_miss_id: str) -> bool:
    members = getattr(event, "members", None)
    if members is not None:
        return any(member.near_miss_id == near_miss_id for member in members)
    return event.near_miss_id == near_miss_id


def _source_key(job: Submit) -> SourceKey | None:
    document = job.document
    if "source_event_id" not in document:
        return None
    return SourceKey(job.organisation, document["source"], document["source_event_id"])


def _shown(desk: Desk, near_miss_id: str, as_of: int | None = None) -> Mapping[str, Any]:
    reader = Reader(desk.connection, desk.vault, desk.organisation, as_of)
    return reader.near_misses([near_miss_id])[0]
