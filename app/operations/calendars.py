"""When an organisation is at work, with the public holidays of its country: what working deadlines are counted in.

Which dates are holidays comes from the `holidays` package, which knows the substitute days too. A calendar is handed
to the rule as a value, so that a deadline that was told once never moves with a newer version of the package.
"""

from datetime import date, datetime, timedelta
from functools import lru_cache

from holidays import country_holidays

from app.domain.decider import Fault
from app.domain.policy import Policy
from app.domain.working_time import Calendar
from app.domain.working_time_document import WorkingTime

_YEARS_AHEAD = 2


def calendar_of(policy: Policy, now: datetime) -> Calendar:
    """The policy's working time, its holidays from the year of `now` until the second year after it."""
    kept = policy.working_time
    today = now.astimezone(policy.zone).date()
    yesterday = today - timedelta(days=1)  # On New Year's Day last year's last night shift may still be at work.
    public = _public_holidays(kept.country, kept.subdivision, yesterday.year, today.year + _YEARS_AHEAD)
    return Calendar(policy.time_zone, kept.hours, tuple(sorted({*public, *kept.closed_on})))


def faults_of(working_time: WorkingTime) -> list[Fault]:
    """What is wrong with its country or subdivision: nobody knows their holidays."""
    country, subdivision = working_time.country, working_time.subdivision
    known = _subdivisions(country)
    if known is None:
        detail = "Name another country, or leave it out: the public holidays of this one are not known."
        return [Fault("/working_time/country", "unknown-code", detail)]
    if subdivision is None or subdivision in known:
        return []
    detail = f"Use one of {', '.join(known)}, or leave it out." if known else "Leave it out: this country has none."
    return [Fault("/working_time/subdivision", "unknown-code", detail)]


@lru_cache(maxsize=256)
def _public_holidays(country: str | None, subdivision: str | None, first: int, last: int) -> tuple[date, ...]:
    # What a newer version of the package has forgotten must not keep an escalation from climbing: without holidays a
    # deadline comes early, without an answer it would never come.
    if country is None or faults_of(WorkingTime(country=country, subdivision=subdivision)):
        return ()
    return tuple(country_holidays(country, subdiv=subdivision, years=range(first, last + 1)))


def _subdivisions(country: str | None) -> tuple[str, ...] | None:
    """The codes of a country's subdivisions; None of a country that is not known."""
    if country is None:
        return ()
    try:
        return country_holidays(country).subdivisions
    except RuntimeError:  # So the package says that it has never heard of a country.
        return None
