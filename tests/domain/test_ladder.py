"""A ladder is kept as it stood: what is stored reads back, and later versions of the policy change nothing in it."""

from datetime import UTC, date, datetime

import msgspec
import pytest

from app.domain.ladder import (
    DEFAULT_TERMS,
    Contact,
    Place,
    Rung,
    Terms,
    above,
    around,
    contact_above,
    reaches_nobody,
    respond_by,
    terms_of,
)
from app.domain.policy import DEFAULT_POLICY, parse_policy
from app.domain.working_time import OFFICE_HOURS, Calendar

MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)
CALENDAR = Calendar("Europe/London", OFFICE_HOURS, (date(2026, 4, 3),))


def kept(**ladder: object) -> Terms:
    rule = {"id": "rule", "group_by": ["service_id"], "threshold": 3, "window": "P14D", "ladder": ladder}
    return terms_of(parse_policy({"rules": [rule]}, 1).rules[0], "Europe/London", CALENDAR)


def test_the_default_policy_asks_manager_deputy_and_operations_with_leadership_behind_them() -> None:
    assert terms_of(DEFAULT_POLICY.rules[0], "UTC") == DEFAULT_TERMS
    assert (
        Terms(
            (Rung(("manager",), "P1D"), Rung(("deputy",), "P1D"), Rung(("operations",), "P2D")),
            backstop="leadership",
            review_due="P14D",
        )
        == DEFAULT_TERMS
    )


def test_a_ladder_with_everything_in_it_reads_back_from_disk() -> None:
    step = {"to": ["manager", "m.okafor"], "timeout": "PT4H", "time_basis": "working"}
    terms = kept(steps=[step], repeat=-1, backstop="board", ack_remind="P2D", ack_confirm="PT4H", max_snooze="P1M")

    read = msgspec.json.decode(msgspec.json.encode(terms), type=Terms)

    assert read == terms
    assert (read.rungs, read.calendar) == ((Rung(("manager", "m.okafor"), "PT4H", "working"),), CALENDAR)
    assert (read.repeat, read.backstop, read.max_snooze) == (-1, "board", "P1M")
    assert (read.ack_remind, read.ack_confirm) == ("P2D", "PT4H")


def test_the_calendar_is_kept_only_where_a_step_waits_in_working_time() -> None:
    assert kept(steps=[{"to": ["manager"], "timeout": "PT4H"}]).calendar is None


@pytest.mark.parametrize(
    ("repeat", "loop", "rounds"),
    [
        pytest.param(0, 0, [Place(1, 0)], id="no round is left"),
        pytest.param(1, 0, [Place(1, 0), Place(0, 1), Place(1, 1)], id="one more round"),
        pytest.param(1, 1, [Place(1, 1)], id="the rounds are used up"),
        pytest.param(-1, 7, [Place(1, 7), Place(0, 8), Place(1, 8)], id="without end"),
    ],
)
def test_a_ladder_goes_round_as_often_as_it_says(repeat: int, loop: int, rounds: list[Place]) -> None:
    terms = Terms((Rung(("manager",), "P1D"), Rung(("deputy",), "P1D")), repeat)

    assert list(above(terms, 0, loop)) == rounds


def test_after_the_last_step_a_person_escalates_to_the_first() -> None:
    assert list(around(DEFAULT_TERMS, 2, 0)) == [Place(0, 0), Place(1, 0), Place(2, 0)]


def test_what_is_overdue_climbs_past_steps_that_name_nobody() -> None:
    terms = Terms((Rung(("manager",), "P1D"), Rung((), "P1D"), Rung(("head",), "PT1H")), backstop="board")

    assert contact_above(terms, 0, MONDAY) == Contact(2, ("head",), datetime(2026, 3, 2, 10, tzinfo=UTC))
    assert contact_above(terms, 2, MONDAY) == Contact(None, ("board",), datetime(2026, 3, 3, 9, tzinfo=UTC))


@pytest.mark.parametrize(
    ("time_basis", "calendar", "day"),
    [
        pytest.param("working", CALENDAR, 6, id="working time, over Good Friday and the weekend"),
        pytest.param("elapsed", CALENDAR, 3, id="elapsed time"),
        pytest.param("working", None, 3, id="working time without a calendar"),
    ],
)
def test_a_step_waits_in_its_own_time(time_basis: str, calendar: Calendar | None, day: int) -> None:
    terms = Terms((Rung(("manager",), "P2D", time_basis),), time_zone="Europe/London", calendar=calendar)

    due = respond_by(terms, 0, datetime(2026, 4, 1, 9, tzinfo=UTC))

    assert due == datetime(2026, 4, day, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("to", "nobody"),
    [
        pytest.param(("manager",), True, id="a role that nobody holds"),
        pytest.param(("deputy",), False, id="a role that somebody holds"),
        pytest.param(("m.okafor",), False, id="a person"),
        pytest.param(("manager", "m.okafor"), False, id="a role that nobody holds, and a person"),
    ],
)
def test_a_step_reaches_whoever_holds_its_roles_and_whom_it_names(to: tuple[str, ...], nobody: bool) -> None:
    assert reaches_nobody({"manager": (), "deputy": ("t-deputy",)}, to) is nobody
