"""Who builds an evidence pack may die, be told to stop, or be two: it is built once, and nothing half-built is left."""

import io
import tracemalloc
import zipfile
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert

from app.api.pack_pictures import PICTURES
from app.clock import system_clock
from app.database.tables import evidence_pack_jobs, evidence_pack_pieces
from app.domain.evidence_pack import PackMember
from app.domain.small_cells import SMALL
from app.operations import evidence_packs as packs
from app.operations.evidence_jobs import (
    LEASE,
    MOST_TRIES,
    PIECE,
    LeaseLost,
    hand_in,
    put_off,
    release,
    store,
    take,
    tell,
)
from app.operations.pack_ledger import Run
from app.operations.pack_tables import cell
from app.operations.pack_trends import without_small_cells
from app.operations.packer import Packer
from app.proof.tree import cover
from tests.office import Office, opened
from tests.operations.packing import ask, show
from tests.rounds import rounds

MEMBERS = (PackMember("ledger.jsonl", 1, "ab" * 32),)


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    """Where a pack was asked for that nobody has taken yet."""
    with opened(database_url) as office:
        for _ in range(3):
            office.submit()
        ask(office)
        yield office


def pieces(office: Office) -> list[bytes]:
    return [bytes(row[-1]) for row in office.rows(evidence_pack_pieces)]


def later(leases: float) -> datetime:
    return system_clock() + LEASE * leases


def packer(office: Office) -> Packer:
    return Packer(office.house, PICTURES)


def test_a_pack_is_stored_in_pieces_and_its_job_is_over(office: Office) -> None:
    assert packer(office).once()

    shown = show(office)
    assert (shown["status"], shown["progress"]) == ("ready", {"done": 1, "of": 1, "what": "built"})
    assert len(b"".join(pieces(office))) == shown["size"]
    assert office.rows(evidence_pack_jobs) == []
    assert office.types()[-1] == "evidence_pack.ready"
    assert not packer(office).once()


def test_of_two_workers_one_builds_a_pack(office: Office) -> None:
    house = office.house

    first = take(house, "one", system_clock())
    second = take(house, "two", system_clock())

    assert first is not None
    assert second is None
    tell(house, first, system_clock(), "looking through the ledger", 40, 80)
    assert show(office)["progress"] == {"done": 40, "of": 80, "what": "looking through the ledger"}


def test_who_has_lost_the_lease_writes_nothing_more(office: Office) -> None:
    house = office.house
    slow = take(house, "slow", later(-2))
    assert slow is not None
    store(house, slow, io.BytesIO(b"early"), 5, lambda: later(-2))

    quick = take(house, "quick", system_clock())

    assert quick is not None
    assert pieces(office) == []
    for write in (
        lambda: tell(house, slow, system_clock(), "writing", 1, 2),
        lambda: store(house, slow, io.BytesIO(b"late"), 4, system_clock),
        lambda: hand_in(house, slow, 5, "ab" * 32, MEMBERS),
    ):
        with pytest.raises(LeaseLost):
            write()
    assert pieces(office) == []
    assert show(office)["status"] == "pending"


def test_what_a_worker_that_was_killed_has_left_is_built_anew(office: Office) -> None:
    house = office.house
    killed = take(house, "killed", system_clock())
    assert killed is not None
    store(house, killed, io.BytesIO(b"x" * (PIECE + 1)), PIECE + 1, system_clock)
    assert len(pieces(office)) == 2

    assert not packer(office).once()
    release(house)
    assert packer(office).once()

    stored = b"".join(pieces(office))
    assert len(stored) == show(office)["size"]
    assert zipfile.ZipFile(io.BytesIO(stored)).testzip() is None


def test_who_hands_in_twice_ends_the_pack_once(office: Office) -> None:
    house = office.house
    taken = take(house, "one", system_clock())
    assert taken is not None
    store(house, taken, io.BytesIO(b"bytes"), 5, system_clock)

    hand_in(house, taken, 5, "ab" * 32, MEMBERS)
    with pytest.raises(LeaseLost):
        hand_in(house, taken, 5, "ab" * 32, MEMBERS)

    assert office.types().count("evidence_pack.ready") == 1


def test_pieces_that_belong_to_no_pack_are_cleared_away(office: Office) -> None:
    assert packer(office).once()
    with office.house.database.write() as connection:
        row = {"organisation": "default", "pack_id": "pack_lost", "number": 0, "data": b"left"}
        connection.execute(insert(evidence_pack_pieces), row)

    packer(office).once()

    assert {row[1] for row in office.rows(evidence_pack_pieces)} == {"pack_1"}


def test_who_is_told_to_stop_hands_the_pack_back_without_a_try_lost(office: Office) -> None:
    stopped = packer(office)
    stopped.stop()

    stopped.once()

    ((*_, tries, _, _, _),) = office.rows(evidence_pack_jobs)
    assert tries == 0
    assert packer(office).once()
    assert show(office)["status"] == "ready"


def test_a_build_that_keeps_ending_without_a_result_is_given_up_with_a_reason(office: Office) -> None:
    for n in range(MOST_TRIES):
        taken = take(office.house, f"killed {n}", later(2 * n - 2 * MOST_TRIES))
        assert taken is not None

    assert packer(office).once()

    shown = show(office)
    assert shown["status"] == "failed"
    assert f"{MOST_TRIES} times" in shown["problem"]
    assert pieces(office) == []
    with office.house.reader("default") as reader, pytest.raises(packs.PackNotReady):
        packs.must_be_there(reader, "pack_1")


def test_what_is_put_off_waits_and_is_tried_again(office: Office) -> None:
    taken = take(office.house, "one", system_clock())
    assert taken is not None

    put_off(office.house, taken, system_clock(), timedelta(minutes=1), counts=True)

    assert take(office.house, "two", system_clock()) is None
    again = take(office.house, "two", system_clock() + timedelta(minutes=2))
    assert again is not None
    assert again.tries == 2


def test_a_ledger_that_does_not_lead_to_its_root_is_never_packed(office: Office) -> None:
    with office.house.database.write() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("DROP TRIGGER events_no_update")
            connection.exec_driver_sql("UPDATE events SET actor = 'key/other' WHERE sequence = 4")
        else:
            connection.exec_driver_sql("ALTER TABLE events DISABLE TRIGGER USER")
            connection.exec_driver_sql("UPDATE events SET actor = 'key/other' WHERE sequence = 4")

    assert packer(office).once()

    shown = show(office)
    assert shown["status"] == "failed"
    assert shown["problem"].startswith("Event 4 is not what its hash says. ")
    assert "run `forewarn check`" in shown["problem"]


# What it is made of


@given(st.integers(0, 200), st.integers(1, 200))
def test_a_run_that_is_left_out_is_covered_by_the_fewest_nodes(start: int, length: int) -> None:
    run = Run(start + 1)
    for sequence in range(start + 1, start + length + 1):
        run.add(sequence, sequence.to_bytes(32))

    assert len(run.document(start + length)["nodes"]) == len(cover(start, start + length))


@pytest.mark.parametrize("text", ["=1+1", "+44 20", "-2", "@SUM(A1)", "\t=1", "  =1", "|calc", "%0A"])
def test_what_a_spreadsheet_would_take_for_a_formula_stays_text(text: str) -> None:
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("Late at 9", "Late at 9"),
        (-3, "-3"),
        (None, ""),
        (True, "yes"),
        (["a", "=b"], "a; '=b"),
        ({"erased": True}, "(erased)"),
    ],
)
def test_other_values_stand_as_they_are(value: object, told: str) -> None:
    assert cell(value) == told


@given(st.lists(st.lists(st.integers(0, 12), min_size=4, max_size=4), min_size=1, max_size=4))
def test_no_small_count_of_a_trend_is_told_to_whoever_is_told_none(table: list[list[int]]) -> None:
    told = without_small_cells(trend_of(table))

    shown = [[point["count"] for point in series["points"]] for series in told["series"]]
    assert all(count is None or count == 0 or count >= SMALL for row in shown for count in row)
    for series, row in zip(told["series"], shown, strict=True):
        if None in row:
            assert "centre_line" not in series or series["centre_line"] is None
            assert series["says"] == "Counts below five are withheld."


def test_reports_that_all_came_in_one_week_are_withheld_too() -> None:
    told = without_small_cells(trend_of([[3, 0, 0, 0], [3, 0, 0, 0]]))

    assert [series["points"][0]["count"] for series in told["series"]] == [None, None]


def trend_of(table: Sequence[Sequence[int]]) -> dict[str, Any]:
    """A trend as the API answers with it, as far as it matters here."""
    return {
        "signals": [],
        "drought": [],
        "series": [
            {
                "key": {"service_id": f"s-{n}"},
                "what": f"s-{n}",
                "says": f"{sum(row)} reports.",
                "method": "run",
                "unit": "reports",
                "points": [
                    {
                        "from": f"2026-0{m + 1}-01",
                        "to": f"2026-0{m + 2}-01",
                        "count": count,
                        "value": count,
                        "complete": True,
                        "signals": [],
                    }
                    for m, count in enumerate(row)
                ],
                "centre_line": 3.0,
                "limits": {"lower": [None] * 4, "upper": [None] * 4},
                "signals": [],
                "drought": {"is_drought": False},
            }
            for n, row in enumerate(table)
        ],
    }


@pytest.mark.soak
def test_memory_does_not_grow_with_the_ledger(sqlite_url: str) -> None:
    """Between two ledgers of which one is four times as long, with thousands of events in full."""
    few = 40 * rounds(75, few=2)
    with opened(sqlite_url) as office:
        ask(office, "pack_before")
        assert packer(office).once()  # What a first pack imports is no part of it.
        peaks = [peak_of(office, f"pack_{n}", count) for n, count in enumerate((few, 3 * few))]

    assert peaks[1] < peaks[0] + 4_000_000, peaks


def peak_of(office: Office, pack_id: str, count: int) -> int:
    """The most bytes that building takes after so many further near misses."""
    for start in range(0, count, 40):
        jobs = [office.submission(service_id=f"s-{start + n}", as_history=True) for n in range(40)]
        office.house.ask_all(jobs)
    ask(office, pack_id)
    tracemalloc.start()
    assert packer(office).once()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak
