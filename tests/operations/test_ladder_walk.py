"""Random months of a house: whatever people, clocks and workers do in whatever order, nothing open ever falls silent.

A walk is a seed. It commands the real operations on a real database, and after every few steps the ledger is folded by
itself and held against the timers, the windows and what readers are shown. A walk that fails names its seed, and
`walk(office, seed)` walks it again.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import mkdtemp
from typing import Any, NamedTuple

import pytest
from sqlalchemy import func, select

from app.clock import system_clock
from app.database.tables import timers
from app.domain.moment import from_micros
from app.operations.audit import Auditor, last_audit
from app.operations.tick import tick
from tests.conftest import DATABASES
from tests.office import Clock, Office, opened
from tests.operations.book import Book, check_rebuilding, check_what_is_shown
from tests.operations.walking import PEOPLE, Walk, named, subjects
from tests.rounds import IN_FULL, rounds

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
"""Real time, as the auditor sees it."""


# How workers come by


def now_and_then(seed: int) -> Callable[[Walk, timedelta], None]:
    """One worker, the other, both or none; followers too."""
    chance = Random(~seed)

    def settle(walk: Walk, pause: timedelta) -> None:
        walk.office.clock.now += pause
        for holder in ("worker-1", "worker-2"):
            if chance.random() < 0.3:
                tick(walk.office.house, holder, system_clock())
        if chance.random() < 0.1:
            walk.office.follow()

    return settle


def at_the_end(walk: Walk, pause: timedelta) -> None:
    """The worker was away all the while."""
    walk.office.clock.now += pause
    while tick(walk.office.house, "worker", system_clock()):
        pass


def at_every_minute(walk: Walk, pause: timedelta) -> None:
    """The worker is there at each instant at which anything is due."""
    office = walk.office
    end = office.clock.now + pause
    while (due := earliest(office)) is not None and due <= end:
        office.clock.now = max(due, office.clock.now)
        while tick(office.house, "worker", system_clock()):
            pass
    office.clock.now = end


def earliest(office: Office) -> datetime | None:
    with office.house.database.read() as connection:
        due = connection.execute(select(func.min(timers.c.due_at))).scalar()
    return None if due is None else from_micros(due)


# Held against


def walk(office: Office, seed: int, steps: int | None = None, every: int = 4) -> Walk:
    """A walk with everything held against it."""
    walking, book, auditor = Walk(office, seed, now_and_then(seed)), Book(office), Auditor(office.house)
    walking.begin()
    steps = steps or STEPS
    for number in range(steps):
        walking.step()
        if number % every == 0 or number == steps - 1:
            book.check()
            for _ in auditor.audit(NOW):
                pass
            with office.house.database.read() as connection:
                assert last_audit(connection, NOW)["findings"] == 0
            check_what_is_shown(office, Random(seed + number).randint(1, book.position))
    check_what_is_shown(office, None)
    check_rebuilding(office)
    return walking


# Two walks of one seed


def story(walking: Walk) -> dict[str, list[tuple[str, str | None, Mapping[str, Any]]]]:
    """Every stream of care: its events, their schedules and what they say, free of ids that differ between walks."""
    office, names = walking.office, {}
    for name, nth, _, its_id in named(office):
        names[its_id] = names[its_id.replace("esc_", "rev_")] = f"{name} {nth}"
    for nth, its_id in enumerate(walking.reports):
        names[its_id] = f"report {nth}"
    for nth, its_id in enumerate(subjects(office, "action.agreed")):
        names[its_id] = f"action {nth}"
    for ref in PEOPLE:
        names[office.person(ref).token or ""] = ref
    told: dict[str, list[Any]] = {}
    for one in office.ledger():
        name = names.get(one.subject)
        if name is not None and not name.startswith("breached") and one.kind in ("escalation", "action", "near_miss"):
            said = {part: it for part, it in json.loads(one.payload).items() if part in TOLD}
            told.setdefault(f"{one.kind} {name}", []).append(
                (one.type, said.pop("scheduled_at", None), renamed(said, names))
            )
    return told


TOLD = (
    "scheduled_at", "level", "loop", "notify", "why", "respond_by", "times", "by", "members", "near_miss_id",
    "kind", "remind_at", "until", "since", "raised_at", "review_due_at", "reopened_at", "code", "consumed", "into",
    "previous_episode_id", "nobody_reachable", "gravity", "late_from",
)  # fmt: skip
"""What is compared: nothing sealed, and nothing that only says by which command it came."""


def renamed(said: Mapping[str, Any], names: Mapping[str, str]) -> Mapping[str, Any]:
    text = json.dumps(said)
    for one, name in names.items():
        text = text.replace(one, json.dumps(name)[1:-1])
    return json.loads(text)


def told_by(database_url: str, seed: int, steps: int, settle: Callable[[Walk, timedelta], None]) -> Any:
    with opened(database_url, Clock()) as office:
        walking = Walk(office, seed, settle)
        walking.begin()
        for _ in range(steps):
            walking.step()
        return story(walking)


# The tests

STEPS = 60 if IN_FULL else 24
"""A short walk is the beginning of the long one of its seed."""


class Databases(NamedTuple):
    """Migrated databases, one after the other; every so-manieth walk is walked on this kind of them."""

    new: Callable[[], AbstractContextManager[str]]
    share: int


@pytest.fixture(params=DATABASES)
def databases(request: pytest.FixtureRequest, tmp_path: Path) -> Databases:
    """On each of the two in turn; on PostgreSQL fewer, for it takes longer and tells the same."""
    if request.param == "postgresql":
        copies = request.getfixturevalue("migrated_postgresql")

        @contextmanager
        def lent() -> Iterator[str]:
            url = copies.lend()
            yield url
            copies.take_back(url)

        return Databases(lent, 5)
    file = request.getfixturevalue("migrated_sqlite")

    @contextmanager
    def copied() -> Iterator[str]:
        folder = Path(mkdtemp(dir=tmp_path))
        yield f"sqlite:///{shutil.copy(file, folder)}"
        shutil.rmtree(folder)

    return Databases(copied, 2)


@contextmanager
def numbered(seed: int) -> Iterator[None]:
    """Whatever fails tells by which seed it fails again."""
    try:
        yield
    except Exception as error:
        error.add_note(f"This was the walk of seed {seed}, of {STEPS} steps.")
        raise


@pytest.mark.soak
def test_nothing_open_falls_silent_whatever_people_and_clocks_and_workers_do(databases: Databases) -> None:
    for seed in range(rounds(800) // databases.share):
        with numbered(seed), databases.new() as url, opened(url, Clock()) as office:
            walk(office, seed)


@pytest.mark.soak
def test_a_late_worker_tells_the_story_that_one_who_is_there_at_every_minute_tells(databases: Databases) -> None:
    for seed in range(rounds(200) // databases.share):
        with numbered(seed):
            with databases.new() as url:
                in_time = told_by(url, seed, STEPS, at_every_minute)
            with databases.new() as url:
                late = told_by(url, seed, STEPS, at_the_end)
            assert late == in_time
