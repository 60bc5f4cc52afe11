"""What people, or the rule, say of two records that look like one occurrence: the same, not the same, or so it seemed.

A follower proposes; here each pair is looked at under the head's lock, in the streams of both. Confirming makes one a
duplicate of the other, which keeps every source reference; undoing it lets the record count again, judged anew, and
gives the reference back. What was once told apart is never confirmed by the rule, only by people; nor are two of one
source, be it through a third record that both look like.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, select

from app.database.tables import duplicate_proposals, escalation_members
from app.domain import escalation, near_miss
from app.domain.decider import Fault, Invalid, NotFound, Refused
from app.domain.duplicate_rule import DuplicateRule
from app.domain.near_miss import DuplicateDismissed, DuplicateUndone, MarkedDuplicate, NearMiss
from app.domain.report import Check
from app.events.envelope import Told, instant
from app.events.store import Cause, Draft
from app.operations import revise
from app.operations.desk import Desk
from app.operations.job import PreconditionFailed
from app.operations.revise import Record
from app.operations.settle import STALE
from app.operations.show import Reader
from app.projections.duplicates import COLUMNS, PROPOSED, Proposal

NO_SUCH_PROPOSAL = "No two records are proposed, or were decided on, under that id: GET /v1/duplicate-proposals."


class SameSource(Refused):
    """The rule alone does not make two occurrences that one system told of into one (409)."""

    code = "same-source"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two records under the lock, the later one and the earlier."""

    desk: Desk
    proposal: Proposal
    later: Record
    earlier: Record

    @property
    def both_ways(self) -> tuple[tuple[Record, Record], tuple[Record, Record]]:
        """Each with the other; first the way in which they are proposed, the later as the earlier."""
        return (self.later, self.earlier), (self.earlier, self.later)

    @property
    def confirmed(self) -> tuple[Record, Record] | None:
        """The one that is counted as the other, and that one."""
        return next((way for way in self.both_ways if way[0].state.duplicate_of == way[1].near_miss_id), None)

    @property
    def undone(self) -> tuple[Record, Record] | None:
        """The one that was counted as the other once, and that one."""
        return next((way for way in self.both_ways if way[1].near_miss_id in way[0].state.undone), None)

    @property
    def is_told_apart(self) -> bool:
        """Whether somebody said that they are two occurrences."""
        return self.undone is not None or self.earlier.near_miss_id in self.later.state.dismissed


def load(desk: Desk, proposal_id: str, if_match: int | None = None) -> Pair:
    """The pair, or `NotFound`; `PreconditionFailed` when it is at another version than the one that was named."""
    proposal = proposal_of(desk.connection, desk.organisation, proposal_id)
    later, earlier = revise.load(desk, proposal.near_miss_id), revise.load(desk, proposal.other_id)
    if if_match is not None:
        told = [one for record in (later, earlier) for one in desk.read(record.stream)]
        if if_match != 1 + len(decisions(told, proposal)):
            raise PreconditionFailed(STALE)
    return Pair(desk, proposal, later, earlier)


def proposal_of(connection: Connection, organisation: str, proposal_id: str) -> Proposal:
    """The proposal as the follower has it, or `NotFound`."""
    row = duplicate_proposals.c
    chosen = select(*COLUMNS).where(row.organisation == organisation, row.proposal_id == proposal_id)
    found = connection.execute(chosen).one_or_none()
    if found is None:
        raise NotFound(NO_SUCH_PROPOSAL)
    return Proposal._make(found)


# Commands


def confirm(desk: Desk, cause: Cause, pair: Pair, master: str | None, reason: str | None) -> None:
    """They are one: the later is counted as the earlier, or the other way round when `master` names the later."""
    way = next((way for way in pair.both_ways if master in (None, way[1].near_miss_id)), None)
    if way is None:
        raise Invalid(Fault("/master", "no-master", "Name one of the two records: near_miss_id or other_id."))
    if pair.confirmed is not None and master in (None, pair.confirmed[1].near_miss_id):
        return  # Asking twice is not an error.
    duplicate, stays = way
    words = reason or f"Confirmed as one occurrence; they look alike by {pair.proposal.score:g}."
    revise.mark_duplicate(desk, cause, duplicate, words, stays.near_miss_id, "/master")


def confirm_by_rule(desk: Desk, cause: Cause, proposal_id: str) -> None:
    """The same by the rule in force, if it still says so and nobody has said anything of the two.

    `SameSource` when one system has told both already: two doses like one visit are two. People may know more.
    """
    pair = load(desk, proposal_id)
    rule = desk.configuration.duplicate_rule
    if pair.is_told_apart or not reaches(rule, pair.proposal):
        return
    if pair.confirmed is None and _sources(pair.later.state) & _sources(pair.earlier.state):
        raise SameSource("One system told of both already, and it knows its own: a person says whether they are one.")
    score, needed = f"{pair.proposal.score:g}", f"{rule.confirm_at:g}"
    reason = f"By version {rule.version} of the duplicate rule: they look alike by {score}, it asks for {needed}."
    confirm(desk, cause, pair, None, reason)


def _sources(state: NearMiss) -> frozenset[str | None]:
    """The systems that told of the occurrence, itself or through what is counted as it; None for a person's report."""
    told = (state.source, *(one.source for one in state.other_sources))
    return frozenset(one.source if one is not None else None for one in told)


def reaches(rule: DuplicateRule, proposal: Proposal) -> bool:
    """Whether the rule confirms a proposal by itself."""
    is_open = proposal.status == PROPOSED
    return is_open and rule.confirm_at is not None and proposal.score >= rule.confirm_at


def dismiss(desk: Desk, cause: Cause, pair: Pair, reason: str) -> None:
    """They are two: nobody is asked about them again."""
    if pair.confirmed is not None:
        raise near_miss.StillADuplicate("One is counted as the other: undo that, then they are told apart.")
    command = near_miss.DismissDuplicate(pair.earlier.near_miss_id, pair.later.sealer.text(reason))
    decided = near_miss.decide(command, pair.later.state, desk.now)
    desk.append(cause, [Draft(pair.later.stream, pair.later.version, decided)])


def undo(desk: Desk, cause: Cause, pair: Pair, reason: str) -> None:
    """They are two after all: the one that was counted as the other counts again, and is checked like one that comes in
    now.
    """
    duplicate, stays = pair.confirmed or pair.undone or pair.both_ways[0]
    _tell_apart(desk, cause, duplicate, stays.near_miss_id, reason)


def withdraw(desk: Desk, cause: Cause, record: Record, reason: str) -> None:
    """A person takes a record out of every count. What other systems said of the occurrence still stands: each record
    that was counted as this one counts again by itself, judged once this one is out of the way.
    """
    revise.withdraw(desk, cause, record, reason)
    for one in record.state.other_sources:
        other = revise.load(desk, one.near_miss_id)
        if other.state.duplicate_of == record.near_miss_id:  # Not what was counted as one of these.
            _tell_apart(desk, cause, other, record.near_miss_id, reason)


def _tell_apart(desk: Desk, cause: Cause, duplicate: Record, master_id: str, reason: str) -> None:
    was_confirmed = duplicate.state.duplicate_of == master_id
    consumed_by = consuming(desk, duplicate.near_miss_id)

    def revision(check: Check) -> near_miss.Revision:
        return DuplicateUndone(duplicate.sealer.text(reason), master_id, check, consumed_by)

    after = replace(duplicate.state, duplicate_of=None)
    revise.judged(desk, cause, duplicate, after, revision, consumed_by)
    if was_confirmed:
        _give_back(desk, cause, duplicate, master_id)


def _give_back(desk: Desk, cause: Cause, duplicate: Record, master_id: str | None) -> None:
    """Every record that took its source references over, one through another, gives them back."""
    brought = (duplicate.near_miss_id, *(one.near_miss_id for one in duplicate.state.other_sources))
    while master_id is not None:
        master = revise.load(desk, master_id)
        removed = [
            event for one in brought for event in near_miss.decide(near_miss.RemoveSource(one), master.state, desk.now)
        ]
        desk.append(cause, [Draft(master.stream, master.version, removed)])
        master_id = master.state.duplicate_of


def consuming(desk: Desk, near_miss_id: str) -> tuple[str, ...]:
    """The rules whose ended episodes have the record; an episode that was reopened gave it back."""
    member = escalation_members.c
    of_it = (member.organisation == desk.organisation, member.near_miss_id == near_miss_id)
    ids = desk.connection.execute(select(member.escalation_id).where(*of_it).distinct()).scalars().all()
    rules: set[str] = set()
    for escalation_id in ids:
        told = desk.read(f"escalation/{escalation_id}")
        reopened = max((n for n, one in enumerate(told) if isinstance(one.event, escalation.Reopened)), default=0)
        if any(isinstance(one.event, _Ended) and near_miss_id in one.event.consumed for one in told[reopened:]):
            rules.add(told[0].event.rule_id)
    return tuple(sorted(rules))


_Ended = escalation.Closed | escalation.MonitoringBegun | escalation.Merged


# What is shown


def decisions(told: Sequence[Told[Any]], proposal: Proposal) -> list[Told[Any]]:
    """What was said of the two in their streams, in order."""
    ids = {proposal.near_miss_id, proposal.other_id}
    found = [one for one in told if (other := _said_of(one.event)) is not None and {one.envelope.subject, other} == ids]
    return sorted(found, key=lambda one: one.envelope.sequence)


def _said_of(event: object) -> str | None:
    match event:
        case MarkedDuplicate(duplicate_of=other) | DuplicateUndone(duplicate_of=other):
            return other
        case DuplicateDismissed(other_id=other):
            return other
        case _:
            return None


_STATUS = {MarkedDuplicate: "confirmed", DuplicateUndone: "undone", DuplicateDismissed: "dismissed"}


def show(reader: Reader, proposal_id: str) -> dict[str, Any]:
    """A pair as the API contract shows it, or `NotFound`; what was said of it is true at once, the rest is followed."""
    return shown(reader, [proposal_of(reader.connection, reader.organisation, proposal_id)])[0]


def shown(reader: Reader, proposals: Sequence[Proposal]) -> list[dict[str, Any]]:
    """Pairs as the API contract shows them."""
    ids = dict.fromkeys(near_miss_id for one in proposals for near_miss_id in (one.near_miss_id, one.other_id))
    streams = reader.told([f"near_miss/{one}" for one in ids])
    said = {
        one.proposal_id: decisions(
            [*streams[f"near_miss/{one.near_miss_id}"], *streams[f"near_miss/{one.other_id}"]], one
        )
        for one in proposals
    }
    names = reader.names({told.envelope.actor for each in said.values() for told in each})
    return [_document(one, said[one.proposal_id], streams, names) for one in proposals]


def _document(
    proposal: Proposal,
    said: Sequence[Told[Any]],
    streams: Mapping[str, Sequence[Told[Any]]],
    names: Mapping[str, str],
) -> dict[str, Any]:
    document: dict[str, Any] = {
        "id": proposal.proposal_id,
        "status": _STATUS[type(said[-1].event)] if said else PROPOSED,
        "near_miss_id": proposal.near_miss_id,
        "other_id": proposal.other_id,
        "service_id": proposal.service_id,
        "sources": [_source(streams[f"near_miss/{one}"]) for one in (proposal.near_miss_id, proposal.other_id)],
        "score": proposal.score,
        "reasons": json.loads(proposal.reasons),
        "version": 1 + len(said),
    }
    if said:
        last = said[-1]
        if isinstance(last.event, MarkedDuplicate):
            document["master"] = last.event.duplicate_of
        by = last.envelope.actor
        document["decided"] = {"by": names.get(by, by), "at": instant(last.envelope.recorded_at)}
    else:
        document["proposed_at"] = instant(proposal.recorded_at)
    return {name: value for name, value in document.items() if value is not None}


def _source(told: Sequence[Told[Any]]) -> dict[str, Any]:
    recorded: near_miss.Recorded = told[0].event
    source = recorded.source
    document = {
        "near_miss_id": told[0].envelope.subject,
        "source": source.source if source else None,
        "source_event_id": source.source_event_id if source else None,
    }
    return {name: value for name, value in document.items() if value is not None}
