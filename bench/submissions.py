"""Near misses as a provider of forty services would send them in a year; the same for the same number, always.

Weights are skewed as real reports are, medication first, so that most windows hold one to six similar reports.
"""

import json
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

SERVICES = 40
STAFF = 200
PERSONS = 400
DAYS = 365

_KINDS = (
    ("medication", ("late", "omitted", "wrong_dose", "early"), (50, 30, 12, 8), 55),
    ("visit", ("late", "missed", "short"), (60, 25, 15), 25),
    ("escalation", ("late", "no_response"), (70, 30), 8),
    ("moving_handling", ("unsafe_technique", "single_handed"), (60, 40), 5),
    ("equipment", ("fault", "unavailable"), (50, 50), 4),
    ("records", ("missing_entry", "outdated_plan"), (70, 30), 3),
)
_TYPE_WEIGHTS = [kind[3] for kind in _KINDS]
_FACTORS = ("workload", "staffing", "communication_systems", "scheduling", "task", "team", "training", "individual")
_BARRIERS = ("staff_check", "system_alert", "colleague", "person_or_family", "chance")
_SENTENCES = (
    "The evening round started late because two carers were still on the first floor.",
    "The chart was on the other trolley and had not been carried over at handover.",
    "A colleague noticed it at the second check and put it right before anything was given.",
    "The family rang to ask where the carer was, and the coordinator sent the nearest one.",
    "The alert came up on the tablet; it had been dismissed once in the hour before.",
    "Nobody was allocated to the call after the rota had been changed in the afternoon.",
)


def document(number: int, now: datetime) -> dict[str, Any]:
    """One submission; `now` is where the year ends."""
    draw = Random(number)
    kind, deviations, weights, _ = draw.choices(_KINDS, _TYPE_WEIGHTS)[0]
    service = min(int(draw.expovariate(4 / SERVICES)), SERVICES - 1)
    happened = now - timedelta(seconds=draw.randrange(3600, DAYS * 86_400))
    narrative = " ".join(draw.sample(_SENTENCES, 3))[:220]
    said: dict[str, Any] = {
        "source": f"emar:service-{service}",
        "source_event_id": f"e-{number}",
        "occurred_at": happened.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "service_id": f"service-{service}",
        "incident_type": kind,
        "deviation": draw.choices(deviations, weights)[0],
        "classification": draw.choices(("near_miss", "no_harm_incident", "unsafe_condition"), (85, 12, 3))[0],
        "contributing_factors": draw.sample(_FACTORS, draw.randint(1, 3)),
        "staff_involved": [
            {"ref": f"staff-{one}", "role": "carer"} for one in draw.sample(range(STAFF), draw.randint(1, 2))
        ],
        "person_ref": f"person-{draw.randrange(PERSONS)}",
        "recovery_barrier": draw.choice(_BARRIERS),
        "potential_harm": draw.choices(("low", "moderate"), (80, 20))[0],
        "narrative": narrative,
        "attributes": {"unit": draw.choice(("ground floor", "first floor", "annexe")), "in_round": draw.randint(4, 30)},
    }
    return said


def bodies(first: int, count: int, now: datetime | None = None) -> list[bytes]:
    """Submissions from one number on, as they go over the wire."""
    until = now or datetime.now(UTC)
    return [json.dumps(document(number, until)).encode() for number in range(first, first + count)]
