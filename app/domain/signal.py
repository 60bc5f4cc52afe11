"""A signal: what rises below every threshold, or falls silent, told to the managers of its service until one answers.

What is in alarm is found by statistics, whose numbers come in by the door and stay with the signal. It is told once.
An answer closes nothing by itself: it is kept with the signal, and a governance review weighs what nobody answered.
"""

from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, Literal, assert_never

from app.domain.decider import Refused
from app.domain.ladder import Why
from app.domain.sealed import SealedText

TrendKind = Literal["rising", "chance_share"]
Kind = Literal["rising", "chance_share", "drought"]
KINDS: tuple[Kind, ...] = ("rising", "chance_share", "drought")
Status = Literal["open", "acknowledged"]

# Words


@dataclass(frozen=True, slots=True)
class CusumDesign:
    """A Poisson CUSUM for counts of `mu0` a week that is to find `mu1`: reference value `k`, decision interval `h`.

    Nothing having changed, it alarms once in `arl0` weeks.
    """

    mu0: float
    mu1: float
    k: float
    h: float
    arl0: float


@dataclass(frozen=True, slots=True)
class Trend:
    """What was found of the near misses of a type in a service, in whole weeks up to `until_week` (ISO 8601).

    `rising`: `measure` is count_per_week; `recent` and `baseline` are counts a week, `recent_count` and
    `baseline_count` of so many weeks; `statistic` is the CUSUM, `limit` its decision interval; it rises since
    `since_week`. `chance_share`: both are shares, 0 to 1, of `recent_total` and `baseline_total` near misses whose
    barrier is known; `statistic` is the p-value of Fisher's exact test, `limit` what it is below.
    """

    kind: TrendKind
    service_id: str
    incident_type: str
    measure: Literal["count_per_week", "chance_share"]
    method: Literal["poisson_cusum", "fisher_exact"]
    recent: float
    recent_count: int
    recent_weeks: int
    baseline: float
    baseline_count: int
    baseline_weeks: int
    statistic: float
    limit: float
    since: datetime
    since_week: str
    until_week: str
    as_of_sequence: int
    says: str
    locality: str | None = None
    recent_total: int | None = None
    baseline_total: int | None = None
    design: CusumDesign | None = None


@dataclass(frozen=True, slots=True)
class Drought:
    """Nothing was reported of a service, or through one source in it, since `since`: `gap_days` days.

    `baseline` is the reports a week that were usual: `baseline_count` in `baseline_days` days. By them `expected` would
    have come meanwhile, and `p` is the probability that none did, which is below `limit`.
    """

    service_id: str
    since: datetime
    gap_days: float
    baseline: float
    baseline_count: int
    baseline_days: int
    expected: float
    p: float
    limit: float
    as_of_sequence: int
    says: str
    locality: str | None = None
    source: str | None = None
    measure: Literal["days_without_report"] = "days_without_report"
    method: Literal["poisson_gap"] = "poisson_gap"


Found = Trend | Drought

# Commands


@dataclass(frozen=True, slots=True)
class Tell:
    """Something is in alarm; `notify`: whom to tell, the managers of the service."""

    found: Found
    notify: tuple[str, ...]
    nobody_reachable: bool = False


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Somebody answers for the service: what they know of it, and what they are going to do."""

    note: SealedText
    by: str


Command = Tell | Acknowledge

# Events


@dataclass(frozen=True, slots=True)
class TrendSignalled(Trend):
    """A frequency, or a share, rises below the threshold of every rule (S19)."""

    notify: tuple[str, ...] = ()
    nobody_reachable: bool = False
    why: Why = "trend_signalled"


@dataclass(frozen=True, slots=True)
class DroughtSignalled(Drought):
    """Less is reported than is to be expected: silence is a signal."""

    notify: tuple[str, ...] = ()
    nobody_reachable: bool = False
    why: Why = "reporting_drought"


@dataclass(frozen=True, slots=True)
class Acknowledged:
    note: SealedText
    by: str


Event = TrendSignalled | DroughtSignalled | Acknowledged

# Refusals


class AlreadyAcknowledged(Refused):
    """A signal is answered once, so that what was said of it stays (409)."""

    code = "signal-not-open"


# State


@dataclass(frozen=True, slots=True)
class Signal:
    """What was told, and how it was answered."""

    told: TrendSignalled | DroughtSignalled | None = None
    answered: Acknowledged | None = None

    @property
    def status(self) -> Status:
        return "open" if self.answered is None else "acknowledged"


UNTOLD = Signal()

# Decide


def decide(command: Command, signal: Signal) -> list[Event]:
    """What follows from a command; `AlreadyAcknowledged` when somebody answered before, or otherwise."""
    match command:
        case Tell(found, notify, nobody_reachable):
            return [] if signal.told is not None else [_told(found, notify, nobody_reachable)]
        case Acknowledge(note, by):
            answer = Acknowledged(note, by)
            if signal.answered is None:
                return [answer]
            if signal.answered == answer:
                return []  # Saying the same again is not an error.
            raise AlreadyAcknowledged("It was answered already: read it again. What is new belongs into a review.")
        case _:
            assert_never(command)


def _told(found: Found, notify: tuple[str, ...], nobody_reachable: bool) -> TrendSignalled | DroughtSignalled:
    numbers: dict[str, Any] = {field.name: getattr(found, field.name) for field in fields(found)}
    match found:
        case Trend():
            return TrendSignalled(**numbers, notify=notify, nobody_reachable=nobody_reachable)
        case Drought():
            return DroughtSignalled(**numbers, notify=notify, nobody_reachable=nobody_reachable)
        case _:
            assert_never(found)


def kind_of(found: Found) -> Kind:
    """What kind of signal it makes."""
    return found.kind if isinstance(found, Trend) else "drought"


def series_of(found: Found) -> tuple[Kind, str, str]:
    """What is watched: at most one signal of it is open. The last part is the incident type, the source, or empty."""
    if isinstance(found, Trend):
        return found.kind, found.service_id, found.incident_type
    return "drought", found.service_id, found.source or ""


# Evolve


def evolve(signal: Signal, event: Event) -> Signal:
    """The signal after an event that happened."""
    match event:
        case TrendSignalled() | DroughtSignalled():
            return Signal(event)
        case Acknowledged():
            return replace(signal, answered=event)
        case _:
            assert_never(event)
