"""The heatmap's rows: one for each record that stands, and what was known before is still to be seen."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from app.database.tables import FOR_EVER, heatmap_facts
from app.domain.service import Locality
from app.operations.rebuild import rebuild
from tests.office import LINK, Office, opened


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with opened(database_url) as office:
        yield office


def facts(office: Office, as_of: int | None = None) -> list[dict[str, Any]]:
    """The rows that hold now, or held at a sequence."""
    office.follow()
    rows = [dict(zip(heatmap_facts.c.keys(), row, strict=True)) for row in office.rows(heatmap_facts)]
    if as_of is None:
        return [row for row in rows if row["valid_to"] == FOR_EVER]
    return [row for row in rows if row["valid_from"] <= as_of < row["valid_to"]]


def test_every_record_that_stands_has_a_row_and_no_other(office: Office) -> None:
    ids = [office.submit(service_id=f"s{n % 3}", workflow_link=LINK if n % 2 else None)["id"] for n in range(9)]
    office.follow()
    office.do(office.withdrawal(ids[0]))
    office.do(office.duplicate(ids[1], ids[2]))
    office.do(office.link(ids[4]))
    office.do(office.correction(ids[5], service_id="s9"))

    standing = facts(office)

    assert sorted(row["near_miss_id"] for row in standing) == sorted(set(ids) - set(ids[:2]))
    assert {row["service_id"] for row in standing if row["near_miss_id"] == ids[5]} == {"s9"}
    linked = {row["near_miss_id"] for row in standing if row["stage_allowed"] == "handover"}
    assert linked == {ids[3], ids[4], ids[5], ids[7]}


def test_a_map_of_then_is_a_plain_count(office: Office) -> None:
    ids = [office.submit(service_id=f"s{n}")["id"] for n in range(3)]
    then = len(office.ledger())
    office.do(office.withdrawal(ids[0]))
    office.submit(service_id="later")

    assert sorted(row["near_miss_id"] for row in facts(office, then)) == sorted(ids)
    assert len(facts(office)) == 3


@pytest.mark.parametrize(
    ("occurred_at", "expected"),
    [
        ("2026-03-29T00:30:00Z", ("sun", "0", "2026-W13", "2026-03")),
        ("2026-03-29T01:30:00Z", ("sun", "2", "2026-W13", "2026-03")),
        ("2025-12-29", ("mon", None, "2026-W01", "2025-12")),
        ("2026-02-28T23:30:00-01:00", ("sun", "0", "2026-W09", "2026-03")),
    ],
    ids=["before the clocks change", "after they have", "a date alone", "another offset"],
)
def test_a_record_stands_where_it_happened_by_the_organisations_clock(
    office: Office, occurred_at: str, expected: tuple[str | None, ...]
) -> None:
    office.clock.go_on(days=60)
    office.do(office.adoption({}, time_zone="Europe/London"))

    office.submit(occurred_at=occurred_at)

    (row,) = facts(office)
    assert (row["weekday"], row["hour"], row["week"], row["month"]) == expected


def test_following_event_by_event_makes_the_rows_that_a_rebuild_makes(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.operations.follow.PAGE", 1)
    office.do(office.registration("willow-house", localities=(Locality("north", date(2024, 4, 1)),)))
    planned = {
        "scheduling": {"planned": "2026-03-02T08:00:00Z", "actual": "2026-03-02T08:40:00Z"},
        "staff_allocation": {"planned": 3, "actual": 2},
        "travel_time": {"planned_minutes": 10, "actual_minutes": 25},
    }
    said = {"source": "emar", "recovery_barrier": "chance", "workflow_link": {**LINK, "mapped_against": planned}}
    ids = [office.submit(**said, source_event_id=f"e-{n}")["id"] for n in range(4)]
    office.do(office.correction(ids[0], occurred_at="2026-02-01", recovery_barrier="colleague"))
    office.do(office.withdrawal(ids[1]))
    office.do(office.registration("willow-house", localities=(Locality("south", date(2024, 4, 1)),)))
    office.do(office.correction(ids[2], deviation="late"))
    office.submit()
    office.follow()
    followed = office.rows(heatmap_facts)

    rebuild(office.house, "default", "heatmap")

    assert office.rows(heatmap_facts) == followed
    columns = {name for row in followed for name, value in zip(heatmap_facts.c.keys(), row, strict=True) if value}
    assert columns == set(heatmap_facts.c.keys())  # Each has something that could have been otherwise.
