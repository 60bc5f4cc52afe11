"""What a governance review rests on: what its snapshot holds, what its decisions cite, and whose members they cite.

Both ways are read from the same two events, `governance_review.opened` and `governance_review.decided`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import or_, select

from app.database.tables import escalation_members, events, standing
from app.domain.governance import Decided, Opened
from app.events.envelope import Told
from app.operations.trace_book import Book, Link, Node, parts

GOVERNANCE = "governance_review"
_NOUNS = {"nm": "near_miss", "esc": "escalation", "rev": "review", "act": "action", "sig": "signal"}
_IN_SNAPSHOT: tuple[tuple[str, str, str], ...] = (
    ("escalations", "id", "escalation"),
    ("signals", "id", "signal"),
    ("system_risk_reviews", "review_id", "review"),
    ("outcomes", "review_id", "outcome"),
)
"""Parts of a snapshot, the field that names something, and of which kind that is."""
_LIKES = 50


def considered(book: Book, reviews: Sequence[str]) -> list[Link]:
    """What these governance reviews rest on; near misses are not in it, see `cited_near_misses`."""
    found: list[Link] = []
    for review_id, told in book.told(GOVERNANCE, reviews).items():
        found += _in_snapshot(told[0])
        for one in told:
            if isinstance(one.event, Decided):
                found += (link for link in _cited(one) if link.cause.kind != "near_miss")
        decided = [one for one in told if isinstance(one.event, Decided)]
        found += _of_members(book, decided, Node(GOVERNANCE, review_id))
    return found


def cited_near_misses(book: Book, reviews: Sequence[str]) -> list[Link]:
    """The near misses that decisions of these governance reviews cite."""
    return [
        link
        for told in book.told(GOVERNANCE, reviews).values()
        for one in told
        if isinstance(one.event, Decided)
        for link in _cited(one)
        if link.cause.kind == "near_miss"
    ]


def considering(book: Book, kind: str, ids: Sequence[str]) -> list[Link]:
    """The governance reviews that rest on these things."""
    wanted = {Node(kind, one) for one in ids}
    decided = _decided(book)
    found = [link for one in decided for link in _cited(one) if link.cause in wanted]
    if any(kind == noun for _, _, noun in _IN_SNAPSHOT):
        found += [link for one in _opened_with(book, ids) for link in _in_snapshot(one) if link.cause in wanted]
    if kind == "escalation":
        found += [link for link in _of_members(book, decided) if link.cause in wanted]
    return found


def standing_actions(book: Book, kind: str, one_id: str) -> list[Link]:
    """The actions that were open when a governance review began, or the reviews that began while an action was."""
    if kind == GOVERNANCE:
        opened = [told[0] for told in book.told(GOVERNANCE, [one_id]).values()]
    else:
        opened = _opened_with(book, [one_id])
    found = [
        Link(Node("action", one["id"]), _review(its), "open_at", its.envelope.sequence)
        for its in opened
        for one in its.event.snapshot.get("open_actions", ())
    ]
    return found if kind == GOVERNANCE else [link for link in found if link.cause.id == one_id]


def _in_snapshot(told: Told[Opened]) -> Iterator[Link]:
    snapshot: Mapping[str, Any] = told.event.snapshot
    for part, field, kind in _IN_SNAPSHOT:
        for one in {it[field]: None for it in snapshot.get(part, ())}:
            yield Link(Node(kind, one), _review(told), "in_snapshot", told.envelope.sequence)


def _cited(told: Told[Decided]) -> Iterator[Link]:
    for cited in told.event.cites:
        if (kind := _NOUNS.get(cited.partition("_")[0])) is not None:
            yield Link(Node(kind, cited), _review(told), "cited", told.envelope.sequence)


def _of_members(book: Book, decided: Sequence[Told[Decided]], review: Node | None = None) -> list[Link]:
    """The escalations that are considered because a decision cites one of their near misses."""
    cites = [link for one in decided for link in _cited(one) if link.cause.kind == "near_miss"]
    member = escalation_members.c
    held: dict[str, list[tuple[str, int]]] = {}
    for some in parts(sorted({link.cause.id for link in cites})):
        chosen = select(member.near_miss_id, member.escalation_id, member.valid_from).where(
            member.organisation == book.organisation,
            member.near_miss_id.in_(some),
            member.kind != "withdrawn",
            *standing(escalation_members, book.as_of),
        )
        for near_miss_id, escalation_id, since in book.rows(chosen):
            held.setdefault(near_miss_id, []).append((escalation_id, since))
    return [
        Link(Node("escalation", escalation_id), review or link.effect, "member_cited", max(since, link.since))
        for link in cites
        for escalation_id, since in held.get(link.cause.id, ())
    ]


def _decided(book: Book) -> list[Told[Decided]]:
    return book.of_governance("governance_review.decided")


def _opened_with(book: Book, ids: Sequence[str]) -> list[Told[Opened]]:
    """The reviews whose snapshot names one of these ids anywhere."""
    found: dict[int, Told[Opened]] = {}
    for start in range(0, len(ids), _LIKES):
        named = or_(*(events.c.payload.contains(one, autoescape=True) for one in ids[start : start + _LIKES]))
        found |= {one.envelope.sequence: one for one in book.of_governance("governance_review.opened", named)}
    return [found[sequence] for sequence in sorted(found)]


def _review(told: Told[Any]) -> Node:
    return Node(GOVERNANCE, told.envelope.subject)
