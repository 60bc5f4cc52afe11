"""Outcomes without HTTP: asked by a timer once, whoever asks; told to endpoints; and honest over a whole year."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import Engine, event, update

from app.clock import system_clock
from app.database.tables import followers, timers
from app.domain.moment import format_instant, to_micros
from app.events.codec import decode
from app.operations import acting, reviewing
from app.operations.attending import Attendant
from app.operations.audit import Auditor, last_audit
from app.operations.outcomes import outcome_of, outcomes_between
from app.operations.tick import tick
from tests.office import LINK, MONDAY, Office, answers_of, opened
from tests.operations.hearing import assert_thin, bodies, body, owed, register
from tests.operations.undertakings import agreed, complete, of_action
from tests.rounds import rounds

FOLLOW_UP = timedelta(days=90)
GRAVE: Mapping[str, Any] = {"potential_harm": "severe"}
RECORDS: Mapping[str, Any] = {"incident_type": "records", "deviation": None}
LINKED_RECORDS: Mapping[str, Any] = {**RECORDS, "deviation": "other", "stage_allowed": "omitted"}


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with opened(database_url) as office:
        yield office


def assessed(office: Office) -> int:
    return office.types().count("outcome.assessed")


def due(office: Office) -> list[tuple[str, int]]:
    """The outcomes that a timer waits for."""
    return [(row[2], row[3]) for row in office.rows(timers) if row[1] == "outcome_check"]


def test_workers_that_ask_at_once_assess_an_outcome_once(office: Office) -> None:
    for _ in range(3):
        office.submit()
    office.do(complete(office, agreed(office)))
    assert len(due(office)) == 1
    office.clock.now += timedelta(days=108)

    with ThreadPoolExecutor(3) as workers:
        asked = [workers.submit(tick, office.house, f"worker-{n}", system_clock()) for n in range(3)]
    for one in asked:
        one.result()
    tick(office.house, "late", system_clock())

    assert assessed(office) == 1
    (again,) = due(office)
    assert again[1] > to_micros(office.clock.now + timedelta(days=250))  # It showed nothing yet: once more in a year.
    office.clock.now += timedelta(days=300)
    for _ in range(2):
        tick(office.house, "late", system_clock())
    assert (assessed(office), due(office)) == (2, [])


def test_what_is_reported_counts_before_any_follower_has_seen_it(office: Office) -> None:
    """Also what is recorded in the transaction in which the timer is asked, which runs first."""
    for _ in range(3):
        office.submit()
    action_id = agreed(office)
    office.do(complete(office, action_id, "2026-03-03"))
    office.clock.now = MONDAY + timedelta(days=40)
    office.submit(occurred_at="2026-04-01")
    office.submit(occurred_at="2026-04-02", incident_type="records", deviation="other")
    office.clock.now = MONDAY + timedelta(days=92)

    late = [office.submission(occurred_at="2026-04-03"), office.submission(occurred_at="2026-04-04")]
    answers_of(office.house.try_all(late))

    (told,) = outcomes(office)
    assert (told["during"]["events"], told["after"]["events"], told["reporting"]["after"]) == (3, 1, 1)
    office.follow()
    assert outcomes(office) == [told]


PLAIN: Mapping[str, Any] = {
    "id": "plain",
    "group_by": ["service_id", "kind"],
    "aliases": {"kind": {"medication": "deviation", "records": "stage_allowed"}},
    "match_any": [{"deviation": ["omitted", "late"]}, {"incident_type": "records"}],
}
"""Every fact tells what it looks at."""
DEEPER: Mapping[str, Any] = {
    **PLAIN,
    "match": {"potential_harm": ["moderate", "severe"], "incident_type": "medication"},
}
"""How grave it was only the stream tells."""


@pytest.mark.parametrize("rule", [PLAIN, DEEPER], ids=["plain", "deeper"])
def test_what_the_facts_tell_is_what_the_streams_tell(office: Office, rule: Mapping[str, Any]) -> None:
    office.do(office.adoption(rule))
    for _ in range(3):
        office.submit(**GRAVE)
    action_id = agreed(office)
    office.do(complete(office, action_id, "2026-03-03"))
    (escalation,) = office.escalations()
    office.clock.now = MONDAY + timedelta(days=40)
    for month in ("01", "04"):
        ids = [office.submit(occurred_at=f"2026-{month}-0{day}", **GRAVE)["id"] for day in range(1, 6)]
        office.do(office.withdrawal(ids[0]))
        office.do(office.correction(ids[1], deviation="wrong_dose"))
        office.do(office.correction(ids[2], deviation="late"))
        office.do(office.correction(ids[3], classification="harm_incident"))
        for changes in ({"service_id": "ash-court"}, {"potential_harm": None}, RECORDS, LINKED_RECORDS):
            office.submit(occurred_at=f"2026-{month}-09", **{**GRAVE, **changes})

    by_streams = provisional(office, escalation["review_id"])
    then = provisional(office, escalation["review_id"], by_streams["as_of_sequence"])
    office.follow()
    by_facts = provisional(office, escalation["review_id"])
    office.submit(occurred_at="2026-04-10", **GRAVE)

    more = 0 if rule is DEEPER else 2  # That of no known gravity, and that of the other type with the same key.
    assert by_facts == by_streams == then == provisional(office, escalation["review_id"], by_facts["as_of_sequence"])
    assert [by_facts[arm]["events"] for arm in ("before", "during", "after")] == [1 + more, 3, 1 + more]
    assert (by_facts["reporting"]["before"], by_facts["harm"]) == (5 - more, {"before": 1, "after": 1})
    assert provisional(office, escalation["review_id"])["after"]["events"] == 2 + more


def test_a_busy_key_is_counted_without_reading_its_streams(office: Office) -> None:
    """It is counted while everybody who reports waits for the one writer."""
    for _ in range(3):
        office.submit()
    action_id = agreed(office)
    (escalation,) = office.escalations()
    office.do(complete(office, action_id, "2026-03-03"))
    office.clock.now = MONDAY + timedelta(days=40)
    answers_of(office.house.try_all([office.submission(occurred_at=f"2026-03-{day}") for day in range(10, 30)]))
    office.follow()
    asked: list[Any] = []
    note = _noting(asked)
    event.listen(Engine, "before_cursor_execute", note)

    told = provisional(office, escalation["review_id"])

    event.remove(Engine, "before_cursor_execute", note)
    assert told["after"]["events"] == 20
    assert "outcome/" in str(asked)
    assert "near_miss/" not in str(asked)


def _noting(asked: list[Any]) -> Any:
    def note(_connection: Any, _cursor: Any, _statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        asked.append(parameters)

    return note


def provisional(office: Office, review_id: str, as_of: int | None = None) -> dict[str, Any]:
    with office.house.reader(office.organisation, as_of) as reader:
        told = outcome_of(reader, review_id, office.clock())
    assert told is not None
    return told


def test_what_came_late_is_looked_at_once_the_facts_have_come_far_enough(office: Office) -> None:
    for _ in range(3):
        office.submit()
    office.do(complete(office, agreed(office), "2026-03-03"))
    office.clock.now = MONDAY + timedelta(days=95)
    tick(office.house, "worker", system_clock())
    office.submit(occurred_at="2026-04-05")
    office.follow()
    attendant = Attendant(office.house)

    come_to = place(office, -30_000)
    attendant.attend()
    behind = assessed(office)
    place(office, come_to)
    for _ in range(2):
        attendant.attend()

    assert (behind, assessed(office)) == (1, 2)
    assert outcomes(office)[0]["after"]["events"] == 1


def test_a_second_look_that_was_put_off_in_vain_is_all_that_is_told(office: Office) -> None:
    for _ in range(3):
        office.submit()
    office.do(complete(office, agreed(office), "2026-03-03"))
    office.clock.now = MONDAY + timedelta(days=100)
    tick(office.house, "worker", system_clock())
    office.clock.now = MONDAY + timedelta(days=360)
    another = agreed(office, "2027-06-01")
    office.clock.now = MONDAY + timedelta(days=380)
    tick(office.house, "worker", system_clock())

    office.do(of_action(office, another, lambda desk, cause, its: acting.cancel(desk, cause, its, "Not needed.")))
    for _ in range(3):
        tick(office.house, "worker", system_clock())

    told = [decode(one) for one in office.ledger() if one.type == "outcome.assessed"]
    assert [(one.follow_up_to - MONDAY).days for one in told] == [90, 365]
    assert due(office) == []


def place(office: Office, position: int) -> int:
    """Say that the facts have come so far; returns how far it was said before."""
    row = followers.c
    here = (row.organisation == office.organisation, row.name == "heatmap")
    with office.house.database.write() as connection:
        before = connection.execute(followers.select().where(*here)).mappings().one()["position"]
        connection.execute(update(followers).where(*here).values(position=position))
    return before


def test_an_assessment_is_told_to_whoever_wants_to_hear_of_it(office: Office) -> None:
    endpoint_id = register(office, "action.outcome_assessed")
    for _ in range(3):
        office.submit()
    action_id = agreed(office)
    (escalation,) = office.escalations()
    office.do(complete(office, action_id))
    office.clock.now += timedelta(days=120)

    tick(office.house, "worker", system_clock())

    (message,) = bodies(office, endpoint_id)
    (row,) = owed(office, endpoint_id)
    assert row.subject == escalation["id"]
    assert message["type"] == "action.outcome_assessed"
    assert message["timestamp"] == "2026-06-18T00:00:00.000000Z"
    assert message["data"] | {"sequence": 0} == {
        "review_id": escalation["review_id"],
        "action_id": action_id,
        "escalation_id": escalation["id"],
        "service_id": "willow-house",
        "status": "reporting_fell",
        "scheduled_at": "2026-06-18T00:00:00.000000Z",
        "sequence": 0,
        "links": {"self": f"/v1/actions/{action_id}/outcome"},
    }
    assert_thin(body(office, row))


def test_the_auditor_finds_every_outcome_with_its_timer(office: Office) -> None:
    for _ in range(3):
        office.submit()
    office.do(complete(office, agreed(office)))
    auditor = Auditor(office.house)
    now = system_clock()

    for _ in auditor.audit(now):
        pass
    with office.house.database.write() as connection:
        found_well = last_audit(connection, now)["findings"]
        connection.execute(timers.delete().where(timers.c.kind == "outcome_check"))
    for _ in auditor.audit(now):
        pass

    with office.house.database.read() as connection:
        assert (found_well, last_audit(connection, now)["findings"]) == (0, 1)


def outcomes(office: Office) -> list[dict[str, Any]]:
    """What was assessed so far."""
    with office.house.reader(office.organisation) as reader:
        told = outcomes_between(reader, 0, 2**62)
        assert told == [outcome_of(reader, one["review_id"]) for one in told]
        return told


# A provider in which nothing changes, and one in which something does

RULE: Mapping[str, Any] = {
    "id": "repeated",
    "group_by": ["service_id", "deviation"],
    "match": {"deviation": "omitted"},
    "window": "P14D",
    "ladder": {"steps": [{"to": ["manager"], "timeout": "P2Y"}]},
    "review_due": "P2Y",
}
"""Nobody is asked again meanwhile: it is about counting."""
LINKED: Mapping[str, Any] = {"workflow_link": LINK, "intake": True}
OTHER: Mapping[str, Any] = {"deviation": "wrong_dose"}
PAST, YEAR, SETTLING = 200, 365.0, 14


@dataclass
class Home:
    """A service of a provider: `effective` is when its one action takes effect, in days after Monday."""

    name: str
    effective: float | None = None
    review_id: str | None = None
    at: list[float] = field(default_factory=list[float])


def a_provider(office: Office, homes: int, a_year: float, factor: float) -> dict[str, tuple[Home, dict[str, Any]]]:
    """Each home reports by chance; its first pattern is reviewed, and what was agreed makes the rate `factor` of it."""
    office.do(office.adoption(RULE))
    random, every = Random(20260302), [Home(f"home-{number}") for number in range(homes)]
    for home in every:
        home.at = _days(random, a_year, -PAST, 0)
        said = [_near_miss(home, day) | other for day in home.at for other in ({}, OTHER)]
        answers_of(office.house.try_all([office.submission(**one, as_history=True) for one in said]))
    day = 0.0
    while any(home.effective is None or day < home.effective + 90 for home in every):
        day += random.expovariate(a_year * homes / YEAR)
        home = random.choice(every)
        is_after = home.effective is not None and day >= home.effective
        if home.effective is None or day < home.effective + 90:
            _report(office, home, day, not is_after or random.random() < factor)
    office.clock.now = MONDAY + timedelta(days=day + 1)
    while tick(office.house, "worker", system_clock()):
        pass
    told = {one["review_id"]: one for one in outcomes(office)}
    return {home.name: (home, told[home.review_id]) for home in every if home.review_id is not None}


def _days(random: Random, a_year: float, since: float, until: float) -> list[float]:
    days: list[float] = []
    while (since := since + random.expovariate(a_year / YEAR)) < until:
        days.append(since)
    return days


def _near_miss(home: Home, day: float) -> dict[str, Any]:
    return {"service_id": home.name, "occurred_at": day_of(day), **LINKED}


def _report(office: Office, home: Home, day: float, happened: bool) -> None:
    """Recorded as it happens, if it does; something else of the home beside it, whose reporting goes on."""
    office.clock.now = MONDAY + timedelta(days=day)
    raised: list[str] = []
    if happened:
        home.at.append(day)
        raised = office.submit(**_near_miss(home, day))["escalation_ids"]
    office.submit(**_near_miss(home, day) | OTHER)
    if raised and home.effective is None:
        home.effective = day + SETTLING
        with office.house.reader(office.organisation) as reader:
            home.review_id = reader.escalations(raised)[0]["review_id"]
        office.do(office.command(lambda desk, cause: _act(desk, cause, home)))


def day_of(day: float) -> str:
    return format_instant(MONDAY + timedelta(days=day))


def _act(desk: Any, cause: Any, home: Home) -> None:
    document = {"description": "Name doses.", "owner": "manager-2", "due": "2029-01-01"}
    assert home.review_id is not None
    assert home.effective is not None
    reviewing.agree_action(desk, cause, reviewing.load(desk, home.review_id), document)
    (action_id,) = reviewing.load(desk, home.review_id).state.actions
    acting.complete(desk, cause, acting.load(desk, action_id), day_of(home.effective), "The sheet is in use.")


def naive_fall(home: Home) -> bool:
    """What a before and after of the trigger window would show."""
    assert home.effective is not None
    crossed = home.effective - SETTLING
    before = sum(crossed - 14 < day <= crossed for day in home.at) / 14
    after = sum(home.effective <= day < home.effective + 90 for day in home.at) / 90
    return after < before


def test_where_nothing_changes_an_outcome_seldom_says_that_it_fell(sqlite_url: str) -> None:
    """A naive before and after shows a fall nearly everywhere: the cluster that set it off was chance."""
    homes = rounds(500)
    with opened(sqlite_url) as office:
        told = a_provider(office, homes, a_year=26, factor=1.0)

    assert len(told) == homes
    fell = [name for name, (_, outcome) in told.items() if outcome["verdict"] == "fell"]
    assert len(fell) <= 0.05 * homes
    assert sum(naive_fall(home) for home, _ in told.values()) >= 0.6 * homes
    for home, outcome in told.values():
        assert outcome["after"]["events"] == sum(home.effective <= day < home.effective + 90 for day in home.at)


def test_where_the_rate_halves_most_outcomes_say_so(sqlite_url: str) -> None:
    """Sixty in half a year before it. With sixty a year, ninety days after it show it in one of three."""
    homes = max(12, rounds(200))
    with opened(sqlite_url) as office:
        told = a_provider(office, homes, a_year=120, factor=0.5)

    fell = [name for name, (_, outcome) in told.items() if outcome["verdict"] == "fell"]
    assert len(fell) >= 0.5 * homes
