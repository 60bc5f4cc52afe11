"""What led to what, from a source's event to the outcome, asked from either end.

Each of the two tables says of a kind how the links are found that begin, or end, at things of it. Near misses that led
to something are not among those of `UP`: they may be many, and are read page by page (`trace_near_misses`).
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial, reduce
from typing import Any

from sqlalchemy import select

from app.database.tables import (
    actions,
    duplicate_proposals,
    escalation_members,
    escalations,
    events,
    intake_records,
    sources,
    standing,
)
from app.domain import near_miss
from app.domain.action import Agreed
from app.domain.near_miss import MarkedDuplicate
from app.domain.outcome import Scheduled
from app.domain.review import Opened
from app.events.codec import told as decoded
from app.events.envelope import Envelope, Told
from app.operations.trace_book import Book, Link, Node, pair_of, parts, source_event
from app.operations.trace_governance import GOVERNANCE, considered, considering
from app.operations.trace_signals import rises_with

Find = Callable[[Book, Sequence[str]], list[Link]]


# Source events and what came in


def _told_by_source(book: Book, ids: Sequence[str]) -> list[Link]:
    found: list[Link] = []
    row, its = intake_records.c, sources.c
    for one in ids:
        source, its_id = pair_of(one)
        of_pair = (row.organisation == book.organisation, row.source == source, row.source_event_id == its_id)
        found += _received(book, [it.intake_id for it in book.rows(select(row.intake_id).where(*of_pair))])
        of_pair = (its.organisation == book.organisation, its.source == source, its.source_event_id == its_id)
        found += _named(book, [it[0] for it in book.rows(select(its.near_miss_id).where(*of_pair)) if it[0]])
    return found


def _received(book: Book, intake_ids: Sequence[str]) -> list[Link]:
    """Source event → intake record."""
    return [
        Link(
            source_event(its[0].event.source, its[0].event.source_event_id),
            Node("intake_record", one),
            "received_as",
            its[0].envelope.sequence,
        )
        for one, its in book.told("intake_record", intake_ids).items()
    ]


def _named(book: Book, near_miss_ids: Sequence[str]) -> list[Link]:
    """Source event → the near miss that was recorded under its name."""
    found: list[Link] = []
    for one, its in book.told("near_miss", near_miss_ids).items():
        source = its[0].event.source
        if source is not None and source.source_event_id is not None:
            named = source_event(source.source, source.source_event_id)
            found.append(Link(named, Node("near_miss", one), "recorded_as", its[0].envelope.sequence))
    return found


def _taken_for(book: Book, intake_ids: Sequence[str]) -> list[Link]:
    """Intake record → the near miss that it made, joined, changed or took back."""
    found: dict[tuple[str, str], Link] = {}
    for one, its in book.told("intake_record", intake_ids).items():
        for told in its:
            finding = told.event.finding
            if finding.near_miss_id is not None:
                link = Link(
                    Node("intake_record", one),
                    Node("near_miss", finding.near_miss_id),
                    str(finding.outcome),
                    told.envelope.sequence,
                )
                found.setdefault((one, finding.near_miss_id), link)
    return list(found.values())


def _came_in_as(book: Book, near_miss_ids: Sequence[str]) -> list[Link]:
    row = intake_records.c
    ids: list[str] = []
    for some in parts(near_miss_ids):
        chosen = select(row.intake_id).where(row.organisation == book.organisation, row.near_miss_id.in_(some))
        ids += [one.intake_id for one in book.rows(chosen)]
    wanted = set(near_miss_ids)
    return [link for link in _taken_for(book, ids) if link.effect.id in wanted]


# Near misses


def _counted_as(book: Book, near_miss_ids: Sequence[str]) -> list[Link]:
    """Near miss → the record that holds the same occurrence."""
    found: list[Link] = []
    for one, its in book.told("near_miss", near_miss_ids).items():
        state = reduce(near_miss.evolve, (told.event for told in its), near_miss.UNRECORDED)
        if state.duplicate_of is not None:
            since = max(told.envelope.sequence for told in its if isinstance(told.event, MarkedDuplicate))
            found.append(Link(Node("near_miss", one), Node("near_miss", state.duplicate_of), "duplicate_of", since))
    return found


def _duplicates(book: Book, near_miss_ids: Sequence[str]) -> list[Link]:
    """The other records of the same occurrence: a proposal keeps every pair that somebody has ever decided on."""
    row = duplicate_proposals.c
    candidates: set[str] = set()
    for some in parts(near_miss_ids):
        for mine, other in ((row.near_miss_id, row.other_id), (row.other_id, row.near_miss_id)):
            chosen = select(other).where(row.organisation == book.organisation, mine.in_(some))
            candidates |= {one[0] for one in book.rows(chosen)}
    wanted = set(near_miss_ids)
    return [link for link in _counted_as(book, sorted(candidates)) if link.effect.id in wanted]


def _held_in(book: Book, near_miss_ids: Sequence[str]) -> list[Link]:
    row = escalation_members.c
    return [link for some in parts(near_miss_ids) for link in memberships(book, row.near_miss_id.in_(some))]


def memberships(book: Book, *conditions: Any) -> list[Link]:
    """Near miss → escalation, as what it stands there: member, related or withdrawn."""
    row = escalation_members.c
    chosen = select(row.near_miss_id, row.escalation_id, row.kind, row.valid_from).where(
        row.organisation == book.organisation, *standing(escalation_members, book.as_of), *conditions
    )
    return [
        Link(Node("near_miss", one.near_miss_id), Node("escalation", one.escalation_id), one.kind, one.valid_from)
        for one in book.rows(chosen)
    ]


# Escalations and reviews


def _merged_into(kind: str, book: Book, ids: Sequence[str]) -> list[Link]:
    streams = book.told(kind, ids).values()
    return [_merger(told) for its in streams for told in its if told.envelope.type == f"{kind}.merged"]


def _merger(told: Told[Any]) -> Link:
    kind = told.envelope.kind
    return Link(Node(kind, told.envelope.subject), Node(kind, told.event.into), "merged_into", told.envelope.sequence)


def _merged_from(kind: str, book: Book, ids: Sequence[str]) -> list[Link]:
    row, event = escalations.c, events.c
    column = row.escalation_id if kind == "escalation" else row.review_id
    merged = select(column).where(row.organisation == book.organisation, row.status == "merged")
    streams = [f"{kind}/{one[0]}" for one in book.rows(merged) if one[0] is not None]
    wanted = set(ids)
    found: list[Link] = []
    for some in parts(streams):
        chosen = select(events).where(
            event.organisation == book.organisation,
            event.stream.in_(some),
            event.type == f"{kind}.merged",
            event.sequence <= book.as_of,
        )
        found += (_merger(decoded(Envelope._make(one))) for one in book.rows(chosen))
    return [link for link in found if link.effect.id in wanted]


def _reviewed_in(book: Book, escalation_ids: Sequence[str]) -> list[Link]:
    raised = book.told("escalation", escalation_ids)
    return _escalated(book, [one for its in raised.values() if (one := its[0].event.review_id) is not None])


def _escalated(book: Book, review_ids: Sequence[str]) -> list[Link]:
    """Escalation → review."""
    found: list[Link] = []
    for one, its in book.told("review", review_ids).items():
        opened: Opened = its[0].event
        of = Node("escalation", opened.escalation_id)
        found.append(Link(of, Node("review", one), "reviewed_in", its[0].envelope.sequence))
    return found


# Actions and outcomes


def _agreed(column: str, book: Book, ids: Sequence[str]) -> list[Link]:
    """(Governance) review → action."""
    row = actions.c
    chosen = select(row.action_id).where(row.organisation == book.organisation, row.sequence <= book.as_of)
    found: list[str] = []
    for some in parts(ids):
        found += [one.action_id for one in book.rows(chosen.where(row[column].in_(some)))]
    return _agreed_in(book, found)


def _agreed_in(book: Book, action_ids: Sequence[str]) -> list[Link]:
    found: list[Link] = []
    for one, its in book.told("action", action_ids).items():
        agreed: Agreed = its[0].event
        if agreed.governance_review_id is not None:
            of, relation = Node(GOVERNANCE, agreed.governance_review_id), "recommended"
        else:
            of, relation = Node("review", agreed.review_id), "agreed_on"
        found.append(Link(of, Node("action", one), relation, its[0].envelope.sequence))
    return found


def _followed_up(book: Book, review_ids: Sequence[str]) -> list[Link]:
    """Review → outcome, and the actions whose effect it is."""
    found: list[Link] = []
    for one, its in book.told("outcome", review_ids).items():
        outcome = Node("outcome", one)
        found.append(Link(Node("review", one), outcome, "followed_up", its[0].envelope.sequence))
        since: dict[str, int] = {}
        for told in its:
            if isinstance(told.event, Scheduled):
                for action_id in told.event.action_ids:
                    since.setdefault(action_id, told.envelope.sequence)
        found += [Link(Node("action", action_id), outcome, "assessed_in", at) for action_id, at in since.items()]
    return found


def _from_reviews(book: Book, review_ids: Sequence[str]) -> list[Link]:
    return [link for link in _followed_up(book, review_ids) if link.cause.kind == "review"]


def _assessed_in(book: Book, action_ids: Sequence[str]) -> list[Link]:
    agreed = _agreed_in(book, action_ids)
    wanted = set(action_ids)
    of = sorted({link.cause.id for link in agreed if link.cause.kind == "review"})
    return [link for link in _followed_up(book, of) if link.cause.kind == "action" and link.cause.id in wanted]


def _considering(kind: str) -> Find:
    return lambda book, ids: considering(book, kind, ids)


DOWN: Mapping[str, Sequence[Find]] = {
    "source_event": (_told_by_source,),
    "intake_record": (_taken_for,),
    "near_miss": (_counted_as, _held_in, rises_with, _considering("near_miss")),
    "escalation": (partial(_merged_into, "escalation"), _reviewed_in, _considering("escalation")),
    "review": (
        partial(_merged_into, "review"),
        partial(_agreed, "review_id"),
        _from_reviews,
        _considering("review"),
    ),
    "action": (_assessed_in, _considering("action")),
    "outcome": (_considering("outcome"),),
    "signal": (_considering("signal"),),
    GOVERNANCE: (partial(_agreed, "governance_review_id"),),
}
"""What came of things of a kind."""

UP: Mapping[str, Sequence[Find]] = {
    "source_event": (),
    "intake_record": (_received,),
    "near_miss": (_came_in_as, _named, _duplicates),
    "escalation": (partial(_merged_from, "escalation"),),
    "review": (_escalated, partial(_merged_from, "review")),
    "action": (_agreed_in,),
    "outcome": (_followed_up,),
    "signal": (),
    GOVERNANCE: (considered,),
}
"""What led to things of a kind."""
