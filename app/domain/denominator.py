"""One stream for each service: how much there was to do on each day, as it was stated; the later word stands.

A statement replaces what was said of its day as a whole: an amount that is left out is no longer known, so that one
that was wrong can be taken back. Saying the same again tells nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

MOST = 10_000_000
"""The largest amount of one day."""

# Words


@dataclass(frozen=True, slots=True)
class Amounts:
    """What there was to do on a day of the organisation's time zone; at least one of the three is known."""

    day: date
    doses_due: int | None = None
    visits_scheduled: int | None = None
    resident_days: int | None = None


# Commands


@dataclass(frozen=True, slots=True)
class State:
    """State the amounts of days; of a day that is named twice the later word stands."""

    items: tuple[Amounts, ...]
    unregistered_service: bool = False


# Events


@dataclass(frozen=True, slots=True)
class Stated:
    """The amounts of these days are so from here on, each day once. `unregistered_service`: the register had none."""

    items: tuple[Amounts, ...]
    unregistered_service: bool | None = None


# State

Standing = Mapping[date, Amounts]
"""What stands of each day."""

NOTHING: Standing = {}

# Decide


def decide(command: State, standing: Standing, now: datetime) -> list[Stated]:
    """What is new of what is said. `standing` need hold no other days than those of the command."""
    said = {one.day: one for one in command.items}
    news = tuple(said[day] for day in sorted(said) if standing.get(day) != said[day])
    return [Stated(news, command.unregistered_service or None)] if news else []


# Evolve


def evolve(standing: Standing, event: Stated) -> Standing:
    """What stands after a statement."""
    return {**standing, **{one.day: one for one in event.items}}
