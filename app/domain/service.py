"""One stream for each service of the register: what it is, where it belonged when, and who held which role.

A registration is the whole of what is known now, so saying it again changes nothing. Localities have dates because a
near miss counts for the place that the service belonged to on that day, not for where it moved later.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from app.domain.decider import Fault, Invalid
from app.domain.sealed import Reference

# Words


@dataclass(frozen=True, slots=True)
class Locality:
    """Where the service belongs, from a date until before another; without `until` it still does."""

    locality: str
    since: date
    until: date | None = None


@dataclass(frozen=True, slots=True)
class RoleHolder:
    """Who holds a role for the service, from a date until before another."""

    role: str
    ref: Reference
    since: date
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Particulars:
    """What the register says of a service. `time_zone`: an IANA name; without it the policy's zone holds."""

    name: str
    service_type: str
    regulator_location_id: str | None = None
    time_zone: str | None = None
    aliases: tuple[str, ...] = ()
    localities: tuple[Locality, ...] = ()
    role_holders: tuple[RoleHolder, ...] = ()


# Commands


@dataclass(frozen=True, slots=True)
class Register:
    particulars: Particulars


# Events


@dataclass(frozen=True, slots=True)
class Registered:
    particulars: Particulars


# State


@dataclass(frozen=True, slots=True)
class Service:
    """`particulars` is None until the service is registered; reports for it are taken all the same."""

    particulars: Particulars | None = None


UNREGISTERED = Service()

# Decide


def decide(command: Register, service: Service, now: datetime) -> list[Registered]:
    faults = list(contradictions(command.particulars))
    if faults:
        raise Invalid(*faults)
    if command.particulars == service.particulars:
        return []  # Saying the same again is not an error.
    return [Registered(command.particulars)]


def contradictions(told: Particulars) -> Iterator[Fault]:
    if told.time_zone is not None and not is_time_zone(told.time_zone):
        yield Fault("/time_zone", "unknown-time-zone", "Give a name of the IANA time zone database: Europe/London.")
    for name, periods in (("localities", told.localities), ("role_holders", told.role_holders)):
        for n, period in enumerate(periods):
            if period.until is not None and period.until <= period.since:
                yield Fault(f"/{name}/{n}/to", "out-of-order", "Give an end after the start, or leave it out.")
    yield from overlaps(told.localities)


def is_time_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def overlaps(localities: tuple[Locality, ...]) -> Iterator[Fault]:
    """A service belongs to one locality at a time."""
    in_order = sorted(range(len(localities)), key=lambda n: localities[n].since)
    for former, later in pairwise(in_order):
        until = localities[former].until
        if until is None or localities[later].since < until:
            yield Fault(
                f"/localities/{later}/from", "overlap", "End the locality before this one when this one begins."
            )


def locality_at(service: Service, day: date) -> str | None:
    """The locality that the service belonged to on that local date, as far as the register says."""
    if service.particulars is None:
        return None
    for period in service.particulars.localities:
        if period.since <= day and (period.until is None or day < period.until):
            return period.locality
    return None


# Evolve


def evolve(service: Service, event: Registered) -> Service:
    return Service(event.particulars)
