"""Time travel: whatever takes `as_of` answers as it did then, whatever came since, and has one rule for bad values.

Which routes take it is asked of the document, so that none is forgotten. A story is lived through; after each of its
steps routes are asked how things stand, and at its end once more how they stood. Takes ten seconds.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from app.main import create_app
from app.operations.follow import catch_up
from app.projections.inline import FOLLOWING
from tests.journeys import boardroom
from tests.journeys.inside import Inside, opened
from tests.journeys.test_signals import rising
from tests.journeys.ward import ACTION, CAUSES, LINK, SAFEGUARDING, SYSTEM_RISK, Ward, text
from tests.rounds import IN_FULL

ROUTES = [
    path
    for path, item in create_app().openapi()["paths"].items()
    if any(one.get("name") == "as_of" for one in item.get("get", {}).get("parameters", ()))
]
KEY = {"rule_id": "similar", "service_id": "willow-house", "incident_type": "medication", "deviation": "omitted"}
HALVES = {"rows": "stage_allowed", "columns": "shift_bracket", "from": "2026-01-01", "to": "2026-06-01"}
SERIES = {"measure": "count", "group_by": "service_id", "bucket": "week", "from": "2026-01-05", "to": "2026-03-30"}
ASKED: Mapping[str, Mapping[str, Any]] = {
    "/v1/windows": KEY,
    "/v1/windows/explain": KEY,
    "/v1/heatmaps/workflow": HALVES,
    "/v1/heatmaps/workflow.svg": HALVES,
    "/v1/heatmaps/workflow/cells": {**HALVES, "row": "handover", "column": "day"},
    "/v1/trends": SERIES,
    "/v1/trends.svg": SERIES,
    "/v1/trace": {"source": "emar", "source_event_id": "e-0"},
}
"""What a route needs beside the path."""

IDS = {
    "near_miss_id": "near-misses",
    "escalation_id": "escalations",
    "review_id": "reviews",
    "action_id": "actions",
    "governance_review_id": "governance-reviews",
    "signal_id": "signals",
}


@dataclass
class Story:
    """What was answered when, and how it is asked again."""

    inside: Inside
    reader: Ward
    answers: dict[tuple[int, str], str] = field(default_factory=dict[tuple[int, str], str])
    instants: dict[int, str] = field(default_factory=dict[int, str])

    def sequence(self) -> int:
        """The ledger's last."""
        place = max(self.instants, default=0)
        while (after := self.reader.get("/v1/ledger/events", after=place, limit=200)["next_after"]) > place:
            place = after
        return place

    def known(self) -> list[str]:
        """Every address that has an answer now: in the soak all of them, else after each step the next third."""
        found: list[str] = []
        for number, route in enumerate(ROUTES):
            if not IN_FULL and (number + len(self.instants)) % 3:
                continue
            name = next((name for name in IDS if "{" + name + "}" in route), None)
            found += [route] if name is None else [route.replace("{" + name + "}", one) for one in self.ids(IDS[name])]
        return found

    def ids(self, path: str) -> list[str]:
        """The newest two of a list, and the oldest."""
        found = [one["id"] for one in self.reader.get(f"/v1/{path}", limit=200)["items"]]
        return list(dict.fromkeys([*found[:2], *found[-1:]]))

    def answer(self, address: str, **then: Any) -> str:
        """Status and text of what is answered."""
        asked = {**ASKED.get(address, {}), **then}
        got = self.inside.client.get(address, params=asked, headers=self.reader.headers)
        return f"{got.status_code} {got.text}"

    def step(self) -> None:
        """Write down what every route answers, once nothing happens by itself any more."""
        sequence = self.at_rest()
        while True:
            answers = {(sequence, address): self.answer(address) for address in self.known()}
            if (now := self.at_rest()) == sequence:
                break
            sequence = now
        self.answers |= answers
        self.instants[sequence] = text(self.inside.clock())

    def at_rest(self) -> int:
        """The ledger's last, once everybody has followed and it is the last still."""
        house = self.inside.house
        before = -1
        while before != (sequence := self.sequence()):
            for name in FOLLOWING:
                catch_up(house.database, house.batches.dialect, house.configurations, "default", name)
            before = sequence
        return sequence


def live(story: Story) -> None:
    """A pattern that is found, corrected, reviewed, closed, opened again, weighed by leadership, and found anew."""
    inside, ward = story.inside, story.inside.ward

    def then() -> None:
        story.step()
        inside.clock.advance(hours=1)

    ward.put("/v1/denominators", {"items": [{"service_id": "willow-house", "date": "2026-03-01", "doses_due": 200}]})
    first, second = (
        ward.submit(source="emar", source_event_id=f"e-{n}", occurred_at=f"2026-03-02T0{7 + n}:00:00Z")
        for n in range(2)
    )
    then()
    third = ward.submit(staff_involved=[{"ref": "staff-9"}])
    then()
    ward.correct(first["id"], occurred_at="2026-03-02T09:30:00Z", contributing_factors=["staffing"])
    then()
    (escalation,) = ward.escalations()
    review_id = escalation["review_id"]
    ward.review(review_id, "start", {})
    ward.review(review_id, "causes", CAUSES)
    ward.review(review_id, "system-risk", SYSTEM_RISK)
    ward.review(review_id, "safeguarding", SAFEGUARDING)
    (action,) = ward.review(review_id, "actions", ACTION)["actions"]
    then()
    members = [first["id"], second["id"], third["id"]]
    ward.review(review_id, "workflow-links", {"near_miss_ids": members, "link": LINK})
    ward.review(review_id, "closure", {"code": "action_agreed", "summary": "The handover is mended."})
    then()
    board = boardroom.opened(ward)
    boardroom.step(ward, board, "decisions", {"text": "Watched.", "cites": [escalation["id"], first["id"]]})
    then()
    ward.review(review_id, "reopening", {"reason": "It happened again."})
    then()
    ward.review(review_id, "closure", {"code": "action_agreed", "summary": "Now it is mended."})
    done = {"effective_from": "2026-03-02", "evidence": "Seen at two handovers."}
    ward.post(f"/v1/actions/{action['id']}/completion", done)
    boardroom.closed(ward, board, escalation["id"], *(one["id"] for one in ward.get("/v1/signals")["items"]))
    then()
    policy = ward.get("/v1/policy")
    del policy["version"]
    policy["rules"][0]["threshold"] = 2
    ward.put("/v1/policy", policy)
    again = [ward.submit(occurred_at="2026-03-02T17:10:00Z", source=of, source_event_id="x") for of in ("emar", "rota")]
    then()
    ward.mark_duplicate(again[1]["id"], again[0]["id"])
    ward.put("/v1/denominators", {"items": [{"service_id": "willow-house", "date": "2026-03-01", "doses_due": 90}]})
    then()


@pytest.mark.soak
def test_every_answer_of_then_is_given_again_whatever_came_since(sqlite_url: str) -> None:
    answers_of_then_are_given_again(sqlite_url)


@pytest.mark.soak
@pytest.mark.skipif(not IN_FULL, reason="The same as on SQLite, for longer: `make soak` does it.")
def test_every_answer_of_then_is_given_again_on_postgresql_too(postgresql_url: str) -> None:
    answers_of_then_are_given_again(postgresql_url)


def answers_of_then_are_given_again(database_url: str) -> None:
    with opened(database_url) as inside:
        story = Story(inside, inside.holding("near-misses:read", "audit:read"))
        rising(inside, service_id="yew-house")
        live(story)
        assert {path for path in ROUTES if "{" not in path} <= {address for _, address in story.answers}
        assert len({route_of(address) for _, address in story.answers}) == len(ROUTES)

        found = [(of, address) for (of, address), answer in story.answers.items() if answer.startswith("200")]
        assert len(found) > 0.9 * len(story.answers)
        others = [
            (of, address)
            for n, (of, address) in enumerate(found)
            for then in ([of, story.instants[of]] if n % 5 == 0 else [of])
            if story.answer(address, as_of=then) != story.answers[of, address]
        ]
        assert others == []


def route_of(address: str) -> str:
    """The route that an address is of."""
    return next(route for route in ROUTES if re.fullmatch(re.sub(r"\{[a-z_]+\}", "[^/]+", route), address))


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    from app.database.migrate import upgrade

    url = f"sqlite:///{tmp_path_factory.mktemp('asof') / 'forewarn.db'}"
    upgrade(url)
    with opened(url) as inside:
        inside.ward.submit()
        yield inside


REFUSED = {
    "999999999": "out-of-range",
    "2026-03-02T10:00:00.000001Z": "in-the-future",
    "-1": "not-an-instant",
    "1e3": "not-an-instant",
    "٣": "not-an-instant",
    "2026-03-02": "not-an-instant",
    "2026-03-02T10:00:00": "not-an-instant",
    "yesterday": "not-an-instant",
    "": "not-an-instant",
}


@pytest.mark.parametrize("route", ROUTES)
def test_what_the_ledger_has_no_answer_for_is_refused_alike(inside: Inside, route: str) -> None:
    address = re.sub(r"\{[a-z_]+\}", "none", route)

    for as_of, code in REFUSED.items():
        problem = inside.ward.get(address, 422, **{**ASKED.get(route, {}), "as_of": as_of})

        assert [(one["pointer"], one["code"]) for one in problem["errors"]] == [("/query/as_of", code)], as_of


@pytest.mark.parametrize("route", ROUTES)
def test_what_the_ledger_has_an_answer_for_is_answered(inside: Inside, route: str) -> None:
    address = re.sub(r"\{[a-z_]+\}", "none", route)

    first = ("0",) if route in ("/v1/trends", "/v1/trends.svg") else ("0", "1999-12-31T00:00:00Z")
    for as_of in (*first, "1", "2026-03-02T10:00:00Z", "2026-03-02T11:00:00+01:00"):
        asked = {**ASKED.get(route, {}), "as_of": as_of}
        got = inside.client.get(address, params=asked, headers=inside.ward.headers)

        assert got.status_code == (404 if "{" in route or route == "/v1/trace" else 200), as_of


def test_a_window_as_of_an_instant_ends_at_that_instant(sqlite_url: str) -> None:
    with opened(sqlite_url) as inside:
        ward = inside.ward
        inside.ward.submit(occurred_at="2026-03-01T09:00:00Z")
        sequence = ward.submit()["sequence"]
        inside.clock.advance(days=30)
        asked = {**KEY, "as_of": "2026-03-15T12:00:00Z"}

        one_left, as_recorded = ward.get("/v1/windows", **asked), ward.get("/v1/windows", **{**KEY, "as_of": sequence})
        none_left = ward.get("/v1/windows/explain", **{**asked, "as_of": "2026-03-20T12:00:00Z"})

        assert (one_left["count"], one_left["next_expiry"]) == (1, "2026-03-16T09:00:00.000000Z")
        assert (none_left["count"], none_left["next_expiry"], none_left["near_miss_ids"]) == (0, None, [])
        assert as_recorded["count"] == 2


def test_a_backtest_as_of_an_instant_knows_what_had_ended_by_then(sqlite_url: str) -> None:
    with opened(sqlite_url) as inside:
        for _ in range(3):
            inside.ward.submit()
        inside.clock.advance(days=30)
        body = {"policy": {"rules": [{"id": "similar", "group_by": ["service_id"], "threshold": 3, "window": "P14D"}]}}

        def until(as_of: str) -> list[str | None]:
            found = inside.ward.post(f"/v1/policy/backtests?as_of={as_of}", body)
            return [one.get("until") for one in found["episodes"]]

        assert until("2026-03-10T12:00:00Z") == [None]
        assert until("2026-03-20T12:00:00Z") == ["2026-03-16T09:00:00.000000Z"]
