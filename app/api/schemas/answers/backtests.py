"""What a backtest answers, and the reviews that rules in shadow would have opened."""

from typing import Any, ClassVar

from pydantic import ConfigDict, Field

from app.api.schemas.answers.common import Answered, Duration, Instant, Key, Mode, NextCursor, showing
from app.api.schemas.answers.settled import ChanceFirings

_KEY = {"service_id": "willow-house", "incident_type": "medication", "deviation": "omitted"}
_EPISODE: dict[str, Any] = {
    "rule_id": "similar",
    "mode": "active",
    "key": _KEY,
    "crossed_at": "2026-02-11T07:15:00.000000Z",
    "near_miss_ids": ["nm_3f0a", "nm_41c7", "nm_5b22"],
    "count": 3,
    "until": "2026-02-18T20:40:00.000000Z",
}
BACKTEST_ANSWER: dict[str, Any] = {
    "from": "2025-09-01T00:00:00.000000Z",
    "to": "2026-03-01T00:00:00.000000Z",
    "as_of_sequence": 1873,
    "compared_with": 1,
    "near_misses": 212,
    "episodes": [_EPISODE],
    "episodes_total": 1,
    "reviews": 1,
    "gained": [],
    "gained_total": 0,
    "lost": [],
    "lost_total": 0,
    "earlier": [],
    "earlier_total": 0,
    "later": [],
    "later_total": 0,
    "reviews_per_month": 0.17,
    "reviews_per_manager": [
        {"manager": "manager-2", "reviews": 1, "reviews_per_month": 0.17, "services": ["willow-house"]}
    ],
    "reviews_without_manager": {"reviews": 0, "services": []},
    "expected_chance_firings": [],
    "lead_times": {
        "harm_incidents": 1,
        "preceded": 1,
        "without_review_before": 0,
        "median": "P5D",
        "median_days": 5.0,
        "leads": [
            {
                "near_miss_id": "nm_77d1",
                "happened_at": "2026-02-16T07:15:00.000000Z",
                "rule_id": "similar",
                "key": _KEY,
                "crossed_at": "2026-02-11T07:15:00.000000Z",
                "lead": "P5D",
            }
        ],
    },
}


class ShadowEpisode(Answered):
    """A review that a rule in shadow would have opened; references in its key are tokens."""

    rule_id: str
    key: Key
    threshold: int
    window: Duration
    crossed_at: Instant
    near_miss_ids: list[str] = Field(description="Those in the window at the crossing, at most 100.")
    count: int = Field(description="How many those are.")
    until: Instant | None = Field(None, description="When the count fell below; absent while it has not.")


class ShadowEpisodeList(Answered):
    """The newest first, by the place in the ledger of the report that made them."""

    items: list[ShadowEpisode]
    next_cursor: NextCursor


class BacktestEpisode(Answered):
    """From the instant the trailing count reached the threshold until it fell below."""

    rule_id: str
    mode: Mode
    key: Key
    crossed_at: Instant
    near_miss_ids: list[str] = Field(description="Those in the window at the crossing, at most 100.")
    count: int = Field(description="How many those are.")
    until: Instant | None = Field(None, description="Absent while the count has not fallen.")


class BacktestMoved(BacktestEpisode):
    """The same episode of another version began at another time."""

    was_crossed_at: Instant


class ReviewsOfManager(Answered):
    """Of somebody who held the role `manager` for the services when the reviews would have opened."""

    manager: str | dict[str, bool] = Field(description="The reference; {erased: true} once it was erased.")
    reviews: int
    reviews_per_month: float
    services: list[str]


class ReviewsOfNobody(Answered):
    """Of services that had no manager then."""

    reviews: int
    services: list[str]


class LeadTime(Answered):
    """How long before harm a review of the same key would have opened."""

    near_miss_id: str
    happened_at: Instant
    rule_id: str
    key: Key
    crossed_at: Instant
    lead: Duration


class LeadTimes(Answered):
    """Of the harm incidents of the period that are of a key of an active rule."""

    harm_incidents: int
    preceded: int
    without_review_before: int
    median: Duration | None
    median_days: float | None
    leads: list[LeadTime] = Field(description="In the order in which they happened; the latest 1,000.")


class TradeOff(Answered):
    """One threshold with one window. A figure is null where there is nothing to work it out from."""

    threshold: int
    window: Duration
    episodes: int
    reviews_per_month: float
    expected_by_chance_per_year: float | None
    harm_incidents: int
    harm_incidents_preceded: int
    median_lead_days: float | None


class TradeOffs(Answered):
    """Every pair of a threshold and a window of one rule."""

    rule_id: str
    rows: list[TradeOff]


class Backtest(Answered):
    """What a policy would have opened. Lists hold the latest; what there is in all stands beside each."""

    model_config: ClassVar[ConfigDict] = showing(BACKTEST_ANSWER)

    since: Instant = Field(alias="from")
    until: Instant = Field(alias="to")
    as_of_sequence: int
    compared_with: int
    near_misses: int = Field(description="Those that were looked at, of windows that began before the period too.")
    episodes: list[BacktestEpisode] = Field(
        description="At most 10,000, in the order of crossing; also of shadow rules."
    )
    episodes_total: int
    reviews: int = Field(description="Episodes of active rules in the period.")
    gained: list[BacktestEpisode] = Field(description="Like the next three: of active rules, at most 1,000.")
    gained_total: int
    lost: list[BacktestEpisode]
    lost_total: int
    earlier: list[BacktestMoved]
    earlier_total: int
    later: list[BacktestMoved]
    later_total: int
    reviews_per_month: float
    reviews_per_manager: list[ReviewsOfManager]
    reviews_without_manager: ReviewsOfNobody
    expected_chance_firings: list[ChanceFirings]
    lead_times: LeadTimes
    grid: TradeOffs | None = None
