"""A trend: series of points with the chart that judges them, what it signals, and what a manager is told."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from app.api.schemas.answers.common import Answered, Day, Instant, InstantOrDay, Number, showing

Measure = Literal["count", "rate", "chance_share"]
Method = Literal["run", "c", "u", "p", "t", "g", "xmr", "cusum"]
Direction = Annotated[
    Literal["up", "down"] | None, Field(description="Of the frequency: shorter times between reports are up.")
]
SeriesKey = Annotated[dict[str, str | None], Field(description="The field of `group_by` → its value; {} without one.")]


class TrendPoint(Answered):
    """One bucket (dates, at midnight in `time_zone`), or the days between two reports (instants)."""

    from_: Annotated[InstantOrDay, Field(alias="from")]
    to: InstantOrDay
    count: int
    value: Annotated[Number | None, Field(description="null where nothing can be known.")]
    complete: Annotated[bool, Field(description="false while it still runs: then no rule judges it.")]
    signals: Annotated[list[str], Field(description="The rules that marked this point.")]
    exposure: Annotated[
        Number | None, Field(description="What there was to do; of a share, what it is a share of.")
    ] = None
    left_out: Annotated[int | None, Field(description="Reports of services that stated no denominator.")] = None
    without_barrier: Annotated[int | None, Field(description="Reports whose recovery barrier is not known.")] = None


class TrendSignal(Answered):
    """What a rule found, and in words."""

    rule: Annotated[
        str,
        Field(
            description="outside_limits, one_side, trend, two_in_three (XmR); long_run, few_crossings (Anhøj); cusum; "
            "share_rose."
        ),
    ]
    direction: Direction
    from_: Annotated[InstantOrDay, Field(alias="from")]
    to: InstantOrDay
    says: str


class KeyedTrendSignal(TrendSignal):
    """The same, with the key of its series."""

    key: SeriesKey


class TrendLimits(Answered):
    """One for each point, null where it is judged by no limit."""

    lower: list[Number | None]
    upper: list[Number | None]


class TrendBaseline(Answered):
    """What the centre line and the limits were computed from."""

    from_: Annotated[InstantOrDay | None, Field(alias="from")]
    to: InstantOrDay | None
    points: int


class TrendBlock(Answered):
    """Points and the chart that judges them."""

    method: Method
    unit: str
    parameters: dict[str, Any]
    points: list[TrendPoint]
    centre_line: Number | None
    limits: TrendLimits
    baseline: TrendBaseline
    signals: list[TrendSignal]


class CusumPoint(Answered):
    """The sum above the usual at the end of a week."""

    from_: Annotated[Day, Field(alias="from")]
    to: Day
    value: Number


class CusumBaseline(Answered):
    """The weeks that say what is usual."""

    from_: Annotated[Day, Field(alias="from")]
    to: Day
    weeks: int


class Stretch(Answered):
    """From a day until before another."""

    from_: Annotated[Day, Field(alias="from")]
    to: Day


class TrendCusum(Answered):
    """The Poisson CUSUM of the weekly counts: an alarm when the sum reaches `h`."""

    mu0: Number
    mu1: Number
    k: Number
    h: Number
    arl0: Annotated[Number, Field(description="Weeks until chance alone raises an alarm, on the average.")]
    baseline: CusumBaseline
    points: list[CusumPoint]
    is_rising: Annotated[bool, Field(description="Whether the last complete week is in alarm.")]
    alarms: list[Stretch]


class TrendDrought(Answered):
    """How long nothing was reported; `p`: the probability of so long a silence by chance."""

    is_drought: bool
    days_since_last: Number | None = None
    last_at: Instant | None = None
    expected: Number | None = None
    p: Number | None = None
    says: str


class KeyedTrendDrought(TrendDrought):
    """The same, with the key of its series."""

    key: SeriesKey


class TrendSeries(TrendBlock):
    """One key's points, what its chart, the CUSUM of its weeks and its silence say, in numbers and in a sentence."""

    key: SeriesKey
    what: str
    rest: Annotated[int | None, Field(description="How many keys it sums, of those beyond the most shown.")] = None
    between: Annotated[
        TrendBlock | None, Field(description="The days between reports, where they are rarer than one a bucket.")
    ] = None
    cusum: TrendCusum | None = None
    drought: TrendDrought
    says: str


_MONTHS = [f"2025-{month:02d}-01" for month in range(4, 13)] + [f"2026-{month:02d}-01" for month in range(1, 5)]
_COUNTS = (2, 1, 3, 2, 2, 1, 3, 2, 2, 1, 3, 7)
_RISE = {
    "rule": "outside_limits",
    "direction": "up",
    "from": "2026-03-01",
    "to": "2026-04-01",
    "says": "More than usual, 2026-03-01 to 2026-04-01: outside of the limits.",
}
_WHAT = "Near misses of medication at Willow House (willow-house)"
_EXAMPLE: dict[str, Any] = {
    "measure": "count",
    "group_by": "service_id",
    "bucket": "month",
    "filters": {"incident_type": "medication"},
    "from": "2025-04-01",
    "to": "2026-04-01",
    "until": "2026-03-31T23:00:00.000000Z",
    "as_of_sequence": 412,
    "time_zone": "Europe/London",
    "series": [
        {
            "key": {"service_id": "willow-house"},
            "what": _WHAT,
            "method": "xmr",
            "unit": "count",
            "parameters": {
                "name": "XmR chart with the NHS Making Data Count rules",
                "near_lower": 0.0,
                "near_upper": 4.61,
                "screen_outliers": True,
            },
            "points": [
                {
                    "from": since,
                    "to": until,
                    "count": count,
                    "value": float(count),
                    "complete": True,
                    "signals": ["outside_limits"] if count == 7 else [],
                }
                for since, until, count in zip(_MONTHS[:-1], _MONTHS[1:], _COUNTS, strict=True)
            ],
            "centre_line": 2.416667,
            "limits": {"lower": [0.0] * 12, "upper": [5.7] * 12},
            "baseline": {"from": "2025-04-01", "to": "2026-04-01", "points": 12},
            "signals": [_RISE],
            "drought": {
                "is_drought": False,
                "days_since_last": 3.5,
                "last_at": "2026-03-28T11:00:00.000000Z",
                "expected": 0.28,
                "p": 0.757,
                "says": f"{_WHAT}: the last was reported 4 days ago, which chance explains.",
            },
            "says": f"{_WHAT} rose from about 2 a month to about 7 a month; the latest is above what chance explains.",
        }
    ],
    "signals": [{"key": {"service_id": "willow-house"}, **_RISE}],
    "drought": [],
}


class Trends(Answered):
    """Near misses over time; `signals` and `drought` are those of all series."""

    model_config: ClassVar[ConfigDict] = showing(_EXAMPLE)

    measure: Measure
    group_by: str | None
    bucket: Literal["day", "week", "month", "event"]
    filters: dict[str, str]
    from_: Annotated[Day, Field(alias="from")]
    to: Day
    until: Annotated[Instant, Field(description="Nothing that happened then or later is counted.")]
    as_of_sequence: int
    time_zone: str
    series: list[TrendSeries]
    signals: list[KeyedTrendSignal]
    drought: list[KeyedTrendDrought]
