"""A source thinks better of what it said: a newer word on a dose or a visit that made a near miss, or joined one.

What the source said is changed, and what people said stands: a field that somebody corrected or completed is theirs.
What it takes back is withdrawn, unless others of the same late round still say so; an escalation is never closed by it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from app.domain import near_miss
from app.domain.near_miss import Corrected, DetailsCompleted
from app.domain.report import MappedAgainst, Source
from app.domain.sealed import Reference
from app.events.store import Cause, Draft
from app.events.vault import ERASED
from app.operations import revise
from app.operations.documents import clear
from app.operations.incoming import Judged
from app.operations.reporting import mapped_of, partial
from app.operations.revise import BySource, Record
from app.operations.show import Reader

REVISED = "Revised by its source."
TAKEN_BACK = "Its source says now that it was none: "

_KIND = ("incident_type", "deviation", "classification")
_NOT_REPORTED = ("source", "source_event_id", "reported_at", "workflow_link")
_MAY_BE_CLEARED = (
    "deviation",
    "discovered_at",
    "scheduled_at",
    "shift",
    "recovery_barrier",
    "potential_harm",
    "narrative",
)
_ONE_OR_OTHER = ("staff_involved", "staff_not_known_reason")


@dataclass(frozen=True, slots=True)
class Revision:
    """What a newer word changes. `reason`: why it changes nothing. `taken_back`: of whom its source says no more that
    it happened; `is_apart`: it happened, but no longer as one with the others of its round.
    """

    record: Record
    source: Source
    reason: str | None = None
    is_apart: bool = False
    taken_back: Source | None = None
    withdrawn: str | None = None
    changes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    prefilled: MappedAgainst | None = None

    def carry_out(self, cause: Cause) -> None:
        """Change the record."""
        desk = self.record.desk
        if self.withdrawn is not None:
            revise.withdraw(desk, cause, self.record, self.withdrawn)
        elif self.taken_back is not None:
            _take_back(self.record, cause, self.taken_back, self.source)
        elif self.reason is None:
            revise.correct(desk, cause, self.record, REVISED, self.changes, BySource(self.source, self.prefilled))


def revision_of(record: Record, said: Source, source: Source, judged: Judged) -> Revision:
    """What follows for a record from `source`, which is a newer word than `said`, by which it was made or joined."""
    document, is_shared = judged.document, len(record.state.supporters) > 1
    if document is None:
        if is_shared or record.state.other_sources:  # Somebody else says so still.
            return Revision(record, source, taken_back=said)
        return Revision(record, source, withdrawn=f"{TAKEN_BACK}{judged.verdict.says}")
    theirs = _of_people(record)
    if is_shared:
        report = record.report
        is_alike = all(name in theirs or document.get(name) == getattr(report, name) for name in _KIND)
        if is_alike and judged.verdict.round is not None:
            return Revision(record, source, "part_of_a_round")
        return Revision(record, source, is_apart=True, taken_back=said)
    changes, prefilled = _changes(record, document, theirs), _prefilled(record, judged)
    if not changes and prefilled is None:
        return Revision(record, source, "nothing_new")
    return Revision(record, source, changes=changes, prefilled=prefilled)


def _changes(record: Record, document: Mapping[str, Any], theirs: frozenset[str]) -> dict[str, Any]:
    """The fields that the source says otherwise now; a null where it says no more what it said."""
    desk = record.desk
    opener = Reader(desk.connection, desk.vault, desk.organisation).opener_of([record.report])
    standing = clear(record.report, opener)
    standing["service_id"] = standing.pop("reported_service_id", None) or standing.get("service_id")
    said = {name: value for name, value in document.items() if name not in _NOT_REPORTED}
    if record.state.workflow_link is None:
        said |= partial(document.get("workflow_link") or {})
    changes = {name: value for name, value in said.items() if standing.get(name) != value}
    changes |= {name: None for name in _MAY_BE_CLEARED if name in standing and name not in said}
    for one, other in (_ONE_OR_OTHER, _ONE_OR_OTHER[::-1]):
        if one in changes and other in standing:
            changes[other] = None
    return {name: value for name, value in changes.items() if name not in theirs and not _is_erased(standing.get(name))}


def _is_erased(words: Any) -> bool:
    """What was erased, no source writes anew."""
    match words:
        case list():
            return any(_is_erased(one) for one in cast("list[Any]", words))
        case {"ref": ref}:
            return ref == ERASED
        case _:
            return words == ERASED


def _of_people(record: Record) -> frozenset[str]:
    """The fields that people have spoken for."""
    names: set[str] = set()
    for one in record.desk.read(record.stream):
        match one.event:
            case Corrected(changed=changed, revised_by=None) | DetailsCompleted(completed=changed):
                names.update(changed)
            case _:
                pass
    if names.intersection(_ONE_OR_OTHER):
        names.update(_ONE_OR_OTHER)
    return frozenset(names)


def _prefilled(record: Record, judged: Judged) -> MappedAgainst | None:
    """What the source knows for the workflow link, if that is something else than before."""
    known = judged.verdict.mapped_against
    if not known or clear(record.state.prefilled, lambda _: None) == known:
        return None
    return mapped_of(known, record.sealer)


def _take_back(record: Record, cause: Cause, said: Source, source: Source) -> None:
    """One person fewer; when it was the person of the report, another one of the round stands there."""
    desk = record.desk
    decided = near_miss.decide(near_miss.RemovePerson(said), record.state, desk.now)
    desk.append(cause, [Draft(record.stream, record.version, decided)])
    record = revise.load(desk, record.near_miss_id)
    successor = record.state.successor
    if successor is not None and (ref := _opened(record, successor)) is not None:
        revise.correct(desk, cause, record, REVISED, {"person_ref": ref}, BySource(source))


def _opened(record: Record, person: Reference) -> str | None:
    """The reference in clear; None once it was erased."""
    desk = record.desk
    ref = Reader(desk.connection, desk.vault, desk.organisation).opener_of([person])(person)
    return ref if isinstance(ref, str) else None
