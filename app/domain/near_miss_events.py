"""What is told of a near miss, for ever: recorded, then corrected, completed, linked, ended, or late with what it owes.

Whatever changes what the rules see carries the similarity check that was made for it (S2).
"""

from dataclasses import dataclass
from datetime import datetime

from app.domain.chase import DetailsOverdue, WorkflowLinkOverdue
from app.domain.report import Check, MappedAgainst, Report, Source, WorkflowLink
from app.domain.sealed import Reference, SealedText


@dataclass(frozen=True, slots=True)
class Recorded:
    """A near miss was taken in; `awaiting` names the S1 fields that a system could not give.

    What is owed then is due at `details_due_at` and `workflow_link_due_at`, and again after each further `details_due`
    and `workflow_link_due` (ISO 8601). Of a breach, which the service records itself, `told_up_to` is the level that
    was told of it and `breached_by` the person who had taken it on: the level above completes the record (S20).
    `prefilled`: what the source knew of the assumptions that the workflow link is to be mapped against (S9).
    """

    report: Report
    similarity_check: Check
    taxonomy_version: int
    source: Source | None = None
    fingerprint: str | None = None
    awaiting: tuple[str, ...] = ()
    unregistered_service: bool | None = None
    reported_at: datetime | None = None
    as_history: bool | None = None
    workflow_link: WorkflowLink | None = None
    details_due_at: datetime | None = None
    details_due: str | None = None
    workflow_link_due_at: datetime | None = None
    workflow_link_due: str | None = None
    told_up_to: int | None = None
    breached_by: str | None = None
    prefilled: MappedAgainst | None = None


@dataclass(frozen=True, slots=True)
class Corrected:
    """The report was corrected; `changed` names the fields, `report` is the whole of it afterwards.

    `revised_by`: the source itself said so, in an event of that name; `prefilled` as in `Recorded`, when that changed.
    """

    reason: SealedText
    changed: tuple[str, ...]
    report: Report
    similarity_check: Check
    taxonomy_version: int
    unregistered_service: bool | None = None
    revised_by: Source | None = None
    prefilled: MappedAgainst | None = None


@dataclass(frozen=True, slots=True)
class DetailsCompleted:
    """What a system could not give was added by a person; the record may now proceed."""

    completed: tuple[str, ...]
    report: Report
    similarity_check: Check
    taxonomy_version: int
    unregistered_service: bool | None = None


@dataclass(frozen=True, slots=True)
class Linked:
    """The workflow link was made, or made anew (S7)."""

    link: WorkflowLink
    similarity_check: Check


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """It was not a near miss after all: kept, and no longer counted."""

    reason: SealedText
    similarity_check: Check


@dataclass(frozen=True, slots=True)
class MarkedDuplicate:
    """Another record holds the same occurrence: kept, and no longer counted."""

    reason: SealedText
    duplicate_of: str
    similarity_check: Check


@dataclass(frozen=True, slots=True)
class DuplicateDismissed:
    """Somebody has looked at both: another record tells of something else. Nobody is asked about the two again."""

    other_id: str
    reason: SealedText


@dataclass(frozen=True, slots=True)
class DuplicateUndone:
    """It was no duplicate of that record after all: it counts again, and was judged like one that comes in now.

    `consumed_by`: the rules whose ended episodes have it already, so that it does not come back to them.
    """

    reason: SealedText
    duplicate_of: str
    similarity_check: Check
    consumed_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceAdded:
    """A second system reported the same occurrence; this record is the master."""

    near_miss_id: str
    source: Source | None = None


@dataclass(frozen=True, slots=True)
class SourceRemoved:
    """The record that had brought the source reference stands for itself again."""

    near_miss_id: str


@dataclass(frozen=True, slots=True)
class PersonAdded:
    """One more person of the same late round or run: still one near miss, counted once.

    Told again of a person who is there already, only the source is new; some sources name no person.
    """

    source: Source
    person: Reference | None = None


@dataclass(frozen=True, slots=True)
class PersonRemoved:
    """A source took back what it had said of one person; what others said stands."""

    source: Source


@dataclass(frozen=True, slots=True)
class Closed:
    """It is finished: by itself with an outcome, or with the review it stood in."""

    outcome: SealedText | None = None
    review_id: str | None = None


@dataclass(frozen=True, slots=True)
class Reopened:
    """The review that it was closed with goes on: it stands as it stood before that closing.

    What it owed then has its whole time again, from `reopened_at`.
    """

    review_id: str
    reopened_at: datetime | None = None


Event = (
    Recorded
    | Corrected
    | DetailsCompleted
    | Linked
    | Withdrawn
    | MarkedDuplicate
    | DuplicateDismissed
    | DuplicateUndone
    | SourceAdded
    | SourceRemoved
    | PersonAdded
    | PersonRemoved
    | Closed
    | Reopened
    | DetailsOverdue
    | WorkflowLinkOverdue
)

Revision = Corrected | DetailsCompleted | Linked | Withdrawn | MarkedDuplicate | DuplicateUndone
"""What changes what the rules see; each carries the check that was made for it."""
