"""Which near misses may be one occurrence that two systems told of, and what people said of each such pair.

A follower. What is proposed is always what the records of this moment look like: one that is corrected or withdrawn
takes its proposals with it. What somebody decided stays, with the score of that moment. Pairs are looked for at the end
of the events that are read together, so that a page costs a few queries; where pages end makes no difference.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import NAMESPACE_URL, uuid5

from sqlalchemy import and_, bindparam, case, delete, or_, select

from app.database.tables import duplicate_proposals, occurrence_refs, occurrences
from app.domain import duplicate_rule
from app.domain.duplicate_rule import Adopted, DuplicateRule
from app.domain.likeness import WITHOUT_PERSON, Likeness, likeness
from app.domain.near_miss import (
    DuplicateDismissed,
    DuplicateUndone,
    MarkedDuplicate,
    Recorded,
    Reopened,
    Withdrawn,
)
from app.events.canonical import canonical
from app.events.codec import decode
from app.events.envelope import Envelope, Told
from app.events.store import read_stream
from app.projections.context import Context
from app.projections.occurrences import TELLING, Row, change, read, record

TABLES = (occurrences, occurrence_refs, duplicate_proposals)
_CHANGING = (*TELLING, Withdrawn, Reopened)
_DECIDING = (MarkedDuplicate, DuplicateDismissed, DuplicateUndone)
HEEDS = (Recorded, *_CHANGING, *_DECIDING, Adopted)
PROPOSED = "proposed"
STATUSES = (PROPOSED, "confirmed", "dismissed", "undone")
_RULE = "duplicate_rule"
_BEGAN = "duplicates_began"
_TO_COMPARE = "duplicates_to_compare"
_AT_ONCE = 250


class Proposal(NamedTuple):
    """A row of `duplicate_proposals`, in the order of its columns after the organisation."""

    proposal_id: str
    sequence: int
    later_sequence: int
    earlier_sequence: int
    recorded_at: int
    actor: str | None
    status: str
    near_miss_id: str
    other_id: str
    service_id: str | None
    score: float
    reasons: str


COLUMNS = tuple(column for column in duplicate_proposals.c if column.name != "organisation")
"""What a `Proposal` is made of."""


def proposal_id_of(earlier_id: str, later_id: str) -> str:
    """The id of what is proposed of two records: the same however often they are found."""
    return "dup_" + uuid5(NAMESPACE_URL, f"forewarn duplicate {earlier_id} {later_id}").hex


def apply(context: Context, told: Told[Any]) -> None:
    """What the event does to the rows."""
    envelope, event = told.envelope, told.event
    context.kept.setdefault(_BEGAN, envelope.sequence)
    match event:
        case Recorded():
            record(context, told)
            _to_compare(context, envelope.subject)
        case Adopted():
            finish(context)  # What came before is judged by the rule of that time.
            context.kept[_RULE] = duplicate_rule.evolve(duplicate_rule.INITIAL, event)
        case _ if isinstance(event, _CHANGING):
            _change(context, told)
        case MarkedDuplicate(duplicate_of=other_id):
            _change(context, told)
            _decide(context, envelope, other_id, "confirmed")
        case DuplicateUndone(duplicate_of=other_id):
            _change(context, told)
            _decide(context, envelope, other_id, "undone")
        case DuplicateDismissed(other_id=other_id):
            _decide(context, envelope, other_id, "dismissed")
        case _:
            pass


def finish(context: Context) -> None:
    """Compare what has changed with what it may be the same as."""
    ids = sorted(context.kept.pop(_TO_COMPARE, ()))
    for start in range(0, len(ids), _AT_ONCE):
        _compare(context, ids[start : start + _AT_ONCE])


def _change(context: Context, told: Told[Any]) -> None:
    if change(context, told):
        _to_compare(context, told.envelope.subject)


def _to_compare(context: Context, near_miss_id: str) -> None:
    context.kept.setdefault(_TO_COMPARE, set()).add(near_miss_id)


# Pairs


def _compare(context: Context, ids: Sequence[str]) -> None:
    pairs = _pairs(context, ids)
    standing = {one.proposal_id: one for one in _standing(context, ids)}
    if not pairs and not standing:
        return
    rows = read(context, {one for pair in pairs for one in pair})
    rule = _rule(context)
    found: dict[str, Proposal] = {}
    for pair in pairs:
        earlier, later = sorted((rows[one] for one in pair), key=lambda row: row.sequence)
        like = likeness(earlier.occurrence, later.occurrence, rule.within)
        if like.against is None and like.score >= rule.propose_at:
            newest = max(earlier, later, key=lambda row: row.changed_sequence)
            one = _proposal(earlier, later, like, newest.changed_sequence, newest.changed_at)
            found[one.proposal_id] = one
    for proposal_id, one in standing.items():
        if one.status == PROPOSED and found.get(proposal_id) != one:
            _drop(context, proposal_id)
    for proposal_id, one in found.items():
        if proposal_id not in standing or (standing[proposal_id].status == PROPOSED and standing[proposal_id] != one):
            context.rows.insert(duplicate_proposals, (context.organisation, *one))


def _pairs(context: Context, ids: Sequence[str]) -> set[frozenset[str]]:
    """Those of other sources that name somebody of theirs, in the same service and near in time."""
    mine, other = occurrence_refs.alias().c, occurrence_refs.alias().c
    within = case((mine.ref.startswith("staff/"), WITHOUT_PERSON.longest), else_=_rule(context).within.longest)
    chosen = select(mine.near_miss_id, other.near_miss_id).where(
        mine.organisation == context.organisation,
        mine.near_miss_id.in_(ids),
        other.organisation == context.organisation,
        other.ref == mine.ref,
        other.at.between(mine.at - within, mine.at + within),
        other.service_id == mine.service_id,
        other.source != mine.source,
    )
    found: Sequence[Any] = context.rows.execute(chosen).all()
    return {frozenset({one[0], one[1]}) for one in found}


def _standing(context: Context, ids: Sequence[str]) -> list[Proposal]:
    row = duplicate_proposals.c
    chosen = select(*COLUMNS).where(
        row.organisation == context.organisation, or_(row.near_miss_id.in_(ids), row.other_id.in_(ids))
    )
    return [Proposal._make(one) for one in context.rows.execute(chosen)]


def _decide(context: Context, envelope: Envelope, other_id: str, status: str) -> None:
    """What somebody said of two records stands, also where nothing was proposed of them."""
    rows = read(context, (envelope.subject, other_id))
    earlier, later = sorted(rows.values(), key=lambda row: row.sequence)
    like = likeness(earlier.occurrence, later.occurrence, _rule(context).within)
    one = _proposal(earlier, later, like, envelope.sequence, envelope.recorded_at, envelope.actor, status)
    _drop(context, one.proposal_id)
    context.rows.insert(duplicate_proposals, (context.organisation, *one))


def _proposal(
    earlier: Row,
    later: Row,
    like: Likeness,
    sequence: int,
    recorded_at: int,
    actor: str | None = None,
    status: str = PROPOSED,
) -> Proposal:
    reasons = [{"code": one.code, "points": one.points, "of": one.of, "says": one.says} for one in like.reasons]
    return Proposal(
        proposal_id_of(earlier.near_miss_id, later.near_miss_id),
        sequence,
        later.sequence,
        earlier.sequence,
        recorded_at,
        actor,
        status,
        later.near_miss_id,
        earlier.near_miss_id,
        later.service_id,
        like.score,
        canonical(reasons),
    )


def _drop(context: Context, proposal_id: str) -> None:
    context.rows.execute(_DROP, {"of": context.organisation, "its_id": proposal_id})


def _rule(context: Context) -> DuplicateRule:
    """The rule in force: that of where the events that are read together begin, until one of them adopts another."""
    known: DuplicateRule | None = context.kept.get(_RULE)
    if known is None:
        known = duplicate_rule.INITIAL
        adopted = read_stream(context.rows.connection, context.ledger, duplicate_rule.STREAM, context.kept[_BEGAN] - 1)
        for envelope in adopted[-1:]:
            known = duplicate_rule.evolve(known, decode(envelope))
        context.kept[_RULE] = known
    return known


_DROP = delete(duplicate_proposals).where(
    and_(
        duplicate_proposals.c.organisation == bindparam("of"), duplicate_proposals.c.proposal_id == bindparam("its_id")
    )
)
