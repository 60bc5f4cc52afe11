"""What an outcome says to a manager: the counts first, then what they show, or why they show nothing."""

from collections.abc import Sequence

from app.domain.outcome import Arm, Exposure, Harm, Reporting, Verdict

_UNITS: dict[Exposure, tuple[str, str]] = {
    "calendar_days": ("day", "days"),
    "doses_due": ("dose due", "doses due"),
    "visits_scheduled": ("visit scheduled", "visits scheduled"),
    "resident_days": ("resident-day", "resident-days"),
}
NOT_COMPLETED = (
    "Nothing is followed up yet: that begins when the last open action of this review has been completed, "
    "for all of them work on the same events."
)
CANCELLED = "Cancelled, and no other action of this review was carried out: there is nothing to follow up."
GOVERNANCE = "No single pattern led to this action, so there is no rate to compare: see what its review decided."
AGAIN = " Ninety days show little where little happens: it is looked at once more on {at}, after a year."
NOT_YET = "Too early to tell: the follow-up begins on {begins} and ends on {ends}."


def sentence(
    verdict: Verdict,
    before: Arm,
    after: Arm,
    kind: Exposure,
    rate_ratio: float | None,
    limits: tuple[float | None, float | None],
    reporting: Reporting,
    harm: Harm,
) -> str:
    """What a verdict rests on and what it means; fewer reports alone are never called better."""
    said = [f"{_arm(before, kind)} before and {_arm(after, kind)} after: {_shown(verdict, rate_ratio, limits)}"]
    if verdict == "reporting_fell":
        said.append(_why_withheld(reporting))
    if harm.before or harm.after:
        said.append(f"Incidents with harm: {harm.before} before, {harm.after} after.")
    if kind == "calendar_days":
        said.append("Counted by calendar days, for no denominator is stated for every day.")
    return " ".join(said)


def so_far(says: str, ends: str) -> str:
    """The same before the follow-up has ended."""
    return f"So far, until the follow-up ends on {ends}: {says}"


def _arm(arm: Arm, kind: Exposure) -> str:
    exposure = arm.exposure or 0.0
    one, many = _UNITS[kind]
    return f"{arm.events:,} ({exposure:,.0f} {one if round(exposure) == 1 else many})"


def _shown(verdict: Verdict, rate_ratio: float | None, limits: tuple[float | None, float | None]) -> str:
    compared = "" if rate_ratio is None else f" ({rate_ratio:.2g} times as many, 95 % limits {_limits(limits)})"
    match verdict:
        case "fell":
            return f"the rate fell{compared}."
        case "rose":
            return f"the rate rose{compared}."
        case "not_shown":
            return f"no change is shown{compared}; chance alone may explain the difference."
        case "too_little_data":
            return "too few to tell."
        case "reporting_fell":
            return "no verdict, because reporting fell."


def _limits(limits: tuple[float | None, float | None]) -> str:
    low, high = limits
    return f"{low or 0:.2g} to {'any number' if high is None else f'{high:.2g}'}"


def _why_withheld(reporting: Reporting) -> str:
    if reporting.silent:
        return f"Silent during the follow-up: {_listed(reporting.silent)}. Fewer reports need not be fewer events."
    if reporting.nothing_reported:
        return "Nothing at all was reported during the follow-up. Silence need not be safety."
    return (
        f"All else that the service reported fell too, from {reporting.before:,} to {reporting.after:,}: "
        "fewer reports need not be fewer events."
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
