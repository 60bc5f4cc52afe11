"""What is told of a near miss, for ever: recorded, then corrected, completed, linked, ended, or late with what it owes.

Whatever changes what the rules see carries the similarity check that was made for it (S2).
"""

from dataclasses import dataclass
from datetime import datetime

from app.domain.chase import DetailsOverdue, WorkflowLinkOverdue
from app.domain.report import Check, Report, Source, WorkflowLink
from app.domain.sealed import SealedText


@dataclass(frozen=True, slots=True)
class Recorded:
    """A near miss was taken in; `awaiting` names the S1 fields that a system could not give.

    What is owed then is due at `details_due_at` and `workflow_link_due_at`, and again after each further `details_due`
    and `workflow_link_due` (ISO 8601). Of a breach, which the service records itself, `told_up_to` is the level that
    was told of it and `breached_by` the person who had taken it on: the level above completes the record (S20).
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


@dataclass(frozen=True, slots=True)
class Corrected:
    """The report was corrected; `changed` names the fields, `report` is the whole of it afterwards."""

    reason: SealedText
    changed: tuple[str, ...]
    report: Report
    similarity_check: Check
    taxonomy_version: int
    unregistered_service: bool | None = None


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
class SourceAdded:
    """A second system reported the same occurrence; this record is the master."""

    near_miss_id: str
    source: Source | None = None


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
    | SourceAdded
    | Closed
    | Reopened
    | DetailsOverdue
    | WorkflowLinkOverdue
)

Revision = Corrected | DetailsCompleted | Linked | Withdrawn | MarkedDuplicate
"""What changes what the rules see; each carries the check that was made for it."""
