"""What may be asked of one near miss: to change, to stand for more sources and persons, to end, to go on."""

from dataclasses import dataclass

from app.domain.near_miss_events import Revision
from app.domain.report import Source
from app.domain.sealed import Reference, SealedText


@dataclass(frozen=True, slots=True)
class Revise:
    """Change the record by what has been judged already, if the record still takes it from who asks."""

    revision: Revision
    by: str = ""


@dataclass(frozen=True, slots=True)
class AddSource:
    """Take over the source reference of a duplicate."""

    near_miss_id: str
    source: Source | None = None


@dataclass(frozen=True, slots=True)
class RemoveSource:
    """Give back the source reference of what is no duplicate any more."""

    near_miss_id: str


@dataclass(frozen=True, slots=True)
class DismissDuplicate:
    """Say that another record, which looks like this one, tells of something else."""

    other_id: str
    reason: SealedText


@dataclass(frozen=True, slots=True)
class AddPerson:
    """Let one more person of the same round join, as a source says it."""

    source: Source
    person: Reference | None = None


@dataclass(frozen=True, slots=True)
class RemovePerson:
    """Take back what a source said of one person."""

    source: Source


@dataclass(frozen=True, slots=True)
class Close:
    """Finish the near miss by itself; `open_escalations` are those it stands in (S6)."""

    outcome: SealedText
    open_escalations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CloseWithReview:
    """Finish the near miss because its review closed."""

    review_id: str


@dataclass(frozen=True, slots=True)
class ReopenWithReview:
    """The review was reopened; what was not closed with it stays as it is."""

    review_id: str


Command = (
    Revise
    | AddSource
    | RemoveSource
    | DismissDuplicate
    | AddPerson
    | RemovePerson
    | Close
    | CloseWithReview
    | ReopenWithReview
)
