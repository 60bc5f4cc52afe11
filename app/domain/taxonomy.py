"""The words of an organisation: code lists that grow, and the question whether a report speaks them.

Nothing is ever removed. A retired code stays readable on every record that holds it and is refused on new ones; a
record keeps the version that it was judged by. A deviation or stage means something only within its incident type,
so its name is the pair of both.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from app.domain import taxonomy_default as default
from app.domain.decider import Fault, Invalid
from app.domain.identifiers import is_identifier

LISTS = (
    "incident_types",
    "classifications",
    "deviations",
    "workflow_stages",
    "contributing_factors",
    "recovery_barriers",
    "cause_codes",
    "closure_codes",
)
WITHIN_INCIDENT_TYPE = frozenset({"deviations", "workflow_stages"})
LONGEST_LABEL = 200
OTHER_DEVIATION = {default.OTHER: "Other"}

# Words


@dataclass(frozen=True, slots=True)
class Term:
    """One code of a list, with what people read. `incident_type` only for deviations and workflow stages."""

    code: str
    label: str
    incident_type: str | None = None
    retired: bool = False

    @property
    def name(self) -> tuple[str | None, str]:
        """What makes the term one term within its list."""
        return self.incident_type, self.code


@dataclass(frozen=True, slots=True)
class Change:
    """A term to add, or to change by its name; what is None stays as it is."""

    code: str
    label: str | None = None
    incident_type: str | None = None
    retired: bool | None = None


# Commands


@dataclass(frozen=True, slots=True)
class Extend:
    """Add terms, relabel them, retire them or take them back, in any of the lists."""

    lists: Mapping[str, Sequence[Change]]


# Events


@dataclass(frozen=True, slots=True)
class Extended:
    """The terms that were added or changed, each one whole; all others stand."""

    version: int
    lists: Mapping[str, tuple[Term, ...]]


# State


@dataclass(frozen=True, slots=True)
class Words:
    """The codes of one list, or of one incident type within a list."""

    in_use: frozenset[str]
    ever: frozenset[str]


NO_WORDS = Words(frozenset(), frozenset())


@dataclass(frozen=True, slots=True)
class Taxonomy:
    """The terms that stand, in the order of their arrival, and the sets that a report is checked against."""

    version: int
    lists: Mapping[str, tuple[Term, ...]]
    words: Mapping[str, Words] = field(init=False, repr=False, compare=False)
    deviations_of: Mapping[str, Words] = field(init=False, repr=False, compare=False)
    stages_of: Mapping[str, Words] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "words", {name: words_of(self.lists[name]) for name in LISTS})
        object.__setattr__(self, "deviations_of", by_incident_type(self.lists, "deviations"))
        object.__setattr__(self, "stages_of", by_incident_type(self.lists, "workflow_stages"))

    def codes(self, name: str) -> frozenset[str]:
        """The codes of a list that new records may use."""
        return self.words[name].in_use


def words_of(terms: Sequence[Term]) -> Words:
    return Words(frozenset(term.code for term in terms if not term.retired), frozenset(term.code for term in terms))


def by_incident_type(lists: Mapping[str, tuple[Term, ...]], name: str) -> dict[str, Words]:
    return {
        kind.code: words_of([term for term in lists[name] if term.incident_type == kind.code])
        for kind in lists["incident_types"]
    }


def flat(labels: Mapping[str, str]) -> tuple[Term, ...]:
    return tuple(Term(code, label) for code, label in labels.items())


def within(kinds: Mapping[str, Mapping[str, str]]) -> tuple[Term, ...]:
    return tuple(Term(code, label, kind) for kind, labels in kinds.items() for code, label in labels.items())


def first_version() -> Taxonomy:
    """Version 1, which every organisation has without an event: it may never change, or history would."""
    types = default.INCIDENT_TYPES
    return Taxonomy(
        version=1,
        lists={
            "incident_types": flat(types),
            "classifications": flat(default.CLASSIFICATIONS),
            "deviations": within({kind: default.DEVIATIONS[kind] | OTHER_DEVIATION for kind in types}),
            "workflow_stages": within({kind: default.STAGES.get(kind, default.GENERAL_STAGES) for kind in types}),
            "contributing_factors": flat(default.CONTRIBUTING_FACTORS),
            "recovery_barriers": flat(default.RECOVERY_BARRIERS),
            "cause_codes": flat(default.CAUSES | default.CONTRIBUTING_FACTORS),
            "closure_codes": flat(default.CLOSURES),
        },
    )


FIRST = first_version()

# Decide


def decide(command: Extend, taxonomy: Taxonomy, now: datetime) -> list[Extended]:
    faults = list(malformed(command.lists, taxonomy))
    if faults:
        raise Invalid(*faults)
    lists = with_what_follows(command.lists, taxonomy)
    changed = {name: changed_terms(taxonomy.lists[name], changes) for name, changes in lists.items()}
    said = {name: terms for name, terms in changed.items() if terms}
    return [Extended(taxonomy.version + 1, said)] if said else []  # Saying the same again is not an error.


def malformed(lists: Mapping[str, Sequence[Change]], taxonomy: Taxonomy) -> Iterator[Fault]:
    added_types = {change.code for change in lists.get("incident_types", ())}
    known_types = taxonomy.words["incident_types"].ever | added_types
    for name, changes in lists.items():
        if name not in LISTS:
            yield Fault("", "unknown-list", f"Extend one of these lists: {', '.join(LISTS)}.")
            continue
        known = {term.name for term in taxonomy.lists[name]}
        for n, change in enumerate(changes):
            yield from malformed_term(name, change, known_types, known, f"/{name}/{n}")
            known.add((change.incident_type, change.code))


def malformed_term(
    name: str, change: Change, known_types: frozenset[str], known: set[tuple[str | None, str]], pointer: str
) -> Iterator[Fault]:
    if not is_identifier(change.code):
        yield Fault(f"{pointer}/code", "not-an-identifier", "Give a code of 1 to 128 visible characters.")
    if change.label is None and (change.incident_type, change.code) not in known:
        yield Fault(f"{pointer}/label", "missing", "Give the new term a label: the words that people will read.")
    if change.label is not None and not (change.label.strip() and len(change.label) <= LONGEST_LABEL):
        yield Fault(f"{pointer}/label", "out-of-range", f"Give a label of 1 to {LONGEST_LABEL} characters.")
    if name not in WITHIN_INCIDENT_TYPE:
        if change.incident_type is not None:
            yield Fault(f"{pointer}/incident_type", "unknown-field", f"Leave it out: {name} stand for all of them.")
    elif change.incident_type is None:
        yield Fault(f"{pointer}/incident_type", "missing", f"Name the incident type: {name} belong to one.")
    elif change.incident_type not in known_types:
        yield Fault(
            f"{pointer}/incident_type", "unknown-code", "Name an incident type that exists or is added beside it."
        )


def with_what_follows(lists: Mapping[str, Sequence[Change]], taxonomy: Taxonomy) -> dict[str, Sequence[Change]]:
    """The changes and what goes without saying: a new incident type has the deviation `other`, and the general
    stages unless it comes with its own; a new contributing factor is a cause as well.
    """
    new_types = new_codes("incident_types", lists, taxonomy)
    new_factors = new_codes("contributing_factors", lists, taxonomy)
    staged = {change.incident_type for change in lists.get("workflow_stages", ())}
    follows: dict[str, list[Change]] = {
        "deviations": [Change(default.OTHER, "Other", kind) for kind in new_types],
        "workflow_stages": [
            Change(code, label, kind)
            for kind in new_types
            if kind not in staged
            for code, label in default.GENERAL_STAGES.items()
        ],
        "cause_codes": [Change(code, label) for code, label in new_factors.items()],
    }
    # What follows goes first, so that what the command says of the same term stands.
    return {name: (*follows.get(name, ()), *lists.get(name, ())) for name in LISTS}


def new_codes(name: str, lists: Mapping[str, Sequence[Change]], taxonomy: Taxonomy) -> dict[str, str | None]:
    return {change.code: change.label for change in lists.get(name, ()) if change.code not in taxonomy.words[name].ever}


def changed_terms(terms: tuple[Term, ...], changes: Sequence[Change]) -> tuple[Term, ...]:
    """The terms that differ once the changes are made, in the order of the changes; of two on one term both count."""
    standing = {term.name: term for term in terms}
    changed: dict[tuple[str | None, str], Term] = {}
    for change in changes:
        name = (change.incident_type, change.code)
        former = changed.get(name, standing.get(name))
        changed[name] = Term(
            code=change.code,
            label=change.label if change.label is not None else former.label if former else change.code,
            incident_type=change.incident_type,
            retired=change.retired if change.retired is not None else former is not None and former.retired,
        )
    return tuple(term for name, term in changed.items() if term != standing.get(name))


# Evolve


def evolve(taxonomy: Taxonomy, event: Extended) -> Taxonomy:
    lists = dict(taxonomy.lists)
    for name, terms in event.lists.items():
        standing = {term.name: term for term in lists[name]}
        lists[name] = tuple((standing | {term.name: term for term in terms}).values())
    return Taxonomy(event.version, lists)


# Answers


def document(taxonomy: Taxonomy) -> dict[str, object]:
    """The whole taxonomy as the API shows it, retired terms included; absent values are left out."""
    return {"version": taxonomy.version, **{name: [shown(term) for term in taxonomy.lists[name]] for name in LISTS}}


def shown(term: Term) -> dict[str, object]:
    said: dict[str, object] = {"code": term.code, "label": term.label}
    if term.incident_type is not None:
        said["incident_type"] = term.incident_type
    if term.retired:
        said["retired"] = True
    return said
