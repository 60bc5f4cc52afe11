"""The policy of an organisation: its rules for repetition, the zone it counts in, its shifts and its cadence.

A version is never changed, only followed: each report is judged by the version in force when it was recorded. So the
document that is kept is complete, every default written out, and reads back as the same policy.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from app.domain.moment import Span
from app.domain.reading import Fields, Reading, each_once, pointer_to, without_absent
from app.domain.rule import Rule
from app.domain.rule_document import read_rule, rule_document

CADENCE = Span.parse("P1M")

_MOST_RULES = 50
_MOST_SERVICES = 10_000
_MOST_BRACKETS = 100
_POLICY = ("rules", "time_zone", "shifts", "governance_cadence", "reason")
_BRACKET = ("bracket", "from", "to")
_CLOCK = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")
_ZONE = re.compile(r"(?!right/|posix/|localtime$|posixrules$)[A-Za-z0-9_+/-]{1,64}")

Shifts = Mapping[str, Sequence[Mapping[str, str]]]
"""Service id, or "*" for every other → brackets {bracket, from: "07:00", to: "08:00"}, which may cross midnight."""


@dataclass(frozen=True, slots=True)
class Policy:
    """One version of the policy. `zone` is the time zone itself, of the name in `time_zone`."""

    version: int
    rules: tuple[Rule, ...]
    time_zone: str = "UTC"
    shifts: Shifts = field(default_factory=dict[str, Sequence[Mapping[str, str]]])
    governance_cadence: Span = CADENCE
    reason: str | None = None
    zone: ZoneInfo = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "zone", ZoneInfo(self.time_zone))

    def rule(self, rule_id: str) -> Rule | None:
        """The rule of that id, whichever version it was first written for."""
        return next((rule for rule in self.rules if rule.id == rule_id), None)


DEFAULT_POLICY = Policy(
    version=1,
    rules=(
        Rule(
            id="similar",
            name="Similar near misses in one service",
            group_by=("service_id", "incident_type", "deviation"),
            threshold=3,
            window=Span.parse("P14D"),
            missing_key="group",
        ),
        Rule(
            id="grave",
            name="Safeguarding, or harm that could have been severe",
            match_any=((("incident_type", "safeguarding"),), (("potential_harm", ("severe", "death")),)),
            group_by=("service_id", "incident_type"),
            threshold=1,
            window=Span.parse("P14D"),
        ),
        Rule(
            id="handover",
            name="The same stage failing at handover",
            match=(("shift_bracket", ("morning_handover", "evening_handover", "handover")),),
            group_by=("service_id", "stage_allowed", "shift_bracket"),
            threshold=4,
            window=Span.parse("P14D"),
            mode="shadow",
        ),
        Rule(
            id="same-person",
            name="One person, near misses of any type",
            group_by=("person_ref",),
            threshold=3,
            window=Span.parse("P28D"),
            mode="shadow",
        ),
    ),
)
"""Three similar in fourteen days, and one of the gravest, open a review; two further rules are watched in shadow."""


def parse_policy(document: object, version: int) -> Policy:
    """The policy that a JSON document states; raises `Invalid` with every fault of it at once."""
    reading = Reading()
    fields = Fields.of(reading, document, "", _POLICY)
    items = fields.required("rules", "Give the rules of the policy, as an array.")
    rules = [] if items is None else reading.array(items, "/rules", _MOST_RULES)
    policy = Policy(
        version,
        tuple(read_rule(reading, item, f"/rules/{index}") for index, item in enumerate(rules)),
        _time_zone(fields),
        _shifts(fields),
        fields.span("governance_cadence", CADENCE),
        fields.text("reason", 8_000),
    )
    each_once(reading, [rule.id for rule in policy.rules], "/rules", "/id")
    reading.finish()
    return policy


def policy_document(policy: Policy) -> dict[str, Any]:
    """The policy as its complete document, but for the version: what GET shows and the ledger keeps."""
    return without_absent(
        {
            "rules": [rule_document(rule) for rule in policy.rules],
            "time_zone": policy.time_zone,
            "shifts": {service: [dict(bracket) for bracket in brackets] for service, brackets in policy.shifts.items()},
            "governance_cadence": str(policy.governance_cadence),
            "reason": policy.reason,
        }
    )


def _time_zone(fields: Fields) -> str:
    value = fields.given("time_zone")
    if value is None:
        return "UTC"
    try:
        if isinstance(value, str) and _ZONE.fullmatch(value):
            return ZoneInfo(value).key
    except (KeyError, ValueError, OSError):
        pass  # A folder of the zone database, or nothing of that name.
    fields.reading.refuse("/time_zone", "unknown-code", "Name a time zone of the IANA database, such as Europe/London.")
    return "UTC"


def _shifts(fields: Fields) -> Shifts:
    value = fields.given("shifts")
    reading = fields.reading
    services = {} if value is None else reading.members(value, "/shifts") or {}
    if len(services) > _MOST_SERVICES:
        reading.refuse("/shifts", "out-of-range", f"Give the shifts of at most {_MOST_SERVICES} services.")
        return {}
    shifts: dict[str, Sequence[Mapping[str, str]]] = {}
    for service, items in services.items():
        pointer = pointer_to("/shifts", service)
        reading.identifier(service, pointer)
        brackets = enumerate(reading.array(items, pointer, _MOST_BRACKETS))
        shifts[service] = tuple(_bracket(reading, item, f"{pointer}/{index}") for index, item in brackets)
    return shifts


def _bracket(reading: Reading, item: object, pointer: str) -> Mapping[str, str]:
    fields = Fields.of(reading, item, pointer, _BRACKET)
    bracket = fields.required("bracket", "Name the shift bracket.")
    read = {"bracket": "" if bracket is None else reading.identifier(bracket, fields.at("bracket"))}
    for name in ("from", "to"):
        clock = fields.required(name, "Give the time of day as HH:MM.")
        if clock is not None and not (isinstance(clock, str) and _CLOCK.fullmatch(clock)):
            reading.refuse(fields.at(name), "out-of-range", "Give the time of day as HH:MM, from 00:00 to 23:59.")
        read[name] = str(clock)
    return read
