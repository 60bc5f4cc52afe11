"""What each member of a pack is, in a sentence for whoever opens it."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

MEMBERS = {
    "actions.jsonl": "Every action that was agreed on, one a line, with its progress and its checks.",
    "assurance.json": "The three validations, recomputed from the events of this pack, with every exception.",
    "changes.csv": "What was changed afterwards, by whom, why, and what that did to a pattern.",
    "escalations.jsonl": "Every escalation, one a line, with the near misses that it rests on.",
    "index.html": "This page.",
    "learning.csv": "What was shared of what was learned, when, and with whom.",
    "ledger.jsonl": "The events that all the rest rests on, one a line, each with its hash.",
    "manifest.json": "What was asked, and the hash of every other file here.",
    "manifest.sig": "The signature over the manifest.",
    "mapping.json": "Which file bears on which requirement of a regulator.",
    "near_misses.csv": "The log of near misses as a table.",
    "near_misses.jsonl": "The same log for programs, one near miss a line, with all that is known of each.",
    "outcomes.json": "What came of the actions of each review.",
    "policies.json": "Every policy that was in force in the period.",
    "proofs.json": "The proof that the events here and those left out are the whole ledger.",
    "reviews.jsonl": "Every review, one a line: causes, determination, safeguarding, conclusion.",
    "taxonomy.json": "The words in which near misses are classified.",
    "timeliness.csv": "How long it took from the report to the acknowledgement and to the conclusion.",
    "trends.json": "Near misses over time, service by service, with what is more than chance.",
    "trends.svg": "The same as a picture.",
}
_GOVERNANCE = {
    "html": "The minutes of a governance review, to read and to print.",
    "json": "All of that governance review, for programs.",
    "md": "The same minutes as text.",
}


class Described(NamedTuple):
    """A member, and what it is."""

    name: str
    says: str


def described(names: Iterable[str]) -> Iterator[Described]:
    """Each of these members, and those that every pack has besides, in the order of their names."""
    for name in sorted({*names, "index.html", "manifest.json", "manifest.sig"}):
        is_minutes = name.startswith("governance/")
        yield Described(name, _GOVERNANCE[name.rpartition(".")[2]] if is_minutes else MEMBERS[name])
