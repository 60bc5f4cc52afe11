"""What an organisation has settled, its services, words and rules; and what its rules see: windows and heatmaps."""

from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from app.api.schemas.answers.common import (
    Answered,
    Day,
    Duration,
    Instant,
    Key,
    Mode,
    NextCursor,
    Number,
    Words,
    absent_not_null,
    showing,
)
from app.api.schemas.answers.less_sensitive import LessSensitive

# Services


class LocalityHeld(Answered):
    """Where the service belongs, from a day until before another."""

    locality: str
    since: Day = Field(alias="from")
    until: Day | None = Field(None, alias="to")


class RoleHeld(Answered):
    """Who holds a role for the service."""

    role: str
    ref: Words
    since: Day = Field(alias="from")
    until: Day | None = Field(None, alias="to")


class Service(Answered):
    """A service of the register."""

    id: str
    name: str
    service_type: str
    regulator_location_id: str | None = None
    time_zone: str | None = None
    aliases: list[str]
    localities: list[LocalityHeld]
    role_holders: list[RoleHeld]
    version: int


class ServiceList(Answered):
    """A page of services, newest first."""

    items: list[Service]
    next_cursor: NextCursor


# Words


class Term(Answered):
    """A code and what people read for it."""

    code: str
    label: str
    incident_type: str | None = Field(None, description="Of deviations and workflow stages.")
    retired: Literal[True] | None = Field(None, description="Refused for new records, readable for ever.")


class Taxonomy(Answered):
    """The organisation's words."""

    version: int
    incident_types: list[Term]
    classifications: list[Term]
    deviations: list[Term]
    workflow_stages: list[Term]
    contributing_factors: list[Term]
    recovery_barriers: list[Term]
    cause_codes: list[Term]
    closure_codes: list[Term]


# Rules

MatchValue = str | Number | list[str | Number]


class Step(Answered):
    """Who is asked, and how long an answer is waited for."""

    to: list[str]
    timeout: Duration
    time_basis: Literal["elapsed", "working"]


class Ladder(Answered):
    """The steps that an escalation climbs until somebody answers."""

    steps: list[Step]
    repeat: int
    backstop: str
    ack_remind: Duration | None = None
    ack_confirm: Duration | None = None
    max_snooze: Duration | None = None


class Rule(Answered):
    """One rule for repetition, every default written out."""

    id: str
    name: str
    match: dict[str, MatchValue]
    match_any: list[dict[str, MatchValue]]
    group_by: list[str]
    threshold: int
    window: Duration
    op: Literal["gte", "gt"]
    distinct: str | None = None
    weight: str | None = None
    missing_key: Literal["exclude", "group"]
    cooldown: Duration | None = None
    window_basis: Literal["elapsed", "calendar"]
    count_classifications: list[str]
    mode: Mode
    aliases: dict[str, dict[str, str]]
    require_types: list[str]
    require_sequence: list[str]
    review_due: Duration
    ladder: Ladder


class Opening(Answered):
    """From opening until closing; a closing not after its opening is the next day's."""

    weekday: Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    since: str = Field(alias="from", description="HH:MM.")
    until: str = Field(alias="to", description="HH:MM.")


class WorkingTime(Answered):
    """When the organisation is at work; without a country it observes no public holidays."""

    hours: list[Opening]
    country: str | None = None
    subdivision: str | None = None
    closed_on: list[Day]


class ChanceFirings(Answered):
    """What a rule would open at the organisation's own rates of the last year if nothing were wrong."""

    rule_id: str
    mode: Mode
    days: float = Field(description="Days of reports that the rates were counted over.")
    records: int = Field(description="Reports in them that the rule counts.")
    episodes_per_year: float | None = Field(description="λ·P(Poisson(λW) = N − 1), summed over the rule's keys.")
    episodes_per_year_if_doubled: float | None = Field(description="If everything happened twice as often.")
    busiest_key_per_year: float | None = Field(description="Reports a year on the key that has most.")
    warning: Literal["noisy", "deaf"] | None
    says: str


class Policy(Answered):
    """A policy, complete."""

    version: int
    rules: list[Rule]
    time_zone: str
    shifts: dict[str, list[dict[str, str]]] = Field(
        description='Service id or "*" → brackets {bracket, from, to}; left out, those of the service type.'
    )
    governance_cadence: Duration
    details_due: Duration
    workflow_link_due: Duration
    working_time: WorkingTime
    reason: str | None = None
    less_sensitive: LessSensitive | None = Field(
        None, description="What it would have lost when it was adopted; absent when nothing."
    )
    expected_chance_firings: list[ChanceFirings] | None = Field(
        None, description="Of the policy in force, rule by rule; not of former versions."
    )


class PolicyVersion(Policy):
    """A policy that was once in force."""

    adopted_at: Instant | None = Field(description="Null for version 1, which every organisation begins with.")
    adopted_by: str | None = None


class PolicyVersions(Answered):
    """Every version that was ever in force, newest first."""

    items: list[PolicyVersion]
    next_cursor: NextCursor


# What the rules see

WINDOW_EXAMPLE: dict[str, Any] = {
    "rule_id": "similar",
    "mode": "active",
    "key": {"service_id": "willow-house", "incident_type": "medication", "deviation": "omitted"},
    "window": "P14D",
    "threshold": 3,
    "op": "gte",
    "count": 3,
    "distance": 0,
    "next_expiry": "2026-03-09T07:15:00.000000Z",
    "state": "open",
    "escalation_id": "esc_92ca7a9327bd5cf08b1423b00efd9378",
    "policy_version": 2,
}


class Window(Answered):
    """Where one key of one rule stands."""

    model_config: ClassVar[ConfigDict] = showing(WINDOW_EXAMPLE)

    rule_id: str
    mode: Mode
    key: Key
    window: Duration
    threshold: int
    op: Literal["gte", "gt"]
    count: Number
    distance: Number = Field(description="How many more would reach the threshold; 0 when it is reached.")
    next_expiry: Instant | None = Field(description="When the count next falls; null when nothing counts.")
    state: Literal["off", "unkeyed", "open", "cooling_down", "reached", "below_threshold"]
    escalation_id: str | None = Field(description="The open escalation of the key.")
    policy_version: int


class WindowExplained(Window):
    """The same with its reasons."""

    model_config: ClassVar[ConfigDict] = ConfigDict(json_schema_extra=absent_not_null)

    near_miss_ids: list[str]
    previous_escalation_id: str | None
    cooldown_until: Instant | None
    because: str


class HeatmapCell(Answered):
    """One cell of a heatmap: its count, what its share of the hours would explain, and its rate per 1,000."""

    row: str | None
    column: str | None
    count: int | None = Field(description="Null when it is withheld: see `suppressed`.")
    expected: Number | None = Field(
        None, description="Of an axis of the clock: what the line would have here, spread evenly over the hours."
    )
    above_expected: Literal[True] | None = Field(
        None, description="Far more than the hours would explain: by chance in fewer than 1 cell of 1,000."
    )
    rate: Number | None = Field(None, description="Per 1,000 of `rate_per`, by the cell's own service, week or month.")
    suppressed: Literal[True] | None = None


class Heatmap(Answered):
    """Counts by two axes; total = cells + unlinked. A key that may read no single record is told no small count."""

    model_config: ClassVar[ConfigDict] = showing(
        {
            "rows": ["administer", "handover"],
            "columns": ["day", "evening_handover"],
            "cells": [
                {"row": "administer", "column": "day", "count": 2, "expected": 0.94},
                {
                    "row": "handover",
                    "column": "evening_handover",
                    "count": 7,
                    "expected": 0.22,
                    "above_expected": True,
                },
            ],
            "total": 11,
            "unlinked": 2,
            "as_of_sequence": 48,
        }
    )

    rows: list[str | None]
    columns: list[str | None]
    cells: list[HeatmapCell]
    total: int | None = Field(description="Null when a small count could be worked out from it.")
    unlinked: int | None = Field(description="Without a stage where a stage is an axis; null when it is withheld.")
    as_of_sequence: int
    rate: Number | None = Field(None, description="The total per 1,000 of `rate_per`.")
    rate_per: Literal["doses_due", "visits_scheduled", "resident_days"] | None = None
    exposure: int | None = Field(None, description="How much of `rate_per` there was in the period.")
    suppressed: Literal[True] | None = None


class CellMembers(Answered):
    """The ids of the near misses of one cell."""

    items: list[str]
    next_cursor: NextCursor
