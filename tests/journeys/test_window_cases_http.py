"""The normative window cases of the design once more, through HTTP, against the real service with a clock of files.

A case's own fields become attributes, its `type` the incident type, its `timezone` the policy's time zone. Each case
has an organisation of its own: all of them live in one service, which is what `serve` is for.
"""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from app.database.migrate import upgrade
from app.domain.moment import parse_instant
from app.operations.house import House
from app.settings import Settings
from tests.cases import load
from tests.conftest import DATABASES
from tests.journeys.ward import LINK, Ward, gates, kinds, report, text
from tests.service import MASTER_KEY, RunningService, running_service

CASES = load("window_cases.json")["cases"]
SUPPORTED = {
    "aliases",
    "calendar_window",
    "correct",
    "date_only",
    "distinct",
    "late",
    "policy",
    "temporal",
    "timezone",
    "weight",
    "withdraw",
}
OF_THE_OPERATION = {"id", "op", "at", "recorded_at", "type"}
LONG_AGO = datetime(2000, 1, 2, tzinfo=UTC)
PATIENCE = 5.0
POLL_SECONDS = 0.02


@dataclass(slots=True)
class Hospital:
    """The running service, its clock, and the key of each case's organisation."""

    service: RunningService
    clock: Path
    keys: Mapping[str, str]

    def set_clock(self, now: datetime) -> None:
        """Write the instant beside, then put it in place: the service never reads half of one."""
        beside = self.clock.with_suffix(".new")
        beside.write_text(text(now), encoding="utf-8")
        beside.replace(self.clock)


@pytest.fixture(scope="module", params=DATABASES)
def hospital(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    directory = tmp_path_factory.mktemp("hospital")
    clock = directory / "clock"
    clock.write_text(text(LONG_AGO), encoding="utf-8")
    if request.param == "sqlite":
        url, server = f"sqlite:///{directory / 'forewarn.db'}", None
    else:
        server = request.getfixturevalue("postgresql")
        url = server.create()
    try:
        upgrade(url)
        keys = opened_organisations(url)
        environment = {"FOREWARN_ENVIRONMENT": "test", "FOREWARN_CLOCK": f"file:{clock}"}
        with running_service(url, directory, environment=environment) as service:
            yield Hospital(service, clock, keys)
    finally:
        if server is not None:
            server.drop(url)


def opened_organisations(url: str) -> dict[str, str]:
    """An organisation for each case, opened before any of their events: the name of the case → its key."""
    house = House(Settings(database_url=url, master_key=MASTER_KEY), lambda: LONG_AGO)
    opened = {case["name"]: house.open_organisation(f"case-{n}", case["name"]) for n, case in enumerate(CASES)}
    house.close()
    return {name: key.secret for name, key in opened.items() if key is not None}


@dataclass(slots=True)
class Journey:
    """A case on its way: what was reported, and what the service has told of it, operation by operation."""

    hospital: Hospital
    ward: Ward
    rule: dict[str, Any]
    now: datetime = LONG_AGO
    first_version: int = 0
    told: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    names: dict[str, str] = field(default_factory=dict[str, str])
    standing: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    firings: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    attached: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    flags: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    members: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    def set_clock(self, at: str) -> None:
        """Time runs forward only, however late a report comes in."""
        self.now = max(self.now, parse_instant(at if "T" in at else f"{at}T00:00:00Z"))
        self.hospital.set_clock(self.now)

    def begin(self, case: Mapping[str, Any]) -> None:
        """Say the words of the case, and put its rule in force, before the first thing happens."""
        self.set_clock(case["events"][0].get("recorded_at", case["events"][0]["at"]))
        types = sorted({operation["type"] for operation in case["events"] if "type" in operation})
        known = {one["code"] for one in self.ward.get("/v1/taxonomy")["incident_types"]}
        if added := [{"code": code, "label": code} for code in types if code not in known]:
            self.ward.put("/v1/taxonomy", {"incident_types": added})
        self.first_version = self.ward.put("/v1/policy", policy_of(self.rule))["version"]

    def follow(self, operation: dict[str, Any]) -> None:
        """Do what the operation says, and note what has come of it."""
        self.set_clock(operation.get("recorded_at", operation["at"]))
        match operation.get("op", "report"):
            case "report":
                self.report(operation)
            case "withdraw":
                self.ward.withdraw(self.told[operation["target"]]["near_miss_id"])
            case "correct":
                self.correct(operation)
            case "close":
                self.close(tuple(operation["key"].items()))
            case "policy":
                self.rule = {**self.rule, **operation["set"]}
                self.ward.put("/v1/policy", policy_of(self.rule))
            case "tick":
                self.wait_for_the_worker()
            case unknown:
                raise AssertionError(f"unknown operation {unknown}")
        self.note(operation["id"])

    def report(self, operation: dict[str, Any]) -> None:
        again = operation["id"] in self.told
        body = {**submission(operation), "source": "case", "source_event_id": operation["id"]}
        answer = self.ward.post("/v1/near-misses", body, expect=200 if again else 201)
        self.names[answer["id"]] = operation["id"]
        self.told.setdefault(operation["id"], {**operation, "near_miss_id": answer["id"]})

    def correct(self, operation: dict[str, Any]) -> None:
        was = self.told[operation["target"]]
        near_miss_id = was.pop("near_miss_id")
        corrected = submission({**was, **operation["set"]})
        self.ward.correct(
            near_miss_id, **{name: corrected[name] for name in ("occurred_at", "incident_type", "attributes")}
        )
        self.told[operation["target"]] = {**was, **operation["set"], "near_miss_id": near_miss_id}

    def close(self, key: tuple[tuple[str, Any], ...]) -> None:
        """Close the review of the key: refused by every gate first, then let through."""
        wanted = {attribute(name): value for name, value in key}
        (escalation,) = [one for one in self.ward.escalations(status="awaiting_ack") if one["key"] == wanted]
        closure = {"code": "no_action_needed", "summary": "Closed as the case says."}
        refused = self.ward.review(escalation["review_id"], "closure", closure, expect=409)
        assert set(gates(refused)) == {
            "no_system_cause",
            "system_risk_not_assessed",
            "safeguarding_not_considered",
            "workflow_stage_not_identified",
        }
        self.ward.close(escalation, {**LINK, "stage_affected": "deliver", "stage_allowed": "plan"})

    def wait_for_the_worker(self) -> None:
        """Until no key has a crossing that waits for a cool-down that is over."""
        keys = {json.dumps(self.key_of(report), sort_keys=True) for report in self.told.values()}
        deadline = time.monotonic() + PATIENCE
        while any(self.is_owed(json.loads(key)) for key in keys) and time.monotonic() < deadline:
            threading.Event().wait(POLL_SECONDS)

    def is_owed(self, key: dict[str, Any]) -> bool:
        return self.ward.get("/v1/windows/explain", rule_id="case", **key)["state"] == "reached"

    def key_of(self, report: Mapping[str, Any]) -> dict[str, Any]:
        return {attribute(name): report[name] for name in self.rule["group_by"]}

    def note(self, by: str) -> None:
        """Whatever is new among the escalations came of the operation."""
        before, self.standing = {one["id"]: one for one in self.standing}, self.ward.escalations()
        for escalation in self.standing:
            if escalation["id"] not in before:
                self.firings.append((by, escalation["id"]))
                self.members[escalation["id"]] = [self.names[one] for one in kinds(escalation)]
                continue
            was = before[escalation["id"]]
            changed = [kind for one, kind in kinds(escalation).items() if kinds(was).get(one) != kind]
            self.attached += [(by, kind) for kind in changed if kind != "withdrawn"]
            self.flags += [(by, flag) for flag in escalation["flags"] if flag not in was["flags"]]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_the_service_answers_a_case_of_the_design(hospital: Hospital, case: dict[str, Any]) -> None:
    assert set(case.get("features", [])) <= SUPPORTED
    with hospital.service.client(hospital.keys[case["name"]]) as client:
        journey = Journey(hospital, Ward(client), case["rule"])

        journey.begin(case)
        for operation in case["events"]:
            journey.follow(operation)

        expected = [(firing["fires_at_event"], firing["members"]) for firing in case["expected"]]
        assert [(by, journey.members[one]) for by, one in journey.firings] == expected
        for firing, (_, escalation_id) in zip(case["expected"], journey.firings, strict=True):
            escalation = journey.ward.escalation(escalation_id)
            adopted = escalation["policy_version"] - journey.first_version + 1
            if "key" in firing:
                assert escalation["key"] == {attribute(name): value for name, value in firing["key"].items()}
            assert adopted == firing.get("policy_version", adopted)
            assert escalation["review_id"]
        assert journey.attached == [(one["event"], one["as"]) for one in case.get("attached", [])]
        assert journey.flags == [(one["at_event"], one["flag"]) for one in case.get("flags", [])]
        assert len(journey.ward.get("/v1/reviews", limit=200)["items"]) == len(expected)
        assert all(older["sequence"] < newer["sequence"] for older, newer in pairwise(journey.standing))


def submission(operation: Mapping[str, Any]) -> dict[str, Any]:
    """The operation as a submission."""
    attributes = {
        name: value for name, value in operation.items() if name not in OF_THE_OPERATION and name != "near_miss_id"
    }
    return report(
        occurred_at=operation["at"],
        incident_type=operation.get("type", "other"),
        deviation=None,
        attributes=attributes,
    )


def policy_of(rule: Mapping[str, Any]) -> dict[str, Any]:
    """A policy of the case's rule alone; the case's own fields become attributes."""
    document = {"id": "case", "name": "The rule of the case", **UNHURRIED, **rule}
    time_zone = document.pop("timezone", "UTC")
    document["group_by"] = [attribute(name) for name in rule["group_by"]]
    for name in ("weight", "distinct"):
        if name in rule:
            document[name] = attribute(rule[name])
    if "aliases" in rule:
        document["aliases"] = {
            attribute(alias): {of: attribute(name) for of, name in targets.items()}
            for alias, targets in rule["aliases"].items()
        }
    return {"rules": [document], "time_zone": time_zone, "details_due": "P20Y", "workflow_link_due": "P20Y"}


UNHURRIED = {
    "ladder": {"steps": [{"to": ["manager"], "timeout": "P20Y"}]},
    "review_due": "P20Y",
}
"""The cases share one clock and lie years apart: nobody is to be asked again meanwhile, for they are about windows."""


def attribute(name: str) -> str:
    return f"attributes.{name}"
