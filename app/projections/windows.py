"""The windows: for every rule, the records that it counts, by key and event time.

A record has a row for each rule that counts it, from the event that put it there until the one that took it
out: a correction, a withdrawal, or the closing of a review that consumed it. What was consumed does not come back by
being corrected or linked; only reopening brings an episode its own members back, and its next closing consumes them
again.
"""

from collections.abc import Iterable, Iterator

from sqlalchemy import and_, select, update

from app.database.tables import FOR_EVER, window_entries
from app.domain import escalation, near_miss
from app.domain.adoption import Adopted, evolve
from app.domain.near_miss import (
    Corrected,
    DetailsCompleted,
    DuplicateUndone,
    Linked,
    MarkedDuplicate,
    NearMiss,
    Recorded,
    Withdrawn,
)
from app.domain.rule import Rule
from app.domain.similarity import Facts, Placement, place
from app.events.codec import decode
from app.events.envelope import Envelope, Told
from app.events.store import read_all
from app.projections.context import Context
from app.projections.facts import facts_of

TABLES = (window_entries,)


def apply(context: Context, told: Told[object]) -> None:
    """What the event does to the windows' rows."""
    envelope, event = told.envelope, told.event
    match event:
        case Recorded():
            facts = context.facts
            if facts is None or facts.near_miss_id != envelope.subject:
                state = near_miss.evolve(near_miss.UNRECORDED, event)
                facts = facts_of(envelope.subject, envelope.sequence, state)
            _enter(context, facts, envelope.sequence, envelope.sequence)
        case Corrected() | DetailsCompleted() | Linked():
            before = context.near_miss(envelope._replace(sequence=envelope.sequence - 1))
            state = near_miss.evolve(before, event)
            sequence = context.first_sequence(envelope)
            consuming = _consuming(context, facts_of(envelope.subject, sequence, before))
            _leave(context, envelope)
            if state.counts and not state.closed:
                _enter(context, facts_of(envelope.subject, sequence, state), sequence, envelope.sequence, consuming)
        case Withdrawn() | MarkedDuplicate():
            _leave(context, envelope)
        case DuplicateUndone(consumed_by=consumed_by):
            sequence = context.first_sequence(envelope)
            facts = facts_of(envelope.subject, sequence, context.near_miss(envelope))
            _enter(context, facts, sequence, envelope.sequence, frozenset(consumed_by))
        case (
            escalation.Closed(consumed=consumed)
            | escalation.MonitoringBegun(consumed=consumed)
            | escalation.Merged(consumed=consumed)
        ) if consumed:
            crossing = context.crossing(envelope)
            context.rows.execute(
                update(window_entries)
                .where(
                    and_(
                        window_entries.c.organisation == context.organisation,
                        window_entries.c.rule_id == crossing.rule_id,
                        window_entries.c.near_miss_id.in_(consumed),
                        window_entries.c.valid_to == FOR_EVER,
                    )
                )
                .values(valid_to=envelope.sequence)
            )
        case escalation.Reopened():
            _take_back(context, told)
        case Adopted():
            _adopt(context, envelope, event)
        case _:
            pass


def counting(rules: Iterable[Rule]) -> dict[str, Rule]:
    """The rules that keep windows at all, by id."""
    return {rule.id: rule for rule in rules if rule.mode != "off"}


def _adopt(context: Context, envelope: Envelope, event: Adopted) -> None:
    before = counting(context.policy.judging)
    after = counting(evolve(context.policy, event).judging)
    gone = [rule_id for rule_id in before if rule_id not in after]
    anew = [rule for rule in after.values() if rule.id not in before or rule.placement != before[rule.id].placement]
    if not gone and not anew:
        return
    context.rows.execute(
        update(window_entries)
        .where(
            and_(
                window_entries.c.organisation == context.organisation,
                window_entries.c.rule_id.in_([*gone, *(rule.id for rule in anew)]),
                window_entries.c.valid_to == FOR_EVER,
            )
        )
        .values(valid_to=envelope.sequence)
    )
    for facts, consumed_by in _counted_records(context, envelope.sequence) if anew else ():
        for rule in anew:
            if rule.id not in consumed_by:
                _insert(context, rule, facts, facts.sequence, envelope.sequence)


def _counted_records(context: Context, up_to: int) -> Iterator[tuple[Facts, frozenset[str]]]:
    """Every record that counts, and the rules whose closed reviews consumed it; told by the ledger alone."""
    states: dict[str, tuple[int, NearMiss]] = {}
    rules: dict[str, str] = {}
    consumed: dict[str, set[str]] = {}
    for page in read_all(context.rows.connection, context.ledger, up_to=up_to, types=_TOLD_BY):
        for envelope in page:
            event = decode(envelope)
            match event:
                case escalation.Raised(rule_id=rule_id):
                    rules[envelope.subject] = rule_id
                case (
                    escalation.Closed(consumed=members)
                    | escalation.MonitoringBegun(consumed=members)
                    | escalation.Merged(consumed=members)
                ):
                    for near_miss_id in members:
                        consumed.setdefault(near_miss_id, set()).add(envelope.subject)
                case escalation.Reopened():
                    for episodes in consumed.values():
                        episodes.discard(envelope.subject)
                case _:
                    sequence, state = states.get(envelope.subject, (envelope.sequence, near_miss.UNRECORDED))
                    states[envelope.subject] = (sequence, near_miss.evolve(state, event))
    for near_miss_id, (sequence, state) in states.items():
        if state.counts:
            by = frozenset(rules[episode] for episode in consumed.get(near_miss_id, ()))
            yield facts_of(near_miss_id, sequence, state), by


_TOLD_BY = (
    "near_miss.recorded",
    "near_miss.corrected",
    "near_miss.details_completed",
    "near_miss.linked",
    "near_miss.withdrawn",
    "near_miss.marked_duplicate",
    "near_miss.duplicate_undone",
    "near_miss.closed",
    "escalation.raised",
    "escalation.monitoring_begun",
    "escalation.closed",
    "escalation.merged",
    "escalation.reopened",
)


def _take_back(context: Context, told: Told[object]) -> None:
    """A reopened episode has its members as before, as far as they are still of its key."""
    envelope = told.envelope
    crossing = context.crossing(envelope)
    rule = counting(context.policy.judging).get(crossing.rule_id)
    if rule is None:
        return
    for near_miss_id, kind in context.escalation(told).members.items():
        of_member = envelope._replace(stream=f"near_miss/{near_miss_id}")
        state = context.near_miss(of_member)
        if kind == "member" and state.counts:
            facts = facts_of(near_miss_id, context.first_sequence(of_member), state)
            if (placement := _counted(rule, facts)) is not None and placement.key_text == crossing.key_text:
                _insert(context, rule, facts, facts.sequence, envelope.sequence)


def _consuming(context: Context, facts: Facts) -> frozenset[str]:
    """The rules whose ended episodes have the record: each of them counts it, and shows it no more."""
    entry = window_entries.c
    chosen = select(entry.rule_id).where(
        entry.organisation == context.organisation,
        entry.near_miss_id == facts.near_miss_id,
        entry.valid_to == FOR_EVER,
    )
    shown = set(context.rows.execute(chosen).scalars())
    rules = counting(context.policy.judging).values()
    return frozenset(rule.id for rule in rules if rule.id not in shown and _counted(rule, facts) is not None)


def _enter(
    context: Context, facts: Facts, sequence: int, valid_from: int, consuming: frozenset[str] = frozenset()
) -> None:
    for rule in context.policy.judging:
        if rule.mode != "off" and rule.id not in consuming:
            _insert(context, rule, facts, sequence, valid_from)


def _insert(context: Context, rule: Rule, facts: Facts, sequence: int, valid_from: int) -> None:
    placement = _counted(rule, facts)
    if placement is None:
        return
    entry = placement.entry
    moment = entry.moment
    context.rows.insert(
        window_entries,
        (
            context.organisation,
            rule.id,
            placement.key_text,
            FOR_EVER,
            moment.at,
            entry.near_miss_id,
            valid_from,
            sequence,
            moment.day,
            moment.date_only,
            float(entry.weight),
            entry.distinct,
            entry.incident_type,
            entry.gravity,
        ),
    )


def _counted(rule: Rule, facts: Facts) -> Placement | None:
    """Where the rule counts the record, if it does."""
    placement = place(rule, facts)
    return placement if placement is not None and placement.kind == "counted" and placement.key_text else None


def _leave(context: Context, envelope: Envelope) -> None:
    context.rows.execute(
        update(window_entries)
        .where(
            and_(
                window_entries.c.organisation == context.organisation,
                window_entries.c.near_miss_id == envelope.subject,
                window_entries.c.valid_to == FOR_EVER,
            )
        )
        .values(valid_to=envelope.sequence)
    )
