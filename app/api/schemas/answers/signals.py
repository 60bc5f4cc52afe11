"""A signal: what rises or falls silent in a service, by which numbers, and what somebody answered."""

from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from app.api.schemas.answers.common import Answered, Instant, NextCursor, Number, Words, showing

SIGNAL_EXAMPLE: dict[str, Any] = {
    "id": "sig_92ca7a9327bd5cf08b1423b00efd9378",
    "sequence": 311,
    "status": "acknowledged",
    "kind": "rising",
    "service_id": "willow-house",
    "incident_type": "medication",
    "measure": "count_per_week",
    "method": "poisson_cusum",
    "recent": 1.0,
    "recent_count": 8,
    "recent_weeks": 8,
    "baseline": 0.145833,
    "baseline_count": 3,
    "baseline_weeks": 24,
    "statistic": 6.4,
    "limit": 4.85,
    "since": "2026-01-05T00:00:00.000000Z",
    "since_week": "2026-W02",
    "until_week": "2026-W09",
    "as_of_sequence": 310,
    "says": "Medication near misses in willow-house have become more frequent since 5 January 2026: 8 in the last 8 "
    "weeks, where about 1.2 would be usual. A rise like this comes by chance about once in ten years. No "
    "escalation of this service asked about them meanwhile.",
    "design": {"mu0": 0.15, "mu1": 0.3, "k": 0.2, "h": 4.85, "arl0": 577.445},
    "owner": {"role": "manager", "holders": ["manager-2"], "nobody_reachable": False},
    "raised_at": "2026-03-02T00:00:04.118402Z",
    "acknowledgement": {
        "note": "Two seniors left in January; evening rounds are covered by agency staff until April.",
        "by": "manager-2",
        "at": "2026-03-03T09:12:44.018243Z",
    },
    "version": 2,
}


class SignalOwner(Answered):
    """Who was told, and is to answer."""

    role: Literal["manager"]
    holders: list[str] = Field(description="Who held the role for the service then, by their references.")
    nobody_reachable: bool


class SignalAcknowledged(Answered):
    """What somebody answered."""

    note: Words
    by: str
    at: Instant


class SignalDesign(Answered):
    """The Poisson CUSUM: usual `mu0` and sought `mu1` a week, reference value `k`, decision interval `h`, and in how
    many weeks it alarms once by chance.
    """

    mu0: Number
    mu1: Number
    k: Number
    h: Number
    arl0: Number


class Signal(Answered):
    """What was found in alarm, and the numbers by which it was; they stay as they were told."""

    model_config: ClassVar[ConfigDict] = showing(SIGNAL_EXAMPLE)

    id: str
    sequence: int
    status: Literal["open", "acknowledged"]
    kind: Literal["rising", "chance_share", "drought"]
    service_id: str
    locality: str | None = Field(None, description="Where the service belonged when it was told.")
    incident_type: str | None = None
    source: str | None = Field(None, description="Of a drought: the source that no longer reports.")
    says: str = Field(description="The same in a sentence.")
    measure: Literal["count_per_week", "chance_share", "days_without_report"]
    method: Literal["poisson_cusum", "fisher_exact", "poisson_gap"]
    recent: Number | None = Field(None, description="Of the weeks that are watched: a count a week, or a share.")
    recent_count: int | None = None
    recent_total: int | None = Field(None, description="Of a share: near misses whose barrier is known.")
    recent_weeks: int | None = None
    baseline: Number = Field(description="What was usual: a count a week, or a share.")
    baseline_count: int
    baseline_total: int | None = None
    baseline_weeks: int | None = None
    baseline_days: int | None = None
    statistic: Number | None = Field(None, description="The CUSUM, or the p-value of the share.")
    limit: Number = Field(description="The CUSUM is at it or above; a p-value is below it.")
    design: SignalDesign | None = None
    gap_days: Number | None = Field(None, description="Days without a report.")
    expected: Number | None = Field(None, description="Reports to expect in these days.")
    p: Number | None = Field(None, description="The probability that none comes in them.")
    since: Instant = Field(description="Since when it rises, or nothing was reported.")
    since_week: str | None = None
    until_week: str | None = Field(None, description="The newest week that is counted: the last one that was over.")
    as_of_sequence: int = Field(description="Counted as the ledger stood then.")
    owner: SignalOwner
    raised_at: Instant
    acknowledgement: SignalAcknowledged | None = None
    version: int


class SignalList(Answered):
    """A page of signals, newest first."""

    items: list[Signal]
    next_cursor: NextCursor
