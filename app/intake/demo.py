"""A year of a made-up provider: the same seed and the same end make the same near misses, to the letter.

The year has what real ones have: rounds and handovers, calls without travel time between them, a hard winter. It ends
with three doses almost missed at the same handover of one home, which is what the service exists to notice.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from app.domain.moment import local_instant
from app.intake.demo_stories import CARE_HOME, HOME_CARE, HOMES, STORIES, Home, Story

ZONE = ZoneInfo("Europe/London")
SOURCE = "demo"
DAYS = 365
RECENT = timedelta(days=14)
"""What is older was imported as history; what is younger is reported live."""

HOT_HOME = HOMES[0]
HOT_STORY = STORIES[0]
EVENING = time(19, 50)
CLUSTER = ((9, "19:40"), (5, "19:55"), (0, "19:50"))
"""Days before the end, and when: the last of them completes the pattern."""

_QUIET = timedelta(days=2 * RECENT.days)
_MOST_ALIKE = 2
_CLASSIFICATIONS = (("near_miss", 82), ("no_harm_incident", 13), ("unsafe_condition", 5))
_BARRIERS = (("staff_check", 34), ("colleague", 26), ("system_alert", 18), ("person_or_family", 14), ("chance", 8))
_ROLES = ("senior carer", "care assistant", "team leader")
_UNLINKED = 0.15


def end_of(now: datetime) -> datetime:
    """The evening that the year ends with: the latest 19:50 in London that is not after now, an aware instant."""
    today = now.astimezone(ZONE).date()
    tonight = local_instant(datetime.combine(today, EVENING), ZONE)
    return tonight if tonight <= now else local_instant(datetime.combine(today - timedelta(days=1), EVENING), ZONE)


def year_of(seed: int, now: datetime) -> list[dict[str, Any]]:
    """The submissions of the year that ends now, in the order in which they happened; each names its source event."""
    random = Random(seed)  # noqa: S311  # A story, not a secret.
    end = end_of(now)
    last_day = end.astimezone(ZONE).date()
    told = [
        (when, home, story)
        for back in range(DAYS, 0, -1)
        for when, home, story in _day(random, last_day - timedelta(days=back))
    ]
    told = list(_without_patterns_of_late(sorted(told, key=lambda one: one[0]), end))
    for back, clock in CLUSTER:
        when = _at(last_day - timedelta(days=back), time.fromisoformat(clock))
        told.append((when, HOT_HOME, HOT_STORY))
    told.sort(key=lambda one: one[0])
    return [_report(random, number, *one, end) for number, one in enumerate(told, start=1)]


def is_recent(document: dict[str, Any], now: datetime) -> bool:
    """Whether a submission of the year is reported live."""
    return datetime.fromisoformat(document["occurred_at"]) > now - RECENT


def _day(random: Random, day: date) -> Iterator[tuple[datetime, Home, Story]]:
    for home in HOMES:
        expected = home.busy / 7 * _season(day) * _weekday(home.kind, day)
        happened = random.random()
        for _ in range((happened < expected) + (happened < expected * expected / 4)):
            stories = [story for story in STORIES if story.kind == home.kind]
            story = random.choices(stories, [one.share for one in stories])[0]
            since, until, _weight = random.choices(story.hours, [hours[2] for hours in story.hours])[0]
            yield _at(day, _between(random, since, until)), home, story


def _season(day: date) -> float:
    """Winter brings sickness to both sides, August brings holidays."""
    return {12: 1.5, 1: 1.7, 2: 1.4, 8: 1.2}.get(day.month, 1.0)


def _weekday(kind: str, day: date) -> float:
    """Home care is thin from Friday to Sunday; in care homes new medicines come on Mondays."""
    if kind == HOME_CARE:
        return 1.4 if day.weekday() >= 4 else 0.9
    return 1.2 if day.weekday() == 0 else 1.0


def _without_patterns_of_late(
    told: Sequence[tuple[datetime, Home, Story]], end: datetime
) -> Iterator[tuple[datetime, Home, Story]]:
    """The last weeks hold no second pattern: at most two alike, and none like those of the cluster."""
    alike: dict[tuple[str, str, str], int] = {(HOT_HOME.id, HOT_STORY.incident_type, HOT_STORY.deviation): _MOST_ALIKE}
    for when, home, story in told:
        if when > end - _QUIET:
            key = (home.id, story.incident_type, story.deviation)
            alike[key] = alike.get(key, 0) + 1
            if alike[key] > _MOST_ALIKE:
                continue
        yield when, home, story


def _report(random: Random, number: int, when: datetime, home: Home, story: Story, end: datetime) -> dict[str, Any]:
    unit = random.choice(home.units)
    minutes = random.randrange(15, 55, 5)
    counted = home is HOT_HOME and story is HOT_STORY and when > end - _QUIET
    local = when.astimezone(ZONE)
    report: dict[str, Any] = {
        "source": SOURCE,
        "source_event_id": f"demo-{number:04d}",
        "occurred_at": local.isoformat(),
        "service_id": home.id,
        "incident_type": story.incident_type,
        "deviation": story.deviation,
        "classification": "near_miss" if counted else _one_of(random, _CLASSIFICATIONS),
        "contributing_factors": sorted(random.sample(story.factors, random.randint(1, 2))),
        "staff_involved": [{"ref": f"staff-{home.id}-{random.randint(1, 14)}", "role": random.choice(_ROLES)}],
        "person_ref": f"person-{home.id}-{random.randint(1, 40)}",
        "recovery_barrier": _one_of(random, _BARRIERS),
        "potential_harm": random.choice(("low", "low", "moderate")),
        "narrative": random.choice(story.narratives).format(unit=unit, minutes=minutes),
        "attributes": {"unit": unit},
        "reported_at": min(local + timedelta(minutes=random.randint(5, 240)), end).isoformat(),
    }
    if counted or random.random() >= _UNLINKED:
        report["workflow_link"] = _link(random, story, local, minutes)
    return report


def _link(random: Random, story: Story, local: datetime, minutes: int) -> dict[str, Any]:
    """Which stage it was, and planned against actual; travel time is a matter of visits."""
    planned = random.choice((8, 10, 12))
    travelled = {"planned_minutes": planned, "actual_minutes": planned + minutes // 2}
    staff = random.choice((2, 3))
    return {
        "stage_affected": story.stages[0],
        "stage_allowed": story.stages[1],
        "stage_allowed_basis": "probable",
        "system_used": story.system,
        "deviation_from_plan": f"{minutes} minutes off the plan.",
        "corrective_action": story.put_right,
        "mapped_against": {
            "scheduling": {"planned": (local - timedelta(minutes=minutes)).isoformat(), "actual": local.isoformat()},
            "staff_allocation": {"planned": staff, "actual": staff - random.randint(0, 1)},
            "travel_time": {"status": "not_applicable"} if story.kind == CARE_HOME else travelled,
        },
    }


def _one_of(random: Random, weighted: Sequence[tuple[str, int]]) -> str:
    return random.choices([code for code, _ in weighted], [weight for _, weight in weighted])[0]


def _between(random: Random, since: str, until: str) -> time:
    first, last = (time.fromisoformat(one) for one in (since, until))
    minute = random.randint(first.hour * 60 + first.minute, last.hour * 60 + last.minute)
    return time(minute // 60, minute % 60)


def _at(day: date, clock: time) -> datetime:
    return local_instant(datetime.combine(day, clock), ZONE)
