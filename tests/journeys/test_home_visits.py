"""Real home visits with planned and actual times: where the travel that was planned for did not hold, by stage (S9).

The data lies beside the project and is no part of it. A visit was planned to begin before its window closed, and its
carer left the visit before it at a known time: what the plan left for the way, and what it took.
"""

import csv
import gzip
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import islice
from statistics import fmean
from typing import Any

import pytest

from tests.cases import SHARED
from tests.journeys.inside import Inside, opened
from tests.journeys.ward import LINK, report

DATA = SHARED / "data" / "home_visits"
MOST = 120

Ends = Mapping[tuple[str, str], list[tuple[float, float]]]


@pytest.fixture
def inside(database_url: str) -> Iterator[Inside]:
    with opened(database_url) as inside:
        yield inside


def test_travel_time_deviations_of_real_home_visits_appear_by_the_stage_that_allowed_them(inside: Inside) -> None:
    if not DATA.exists():
        pytest.skip("shared/data/home_visits is not beside this checkout")
    submissions = list(islice(late_visits(), MOST))
    assert len(submissions) == MOST

    answers = inside.ward.ask("POST", "/v1/near-misses:batch", {"items": submissions}, expect=207)
    shown = inside.ward.get("/v1/workflow/plan-deviations", incident_type="visit")

    assert {one["status"] for one in answers["items"]} == {201}
    by_stage = {one["key"]: one for one in shown["items"]}
    assert set(by_stage) == {"travel", "plan"}
    longer = [minutes_longer(one) for one in submissions if stage_of(one) == "travel"]
    assert by_stage["travel"]["travel_minutes"] == {
        "known": len(longer),
        "mean": pytest.approx(fmean(longer), abs=0.01),
        "off_plan": sum(one > 5 for one in longer),
        "smallest": pytest.approx(min(longer), abs=0.001),
        "largest": pytest.approx(max(longer), abs=0.001),
    }
    assert by_stage["plan"]["travel_minutes"] is None
    assert by_stage["plan"]["scheduling_minutes"]["known"] == MOST - len(longer)


def late_visits() -> Iterator[dict[str, Any]]:
    """Near misses of the log as they are submitted, linked: `travel` allowed those that the plan left time for."""
    before = visits()
    with gzip.open(DATA / "near_misses.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            told = json.loads(line)
            if told["classification"] == "near_miss":
                yield submission(told, before)


def visits() -> Ends:
    """When each visit of each carer began and ended, in minutes."""
    found: defaultdict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    with gzip.open(DATA / "visits.csv.gz", "rt", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            found[row["instance"], row["caregiver_id"]].append((float(row["arrival"]), float(row["departure"])))
    return found


def submission(told: Mapping[str, Any], before: Ends) -> dict[str, Any]:
    raw = told["raw"]
    arrival, planned_by = float(raw["arrival"]), float(raw["window_end"])
    left = max((end for began, end in before[raw["instance"], raw["caregiver_id"]] if began < arrival), default=None)
    actual = datetime.fromisoformat(told["occurred_at"])
    planned = actual - timedelta(minutes=arrival - planned_by)
    travel: dict[str, Any] = {"status": "not_available"}
    if left is not None and left <= planned_by:
        travel = {"planned_minutes": planned_by - left, "actual_minutes": arrival - left}
    mapped = {
        "scheduling": {"planned": planned.isoformat(), "actual": actual.isoformat()},
        "staff_allocation": {"status": "not_available"},
        "travel_time": travel,
    }
    link = {**LINK, "stage_affected": "deliver", "stage_allowed": "travel" if "planned_minutes" in travel else "plan"}
    return report(
        occurred_at=told["occurred_at"],
        service_id=told["service_id"],
        incident_type="visit",
        deviation="late",
        workflow_link={**link, "mapped_against": mapped},
    )


def stage_of(submitted: Mapping[str, Any]) -> str:
    return submitted["workflow_link"]["stage_allowed"]


def minutes_longer(submitted: Mapping[str, Any]) -> float:
    travel = submitted["workflow_link"]["mapped_against"]["travel_time"]
    return travel["actual_minutes"] - travel["planned_minutes"]
