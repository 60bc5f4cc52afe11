"""The rows of actions: where each stands now, from its agreement until a person ends it."""

from collections.abc import Iterator

import pytest

from app.database.tables import actions
from app.domain.moment import parse_instant, to_micros
from app.operations.rebuild import rebuild
from tests.office import Office, opened
from tests.operations.undertakings import agreed, cancel, complete, look, progress

FIRST_OF_APRIL = to_micros(parse_instant("2026-04-01T00:00:00Z"))


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with opened(database_url) as office:
        yield office


def test_a_row_follows_its_action_and_a_rebuild_finds_the_same(office: Office) -> None:
    completed, cancelled, overdue, late, still_open = (
        agreed(office, due) for due in ("2026-04-01", "2026-04-01", "2026-04-01", "2026-04-01", "2026-09-01")
    )
    office.do(progress(office, completed))
    office.do(complete(office, completed))
    office.do(cancel(office, cancelled))
    office.clock.now = parse_instant("2026-04-03T00:00:00Z")
    look(office)
    office.do(complete(office, late))

    before = office.rows(actions)
    rows = {row["action_id"]: row for row in (dict(zip(actions.c.keys(), row, strict=True)) for row in before)}
    assert {one: row["status"] for one, row in rows.items()} == {
        completed: "completed",
        cancelled: "cancelled",
        overdue: "overdue",
        late: "completed",
        still_open: "open",
    }
    agreements = {one.subject: one.sequence for one in office.ledger() if one.type == "action.agreed"}
    assert {one: row["sequence"] for one, row in rows.items()} == agreements
    assert rows[overdue]["due_at"] == FIRST_OF_APRIL  # As it was agreed; what is due next is the timer's.
    assert rebuild(office.house, office.organisation, "actions")[0] == 5
    assert office.rows(actions) == before
