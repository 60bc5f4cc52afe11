"""Sixty days of one service by the test clock, from outside: nobody answers, all are asked in turn, a person ends it.

Told twice: once by a service that stays up, once by one whose process is killed before each step and started again
after the clock has moved on. Both must tell the same story, event by event, with the same scheduled times.
"""

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, select

from app.database.tables import events, timers
from app.domain.moment import to_micros
from app.settings import Settings
from tests.journeys.ward import ACTION, CAUSES, LINK, SAFEGUARDING, SYSTEM_RISK, Ward, gates, text
from tests.rounds import rounds
from tests.service import running_service

BEGUN = datetime(2026, 3, 2, 10, tzinfo=UTC)
KILLS = rounds(100) // 2
"""Steps before which the process is killed: in `make test` the first few."""


PATIENCE = 60.0
"""Seconds for the worker to answer what is due."""


class Home:
    """A care home's service with a clock in the test's hand; `kills` steps find its process dead."""

    def __init__(self, database_url: str, directory: Path, kills: int) -> None:
        self._engine = create_engine(Settings(database_url=database_url).url)
        self._database_url = database_url
        self._directory = directory
        self._clock = directory / "clock"
        self._kills = kills
        self._running = ExitStack()
        self._clock.write_text(text(BEGUN))
        self._start()

    def _start(self) -> None:
        environment = {"FOREWARN_CLOCK": f"file:{self._clock}", "FOREWARN_ENVIRONMENT": "test"}
        self._service = self._running.enter_context(
            running_service(self._database_url, self._directory, environment=environment)
        )
        self.ward = Ward(self._running.enter_context(self._service.client()))

    def on(self, day: float, **more: float) -> Ward:
        """The ward on a day after the beginning, once nothing is due any more."""
        is_killed, self._kills = self._kills > 0, self._kills - 1
        if is_killed:
            self._service.kill()
            self._running.close()
        instant = text(BEGUN + timedelta(days=day, **more))
        self._clock.with_suffix(".new").write_text(instant)
        self._clock.with_suffix(".new").replace(self._clock)
        if is_killed:
            self._start()
        given_up = time.monotonic() + PATIENCE
        while self._is_due(BEGUN + timedelta(days=day, **more)):
            self.ward.get("/livez")  # The worker looks several times a second.
            assert time.monotonic() < given_up, self._service.log
        return self.ward

    def _is_due(self, now: datetime) -> bool:
        due = select(timers).where(timers.c.due_at <= to_micros(now))
        with self._engine.connect() as connection:
            return connection.execute(due).first() is not None

    def notices(self) -> Counter[str]:
        """How often each was told anything, by role; a key's id is another one each time."""
        told = self.ward.get("/v1/notices", limit=200)
        assert told["next_cursor"] is None
        return Counter(one["to"].partition("/")[0] for one in told["items"])

    def close(self) -> None:
        self._running.close()
        self._engine.dispose()

    def told(self) -> list[dict[str, Any]]:
        """What the ledger tells of escalations, reviews and the service's own near misses, ids by their order."""
        names: dict[str, str] = {}
        story: list[dict[str, Any]] = []
        with self._engine.connect() as connection:
            for row in connection.execute(select(events).order_by(events.c.sequence)):
                if not row.stream.startswith(("escalation/", "review/", "action/")):
                    continue
                stream = names.setdefault(row.stream, f"{row.stream.split('/')[0]} {len(names)}")
                data = json.loads(row.payload)
                kept = {name: data[name] for name in KEPT if name in data}
                told = [one.partition("/")[0] for one in data.get("notify", ())]  # A key's id is another one each time.
                story.append({"stream": stream, "type": row.type, "notify": told, **kept})
        return story


KEPT = ("scheduled_at", "respond_by", "level", "loop", "times", "why", "until", "review_due_at", "code")


@contextmanager
def lived(database_url: str, directory: Path, kills: int) -> Iterator[Home]:
    """A home in which the story was lived through."""
    home = Home(database_url, directory, kills)
    try:
        live_through(home)
        yield home
    finally:
        home.close()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, Any]], Counter[str]]:
    """The story and the notices where nobody kills anything: the same for each database that it is held against."""
    directory = tmp_path_factory.mktemp("undisturbed")
    with lived(f"sqlite:///{directory / 'forewarn.db'}", directory, 0) as home:
        return home.told(), home.notices()


def day(number: float, **more: float) -> str:
    """The instant of a day after the beginning, as the service writes it."""
    return (BEGUN + timedelta(days=number, **more)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def deadlines(escalation: Mapping[str, Any]) -> dict[str, str]:
    return {one["kind"]: one["due_at"] for one in escalation["next_deadlines"]}


def live_through(home: Home) -> None:
    """The story, with what must be true on each of its days."""
    ward = home.on(0)
    members = [ward.submit(occurred_at=text(BEGUN - timedelta(hours=hours)))["id"] for hours in (30, 20, 1)]
    (raised,) = ward.escalations()
    assert raised["status"] == "awaiting_ack"
    assert raised["contacts"] == ["manager"]
    assert deadlines(raised) == {"ack_due": day(1), "review_due": day(14)}

    nobody_answers(home, raised["id"])

    ward = home.on(6)
    epoch = ward.escalation(raised["id"])["epoch"]
    stale = ward.post(f"/v1/escalations/{raised['id']}/manual-escalation", {"if_epoch": epoch - 1}, expect=409)
    assert stale["type"].endswith("stale-epoch")
    taken = ward.post(f"/v1/escalations/{raised['id']}/acknowledgement", {})
    assert taken["status"] == "acknowledged"
    assert deadlines(taken) == {"review_due": day(14)}

    ward = home.on(14)
    late = ward.escalation(raised["id"])
    assert "overdue" in late["flags"]
    assert late["status"] == "acknowledged"
    assert [one["id"] for one in ward.escalations(overdue=True)] == [raised["id"]]
    (own,) = [one for one in ward.get("/v1/near-misses")["items"] if one.get("source") == "forewarn"]
    assert own["incident_type"] == "escalation"
    assert [rule["rule_id"] for rule in own["similarity_check"]["rules"]] == ["breached-reviews"]

    ward = home.on(20)
    every_gate_one_by_one(ward, raised["review_id"], members)
    closed = ward.escalation(raised["id"])
    assert closed["status"] == "monitoring_outcome"
    assert closed["next_deadlines"] == []
    assert {ward.near_miss(one)["status"] for one in members} == {"closed"}

    ward = home.on(25)
    again = ward.review(raised["review_id"], "reopening", {"reason": "A carer remembers a fourth evening."})
    assert again["status"] == "under_review"
    reopened = ward.escalation(raised["id"])
    assert reopened["status"] == "awaiting_ack"
    assert reopened["level"] == 0
    assert deadlines(reopened) == {"ack_due": day(26), "review_due": day(39)}
    ward.review(raised["review_id"], "closure", {"code": "action_agreed", "summary": "The sheet holds."})

    ward = home.on(40)
    for hours in (3, 2, 1):
        ward.submit(occurred_at=text(BEGUN + timedelta(days=40) - timedelta(hours=hours)))
    (second,) = ward.escalations(status="awaiting_ack")
    assert second["previous_episode_id"] == raised["id"]
    refused = ward.review(raised["review_id"], "reopening", {"reason": "Once more."}, expect=409)
    assert gates(refused) == {"newer_episode_open": [second["id"]]}

    ward = home.on(60)
    silent = ward.escalation(second["id"])
    assert silent["status"] == "awaiting_ack"
    assert {"chain_exhausted", "overdue"} <= set(silent["flags"])
    assert set(deadlines(silent)) == {"ack_due", "review_due"}
    assert min(deadlines(silent).values()) > day(60)
    told = ward.get("/v1/notices", escalation_id=second["id"], after=second["sequence"])["items"]
    assert [one["to"] for one in told] == ["leadership", "operations", "deputy"]
    assert (told[0]["first_scheduled_at"], told[0]["scheduled_at"]) == (day(44), day(60))
    assert told[0]["coalesced"] > 60 - 44


def nobody_answers(home: Home, escalation_id: str) -> None:
    """Each level is asked at its minute, then the backstop, again and again."""
    for passed, level, contacts, due in (
        (timedelta(days=1) - timedelta(seconds=1), 0, ["manager"], 1),
        (timedelta(days=1), 1, ["deputy"], 2),
        (timedelta(days=2), 2, ["operations"], 4),
        (timedelta(days=4), 2, ["leadership"], 5),
        (timedelta(days=5, hours=7), 2, ["leadership"], 6),
    ):
        here = home.on(0, seconds=passed.total_seconds()).escalation(escalation_id)
        assert (here["level"], here["contacts"]) == (level, contacts)
        assert deadlines(here)["ack_due"] == day(due)
        assert ("chain_exhausted" in here["flags"]) is (due > 4)


def every_gate_one_by_one(ward: Ward, review_id: str, members: list[str]) -> None:
    """The review does not close until the last of its gates is met, and each refusal names those that are left."""
    closure = {"code": "no_action_needed", "summary": "Handover sheet changed."}
    link = {"near_miss_ids": members, "link": LINK}
    steps = {
        "no_system_cause": ("causes", CAUSES),
        "system_risk_not_assessed": ("system-risk", SYSTEM_RISK),
        "safeguarding_not_considered": ("safeguarding", SAFEGUARDING),
        "workflow_stage_not_identified": ("workflow-links", link),
        "no_action_for_system_risk": ("actions", ACTION),
    }
    left = [code for code in steps if code != "no_action_for_system_risk"]
    assert list(gates(ward.review(review_id, "closure", closure, expect=409))) == left
    for code, (step, body) in steps.items():
        refused = gates(ward.review(review_id, "closure", closure, expect=409))
        assert code in refused
        ward.review(review_id, step, body)
    ward.review(review_id, "closure", {**closure, "code": "action_agreed"})


@pytest.mark.soak
def test_sixty_days_are_the_same_story_on_any_database_however_often_the_process_is_killed(
    undisturbed: tuple[list[dict[str, Any]], Counter[str]], database_url: str, tmp_path: Path
) -> None:
    expected, told_once = undisturbed

    with lived(database_url, tmp_path, KILLS) as killed:
        story, notices = killed.told(), killed.notices()

    assert story == expected
    exhausted = [one["scheduled_at"] for one in story if one["type"] == "escalation.chain_exhausted"]
    assert exhausted[:2] == [day(4), day(5)]
    assert all(0 < notices[to] <= times for to, times in told_once.items())
    assert notices.keys() >= {name for one in story for name in one["notify"]}
