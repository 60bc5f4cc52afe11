"""An assurance over a ledger of so many events: how fast, and how much memory it takes beside what it is given.

`python -m bench.assurance 100000`: a process of its own, for its peak of memory is what is told. The events are those
of four hundred services that report every minute, cross, are linked, and whose reviews are closed in part.
"""

import json
import random
import resource
import sys
import time
from collections.abc import Iterator
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from app.events.envelope import instant
from app.proof.assurance import assure
from app.proof.events import Event

BEGIN = 1_772_445_600_000_000
MINUTE = 60_000_000
DAY = 1440 * MINUTE
SERVICES = 400
DEVIATIONS = ("late", "omitted", "early", "extra", "wrong_dose")


class Result(NamedTuple):
    """Of one run. `grown`: the peak of memory beyond what the process had before, in MiB."""

    events: int
    seconds: float
    making: float
    grown: float
    crossings: int
    exceptions: int


class _Ledger:
    """Makes events, in order, as a service writes them."""

    def __init__(self) -> None:
        self.sequence = 0
        self.chance = random.Random(1)
        self.near: dict[tuple[str, str], list[tuple[int, str]]] = {}
        self.opened: dict[tuple[str, str], tuple[str, list[str]]] = {}

    def event(self, stream: str, name: str, at: int, data: dict[str, Any], cause: str) -> Event:
        self.sequence += 1
        its_id = str(self.sequence)
        return Event("bench", self.sequence, its_id, stream, 1, name, 1, at, at, "key/bench", cause, None, data)

    def report(self, number: int) -> Iterator[Event]:
        at, chance = BEGIN + number * MINUTE, self.chance
        key = (f"service-{chance.randrange(SERVICES)}", chance.choice(DEVIATIONS))
        near_miss_id, cause = f"nm_{number:032x}", str(UUID(int=number))
        yield self.event(f"near_miss/{near_miss_id}", "near_miss.recorded", at, _recorded(at, *key), cause)
        near = self.near[key] = [one for one in self.near.get(key, ()) if one[0] > at - 14 * DAY]
        near.append((at, near_miss_id))
        if key in self.opened:
            escalation_id, members = self.opened[key]
            members.append(near_miss_id)
            added = {"near_miss_id": near_miss_id, "kind": "member", "notify": []}
            yield self.event(f"escalation/{escalation_id}", "escalation.member_added", at, added, cause)
            if chance.random() < 0.1:
                yield from self.close(key, at)
        elif len(near) >= 3:
            yield from self.raise_it(key, at, cause)
        if chance.random() < 0.3:
            link = {"stage_affected": "administer", "stage_allowed": "handover", "system_used": "eMAR"}
            linked = {"link": link, "similarity_check": {"checked_at": instant(at)}}
            yield self.event(f"near_miss/{near_miss_id}", "near_miss.linked", at, linked, f"link {number}")

    def raise_it(self, key: tuple[str, str], at: int, cause: str) -> Iterator[Event]:
        service, deviation = key
        members = [near_miss_id for _, near_miss_id in self.near[key]]
        text = json.dumps([service, "medication", deviation], separators=(",", ":"))
        its_id = uuid5(UUID(cause), f"escalation similar {text}").hex
        self.opened[key] = (f"esc_{its_id}", members)
        raised = {
            "rule_id": "similar",
            "policy_version": 1,
            "key": [["service_id", service], ["incident_type", "medication"], ["deviation", deviation]],
            "key_text": text,
            "threshold": 3,
            "window": "P14D",
            "members": [{"near_miss_id": one, "kind": "member"} for one in members],
            "crossed_at": instant(at),
            "service_id": service,
            "review_id": f"rev_{its_id}",
            "raised_at": instant(at),
            "review_due_at": instant(at + 14 * DAY),
            "notify": ["manager"],
            "respond_by": instant(at + DAY),
        }
        yield self.event(f"escalation/esc_{its_id}", "escalation.raised", at, raised, cause)
        yield self.event(f"review/rev_{its_id}", "review.opened", at, {"escalation_id": f"esc_{its_id}"}, cause)

    def close(self, key: tuple[str, str], at: int) -> Iterator[Event]:
        escalation_id, members = self.opened.pop(key)
        self.near[key] = []
        review, cause = escalation_id.replace("esc_", "review/rev_"), f"close {escalation_id}"
        yield self.event(review, "review.system_risk_determined", at, {"determination": "not_system_risk"}, cause)
        yield self.event(review, "review.closed", at, {"code": "no_action_needed"}, cause)
        closed = {"code": "no_action_needed", "consumed": members}
        yield self.event(f"escalation/{escalation_id}", "escalation.closed", at, closed, cause)


def events(most: int) -> Iterator[Event]:
    """A ledger of so many events, and the few more that its last command makes."""
    ledger, number = _Ledger(), 0
    yield ledger.event("organisation/current", "organisation.opened", BEGIN, {"name": "bench"}, "begin")
    while ledger.sequence < most:
        number += 1
        yield from ledger.report(number)


def run(most: int) -> Result:
    """One assurance over so many events; what making the events takes is measured by itself."""
    assure(events(1000), since=None, until=None, at=BEGIN)
    began = time.process_time()
    for _ in events(most):
        pass
    making = time.process_time() - began
    before = _peak()
    began = time.process_time()
    report = assure(events(most), since=None, until=None, at=BEGIN + most * MINUTE)
    seconds = time.process_time() - began - making
    repeated = report["validations"][0]
    missing = [one for one in repeated["exceptions"] if one["reason"] == "review_missing"]
    assert not missing, "the bench's own ledger has every review"
    assert all(one["recomputed"] for one in repeated["crossings"]), "and raises what is to be raised"
    position = report["as_of_sequence"]
    return Result(position, seconds, making, _peak() - before, repeated["population"], repeated["exceptions_total"])


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _recorded(at: int, service: str, deviation: str) -> dict[str, Any]:
    report = {
        "occurred_at": instant(at),
        "incident_type": "medication",
        "classification": "near_miss",
        "zone": "Europe/London",
        "service_id": service,
        "deviation": deviation,
        "contributing_factors": ["workload"],
        "staff_involved": [{"ref": {"sealed": "x" * 60, "key": "k_1", "token": "t" * 40}}],
        "narrative": {"sealed": "y" * 200, "key": "k_2"},
    }
    return {
        "report": report,
        "similarity_check": {"checked_at": instant(at), "policy_version": 1, "rules": []},
        "taxonomy_version": 1,
        "workflow_link_due_at": instant(at + 7 * DAY),
        "workflow_link_due": "P7D",
    }


if __name__ == "__main__":
    found = run(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
    sys.stdout.write(json.dumps({**found._asdict(), "events_per_second": int(found.events / found.seconds)}) + "\n")
