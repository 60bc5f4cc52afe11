"""Episodes counted report by report: as the definition has them at every hour, for every kind of rule."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.moment import LATEST, Moment, moment_of, parse_moment
from app.domain.rule import Rule
from app.domain.similarity import Entry, event_time, qualifies, tally, windows
from app.domain.trailing import Episode, Patience, TooMuchToCount, episodes
from app.domain.zones import zone
from tests.domain.remembering import policy_of

UTC, LONDON = zone("UTC"), zone("Europe/London")
HOUR = 3_600_000_000
HALF = HOUR // 2


RULES: list[dict[str, Any]] = [
    {"threshold": 3, "window": "PT6H"},
    {"threshold": 2, "window": "PT6H", "op": "gt"},
    {"threshold": 2, "window": "PT5H", "distinct": "source"},
    {"threshold": 4, "window": "PT7H", "weight": "attributes.weight"},
    {"threshold": 2, "window": "PT8H", "require_types": ["medication", "visit"]},
    {"threshold": 2, "window": "PT8H", "require_sequence": ["visit", "medication"]},
]

REPORT = st.tuples(
    st.integers(0, 20), st.integers(0, 3), st.sampled_from([None, "a", "b"]), st.sampled_from(["visit", "medication"])
)


@pytest.mark.parametrize("particulars", RULES, ids=lambda one: "-".join(map(str, one.values())))
@given(reports=st.lists(REPORT, max_size=14))
def test_random_reports_have_the_episodes_that_a_count_at_every_instant_finds(
    particulars: dict[str, Any], reports: list[tuple[int, int, str | None, str]]
) -> None:
    rule = rule_of(**particulars)
    entries = in_order(
        Entry(f"nm-{n}", n, moment_of(hour * HOUR, UTC), weight, source, kind)
        for n, (hour, weight, source, kind) in enumerate(reports)
    )

    assert found_in(rule, entries) == counted_by_hand(rule, entries)


@given(st.lists(st.tuples(st.integers(0, 80), st.booleans()), max_size=12), st.sampled_from(["P2D", "PT36H", "P1M"]))
def test_an_episode_begins_where_the_rule_would_fire_and_holds_every_report_that_would_make_it(
    reports: list[tuple[int, bool]], window: str
) -> None:
    rule = rule_of(threshold=3, window=window)
    entries = in_order(
        Entry(f"nm-{n}", n, dated(hour, date_only=date_only), 1, None, "visit")
        for n, (hour, date_only) in enumerate(reports)
    )

    found = found_in(rule, entries)

    full = [one for one in windows(rule, entries, UTC) if one.qualifies]
    begun: dict[int, set[int]] = defaultdict(set)
    for one in full:
        begun[entries[one.anchor].moment.at] |= set(one.inside)
    assert all(set(one.members) == begun[one.crossed_at] for one in found)
    for window_ in full:
        at = entries[window_.anchor].moment.at
        assert sum(one.crossed_at <= at < one.until for one in found) == 1
    assert all(former.until < later.crossed_at for former, later in pairwise(found))


def test_dates_hold_for_whole_days_and_fourteen_of_them_are_a_fortnight() -> None:
    rule = rule_of(threshold=3, window="P14D")
    on = ["2026-03-01", "2026-03-10", "2026-03-14", "2026-04-01", "2026-04-10", "2026-04-15"]
    entries = [Entry(f"nm-{n}", n, parse_moment(one, LONDON), 1, None, "visit") for n, one in enumerate(on)]

    (found,) = episodes(rule, entries, LONDON, Patience(100))

    assert found == Episode(at("2026-03-14T00:00:00Z"), at("2026-03-15T00:00:00Z"), (0, 1, 2))


def test_a_calendar_day_is_as_long_as_the_zone_makes_it() -> None:
    on = ["2026-03-28T12:00:00Z", "2026-03-29T10:30:00Z"]  # The clock goes forward in the night between.
    entries = [Entry(f"nm-{n}", n, parse_moment(one, LONDON), 1, None, "visit") for n, one in enumerate(on)]
    elapsed = rule_of(threshold=2, window="P1D")
    calendar = rule_of(threshold=2, window="P1D", window_basis="calendar")

    (of_24_hours,) = episodes(elapsed, entries, LONDON, Patience(100))
    (of_a_day,) = episodes(calendar, entries, LONDON, Patience(100))

    assert of_24_hours.until == at("2026-03-29T12:00:00Z")
    assert of_a_day.until == at("2026-03-29T11:00:00Z")


def test_the_last_of_january_is_within_a_month_until_march() -> None:
    on = ["2026-01-31T10:00:00Z", "2026-02-10T10:00:00Z", "2026-02-28T12:00:00Z"]
    entries = [Entry(f"nm-{n}", n, parse_moment(one, UTC), 1, None, "visit") for n, one in enumerate(on)]

    found = found_in(rule_of(threshold=2, window="P1M"), entries)

    assert [one.crossed_at for one in found] == [at("2026-02-10T10:00:00Z")]
    assert found[0].until == at("2026-03-10T10:00:00Z")


def test_what_no_calendar_can_name_never_leaves() -> None:
    entries = [Entry("nm-1", 1, parse_moment("9999-12-20", UTC), 1, None, "visit")]

    (found,) = found_in(rule_of(threshold=1, window="P100Y"), entries)

    assert found.until == LATEST


def test_too_many_reports_in_too_many_windows_are_refused() -> None:
    entries = [Entry(f"nm-{n}", n, moment_of(n, UTC), 1, None, "visit") for n in range(100)]

    with pytest.raises(TooMuchToCount):
        episodes(rule_of(threshold=2, window="P1D"), entries, UTC, Patience(1000))


def rule_of(**particulars: Any) -> Rule:
    (rule,) = policy_of({"id": "r", "group_by": ["service_id"], **particulars}).rules
    return rule


def found_in(rule: Rule, entries: Sequence[Entry]) -> list[Episode]:
    return episodes(rule, entries, UTC, Patience(100_000))


def in_order(entries: Any) -> list[Entry]:
    return sorted(entries, key=event_time)


def dated(hour: int, *, date_only: bool) -> Moment:
    moment = moment_of(hour * HOUR, UTC)
    return Moment(moment.at - hour % 24 * HOUR, moment.day, date_only=True) if date_only else moment


def at(text: str) -> int:
    return parse_moment(text, UTC).at


def counted_by_hand(rule: Rule, entries: Sequence[Entry]) -> list[Episode]:
    """At every half hour, by the words of the definition."""
    assert rule.length is not None
    found: list[Episode] = []
    begun: Episode | None = None
    for now in range(0, 24 * HOUR + rule.length, HALF):
        inside = [n for n, one in enumerate(entries) if now - rule.length < one.moment.at <= now]
        members = [entries[n] for n in inside]
        is_full = bool(inside) and qualifies(rule, members, tally(rule, members))
        if is_full and begun is None:
            begun = Episode(now, 0, tuple(inside))
        if not is_full and begun is not None:
            found.append(begun._replace(until=now))
            begun = None
    return found
