"""Somebody acknowledges at the minute at which the next level would be asked: one order wins, and both answers hold."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from app.clock import system_clock
from app.events.envelope import Envelope
from app.operations.tick import tick
from tests.journeys.inside import Inside
from tests.office import ledger_of
from tests.rounds import rounds

ROUNDS = rounds(1000)
LADDER = {
    "steps": [{"to": ["manager"], "timeout": "PT1M"}, {"to": ["deputy"], "timeout": "P1D"}],
    "backstop": "admin",
}
RULE = {"id": "each", "group_by": ["service_id"], "threshold": 1, "window": "P14D", "ladder": LADDER}
ACKNOWLEDGED = ["escalation.acknowledged"]
CLIMBED_BEFORE = ["escalation.ack_overdue", "escalation.level_entered", "escalation.acknowledged"]


@pytest.mark.soak
def test_acknowledging_races_the_timer_and_both_answers_are_true(inside: Inside) -> None:
    inside.ward.put("/v1/policy", {"rules": [RULE]})
    told: list[tuple[str, dict[str, Any]]] = []

    with ThreadPoolExecutor(2) as pool:
        for number in range(ROUNDS):
            (escalation_id,) = inside.ward.submit(service_id=f"s{number}")["escalation_ids"]
            due_at = inside.ward.escalation(escalation_id)["next_deadlines"][0]["due_at"]
            told.append((escalation_id, race(inside, pool, escalation_id, due_at, head_start=number % 4)))

    while tick(inside.house, "afterwards", system_clock()):
        pass
    streams = streams_of(inside)
    for escalation_id, answered in told:
        stream = streams[f"escalation/{escalation_id}"]
        happened = [one.type for one in stream[1:]]
        assert happened in (ACKNOWLEDGED, CLIMBED_BEFORE)
        assert answered["level"] == happened.count("escalation.level_entered")
        assert answered["version"] == len(stream)
        assert inside.ward.escalation(escalation_id, as_of=stream[-1].sequence) == answered


def race(inside: Inside, pool: ThreadPoolExecutor, escalation_id: str, due_at: str, head_start: int) -> dict[str, Any]:
    """Acknowledge while the minute comes and a worker looks; what the acknowledgement was answered."""
    ready = Barrier(2)

    def acknowledge() -> dict[str, Any]:
        ready.wait()
        return inside.ward.post(f"/v1/escalations/{escalation_id}/acknowledgement", {})

    def let_the_minute_come() -> None:
        ready.wait()
        for _ in range(head_start):  # Left to themselves, the clock is faster than a request.
            inside.client.get("/livez")
        inside.clock.set(due_at)
        tick(inside.house, "another", system_clock())

    acknowledging, waiting = pool.submit(acknowledge), pool.submit(let_the_minute_come)
    waiting.result()
    return acknowledging.result()


def streams_of(inside: Inside) -> dict[str, list[Envelope]]:
    streams: dict[str, list[Envelope]] = {}
    with inside.house.database.read() as connection:
        for one in ledger_of(connection):
            streams.setdefault(one.stream, []).append(one)
    return streams
