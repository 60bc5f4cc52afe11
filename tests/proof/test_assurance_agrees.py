"""Two implementations of one rule: whatever happens in an organisation, the assurance finds what the service raised,
no more and no less; and finds that it is gone once somebody has taken it out of the ledger.

It is given events and asks no database: SQLite alone will do, but in the soak.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from app.clock import system_clock
from app.domain import taxonomy
from app.domain.moment import parse_instant
from app.operations import settle
from app.operations.tick import tick
from tests.cases import load
from tests.journeys.test_window_cases_http import policy_of, submission
from tests.office import Clock, Office, opened
from tests.operations.test_ladder_walk import STEPS, Databases, databases, now_and_then, numbered  # noqa: F401
from tests.operations.walking import Walk
from tests.proof.assuring import check_agreement, events_of, named, raisings, reported
from tests.rounds import IN_FULL, rounds

CASES = load("window_cases.json")["cases"]
LONG_AGO = datetime(2000, 1, 2, tzinfo=UTC)


@dataclass
class Journey:
    """A case as the service goes through it, by its commands."""

    office: Office
    rule: dict[str, Any]
    told: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])

    def begin(self, case: Mapping[str, Any]) -> None:
        self.set_clock(case["events"][0])
        types = {operation["type"] for operation in case["events"] if "type" in operation}
        known = taxonomy.FIRST.codes("incident_types")
        if added := [taxonomy.Change(code, code) for code in sorted(types - known)]:
            extend = taxonomy.Extend({"incident_types": added})
            self.office.do(self.office.command(lambda desk, cause: settle.extend_taxonomy(desk, cause, extend, None)))
        self.adopt()

    def set_clock(self, operation: Mapping[str, Any]) -> None:
        at = operation.get("recorded_at", operation["at"])
        self.office.clock.now = parse_instant(at if "T" in at else f"{at}T00:00:00Z")

    def adopt(self) -> None:
        document = policy_of(self.rule)
        self.office.do(self.office.command(lambda desk, cause: settle.adopt_policy(desk, cause, document, None)))

    def follow(self, operation: dict[str, Any]) -> None:
        self.set_clock(operation)
        match operation.get("op", "report"):
            case "report" if operation["id"] not in self.told:
                answer = self.office.submit(**self.report(operation))
                self.told[operation["id"]] = {**operation, "near_miss_id": answer["id"]}
            case "withdraw":
                self.office.do(self.office.withdrawal(self.told[operation["target"]]["near_miss_id"]))
            case "correct":
                was = self.told[operation["target"]]
                changed = self.report({**was, **operation["set"]})
                names = ("occurred_at", "incident_type", "attributes")
                changes = {name: changed[name] for name in names}
                self.office.do(self.office.correction(was["near_miss_id"], **changes))
                self.told[operation["target"]] = {**was, **operation["set"]}
            case "close":
                (review_id,) = [one["review_id"] for one in self.office.open_escalations()]
                self.office.do(self.office.review_closure(review_id))
            case "policy":
                self.rule = {**self.rule, **operation["set"]}
                self.adopt()
            case "tick":
                while tick(self.office.house, "worker", system_clock()):
                    pass
            case _:
                pass

    def report(self, operation: Mapping[str, Any]) -> dict[str, Any]:
        said = submission(operation)
        return {name: said.get(name) for name in ("occurred_at", "incident_type", "deviation", "attributes")}


def test_the_assurance_finds_the_crossings_of_every_case_of_the_design(sqlite_url: str) -> None:
    with opened(sqlite_url, Clock(LONG_AGO)) as first:
        for number, case in enumerate(CASES):
            first.clock.now = LONG_AGO
            first.house.open_organisation(f"case-{number}", case["name"])
            office = Office(first.house, first.clock, f"case-{number}")
            journey = Journey(office, case["rule"])

            journey.begin(case)
            for operation in case["events"]:
                journey.follow(operation)

            assert check_agreement(events_of(office)) == len(case["expected"]), case["name"]


def test_the_assurance_finds_what_random_months_of_a_house_have_raised(databases: Databases) -> None:  # noqa: F811
    if databases.share > 2 and not IN_FULL:
        pytest.skip("The same as on SQLite, for longer: `make soak` does it.")
    found = 0
    for seed in range(rounds(200) // databases.share):
        with numbered(seed), databases.new() as url, opened(url, Clock()) as office:
            walk = Walk(office, seed, now_and_then(seed))
            walk.begin()
            for _ in range(STEPS):
                walk.step()

            found += check_agreement(events_of(office))

    assert found > 2


def test_crossings_of_imported_history_have_no_review_and_are_counted_apart(sqlite_url: str) -> None:
    with opened(sqlite_url) as office:
        days = (1, 2, 3, 20, 21, 22)
        for day in days:
            office.submit(as_history=True, occurred_at=f"2025-11-{day:02d}T09:00:00Z")

        events = events_of(office)
        report = named(reported(events, events[-1].recorded_at), "repeated_near_misses_escalated")

        assert [one.data["historical"] for one in raisings(events)] == [True, True]
        assert (report["population"], report["confirmed"], report["exceptions"]) == (0, None, [])
        assert report["historical_crossings"] == 2
        check_agreement(events)


@pytest.mark.parametrize("cooldown", ["P7D", "P2D"])
def test_what_a_cool_down_puts_off_is_pending_and_then_found(sqlite_url: str, cooldown: str) -> None:
    with opened(sqlite_url) as office:
        office.do(office.adoption({"cooldown": cooldown}))
        for _ in range(3):
            office.submit()
        office.do(office.review_closure(office.escalations()[0]["review_id"]))
        office.clock.go_on(hours=1)
        told = [office.submit()["id"] for _ in range(3)]

        events = events_of(office)
        waiting = named(reported(events, events[-1].recorded_at), "repeated_near_misses_escalated")

        assert (waiting["population"], waiting["deferred"], waiting["confirmed"]) == (2, 1, False)
        assert [one["ids"] for one in waiting["pending"]] == [told]
        forgotten = named(reported(events, events[-1].recorded_at + 8 * 86_400_000_000), waiting["id"])
        assert [(one["ids"], one["reason"], one["detail"]["timer"]) for one in forgotten["exceptions"]] == [
            (told, "timer_without_event", "cooldown_until")
        ]

        office.clock.go_on(days=8)
        while tick(office.house, "worker", system_clock()):
            pass

        assert check_agreement(events_of(office)) == 2
