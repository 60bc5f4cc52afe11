"""How often leadership reviews: leadership is told first, then the backstop, until one closes; in one event if late."""

from datetime import UTC, datetime, timedelta

from app.domain import governance_cadence
from app.domain.governance_cadence import Cadence, Missed
from app.domain.moment import Span

JANUARY = datetime(2026, 1, 31, 10, tzinfo=UTC)
DUE = datetime(2026, 2, 28, 10, tzinfo=UTC)
WEEK = timedelta(days=7)
MONTHLY = Span.parse("P1M")
REACH = {"leadership": ("staff/nominated", "key/k-1"), "admin": ("key/k-2",)}
STANDING = Cadence(JANUARY, DUE)


def told(cadence: Cadence, now: datetime, **reach: tuple[str, ...]) -> list[Missed]:
    return governance_cadence.ask(cadence, {**REACH, **reach}, ("gov-1",), now)


def test_a_month_ends_with_the_month_that_is_shorter() -> None:
    assert governance_cadence.due_from(JANUARY, MONTHLY) == DUE


def test_nobody_is_told_before_it_is_due() -> None:
    assert told(STANDING, DUE - timedelta(seconds=1)) == []


def test_leadership_is_told_when_it_is_due_by_role_and_by_name() -> None:
    (missed,) = told(STANDING, DUE)

    assert missed == Missed(
        1,
        ("leadership", "staff/nominated"),
        DUE + WEEK,
        DUE,
        0,
        nobody_reachable=False,
        governance_review_ids=("gov-1",),
        since=JANUARY,
    )


def test_then_the_backstop_is_told_and_again_every_week_as_of_when_that_was_due() -> None:
    in_time, cadence = list[Missed](), STANDING
    for day in range(30):
        events = told(cadence, DUE + timedelta(days=day))
        if events:
            cadence = Cadence(cadence.since, events[-1].respond_by, events[-1])
        in_time += events

    assert [(one.times, one.notify[0], one.level) for one in in_time] == [
        (1, "leadership", 0),
        (2, "admin", None),
        (3, "admin", None),
        (4, "admin", None),
        (5, "admin", None),
    ]
    assert [one.scheduled_at for one in in_time] == [DUE + n * WEEK for n in range(5)]


def test_whoever_asks_late_tells_all_that_was_missed_in_one_event() -> None:
    for late in (3 * WEEK + timedelta(days=2), 550 * WEEK):
        now = DUE + late
        (missed,) = told(STANDING, now)

        assert (missed.times, missed.scheduled_at, missed.since) == (late // WEEK + 1, DUE, JANUARY)
        assert (missed.notify, missed.level) == (("leadership", "admin", "staff/nominated"), None)
        assert now < missed.respond_by <= now + WEEK


def test_late_again_only_the_backstop_is_told() -> None:
    (first,) = told(STANDING, DUE)

    (missed,) = told(Cadence(JANUARY, first.respond_by, first), DUE + 3 * WEEK)

    assert (missed.times, missed.notify, missed.scheduled_at) == (4, ("admin",), DUE + WEEK)


def test_a_role_that_reaches_nobody_is_told_and_said_to() -> None:
    (missed,) = told(STANDING, DUE, leadership=())

    assert (missed.notify, missed.nobody_reachable) == (("leadership",), True)


def test_after_a_closing_it_begins_with_leadership_again() -> None:
    (before,) = told(STANDING, DUE)
    cadence = Cadence(DUE + timedelta(days=1), DUE + 5 * WEEK, before)

    (missed,) = told(cadence, DUE + 5 * WEEK)

    assert (missed.times, missed.level) == (1, 0)


# Another rhythm


def test_another_rhythm_counts_from_the_same_instant() -> None:
    due_at = governance_cadence.changed(STANDING, Span.parse("P3M"), "UTC", JANUARY + timedelta(days=3))

    assert due_at == datetime(2026, 4, 30, 10, tzinfo=UTC)


def test_nobody_is_late_with_a_rhythm_before_it_was_adopted() -> None:
    adopted_at = JANUARY + timedelta(days=20)

    assert governance_cadence.changed(STANDING, Span.parse("P7D"), "UTC", adopted_at) == adopted_at


def test_whoever_was_told_already_is_not_told_at_once_again() -> None:
    (missed,) = told(STANDING, DUE)
    cadence = Cadence(JANUARY, missed.respond_by, missed)

    due_at = governance_cadence.changed(cadence, Span.parse("P14D"), "UTC", DUE + timedelta(days=1))

    assert due_at == DUE + WEEK
