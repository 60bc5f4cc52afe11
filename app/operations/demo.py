"""A provider to look at: six services and a year of near misses, the last of which opens a review before your eyes.

What is older than the window comes in as history and alarms nobody; the last fortnight is reported live. The year ends
when the organisation began, so that running it again says the same again, and goes on where it broke off.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import func, select

from app.database.tables import FOR_EVER, heatmap_facts, organisations
from app.domain.decider import Refused
from app.domain.moment import from_micros, parse_instant
from app.domain.policy import DEFAULT_POLICY, policy_document
from app.domain.service import Locality, Particulars, RoleHolder
from app.events.store import Cause
from app.intake.demo import DAYS, ZONE, is_recent, year_of
from app.intake.demo_stories import HOMES, Home
from app.operations import settle
from app.operations.desk import Desk
from app.operations.follow import catch_up
from app.operations.house import House
from app.operations.job import Actor, Answer, Command, Submit
from app.operations.keys import NewKey
from app.operations.reporting import Sealer
from app.operations.submit import job_of

NARRATOR = Actor("system/demo")
NAME = "Demo provider"
SEED = 14
IN_FLIGHT = 256
ROLES = ("manager", "deputy", "operations", "leadership")

Check = Callable[[object, datetime], dict[str, Any]]
"""The intake submission that a document is; raises `Refused`."""


class NotADemo(Refused):
    """The organisation is somebody's own."""


@dataclass(frozen=True, slots=True)
class Hot:
    """The cell of the heatmap that holds the most."""

    stage_allowed: str
    shift_bracket: str
    near_misses: int


@dataclass(frozen=True, slots=True)
class Story:
    """What there is to see. `key` only when this run made the organisation, for a key is shown once.

    `escalation`: the one that the last near miss opened, unless somebody has taken that out of it since.
    """

    organisation: str
    key: NewKey | None
    near_misses: int
    recorded: int
    historical: int
    hot: Hot
    escalation: Mapping[str, Any] | None
    members: Sequence[Mapping[str, Any]]


def tell(house: House, organisation: str, check: Check, seed: int = SEED) -> Story:
    """Have the demo's year recorded, as far as it is not, and say what came of it. `NotADemo`: it is somebody's own."""
    key = house.open_organisation(organisation, NAME)
    now = _began(house, organisation)
    first_day = (now - timedelta(days=DAYS)).date()
    _settle(house, organisation, _adopt)
    for home in HOMES:
        _settle(house, organisation, lambda desk, cause, home=home: _register(desk, cause, home, first_day))
    year = year_of(seed, now)
    answers = _submit(house, organisation, check, year, now)
    return _story(house, organisation, key, answers)


def _began(house: House, organisation: str) -> datetime:
    with house.database.read() as connection:
        row = connection.execute(select(organisations).where(organisations.c.organisation == organisation)).one()
    if row.name != NAME:
        raise NotADemo("This organisation is no demo, and near misses cannot be taken out again: name another.")
    return from_micros(row.created_at)


def _adopt(desk: Desk, cause: Cause) -> None:
    """The policy that everybody begins with, on the provider's own clock; one that came since stands."""
    if desk.configuration.policy_events:
        return
    document = {**policy_document(DEFAULT_POLICY), "time_zone": ZONE.key}
    settle.adopt_policy(desk, cause, document, None)


def _register(desk: Desk, cause: Cause, home: Home, first_day: date) -> None:
    if home.id in desk.configuration.services:
        return
    sealer = Sealer(desk)
    holders = [RoleHolder(role, sealer.reference("staff", f"{role}-{home.locality}"), first_day) for role in ROLES]
    particulars = Particulars(
        home.name,
        home.kind,
        time_zone=ZONE.key,
        localities=(Locality(home.locality, first_day),),
        role_holders=tuple(holders),
    )
    settle.register_service(desk, cause, home.id, particulars, None)


def _settle(house: House, organisation: str, run: Callable[[Desk, Cause], None]) -> None:
    shown = {"id": organisation}
    house.ask(Command(organisation, str(uuid4()), NARRATOR, organisation, run, lambda _reader, _subject: shown))


def _submit(
    house: House, organisation: str, check: Check, year: Sequence[dict[str, Any]], now: datetime
) -> list[Answer]:
    with house.database.read() as connection:
        pepper = house.vault.pepper(connection, organisation)
    answers: list[Answer] = []
    for start in range(0, len(year), IN_FLIGHT):
        jobs: list[Submit] = []
        for one in year[start : start + IN_FLIGHT]:
            document = check(one, now)
            reported_at = parse_instant(document.pop("reported_at"))
            job = job_of(organisation, NARRATOR, pepper, document, house.clock())
            job.intake, job.as_history, job.reported_at = True, not is_recent(one, now), reported_at
            jobs.append(job)
        answers += house.ask_all(jobs)
    return answers


def _story(house: House, organisation: str, key: NewKey | None, answers: Sequence[Answer]) -> Story:
    last_raised = answers[-1].body["escalation_ids"][:1]
    with house.reader(organisation) as reader:
        raised = reader.escalations(sorted({one for answer in answers for one in answer.body["escalation_ids"]}))
        escalation = next((one for one in raised if one["id"] in last_raised), None)
        members = reader.near_misses([one["near_miss_id"] for one in escalation["members"]] if escalation else [])
    return Story(
        organisation,
        key,
        len(answers),
        sum(answer.status == 201 for answer in answers),
        sum(one["status"] == "historical" for one in raised),
        _hot(house, organisation),
        escalation,
        members,
    )


def _hot(house: House, organisation: str) -> Hot:
    catch_up(house.database, house.batches.dialect, house.configurations, organisation, "heatmap")
    fact = heatmap_facts.c
    count = func.count().label("near_misses")
    chosen = (
        select(fact.stage_allowed, fact.shift_bracket, count)
        .where(fact.organisation == organisation, fact.valid_to == FOR_EVER, fact.stage_allowed.is_not(None))
        .where(fact.shift_bracket.like("%handover"))
        .group_by(fact.stage_allowed, fact.shift_bracket)
        .order_by(count.desc(), fact.stage_allowed, fact.shift_bracket)
        .limit(1)
    )
    with house.database.read() as connection:
        row = connection.execute(chosen).one()
    return Hot(row.stage_allowed, row.shift_bracket, row.near_misses)
