"""What may happen to a near miss after it was recorded: corrected, completed, linked, withdrawn, closed.

Each of these is checked against similar records like the submission was, in its own transaction (S2).
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from app.domain import near_miss, taxonomy_check
from app.domain.decider import Fault, Invalid, NotFound
from app.domain.gravity import gravity
from app.domain.judgement import Judgement
from app.domain.moment import parse_moment
from app.domain.near_miss import (
    NearMiss,
)
from app.domain.patterns import judge
from app.domain.report import (
    Check,
    MappedAgainst,
    Report,
    Source,
)
from app.domain.sealed import SealedText
from app.domain.service import locality_at
from app.domain.similarity import Facts
from app.domain.zones import zone
from app.events.store import Cause, Draft
from app.operations import chasing
from app.operations.desk import Desk
from app.operations.documents import clear
from app.operations.job import PreconditionFailed
from app.operations.judging import alarm_again, check_of, drafts_of, take_out
from app.operations.reporting import PERSONAL, Sealer, awaited, link_of, place_document, report_of
from app.operations.show import Reader
from app.projections.facts import facts_of

SEALED = "sealed"
"""Stands in a report for words that are there and stay sealed."""

NO_SUCH_NEAR_MISS = "No near miss of that id belongs to this organisation: GET /v1/near-misses lists them."


@dataclass(slots=True)
class Record:
    """One near miss under the lock: its state, its stream's version, and where its words are sealed."""

    desk: Desk
    near_miss_id: str
    state: NearMiss
    version: int
    sequence: int
    sealer: Sealer

    @property
    def report(self) -> Report:
        """What is known of it."""
        assert self.state.report is not None
        return self.state.report

    @property
    def stream(self) -> str:
        """Its stream in the ledger."""
        return f"near_miss/{self.near_miss_id}"

    def document(self) -> dict[str, Any]:
        """The report as it was submitted; sealed words stay sealed, only that they are there can be seen."""
        document = clear(self.report, lambda _: SEALED)
        document.pop("zone")
        document.pop("shift_bracket", None)
        document["service_id"] = document.pop("reported_service_id", None) or document.get("service_id")
        return document


def load(desk: Desk, near_miss_id: str, if_match: int | None = None) -> Record:
    """The near miss with all answered that is due, or `NotFound`; `PreconditionFailed` when it is at another version
    than the one that was named.
    """
    told = desk.read(f"near_miss/{near_miss_id}")
    if not told:
        raise NotFound(NO_SUCH_NEAR_MISS)
    state, version = near_miss.UNRECORDED, len(told)
    for one in told:
        state = near_miss.evolve(state, one.event)
    while chasing.is_due(desk, state):
        state, version = chasing.run_due(desk, near_miss_id, state, version)
    if if_match is not None and if_match != version:
        raise PreconditionFailed("It has changed since: read it again and repeat the request with its new ETag.")
    return Record(desk, near_miss_id, state, version, told[0].envelope.sequence, Sealer(desk, text_key(state)))


@dataclass(frozen=True, slots=True)
class BySource:
    """A source revises what it said; `prefilled` when what it knows for the workflow link has changed too."""

    source: Source
    prefilled: MappedAgainst | None = None


def correct(
    desk: Desk,
    cause: Cause,
    record: Record,
    reason: str,
    changes: Mapping[str, Any],
    by_source: BySource | None = None,
) -> None:
    """Change fields of the report; a null takes an optional one out."""
    document = _changed(record, changes)
    required = {"occurred_at", "incident_type", "classification"} - document.keys()
    missing = [name for name in (*sorted(required), *awaited(document)) if name not in record.state.awaiting]
    if missing:
        detail = "A report keeps this: change it, do not clear it."
        raise Invalid(*(Fault(f"/changes/{name}", "missing", detail) for name in missing))
    _must_be_known(record, document, "/changes")

    revised_by, prefilled = (by_source.source, by_source.prefilled) if by_source else (None, None)
    changed = [*sorted(changes), "workflow_prefill"] if prefilled else sorted(changes)

    def revision(report: Report, check: Check, version: int, unregistered: bool | None) -> near_miss.Revision:
        return near_miss.Corrected(
            record.sealer.text(reason), tuple(changed), report, check, version, unregistered, revised_by, prefilled
        )

    _rewrite(desk, cause, record, document, changes, revision)


def complete_details(desk: Desk, cause: Cause, record: Record, details: Mapping[str, Any]) -> None:
    """Add what a system posted the record without; what is still missing is named."""
    document = _changed(record, details)
    if still := awaited(document):
        raise Invalid(*(Fault(f"/{name}", "missing", "The record still awaits this: add it.") for name in still))
    _must_be_known(record, document, "")

    def revision(report: Report, check: Check, version: int, unregistered: bool | None) -> near_miss.Revision:
        return near_miss.DetailsCompleted(tuple(sorted(details)), report, check, version, unregistered)

    _rewrite(desk, cause, record, document, details, revision)


def link(desk: Desk, cause: Cause, record: Record, document: Mapping[str, Any]) -> None:
    """Tie the near miss to the stage of work that allowed it (S7 to S9)."""
    document = completed(record, document)
    check_link(record, document, cause)
    if says(record, document):
        return  # Saying the same again is not an error.
    made = link_of(document, record.sealer)
    after = near_miss.evolve(record.state, near_miss.Linked(made, _no_check(record)))
    judged(desk, cause, record, after, lambda check: near_miss.Linked(made, check))


def completed(record: Record, document: Mapping[str, Any]) -> Mapping[str, Any]:
    """A link with what its source knew of the assumptions that it leaves out; what a person says stands (S9)."""
    known = clear(record.state.prefilled, lambda _: None)
    if not known:
        return document
    return {**document, "mapped_against": {**known, **(document.get("mapped_against") or {})}}


def check_link(record: Record, document: Mapping[str, Any], cause: Cause) -> None:
    """Refuse stages that the record's incident type does not have, and whoever is not to say what allowed it (S20)."""
    near_miss.must_be_above(record.state, cause.actor)
    faults = taxonomy_check.link_faults(
        record.desk.configuration.taxonomy,
        record.report.incident_type,
        document,
        clear(record.state.workflow_link, lambda _: None) or taxonomy_check.NOTHING,
    )
    if faults:
        raise Invalid(*faults)


def withdraw(desk: Desk, cause: Cause, record: Record, reason: str) -> None:
    """Take the record out of every count; `duplicating.withdraw` minds what is counted as it, too."""
    judged(desk, cause, record, None, lambda check: near_miss.Withdrawn(record.sealer.text(reason), check))


def mark_duplicate(
    desk: Desk, cause: Cause, record: Record, reason: str, duplicate_of: str, pointer: str = "/duplicate_of"
) -> None:
    """Say which record holds the same occurrence; that one takes over every source reference.

    `pointer`: where the request names the record that stays.
    """
    if record.state.duplicate_of == duplicate_of:
        return
    try:
        master = load(desk, duplicate_of)
    except NotFound as missing:
        raise Invalid(Fault(pointer, "unknown-id", "Name the id of the record that stays.")) from missing
    if duplicate_of == record.near_miss_id or not master.state.counts:
        raise Invalid(
            Fault(pointer, "no-master", "Name a record that counts itself: not this one, nor a withdrawn one.")
        )
    judged(
        desk,
        cause,
        record,
        None,
        lambda check: near_miss.MarkedDuplicate(record.sealer.text(reason), duplicate_of, check),
    )
    its_own = dict.fromkeys((record.state.source, *record.state.supporters))  # Those of a round have said it too.
    brought = [*(near_miss.SourceAdded(record.near_miss_id, one) for one in its_own), *record.state.other_sources]
    adopted = [
        event
        for one in brought
        for event in near_miss.decide(near_miss.AddSource(one.near_miss_id, one.source), master.state, desk.now)
    ]
    desk.append(cause, [Draft(master.stream, master.version, adopted)])


def close(desk: Desk, cause: Cause, record: Record, outcome: str) -> None:
    """Finish a near miss by itself, when no escalation holds it (S6)."""
    reader = Reader(desk.connection, desk.vault, desk.organisation)
    standing = tuple(one for one, is_open in reader.standing_in(record.near_miss_id) if is_open)
    command = near_miss.Close(record.sealer.text(outcome), standing)
    drafted = near_miss.decide(command, record.state, desk.now)
    desk.append(cause, [Draft(record.stream, record.version, drafted)])


def text_key(state: NearMiss) -> str | None:
    """Under which key the record's free text is sealed, if it has any."""
    report, link = state.report, state.workflow_link
    texts = (
        report.narrative if report else None,
        report.staff_not_known_reason if report else None,
        link.deviation_from_plan if link else None,
    )
    return next((text.key for text in texts if text is not None), None)


def _changed(record: Record, changes: Mapping[str, Any]) -> dict[str, Any]:
    document = record.document()
    if "service_id" in changes or ("occurred_at" in changes and _is_the_registers(record)):
        document.pop("locality", None)  # The register tells the new service's, or where it belonged at the new time.
    return {name: value for name, value in {**document, **changes}.items() if value is not None}


def _is_the_registers(record: Record) -> bool:
    """Whether the locality is the one that the register has for that day, not one that the report named itself."""
    report = record.report
    _, service = record.desk.configuration.service_of(report.service_id)
    day = parse_moment(report.occurred_at, zone(report.zone)).day
    return report.locality == locality_at(service, date.fromordinal(day))


def _must_be_known(record: Record, document: Mapping[str, Any], pointer: str) -> None:
    taxonomy = record.desk.configuration.taxonomy
    if faults := taxonomy_check.faults(taxonomy, document, record.document(), pointer):
        raise Invalid(*faults)


def says(record: Record, document: Mapping[str, Any]) -> bool:
    """Whether the record's link says the same already."""
    link, document = record.state.workflow_link, completed(record, document)
    if link is None:
        return False
    reader = Reader(record.desk.connection, record.desk.vault, record.desk.organisation)
    return clear(link, reader.opener_of([link])) == document


def _rewrite(
    desk: Desk,
    cause: Cause,
    record: Record,
    document: Mapping[str, Any],
    changes: Mapping[str, Any],
    revision: Callable[[Report, Check, int, bool | None], near_miss.Revision],
) -> None:
    placed = place_document(record.near_miss_id, record.sequence, document, None, desk.configuration)
    unchanged = [name for name in PERSONAL if name not in changes]
    said = {name: value for name, value in document.items() if name not in unchanged}
    report = report_of(said, placed, record.sealer)
    report = replace(report, **{name: getattr(record.report, name) for name in unchanged})
    version = desk.configuration.taxonomy.version
    unregistered = True if placed.unregistered else None
    nothing = SealedText("", "")
    corrected = near_miss.Corrected(nothing, tuple(changes), report, _no_check(record), version, unregistered)
    after = near_miss.evolve(record.state, corrected)
    judged(desk, cause, record, after, lambda check: revision(report, check, version, unregistered))


def judged(
    desk: Desk,
    cause: Cause,
    record: Record,
    after: NearMiss | None,
    revision: Callable[[Check], near_miss.Revision],
    consumed_by: Collection[str] = (),
) -> None:
    """Judge a change of a record (`after`: None when it counts no more), tell it, and whatever follows from it.

    `consumed_by`: the rules whose ended episodes have a record that counts again.
    """
    settled, now = desk.configuration, desk.micros
    before_facts = facts_of(record.near_miss_id, record.sequence, record.state) if record.state.counts else None
    after_facts = facts_of(record.near_miss_id, record.sequence, after) if after is not None else None
    judgement = judge(settled.policy, desk.memory, before_facts, after_facts, now, settled.zone)
    if consumed_by and after_facts is not None:
        judgement = _passing_over(desk, judgement, after_facts, consumed_by)
    check = check_of(judgement, settled.policy, now)
    decided = near_miss.decide(near_miss.Revise(revision(check), cause.actor), record.state, desk.now)
    if not decided:
        return
    occurred_at = after_facts.moment.at if after_facts is not None else None
    drafts = [Draft(record.stream, record.version, decided, occurred_at)]
    drafts += drafts_of(desk, judgement.effects, cause.command_id, after_facts)
    told = {draft.stream for draft in drafts}
    if after is None or _is_graver(record.report, after.report):
        standing_in = Reader(desk.connection, desk.vault, desk.organisation).standing_in(record.near_miss_id)
        ids = [one for one, is_open in standing_in if is_open and f"escalation/{one}" not in told]
        drafts += alarm_again(desk, after_facts, ids) if after_facts else take_out(desk, record.near_miss_id, ids)
    desk.append(cause, drafts)
    desk.memory.forget()


def _passing_over(desk: Desk, found: Judgement, facts: Facts, consumed_by: Collection[str]) -> Judgement:
    """The judgement with those rules judging as of a record that stays where it is: in an episode that has ended."""
    settled = desk.configuration
    stayed = judge(settled.policy, desk.memory, facts, facts, desk.micros, settled.zone)
    standing = {one.rule_id: one for one in stayed.checks}
    checks = [standing.get(one.rule_id, one) if one.rule_id in consumed_by else one for one in found.checks]
    effects = [one for one in found.effects if one.rule_id not in consumed_by]
    effects += [one for one in stayed.effects if one.rule_id in consumed_by]
    return Judgement(tuple(checks), tuple(effects))


def _is_graver(before: Report, after: Report | None) -> bool:
    if after is None:
        return False
    return gravity(after.classification, after.potential_harm) > gravity(before.classification, before.potential_harm)


def _no_check(record: Record) -> Check:
    assert record.state.check is not None
    return record.state.check
