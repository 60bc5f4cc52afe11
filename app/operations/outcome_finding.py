"""What came of it, found at an instant: what the arms hold, by what it is counted, and what that shows.

The verdict is of the exact conditional test in `app/analysis`; it is withheld where all else that the service reports
fell as well, or where a source was silent, for then fewer reports say nothing about fewer events (S17).
"""

from datetime import datetime, timedelta
from typing import Any

from app.analysis import outcome as analysis
from app.analysis.rates import compare
from app.domain.outcome import BASELINE, FOLLOW_UP, LONG_FOLLOW_UP, Arm, Exposure, Finding, Harm, Plan, Reporting
from app.operations.outcome_counting import Counted, Ledger, counted
from app.operations.outcome_exposure import days_of, exposures
from app.operations.outcome_saying import sentence
from app.operations.outcome_silence import silent_sources

METHOD = "Exact conditional Poisson rate ratio, Clopper–Pearson limits, central p."
PARAMETERS: dict[str, Any] = {
    "baseline_days": BASELINE.days,
    "follow_up_days": FOLLOW_UP.days,
    "second_look_days": LONG_FOLLOW_UP.days,
    "confidence": 0.95,
    "alpha": 0.05,
}
SOONEST = timedelta(days=1)
"""Before so much of the follow-up has passed, nothing can be said."""
_DIGITS = 6


def finding(ledger: Ledger, plan: Plan, now: datetime) -> Finding | None:
    """What is found at an instant by what the ledger tells; None while the facts are too far behind to tell."""
    until = max(plan.follow_up_from, min(now, plan.follow_up_to))
    seen = counted(ledger, plan, until)
    if seen is None:
        return None
    done = exposures(ledger, plan, until)
    before, during = Arm(seen.before, done.before), Arm(seen.during, done.during)
    after = Arm(seen.after, done.after)
    silent = silent_sources(ledger, plan, until, seen.sources)
    days = (days_of(plan.baseline_from, plan.baseline_to), days_of(plan.follow_up_from, until))
    return _judged(seen, before, during, after, done.kind, days, silent)


def _judged(
    seen: Counted,
    before: Arm,
    during: Arm,
    after: Arm,
    kind: Exposure,
    days: tuple[float, float],
    silent: tuple[str, ...],
) -> Finding:
    """The verdict. What else is reported is held against the calendar: it is not reported per dose."""
    exposure_before, exposure_after = before.exposure or 0.0, after.exposure or 0.0
    nothing_reported = seen.reported_after == 0
    days_before, days_after = days
    assessment = analysis.assess(
        analysis.Arm(before.events, exposure_before),
        analysis.Arm(after.events, exposure_after),
        analysis.Arm(seen.others_before, days_before),
        analysis.Arm(seen.others_after, days_after),
        silent=bool(silent) or nothing_reported,
    )
    compared = assessment.comparison
    ratio, low, high, p = (
        (None, None, None, None)
        if compared is None
        else (_short(one) for one in (compared.rate_ratio, compared.low, compared.high, compared.p))
    )
    others = compare(seen.others_after, days_after, seen.others_before, days_before) if days_after else None
    reporting = Reporting(
        seen.others_before,
        seen.others_after,
        None if others is None else _short(others.p),
        silent,
        nothing_reported or None,
    )
    harm = Harm(seen.harm_before, seen.harm_after)
    return Finding(
        assessment.verdict,
        before,
        during,
        after,
        kind,
        reporting,
        harm,
        seen.as_of_sequence,
        sentence(assessment.verdict, before, after, kind, ratio, (low, high), reporting, harm),
        ratio,
        low,
        high,
        p,
    )


def _short(number: float | None) -> float | None:
    """As many digits as anybody reads: the last ones differ between machines."""
    return None if number is None else float(f"{number:.{_DIGITS}g}")
