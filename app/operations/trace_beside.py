"""What stands beside a thing without having led to it, or come of it: shown with it, and not followed any further.

Similar near misses, the episodes before and after, a breached deadline that became a record of its own, and actions
that were open when a governance review began. Followed further, these would tie everything to everything.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from app.database.tables import escalation_members, escalations, sources, window_entries
from app.domain.moment import Span
from app.domain.report import Check
from app.domain.rule import OWN_SOURCE
from app.events.envelope import Told
from app.operations.trace_book import Book, Link, Node, parts
from app.operations.trace_governance import GOVERNANCE, standing_actions

MOST_COMPARED = 2000
"""Records of the same keys whose checks are looked at for whether they matched this one, the newest."""


def beside(book: Book, subject: Node) -> list[Link]:
    """What stands beside a thing."""
    match subject.kind:
        case "near_miss":
            return [*_similar(book, subject.id), *_breach_of(book, subject.id)]
        case "escalation":
            return [*_episodes(book, subject.id), *_breaches(book, subject.id)]
        case "action":
            return standing_actions(book, "action", subject.id)
        case _ if subject.kind == GOVERNANCE:
            return standing_actions(book, GOVERNANCE, subject.id)
        case _:
            return []


# Similarity


def checks_of(told: Sequence[Told[Any]]) -> list[tuple[int, Check]]:
    """Every similarity check of a near miss, with the sequence of the event that it was made for."""
    checks = ((one.envelope.sequence, getattr(one.event, "similarity_check", None)) for one in told)
    return [(sequence, check) for sequence, check in checks if check is not None]


def _similar(book: Book, near_miss_id: str) -> list[Link]:
    told = book.told("near_miss", [near_miss_id]).get(near_miss_id, [])
    candidates = _compared(book, near_miss_id, checks_of(told))
    others = [link for one in candidates for link in matched_by(book, one) if link.cause.id == near_miss_id]
    return [*matched_by(book, near_miss_id), *others]


def matched_by(book: Book, near_miss_id: str) -> list[Link]:
    """The records that its checks matched: what was known of led to what the check found."""
    told = book.told("near_miss", [near_miss_id]).get(near_miss_id, [])
    since: dict[str, int] = {}
    rules: dict[str, dict[str, None]] = {}
    for sequence, check in checks_of(told):
        for rule in check.rules:
            for other in rule.matched_ids:
                since.setdefault(other, sequence)
                rules.setdefault(other, {})[rule.rule_id] = None
    here = Node("near_miss", near_miss_id)
    return [Link(Node("near_miss", one), here, "matched", at, tuple(rules[one])) for one, at in since.items()]


def _compared(book: Book, near_miss_id: str, checks: Sequence[tuple[int, Check]]) -> list[str]:
    """Records that may have matched it: near in time under one of its keys, or related to one of its escalations."""
    entry = window_entries.c
    windows = {rule.rule_id: Span.parse(rule.window).longest for _, check in checks for rule in check.rules}
    its = select(entry.rule_id, entry.key_text, entry.at).where(
        entry.organisation == book.organisation, entry.near_miss_id == near_miss_id
    )
    found: dict[str, int] = {}
    for row in set(book.rows(its)):
        reach = windows.get(row.rule_id, max(windows.values(), default=0))
        chosen = (
            select(entry.near_miss_id, entry.sequence)
            .where(
                entry.organisation == book.organisation,
                entry.rule_id == row.rule_id,
                entry.key_text == row.key_text,
                entry.at.between(row.at - reach, row.at + reach),
                entry.valid_from <= book.as_of,
            )
            .order_by(entry.sequence.desc())
            .limit(MOST_COMPARED)
        )
        found |= {one.near_miss_id: one.sequence for one in book.rows(chosen)}
    mine, other = escalation_members.alias().c, escalation_members.alias().c
    related = (
        select(other.near_miss_id, other.valid_from)
        .where(
            mine.organisation == book.organisation,
            mine.near_miss_id == near_miss_id,
            other.organisation == book.organisation,
            other.escalation_id == mine.escalation_id,
            other.kind == "related",
        )
        .order_by(other.valid_from.desc())
        .limit(MOST_COMPARED)
    )
    found |= {one.near_miss_id: one.valid_from for one in book.rows(related)}
    found.pop(near_miss_id, None)
    newest = sorted(found, key=lambda one: -found[one])[:MOST_COMPARED]
    for some in parts(newest):
        book.told("near_miss", some)
    return newest


# Episodes and breaches


def _episodes(book: Book, escalation_id: str) -> list[Link]:
    told = book.told("escalation", [escalation_id]).get(escalation_id)
    if not told:
        return []
    row, raised = escalations.c, told[0].event
    of_key = select(row.escalation_id).where(
        row.organisation == book.organisation,
        row.rule_id == raised.rule_id,
        row.key_text == raised.key_text,
        row.sequence > told[0].envelope.sequence,
        row.sequence <= book.as_of,
    )
    later = [one.escalation_id for one in book.rows(of_key)]
    found: list[Link] = []
    for one, its in book.told("escalation", [escalation_id, *later]).items():
        former = its[0].event.previous_episode_id
        if former is not None and escalation_id in (one, former):
            sequence = its[0].envelope.sequence
            found.append(Link(Node("escalation", former), Node("escalation", one), "followed_by", sequence))
    return found


def _breach_of(book: Book, near_miss_id: str) -> list[Link]:
    """The escalation whose review nobody closed in time, of a record that the service made of that itself (S20)."""
    told = book.told("near_miss", [near_miss_id]).get(near_miss_id)
    if not told or told[0].event.source is None or told[0].event.source.source != OWN_SOURCE:
        return []
    escalation_id = (told[0].event.source.source_event_id or "").partition("/")[0]
    here, since = Node("near_miss", near_miss_id), told[0].envelope.sequence
    return [Link(Node("escalation", one), here, "breached", since) for one in book.told("escalation", [escalation_id])]


def _breaches(book: Book, escalation_id: str) -> list[Link]:
    row = sources.c
    chosen = select(row.near_miss_id).where(
        row.organisation == book.organisation,
        row.source == OWN_SOURCE,
        row.source_event_id >= f"{escalation_id}/",
        row.source_event_id < f"{escalation_id}0",  # The character after the slash.
    )
    return [link for one in book.rows(chosen) for link in _breach_of(book, one.near_miss_id)]
