"""Policies tried on history over HTTP: what they would have opened, against which version, with what trade-off."""

from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from app.database.tables import api_keys, metadata
from app.domain.moment import parse_instant
from app.main import create_app
from app.operations.house import House
from app.settings import Settings
from tests.journeys import inside
from tests.journeys.inside import Inside
from tests.journeys.ward import Clock, Ward
from tests.service import API_KEY, MASTER_KEY

AT = "2026-03-05T09:00:00Z"
SIMILAR: dict[str, Any] = {
    "id": "similar",
    "group_by": ["service_id", "incident_type"],
    "threshold": 3,
    "window": "P14D",
}
MANAGERS = [
    {"role": "manager", "ref": "manager-1", "from": "2025-01-01", "to": "2026-02-10"},
    {"role": "manager", "ref": "manager-2", "from": "2026-02-10"},
]


@pytest.fixture
def room(database_url: str) -> Iterator[Inside]:
    with inside.opened(database_url, at=AT) as opened:
        opened.ward.put("/v1/policy", policy())
        yield opened


@pytest.fixture
def ward(room: Inside) -> Ward:
    return room.ward


def policy(**changes: Any) -> dict[str, Any]:
    return {"rules": [{**SIMILAR, **changes}]}


def tried(ward: Ward, rules: dict[str, Any], **rest: Any) -> dict[str, Any]:
    return ward.post("/v1/policy/backtests", {"policy": rules, **rest})


def reported(ward: Ward, *days: str, **particulars: Any) -> list[str]:
    return [ward.submit(occurred_at=f"{day}T08:00:00Z", **particulars)["id"] for day in days]


def test_an_episode_lasts_from_its_crossing_until_the_count_falls_below(ward: Ward) -> None:
    ids = reported(ward, "2026-01-05", "2026-01-08", "2026-01-12", "2026-02-20")

    (episode,) = tried(ward, policy())["episodes"]

    assert episode == {
        "rule_id": "similar",
        "mode": "active",
        "key": {"service_id": "willow-house", "incident_type": "medication"},
        "crossed_at": "2026-01-12T08:00:00.000000Z",
        "near_miss_ids": ids[:3],
        "count": 3,
        "until": "2026-01-19T08:00:00.000000Z",
    }


def test_what_a_policy_gains_loses_and_sees_earlier_or_later_is_told_against_a_version(ward: Ward) -> None:
    reported(ward, "2026-01-05", "2026-01-08", "2026-01-12", "2026-01-13")
    reported(ward, "2026-02-20", "2026-02-21", service_id="birch-house")

    lower, higher = tried(ward, policy(threshold=2)), tried(ward, policy(threshold=4))
    off = tried(ward, policy(mode="shadow"))

    assert [one["key"]["service_id"] for one in lower["gained"]] == ["birch-house"]
    assert [(one["crossed_at"][:10], one["was_crossed_at"][:10]) for one in lower["earlier"]] == [
        ("2026-01-08", "2026-01-12")
    ]
    assert [one["crossed_at"][:10] for one in higher["later"]] == ["2026-01-13"]
    assert lower["lost"] == higher["lost"] == higher["gained"] == []
    assert [one["crossed_at"][:10] for one in off["lost"]] == ["2026-01-12"]
    assert (off["episodes_total"], off["reviews"], off["compared_with"]) == (1, 0, 2)


def test_only_a_version_that_was_in_force_can_be_compared_with(ward: Ward) -> None:
    reported(ward, "2026-01-05", "2026-01-08", "2026-01-12")

    against_first = tried(ward, policy(threshold=4), compare_with=1)
    refused = ward.post("/v1/policy/backtests", {"policy": policy(), "compare_with": 7}, expect=422)

    assert against_first["compared_with"] == 1
    assert [one["key"]["deviation"] for one in against_first["lost"]] == ["omitted"]  # Its key has a field more.
    assert refused["errors"] == [
        {
            "pointer": "/compare_with",
            "code": "unknown-version",
            "detail": "No policy of that version was ever in force: there are versions 1 to 2.",
        }
    ]


def test_a_period_shows_the_crossings_in_it_whatever_was_counted_before_it(ward: Ward) -> None:
    reported(ward, "2026-01-05", "2026-01-08", "2026-01-12", "2026-02-20", "2026-02-21", "2026-02-22")

    later = tried(ward, policy(), **{"from": "2026-01-12", "to": "2026-02-01"})
    none = tried(ward, policy(), **{"from": "2026-01-13", "to": "2026-02-01"})

    assert [one["crossed_at"][:10] for one in later["episodes"]] == ["2026-01-12"]
    assert none["episodes"] == []


def test_what_was_withdrawn_or_corrected_counts_as_it_stands_and_as_of_then_as_it_stood(room: Inside) -> None:
    ward = room.ward
    first, *_ = reported(ward, "2026-01-05", "2026-01-08", "2026-01-12")
    known = tried(ward, policy())["as_of_sequence"]
    ward.correct(first, service_id="birch-house")

    assert tried(ward, policy())["episodes"] == []
    then = ward.post(f"/v1/policy/backtests?as_of={known}", {"policy": policy()})
    assert [one["count"] for one in then["episodes"]] == [3]


def test_reviews_fall_to_whoever_managed_the_service_then(ward: Ward) -> None:
    ward.put("/v1/services/willow-house", {"name": "Willow", "service_type": "care_home", "role_holders": MANAGERS})
    reported(ward, "2026-01-05", "2026-01-08", "2026-01-12", "2026-02-20", "2026-02-21", "2026-02-22")
    reported(ward, "2026-02-20", "2026-02-21", "2026-02-22", service_id="birch-house")

    found = tried(ward, policy())

    assert [(one["manager"], one["reviews"], one["services"]) for one in found["reviews_per_manager"]] in (
        [("manager-1", 1, ["willow-house"]), ("manager-2", 1, ["willow-house"])],
        [("manager-2", 1, ["willow-house"]), ("manager-1", 1, ["willow-house"])],
    )
    assert found["reviews_without_manager"] == {"reviews": 1, "services": ["birch-house"]}
    assert found["reviews"] == 3
    assert found["reviews_per_month"] == pytest.approx(3 * 30.4375 / 59.04, abs=0.01)


def test_the_lead_before_harm_is_counted_from_the_latest_review_of_the_same_key(ward: Ward) -> None:
    reported(ward, "2026-01-05", "2026-01-08", "2026-01-12")
    (harmed,) = reported(ward, "2026-01-17", classification="harm_incident")
    reported(ward, "2026-01-03", classification="harm_incident")
    reported(ward, "2026-01-17", classification="harm_incident", service_id="birch-house")

    lead_times = tried(ward, policy())["lead_times"]

    assert (lead_times["harm_incidents"], lead_times["preceded"], lead_times["without_review_before"]) == (3, 1, 2)
    assert (lead_times["median"], lead_times["median_days"]) == ("P5D", 5.0)
    assert [(one["near_miss_id"], one["lead"]) for one in lead_times["leads"]] == [(harmed, "P5D")]


def test_a_grid_is_the_trade_off_of_thresholds_and_windows_as_a_table_and_as_a_picture(ward: Ward) -> None:
    reported(ward, "2026-01-05", "2026-01-08", "2026-01-12", "2026-01-20")
    reported(ward, "2026-01-25", classification="harm_incident")
    grid = {"thresholds": [2, 3, 4], "windows": ["P7D", "P14D", "P1M"]}

    rows = tried(ward, policy(), grid=grid)["grid"]["rows"]
    drawn = ward.client.post("/v1/policy/backtests.svg", json={"policy": policy(), "grid": grid}, headers=ward.headers)

    assert [(one["threshold"], one["window"], one["episodes"]) for one in rows] == [
        (2, "P7D", 1), (2, "P14D", 1), (2, "P1M", 1),
        (3, "P7D", 0), (3, "P14D", 2), (3, "P1M", 1),
        (4, "P7D", 0), (4, "P14D", 0), (4, "P1M", 1),
    ]  # fmt: skip
    alone = tried(ward, policy(threshold=4, window="P1M"))
    assert rows[8]["median_lead_days"] == alone["lead_times"]["median_days"] == 5.0
    assert rows[8]["expected_by_chance_per_year"] == alone["expected_chance_firings"][0]["episodes_per_year"]
    assert drawn.headers["content-type"].startswith("image/svg+xml")
    root = ET.fromstring(drawn.text)
    said = [one.text or "" for one in root.iter("{http://www.w3.org/2000/svg}title")]
    assert len(said) == 1 + 9
    assert any(one.startswith("4 in P1M") for one in said)


BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"policy": {"rules": [{"id": "x", "group_by": ["moon"], "threshold": 0}]}}, "/policy/rules/0/group_by/0", ""),
    ({"policy": {"rules": [{"id": "x", "group_by": ["moon"], "threshold": 0}]}}, "/policy/rules/0/window", ""),
    ({}, "/policy", "missing"),
    ({"policy": []}, "/policy", "wrong-type"),
    ({"policy": policy(), "window": "P1D"}, "/window", "unknown-field"),
    ({"policy": policy(), "from": "yesterday"}, "/from", "not-a-moment"),
    ({"policy": policy(), "from": "2026-02-01", "to": "2026-02-01"}, "/to", "out-of-order"),
    ({"policy": policy(), "grid": {"thresholds": [0], "windows": ["P1D"]}}, "/grid/thresholds/0", "out-of-range"),
    ({"policy": policy(), "grid": {"thresholds": [1], "windows": ["1 day"]}}, "/grid/windows/0", "not-a-duration"),
    ({"policy": policy(), "grid": {"windows": ["P1D"]}}, "/grid/thresholds", "missing"),
    (
        {"policy": policy(), "grid": {"thresholds": [*range(1, 22)], "windows": ["P1D"] * 20}},
        "/grid",
        "too-many",
    ),
    (
        {"policy": policy(), "grid": {"rule_id": "simlar", "thresholds": [1], "windows": ["P1D"]}},
        "/grid/rule_id",
        "unknown-id",
    ),
    ({"policy": {"rules": [SIMILAR] * 51}}, "/policy/rules", "out-of-range"),
    ({"policy": {**policy(), "working_time": {"country": "XX"}}}, "/policy/working_time/country", ""),
]


def test_what_cannot_be_tried_is_refused_with_its_place(sqlite_url: str) -> None:
    with inside.opened(sqlite_url, at=AT) as room:
        for body, pointer, code in BAD:
            faults = room.ward.post("/v1/policy/backtests", body, expect=422)["errors"]
            assert (pointer, code) in {(one["pointer"], one["code"] if code else "") for one in faults}

        undrawn = room.ward.post("/v1/policy/backtests.svg", {"policy": policy()}, expect=422)
        assert [one["pointer"] for one in undrawn["errors"]] == ["/grid"]
        room.ward.post("/v1/policy/backtests?moon=full", {"policy": policy()}, expect=422)


def test_a_policy_of_no_rules_opens_nothing_and_has_nothing_to_vary(ward: Ward) -> None:
    reported(ward, "2026-01-05", "2026-01-08", "2026-01-12")

    for document in ({"rules": []}, policy(mode="off")):
        found = tried(ward, document)
        grid = {"thresholds": [2], "windows": ["P7D"]}
        refused = ward.post("/v1/policy/backtests", {"policy": document, "grid": grid}, expect=422)

        assert (found["episodes_total"], found["reviews"], found["lost_total"]) == (0, 0, 1)
        assert [(one["pointer"], one["code"]) for one in refused["errors"]] == [("/grid", "no-rules")]
        assert "No rule" in refused["errors"][0]["detail"]


def test_a_backtest_writes_nothing(database_url: str) -> None:
    clock = Clock(parse_instant(AT))
    house = House(Settings(database_url=database_url, master_key=MASTER_KEY), clock)
    house.open_organisation("default", "default", API_KEY)
    body = {"policy": policy(threshold=2), "grid": {"thresholds": [2], "windows": ["P1D"]}}
    with TestClient(create_app(house, with_worker=False)) as client:
        ward = Ward(client, inside.bearer(API_KEY))
        reported(ward, "2026-01-05", "2026-01-08", "2026-01-12")
        before = everything(house)

        for path in ("/v1/policy/backtests", "/v1/policy/backtests.svg"):
            answer = client.post(path, json=body, headers={**ward.headers, "Idempotency-Key": "k"})
            assert answer.status_code == 200
        ward.get("/v1/policy/shadow-episodes")

        assert len(before["events"]) > 3
        assert everything(house) == before


def everything(house: House) -> dict[str, list[Any]]:
    """Every row of every table, but for when a key was used last, which any request moves."""
    found: dict[str, list[Any]] = {}
    with house.database.read() as connection:
        for table in metadata.sorted_tables:
            columns = [one for one in table.c if one is not api_keys.c.last_used_at]
            found[table.name] = sorted(map(str, connection.execute(select(*columns))))
    return found


def test_what_rules_in_shadow_would_have_opened_can_be_read_page_by_page(ward: Ward) -> None:
    rules = [
        {**SIMILAR, "id": "person", "group_by": ["person_ref"], "mode": "shadow"},
        {**SIMILAR, "id": "pairs", "threshold": 2, "mode": "shadow"},
    ]
    ward.put("/v1/policy", {"rules": [SIMILAR, *rules]})
    ids = reported(ward, "2026-01-05", "2026-01-08", "2026-01-12", person_ref="resident-12")

    found = ward.get("/v1/policy/shadow-episodes")["items"]
    first = ward.get("/v1/policy/shadow-episodes", limit=1)
    second = ward.get("/v1/policy/shadow-episodes", limit=1, cursor=first["next_cursor"])

    assert [(one["rule_id"], one["near_miss_ids"]) for one in found] == [("person", ids), ("pairs", ids[:2])]
    assert first["items"] + second["items"] == found
    assert second["next_cursor"] is None
    assert "resident-12" not in str(found)
    assert ward.get("/v1/policy/shadow-episodes", rule_id="pairs")["items"] == found[1:]
    assert ward.get("/v1/policy/shadow-episodes", **{"from": "2026-01-10"})["items"] == found[:1]
    ward.get("/v1/policy/shadow-episodes", rule_id="similar", expect=422)
    ward.withdraw(ids[0])
    assert [one["near_miss_ids"] for one in ward.get("/v1/policy/shadow-episodes")["items"]] == [ids[1:]]
