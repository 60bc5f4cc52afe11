"""Governance reviews without HTTP: opened on what a reader sees, worked through, closed."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import uuid4

from app.domain.moment import parse_instant
from app.events.store import Cause
from app.operations import governing
from app.operations.desk import Desk
from app.operations.governance_document import show
from app.operations.governance_period import Period
from app.operations.governance_snapshot import snapshot_at
from app.operations.show import Reader
from tests.office import Office

OPENING: Mapping[str, Any] = {
    "title": "Near misses of the week",
    "from": "2026-02-23",
    "to": "2026-03-03",
    "chair": "nominated-1",
}


def period_of(office: Office, **changes: Any) -> Period:
    with office.house.reader(office.organisation) as reader:
        return governing.asked_for(reader.settled(), {**OPENING, **changes})


def snapshot(office: Office, period: Period, as_of: int | None = None, now: datetime | None = None) -> dict[str, Any]:
    """What was known of a period as of a sequence; as far as everything that follows the ledger has come, if none."""
    sequence = office.follow() if as_of is None else as_of
    with office.house.reader(office.organisation, sequence) as reader:
        return snapshot_at(reader, period, now or office.clock())


def opened(office: Office, **changes: Any) -> dict[str, Any]:
    """A governance review that was opened."""
    period, document = period_of(office, **changes), {**OPENING, **changes}
    seen, review_id = snapshot(office, period), f"gov_{uuid4().hex}"

    def run(desk: Desk, cause: Cause) -> None:
        governing.open_review(desk, cause, review_id, document, period, seen)

    return office.do(office.command(run, review_id, show))


def closed(office: Office, review_id: str, *cites: str) -> dict[str, Any]:
    """Every gate met in one command, and closed in another."""

    def run(desk: Desk, cause: Cause) -> None:
        def case() -> governing.Case:
            return governing.load(desk, review_id)

        action = {"description": "Two seniors.", "owner": "manager-2", "due": "2027-05-01"}
        governing.recommend(desk, cause, case(), action)
        governing.decide(desk, cause, case(), "Until May.", cites or ("snapshot",))
        assessment = {"determination": "emerging_risk", "intervention_required": True, "rationale": "It doubled."}
        governing.assess(desk, cause, case(), assessment)
        governing.minute(desk, cause, case(), "All were heard.", ["nominated-1"])

    def close(desk: Desk, cause: Cause) -> None:
        governing.close(desk, cause, governing.load(desk, review_id), "Staffing changes.")

    office.do(office.command(run, review_id, show))
    return office.do(office.command(close, review_id, show))


def shown(office: Office, review_id: str) -> dict[str, Any]:
    with office.house.reader(office.organisation) as reader:
        return show(reader, review_id)


def reopened(office: Office, document: Mapping[str, Any]) -> dict[str, Any]:
    """The snapshot of a governance review as it is shown, made once more from the ledger."""
    seen = document["snapshot"]
    period = Period(
        parse_instant(document["from_at"]),
        parse_instant(document["to_at"]),
        tuple(document["services"]),
        tuple(document["localities"]),
    )
    office.follow()
    with office.house.database.read() as connection:
        reader = Reader(connection, office.house.vault, office.organisation, seen["as_of_sequence"])
        return snapshot_at(reader, period, parse_instant(seen["computed_at"]))
