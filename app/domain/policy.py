"""The policy of an organisation: its rules for repetition, the zone it counts in, its shifts and its terms.

A version is never changed, only followed: each report is judged by the version in force when it was recorded. So the
document that is kept is complete, every default written out, and reads back as the same policy.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from app.domain.moment import Span
from app.domain.own_rule import BREACHED_REVIEWS
from app.domain.reading import Fields, Reading, each_once, pointer_to, without_absent
from app.domain.rule import Rule
from app.domain.rule_document import read_rule, rule_document
from app.domain.working_time_document import OFFICE_IN_ENGLAND, WorkingTime, read_working_time, working_time_document

CADENCE = Span.parse("P1M")
DETAILS_DUE = Span.parse("P3D")
WORKFLOW_LINK_DUE = Span.parse("P7D")

_MOST_RULES = 50
_MOST_SERVICES = 10_000
_MOST_BRACKETS = 100
_POLICY = (
    "rules", "time_zone", "shifts", "governance_cadence", "details_due", "workflow_link_due", "working_time", "reason",
)  # fmt: skip
_BRACKET = ("bracket", "from", "to")
_ZONE = re.compile(r"(?!right/|posix/|localtime$|posixrules$)[A-Za-z0-9_+/-]{1,64}")

Shifts = Mapping[str, Sequence[Mapping[str, str]]]
"""Service id, or "*" for every other → brackets {bracket, from: "07:00", to: "08:00"}, which may cross midnight."""


@dataclass(frozen=True, slots=True)
class Policy:
    """One version of the policy. `zone` is the time zone itself, of the name in `time_zone`.

    `details_due` and `workflow_link_due`: how long a record may await its details, or its link, before somebody is
    chased. `working_time`: what a step waits in whose `time_basis` is `working`. `judging`: the rules that judge, the
    one for what the service records about itself among them.
    """

    version: int
    rules: tuple[Rule, ...]
    time_zone: str = "UTC"
    shifts: Shifts = field(default_factory=dict[str, Sequence[Mapping[str, str]]])
    governance_cadence: Span = CADENCE
    details_due: Span = DETAILS_DUE
    workflow_link_due: Span = WORKFLOW_LINK_DUE
    working_time: WorkingTime = OFFICE_IN_ENGLAND
    reason: str | None = None
    zone: ZoneInfo = field(init=False, repr=False, compare=False)
    judging: tuple[Rule, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "zone", ZoneInfo(self.time_zone))
        has_own = any(rule.id == BREACHED_REVIEWS.id for rule in self.rules)
        object.__setattr__(self, "judging", self.rules if has_own else (*self.rules, BREACHED_REVIEWS))

    @property
    def counted(self) -> frozenset[str]:
        """The classifications that any active rule counts."""
        return frozenset(name for rule in self.rules if rule.mode == "active" for name in rule.count_classifications)

    def rule(self, rule_id: str) -> Rule | None:
        """The rule of that id, whichever version it was first written for."""
        return next((rule for rule in self.judging if rule.id == rule_id), None)


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
        fields.span("details_due", DETAILS_DUE),
        fields.span("workflow_link_due", WORKFLOW_LINK_DUE),
        _working_time(fields),
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
            "details_due": str(policy.details_due),
            "workflow_link_due": str(policy.workflow_link_due),
            "working_time": working_time_document(policy.working_time),
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


def _working_time(fields: Fields) -> WorkingTime:
    value = fields.given("working_time")
    return OFFICE_IN_ENGLAND if value is None else read_working_time(fields.reading, value, "/working_time")


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
    return read | {name: fields.clock(name) for name in ("from", "to")}
