"""Real reports, imported as a file and judged: the same patterns as a brute-force count, the same maps.

The data lies beside the project and is no part of it. Of the longest log `make test` imports the first reports, which
raise what they raised in the whole; `make soak` imports all of it, and into PostgreSQL too.
"""

import gzip
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from app.cli.entrance import INTAKE
from app.domain.moment import to_micros
from app.intake.mapping_file import parse_mapping
from app.operations import settle
from app.operations.backtest_asking import asked
from app.operations.backtesting import backtest
from app.operations.house import SYSTEM, House
from app.operations.ids import near_miss_id_of
from app.operations.importing import Import, Summary
from app.operations.job import Command
from tests import office, rounds
from tests.cases import SHARED
from tests.journeys import inside
from tests.journeys.ward import Ward

DATA = SHARED / "data"
MAPPINGS = Path(__file__).parents[1] / "cases" / "mappings"
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

THREE_IN_FOURTEEN_DAYS = {
    "rules": [
        {
            "id": "three-in-fourteen-days",
            "name": "Three of a type in one service",
            "group_by": ["service_id", "incident_type"],
            "threshold": 3,
            "window": "P14D",
            "count_classifications": ["near_miss"],
        }
    ]
}

BEGUN = 4_000
"""Reports of the longest log with which `make test` is content."""

COUNTED = {"emar_demo": 856, "home_visits": 615, "incident_log": 23_906}
"""Near misses in each file; those from an unknown service are recorded, and counted for nobody."""


@pytest.mark.parametrize("name", ["emar_demo", "home_visits"])
def test_an_imported_log_raises_what_a_brute_force_count_raises(name: str, database_url: str) -> None:
    file = near_misses_of(name)

    with office.opened(database_url) as room:
        adopt(room.house)
        summary = imported(room.house, name, file)

        assert summary.recorded == COUNTED[name]
        assert summary.refused.total() == 0
        assert firings(room) == expected_firings(name)
        assert had(room) == expected_episodes(name)


def test_a_service_desk_has_raised_at_any_report_what_a_brute_force_count_has_raised(
    sqlite_url: str, tmp_path: Path
) -> None:
    begun = tmp_path / "begun.jsonl"
    with gzip.open(near_misses_of("incident_log"), "rt", encoding="utf-8") as lines:
        reports = list(islice(lines, BEGUN))
    begun.write_text("".join(reports), encoding="utf-8")

    with office.opened(sqlite_url) as room:
        adopt(room.house)
        summary = imported(room.house, "incident_log", begun)

        assert summary.recorded == BEGUN - summary.skipped.total()
        assert summary.refused.total() == 0
        reported = {json.loads(line)["source_event_id"] for line in reports}
        expected = {key: one for key, one in expected_firings("incident_log").items() if one[0] in reported}
        assert len(expected) > BEGUN // 50
        assert firings(room) == expected


@pytest.mark.soak
@pytest.mark.skipif(rounds.LIMIT <= rounds.FEW, reason="It takes a minute on each: `make soak` does it.")
def test_a_year_of_a_service_desk_raises_what_a_brute_force_count_raises(database_url: str) -> None:
    test_an_imported_log_raises_what_a_brute_force_count_raises("incident_log", database_url)


@contextmanager
def safety_reports(url: str) -> Iterator[Ward]:
    """The safety reports, imported; those without a known place are left out by the mapping."""
    file = near_misses_of("safety_reports")
    with inside.opened(url) as application:
        adopt(application.house)
        summary = imported(application.house, "safety_reports", file)
        assert summary.skipped == {"An incident, not a near miss": 6, "No known place": 15}
        yield application.ward


@pytest.fixture
def reported(database_url: str) -> Iterator[Ward]:
    with safety_reports(database_url) as ward:
        yield ward


@pytest.fixture
def reported_on_sqlite(sqlite_url: str) -> Iterator[Ward]:
    """For what is worked out of the counts, which are the same on either database."""
    with safety_reports(sqlite_url) as ward:
        yield ward


def test_the_maps_of_safety_reports_are_those_counted_by_hand(reported: Ward) -> None:
    expected = json.loads((DATA / "safety_reports" / "expected_heatmap.json").read_text(encoding="utf-8"))

    maps = {
        "stage_x_type": cells(reported, "stage_allowed", "incident_type"),
        "stage_x_month": cells(reported, "stage_allowed", "month"),
        "type_x_month": cells(reported, "incident_type", "month"),
        "service_x_type": cells(reported, "service_id", "incident_type"),
        "weekday_x_hour": {
            f"{WEEKDAYS.index(weekday) + 1}|{int(hour):02d}": count
            for (weekday, hour), count in pairs(reported, "weekday", "hour").items()
        },
        "month": by_month(reported),
    }

    assert maps == {name: counts for name, counts in expected.items() if name != "near_misses"}
    assert reported.get("/v1/heatmaps/workflow")["total"] == expected["near_misses"] == 905


def test_the_maps_of_safety_reports_lead_to_their_records_are_drawn_and_know_the_hours(
    reported_on_sqlite: Ward,
) -> None:
    ward = reported_on_sqlite
    axes = {"rows": "stage_allowed", "columns": "incident_type"}

    found = pairs(ward, **axes)
    (row, column), most = max(found.items(), key=lambda one: one[1])
    cell = ward.get("/v1/heatmaps/workflow/cells", **axes, row=row, column=column)
    assert len(set(cell["items"])) == most == 103
    assert {ward.near_miss(one)["stage_allowed"] for one in cell["items"][:3]} == {row}

    drawn = ward.client.get("/v1/heatmaps/workflow.svg", params=axes, headers=ward.headers)
    numbers = re.findall(r'font-weight="bold" fill="#[0f]+">([0-9]+)</text>', drawn.text)
    assert sum(map(int, numbers)) == 905
    assert numbers.count("0") == len({row for row, _ in found}) * len({column for _, column in found}) - len(found)

    by_hour = ward.get("/v1/heatmaps/workflow", rows="stage_allowed", columns="hour")["cells"]
    rows = {row: sum(one["count"] for one in by_hour if one["row"] == row) for row, _ in found}
    assert all(one["expected"] == pytest.approx(rows[one["row"]] / 24) for one in by_hour)
    hot = {(one["row"], one["column"]) for one in by_hour if "above_expected" in one}
    assert ("cruise", "12") in hot  # The reports know the quarter of the day only, told as its hour.


def near_misses_of(name: str) -> Path:
    file = DATA / name / "near_misses.jsonl.gz"
    if not file.exists():
        pytest.skip("The real data is not beside the project: ../shared/data is absent.")
    return file


def adopt(house: House) -> None:
    """Put the rule in force that the expected patterns were counted by."""
    house.ask(
        Command(
            "default",
            str(uuid4()),
            SYSTEM,
            "policy",
            lambda desk, cause: settle.adopt_policy(desk, cause, THREE_IN_FOURTEEN_DAYS, None),
            lambda _reader, subject: {"id": subject},
        )
    )


def imported(house: House, name: str, file: Path) -> Summary:
    mapping = parse_mapping((MAPPINGS / f"{name}.toml").read_text(encoding="utf-8"))
    return Import(house, "default", file, mapping, INTAKE).run()


Firings = dict[tuple[str, str], tuple[str, set[str]]]


def firings(room: office.Office) -> Firings:
    """Key → the source event that raised its escalation, and the members of that instant."""
    ledger = room.ledger()
    sources: dict[str, str] = {}
    happened: dict[str, str] = {}
    found: Firings = {}
    for one in ledger:
        data = json.loads(one.payload)
        if one.type == "near_miss.recorded":
            sources[one.subject] = data["source"]["source_event_id"]
            happened[one.subject] = data["report"]["occurred_at"]
        elif one.type == "escalation.raised":
            key = dict(data["key"])
            service, incident_type = key["service_id"], key["incident_type"].removeprefix("category-")
            members = [member["near_miss_id"] for member in data["members"]]
            times = [happened[member] for member in members]
            assert times == sorted(times), "members stand in event-time order"
            assert (service, incident_type) not in found, "one escalation for a key, for no review was closed"
            fired_by = sources[near_miss_id_of(one.correlation_id)]
            found[service, incident_type] = (fired_by, {sources[member] for member in members})
    return found


def expected_firings(name: str) -> Firings:
    expected = json.loads((DATA / name / "expected.json").read_text(encoding="utf-8"))
    return {
        (one["service_id"], one["incident_type"].removeprefix("category-")): (one["fires_at"], set(one["members"]))
        for one in expected["first_firings"]
    }


Episodes = set[tuple[str, str, str, frozenset[str]]]


def had(room: office.Office) -> Episodes:
    """The episodes that a backtest of the rule finds."""
    sources = {
        one.subject: json.loads(one.payload)["source"]["source_event_id"]
        for one in room.ledger()
        if one.type == "near_miss.recorded"
    }
    with room.house.reader("default") as reader:
        question = {"policy": THREE_IN_FOURTEEN_DAYS}
        in_force = reader.settled().policy
        answer = backtest(
            reader, asked(reader.connection, "default", question, in_force), to_micros(room.house.clock())
        )
    assert answer["gained"] == answer["lost"] == answer["earlier"] == answer["later"] == []
    return {
        (
            one["key"]["service_id"],
            one["key"]["incident_type"].removeprefix("category-"),
            one["crossed_at"].replace(".000000Z", "Z"),
            frozenset(sources[member] for member in one["near_miss_ids"]),
        )
        for one in answer["episodes"]
    }


def expected_episodes(name: str) -> Episodes:
    expected = json.loads((DATA / name / "expected.json").read_text(encoding="utf-8"))
    return {
        (
            one["service_id"],
            one["incident_type"].removeprefix("category-"),
            one["crossed_at"],
            frozenset(one["contributing_ids"]),
        )
        for one in expected["episodes"]
    }


def pairs(ward: Ward, rows: str, columns: str) -> dict[tuple[str, str], int]:
    """The cells of a map, which add up to its total."""
    answer = ward.get("/v1/heatmaps/workflow", rows=rows, columns=columns)
    found = {(cell["row"], cell["column"]): cell["count"] for cell in answer["cells"]}
    assert answer["unlinked"] == 0
    assert sum(found.values()) == answer["total"]
    return found


def cells(ward: Ward, rows: str, columns: str) -> dict[str, int]:
    return {f"{row}|{column}": count for (row, column), count in pairs(ward, rows, columns).items()}


def by_month(ward: Ward) -> dict[str, Any]:
    """Each month by itself: a map whose rows are months already, summed over its columns."""
    counts: dict[str, int] = {}
    for (month, _), count in pairs(ward, "month", "incident_type").items():
        counts[month] = counts.get(month, 0) + count
    return counts
