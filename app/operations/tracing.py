"""Everything that is tied to one thing, both ways: what led to it, what came of it, and what stands beside it (S18).

Whatever is upstream of a thing has the thing downstream, for both are found by the same links: if the trace of X leads
to Y, the trace of Y leads to X. A way goes through one governance review at most, because nearly everything comes
together in those; what another one made of it stands in that one's own trace. What stands beside is not followed.

The near misses that led to something may be many: they come page by page, the newest first, each with its sources; all
else comes with the first page.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select

from app.database.tables import escalation_members, events, heatmap_facts, near_misses, standing
from app.domain.decider import NotFound
from app.events.envelope import instant
from app.operations.show import Reader
from app.operations.trace_beside import beside
from app.operations.trace_book import Book, Link, Node, parts
from app.operations.trace_feedback import feedback
from app.operations.trace_governance import GOVERNANCE, cited_near_misses
from app.operations.trace_links import DOWN, UP, Find, memberships
from app.operations.trace_nodes import documents, source_event_document
from app.operations.trace_signals import counted_in, in_rise
from app.operations.trace_told import Shown, messages, notices, timeline

MOST_NODES = 1000
"""Things that a way leads to, the near misses of the pages apart."""
MOST_BESIDE = 200
"""Things that stand beside, the newest."""
KINDS = (
    "source_event", "intake_record", "near_miss", "signal", "escalation", "review", "action", "outcome",
    "governance_review", "notice", "delivery",
)  # fmt: skip
"""In the order in which one leads to the other, which is the order of a trace."""
NO_SUCH = "Nothing of that id belongs to this organisation, or not yet at that time."


@dataclass(frozen=True, slots=True)
class Asked:
    """A trace of `subject` as of a sequence; of the near misses that led to it `limit`, those recorded before `below`.

    `with_messages`: whoever asks may see what endpoints are owed; `is_now`: nobody asked about another time.
    """

    subject: Node
    as_of: int
    limit: int
    below: int | None = None
    with_messages: bool = False
    is_now: bool = True


@dataclass(slots=True)
class _Found:
    """What a trace holds so far: each thing with the way to it, and the links."""

    ways: dict[Node, str]
    links: list[Link]
    left_out: Counter[str]

    def add(self, nodes: Iterable[Node], way: str, links: Iterable[Link]) -> None:
        for node in nodes:
            self.ways.setdefault(node, way)
        self.links += links


def trace(reader: Reader, asked: Asked) -> tuple[dict[str, Any], int | None]:
    """The trace of the API contract, and below which sequence its next page begins; `NotFound`."""
    book, subject = Book(reader, asked.as_of), asked.subject
    down, down_links, cut_below = _walk(book, [subject], DOWN)
    is_known = bool(down_links) if subject.kind == "source_event" else bool(book.told(subject.kind, [subject.id]))
    if not is_known:
        raise NotFound(NO_SUCH)
    up, up_links, cut_above = _walk(book, [subject], UP)
    found = _Found({subject: "subject"}, [], Counter())
    is_first = asked.below is None
    if is_first:
        found.add(up, "upstream", up_links)
        found.add(down, "downstream", down_links)
        found.left_out["not_followed"] = cut_above + cut_below
        _add_beside(book, subject, found)
    total, place = _add_near_misses(book, asked, [subject, *up], found)
    told = [node for node, way in found.ways.items() if way != "beside" and (is_first or way != "subject")]
    return _document(book, asked, found, told, total, place), place


def _walk(book: Book, begin: Sequence[Node], ways: Mapping[str, Sequence[Find]]) -> tuple[list[Node], list[Link], int]:
    """All that is reached from some things, the links on the way, and how many things were not gone on from."""
    passed = {node: node.kind == GOVERNANCE for node in begin}  # Whether a governance review is on the way.
    links: dict[Link, None] = {}
    frontier = list(begin)
    while frontier and len(passed) <= MOST_NODES:
        reached: dict[Node, None] = {}
        for kind in dict.fromkeys(node.kind for node in frontier):
            ids = [node.id for node in frontier if node.kind == kind]
            for link in (link for find in ways[kind] for link in find(book, ids)):
                here, there = (link.cause, link.effect) if ways is DOWN else (link.effect, link.cause)
                if passed[here] and there.kind == GOVERNANCE:
                    continue
                has_passed = passed[here] or there.kind == GOVERNANCE
                links[link] = None
                if there not in passed or (passed[there] and not has_passed):
                    passed[there] = has_passed
                    reached[there] = None
        frontier = list(reached)
    return [node for node in passed if node not in begin], list(links), len(frontier)


def _add_beside(book: Book, subject: Node, found: _Found) -> None:
    links = sorted(beside(book, subject), key=lambda link: -link.since)
    found.add(
        (node for link in links[:MOST_BESIDE] for node in (link.cause, link.effect)), "beside", links[:MOST_BESIDE]
    )
    found.left_out["beside"] = len(links) - len(links[:MOST_BESIDE])


# The near misses that led to it


def _add_near_misses(book: Book, asked: Asked, above: Sequence[Node], found: _Found) -> tuple[int, int | None]:
    """A page of them with their sources; how many there are, and where the next page begins."""
    ids: dict[str, list[str]] = {}
    for node in above:
        ids.setdefault(node.kind, []).append(node.id)
    cited = cited_near_misses(book, ids.get(GOVERNANCE, ()))
    conditions = _having_led_to(book, ids, [link.cause.id for link in cited])
    if not conditions:
        return sum(node.kind == "near_miss" and way != "beside" for node, way in found.ways.items()), None
    row = near_misses.c
    of = (row.organisation == book.organisation, row.sequence <= book.as_of, or_(*conditions))
    total = book.reader.connection.execute(select(func.count()).select_from(near_misses).where(*of)).scalar_one()
    chosen = select(row.near_miss_id, row.sequence).where(*of).order_by(row.sequence.desc()).limit(asked.limit + 1)
    rows = book.rows(chosen if asked.below is None else chosen.where(row.sequence < asked.below))
    shown = [one.near_miss_id for one in rows[: asked.limit]]
    for some in parts(shown):
        book.told("near_miss", some)  # All at once.
    page = [Node("near_miss", one) for one in shown]
    sources, links, _ = _walk(book, page, UP)
    wanted = set(shown)
    member = escalation_members.c
    if shown and "escalation" in ids:
        links += memberships(book, member.near_miss_id.in_(shown), member.escalation_id.in_(ids["escalation"]))
    links += (link for link in cited if link.cause.id in wanted)
    links += counted_in(book, ids.get("signal", ()), shown)
    found.add([*page, *sources], "upstream", links)
    return total, rows[asked.limit - 1].sequence if len(rows) > asked.limit else None


def _having_led_to(book: Book, above: Mapping[str, Sequence[str]], cited: Sequence[str]) -> list[ColumnElement[bool]]:
    """Which near misses led to these escalations and signals, and which were cited."""
    row, member = near_misses.c, escalation_members.c
    conditions: list[ColumnElement[bool]] = []
    if above.get("escalation"):
        held = select(member.near_miss_id).where(
            member.organisation == book.organisation,
            member.escalation_id.in_(above["escalation"]),
            *standing(escalation_members, book.as_of),
        )
        conditions.append(row.near_miss_id.in_(held))
    rises = [rise for one in above.get("signal", ()) if (rise := in_rise(book, one)) is not None]
    conditions += (row.near_miss_id.in_(select(heatmap_facts.c.near_miss_id).where(its)) for its, _ in rises)
    if cited:
        conditions.append(row.near_miss_id.in_(cited))
    return conditions


# The document


def _document(
    book: Book, asked: Asked, found: _Found, told: Sequence[Node], total: int, place: int | None
) -> dict[str, Any]:
    shown = documents(book, list(found.ways))
    shown |= _source_events(book, found)
    said, found.left_out["notices"] = notices(book, told)
    sent: list[Shown] = []
    if asked.with_messages:
        sent, found.left_out["deliveries"] = messages(book, told, is_now=asked.is_now)
    happened, found.left_out["timeline"] = timeline(book, told)
    if asked.subject.kind == "near_miss" and asked.below is None:
        shown[asked.subject]["details"]["feedback"] = feedback(book, asked.subject.id)
    nodes = [{"ref": node.ref, "way": found.ways[node], **document} for node, document in shown.items()]
    for document, link in (*said, *sent):
        nodes.append({"ref": link.effect.ref, "way": "told", **document})
        found.links.append(link)
    nodes.sort(key=lambda one: (KINDS.index(one["kind"]), one["sequence"], one["id"]))
    left_out = {name: count for name, count in sorted(found.left_out.items()) if count}
    return {
        "subject": asked.subject._asdict(),
        "as_of_sequence": book.as_of,
        "near_misses": {
            "total": total,
            "shown": sum(one["kind"] == "near_miss" and one["way"] != "beside" for one in nodes),
        },
        "counts": dict(Counter(one["kind"] for one in nodes)),
        "nodes": nodes,
        "edges": _edges(found.links),
        "timeline": happened,
        "left_out": left_out,
        "truncated": bool(left_out) or place is not None,
    }


def _source_events(book: Book, found: _Found) -> dict[Node, dict[str, Any]]:
    since: dict[Node, int] = {}
    for link in found.links:
        if link.cause.kind == "source_event":
            since[link.cause] = min(link.since, since.get(link.cause, link.since))
    event = events.c
    at: dict[int, int] = {}
    for some in parts(sorted(map(str, set(since.values())))):
        chosen = select(event.sequence, event.recorded_at).where(
            event.organisation == book.organisation, event.sequence.in_([int(one) for one in some])
        )
        at |= {one.sequence: one.recorded_at for one in book.rows(chosen)}
    return {node: source_event_document(node, one, instant(at[one])) for node, one in since.items()}


def _edges(links: Iterable[Link]) -> list[dict[str, Any]]:
    """Each once, since it holds, in the order in which they came to be."""
    first: dict[tuple[Node, Node, str], Link] = {}
    for link in sorted(links, key=lambda link: link.since):
        first.setdefault((link.cause, link.effect, link.relation), link)
    return [
        {
            "from": link.cause.ref,
            "to": link.effect.ref,
            "relation": link.relation,
            "since_sequence": link.since,
            **({"rules": list(link.rules)} if link.rules else {}),
        }
        for link in first.values()
    ]
