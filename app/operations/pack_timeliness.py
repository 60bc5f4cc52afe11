"""How long it took, escalation by escalation: from the report over the acknowledgement to the conclusion; and the share
of them in time.

In time is what no deadline ran out on before, as the ledger tells it. What is still inside its deadline is pending and
in no share; a pattern that was found in history had no deadline.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.domain import escalation
from app.domain.moment import format_instant
from app.events.envelope import Told, instant
from app.operations.pack_case import AT_ONCE, Case
from app.operations.pack_scope import Scope
from app.operations.pack_tables import Sheet
from app.proof.pack_format import PackWriter

COLUMNS = (
    "row", "escalation_id", "rule_id", "service_id", "first_reported_at", "raised_at", "acknowledged_at",
    "hours_to_acknowledgement", "acknowledged_in_time", "review_due_at", "concluded_at", "days_to_conclusion",
    "concluded_in_time", "in_time", "of", "share",
)  # fmt: skip
_HOUR = 3_600_000_000


@dataclass(slots=True)
class Share:
    """How many of those that are decided were in time."""

    in_time: int = 0
    of: int = 0

    def add(self, in_time: bool | None) -> None:
        """One more; None: still pending."""
        if in_time is not None:
            self.of += 1
            self.in_time += in_time

    def row(self, name: str) -> dict[str, Any]:
        """As a row, and for the page for people."""
        share = round(self.in_time / self.of, 4) if self.of else None
        return {"row": name, "in_time": self.in_time, "of": self.of, "share": share}


def write_timeliness(case: Case, scope: Scope, pack: PackWriter) -> list[dict[str, Any]]:
    """Write timeliness.csv; returns the shares."""
    acknowledged, concluded = Share(), Share()
    total, done = scope.count("escalation"), 0
    with pack.member("timeliness.csv") as member:
        sheet = Sheet(member, COLUMNS)
        for ids in scope.pages("escalation", AT_ONCE):
            case.told("writing how long it took", done, total)
            done += len(ids)
            for row in _rows(case, ids):
                sheet.add(row)
                acknowledged.add(row["acknowledged_in_time"])
                concluded.add(row["concluded_in_time"])
        shares = [acknowledged.row("acknowledged in time"), concluded.row("concluded in time")]
        for share in shares:
            sheet.add(share)
    return shares


def _rows(case: Case, ids: Sequence[str]) -> list[dict[str, Any]]:
    with case.reader() as reader:
        told = reader.told([f"escalation/{one}" for one in ids])
        members = {one.near_miss_id for its in told.values() for one in its[0].event.members}
        reported = reader.told([f"near_miss/{one}" for one in sorted(members)])
    first = {stream.removeprefix("near_miss/"): its[0].envelope.recorded_at for stream, its in reported.items() if its}
    streams = [(one, told[f"escalation/{one}"]) for one in ids]
    return [_row(one, its, first) for one, its in streams if not its[0].event.historical]


def _row(escalation_id: str, told: Sequence[Told[Any]], reported: dict[str, int]) -> dict[str, Any]:
    raised: escalation.Raised = told[0].event
    raised_at = told[0].envelope.recorded_at
    row: dict[str, Any] = {
        "row": "escalation",
        "escalation_id": escalation_id,
        "rule_id": raised.rule_id,
        "service_id": raised.service_id,
        "raised_at": instant(raised_at),
        "acknowledged_in_time": None,
        "concluded_in_time": None,
    }
    firsts = [reported[one.near_miss_id] for one in raised.members if one.near_miss_id in reported]
    if firsts:
        row["first_reported_at"] = instant(min(firsts))
    due = raised.review_due_at
    late_answer = late_end = False
    for one in told:
        at = one.envelope.recorded_at
        match one.event:
            case escalation.AckOverdue():
                late_answer = True
                if "acknowledged_at" not in row:
                    row["acknowledged_in_time"] = False
            case escalation.Acknowledged() | escalation.ReviewBegun() if "acknowledged_at" not in row:
                hours = round((at - raised_at) / _HOUR, 2)
                told_of = {"hours_to_acknowledgement": hours, "acknowledged_in_time": not late_answer}
                row |= {"acknowledged_at": instant(at), **told_of}
            case escalation.ReviewOverdue():
                late_end = True
                row["concluded_in_time"] = False
            case escalation.Reopened(review_due_at=anew):
                due, late_end = anew or due, False
                for name in ("concluded_at", "days_to_conclusion", "concluded_in_time"):
                    row.pop(name, None)
                row["concluded_in_time"] = None
            case escalation.MonitoringBegun() | escalation.Closed() | escalation.Merged() if "concluded_at" not in row:
                days = round((at - raised_at) / (24 * _HOUR), 2)
                row |= {"concluded_at": instant(at), "days_to_conclusion": days, "concluded_in_time": not late_end}
            case _:
                pass
    if due is not None:
        row["review_due_at"] = format_instant(due)
    return row
