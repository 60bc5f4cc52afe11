"""Thirty days of an escalation, over and over: whatever people do and however late the timers run, nobody falls silent.

Each month is drawn from a seed, so that one that fails can be walked through again.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import reduce
from random import Random

import msgspec

from app.domain import escalation
from app.domain.decider import Refused
from app.domain.escalation import OPEN, Escalation, Status
from app.domain.ladder import DEFAULT_TERMS, Reach, Rung, Terms
from app.domain.working_time import OFFICE_HOURS, Calendar
from app.events.catalogue import CATALOGUE
from app.events.codec import encode, name_of
from tests.rounds import rounds

MONTHS = 10_000
BEGIN = datetime(2026, 3, 14, 8, tzinfo=UTC)
MINUTES = 30 * 24 * 60
EVER = 1_000_000

PEOPLE = ("m.okafor", "d.eputy", "n.iqbal")
ROLES = ("manager", "deputy", "operations", "leadership", "admin")
CALENDAR = Calendar("Europe/London", OFFICE_HOURS, (date(2026, 4, 3), date(2026, 4, 6)))
ENDINGS = (escalation.Close, escalation.BeginMonitoring, escalation.Merge)


def test_no_month_leaves_an_escalation_open_without_a_deadline_or_closes_it_by_itself() -> None:
    for seed in range(rounds(MONTHS)):
        try:
            walk(Random(seed))
        except AssertionError as fault:
            raise AssertionError(f"the month of seed {seed}") from fault


def walk(random: Random) -> None:
    """One month: commands at random minutes, the timers run in between as late as it happens."""
    reach: Reach = {role: random.choice([(), ("t-1",)]) for role in ROLES}
    log = list(escalation.decide(crossing(random, reach), escalation.UNRAISED, BEGIN))
    standing = after(log)
    must_have_deadlines(standing)

    for minute in sorted(random.choices(range(MINUTES), k=random.randrange(1, 25))):
        now = BEGIN + timedelta(minutes=minute)
        standing, told = timers(random, standing, now, reach)
        log += told

        command = asked(random, standing, now, reach)
        was, events = standing, answer(command, standing, now)
        standing, log = reduce(escalation.evolve, events, was), log + events

        must_have_deadlines(standing)
        assert answer(command, standing, now) == [], "asking twice changes nothing"
        assert standing.status in OPEN or was.status not in OPEN or isinstance(command, ENDINGS), "none ends by itself"

    assert after([from_disk(event) for event in log]) == standing, "a replay equals the live escalation"


def timers(
    random: Random, standing: Escalation, now: datetime, reach: Reach
) -> tuple[Escalation, list[escalation.Event]]:
    """Late in one run, in several, and each to the minute: the same events."""
    late = escalation.run_due(standing, now, reach, EVER)
    assert late == in_several_runs(random, standing, now, reach)
    assert late == each_on_time(standing, now, reach)

    after_late, events = late
    must_have_deadlines(after_late)
    assert escalation.run_due(after_late, now, reach, EVER) == (after_late, []), (
        "a timer that asks again is told nothing"
    )
    scheduled = [event.scheduled_at for event in events]
    assert scheduled == sorted(scheduled)
    assert all(at <= now for at in scheduled)
    assert (after_late.status in OPEN) == (standing.status in OPEN)
    return late


def in_several_runs(
    random: Random, standing: Escalation, now: datetime, reach: Reach
) -> tuple[Escalation, list[escalation.Event]]:
    told: list[escalation.Event] = []
    for hours in sorted(random.choices(range(720), k=3), reverse=True):
        standing, events = escalation.run_due(standing, now - timedelta(hours=hours), reach, random.choice([1, EVER]))
        told += events
    standing, events = escalation.run_due(standing, now, reach, EVER)
    return standing, told + events


def each_on_time(standing: Escalation, now: datetime, reach: Reach) -> tuple[Escalation, list[escalation.Event]]:
    """Every timer, at its instant, as a command of its own; and once more, which changes nothing."""
    told: list[escalation.Event] = []
    while (deadline := escalation.due(standing, now)) is not None:
        tick = escalation.Tick(deadline.kind, deadline.due_at, reach)
        assert escalation.decide(tick, standing, deadline.due_at - timedelta(microseconds=1)) == []
        events = escalation.decide(tick, standing, deadline.due_at)
        standing = reduce(escalation.evolve, events, standing)
        assert escalation.decide(tick, standing, deadline.due_at) == []
        told += events
    return standing, told


def must_have_deadlines(standing: Escalation) -> None:
    kinds = {deadline.kind for deadline in standing.deadlines}
    if standing.status not in OPEN:
        assert kinds == set()
        return
    assert "review_due" in kinds
    if not standing.acknowledged_by:
        assert kinds & {"ack_due", "snooze_until"}, "somebody is to answer, or the snooze ends"
        assert standing.contacts


def crossing(random: Random, reach: Reach) -> escalation.Raise:
    members = (escalation.Member("nm-1", "member"), escalation.Member("nm-2", "member"))
    return escalation.Raise("rule", 1, (), "[]", 2, "P14D", members, BEGIN, terms=terms(random), reach=reach)


def terms(random: Random) -> Terms:
    if random.random() < 0.2:
        return DEFAULT_TERMS
    return Terms(
        tuple(rung(random) for _ in range(random.randrange(1, 4))),
        repeat=random.choice([-1, 0, 0, 1, 2]),
        backstop="admin",
        review_due=random.choice(["P3D", "P7D", "P14D", "P1M"]),
        ack_remind=random.choice([None, "PT12H", "P2D"]),
        ack_confirm=random.choice([None, "PT2H", "P1D"]),
        max_snooze=random.choice([None, "PT8H", "P2D"]),
        time_zone="Europe/London",
        calendar=random.choice([None, CALENDAR]),
    )


def rung(random: Random) -> Rung:
    to = random.choice([(), ("manager",), ("deputy", "m.okafor"), ("operations",)])
    return Rung(to, random.choice(["PT3H", "PT12H", "P1D", "P2D"]), random.choice(["elapsed", "working"]))


def asked(random: Random, standing: Escalation, now: datetime, reach: Reach) -> escalation.Command:
    by = random.choice(PEOPLE)
    near_miss_id = f"nm-{random.randrange(6)}"
    soon = now + timedelta(minutes=random.randrange(-60, 3 * 24 * 60))
    return random.choice([
        lambda: escalation.Attach(near_miss_id, random.choice(["member", "related"]), random.choice([0, 0, 1, 2])),
        lambda: escalation.Demote(near_miss_id),
        lambda: escalation.WithdrawMember(near_miss_id),
        escalation.LoseSupport,
        escalation.RegainSupport,
        lambda: escalation.Acknowledge(by),
        lambda: escalation.Acknowledge(by),
        lambda: escalation.HandOver(random.choice(["", "deputy", *PEOPLE]), by, reach),
        lambda: escalation.EscalateManually(standing.epoch - random.choice([0, 0, 1]), by, reach),
        lambda: escalation.FailContact(standing.level, random.choice([standing.loop, 0]), "whe-1", 3, reach),
        lambda: escalation.Snooze(soon, by),
        lambda: escalation.Merge("esc-1", random.choice(["esc-1", "esc-2"]), random.choice(list(Status)), by),
        lambda: escalation.ReassignPolicy(random.randrange(1, 4), terms(random), by, reach),
        lambda: escalation.BeginReview(by),
        lambda: escalation.AgreeAction(f"act-{random.randrange(2)}"),
        lambda: escalation.BeginMonitoring("action_agreed"),
        escalation.EndMonitoring,
        lambda: escalation.Close("no_action_needed"),
        lambda: escalation.Reopen(reach),
        lambda: escalation.Reopen(reach),
        lambda: escalation.Tick(random.choice(["ack_due", "review_due", "snooze_until"]), soon, reach),
    ])()  # fmt: skip


def answer(command: escalation.Command, standing: Escalation, now: datetime) -> list[escalation.Event]:
    try:
        return escalation.decide(command, standing, now)
    except Refused:
        return []


def after(events: Sequence[escalation.Event]) -> Escalation:
    return reduce(escalation.evolve, events, escalation.UNRAISED)


def from_disk(event: escalation.Event) -> escalation.Event:
    name, _ = name_of(event)
    return msgspec.json.decode(encode(event), type=CATALOGUE[name].event)
